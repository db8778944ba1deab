package store

import (
	"context"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

// Work that failed is tried again after FirstRetry, then after twice as long each
// time, up to LastRetry.
const (
	FirstRetry = time.Second
	LastRetry  = time.Minute
)

// Keyed makes things what their rows say. One key is worked on by one goroutine at a
// time, which lives while there is something to do or to wait for; a key that is woken
// meanwhile is looked at once more.
type Keyed struct {
	clock  clock.Clock
	do     func(ctx context.Context, k Key) (due time.Time, err error)
	failed func(ctx context.Context, k Key, after time.Duration, err error)
	slots  chan struct{} // nil without a bound

	mu sync.Mutex
	// ctx is that of Open, nil while nothing runs.
	ctx context.Context
	// busy holds the keys that have a goroutine, each with the signal (of capacity one)
	// to look again.
	busy    map[Key]chan struct{}
	running sync.WaitGroup
}

// NewKeyed returns one that does nothing until Open. do returns when it is to be called
// again, zero for not before the key is woken. failed is told of its errors and of the
// wait before the next attempt. At most parallel calls of do run at once, any number for
// zero.
func NewKeyed(c clock.Clock, parallel int, do func(context.Context, Key) (time.Time, error), failed func(context.Context, Key, time.Duration, error)) *Keyed {
	w := &Keyed{clock: c, do: do, failed: failed, busy: map[Key]chan struct{}{}}
	if parallel > 0 {
		w.slots = make(chan struct{}, parallel)
	}
	return w
}

// Open lets work begin, until ctx ends.
func (w *Keyed) Open(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	// What was open earlier is over: its goroutines have ended in the middle.
	w.ctx, w.busy = ctx, map[Key]chan struct{}{}
}

// Close lets nothing new begin and waits for what has. The context of Open ends before.
func (w *Keyed) Close() {
	w.mu.Lock()
	w.ctx = nil
	w.mu.Unlock()
	w.running.Wait()
}

// Wake has k looked at soon. Before Open it does nothing: who opens wakes what there is.
func (w *Keyed) Wake(k Key) {
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

// loop works on k until it has nothing to do and nothing to wait for but to be woken.
func (w *Keyed) loop(ctx context.Context, k Key, again chan struct{}) {
	retry := FirstRetry
	for {
		due, err := w.attempt(ctx, k)
		if ctx.Err() != nil {
			return // the next server goes on from the rows
		}
		if err != nil {
			w.failed(ctx, k, retry, err)
			due = w.clock.Now().Add(retry)
			retry = min(2*retry, LastRetry)
		} else {
			retry = FirstRetry
		}
		if due.IsZero() {
			if w.retire(k, again) {
				return
			}
			continue
		}
		timer := w.clock.After(due.Sub(w.clock.Now()))
		if !w.clock.Now().Before(due) {
			continue // the clock was moved while the timer was set
		}
		select {
		case <-timer:
		case <-again:
		case <-ctx.Done():
			return
		}
	}
}

// attempt calls do when a slot is free.
func (w *Keyed) attempt(ctx context.Context, k Key) (time.Time, error) {
	if w.slots != nil {
		select {
		case w.slots <- struct{}{}:
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
		defer func() { <-w.slots }()
	}
	return w.do(ctx, k)
}

// retire ends the goroutine of k, unless k was woken again.
func (w *Keyed) retire(k Key, again chan struct{}) bool {
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
