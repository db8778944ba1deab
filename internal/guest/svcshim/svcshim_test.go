package svcshim

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/control"
	"github.com/hardstand/hardstand/internal/guest/units"
)

// host is a shim with a unit manager behind it, as in an instance, without the
// socket between them.
type host struct {
	*Shim
	out, errs bytes.Buffer
	down      string
	refuse    bool
}

func newHost(t *testing.T) *host {
	t.Helper()
	root := guest.Root(t.TempDir())
	for p, content := range map[string]string{
		"/etc/systemd/system/app.service":              "[Unit]\nDescription=App\n[Service]\nExecStart=/bin/sh -c 'echo up; exec sleep 1000'\n[Install]\nWantedBy=multi-user.target\n",
		"/etc/systemd/system/bad.service":              "[Service]\nType=oneshot\nExecStart=/bin/false\n",
		"/etc/systemd/system/codedeploy-agent.service": "[Service]\nExecStart=/bin/sleep 1000\n",
		"/etc/init.d/old":                              "#!/bin/sh\necho old $1\n[ $1 != status ] || exit 3\n",
	} {
		if err := os.MkdirAll(filepath.Dir(root.Path(p)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(root.Path(p), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h := &host{}
	m := units.New(units.Config{Root: root, Clock: clock.System{}, Console: &bytes.Buffer{}, Spawn: spawn})
	t.Cleanup(m.StopAll)
	h.Shim = &Shim{Root: root, Stdout: &h.out, Stderr: &h.errs, Do: func(r control.Request) (control.Reply, error) {
		if h.refuse && r.Action != control.Status {
			return control.Reply{Error: "Access denied", Refused: true}, nil
		}
		switch r.Op {
		case control.OpUnit:
			st, err := m.Unit(r.Unit, r.Action, r.Signal)
			reply := control.Reply{Units: []control.UnitStatus{st}, Unknown: errors.Is(err, control.ErrUnknownUnit)}
			if err != nil {
				reply.Error = err.Error()
			}
			return reply, nil
		case control.OpList:
			return control.Reply{Units: m.List()}, nil
		case control.OpShutdown:
			h.down = r.Mode
		}
		return control.Reply{}, nil
	}}
	return h
}

func spawn(cmd *exec.Cmd) (int, <-chan syscall.WaitStatus, error) {
	if err := cmd.Start(); err != nil {
		return 0, nil, err
	}
	done := make(chan syscall.WaitStatus, 1)
	go func() {
		cmd.Wait()
		done <- cmd.ProcessState.Sys().(syscall.WaitStatus)
	}()
	return cmd.Process.Pid, done, nil
}

func TestCommands(t *testing.T) {
	h := newHost(t)
	tests := []struct {
		line string
		code int
		want string // in what is printed, or nothing printed for "-"
	}{
		{"systemctl status app", 3, "Active: inactive (dead)"},
		{"systemctl is-active app", 3, "inactive"},
		{"systemctl start app", 0, "-"},
		{"systemctl is-active app", 0, "active"},
		{"systemctl -q is-active app.service", 0, "-"},
		{"systemctl status app --no-pager -l", 0, "Main PID: "},
		{"systemctl show app -p ActiveState --value", 0, "active"},
		{"journalctl -u app -n 5 --no-pager", 0, ""},
		{"journalctl -u nginx", 4, "could not be found"},
		{"journalctl", 1, "name one with -u"},
		{"journalctl --since today", 1, "not --since"},
		{"systemctl restart app", 0, "-"},
		{"systemctl is-enabled app", 1, "disabled"},
		{"systemctl enable app", 0, "Created symlink /etc/systemd/system/multi-user.target.wants/app.service"},
		{"systemctl is-enabled app", 0, "enabled"},
		{"systemctl list-unit-files", 0, "app.service"},
		{"systemctl disable --now app", 0, "Removed"},
		{"systemctl is-active app", 3, "inactive"},
		{"systemctl daemon-reload", 0, "-"},
		{"systemctl start bad", 1, "Job for bad.service failed"},
		{"systemctl is-failed bad", 0, "failed"},
		{"systemctl status bad", 3, "Result: exit-code"},
		{"systemctl start nginx", 5, "Failed to start nginx.service: Unit nginx.service not found."},
		{"systemctl status nginx", 4, "Unit nginx.service could not be found."},
		{"systemctl is-active nginx", 3, "inactive"},
		{"systemctl enable nginx", 1, "Unit file nginx.service does not exist."},
		{"systemctl frobnicate app", 1, "Unknown command verb frobnicate."},
		{"systemctl start --odd app", 1, "unrecognized option '--odd'"},
		{"systemctl status sshd", 0, "a part of PID 1"},
		{"systemctl enable sshd", 0, "-"},
		{"service codedeploy-agent status", 3, "No AWS CodeDeploy agent running"},
		{"service codedeploy-agent start", 0, "Starting codedeploy-agent:"},
		{"service codedeploy-agent status", 0, "The AWS CodeDeploy agent is running as PID "},
		{"service codedeploy-agent restart", 0, "Starting codedeploy-agent:"},
		{"service codedeploy-agent stop", 0, "Stopping codedeploy-agent:"},
		{"service app start", 0, "-"},
		{"service app status", 0, "active (running)"},
		{"service nginx start", 5, "Unit nginx.service not found."},
		{"service old start", 0, "old start"},
		{"service old status", 3, "old status"},
		{"service", 1, "Usage: service"},
		{"chkconfig app on", 0, "Created symlink"},
		{"chkconfig app", 0, "-"},
		{"chkconfig --del app", 0, "Removed"},
	}
	for _, tt := range tests {
		h.out.Reset()
		h.errs.Reset()
		words := strings.Fields(tt.line)
		run := map[string]func([]string) int{"systemctl": h.Systemctl, "service": h.Service, "chkconfig": h.Chkconfig, "journalctl": h.Journal}[words[0]]
		code := run(words[1:])
		printed := h.out.String() + h.errs.String()
		if code != tt.code {
			t.Errorf("%s: exit %d, want %d\n%s", tt.line, code, tt.code, printed)
		}
		if tt.want == "-" && printed != "" || tt.want != "-" && !strings.Contains(printed, tt.want) {
			t.Errorf("%s: printed %q, want %q", tt.line, printed, tt.want)
		}
	}
}

func TestPower(t *testing.T) {
	for line, want := range map[string]string{
		"shutdown -h now": "poweroff", "shutdown -r now": "reboot", "reboot": "reboot", "poweroff -f": "poweroff", "halt": "halt",
	} {
		h := newHost(t)
		words := strings.Fields(line)
		if code := h.Power(words[0], words[1:]); code != 0 || h.down != want {
			t.Errorf("%s: exit %d, mode %q, %s", line, code, h.down, h.errs.String())
		}
	}
	h := newHost(t)
	if code := h.Power("shutdown", []string{"-h", "+5"}); code == 0 || h.down != "" {
		t.Errorf("shutdown +5: exit %d, mode %q", code, h.down)
	}
}

func TestRefused(t *testing.T) {
	h := newHost(t)
	h.refuse = true
	if code := h.Systemctl([]string{"start", "app"}); code != 4 || !strings.Contains(h.errs.String(), "Access denied") {
		t.Errorf("exit %d, %s", code, h.errs.String())
	}
	if code := h.Power("reboot", nil); code != 1 || !strings.Contains(h.errs.String(), "must be superuser") {
		t.Errorf("exit %d, %s", code, h.errs.String())
	}
}
