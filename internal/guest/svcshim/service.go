package svcshim

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/control"
	"github.com/hardstand/hardstand/internal/guest/units"
)

// agentUnit is the CodeDeploy agent's unit, whose init script has words of its
// own that installers and scripts look for.
const agentUnit = "codedeploy-agent.service"

// Service runs service(8): "service NAME ACTION". A unit file comes before an init
// script, as on a distribution with systemd.
func (s *Shim) Service(args []string) int {
	if len(args) == 1 && args[0] == "--status-all" {
		return s.list(command{})
	}
	if len(args) < 2 {
		fmt.Fprintln(s.Stderr, "Usage: service < option > | --status-all | [ service_name [ command | --full-restart ] ]")
		return exitFailed
	}
	name, action := args[0], args[1]
	script := "/etc/init.d/" + strings.TrimSuffix(name, ".service")
	st, code := s.ask(name, control.Status, 0)
	if code == exitNoUnit {
		fmt.Fprintf(s.Stderr, "Failed to %s %s: Unit %s not found.\n", action, units.Name(name), units.Name(name))
		if action == "status" {
			return exitNoUnit
		}
		return exitNotFound
	}
	if code != 0 {
		return code
	}
	if st.Path == script {
		return s.initScript(script, args[1:])
	}
	if action == "--full-restart" {
		action = "restart"
	}
	if units.Name(name) == agentUnit {
		return s.agent(action)
	}
	return s.Systemctl([]string{action, name})
}

// agent answers for the CodeDeploy agent in its init script's words.
func (s *Shim) agent(action string) int {
	switch action {
	case "status":
		st, code := s.ask(agentUnit, control.Status, 0)
		if code != 0 {
			return code
		}
		if st.MainPID == 0 {
			fmt.Fprintln(s.Stdout, "error: No AWS CodeDeploy agent running")
			return exitInactive
		}
		fmt.Fprintf(s.Stdout, "The AWS CodeDeploy agent is running as PID %d\n", st.MainPID)
		return 0
	case "start":
		fmt.Fprintln(s.Stdout, "Starting codedeploy-agent:")
	case "stop":
		fmt.Fprintln(s.Stdout, "Stopping codedeploy-agent:")
	case "restart", "force-reload", "reload":
		fmt.Fprintln(s.Stdout, "Stopping codedeploy-agent:\nStarting codedeploy-agent:")
		action = "restart"
	case "condrestart", "try-restart":
		action = "try-restart"
	default:
		fmt.Fprintln(s.Stderr, "Usage: /etc/init.d/codedeploy-agent {start|stop|status|restart|condrestart|try-restart|reload|force-reload}")
		return 2
	}
	return s.Systemctl([]string{action, agentUnit})
}

// initScript runs a script as service does: in /, with a clean environment.
func (s *Shim) initScript(script string, args []string) int {
	env := []string{"PATH=" + guest.DefaultPath, "TERM=" + os.Getenv("TERM"), "LANG=C.UTF-8"}
	if more, err := s.Root.Environment(); err == nil {
		env = append(env, more...)
	}
	cmd := exec.Command(s.Root.Path(script), args...)
	cmd.Env, cmd.Dir = env, "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, s.Stdout, s.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintf(s.Stderr, "service: %v\n", err)
		return exitFailed
	}
	return 0
}

// Chkconfig runs chkconfig(8): "chkconfig NAME on|off", "--add", "--del", "--list".
func (s *Shim) Chkconfig(args []string) int {
	switch {
	case len(args) >= 2 && (args[1] == "on" || args[1] == "off"):
		verb := map[string]string{"on": "enable", "off": "disable"}[args[1]]
		return s.Systemctl([]string{verb, args[0]})
	case len(args) == 2 && args[0] == "--add":
		return s.Systemctl([]string{"enable", args[1]})
	case len(args) == 2 && args[0] == "--del":
		return s.Systemctl([]string{"disable", args[1]})
	case len(args) == 1 && args[0] == "--list":
		return s.listFiles(command{})
	case len(args) == 1:
		if units.IsEnabled(s.Root, args[0]) {
			return 0
		}
		return exitFailed
	}
	fmt.Fprintln(s.Stderr, "usage: chkconfig [--list] [--add|--del] <name> | <name> on|off")
	return exitFailed
}

// Power runs shutdown, poweroff, reboot and halt.
func (s *Shim) Power(name string, args []string) int {
	mode := name
	if name == "shutdown" {
		mode = "poweroff"
	}
	for _, a := range args {
		switch {
		case a == "-r" || a == "--reboot":
			mode = "reboot"
		case a == "-h" || a == "-P" || a == "-p" || a == "--poweroff":
			mode = "poweroff"
		case a == "-H" || a == "--halt":
			mode = "halt"
		case a == "now" || a == "+0" || a == "0" || a == "-f" || a == "--force" || a == "-n" || a == "--no-wall":
		case name == "shutdown" && (a == "-c" || strings.HasPrefix(a, "+") || strings.Contains(a, ":")):
			fmt.Fprintf(s.Stderr, "shutdown: hardstand shuts down at once only: %s is not supported; use `sleep N; shutdown now &`\n", a)
			return exitFailed
		case strings.HasPrefix(a, "-"):
			fmt.Fprintf(s.Stderr, "%s: unrecognized option '%s'\n", name, a)
			return exitFailed
		}
	}
	r, err := s.Do(control.Request{Op: control.OpShutdown, Mode: mode})
	switch {
	case err != nil:
		fmt.Fprintf(s.Stderr, "%s: %v\n", name, err)
	case r.Refused:
		fmt.Fprintf(s.Stderr, "%s: must be superuser.\n", name)
	case r.Error != "":
		fmt.Fprintf(s.Stderr, "%s: %s\n", name, r.Error)
	default:
		return 0
	}
	return exitFailed
}
