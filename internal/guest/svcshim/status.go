package svcshim

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/guest/control"
	"github.com/hardstand/hardstand/internal/guest/units"
)

func (s *Shim) status(c command) int {
	if len(c.units) == 0 {
		return s.list(c)
	}
	worst := 0
	for i, name := range c.units {
		if i > 0 {
			fmt.Fprintln(s.Stdout)
		}
		st, bad := s.ask(name, control.Status, 0)
		if bad == exitNoUnit {
			fmt.Fprintf(s.Stderr, "Unit %s could not be found.\n", units.Name(name))
		}
		if bad != 0 {
			worst = max(worst, bad)
			continue
		}
		s.printStatus(c, st)
		if st.Active != "active" && st.Active != "activating" {
			worst = max(worst, exitInactive)
		}
	}
	return worst
}

func (s *Shim) printStatus(c command, st control.UnitStatus) {
	dot := map[string]string{"active": "●", "failed": "×"}[st.Active]
	if dot == "" {
		dot = "○"
	}
	fmt.Fprintf(s.Stdout, "%s %s - %s\n", dot, st.Name, st.Description)
	enabled := "disabled"
	if units.IsEnabled(s.Root, st.Name) {
		enabled = "enabled"
	}
	if st.Path == "" {
		fmt.Fprintf(s.Stdout, "     Loaded: loaded (a part of PID 1)\n")
	} else {
		fmt.Fprintf(s.Stdout, "     Loaded: loaded (%s; %s)\n", st.Path, enabled)
	}
	since := ""
	if t, err := time.Parse(time.RFC3339, st.Since); err == nil {
		since = " since " + t.Format("Mon 2006-01-02 15:04:05 MST")
	}
	detail := st.Sub
	if st.Active == "failed" && st.Result != "" {
		detail = "Result: " + st.Result
	}
	fmt.Fprintf(s.Stdout, "     Active: %s (%s)%s\n", st.Active, detail, since)
	if st.MainPID != 0 {
		fmt.Fprintf(s.Stdout, "   Main PID: %d (%s)\n", st.MainPID, shortName(st.Command))
	} else if st.Active == "failed" {
		fmt.Fprintf(s.Stdout, "   Main PID: ended (code=%s, status=%d)\n", st.Result, st.ExitCode)
	}
	n := 10
	if v, err := strconv.Atoi(c.flags["--lines"]); err == nil {
		n = v
	}
	if lines := tail(s.Root.Path(st.Log), n); st.Log != "" && len(lines) > 0 {
		fmt.Fprintf(s.Stdout, "\n%s\n", strings.Join(lines, "\n"))
	}
}

func shortName(commandLine string) string {
	first, _, _ := strings.Cut(commandLine, " ")
	return first[strings.LastIndexByte(first, '/')+1:]
}

// show prints the properties that scripts read.
func (s *Shim) show(c command) int {
	for _, name := range c.units {
		st, bad := s.ask(name, control.Status, 0)
		load := "loaded"
		if bad != 0 {
			load, st.Active, st.Sub = "not-found", "inactive", "dead"
		}
		enabled := ""
		if bad == 0 {
			enabled = "disabled"
			if units.IsEnabled(s.Root, name) {
				enabled = "enabled"
			}
		}
		props := map[string]string{"Id": units.Name(name), "LoadState": load, "ActiveState": st.Active, "SubState": st.Sub,
			"MainPID": strconv.Itoa(st.MainPID), "Description": st.Description, "FragmentPath": st.Path,
			"Result": orSuccess(st.Result), "ExecMainStatus": strconv.Itoa(st.ExitCode), "NRestarts": strconv.Itoa(st.Restarts),
			"UnitFileState": enabled}
		wanted := slices.Sorted(maps.Keys(props))
		if list := c.flags["--property"]; list != "" {
			wanted = strings.Split(list, ",")
		}
		for _, key := range wanted {
			value, known := props[key]
			switch {
			case !known:
			case c.has("--value"):
				fmt.Fprintln(s.Stdout, value)
			default:
				fmt.Fprintf(s.Stdout, "%s=%s\n", key, value)
			}
		}
	}
	return 0
}

func orSuccess(result string) string {
	if result == "" {
		return "success"
	}
	return result
}

func (s *Shim) cat(c command) int {
	for _, name := range c.units {
		st, bad := s.ask(name, control.Status, 0)
		if bad != 0 || st.Path == "" {
			fmt.Fprintf(s.Stderr, "No files found for %s.\n", units.Name(name))
			return exitFailed
		}
		content, err := os.ReadFile(s.Root.Path(st.Path))
		if err != nil {
			fmt.Fprintln(s.Stderr, err)
			return exitFailed
		}
		fmt.Fprintf(s.Stdout, "# %s\n%s", st.Path, content)
	}
	return 0
}

func (s *Shim) list(c command) int {
	r, err := s.Do(control.Request{Op: control.OpList})
	if err != nil {
		fmt.Fprintf(s.Stderr, "Failed to connect to bus: %v\n", err)
		return exitFailed
	}
	for _, st := range r.Units {
		if c.has("--failed") && st.Active != "failed" {
			continue
		}
		if want := c.flags["--state"]; want != "" && want != st.Active && want != st.Sub {
			continue
		}
		fmt.Fprintf(s.Stdout, "%-32s loaded %-8s %-8s %s\n", st.Name, st.Active, st.Sub, st.Description)
	}
	return 0
}

// listFiles lists what starts at boot; unit files of the host's /usr that nobody
// asked for would only mislead.
func (s *Shim) listFiles(command) int {
	for _, name := range units.Enabled(s.Root) {
		fmt.Fprintf(s.Stdout, "%-32s enabled\n", name)
	}
	return 0
}
