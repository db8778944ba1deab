// Package svcshim answers to systemctl, service, chkconfig, journalctl and shutdown.
//
// It owns nothing: what it is asked goes to PID 1 through package control, and
// what starts at boot is a link on disk that package units keeps. Output and
// exit codes are those that scripts test for; a verb or an option that is not
// known is an error. The flow enters in Systemctl, Service and Chkconfig.
package svcshim

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/control"
	"github.com/hardstand/hardstand/internal/guest/units"
)

// Shim runs one command.
type Shim struct {
	Root           guest.Root
	Stdout, Stderr io.Writer
	// Do asks PID 1; control.Do outside of tests.
	Do func(control.Request) (control.Reply, error)
}

// New returns a shim for the running instance.
func New() *Shim {
	return &Shim{Stdout: os.Stdout, Stderr: os.Stderr,
		Do: func(r control.Request) (control.Reply, error) { return control.Do("", r) }}
}

// Exit codes of systemctl.
const (
	exitFailed   = 1
	exitInactive = 3
	exitNoUnit   = 4
	exitNotFound = 5
)

// options of systemctl that change nothing here, or are handled by name.
var quietOptions = []string{"--no-block", "--no-pager", "-q", "--quiet", "--system", "-f", "--force", "-l", "--full",
	"--no-ask-password", "--no-legend", "--plain", "-a", "--all", "--no-reload", "--runtime"}

// command is a parsed command line.
type command struct {
	verb  string
	units []string
	flags map[string]string
}

func (c command) has(flag string) bool { _, ok := c.flags[flag]; return ok }

func parse(args []string) (command, error) {
	c := command{flags: map[string]string{}}
	for i := 0; i < len(args); i++ {
		a := args[i]
		name, value, _ := strings.Cut(a, "=")
		switch {
		case slices.Contains(quietOptions, a):
			c.flags[a] = ""
		case a == "--now" || a == "--version" || a == "--failed" || a == "--value":
			c.flags[a] = ""
		case slices.Contains([]string{"--type", "--state", "--property", "--lines", "--output", "--signal", "--kill-who"}, name):
			c.flags[name] = value
		case slices.Contains([]string{"-t", "-p", "-n", "-o", "-s"}, a) && i+1 < len(args):
			i++
			c.flags[map[string]string{"-t": "--type", "-p": "--property", "-n": "--lines", "-o": "--output", "-s": "--signal"}[a]] = args[i]
		case strings.HasPrefix(a, "-"):
			return c, fmt.Errorf("systemctl: unrecognized option '%s'", a)
		case c.verb == "":
			c.verb = a
		default:
			c.units = append(c.units, a)
		}
	}
	return c, nil
}

// Systemctl runs systemctl with args.
func (s *Shim) Systemctl(args []string) int {
	c, err := parse(args)
	if err != nil {
		fmt.Fprintln(s.Stderr, err)
		return exitFailed
	}
	if c.has("--version") {
		fmt.Fprintln(s.Stdout, "systemd 252 (answered by hardstand)")
		return 0
	}
	verbs := map[string]func(command) int{
		"start": s.actions, "stop": s.actions, "restart": s.actions, "reload": s.actions, "kill": s.actions,
		"try-restart": s.actions, "reload-or-restart": s.actions, "condrestart": s.actions, "reset-failed": s.actions,
		"status": s.status, "show": s.show, "cat": s.cat,
		"is-active": s.isActive, "is-failed": s.isFailed, "is-enabled": s.isEnabled,
		"enable": s.enable, "reenable": s.enable, "disable": s.disable,
		"daemon-reload": s.reload, "daemon-reexec": s.reload,
		"is-system-running": s.running, "": s.list, "list-units": s.list, "list-unit-files": s.listFiles,
		"poweroff": s.shutdown, "reboot": s.shutdown, "halt": s.shutdown,
	}
	run, ok := verbs[c.verb]
	if !ok {
		fmt.Fprintf(s.Stderr, "Unknown command verb %s.\n", c.verb)
		return exitFailed
	}
	return run(c)
}

// ask makes a request about one unit and prints why it failed. code is 0 when the
// request was carried out.
func (s *Shim) ask(name string, action control.Action, signal int) (st control.UnitStatus, code int) {
	r, err := s.Do(control.Request{Op: control.OpUnit, Unit: units.Name(name), Action: action, Signal: signal})
	if err != nil {
		fmt.Fprintf(s.Stderr, "Failed to connect to bus: %v\n", err)
		return st, exitFailed
	}
	if len(r.Units) > 0 {
		st = r.Units[0]
	}
	switch {
	case r.Unknown && action != control.Status:
		fmt.Fprintf(s.Stderr, "Failed to %s %s: Unit %s not found.\n", action, units.Name(name), units.Name(name))
		return st, exitNotFound
	case r.Unknown:
		return st, exitNoUnit
	case r.Refused:
		fmt.Fprintf(s.Stderr, "Failed to %s %s: Access denied\n", action, units.Name(name))
		return st, exitNoUnit
	case r.Error != "":
		fmt.Fprintf(s.Stderr, "Job for %s failed: %s\nSee \"systemctl status %s\" for details.\n", units.Name(name), r.Error, units.Name(name))
		return st, exitFailed
	}
	return st, 0
}

