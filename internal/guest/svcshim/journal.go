package svcshim

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/guest/control"
	"github.com/hardstand/hardstand/internal/guest/units"
)

// Journal runs journalctl for one unit: "journalctl -u NAME [-n LINES] [-f]". The
// output of units is kept in files; there is no journal of anything else.
func (s *Shim) Journal(args []string) int {
	unit, lines, follow := "", "", false
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		takes := name == "-u" || name == "--unit" || name == "-n" || name == "--lines" || name == "-o" || name == "--output"
		if takes && !joined && i+1 < len(args) {
			i++
			value = args[i]
		}
		switch name {
		case "-u", "--unit":
			unit = value
		case "-n", "--lines":
			lines = value
		case "-f", "--follow":
			follow = true
		case "-o", "--output", "--no-pager", "-x", "-e", "-q", "--quiet", "-xe", "-b", "-a", "-l":
		default:
			fmt.Fprintf(s.Stderr, "journalctl: hardstand knows -u UNIT, -n LINES and -f, not %s\n", args[i])
			return exitFailed
		}
	}
	if unit == "" {
		fmt.Fprintln(s.Stderr, "journalctl: hardstand keeps the output of units only: name one with -u; "+
			"user data is in /var/log/cloud-init-output.log")
		return exitFailed
	}
	st, code := s.ask(unit, control.Status, 0)
	if code == exitNoUnit {
		fmt.Fprintf(s.Stderr, "Unit %s could not be found.\n", units.Name(unit))
	}
	if code != 0 {
		return code
	}
	return s.printLog(s.Root.Path(st.Log), lines, follow)
}

func (s *Shim) printLog(path, lines string, follow bool) int {
	if !follow {
		n := 1000
		if lines != "" {
			var err error
			if n, err = strconv.Atoi(lines); err != nil {
				fmt.Fprintf(s.Stderr, "Failed to parse lines '%s'\n", lines)
				return exitFailed
			}
		}
		entries := tail(path, n)
		if len(entries) == 0 {
			fmt.Fprintln(s.Stdout, "-- No entries --")
		}
		for _, l := range entries {
			fmt.Fprintln(s.Stdout, l)
		}
		return 0
	}
	if lines == "" {
		lines = "10"
	}
	cmd := exec.Command("tail", "-n", lines, "-F", path)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, s.Stdout, s.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintf(s.Stderr, "journalctl: %v\n", err)
		return exitFailed
	}
	return 0
}
