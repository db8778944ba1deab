package pkgshim

import (
	"fmt"
	"slices"
	"strings"
)

// helpersPackage is CloudFormation's helper scripts, which templates for
// distributions other than Amazon Linux install with pip from AWS's bucket.
const helpersPackage = "aws-cfn-bootstrap"

// pip answers to pip, pip3 and easy_install for the helper scripts; everything else
// goes to the image's own.
func (s *Shim) pip(name string, args []string) int {
	ours := func(a string) bool {
		return !strings.HasPrefix(a, "-") && strings.HasPrefix(a[strings.LastIndexByte(a, '/')+1:], helpersPackage)
	}
	rest := args
	if slices.ContainsFunc(args, ours) && (name == "easy_install" || slices.Contains(args, "install")) {
		fmt.Fprintf(s.Stdout, "Requirement already satisfied: %s is provided by hardstand\n", helpersPackage)
		rest = slices.DeleteFunc(slices.Clone(args), ours)
		if !slices.ContainsFunc(rest, func(a string) bool { return !strings.HasPrefix(a, "-") && a != "install" }) {
			return 0
		}
	}
	program, ok := s.Root.RealProgram(name)
	if !ok {
		fmt.Fprintf(s.Stderr, "%s: command not found\n  remedy: install it on the host that runs hardstand, and start the instance anew\n", name)
		return 127
	}
	return s.handOver(program, name, rest)
}
