package store

import (
	"context"
	"iter"
	"sync"
)

// maxWaiting bounds how many different filters may wait for events. Beyond it
// all are woken once, which a condition loop does not notice; it keeps filters
// that nobody waits on any more (a deployment's, a stack's) from piling up.
const maxWaiting = 4096

// watchPage is how many events Watch reads at once.
const watchPage = 256

// waiters are the channels given out by Changed, one for each filter.
type waiters struct {
	mu     sync.Mutex
	ch     map[Filter]chan struct{}
	closed bool // nothing will wake who comes now
}

func (w *waiters) wait(f Filter) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ch, ok := w.ch[f]; ok {
		return ch
	}
	if w.closed {
		ch := make(chan struct{})
		close(ch)
		return ch
	}
	if w.ch == nil {
		w.ch = map[Filter]chan struct{}{}
	}
	if len(w.ch) >= maxWaiting {
		w.wakeLocked()
	}
	ch := make(chan struct{})
	w.ch[f] = ch
	return ch
}

func (w *waiters) wake(events []Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for f, ch := range w.ch {
		for i := range events {
			if f.matches(&events[i]) {
				close(ch)
				delete(w.ch, f)
				break
			}
		}
	}
}

func (w *waiters) wakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.wakeLocked()
}

func (w *waiters) wakeLocked() {
	for _, ch := range w.ch {
		close(ch)
	}
	clear(w.ch)
}

// Changed returns a channel that is closed at the next commit with an event
// that matches f, at Close, and rarely without reason. A loop that waits for a
// condition takes the channel first, then looks at the condition, then waits.
func (db *DB) Changed(f Filter) <-chan struct{} { return db.waiters.wait(f) }

// Watch yields the events with Seq > from that match f, those committed already
// and then new ones as they are committed, until ctx ends (its error is the
// last thing yielded), the store is closed or reading fails; with ErrPruned when some
// are gone already.
func (db *DB) Watch(ctx context.Context, from int64, f Filter) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		// Up to seen nothing is missing, read or not: it matched nothing.
		seen := from
		if from == 0 {
			seen = db.pruned.Load()
		}
		for {
			changed := db.Changed(f)
			last := db.LastSeq()
			events, err := db.watchPage(ctx, from, seen, f)
			if err != nil {
				yield(Event{}, err)
				return
			}
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
				from = e.Seq
			}
			if len(events) == watchPage {
				last = from
			}
			if seen = max(seen, last); len(events) > 0 {
				continue
			}
			select {
			case <-changed:
				seen = max(seen, db.pruned.Load()) // what matched would have woken it before
			case <-db.closing:
				yield(Event{}, ErrClosed)
				return
			case <-ctx.Done():
				yield(Event{}, ctx.Err())
				return
			}
		}
	}
}

func (db *DB) watchPage(ctx context.Context, from, seen int64, f Filter) (events []Event, err error) {
	err = db.View(ctx, func(tx *Tx) (err error) {
		events, err = tx.eventsAfter(from, f, watchPage)
		return err
	})
	if err == nil && seen < db.pruned.Load() {
		err = ErrPruned
	}
	return events, err
}
