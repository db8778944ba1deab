package units

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/hardstand/hardstand/internal/guest/control"
)

// start brings the unit up and returns when it is, as its type means it: at once
// for simple units, when the command has ended for oneshot and forking ones.
func (m *Manager) start(u *unit) error {
	if u.active() {
		return nil
	}
	f := u.file
	if len(f.start) == 0 && f.script == "" {
		return fmt.Errorf("%s has no ExecStart", f.name)
	}
	if len(f.unknown) > 0 {
		m.say("%s: not supported and not acted on: %s", f.name, strings.Join(f.unknown, ", "))
	}
	if !u.mayStart(m.cfg.Clock.Now()) {
		u.end(m.cfg.Clock.Now(), "failed", "start-limit-hit", 0)
		return fmt.Errorf("%s started more than %d times in %s", f.name, startBurst, startInterval)
	}
	u.mu.Lock()
	u.stopping, u.wake, u.ended = false, make(chan struct{}), make(chan struct{})
	u.status.Result, u.status.ExitCode, u.status.Restarts = "", 0, 0
	u.mu.Unlock()
	if err := m.launch(u); err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	return nil
}

// mayStart counts starts against the limit.
func (u *unit) mayStart(now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	recent := u.starts[:0]
	for _, t := range u.starts {
		if now.Sub(t) < startInterval {
			recent = append(recent, t)
		}
	}
	u.starts = append(recent, now)
	return len(u.starts) <= startBurst
}

// launch runs the commands of a start once.
func (m *Manager) launch(u *unit) error {
	u.set(m.cfg.Clock.Now(), "activating", "start")
	err := m.launchSteps(u)
	if err != nil {
		code := 1
		var exit *exitError
		if errors.As(err, &exit) {
			code = exit.code
		}
		u.end(m.cfg.Clock.Now(), "failed", "exit-code", code)
		u.closeEnded()
	}
	return err
}

func (m *Manager) launchSteps(u *unit) error {
	f := u.file
	if err := m.makeDirs(f); err != nil {
		return err
	}
	for _, c := range f.startPre {
		if err := m.wait(f, c, 0); err != nil {
			return err
		}
	}
	switch {
	case f.script != "":
		return m.runScript(u, "start")
	case f.kind == "oneshot":
		for _, c := range f.start {
			if err := m.wait(f, c, 0); err != nil {
				return err
			}
		}
		m.exited(u)
		return nil
	case f.kind == "forking":
		return m.fork(u)
	}
	return m.launchMain(u)
}

// launchMain starts the main process of a simple unit; notify, exec, idle and
// dbus are taken as simple.
func (m *Manager) launchMain(u *unit) error {
	pid, done, err := m.spawn(u.file, u.file.start[0].words, 0)
	if err != nil {
		return err
	}
	u.running(m.cfg.Clock.Now(), pid)
	for _, c := range u.file.startPost {
		if err := m.wait(u.file, c, pid); err != nil {
			return errors.Join(err, killSession(pid, syscall.SIGTERM, u.file.killMain))
		}
	}
	go func() { m.mainEnded(u, <-done) }()
	return nil
}

// fork runs the command of a forking unit and then watches the daemon that it
// left behind.
func (m *Manager) fork(u *unit) error {
	f := u.file
	if f.pidFile != "" {
		os.Remove(m.cfg.Root.Path(f.pidFile)) // one of the last run would be believed
	}
	pid, done, err := m.spawn(f, f.start[0].words, 0)
	if err != nil {
		return err
	}
	select {
	case ws := <-done:
		if code := statusCode(ws); code != 0 {
			return &exitError{f.start[0].words[0], code}
		}
	case <-m.cfg.Clock.After(startWait):
		return errors.Join(fmt.Errorf("start took longer than %s", startWait), killSession(pid, syscall.SIGKILL, false))
	}
	daemon := 0
	if f.pidFile != "" {
		if daemon, err = m.pidFromFile(context.Background(), f.pidFile); err != nil {
			return err
		}
	} else if left := sessionOf(pid); len(left) > 0 {
		daemon = left[0]
	}
	if daemon == 0 {
		m.exited(u)
		return nil
	}
	ended, err := watchPID(daemon)
	if err != nil {
		return err
	}
	u.running(m.cfg.Clock.Now(), daemon)
	go func() {
		<-ended
		m.mainEnded(u, 0) // whose status nobody knows; taken as a clean end
	}()
	return nil
}

