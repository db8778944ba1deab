package container

import (
	"context"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

// spares is how many shells are kept ready. Each costs what an idle instance
// does.
const spares = 2

// settle is how long a new instance has the machine to itself before the next
// shell is made.
const settle = 5 * time.Millisecond

// pool keeps shells ready, so that a launch finds one.
type pool struct {
	d     *Driver
	ready chan *shell
	wish  chan struct{}
}

func newPool(d *Driver) *pool {
	return &pool{d: d, ready: make(chan *shell, spares), wish: make(chan struct{}, 1)}
}

// take returns a ready shell, or makes one.
func (p *pool) take(ctx context.Context) (*shell, error) {
	for {
		select {
		case s := <-p.ready:
			if s.alive() {
				return s, nil
			}
			s.discard() // killed from outside
		default:
			return p.d.newShell(ctx)
		}
	}
}

// refill asks for shells. A launch does so when it is through, so as not to be
// slowed by the next.
func (p *pool) refill() {
	select {
	case p.wish <- struct{}{}:
	default:
	}
}

// run makes shells until the driver closes, and then discards those not used.
func (p *pool) run() {
	defer p.drain()
	for {
		select {
		case <-p.wish:
		case <-p.d.closing.Done():
			return
		}
		if clock.Sleep(p.d.closing, p.d.cfg.Clock, settle) != nil {
			return
		}
		var making sync.WaitGroup
		for range spares - len(p.ready) {
			making.Go(p.make)
		}
		making.Wait()
	}
}

func (p *pool) make() {
	s, err := p.d.newShell(p.d.closing)
	switch {
	case p.d.closing.Err() != nil:
		if s != nil {
			s.discard()
		}
	case err != nil:
		// The next launch meets the same error and reports it to who asked.
		p.d.cfg.Log.Warn("no spare instance made", "error", err)
	default:
		p.ready <- s // has room: only run makes shells for it
	}
}

func (p *pool) drain() {
	for {
		select {
		case s := <-p.ready:
			s.discard()
		default:
			return
		}
	}
}
