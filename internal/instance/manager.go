package instance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/network"
)

// Config is what New needs.
type Config struct {
	Driver Driver
	// OnExit is told when an instance ended that nobody stopped, with one of
	// the Reason constants. A reboot from inside is not an exit: the instance is
	// started again. Called from a goroutine of the manager, without locks.
	OnExit func(id, reason string)
	// Spec tells what an instance that reboots is to be like by now: its addresses and
	// groups may have changed since it was launched. nil: as it was launched.
	Spec  func(ctx context.Context, id string) (Spec, error)
	Clock clock.Clock
	Log   *slog.Logger
}

// How long an instance gets to end by itself. PID 1 gives its processes ten
// seconds; termination does not wait that long for a disk that nobody will read.
const (
	stopGrace      = 20 * time.Second
	terminateGrace = 3 * time.Second
)

// An instance that reboots itself again and again comes back at once for the first
// quickReboots times; then it waits, twice as long each time. A life of steadyLife
// begins anew.
const (
	quickReboots = 3
	firstPause   = time.Second
	longestPause = time.Minute
	steadyLife   = 2 * time.Minute
)

// adoptions is how many instances are recovered at the same time.
const adoptions = 8

// Manager keeps the instances of this machine. Its methods may be called at the
// same time; those for one instance wait for each other.
type Manager struct {
	cfg      Config
	mu       sync.Mutex
	entries  map[string]*entry
	watchers sync.WaitGroup
	closing  context.Context
	close    context.CancelFunc
}

// entry is one instance. op is held through an operation; mu guards the rest.
type entry struct {
	op sync.Mutex

	mu   sync.Mutex
	spec Spec
	// handle is nil while the instance does not run.
	handle Handle
	// ending is the handle that an operation is ending, whose end is no news.
	ending Handle
	// since is when it was launched, reboots how often it has rebooted itself without
	// a steady life between, and orders counts what others had it do: a wait for the
	// next boot ends in nothing when there was something.
	since   time.Time
	reboots int
	orders  int
}

// New returns a manager without instances; Adopt brings in those of an earlier
// daemon.
func New(cfg Config) *Manager {
	m := &Manager{cfg: cfg, entries: map[string]*entry{}}
	m.closing, m.close = context.WithCancel(context.Background())
	return m
}

// Close stops watching. Instances keep running.
func (m *Manager) Close() {
	m.close()
	m.watchers.Wait()
}

// Executes is false if nothing runs in the instances (fake driver).
func (m *Manager) Executes() bool { return m.cfg.Driver.Executes() }

// Start launches an instance and returns when it runs. Starting one that runs
// already is no error.
func (m *Manager) Start(ctx context.Context, spec Spec) error {
	e := m.entry(spec.ID)
	e.op.Lock()
	defer e.op.Unlock()
	if e.running() != nil {
		return nil
	}
	e.order()
	return m.launch(ctx, e, spec)
}

func (m *Manager) launch(ctx context.Context, e *entry, spec Spec) error {
	h, err := m.cfg.Driver.Launch(ctx, spec)
	if err != nil {
		return err
	}
	m.took(e, spec, h)
	return nil
}

// took makes h the running form of e and follows it to its end.
func (m *Manager) took(e *entry, spec Spec, h Handle) {
	spec.FirstBoot = false // whatever comes next finds a disk
	e.mu.Lock()
	e.spec, e.handle, e.ending, e.since = spec, h, nil, m.cfg.Clock.Now()
	e.mu.Unlock()
	m.watchers.Go(func() { m.watch(e, h) })
}

func (m *Manager) watch(e *entry, h Handle) {
	select {
	case <-h.Done():
	case <-m.closing.Done():
		return
	}
	e.mu.Lock()
	// Either an operation is ending it, or a later start came first.
	known := e.ending == h || e.handle != h
	if e.handle == h {
		e.handle = nil
	}
	id := e.spec.ID
	e.mu.Unlock()
	if known {
		return
	}
	exit := h.Exit()
	m.cfg.Log.Info("instance ended by itself", "instance", id, "reason", exit.Reason, "code", exit.Code)
	if exit.Reason == ReasonReboot {
		if m.restart(e, id) {
			return
		}
		exit.Reason = ReasonKilled
	}
	m.cfg.OnExit(id, exit.Reason)
}

