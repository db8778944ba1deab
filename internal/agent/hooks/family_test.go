package hooks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/agent/appspec"
	"github.com/hardstand/hardstand/internal/clock"
)

// alive reports whether a process has not ended.
func alive(t *testing.T, pid string) bool {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	_, ok := readProcess(n)
	return ok
}

// Whatever a script starts ends with it when its time is over.
func TestTimeOutEndsWhatLeftTheProcessGroup(t *testing.T) {
	group := newControlGroup(ownControlGroup())
	group.close()
	const sleep = `exec sleep 600 <&- >&- 2>&-`
	tests := []struct{ name, start string }{
		{"its group", `sh -c 'echo $$ > CHILD; ` + sleep + `' &`},
		{"a group of its own", `set -m; sh -c 'echo $$ > CHILD; ` + sleep + `' &`},
		{"a session of its own", `setsid sh -c 'echo $$ > CHILD; ` + sleep + `' &`},
		{"a session of its own, without a parent", `(setsid sh -c 'echo $$ > CHILD; ` + sleep + `' & exit) &`},
		{"ignoring SIGTERM", `setsid sh -c 'trap "" TERM; echo $$ > CHILD; ` + sleep + `' &`},
		{"without a parent or an environment", `(env -i PATH="$PATH" setsid sh -c 'echo $$ > CHILD; ` + sleep + `' & exit) &`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, nil)
			child := filepath.Join(f.dir, "child")
			script := "#!/bin/sh\n" + strings.ReplaceAll(tc.start, "CHILD", child) + "\nsleep 600\n"
			if err := os.WriteFile(filepath.Join(f.dir, "s"), []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
			f.Env = append(f.Env, "LIFECYCLE_EVENT=E")
			var pid string
			err := f.startThen(t, func(ctx context.Context) {
				pid = waitFor(ctx, t, child)
				f.clock.Advance(7 * time.Second)
				if strings.Contains(tc.name, "SIGTERM") {
					if err := f.clock.BlockUntil(ctx, 1); err != nil {
						t.Error(err)
					}
					f.clock.Advance(killAfter)
				}
			})
			var fail *Failure
			if !errors.As(err, &fail) || fail.Code != CodeTimedOut {
				t.Errorf("error %v", err)
			}
			// Only a control group holds what has nothing of its script.
			if lives := alive(t, pid); lives && (group != nil || !strings.Contains(tc.name, "environment")) {
				t.Errorf("process %s goes on", pid)
			}
			killPID(t, pid)
		})
	}
}

