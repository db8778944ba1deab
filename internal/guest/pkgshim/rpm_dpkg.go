package pkgshim

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

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
