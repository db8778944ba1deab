package pkgshim

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// Run answers to the manager called name and returns its exit code.
func (s *Shim) Run(name string, args []string) int {
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

// database finds the image's own manager, if the image has packages that it
// knows of. The default image has programs without a database.
func (s *Shim) database(name string) (string, bool) {
	files := []string{"/var/lib/dpkg/status"}
	if slices.Contains([]string{"yum", "dnf", "rpm"}, name) {
		files = []string{"/var/lib/rpm/Packages", "/var/lib/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/rpmdb.sqlite"}
	}
	for _, f := range files {
		if info, err := os.Stat(s.Root.Path(f)); err == nil && info.Size() > 0 {
			return s.Root.RealProgram(name)
		}
	}
	return "", false
}

// handOver becomes the image's own manager; only an error comes back.
func (s *Shim) handOver(program, name string, args []string) int {
	err := s.Handover(program, append([]string{name}, args...))
	fmt.Fprintf(s.Stderr, "%s: %v\n", program, err)
	return 126
}

// divide tells the packages of a command line that hardstand answers for, and
// counts the others. The first word is the verb of yum and apt.
func divide(args []string) (ours []string, others int) {
	for _, a := range args {
		switch {
		case isOurs(a):
			ours = append(ours, a)
		case isPackage(a):
			others++
		}
	}
	return ours, others
}

// isPackage tells packages from options and verbs.
func isPackage(arg string) bool {
	return !strings.HasPrefix(arg, "-") && !slices.Contains([]string{"install", "localinstall", "reinstall", "update",
		"upgrade", "remove", "erase", "purge", "list", "info", "show"}, arg)
}

// isOurs reports whether a package is one that the image's own manager could not
// get, or that would put something in the place of what hardstand does.
func isOurs(arg string) bool {
	if isFile(arg) {
		return strings.HasPrefix(filepath.Base(arg), agentPackage)
	}
	for _, row := range Table() {
		if row.Class == Ours && row.matches(plainName(arg)) {
			return true
		}
	}
	return false
}

func without(args []string, drop func(string) bool) []string {
	var kept []string
	for _, a := range args {
		if !drop(a) {
			kept = append(kept, a)
		}
	}
	return kept
}

func execProgram(program string, argv []string) error {
	return syscall.Exec(program, argv, os.Environ())
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
		"  remedy: prepare the host that runs hardstand, or start the instance from an image that has %s itself", r.verb, r.manager)
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

// query lists packages that are there, and fails when one is not.
func (s *Shim) query(name string, packages []string, absent string) int {
	code := 0
	for _, p := range packages {
		if p == "installed" || p == "available" {
			continue
		}
		version, ok := s.installed(p)
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

// rpm answers to rpm. Its verbs are options, several letters in one.
func (s *Shim) rpm(name string, args []string) int {
	mode, all := "", false
	var rest []string
	for _, a := range args {
		switch {
		case a == "--version":
			fmt.Fprintln(s.Stdout, "RPM version 4.18.0 (answered by hardstand)")
			return 0
		case slices.Contains([]string{"--install", "--upgrade", "--freshen", "--query", "--erase", "--import", "--verify"}, a):
			mode = a[2:3]
			if a == "--import" {
				mode = "I"
			}
		case strings.HasPrefix(a, "--"):
		case strings.HasPrefix(a, "-"):
			if i := strings.IndexAny(a, "iUFqeV"); i > 0 && mode == "" {
				mode = strings.ToLower(a[i : i+1])
				all = mode == "q" && strings.Contains(a, "a")
			}
		default:
			rest = append(rest, a)
		}
	}
	switch mode {
	case "i", "u", "f":
		return s.yumInstall(name, rest)
	case "e":
		return s.remove(name, rest)
	case "I":
		fmt.Fprintln(s.Stdout, "rpm: keys are not needed: packages are verified by their digest")
		return 0
	case "q":
		return s.rpmQuery(rest, all)
	}
	return s.notThere(name, strings.Join(args, " "))
}

func (s *Shim) rpmQuery(packages []string, all bool) int {
	if all {
		packages = []string{agentPackage, "aws-cli", "aws-cfn-bootstrap"}
	}
	code := 0
	for _, p := range packages {
		version, ok := s.installed(p)
		switch {
		case ok:
			fmt.Fprintf(s.Stdout, "%s-%s\n", p, version)
		case !all:
			fmt.Fprintf(s.Stdout, "package %s is not installed\n", p)
			code++
		}
	}
	return code
}

// dpkg answers to dpkg.
func (s *Shim) dpkg(name string, args []string) int {
	verb := ""
	var rest []string
	for _, a := range args {
		switch {
		case strings.HasPrefix(a, "--force"), a == "-E", a == "-G", a == "-a", a == "--pending":
		case strings.HasPrefix(a, "-") && verb == "":
			verb = a
		default:
			rest = append(rest, a)
		}
	}
	switch verb {
	case "-i", "--install":
		return s.aptInstall(name, rest)
	case "-r", "--remove", "-P", "--purge":
		return s.remove(name, rest)
	case "-s", "--status", "-l", "--list", "-W":
		return s.dpkgStatus(rest)
	case "--configure":
		return 0
	case "--print-architecture":
		fmt.Fprintln(s.Stdout, runtime.GOARCH) // Debian has the same names for ours
		return 0
	case "--version":
		fmt.Fprintln(s.Stdout, "dpkg 1.21.22 (answered by hardstand)")
		return 0
	}
	return s.notThere(name, strings.Join(args, " "))
}

func (s *Shim) dpkgStatus(packages []string) int {
	code := 0
	for _, p := range packages {
		version, ok := s.installed(p)
		if !ok {
			fmt.Fprintf(s.Stderr, "dpkg-query: package '%s' is not installed and no information is available\n", p)
			code = 1
			continue
		}
		fmt.Fprintf(s.Stdout, "Package: %s\nStatus: install ok installed\nVersion: %s\n", p, version)
	}
	return code
}

// gdebi answers to gdebi, which installs one file.
func (s *Shim) gdebi(name string, args []string) int {
	first, rest, _ := words(args, []string{"-o", "--option", "--root", "--apt-line"})
	files := append([]string{first}, rest...)
	if first == "" {
		files = nil
	}
	if len(files) == 0 {
		fmt.Fprintln(s.Stderr, "usage: gdebi [options] filename")
		return 1
	}
	return s.aptInstall(name, files)
}