// What an earlier script of the event has started goes on: it is the application.
func TestTimeOutLeavesTheApplicationOfAnEarlierScript(t *testing.T) {
	f := newFixture(t, nil)
	app := filepath.Join(f.dir, "app")
	for name, text := range map[string]string{
		"start": "setsid sh -c 'echo $$ > " + app + "; exec sleep 600 <&- >&- 2>&-' &\nwhile ! [ -s " + app + " ]; do sleep 0.01; done\n",
		"s":     "touch " + f.dir + "/up\nsleep 600\n",
	} {
		if err := os.WriteFile(filepath.Join(f.dir, name), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	f.Env = append(f.Env, "LIFECYCLE_EVENT=E")
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	go func() {
		done <- f.Run(ctx, "E", []appspec.Script{{Location: "start", Timeout: 60}, {Location: "s", Timeout: 7}})
	}()
	waitFor(ctx, t, filepath.Join(f.dir, "up"))
	if err := f.clock.BlockUntil(ctx, 2); err != nil { // the time-outs of both scripts
		t.Fatal(err)
	}
	f.clock.Advance(7 * time.Second)
	var fail *Failure
	if err := <-done; !errors.As(err, &fail) || fail.Code != CodeTimedOut || fail.Script != "s" {
		t.Errorf("error %v", err)
	}
	pid := waitFor(ctx, t, app)
	if !alive(t, pid) {
		t.Error("the application was ended with the second script")
	}
	killPID(t, pid)
}

// A script's control group is gone when it has ended, and its application is in
// the agent's again.
func TestControlGroupEnds(t *testing.T) {
	own := ownControlGroup()
	g := newControlGroup(own)
	if g == nil {
		if _, err := os.Stat(filepath.Join(own, "cgroup.procs")); own != "" && err == nil && os.Mkdir(filepath.Join(own, "writable"), 0o755) == nil {
			t.Error("no control group where one can be made")
		}
		return
	}
	f := newFixture(t, map[string]string{"s": "#!/bin/sh\ncat /proc/self/cgroup > \"$(dirname $0)/group\"\nsleep 600 <&- >&- 2>&- &\necho $! > \"$(dirname $0)/app\"\n"})
	g.close()
	if err := f.Run(context.Background(), "E", []appspec.Script{{Location: "s", Timeout: 60}}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(f.dir, "group"))
	if err != nil || !strings.Contains(string(text), "codedeploy-script-") {
		t.Errorf("the script ran in %s, %v", text, err)
	}
	pid, err := os.ReadFile(filepath.Join(f.dir, "app"))
	if err != nil {
		t.Fatal(err)
	}
	app := strings.TrimSpace(string(pid))
	if now, err := os.ReadFile("/proc/" + app + "/cgroup"); err != nil || strings.Contains(string(now), "codedeploy-script-") {
		t.Errorf("the application is in %s, %v", now, err)
	}
	if left, _ := filepath.Glob(filepath.Join(own, fmt.Sprintf("codedeploy-script-%d-*", os.Getpid()))); len(left) > 0 {
		t.Errorf("left %q", left)
	}
	killPID(t, app)
}

// An agent that was killed leaves control groups with what still runs.
func TestTakeBack(t *testing.T) {
	within := newControlGroup(ownControlGroup()) // stands for the agent's own: other tests have theirs in that
	if within == nil {
		return
	}
	defer within.close()
	g := newControlGroup(within.dir.Name())
	p, err := os.StartProcess("/bin/sleep", []string{"sleep", "600"}, &os.ProcAttr{Sys: &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(g.dir.Fd())}})
	if err != nil {
		t.Fatal(err)
	}
	takeBack(within.dir.Name())
	if _, err := os.Stat(g.dir.Name()); err == nil {
		t.Error("the group is still there")
	}
	if !slices.Contains(within.processes(), p.Pid) {
		t.Errorf("%d is not among %v", p.Pid, within.processes())
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
}

// The name of a process may hold brackets and spaces.
func TestReadProcess(t *testing.T) {
	dir := t.TempDir()
	odd := filepath.Join(dir, "a) S 1 (b")
	if err := os.Symlink("/bin/sleep", odd); err != nil {
		t.Fatal(err)
	}
	p, err := os.StartProcess(odd, []string{odd, "600"}, &os.ProcAttr{Sys: &syscall.SysProcAttr{Setpgid: true}})
	if err != nil {
		t.Fatal(err)
	}
	got, ok := readProcess(p.Pid)
	if !ok || got.parent != os.Getpid() || got.group != p.Pid || got.since == 0 {
		t.Errorf("%+v, %v", got, ok)
	}
	if m := newFamily(p.Pid, nil, nil).members(); !slices.Equal(m, []int{p.Pid}) {
		t.Errorf("members %v", m)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, ok := readProcess(p.Pid); ok {
		t.Error("an ended process is read")
	}
}

// A script that has ended may have left its number to a stranger, which is left alone.
func TestFamilyKnowsAStranger(t *testing.T) {
	p, err := os.StartProcess("/bin/sleep", []string{"sleep", "600"}, &os.ProcAttr{Sys: &syscall.SysProcAttr{Setpgid: true}})
	if err != nil {
		t.Fatal(err)
	}
	f := newFamily(p.Pid, nil, nil)
	f.since--
	if m := f.members(); len(m) > 0 {
		t.Errorf("members %v", m)
	}
	f.end(clock.System{})
	if !alive(t, strconv.Itoa(p.Pid)) {
		t.Error("the stranger was ended")
	}
	f.since++
	f.end(clock.System{})
	state, err := p.Wait()
	if err != nil || !state.Sys().(syscall.WaitStatus).Signaled() {
		t.Errorf("%v, %v", state, err)
	}
}

// A leader that ended before it was looked at has a start time all the same.
func TestFamilyOfOneThatEnded(t *testing.T) {
	p, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
	if err != nil {
		t.Fatal(err)
	}
	<-ended([]int{p.Pid})
	if f := newFamily(p.Pid, nil, nil); f.since == 0 || f.replaced() || len(f.members()) > 0 {
		t.Errorf("%+v with %v", f, f.members())
	}
	if _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
}