// restart brings up again an instance that rebooted itself. It reports false when
// that failed.
func (m *Manager) restart(e *entry, id string) bool {
	pause, orders := e.rebooted(m.cfg.Clock.Now())
	if pause > 0 {
		m.cfg.Log.Warn("instance keeps rebooting itself: it waits before the next boot", "instance", id, "wait", pause)
		if clock.Sleep(m.closing, m.cfg.Clock, pause) != nil {
			return true // the next daemon finds how it ended
		}
	}
	e.op.Lock()
	defer e.op.Unlock()
	if !m.current(e) || e.running() != nil || e.ordered() != orders {
		return true // terminated, stopped or started meanwhile
	}
	if err := m.relaunch(m.closing, e); err != nil {
		m.cfg.Log.Error("instance did not come back from a reboot", "instance", id, "error", err)
		return m.closing.Err() != nil
	}
	return true
}

// rebooted counts a reboot and returns how long to wait with the next boot.
func (e *entry) rebooted(now time.Time) (pause time.Duration, orders int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now.Sub(e.since) >= steadyLife {
		e.reboots = 0
	}
	e.reboots++
	if over := e.reboots - quickReboots; over > 0 {
		pause = min(firstPause<<min(over-1, 10), longestPause)
	}
	return pause, e.orders
}

func (e *entry) ordered() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.orders
}

// order notes that somebody has the instance do something.
func (e *entry) order() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.orders++
	e.reboots = 0
}

// Stop ends an instance and keeps its disk; force does not ask first. Stopping
// what does not run is no error.
func (m *Manager) Stop(ctx context.Context, id string, force bool) error {
	e := m.entry(id)
	e.op.Lock()
	defer e.op.Unlock()
	e.order()
	grace := stopGrace
	if force {
		grace = 0
	}
	return m.end(ctx, e, grace)
}

// Reboot ends an instance and starts it again on the same disk.
func (m *Manager) Reboot(ctx context.Context, id string) error {
	e := m.entry(id)
	e.op.Lock()
	defer e.op.Unlock()
	if e.running() == nil {
		return fmt.Errorf("reboot %s: it does not run", id)
	}
	e.order()
	if err := m.end(ctx, e, stopGrace); err != nil {
		return err
	}
	return m.relaunch(ctx, e)
}

// relaunch launches an instance that has rebooted.
func (m *Manager) relaunch(ctx context.Context, e *entry) error {
	spec := e.spec
	if m.cfg.Spec != nil {
		now, err := m.cfg.Spec(ctx, spec.ID)
		if err != nil {
			return fmt.Errorf("reboot %s: %w", spec.ID, err)
		}
		now.FirstBoot = false
		spec = now
	}
	return m.launch(ctx, e, spec)
}

// Terminate ends an instance and removes its disk. The console stays.
func (m *Manager) Terminate(ctx context.Context, id string) error {
	e := m.entry(id)
	e.op.Lock()
	defer e.op.Unlock()
	if err := m.end(ctx, e, terminateGrace); err != nil {
		return err
	}
	if err := m.cfg.Driver.Remove(ctx, id); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.entries, id)
	return nil
}

// end asks the instance to end, kills it when grace is over, and returns when it
// is gone. A grace of zero does not ask.
func (m *Manager) end(ctx context.Context, e *entry, grace time.Duration) error {
	h := e.running()
	if h == nil {
		return nil
	}
	e.mu.Lock()
	e.ending = h
	e.mu.Unlock()
	if grace > 0 {
		if err := h.Shutdown(); err != nil {
			return fmt.Errorf("shut down %s: %w", e.spec.ID, err)
		}
		select {
		case <-h.Done():
			return nil
		case <-m.cfg.Clock.After(grace):
			m.cfg.Log.Warn("instance killed: it did not shut down", "instance", e.spec.ID, "after", grace)
		case <-ctx.Done():
			return fmt.Errorf("shut down %s: %w", e.spec.ID, ctx.Err())
		}
	}
	if err := h.Kill(); err != nil {
		return fmt.Errorf("kill %s: %w", e.spec.ID, err)
	}
	select {
	case <-h.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("kill %s: %w", e.spec.ID, ctx.Err())
	}
}

