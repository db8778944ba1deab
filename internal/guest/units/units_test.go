package units

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/control"
)

// spawn is PID 1's, for a test that may wait for its own children.
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

func manager(t *testing.T, files map[string]string) (*Manager, guest.Root) {
	t.Helper()
	root := guest.Root(t.TempDir())
	for p, content := range files {
		mode := os.FileMode(0o644)
		if strings.HasPrefix(p, "/etc/init.d") {
			mode = 0o755
		}
		if err := os.MkdirAll(filepath.Dir(root.Path(p)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(root.Path(p), []byte(strings.ReplaceAll(content, "ROOT", string(root))), mode); err != nil {
			t.Fatal(err)
		}
	}
	m := New(Config{Root: root, Spawn: spawn, Clock: clock.System{}, Console: io.Discard})
	t.Cleanup(m.StopAll)
	return m, root
}

func service(lines ...string) map[string]string {
	return map[string]string{"/etc/systemd/system/app.service": "[Unit]\nDescription=The app\n[Service]\n" +
		strings.Join(lines, "\n") + "\n[Install]\nWantedBy=multi-user.target\n"}
}

func do(t *testing.T, m *Manager, action control.Action) control.UnitStatus {
	t.Helper()
	st, err := m.Unit("app", action, 0)
	if err != nil {
		t.Fatalf("%s: %v", action, err)
	}
	return st
}

// until asks for the status until cond holds.
func until(t *testing.T, m *Manager, what string, cond func(control.UnitStatus) bool) control.UnitStatus {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		st := do(t, m, control.Status)
		if cond(st) {
			return st
		}
		if time.Now().After(deadline) {
			t.Fatalf("never %s: %+v", what, st)
		}
	}
}

func TestSimple(t *testing.T) {
	m, root := manager(t, service("Environment=\"GREETING=hello world\" N=5", "EnvironmentFile=-/etc/absent",
		"ExecStartPre=/bin/echo before", "ExecStart=/bin/sh -c 'echo \"${GREETING}\" $$N; exec sleep 1000'"))
	st := do(t, m, control.Start)
	if st.Active != "active" || st.Sub != "running" || st.MainPID == 0 || st.Description != "The app" {
		t.Errorf("started: %+v", st)
	}
	again := do(t, m, control.Start)
	if again.MainPID != st.MainPID {
		t.Errorf("a second start made another process: %+v", again)
	}
	restarted := do(t, m, control.Restart)
	if restarted.MainPID == st.MainPID || restarted.Active != "active" {
		t.Errorf("restarted: %+v", restarted)
	}
	st = do(t, m, control.Stop)
	if st.Active != "inactive" || st.Sub != "dead" || st.MainPID != 0 {
		t.Errorf("stopped: %+v", st)
	}
	log, err := os.ReadFile(root.Path("/var/log/hardstand/app.service.log"))
	if err != nil || !strings.Contains(string(log), "before\n") {
		t.Errorf("log %q, %v", log, err)
	}
}

func TestEnds(t *testing.T) {
	tests := []struct {
		name, policy, command string
		active, result        string
		restarts              int
	}{
		{"clean", "no", "true", "inactive", "", 0},
		{"fails", "no", "exit 3", "failed", "exit-code", 0},
		{"killed", "no", "kill -SEGV $$$$", "failed", "signal", 0},
		{"always, too often", "always", "true", "failed", "start-limit-hit", 4},
		{"on-failure after success", "on-failure", "true", "inactive", "", 0},
		{"on-abnormal after failure", "on-abnormal", "exit 1", "failed", "exit-code", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, _ := manager(t, service("Restart="+tt.policy, "RestartSec=1ms", "ExecStart=/bin/sh -c '"+tt.command+"'"))
			do(t, m, control.Start)
			st := until(t, m, tt.active, func(s control.UnitStatus) bool { return s.Active == tt.active && s.Sub != "auto-restart" })
			if st.Result != tt.result || st.Restarts != tt.restarts {
				t.Errorf("ended as %+v", st)
			}
		})
	}
}

