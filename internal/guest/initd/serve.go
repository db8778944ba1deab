package initd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/control"
	"github.com/hardstand/hardstand/internal/guest/handover"
)

// grace is what services and processes get to end at shutdown, before SIGKILL.
// The daemon waits longer than this before it kills PID 1.
const grace = 10 * time.Second

// settle is when the bustle of the boot is over for PID 1.
const settle = time.Second

// baseEnv is the environment of what PID 1 starts. Everything else comes from
// /etc/environment, which boot reads.
var baseEnv = []string{"PATH=" + guest.DefaultPath, "HOME=/root", "LANG=C.UTF-8", "TERM=linux"}

// catchSignals takes every signal whose default would end PID 1. They are
// caught, not ignored: ignored ones would stay ignored in every child.
func (m *machine) catchSignals() {
	signal.Notify(m.signals,
		unix.SIGCHLD, unix.SIGPWR, unix.SIGTERM, unix.SIGINT,
		unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGPIPE,
		unix.SIGIO, unix.SIGVTALRM, unix.SIGPROF, unix.SIGXCPU, unix.SIGXFSZ)
}

// serve lets boot go and then reaps until the end. It returns PID 1's exit status.
func (m *machine) serve() int {
	_ = m.boot.Close() // lets it go
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go m.serveControl(ctx)
	go m.serveSSH()
	settled := clock.System{}.After(settle)
	for {
		select {
		case s := <-m.signals:
			switch s {
			case unix.SIGCHLD:
				m.reaper.reap()
			case unix.SIGPWR, unix.SIGTERM:
				return m.end(handover.ReasonPoweroff)
			case unix.SIGINT:
				return m.end(handover.ReasonReboot)
			}
		case reason := <-m.shutdown:
			return m.end(reason)
		case <-settled:
			slim()
		}
	}
}

// prepareBoot starts the process that brings up services and runs user data. It
// waits (Held) until PID 1 closes the pipe, so that its start is over
// when the instance gets its identity.
func (m *machine) prepareBoot() error {
	held, release, err := os.Pipe()
	if err != nil {
		return err
	}
	defer held.Close()
	m.boot = release
	_, _, err = m.reaper.fork(guest.Binary, []string{"hardstand-guest", "boot"}, &syscall.ProcAttr{
		Dir: "/", Env: baseEnv, Files: []uintptr{held.Fd(), 1, 2},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	return err
}

// Held makes the boot program wait, on its standard input, until the instance has
// its identity. It never runs where there will be none.
func Held(boot func([]string) int) func([]string) int {
	return func(args []string) int {
		if !released() {
			return 0
		}
		return boot(args)
	}
}

func released() bool {
	for {
		n, err := unix.Read(0, make([]byte, 1))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil || n != 0:
			return false
		}
		_, err = os.Stat(guest.InstanceIDFile)
		return err == nil
	}
}

// requestShutdown asks for the end of the instance, with one of handover's
// reasons. It does not wait.
func (m *machine) requestShutdown(reason string) {
	select {
	case m.shutdown <- reason:
	default: // already ending
	}
}

func (m *machine) serveControl(ctx context.Context) {
	err := control.Serve(ctx, "", m.control, control.Handler{
		Units: m.units, Spawn: m.reaper.spawn, Shutdown: m.requestShutdown,
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "hardstand: %v\n", err)
	}
}

// maxSSH bounds the connections to port 22. Each is a process of nearly 2 MB before
// anybody has logged in: some hundreds would end a small instance.
const maxSSH = 100

// serveSSH starts one process for each connection. A daemon that only waits would
// cost every instance as much memory as PID 1 itself.
func (m *machine) serveSSH() {
	open := make(chan struct{}, maxSSH)
	for {
		c, err := m.ssh.AcceptTCP()
		if err != nil {
			fmt.Fprintf(os.Stderr, "hardstand: ssh: %v\n", err)
			return
		}
		select {
		case open <- struct{}{}:
		default:
			_ = c.Close()
			continue
		}
		if err := m.startSSH(c, func() { <-open }); err != nil {
			fmt.Fprintf(os.Stderr, "hardstand: ssh: %v\n", err)
		}
	}
}

// startSSH calls ended when the connection is over, also if it never began.
func (m *machine) startSSH(c *net.TCPConn, ended func()) error {
	defer c.Close()
	f, err := c.File()
	if err != nil {
		ended()
		return err
	}
	defer f.Close()
	_, done, err := m.reaper.fork(guest.Binary, []string{"hardstand-guest", "sshd", "--inetd"}, &syscall.ProcAttr{
		Dir: "/", Env: baseEnv, Files: []uintptr{f.Fd(), f.Fd(), 2},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		ended()
		return err
	}
	go func() {
		<-done
		ended()
	}()
	return nil
}

// end stops services, then every process, politely first, and leaves the note.
func (m *machine) end(reason string) int {
	fmt.Fprintf(os.Stdout, "hardstand: %s\n", reason)
	deadline := clock.System{}.After(grace)
	stopped := make(chan struct{})
	go func() { defer close(stopped); m.units.StopAll() }()
	if m.reapUntil(stopped, deadline) {
		empty := m.reaper.emptied()
		_ = unix.Kill(-1, unix.SIGTERM)
		// A process that is stopped would not see SIGTERM until it continues.
		_ = unix.Kill(-1, unix.SIGCONT)
		m.reaper.reap()
		m.reapUntil(empty, deadline)
	}
	_ = unix.Kill(-1, unix.SIGKILL)
	return m.finish(reason, 0)
}

// reapUntil reports whether done came before the deadline.
func (m *machine) reapUntil(done <-chan struct{}, deadline <-chan time.Time) bool {
	for {
		select {
		case <-m.signals:
			m.reaper.reap()
		case <-done:
			return true
		case <-deadline:
			return false
		}
	}
}

// finish leaves the exit note. The file systems go with the namespaces.
func (m *machine) finish(reason string, code int) int {
	f := os.NewFile(handover.ExitFD, "exit")
	if err := handover.WriteExit(f, handover.Exit{Reason: reason, Code: code}); err != nil {
		fmt.Fprintf(os.Stderr, "hardstand: %v\n", err)
		return 1
	}
	return code
}
