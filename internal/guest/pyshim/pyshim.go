// Package pyshim answers to python, python2 and python2.7 in images that have
// only Python 3, which is what the tutorials of the Python 2 years meet today.
//
// `-m SimpleHTTPServer` becomes `-m http.server`; everything else goes to python3
// unchanged, so a script in Python 2's syntax fails with python3's own message.
// Where the image has the Python asked for, that one runs. The flow enters in
// Run and leaves by exec.
package pyshim

import (
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"

	"github.com/hardstand/hardstand/internal/guest"
)

// modules that were renamed between the Pythons and are run with -m.
var modules = map[string]string{
	"SimpleHTTPServer": "http.server",
	"CGIHTTPServer":    "http.server",
	"SocketServer":     "socketserver",
	"pydoc":            "pydoc",
}

// Shim runs one command.
type Shim struct {
	Root   guest.Root
	Stderr io.Writer
	// Exec replaces the process; syscall.Exec outside of tests.
	Exec func(program string, argv, env []string) error
}

// New returns a shim for the running instance.
func New() *Shim { return &Shim{Stderr: os.Stderr, Exec: syscall.Exec} }

// Run becomes the Python called name. It returns only when it could not.
func (s *Shim) Run(name string, args []string) int {
	program, real := s.Root.RealProgram(name, "python2.7", "python2")
	argv := append([]string{name}, args...)
	if !real {
		var found bool
		if program, found = s.Root.RealProgram("python3"); !found {
			fmt.Fprintf(s.Stderr, "%s: this image has no Python\n"+
				"  remedy: install python3 on the host that runs hardstand, and start the instance anew\n", name)
			return 127
		}
		argv = append([]string{"python3"}, translate(args)...)
	}
	err := s.Exec(s.Root.Path(program), argv, os.Environ())
	fmt.Fprintf(s.Stderr, "%s: %v\n", program, err)
	return 126
}

// withValue are interpreter options whose value is the next argument.
var withValue = []string{"-W", "-X", "-Q"}

// translate renames the module of -m. The first argument that is not an option
// is a script, and what follows it is not ours.
func translate(args []string) []string {
	out := slices.Clone(args)
	for i := 0; i < len(out); i++ {
		a := out[i]
		switch {
		case a == "-m" && i+1 < len(out):
			if out[i+1] == "CGIHTTPServer" {
				return append(append(out[:i+1:i+1], "http.server", "--cgi"), out[i+2:]...)
			}
			if to, ok := modules[out[i+1]]; ok {
				out[i+1] = to
			}
			return out
		case len(a) > 2 && a[:2] == "-m":
			if to, ok := modules[a[2:]]; ok {
				out[i] = "-m" + to
			}
			return out
		case slices.Contains(withValue, a):
			i++
		case a == "-c" || a == "-" || a == "" || a[0] != '-':
			return out
		}
	}
	return out
}