// exited is the state after commands that leave nothing running.
func (m *Manager) exited(u *unit) {
	if u.file.remain || u.file.kind == "forking" {
		u.set(m.cfg.Clock.Now(), "active", "exited")
		return
	}
	u.end(m.cfg.Clock.Now(), "inactive", "", 0)
	u.closeEnded()
}

// mainEnded decides what follows the end of a main process.
func (m *Manager) mainEnded(u *unit, ws syscall.WaitStatus) {
	result, code := "", ws.ExitStatus()
	switch {
	case ws.Signaled():
		result, code = "signal", int(ws.Signal())
	case code != 0:
		result = "exit-code"
	}
	u.mu.Lock()
	stopping, f, wake := u.stopping, u.file, u.wake
	u.status.MainPID, u.status.Result, u.status.ExitCode = 0, result, code
	u.mu.Unlock()
	now := m.cfg.Clock.Now()
	clean := result == "" || ws.Signaled() && cleanSignal(ws.Signal())
	if !stopping && restarts(f.restart, result, clean) {
		m.again(u, wake)
		return
	}
	switch {
	case stopping || clean:
		u.end(now, "inactive", "", code)
	default:
		u.end(now, "failed", result, code)
		m.say("%s: main process ended: %s %d", f.name, result, code)
	}
	u.closeEnded()
}

// again starts the unit anew after its wait, unless it is stopped meanwhile.
func (m *Manager) again(u *unit, wake <-chan struct{}) {
	u.set(m.cfg.Clock.Now(), "activating", "auto-restart")
	select {
	case <-wake:
		u.end(m.cfg.Clock.Now(), "inactive", "", 0)
		u.closeEnded()
		return
	case <-m.cfg.Clock.After(u.file.restartWait):
	}
	if !u.mayStart(m.cfg.Clock.Now()) {
		m.say("%s: started too often, left failed", u.file.name)
		u.end(m.cfg.Clock.Now(), "failed", "start-limit-hit", 0)
		u.closeEnded()
		return
	}
	u.mu.Lock()
	u.status.Restarts++
	u.mu.Unlock()
	if err := m.launch(u); err != nil {
		m.say("%s: %v", u.file.name, err)
		return
	}
	// A stop that came while the process was being started saw none to signal.
	u.mu.Lock()
	stopping, pid := u.stopping, u.status.MainPID
	u.mu.Unlock()
	if stopping && pid > 0 {
		if err := killSession(pid, syscall.SIGTERM, u.file.killMain); err != nil {
			m.say("%s: %v", u.file.name, err)
		}
	}
}

func cleanSignal(s syscall.Signal) bool {
	return s == syscall.SIGTERM || s == syscall.SIGHUP || s == syscall.SIGINT || s == syscall.SIGPIPE
}

// restarts applies Restart= to how the main process ended.
func restarts(policy, result string, clean bool) bool {
	switch policy {
	case "always":
		return true
	case "on-failure":
		return !clean
	case "on-success":
		return clean
	case "on-abnormal", "on-abort":
		return result == "signal" && !clean
	}
	return false
}

func (u *unit) running(now time.Time, pid int) {
	u.set(now, "active", "running")
	u.mu.Lock()
	u.status.MainPID = pid
	u.mu.Unlock()
}

// end records that nothing of the unit runs any more.
func (u *unit) end(now time.Time, active, result string, code int) {
	sub := "dead"
	if active == "failed" {
		sub = "failed"
	}
	u.set(now, active, sub)
	u.mu.Lock()
	u.status.MainPID, u.status.Result, u.status.ExitCode = 0, result, code
	u.mu.Unlock()
}

func (u *unit) closeEnded() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended != nil {
		close(u.ended)
		u.ended = nil
	}
}

var _ control.Units = (*Manager)(nil)
