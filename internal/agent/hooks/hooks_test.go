package hooks

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/agent/appspec"
	"github.com/hardstand/hardstand/internal/clock"
)

type fixture struct {
	Runner
	dir   string
	clock *clock.Manual
}

func newFixture(t *testing.T, scripts map[string]string) *fixture {
	t.Helper()
	dir := t.TempDir()
	f := &fixture{dir: dir, clock: clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
	f.Runner = Runner{
		Archive: dir, Env: Environment([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LD_PRELOAD=x", "DEPLOYMENT_ID=old"}, []string{"DEPLOYMENT_ID=d-1"}),
		LogFile: filepath.Join(dir, "logs", "scripts.log"), SharedLog: filepath.Join(dir, "all.log"), Deployment: "d-1",
		Clock: f.clock, Audit: func(string) {},
	}
	for name, text := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func TestScripts(t *testing.T) {
	tests := []struct {
		name, script string
		opts         appspec.Script
		archive      string
		code         int
		message, log string
	}{
		{name: "success", script: "#!/bin/sh\nexit 0\n"},
		{name: "no interpreter line", script: "exit 3\n", code: CodeFailed, message: "failed with exit code 3"},
		{name: "exit code and output", script: "#!/bin/sh\necho out\necho err >&2; sleep 0; exit 9\n", code: CodeFailed,
			message: "Script at specified location: s failed with exit code 9", log: "[stdout]out\n"},
		{name: "signal", script: "#!/bin/sh\nkill -9 $$\n", code: CodeFailed, message: "failed with exit code (killed by signal killed)"},
		{name: "environment", script: "#!/bin/sh\necho $DEPLOYMENT_ID$LD_PRELOAD; exit 1\n", code: CodeFailed, log: "[stdout]d-1\n"},
		{name: "no input", script: "#!/bin/sh\ncat; exit 1\n", code: CodeFailed},
		{name: "colours", script: "#!/bin/sh\nprintf '\\033[1;31mred\\033[0m\\n'; exit 1\n", code: CodeFailed, log: "[stdout]red\n"},
		{name: "missing", opts: appspec.Script{Location: "nowhere"}, code: CodeMissing, message: "Script does not exist at specified location: "},
		{name: "outside", opts: appspec.Script{Location: "../../bin/true"}, code: CodeMissing, message: "Script does not exist"},
		{name: "cannot be made executable", opts: appspec.Script{Location: "ostype"}, archive: "/proc/sys/kernel", code: CodeNotExecutable,
			message: "Unable to set script at specified location: ostype as executable"},
		{name: "directory", opts: appspec.Script{Location: "logs"}, code: CodeMissing, message: "Script does not exist at specified location: "},
		{name: "interpreter missing", script: "#!/no/such/bash\n", code: CodeFailed, message: "failed with error Errno::ENOENT with message its interpreter /no/such/bash does not exist"},
		{name: "windows line ends", script: "#!/bin/bash\r\nexit 0\r\n", code: CodeFailed, message: "carriage return"},
		{name: "user", script: "#!/bin/sh\nid -un; exit 4\n", opts: appspec.Script{RunAs: "nobody"}, code: CodeFailed,
			message: "Script at specified location: s run as user nobody failed with exit code"},
		{name: "background child without outputs", script: "#!/bin/sh\nsleep 0.2 >/dev/null 2>&1 </dev/null & exit 0\n"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, map[string]string{"s": tc.script})
			if tc.opts.Location == "" {
				tc.opts.Location = "s"
			}
			tc.opts.Timeout = 60
			if tc.archive != "" {
				f.Archive = tc.archive
			}
			err := f.Run(context.Background(), "ApplicationStart", []appspec.Script{tc.opts})
			var fail *Failure
			if errors.As(err, &fail); tc.code == 0 && err != nil || tc.code != 0 && (fail == nil || fail.Code != tc.code) {
				t.Fatalf("error %+v, want code %d", err, tc.code)
			}
			if fail != nil && (!strings.Contains(fail.Message, tc.message) || !strings.Contains(fail.Log, tc.log) || fail.Script != tc.opts.Location) {
				t.Errorf("failure %+v\nwant message %q, log %q", fail, tc.message, tc.log)
			}
		})
	}
}

func TestFirstFailureEndsTheEvent(t *testing.T) {
	f := newFixture(t, map[string]string{"a": "#!/bin/sh\nexit 1\n", "b": "#!/bin/sh\ntouch \"$(dirname $0)/ran\"\n"})
	scripts := []appspec.Script{{Location: "a", Timeout: 60}, {Location: "b", Timeout: 60}}
	if err := f.Run(context.Background(), "E", scripts); err == nil {
		t.Fatal("no error")
	}
	if _, err := os.Stat(filepath.Join(f.dir, "ran")); err == nil {
		t.Error("the second script ran")
	}
}

// startThen runs one script and calls then when its process has started.
func (f *fixture) startThen(t *testing.T, then func(ctx context.Context)) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	started := make(chan int, 1)
	f.Started = func(pid int) { started <- pid }
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx, "E", []appspec.Script{{Location: "s", Timeout: 7}}) }()
	<-started
	then(ctx)
	return <-done
}

