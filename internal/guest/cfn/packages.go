package cfn

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// managerOrder is what runs first; the rest follow by name.
var managerOrder = []string{"msi", "dpkg", "rpm", "apt", "yum"}

// packageManager is how packages are asked for and installed.
type packageManager struct {
	install []string
	// join puts a version behind a name; "" means that the value is a file or URL.
	join string
	// installed and available ask for one package; nil means that it is not asked.
	installed, available []string
	// one installs package after package, its version as an option of its own.
	one bool
}

var packageManagers = map[string]packageManager{
	"yum":    {[]string{"yum", "-y", "install"}, "-", []string{"yum", "-C", "-y", "list", "installed"}, []string{"yum", "-C", "-y", "--showduplicates", "list", "available"}, false},
	"dnf":    {[]string{"dnf", "-y", "install"}, "-", []string{"dnf", "-C", "-y", "list", "installed"}, []string{"dnf", "-C", "-y", "--showduplicates", "list", "available"}, false},
	"zypper": {[]string{"zypper", "--non-interactive", "install"}, "=", []string{"rpm", "-q"}, nil, false},
	"apt":    {[]string{"apt-get", "-q", "-y", "install"}, "=", []string{"dpkg", "-s"}, nil, false},
	"rpm":    {[]string{"rpm", "-U", "--quiet", "--nosignature", "--replacepkgs"}, "", nil, nil, false},
	"dpkg":   {[]string{"dpkg", "-i"}, "", nil, nil, false},
	// The variable lets pip write where a distribution wants only its own packages.
	"python":   {[]string{"env", "PIP_BREAK_SYSTEM_PACKAGES=1", "pip3", "install"}, "==", nil, nil, false},
	"rubygems": {[]string{"gem", "install", "-b", "--no-document"}, "", []string{"gem", "list", "-i"}, nil, true},
}

// packages runs the packages section.
func (b *build) packages(section map[string]any) error {
	managers := sorted(section)
	rank := func(m string) int {
		if i := slices.Index(managerOrder, m); i >= 0 {
			return i
		}
		return len(managerOrder)
	}
	sort.SliceStable(managers, func(i, j int) bool { return rank(managers[i]) < rank(managers[j]) })
	for _, name := range managers {
		list, ok := section[name].(map[string]any)
		if !ok {
			return fmt.Errorf("packages of %s are not an object", name)
		}
		m, known := packageManagers[name]
		if !known {
			b.logf("WARNING", "Unsupported package manager: %s", name)
			continue
		}
		install := b.installAll
		if m.one {
			install = b.installEach
		}
		if err := install(name, m, list); err != nil {
			return err
		}
	}
	return nil
}

// installAll installs what is not there yet in one call.
func (b *build) installAll(manager string, m packageManager, list map[string]any) error {
	var specs, changed []string
	for _, name := range sorted(list) {
		wanted := specifications(manager, m, name, list[name])
		missing := slices.DeleteFunc(slices.Clone(wanted), func(spec string) bool { return b.succeeds(m.installed, spec) })
		for _, spec := range missing {
			if m.available != nil && !b.succeeds(m.available, spec) {
				b.logf("ERROR", "%s is not available to be installed", spec)
				return said("%s does not have %s available for installation", titled(manager), spec)
			}
		}
		if len(missing) == 0 {
			b.debug("%s will not be installed as it is already present", name)
			continue
		}
		specs, changed = append(specs, missing...), append(changed, name)
	}
	if len(specs) == 0 {
		b.debug("All %s packages were already installed", manager)
		return nil
	}
	if code, out := b.command("", commandLine(m.install, specs...), nil); code != 0 {
		b.logf("ERROR", "%s failed. Output: %s", titled(manager), out)
		return said("Could not successfully install %s packages (return code %d)", manager, code)
	}
	for _, name := range changed {
		b.changed.note("packages", manager+" "+name)
	}
	b.info("%s installed ['%s']", titled(manager), strings.Join(changed, "', '"))
	return nil
}

// specifications are the words for a package: its name with each version that is
// listed, or the files that stand for one. Yum and dnf can have one version only: the
// last that is listed.
func specifications(manager string, m packageManager, name string, value any) []string {
	versions := slices.DeleteFunc(texts(value), func(v string) bool { return v == "" })
	switch {
	case m.join == "":
		return versions
	case len(versions) == 0:
		return []string{name}
	case manager == "yum" || manager == "dnf":
		versions = versions[len(versions)-1:]
	}
	var out []string
	for _, v := range versions {
		if strings.HasPrefix(v, "http://") || strings.HasPrefix(v, "https://") {
			out = append(out, v)
		} else {
			out = append(out, name+m.join+v)
		}
	}
	return out
}

// installEach installs each version of each package by a call of its own.
func (b *build) installEach(manager string, m packageManager, list map[string]any) error {
	for _, name := range sorted(list) {
		versions := texts(list[name])
		if len(versions) == 0 {
			versions = []string{""}
		}
		for _, v := range versions {
			query := []string{"^" + name + "$"}
			install := []string{name}
			if v != "" {
				query, install = append(query, "-v", v), append(install, "-v", "= "+v)
			}
			if b.succeeds(m.installed, query...) {
				b.info("%s-%s is already installed, skipping.", name, v)
				continue
			}
			if code, out := b.command("", commandLine(m.install, install...), nil); code != 0 {
				b.logf("ERROR", "Gem failed. Output: %s", out)
				return said("Failed to install gem: %s-%s (return code %d)", name, v, code)
			}
			b.info("Gem installed: %s-%s", name, v)
			b.changed.note("packages", manager+" "+name)
		}
	}
	return nil
}

// succeeds runs a question of a package manager.
func (b *build) succeeds(question []string, words ...string) bool {
	if question == nil {
		return false
	}
	code, _ := b.command("", commandLine(question, words...), nil)
	return code == 0
}

func commandLine(words []string, more ...string) []any {
	var out []any
	for _, w := range slices.Concat(words, more) {
		out = append(out, w)
	}
	return out
}

func titled(name string) string { return strings.ToUpper(name[:1]) + name[1:] }
