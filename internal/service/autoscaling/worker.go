package autoscaling

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/store"
)

// sweepEvery is how often old activities are looked for.
const sweepEvery = time.Hour

// newWorker makes groups what they shall be. One group is worked on by one goroutine at
// a time, which lives while the group has something to do or to wait for.
func newWorker(s *Service) *store.Keyed {
	return store.NewKeyed(s.cfg.Clock, 0, s.step, func(ctx context.Context, k store.Key, after time.Duration, err error) {
		s.cfg.Log.ErrorContext(ctx, "Auto Scaling group step failed and will be tried again",
			slog.String("group", k.ID), slog.Duration("after", after), slog.String("error", err.Error()))
	})
}

// Run keeps the size of all groups, tells who is to be told and does what is due, until
// ctx ends. Instances outlive it.
func (s *Service) Run(ctx context.Context) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	from := s.cfg.DB.LastSeq()
	s.work.Open(inner)
	defer s.work.Close()
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

// wakeAll wakes the groups that are selected.
func (s *Service) wakeAll(ctx context.Context, selected func(*group) bool) error {
	return s.view(ctx, func(tx *store.Tx) error {
		rows, err := groups.List(tx, store.Scope{}, "", 0)
		for _, r := range rows {
			if selected(r.Value) {
				s.work.Wake(r.Key)
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
				s.work.Wake(activityKey(k, r.Value.Group))
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
					s.work.Wake(r.Key)
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
					s.work.Wake(activityKey(r.Key, r.Value.Group))
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
