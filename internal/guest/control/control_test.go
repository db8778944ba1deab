package control

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/guest"
)

type oneUnit struct{ last Action }

func (o *oneUnit) Unit(name string, action Action, _ int) (UnitStatus, error) {
	if name != "app.service" {
		return UnitStatus{Name: name}, ErrUnknownUnit
	}
	o.last = action
	return UnitStatus{Name: name, Active: "active"}, nil
}

func (o *oneUnit) Reload() {}

func (o *oneUnit) List() []UnitStatus { return []UnitStatus{{Name: "app.service"}} }

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

func serve(t *testing.T, h Handler) guest.Root {
	t.Helper()
	root := guest.Root(t.TempDir())
	for p, content := range map[string]string{
		"/etc/passwd": "root:x:0:0::/root:/bin/bash\nec2-user:x:1000:1000::/home/ec2-user:/bin/bash\njo:x:1002:1002::/:/bin/sh\n",
		"/etc/group":  "root:x:0:\nops:x:50:jo\n",
	} {
		if err := os.MkdirAll(filepath.Dir(root.Path(p)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(root.Path(p), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(root.Path("/run/hardstand"), 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: root.Path(guest.ControlSocket), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, root, l, h) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return root
}

func TestUnits(t *testing.T) {
	units := &oneUnit{}
	down := make(chan string, 1)
	root := serve(t, Handler{Units: units, Spawn: spawn, Shutdown: func(mode string) { down <- mode }})
	r, err := Do(root, Request{Op: OpUnit, Unit: "app.service", Action: Restart})
	if err != nil || r.Error != "" || len(r.Units) != 1 || r.Units[0].Active != "active" || units.last != Restart {
		t.Errorf("restart: %+v, %v", r, err)
	}
	if r, err := Do(root, Request{Op: OpUnit, Unit: "nginx.service", Action: Start}); err != nil || !r.Unknown {
		t.Errorf("unknown unit: %+v, %v", r, err)
	}
	if r, err := Do(root, Request{Op: OpList}); err != nil || len(r.Units) != 1 {
		t.Errorf("list: %+v, %v", r, err)
	}
	if r, err := Do(root, Request{Op: "nonsense"}); err != nil || r.Error == "" {
		t.Errorf("nonsense: %+v, %v", r, err)
	}
	if _, err := Do(root, Request{Op: OpShutdown, Mode: "reboot"}); err != nil || <-down != "reboot" {
		t.Errorf("shutdown: %v", err)
	}
}

func TestRunCommand(t *testing.T) {
	root := serve(t, Handler{Units: &oneUnit{}, Spawn: spawn})
	in, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"A=" + strings.Repeat("x", 60<<10), "B=two"} // more than one message takes
	code, err := RunCommand(root, Run{Path: "/bin/sh", Argv: []string{"sh", "-c", "echo $B ${#A}; exit 7"}, Env: env, Dir: "/", User: "root"},
		[3]*os.File{in, to, to})
	to.Close()
	out, _ := io.ReadAll(from)
	if err != nil || code != 7 || string(out) != "two 61440\n" {
		t.Errorf("code %d, %v, output %q", code, err, out)
	}
	if _, err := RunCommand(root, Run{Path: "/bin/absent", Argv: []string{"absent"}, Dir: "/", User: "root"}, [3]*os.File{in, in, in}); err == nil {
		t.Error("an absent program ran")
	}
	if _, err := RunCommand(root, Run{Path: "/bin/true", Argv: []string{"true"}, Dir: "/", User: "nobody-here"}, [3]*os.File{in, in, in}); err == nil {
		t.Error("an absent user ran something")
	}
}

// A signal to the applet reaches the command that PID 1 runs for it.
func TestRunPassesSignals(t *testing.T) {
	root := serve(t, Handler{Units: &oneUnit{}, Spawn: spawn})
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	type end struct {
		code int
		err  error
	}
	ended := make(chan end, 1)
	go func() {
		code, err := RunCommand(root, Run{Path: "/bin/sh", Argv: []string{"sh", "-c", "trap 'exit 9' USR1; echo ready; while :; do sleep 0.05; done"},
			Dir: "/", User: "root"}, [3]*os.File{to, to, to})
		ended <- end{code, err}
	}()
	from.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadFull(from, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	if e := <-ended; e.err != nil || e.code != 9 {
		t.Errorf("ended with %+v", e)
	}
	to.Close()
}

func TestMayRun(t *testing.T) {
	root := serve(t, Handler{Units: &oneUnit{}})
	if err := mayRun(root, 1000); err != nil {
		t.Errorf("ec2-user: %v", err)
	}
	if err := mayRun(root, 1002); err == nil || !strings.Contains(err.Error(), "jo is not in the sudoers file") {
		t.Errorf("jo: %v", err)
	}
	if err := os.MkdirAll(root.Path("/etc/sudoers.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root.Path("/etc/sudoers.d/50-ops"), []byte("# ops\n%ops ALL=(ALL:ALL) NOPASSWD: ALL\n"), 0o440); err != nil {
		t.Fatal(err)
	}
	if err := mayRun(root, 1002); err != nil {
		t.Errorf("jo in ops: %v", err)
	}
}

func TestGrants(t *testing.T) {
	for rule, want := range map[string]bool{
		"jo ALL=(ALL) NOPASSWD:ALL":            true,
		"jo ALL=(ALL:ALL) NOPASSWD: ALL":       true,
		"jo ALL=(ALL) ALL":                     false,
		"jo ALL=(ALL) NOPASSWD:/bin/ls":        false,
		"al ALL=(ALL) NOPASSWD:ALL":            false,
		"#jo ALL=(ALL) NOPASSWD:ALL":           false,
		"%ops ALL=(ALL) NOPASSWD:ALL":          true,
		"%other ALL=(ALL) NOPASSWD:ALL":        false,
		"Defaults env_keep += AWS_CA_BUNDLE":   false,
		"jo host=(ALL) NOPASSWD:ALL":           false,
		"jo ALL=(ALL) NOPASSWD:/x, PASSWD:ALL": false,
	} {
		if got := grants(rule, "jo", []string{"ops"}); got != want {
			t.Errorf("grants(%q) = %v", rule, got)
		}
	}
}