func TestTimeOut(t *testing.T) {
	f := newFixture(t, map[string]string{"s": "#!/bin/sh\ntrap '' TERM\ntouch \"$(dirname $0)/up\"\nwhile :; do sleep 0.05; done\n"})
	err := f.startThen(t, func(ctx context.Context) {
		waitFor(ctx, t, filepath.Join(f.dir, "up"))
		f.clock.Advance(7 * time.Second)
		if err := f.clock.BlockUntil(ctx, 1); err != nil { // ignored SIGTERM: waits for SIGKILL
			t.Error(err)
		}
		f.clock.Advance(killAfter)
	})
	var fail *Failure
	if !errors.As(err, &fail) || fail.Code != CodeTimedOut || fail.Message != "Script at specified location: s failed to complete in 7 seconds" {
		t.Errorf("error %+v", err)
	}
}

func TestOutputsLeftOpen(t *testing.T) {
	f := newFixture(t, map[string]string{"s": "#!/bin/sh\nsleep 600 2>/dev/null &\necho $! > \"$(dirname $0)/child\"\nexit 0\n"})
	var pid string
	err := f.startThen(t, func(ctx context.Context) {
		pid = waitFor(ctx, t, filepath.Join(f.dir, "child"))
		f.clock.Advance(7 * time.Second)
	})
	defer killPID(t, pid)
	var fail *Failure
	// The clock may win before the exit is seen: both are AWS's answers to it.
	if !errors.As(err, &fail) || fail.Code != CodeOutputsOpen && fail.Code != CodeTimedOut {
		t.Fatalf("error %+v", err)
	}
	if fail.Code == CodeOutputsOpen && fail.Message != "Script at specified location: s failed to close STDOUT" {
		t.Errorf("message %q", fail.Message)
	}
}

func TestLogs(t *testing.T) {
	f := newFixture(t, map[string]string{"s": "#!/bin/sh\ni=0; while [ $i -lt 300 ]; do echo line-$i-xxxxxxxxxx; i=$((i+1)); done; exit 1\n"})
	err := f.Run(context.Background(), "ValidateService", []appspec.Script{{Location: "s", Timeout: 60}})
	var fail *Failure
	if !errors.As(err, &fail) {
		t.Fatal(err)
	}
	if len(fail.Log) >= tailSize || len(fail.Log) < tailSize-100 || !strings.HasPrefix(fail.Log, "[stdout]line-") || !strings.HasSuffix(fail.Log, "line-299-xxxxxxxxxx\n") {
		t.Errorf("tail of %d characters: %.40q", len(fail.Log), fail.Log)
	}
	own, _ := os.ReadFile(f.LogFile)
	lines := strings.Split(string(own), "\n")
	if !slices.Equal(lines[:3], []string{"2026-01-02 03:04:05 LifecycleEvent - ValidateService", "2026-01-02 03:04:05 Script - s", "2026-01-02 03:04:05 [stdout]line-0-xxxxxxxxxx"}) {
		t.Errorf("scripts.log begins %q", lines[:3])
	}
	shared, _ := os.ReadFile(f.SharedLog)
	if !strings.HasPrefix(string(shared), "[2026-01-02 03:04:05.000] [d-1]LifecycleEvent - ValidateService\n") {
		t.Errorf("shared log begins %.80q", shared)
	}
}

func TestCommandForms(t *testing.T) {
	for want, s := range map[string]appspec.Script{
		"/a/s.sh": {}, "sudo /a/s.sh": {Sudo: true}, "su bob -c '/a/s.sh'": {RunAs: "bob"}, "sudo su bob -c '/a/s.sh'": {Sudo: true, RunAs: "bob"},
	} {
		if got := strings.Join(command(s, "/a/s.sh"), " "); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := command(appspec.Script{RunAs: "bob"}, "/a/it's $(reboot).sh"); got[3] != `'/a/it'\''s $(reboot).sh'` {
		t.Errorf("a shell reads %s", got[3])
	}
}

// su without a login keeps the deployment's variables.
func TestRunAsKeepsTheEnvironment(t *testing.T) {
	f := newFixture(t, map[string]string{"s": "#!/bin/sh\necho $(id -un) $DEPLOYMENT_ID; exit 1\n"})
	err := f.Run(context.Background(), "E", []appspec.Script{{Location: "s", Timeout: 60, RunAs: "root"}})
	var fail *Failure
	if !errors.As(err, &fail) || fail.Message != "Script at specified location: s run as user root failed with exit code 1" || !strings.Contains(fail.Log, "[stdout]root d-1\n") {
		t.Errorf("error %+v", err)
	}
}
