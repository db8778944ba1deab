package cfn

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// managerOrder is what runs first; the rest follow by name.
var managerOrder = []string{"msi", "dpkg", "rpm", "apt", "yum"}

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
	for _, manager := range managers {
		list, ok := section[manager].(map[string]any)
		if !ok {
			return fmt.Errorf("packages of %s are not an object", manager)
		}
		if err := b.install(manager, list); err != nil {
			return err
		}
	}
	return nil
}

func (b *build) install(manager string, list map[string]any) error {
	// How a manager is called, and how it joins a version to a name; "" means that
	// the value is a file or URL to install.
	calls := map[string]struct {
		argv []string
		join string
	}{
		"yum": {[]string{"yum", "-y", "install"}, "-"}, "dnf": {[]string{"dnf", "-y", "install"}, "-"},
		"apt": {[]string{"apt-get", "-q", "-y", "install"}, "="}, "rpm": {[]string{"rpm", "-U", "--quiet", "--replacepkgs"}, ""},
		"dpkg": {[]string{"dpkg", "-i"}, ""}, "python": {[]string{"pip3", "install"}, "=="},
		"rubygems": {[]string{"gem", "install", "--no-document"}, ":"},
	}
	call, known := calls[manager]
	if !known {
		b.logf("WARNING", "Unsupported package manager: %s", manager)
		return nil
	}
	var words []any
	for _, w := range call.argv {
		words = append(words, w)
	}
	names := sorted(list)
	for _, name := range names {
		versions := texts(list[name])
		switch {
		case call.join == "" && len(versions) > 0:
			words = append(words, versions[0])
		case len(versions) == 0 || versions[0] == "":
			words = append(words, name)
		default:
			for _, v := range versions {
				words = append(words, name+call.join+v)
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	code, out := b.command("packages of "+manager, words, nil)
	if code != 0 {
		b.logf("ERROR", "%s packages %s failed: exit code %d\n%s", manager, strings.Join(names, " "), code, out)
		return said("Could not successfully install %s packages (exit code %d): %s\n%s", manager, code, strings.Join(names, " "), out)
	}
	for _, name := range names {
		b.changed.packages[manager+" "+name] = true
	}
	b.info("%s packages installed: %s", manager, strings.Join(names, " "))
	return nil
}