// Plug connects a further interface to an instance that runs. One that does not gets
// it when it is started.
func (m *Manager) Plug(ctx context.Context, id string, nic network.NIC) error {
	e := m.entry(id)
	e.op.Lock()
	defer e.op.Unlock()
	h := e.running()
	if h == nil {
		return nil
	}
	if err := h.Plug(ctx, nic); err != nil {
		return fmt.Errorf("plug %s into %s: %w", nic.ID, id, err)
	}
	e.others(nic.ID, nic)
	return nil
}

// Unplug takes an interface away from an instance.
func (m *Manager) Unplug(ctx context.Context, id, nicID string) error {
	e := m.entry(id)
	e.op.Lock()
	defer e.op.Unlock()
	if h := e.running(); h != nil {
		if err := h.Unplug(ctx, nicID); err != nil {
			return fmt.Errorf("unplug %s from %s: %w", nicID, id, err)
		}
	}
	e.others(nicID)
	return nil
}

// Usage reads what an instance has used; ErrNotCounted when it does not run.
func (m *Manager) Usage(id string) (Usage, error) {
	m.mu.Lock()
	e, known := m.entries[id]
	m.mu.Unlock()
	if !known {
		return Usage{}, ErrNotCounted
	}
	h := e.running()
	if h == nil {
		return Usage{}, ErrNotCounted
	}
	u, err := h.Usage()
	if err != nil {
		return Usage{}, fmt.Errorf("usage of %s: %w", id, err)
	}
	return u, nil
}

// others puts what is given in the place of an interface beside the primary one.
func (e *entry) others(nicID string, instead ...network.NIC) {
	e.mu.Lock()
	defer e.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(e.spec.Others), func(n network.NIC) bool { return n.ID == nicID })
	e.spec.Others = append(left, instead...)
}

// Console returns the last 64 KiB that the instance wrote to its console, and
// when; also of an instance that is gone.
func (m *Manager) Console(id string) ([]byte, time.Time, error) { return m.cfg.Driver.Console(id) }

// Forget drops what is kept of an instance that is gone: its console.
func (m *Manager) Forget(id string) error { return m.cfg.Driver.Forget(id) }

// Adopt takes over the instances that an earlier daemon left running, and ends
// those that specs do not name. The result tells for each spec whether it runs.
func (m *Manager) Adopt(ctx context.Context, specs []Spec) (map[string]bool, error) {
	alive := make(map[string]bool, len(specs))
	keep := make(map[string]bool, len(specs))
	var (
		mu   sync.Mutex
		errs []error
		wg   sync.WaitGroup
	)
	slots := make(chan struct{}, adoptions)
	for _, spec := range specs {
		keep[spec.ID] = true
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			err := m.adopt(ctx, spec)
			mu.Lock()
			defer mu.Unlock()
			var ended *Ended
			alive[spec.ID] = err == nil
			if err != nil && !errors.As(err, &ended) {
				errs = append(errs, err)
			}
		})
	}
	wg.Wait()
	errs = append(errs, m.cfg.Driver.Sweep(ctx, keep))
	return alive, errors.Join(errs...)
}

func (m *Manager) adopt(ctx context.Context, spec Spec) error {
	e := m.entry(spec.ID)
	e.op.Lock()
	defer e.op.Unlock()
	if e.running() != nil {
		return nil
	}
	spec.FirstBoot = false
	e.mu.Lock()
	e.spec = spec
	e.mu.Unlock()
	h, err := m.cfg.Driver.Recover(ctx, spec)
	var ended *Ended
	if errors.As(err, &ended) && ended.Exit.Reason == ReasonReboot {
		// It asked for a reboot while nobody was there to give it one.
		return m.launch(ctx, e, spec)
	}
	if err != nil {
		return err
	}
	m.took(e, spec, h)
	return nil
}

// entry returns the entry of an instance, made if need be.
func (m *Manager) entry(id string) *entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[id]
	if !ok {
		e = &entry{spec: Spec{ID: id}}
		m.entries[id] = e
	}
	return e
}

// current reports whether e is still the entry of its instance.
func (m *Manager) current(e *entry) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entries[e.spec.ID] == e
}

// running returns the handle of an instance that runs, or nil.
func (e *entry) running() Handle {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.handle == nil {
		return nil
	}
	select {
	case <-e.handle.Done():
		return nil
	default:
		return e.handle
	}
}
