// Package units is the unit manager of an instance: what systemd does for
// services, as far as unit files of applications, the CodeDeploy agent's and init
// scripts need it.
//
// A Manager lives in PID 1 and implements control.Units; the applets systemctl
// and service reach it through package control. It owns the state of units,
// which ends with the boot; that a unit starts at boot is a link on disk (Enable,
// Disable, Enabled). Processes are started through control.Spawn, because only
// PID 1 may wait for children. It imports guest, accounts and control, and
// nothing of net/http, because PID 1 stays small.
package units

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/control"
)

// A unit that starts more often than startBurst times in startInterval is left
// failed, as systemd does by default.
const (
	startInterval = 10 * time.Second
	startBurst    = 5
	// startWait is how long a forking or oneshot start may take.
	startWait = 90 * time.Second
)

// builtin are units that PID 1 is itself; they have no file and always run.
var builtin = map[string]string{
	"sshd.service": "hardstand sshd, served by PID 1",
	"ssh.service":  "hardstand sshd, served by PID 1",
}

// Config is what a Manager needs.
type Config struct {
	Root  guest.Root
	Spawn control.Spawn
	Clock clock.Clock
	// Console takes lines for people: what failed, which directives are not
	// supported.
	Console io.Writer
}

// Manager starts, watches and stops units.
type Manager struct {
	cfg   Config
	mu    sync.Mutex // guards units
	units map[string]*unit
}

// New returns a manager without any unit running.
func New(cfg Config) *Manager {
	return &Manager{cfg: cfg, units: map[string]*unit{}}
}

// unit is one unit that was asked for since boot.
type unit struct {
	op sync.Mutex // held through an action: actions on one unit come one by one

	mu       sync.Mutex // guards what follows
	file     *file
	status   control.UnitStatus
	starts   []time.Time
	stopping bool
	wake     chan struct{} // closed to end the wait before a restart
	ended    chan struct{} // closed when the main process has ended and is not restarted
}

// Unit implements control.Units.
func (m *Manager) Unit(name string, action control.Action, signal int) (control.UnitStatus, error) {
	name = Name(name)
	if about, ok := builtin[name]; ok {
		return m.builtin(name, about, action)
	}
	u, err := m.get(name)
	if err != nil {
		return control.UnitStatus{Name: name}, err
	}
	if action == control.Status {
		return u.snapshot(), nil
	}
	u.op.Lock()
	defer u.op.Unlock()
	switch action {
	case control.Start:
		err = m.start(u)
	case control.Stop:
		err = m.stop(u)
	case control.Restart:
		if err = m.stop(u); err == nil {
			err = m.start(u)
		}
	case control.Reload:
		err = m.reload(u)
	case control.Kill:
		err = m.kill(u, syscall.Signal(signal))
	case control.ResetFailed:
		u.reset()
	default:
		err = fmt.Errorf("unknown action %q", action)
	}
	return u.snapshot(), err
}

func (m *Manager) builtin(name, about string, action control.Action) (control.UnitStatus, error) {
	st := control.UnitStatus{Name: name, Description: about, Active: "active", Sub: "running", MainPID: 1}
	if action == control.Stop || action == control.Kill {
		return st, fmt.Errorf("%s is a part of PID 1 and cannot be stopped; close port 22 in the security group instead", name)
	}
	return st, nil
}

// get returns the unit, reading its file when it is not running: an edited file
// counts from the next start on, without daemon-reload.
func (m *Manager) get(name string) (*unit, error) {
	f, err := load(m.cfg.Root, name)
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.units[name]
	switch {
	case errors.Is(err, fs.ErrNotExist) && u != nil && u.active():
		return u, nil // its file is gone, it can still be stopped
	case errors.Is(err, fs.ErrNotExist):
		delete(m.units, name)
		return nil, fmt.Errorf("%s: %w", name, control.ErrUnknownUnit)
	case err != nil:
		return nil, err
	}
	if u == nil {
		u = &unit{status: control.UnitStatus{Active: "inactive", Sub: "dead"}}
		m.units[name] = u
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.activeLocked() {
		u.file = f
		u.status.Name, u.status.Description, u.status.Path = f.name, f.description, f.path
		u.status.Log = m.logFile(f)
	}
	return u, nil
}

// Reload implements control.Units. Files are read at each start, so there is
// nothing to do.
func (m *Manager) Reload() {}

// List implements control.Units.
func (m *Manager) List() []control.UnitStatus {
	m.mu.Lock()
	units := slices.Collect(maps.Values(m.units))
	m.mu.Unlock()
	var list []control.UnitStatus
	for _, u := range units {
		list = append(list, u.snapshot())
	}
	for name, about := range builtin {
		st, _ := m.builtin(name, about, control.Status)
		list = append(list, st)
	}
	slices.SortFunc(list, func(a, b control.UnitStatus) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// StopAll stops every unit, for a shutdown.
func (m *Manager) StopAll() {
	m.mu.Lock()
	units := slices.Collect(maps.Values(m.units))
	m.mu.Unlock()
	var all sync.WaitGroup
	for _, u := range units {
		all.Go(func() {
			u.op.Lock()
			defer u.op.Unlock()
			if err := m.stop(u); err != nil {
				m.say("%s: stop: %v", u.name(), err)
			}
		})
	}
	all.Wait()
}

func (m *Manager) say(format string, args ...any) {
	fmt.Fprintf(m.cfg.Console, "units: "+format+"\n", args...)
}

func (u *unit) name() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.file.name
}

func (u *unit) active() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.activeLocked()
}

func (u *unit) activeLocked() bool {
	return u.status.Active == "active" || u.status.Active == "activating"
}

// set changes the state; since moves only when Active does.
func (u *unit) set(now time.Time, active, sub string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.status.Active != active || u.status.Since == "" {
		u.status.Since = now.UTC().Format(time.RFC3339)
	}
	u.status.Active, u.status.Sub = active, sub
}

func (u *unit) reset() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.starts = nil
	if u.status.Active == "failed" {
		u.status.Active, u.status.Sub, u.status.Result, u.status.ExitCode = "inactive", "dead", "", 0
	}
}

// snapshot returns the status now.
func (u *unit) snapshot() control.UnitStatus {
	u.mu.Lock()
	st := u.status
	u.mu.Unlock()
	if st.MainPID != 0 {
		st.Command = commandLine(st.MainPID)
	}
	return st
}
