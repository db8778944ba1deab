package pkgshim

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

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
