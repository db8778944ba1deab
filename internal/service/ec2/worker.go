package ec2

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/store"
)

// parallelLaunches bounds how many machines change state at once: more gains
// nothing on a small machine, and launches contend for the kernel's locks.
const parallelLaunches = 4

// keepTerminated is how long a terminated instance stays describable.
const keepTerminated = time.Hour

// A transition that failed is tried again after firstRetry, then after twice as
// long each time, up to lastRetry.
const (
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// worker makes machines match rows. One key is worked on by one goroutine at a
// time; a key that is enqueued meanwhile is looked at once more.
type worker struct {
	s  *Service
	mu sync.Mutex
	// ctx is that of Run, nil while it does not run.
	ctx context.Context
	// busy holds the keys that have a goroutine, each with the signal (of
	// capacity one) to look again.
	busy    map[store.Key]chan struct{}
	slots   chan struct{}
	running sync.WaitGroup
}

func newWorker(s *Service) *worker {
	return &worker{s: s, busy: map[store.Key]chan struct{}{}, slots: make(chan struct{}, parallelLaunches)}
}

// Run finishes every transition that was under way and works until ctx ends.
// Machines run on after that. Adopt comes before it; Run makes up for that.
func (s *Service) Run(ctx context.Context) error {
	defer s.work.close()
	if err := s.resume(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	s.sweepTerminated(ctx)
	return nil
}

func (s *Service) resume(ctx context.Context) error {
	if err := s.Adopt(ctx); err != nil {
		return err
	}
	s.work.open(ctx) // not before: adoption comes ahead of all launches
	keys, err := s.unsettled(ctx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		s.work.enqueue(k)
	}
	return nil
}

func (w *worker) open(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ctx = ctx
}

// close lets nothing new begin and waits for what has.
func (w *worker) close() {
	w.mu.Lock()
	w.ctx = nil
	w.mu.Unlock()
	w.running.Wait()
}

// unsettled lists the instances that are between two states.
func (s *Service) unsettled(ctx context.Context) ([]store.Key, error) {
	rows, err := s.maybeAlive(ctx)
	if err != nil {
		return nil, err
	}
	var keys []store.Key
	for _, r := range rows {
		if r.Value.State != stateRunning || r.Value.Restart {
			keys = append(keys, r.Key)
		}
	}
	return keys, nil
}

// sweepTerminated forgets instances and NAT gateways an hour after they ended, until ctx
// ends.
func (s *Service) sweepTerminated(ctx context.Context) {
	for {
		if err := errors.Join(s.dropTerminated(ctx), s.dropEnded(ctx)); err != nil && ctx.Err() == nil {
			s.log.Error("drop what has ended", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.clock.After(time.Minute):
		}
	}
}

// dropTerminated forgets instances that ended an hour ago, and their consoles. The
// row goes last, so that a console which could not be removed is tried again.
func (s *Service) dropTerminated(ctx context.Context) error {
	keys, err := s.expired(ctx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if err := s.machines.Forget(k.ID); err != nil {
			return err
		}
	}
	return s.db.Update(ctx, func(tx *store.Tx) error {
		for _, k := range keys {
			if err := instances.Delete(tx, k); err != nil && !isNotFound(err) {
				return err
			}
		}
		return nil
	})
}

func (s *Service) expired(ctx context.Context) ([]store.Key, error) {
	limit := s.clock.Now().Add(-keepTerminated)
	var keys []store.Key
	err := s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := instances.Lookup(tx, "state", stateTerminated)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if r.Value.TerminatedAt.Before(limit) {
				keys = append(keys, r.Key)
			}
		}
		return nil
	})
	return keys, err
}

// enqueue has k looked at soon. Before Run it does nothing: Run looks at every
// unsettled row when it starts.
func (w *worker) enqueue(k store.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx == nil {
		return
	}
	if again, busy := w.busy[k]; busy {
		select {
		case again <- struct{}{}:
		default: // it is signalled already
		}
		return
	}
	again := make(chan struct{}, 1)
	w.busy[k] = again
	ctx := w.ctx
	w.running.Go(func() { w.loop(ctx, k, again) })
}

// loop works on k until it is settled and nobody has enqueued it meanwhile.
func (w *worker) loop(ctx context.Context, k store.Key, again chan struct{}) {
	retry := firstRetry
	for {
		err := w.attempt(ctx, k)
		if ctx.Err() != nil {
			return // the next server resumes from the row
		}
		if err == nil {
			retry = firstRetry
			if w.done(k, again) {
				return
			}
			continue
		}
		w.s.log.Error("instance transition failed, will be tried again", "instance", k.ID, "after", retry, "err", err)
		select {
		case <-w.s.clock.After(retry):
		case <-again:
		case <-ctx.Done():
			return
		}
		retry = min(2*retry, lastRetry)
	}
}

// attempt settles k when a slot is free.
func (w *worker) attempt(ctx context.Context, k store.Key) error {
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-w.slots }()
	return w.s.settle(ctx, k)
}

// done retires k's goroutine, unless k was enqueued again.
func (w *worker) done(k store.Key, again chan struct{}) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-again:
		return false
	default:
		delete(w.busy, k)
		return true
	}
}
