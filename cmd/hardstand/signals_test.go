package main

import (
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// TestMain lets the test below run its own binary as the program that is signalled.
func TestMain(m *testing.M) {
	if os.Getenv("SIGNALLED_BY_TEST") == "" {
		os.Exit(m.Run())
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, stopSignals()...)
	ctx := untilStopped(signals, func() { signal.Reset(os.Interrupt) })
	os.Stdout.WriteString("ready\n")
	<-ctx.Done()
	os.Stdout.WriteString("stopping\n")
	_, _ = os.Stdin.Read(make([]byte, 1)) // the orderly end takes until the test says so
	os.Stdout.WriteString("stopped\n")
	os.Exit(0)
}

// TestSignals: one signal begins an orderly end, SIGTERM after it does not cut it
// off, a second Ctrl-C does, and a Ctrl-C that was ignored at the start is nobody's.
func TestSignals(t *testing.T) {
	for _, c := range []struct {
		name       string
		ignoreINT  bool
		first      syscall.Signal
		then       []syscall.Signal
		wantKilled bool
	}{
		{"SIGTERM", false, syscall.SIGTERM, nil, false},
		{"Ctrl-C", false, syscall.SIGINT, nil, false},
		{"SIGTERM after Ctrl-C", false, syscall.SIGINT, []syscall.Signal{syscall.SIGTERM, syscall.SIGTERM}, false},
		{"a second Ctrl-C", false, syscall.SIGINT, []syscall.Signal{syscall.SIGINT}, true},
		{"Ctrl-C in the background", true, syscall.SIGTERM, []syscall.Signal{syscall.SIGINT}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.ignoreINT {
				signal.Ignore(os.Interrupt) // inherited by the child
				defer signal.Reset(os.Interrupt)
			}
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), "SIGNALLED_BY_TEST=1")
			in, _ := cmd.StdinPipe()
			out, _ := cmd.StdoutPipe()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			read := func(want string) {
				t.Helper()
				line := make([]byte, len(want))
				for n := 0; n < len(line); {
					k, err := out.Read(line[n:])
					if err != nil {
						t.Fatalf("%q: %v", line, err)
					}
					n += k
				}
				if !strings.HasPrefix(string(line), want) {
					t.Fatalf("the program says %q, want %q", line, want)
				}
			}
			read("ready\n")
			_ = cmd.Process.Signal(c.first)
			read("stopping\n")
			for _, s := range c.then {
				_ = cmd.Process.Signal(s)
			}
			if !c.wantKilled {
				_ = in.Close()
				read("stopped\n")
			}
			err := cmd.Wait()
			if killed := err != nil; killed != c.wantKilled {
				t.Errorf("the program ended with %v", err)
			}
		})
	}
}
