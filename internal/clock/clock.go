// Package clock is where every time in hardstand comes from, so that tests and
// servers started with --allow-reset can move it.
package clock

import (
	"context"
	"sync"
	"time"
)

// Clock tells the time and wakes waiters.
type Clock interface {
	Now() time.Time
	// After returns a channel that receives once, d from now. A d of zero or
	// less fires at once.
	After(d time.Duration) <-chan time.Time
}

// System is the machine's clock.
type System struct{}

// Now implements Clock.
func (System) Now() time.Time { return time.Now() }

// After implements Clock.
func (System) After(d time.Duration) <-chan time.Time { return time.After(d) }

// Sleep waits for d on c, or returns ctx's error when that ends first.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	select {
	case <-c.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Offset runs with the system clock, shifted by what Advance has added. Servers
// started with --allow-reset use it.
type Offset struct {
	mu      sync.Mutex
	shift   time.Duration
	waiters []waiter
}

type waiter struct {
	at    time.Time
	ch    chan time.Time
	timer *time.Timer
}

// Now implements Clock.
func (o *Offset) Now() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return time.Now().Add(o.shift)
}

// After implements Clock.
func (o *Offset) After(d time.Duration) <-chan time.Time {
	ch := make(chan time.Time, 1)
	o.mu.Lock()
	defer o.mu.Unlock()
	w := waiter{at: time.Now().Add(o.shift + d), ch: ch}
	w.timer = time.AfterFunc(d, o.fire)
	o.waiters = append(o.waiters, w)
	return ch
}

// Advance moves the clock forward by d and wakes everybody whose time has come.
func (o *Offset) Advance(d time.Duration) {
	o.mu.Lock()
	o.shift += d
	o.mu.Unlock()
	o.fire()
}

func (o *Offset) fire() {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now().Add(o.shift)
	rest := o.waiters[:0]
	for _, w := range o.waiters {
		if w.at.After(now) {
			rest = append(rest, w)
			continue
		}
		w.timer.Stop()
		w.ch <- now
	}
	clear(o.waiters[len(rest):])
	o.waiters = rest
}

// Manual stands still until Advance is called. Tests use it.
type Manual struct {
	mu      sync.Mutex
	now     time.Time
	waiters []waiter
	changed chan struct{}
}

// NewManual returns a clock that stands at t.
func NewManual(t time.Time) *Manual { return &Manual{now: t, changed: make(chan struct{})} }

// Now implements Clock.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// After implements Clock.
func (m *Manual) After(d time.Duration) <-chan time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	ch := make(chan time.Time, 1)
	if d <= 0 {
		ch <- m.now
		return ch
	}
	m.waiters = append(m.waiters, waiter{at: m.now.Add(d), ch: ch})
	close(m.changed)
	m.changed = make(chan struct{})
	return ch
}

// Advance moves the clock by d and fires what is due.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
	rest := m.waiters[:0]
	for _, w := range m.waiters {
		if w.at.After(m.now) {
			rest = append(rest, w)
			continue
		}
		w.ch <- m.now
	}
	m.waiters = rest
}

// Waiting is how many waiters hang on the clock, those that have given up included.
func (m *Manual) Waiting() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.waiters)
}

// BlockUntil waits until at least n waiters hang on the clock, so that a test
// advances it when the code under test has reached its wait, without sleeping.
func (m *Manual) BlockUntil(ctx context.Context, n int) error {
	for {
		m.mu.Lock()
		have, changed := len(m.waiters), m.changed
		m.mu.Unlock()
		if have >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