func (s *Shim) actions(c command) int {
	if len(c.units) == 0 {
		if c.verb == "reset-failed" {
			return 0
		}
		fmt.Fprintln(s.Stderr, "Too few arguments.")
		return exitFailed
	}
	worst := 0
	for _, name := range c.units {
		worst = max(worst, s.action(c, name))
	}
	return worst
}

func (s *Shim) action(c command, name string) int {
	verb, signal := control.Action(c.verb), 0
	switch c.verb {
	case "try-restart", "condrestart":
		if st, code := s.ask(name, control.Status, 0); code != 0 || st.Active != "active" {
			return code
		}
		verb = control.Restart
	case "reload-or-restart":
		verb = control.Restart
	case "kill":
		signal = 15
		if v := c.flags["--signal"]; v != "" {
			if signal = signalNumber(v); signal == 0 {
				fmt.Fprintf(s.Stderr, "Failed to parse signal string %s.\n", v)
				return exitFailed
			}
		}
	}
	_, code := s.ask(name, verb, signal)
	return code
}

func signalNumber(name string) int {
	names := map[string]int{"HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "USR1": 10, "USR2": 12, "TERM": 15, "CONT": 18, "STOP": 19}
	if n, ok := names[strings.TrimPrefix(name, "SIG")]; ok {
		return n
	}
	n := 0
	if _, err := fmt.Sscanf(name, "%d", &n); err != nil || n > 64 {
		return 0
	}
	return n
}

func (s *Shim) isActive(c command) int {
	code := exitInactive
	for _, name := range c.units {
		st, bad := s.ask(name, control.Status, 0)
		if bad != 0 {
			st.Active = "inactive"
		}
		if st.Active == "active" {
			code = 0
		}
		s.word(c, st.Active)
	}
	return code
}

func (s *Shim) isFailed(c command) int {
	code := exitFailed
	for _, name := range c.units {
		st, bad := s.ask(name, control.Status, 0)
		if bad != 0 {
			st.Active = "inactive"
		}
		if st.Active == "failed" {
			code = 0
		}
		s.word(c, st.Active)
	}
	return code
}

func (s *Shim) word(c command, w string) {
	if !c.has("-q") && !c.has("--quiet") {
		fmt.Fprintln(s.Stdout, w)
	}
}

func (s *Shim) isEnabled(c command) int {
	code := exitFailed
	for _, name := range c.units {
		st, bad := s.ask(name, control.Status, 0)
		switch {
		case bad != 0:
			fmt.Fprintf(s.Stderr, "Failed to get unit file state for %s: No such file or directory\n", units.Name(name))
		case st.Path == "" || units.IsEnabled(s.Root, name):
			s.word(c, "enabled")
			code = 0
		default:
			s.word(c, "disabled")
		}
	}
	return code
}

func (s *Shim) enable(c command) int {
	for _, name := range c.units {
		link, target, made, err := units.Enable(s.Root, name)
		if st, bad := s.ask(name, control.Status, 0); errors.Is(err, fs.ErrNotExist) && bad == 0 && st.Path == "" {
			continue // a part of PID 1, which always starts
		}
		if err != nil {
			fmt.Fprintf(s.Stderr, "Failed to enable unit: %s\n", unitProblem(name, err))
			return exitFailed
		}
		if made {
			fmt.Fprintf(s.Stderr, "Created symlink %s → %s.\n", link, target)
		}
	}
	if c.has("--now") {
		c.verb = "start"
		return s.actions(c)
	}
	return 0
}

func (s *Shim) disable(c command) int {
	for _, name := range c.units {
		if !units.Exists(s.Root, name) {
			fmt.Fprintf(s.Stderr, "Failed to disable unit: %s\n", unitProblem(name, fs.ErrNotExist))
			return exitFailed
		}
		link, removed, err := units.Disable(s.Root, name)
		if err != nil {
			fmt.Fprintf(s.Stderr, "Failed to disable unit: %s\n", unitProblem(name, err))
			return exitFailed
		}
		if removed {
			fmt.Fprintf(s.Stderr, "Removed %s.\n", link)
		}
	}
	if c.has("--now") {
		c.verb = "stop"
		return s.actions(c)
	}
	return 0
}

func unitProblem(name string, err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Sprintf("Unit file %s does not exist.", units.Name(name))
	}
	return err.Error()
}

func (s *Shim) reload(command) int {
	if _, err := s.Do(control.Request{Op: control.OpReload}); err != nil {
		fmt.Fprintf(s.Stderr, "Failed to connect to bus: %v\n", err)
		return exitFailed
	}
	return 0
}

func (s *Shim) running(command) int {
	if _, err := s.Do(control.Request{Op: control.OpList}); err != nil {
		fmt.Fprintln(s.Stdout, "offline")
		return exitFailed
	}
	fmt.Fprintln(s.Stdout, "running")
	return 0
}

func (s *Shim) shutdown(c command) int { return s.Power(c.verb, nil) }

// tail returns the last n lines of a file.
func tail(path string, n int) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > 64<<10 {
		f.Seek(-64<<10, io.SeekEnd)
	}
	var lines []string
	scan := bufio.NewScanner(f)
	for scan.Scan() {
		lines = append(lines, scan.Text())
		if len(lines) > n {
			lines = lines[1:]
		}
	}
	return lines
}
