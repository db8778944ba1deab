package container_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/instance/container"
	"github.com/hardstand/hardstand/internal/instance/instancetest"
)

// daemonVariable makes the test binary a daemon on the directory it names.
const daemonVariable = "HARDSTAND_TEST_DAEMON"

func TestMain(m *testing.M) {
	if dir := os.Getenv(daemonVariable); dir != "" {
		os.Exit(runDaemon(dir))
	}
	instancetest.Main(m)
}

// runDaemon launches the instance described on its standard input, says so, and
// stays until it is killed.
func runDaemon(dir string) int {
	fail := func(err error) int {
		fmt.Println("daemon:", err)
		return 1
	}
	var s instance.Spec
	if err := json.NewDecoder(os.Stdin).Decode(&s); err != nil {
		return fail(err)
	}
	guest, err := os.ReadFile(os.Getenv("HARDSTAND_TEST_GUEST"))
	if err != nil {
		return fail(err)
	}
	cfg := containerConfig(dir, guest)
	d, err := container.Open(cfg)
	if err != nil {
		return fail(err)
	}
	if err := instance.New(instance.Config{Driver: d, Clock: cfg.Clock, Log: cfg.Log}).Start(context.Background(), s); err != nil {
		return fail(err)
	}
	fmt.Println("launched")
	select {}
}

func TestInstancesSurviveAKilledDaemon(t *testing.T) {
	dir := t.TempDir()
	s := instancetest.Spec("#!/bin/bash\nwhile :; do echo alive; sleep 0.05; done\n")
	killDaemon(t, dir, s)

	var released []string
	listening := map[string]bool{}
	cfg := config(t, dir, nil)
	cfg.OnNamespace = func(id string, ns *os.File) error { listening[id] = ns != nil; return nil }
	cfg.OnRelease = func(id string) { released = append(released, id) }
	d, err := container.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	h, err := d.Recover(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if !listening[s.ID] {
		t.Error("no chance to listen in the recovered namespace")
	}
	if err := d.Sweep(t.Context(), map[string]bool{s.ID: true}); err != nil {
		t.Fatal(err)
	}
	before, _, err := d.Console(s.ID)
	if err != nil {
		t.Fatal(err)
	}
	instancetest.WaitConsole(t, d, s.ID, string(before)+"alive\n") // still at work
	noShellsLeft(t, dir)
	if err := h.Shutdown(); err != nil {
		t.Fatal(err)
	}
	<-h.Done()
	if got := h.Exit(); got.Reason != instance.ReasonPoweroff {
		t.Errorf("exit = %+v, want a shutdown", got)
	}
	if len(released) != 1 || released[0] != s.ID {
		t.Errorf("released %v, want %s", released, s.ID)
	}
	if err := d.Remove(t.Context(), s.ID); err != nil {
		t.Fatal(err)
	}
}

// killDaemon runs a daemon that launches s, and kills it the hard way.
func killDaemon(t *testing.T, dir string, s instance.Spec) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), daemonVariable+"="+dir)
	spec, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = strings.NewReader(string(spec))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	if line != "launched\n" {
		t.Fatalf("daemon said %q", line)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed, as was asked
}

// noShellsLeft waits until the killed daemon's spares are gone: their PID 1 sees
// its socket close.
func noShellsLeft(t *testing.T, dir string) {
	t.Helper()
	deadline := clock.System{}.Now().Add(10 * time.Second)
	for {
		shells, err := filepath.Glob(filepath.Join(dir, "shells", "*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(shells) <= 2 { // our own spares
			return
		}
		if (clock.System{}).Now().After(deadline) {
			t.Fatalf("shells stay: %v", shells)
		}
		<-clock.System{}.After(5 * time.Millisecond)
	}
}
