package pkgshim

import (
	"fmt"
	"slices"
	"strings"
)

// Run answers to the manager called name and returns its exit code.
func (s *Shim) Run(name string, args []string) int {
	if slices.Contains([]string{"pip", "pip3", "easy_install"}, name) {
		return s.pip(name, args)
	}
	managers := map[string]func(string, []string) int{
		"yum": s.yum, "dnf": s.yum, "apt-get": s.apt, "apt": s.apt, "rpm": s.rpm, "dpkg": s.dpkg, "gdebi": s.gdebi,
	}
	run, ok := managers[name]
	if !ok {
		fmt.Fprintf(s.Stderr, "%s: not a package manager of hardstand\n", name)
		return 127
	}
	if program, ok := s.database(name); ok {
		ours, others := divide(args)
		switch {
		case len(ours) == 0:
			return s.handOver(program, name, args)
		case others > 0:
			if code := run(name, without(args, func(a string) bool { return isPackage(a) && !isOurs(a) })); code != 0 {
				return code
			}
			return s.handOver(program, name, without(args, isOurs))
		}
	}
	return run(name, args)
}

// words splits a command line into a verb and the rest, without options. valued
// are the options that take the next argument.
func words(args, valued []string) (verb string, rest, options []string) {
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case slices.Contains(valued, a):
			options = append(options, a)
			i++
		case strings.HasPrefix(a, "-") && a != "-":
			options = append(options, a)
		case verb == "":
			verb = a
		default:
			rest = append(rest, a)
		}
	}
	return verb, rest, options
}

func (s *Shim) failed(name string, err error) int {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if !strings.HasPrefix(line, " ") {
			line = name + ": " + line
		}
		fmt.Fprintln(s.Stderr, line)
	}
	return 1
}

func (s *Shim) notThere(name, verb string) int {
	return s.failed(name, &refusalVerb{name, verb})
}

// refusalVerb is a thing that the manager does and the shim does not.
type refusalVerb struct{ manager, verb string }

func (r *refusalVerb) Error() string {
	return fmt.Sprintf("%q is not supported: hardstand's default image has no package database or repositories\n"+
		"  remedy: do it with %s on the host that runs hardstand, and start the instance anew", r.verb, r.manager)
}

// yum answers to yum and dnf.
func (s *Shim) yum(name string, args []string) int {
	verb, rest, options := words(args, []string{"-c", "-d", "-e", "-x", "-R", "--enablerepo", "--disablerepo", "--setopt", "--releasever", "--installroot"})
	if slices.Contains(options, "--version") {
		fmt.Fprintf(s.Stdout, "4.14.0 (answered by hardstand)\n")
		return 0
	}
	switch verb {
	case "install", "localinstall", "reinstall", "localupdate":
		if len(rest) == 0 {
			fmt.Fprintf(s.Stderr, "Error: Need to pass a list of pkgs to %s\n", verb)
			return 1
		}
		return s.yumInstall(name, rest)
	case "update", "upgrade", "update-minimal", "upgrade-minimal", "distro-sync":
		if len(rest) == 0 {
			fmt.Fprintln(s.Stdout, "No packages marked for update: there is nothing to update in this image")
			return 0
		}
		return s.yumInstall(name, rest)
	case "check-update", "makecache", "clean", "repolist", "autoremove", "versionlock":
		fmt.Fprintf(s.Stdout, "%s %s: nothing to do in this image\n", name, verb)
		return 0
	case "remove", "erase":
		return s.remove(name, rest)
	case "list", "info":
		return s.query(name, rest, "Error: No matching Packages to list")
	case "":
		fmt.Fprintln(s.Stderr, "You need to give some command")
		return 1
	}
	return s.notThere(name, verb)
}

func (s *Shim) yumInstall(name string, packages []string) int {
	changed := false
	err := s.Install(packages, func(pkg string, class Class, note string) {
		switch {
		case note == "installed":
			changed = true
			fmt.Fprintf(s.Stdout, "Installed:\n  %s\n", pkg)
		case class == Present:
			fmt.Fprintf(s.Stdout, "Package %s already installed and latest version\n", pkg)
		default:
			fmt.Fprintf(s.Stdout, "Package %s is provided by hardstand: %s\n", pkg, note)
		}
	})
	if err != nil {
		return s.failed(name, err)
	}
	if changed {
		fmt.Fprintln(s.Stdout, "\nComplete!")
	} else {
		fmt.Fprintln(s.Stdout, "Nothing to do")
	}
	return 0
}

func (s *Shim) remove(name string, packages []string) int {
	err := s.Remove(packages, func(pkg, what string) { fmt.Fprintf(s.Stdout, "Package %s %s\n", pkg, what) })
	if err != nil {
		return s.failed(name, err)
	}
	return 0
}

// query lists packages that are there, or that can be asked for, and fails when one is
// not.
func (s *Shim) query(name string, packages []string, absent string) int {
	code := 0
	available := slices.Contains(packages, "available")
	for _, p := range packages {
		if p == "installed" || p == "available" {
			continue
		}
		version, ok := s.installed(p)
		if available && !ok {
			version, ok = "image", judge(s.Root, p).class != ""
		}
		if !ok {
			fmt.Fprintln(s.Stderr, absent)
			code = 1
			continue
		}
		fmt.Fprintf(s.Stdout, "%-40s %-20s hardstand\n", p, version)
	}
	return code
}

// installed reports whether a package is really there, and its version where one
// is known.
func (s *Shim) installed(name string) (version string, ok bool) {
	if plainName(name) == agentPackage {
		version = agentInstalled(s.Root)
		return version, version != ""
	}
	v := judge(s.Root, name)
	return "image", v.class == Present || v.class == Ours
}

// apt answers to apt-get and apt.
func (s *Shim) apt(name string, args []string) int {
	verb, rest, options := words(args, []string{"-o", "-c", "-t", "--option", "--config-file", "--target-release"})
	if slices.Contains(options, "--version") || slices.Contains(options, "-v") {
		fmt.Fprintf(s.Stdout, "apt 2.6.1 (answered by hardstand)\n")
		return 0
	}
	switch verb {
	case "update", "upgrade", "dist-upgrade", "full-upgrade", "autoremove", "autoclean", "clean", "check":
		fmt.Fprintf(s.Stdout, "Reading package lists... Done\nAll packages are up to date: there is nothing to update in this image\n")
		return 0
	case "install", "reinstall", "build-dep":
		if verb == "build-dep" {
			return s.notThere(name, verb)
		}
		return s.aptInstall(name, rest)
	case "remove", "purge":
		return s.remove(name, rest)
	case "list", "show", "policy":
		return s.query(name, rest, "")
	case "":
		fmt.Fprintf(s.Stderr, "usage: %s [options] command\n", name)
		return 1
	}
	return s.notThere(name, verb)
}

func (s *Shim) aptInstall(name string, packages []string) int {
	err := s.Install(packages, func(pkg string, class Class, note string) {
		switch {
		case note == "installed":
			fmt.Fprintf(s.Stdout, "Setting up %s ...\n", pkg)
		case class == Present:
			fmt.Fprintf(s.Stdout, "%s is already the newest version.\n", pkg)
		default:
			fmt.Fprintf(s.Stdout, "%s is provided by hardstand: %s\n", pkg, note)
		}
	})
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if !strings.HasPrefix(line, " ") {
				line = "E: " + line
			}
			fmt.Fprintln(s.Stderr, line)
		}
		return 100 // apt's code for every error
	}
	return 0
}
