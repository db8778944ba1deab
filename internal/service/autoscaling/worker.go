package autoscaling

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/store"
)

// A step that failed for a reason of the server's own is tried again after firstRetry,
// then after twice as long each time, up to lastRetry.
const (
	firstRetry = time.Second
	lastRetry  = time.Minute
	// sweepEvery is how often old activities are looked for.
	sweepEvery = time.Hour
)

// worker makes groups what they shall be. One group is worked on by one goroutine at a
// time, which lives while the group has something to do or to wait for.
type worker struct {
	s  *Service
	mu sync.Mutex
	// ctx is that of Run, nil while it does not run.
	ctx context.Context
	// busy holds the groups that have a goroutine, each with the signal (of capacity
	// one) to look again.
	busy    map[store.Key]chan struct{}
	running sync.WaitGroup
}

func newWorker(s *Service) *worker { return &worker{s: s, busy: map[store.Key]chan struct{}{}} }

// Run keeps the size of all groups, tells who is to be told and does what is due, until
// ctx ends. Instances outlive it.
func (s *Service) Run(ctx context.Context) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	from := s.cfg.DB.LastSeq()
	s.work.open(inner)
	defer s.work.close()
	if err := s.wakeAll(inner, func(*group) bool { return true }); err != nil {
		return ended(ctx, err)
	}
	works := []func(context.Context) error{
		func(ctx context.Context) error { return s.followInstances(ctx, from) },
		func(ctx context.Context) error { return s.followBalancers(ctx, from) },
		func(ctx context.Context) error { return s.followAlarms(ctx, from) },
		s.deliver, s.deleteDiscarded, s.sweep, s.publishMetrics,
	}
	done := make(chan error, len(works))
	for _, work := range works {
		go func() { done <- work(inner) }()
	}
	var first error
	for range works {
		err := <-done
		if first == nil {
			first = err
		}
		cancel()
	}
	return ended(ctx, first)
}

func (w *worker) open(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	// What an earlier Run left is over: its goroutines have ended in the middle.
	w.ctx, w.busy = ctx, map[store.Key]chan struct{}{}
}

// close lets nothing new begin and waits for what has.
func (w *worker) close() {
	w.mu.Lock()
	w.ctx = nil
	w.mu.Unlock()
	w.running.Wait()
}

// wakeAll wakes the groups that are selected.
func (s *Service) wakeAll(ctx context.Context, selected func(*group) bool) error {
	return s.view(ctx, func(tx *store.Tx) error {
		rows, err := groups.List(tx, store.Scope{}, "", 0)
		for _, r := range rows {
			if selected(r.Value) {
				s.work.wake(r.Key)
			}
		}
		return err
	})
}

// followInstances wakes the group of each instance whose state changes.
func (s *Service) followInstances(ctx context.Context, from int64) error {
	for e, err := range s.cfg.DB.Watch(ctx, from, store.Filter{Service: "ec2"}) {
		if err != nil {
			return err
		}
		if !strings.HasPrefix(e.Kind, "instance-") {
			continue
		}
		err = s.view(ctx, func(tx *store.Tx) error {
			k := store.Key{Account: e.Account, Region: e.Region}
			rows, err := members.Lookup(tx, "instance", scoped(k, e.Resource))
			for _, r := range rows {
				s.work.wake(activityKey(k, r.Value.Group))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// followBalancers wakes the groups behind a load balancer or target group whose targets
// have become healthy or unhealthy.
func (s *Service) followBalancers(ctx context.Context, from int64) error {
	for e, err := range s.cfg.DB.Watch(ctx, from, store.Filter{Service: "elasticloadbalancing", Kind: "health"}) {
		if err != nil {
			return err
		}
		err = s.view(ctx, func(tx *store.Tx) error {
			rows, err := groups.List(tx, store.Scope{Account: e.Account, Region: e.Region}, "", 0)
			for _, r := range rows {
				if r.Value.has(e.Resource) {
					s.work.wake(r.Key)
				}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// followAlarms wakes the groups whose instance refresh heeds an alarm that has changed.
func (s *Service) followAlarms(ctx context.Context, from int64) error {
	for e, err := range s.cfg.DB.Watch(ctx, from, store.Filter{Service: "monitoring", Kind: "state"}) {
		if err != nil {
			return err
		}
		err = s.view(ctx, func(tx *store.Tx) error {
			rows, err := refreshes.List(tx, store.Scope{Account: e.Account, Region: e.Region}, "", 0)
			for _, r := range rows {
				if spec := r.Value.Preferences.AlarmSpecification; r.Value.active() && spec != nil && slices.Contains(spec.Alarms, e.Resource) {
					s.work.wake(activityKey(r.Key, r.Value.Group))
				}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sweep forgets old activities.
func (s *Service) sweep(ctx context.Context) error {
	for {
		if err := s.forgetActivities(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.cfg.Clock.After(sweepEvery):
		}
	}
}

// wake has a group looked at soon. Before Run it does nothing: Run looks at all.
func (w *worker) wake(k store.Key) {
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

// loop works on a group until it has nothing to do and nothing to wait for but events.
func (w *worker) loop(ctx context.Context, k store.Key, again chan struct{}) {
	retry := firstRetry
	for {
		due, err := w.s.step(ctx, k)
		if ctx.Err() != nil {
			return // the next server goes on from the rows
		}
		if err != nil {
			w.s.cfg.Log.ErrorContext(ctx, "Auto Scaling group step failed and will be tried again", slog.String("group", k.ID), slog.Duration("after", retry), slog.String("error", err.Error()))
			due = w.s.now().Add(retry)
			retry = min(2*retry, lastRetry)
		} else {
			retry = firstRetry
		}
		if due.IsZero() {
			if w.retire(k, again) {
				return
			}
			continue
		}
		timer := w.s.cfg.Clock.After(due.Sub(w.s.now()))
		if err == nil && !w.s.now().Before(due) {
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

// retire ends a group's goroutine, unless the group was woken again.
func (w *worker) retire(k store.Key, again chan struct{}) bool {
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