func TestRestartAfterKill(t *testing.T) {
	m, _ := manager(t, service("Restart=on-failure", "RestartSec=0", "ExecStart=/bin/sleep 1000"))
	first := do(t, m, control.Start)
	if err := syscall.Kill(first.MainPID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second := until(t, m, "running again", func(s control.UnitStatus) bool {
		return s.Sub == "running" && s.MainPID != first.MainPID && s.MainPID != 0
	})
	if second.Restarts != 1 {
		t.Errorf("restarted: %+v", second)
	}
}

func TestStopWhileWaitingToRestart(t *testing.T) {
	m, _ := manager(t, service("Restart=always", "RestartSec=1h", "ExecStart=/bin/true"))
	do(t, m, control.Start)
	until(t, m, "waiting", func(s control.UnitStatus) bool { return s.Sub == "auto-restart" })
	if st := do(t, m, control.Stop); st.Active != "inactive" {
		t.Errorf("stopped: %+v", st)
	}
}

func TestOneshot(t *testing.T) {
	m, _ := manager(t, service("Type=oneshot", "RemainAfterExit=yes", "ExecStart=/bin/true", "ExecStart=-/bin/false",
		"ExecStop=/bin/echo bye"))
	if st := do(t, m, control.Start); st.Active != "active" || st.Sub != "exited" {
		t.Errorf("started: %+v", st)
	}
	if st := do(t, m, control.Stop); st.Active != "inactive" {
		t.Errorf("stopped: %+v", st)
	}
	bad, _ := manager(t, service("Type=oneshot", "ExecStart=/bin/sh -c 'exit 4'"))
	st, err := bad.Unit("app", control.Start, 0)
	if err == nil || st.Active != "failed" || st.ExitCode != 4 {
		t.Errorf("failing oneshot: %+v, %v", st, err)
	}
}

func TestForking(t *testing.T) {
	m, _ := manager(t, service("Type=forking", "PIDFile=/app.pid",
		"ExecStart=/bin/sh -c 'setsid sleep 1000 >/dev/null 2>&1 & echo $! >ROOT/app.pid'"))
	do(t, m, control.Start)
	// The process is there before it has become sleep.
	st := until(t, m, "sleep", func(st control.UnitStatus) bool { return strings.Contains(st.Command, "sleep 1000") })
	if st.Sub != "running" {
		t.Errorf("started: %+v", st)
	}
	if st := do(t, m, control.Stop); st.Active != "inactive" {
		t.Errorf("stopped: %+v", st)
	}
}

func TestInitScript(t *testing.T) {
	m, root := manager(t, map[string]string{"/etc/init.d/app": "#!/bin/sh\necho $1 >>ROOT/calls\n[ $1 != bad ]\n"})
	if st := do(t, m, control.Start); st.Active != "active" || st.Sub != "exited" {
		t.Errorf("started: %+v", st)
	}
	do(t, m, control.Stop)
	if calls, _ := os.ReadFile(root.Path("/calls")); string(calls) != "start\nstop\n" {
		t.Errorf("calls %q", calls)
	}
}

func TestUnknownAndBuiltin(t *testing.T) {
	m, _ := manager(t, nil)
	if _, err := m.Unit("nginx", control.Start, 0); !errors.Is(err, control.ErrUnknownUnit) {
		t.Errorf("unknown unit: %v", err)
	}
	if st, err := m.Unit("sshd", control.Restart, 0); err != nil || st.Active != "active" {
		t.Errorf("sshd: %+v, %v", st, err)
	}
	if _, err := m.Unit("sshd", control.Stop, 0); err == nil {
		t.Error("sshd was stopped")
	}
}

func TestEnable(t *testing.T) {
	_, root := manager(t, service("ExecStart=/bin/true"))
	if _, _, made, err := Enable(root, "app"); err != nil || !made {
		t.Errorf("Enable: %v, %v", made, err)
	}
	if _, _, made, err := Enable(root, "app"); err != nil || made {
		t.Errorf("Enable again: %v, %v", made, err)
	}
	if got := Enabled(root); !slices.Equal(got, []string{"app.service"}) || !IsEnabled(root, "app") {
		t.Errorf("Enabled = %v", got)
	}
	if _, removed, err := Disable(root, "app"); err != nil || !removed || IsEnabled(root, "app") {
		t.Errorf("Disable: %v, %v", removed, err)
	}
}

func TestSplitCommand(t *testing.T) {
	tests := []struct {
		in   string
		want []string
	}{
		{`/bin/a b  c`, []string{"/bin/a", "b", "c"}},
		{`/bin/sh -c 'echo "x y"; z'`, []string{"/bin/sh", "-c", `echo "x y"; z`}},
		{`"A=b c" D=`, []string{"A=b c", "D="}},
		{`a\ b ""`, []string{"a b", ""}},
	}
	for _, tt := range tests {
		got, err := split(tt.in)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("split(%q) = %q, %v", tt.in, got, err)
		}
	}
	if _, err := split(`"open`); err == nil {
		t.Error("open quote taken")
	}
}

func FuzzUnitFile(f *testing.F) {
	f.Add("[Service]\nExecStart=/bin/sh -c \\\n 'x'\nRestartSec=1min 5s\n")
	f.Fuzz(func(t *testing.T, content string) {
		u := &file{name: "x@y.service", path: "/x"}
		u.parse(content)
	})
}
