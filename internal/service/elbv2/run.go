package elbv2

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/lb"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	workers = 4
	// pause lies between two attempts to do what failed.
	pause = 5 * time.Second
)

// Run brings balancers up to date, forgets targets that have drained, follows
// instances and publishes metrics, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	from := s.cfg.DB.LastSeq()
	if err := s.addAll(ctx); err != nil {
		return err
	}
	var running sync.WaitGroup
	failed := make(chan error, workers+4)
	start := func(f func(context.Context) error) {
		running.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				failed <- err
				cancel()
			}
		})
	}
	for range workers {
		start(s.work)
	}
	start(func(ctx context.Context) error { return s.watch(ctx, from) })
	start(func(ctx context.Context) error { return s.followInstances(ctx, from) })
	start(s.publishMetrics)
	start(func(ctx context.Context) error {
		return s.cfg.DB.SweepWhenDue(ctx, store.Filter{Service: signer, Kind: kindHealth}, s.forgetDrained)
	})
	running.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return ctx.Err()
	}
}

// addAll wants everything done that there is: at the start nothing runs yet.
func (s *Service) addAll(ctx context.Context) error {
	return s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := balancers.List(tx, store.Scope{}, "", 0)
		for _, r := range rows {
			s.jobs.add(r.Key)
		}
		if err != nil {
			return err
		}
		left, err := leavings.List(tx, store.Scope{}, "", 0)
		for _, r := range left {
			s.jobs.add(at(r.Key, r.Value.Balancer))
		}
		return err
	})
}

// watch turns events into work.
func (s *Service) watch(ctx context.Context, from int64) error {
	for e, err := range s.cfg.DB.Watch(ctx, from, store.Filter{Service: signer, Kind: kindWork}) {
		if err != nil {
			return err
		}
		if k, err := openBalancer(e.Resource); err == nil {
			s.jobs.add(k)
		}
	}
	return nil
}

func (s *Service) work(ctx context.Context) error {
	for {
		k, ok := s.jobs.next(ctx)
		if !ok {
			return nil
		}
		if err := s.settle(ctx, k); err != nil && ctx.Err() == nil {
			s.cfg.Log.WarnContext(ctx, "a load balancer cannot be brought up to date", "balancer", balancerARN(k), "error", err)
			if err := s.fail(ctx, k, err); err != nil && ctx.Err() == nil {
				return err
			}
			if s.jobs.rest(k) {
				go func() {
					if clock.Sleep(ctx, s.cfg.Clock, pause) == nil {
						s.jobs.wake(k)
					}
				}()
			}
		}
		s.jobs.done(k)
	}
}

// settle makes a balancer what its rows say.
func (s *Service) settle(ctx context.Context, k store.Key) error {
	// Only what was left before the plane is told can go afterwards: of what is left
	// meanwhile it does not know yet.
	left, err := s.left(ctx, k)
	if err != nil {
		return err
	}
	b, err := s.find(ctx, k)
	if errors.Is(err, store.ErrNotFound) {
		if s.cfg.Plane != nil {
			if err := s.cfg.Plane.Remove(ctx, balancerARN(k)); err != nil {
				return err
			}
		}
		return s.clearAway(ctx, k, left)
	}
	if err != nil {
		return err
	}
	if err := s.equip(ctx, k, b); err != nil {
		return err
	}
	if s.cfg.Plane != nil {
		spec, err := s.spec(ctx, k)
		if errors.Is(err, store.ErrNotFound) {
			return nil // deleted meanwhile: its event asks for more
		}
		if err != nil {
			return err
		}
		if err := s.cfg.Plane.Apply(ctx, spec); err != nil {
			return err
		}
	}
	if err := s.succeed(ctx, k); err != nil {
		return err
	}
	return s.clearAway(ctx, k, left)
}

func (s *Service) find(ctx context.Context, k store.Key) (b *balancer, err error) {
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		b, err = balancers.Get(tx, k)
		return err
	})
	return b, err
}

// succeed makes a balancer active. Network balancers that forward to it learn where it
// is.
func (s *Service) succeed(ctx context.Context, k store.Key) error {
	return s.transition(ctx, k, func(tx *store.Tx, b *balancer) (bool, error) {
		changed := b.State != "active" || !b.Began
		b.State, b.Reason, b.Began = "active", "", true
		rows, err := targets.Lookup(tx, "id", scoped(k, balancerARN(k)))
		for _, r := range rows {
			if len(b.Nodes) == 0 || r.Value.Addr == b.Nodes[0].Private {
				continue
			}
			r.Value.Addr = b.Nodes[0].Private
			if err := targets.Put(tx, r.Key, r.Value); err != nil {
				return false, err
			}
			if err := emitUsers(tx, noCall, at(r.Key, groupOf(r.Key)), "target moved"); err != nil {
				return false, err
			}
		}
		return changed, err
	})
}

// fail says why a balancer does not serve. One that served before may still, in part:
// it is impaired then.
func (s *Service) fail(ctx context.Context, k store.Key, cause error) error {
	return s.transition(ctx, k, func(_ *store.Tx, b *balancer) (bool, error) {
		state, reason := b.State, reasonOf(cause)
		if b.State = "failed"; b.Began {
			b.State = "active_impaired"
		}
		changed := state != b.State || reason != b.Reason
		b.Reason = reason
		return changed, nil
	})
}

func reasonOf(err error) string {
	if e := awserr.As(err); e != nil {
		return e.Message
	}
	return strings.ToUpper(err.Error()[:1]) + err.Error()[1:]
}

// kindState marks the events of a balancer's state.
const kindState = "state"

func (s *Service) transition(ctx context.Context, k store.Key, f func(*store.Tx, *balancer) (bool, error)) error {
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		b, err := balancers.Get(tx, k)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		changed, err := f(tx, b)
		if err != nil || !changed {
			return err
		}
		tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: signer, Resource: balancerARN(k), Kind: kindState, Cause: string(b.State)})
		return balancers.Put(tx, k, b)
	})
}

// report takes in what the plane has found out about a target. A target that drains
// stays until its delay is over, idle or not.
func (s *Service) report(c lb.Change) {
	if c.Idle {
		return
	}
	g, err := openGroup(c.Group)
	if err != nil {
		return
	}
	ctx := context.Background()
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		k := targetKey(g, c.Target.TargetID, int32(c.Target.Port))
		t, err := targets.Get(tx, k)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		now := health{string(c.Health.State), c.Health.Reason, c.Health.Description}
		if t.Health == now || c.Health.State == lb.Draining || c.Health.State == lb.Unused {
			return nil // the rows know those two states by themselves
		}
		t.Health = now
		emitHealth(tx, noCall, g, t.ID+" is "+now.State)
		return targets.Put(tx, k, t)
	})
	if err != nil {
		s.cfg.Log.WarnContext(ctx, "the health of a target is not kept", "group", c.Group, "target", c.Target.TargetID, "error", err)
	}
}

// forgetDrained removes the targets whose delay is over.
func (s *Service) forgetDrained(ctx context.Context) (next time.Time, err error) {
	var due []store.Key
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		due, next, err = targets.Due(tx, func(t *target) time.Time { return t.Leaves })
		return err
	})
	if err != nil || len(due) == 0 {
		return next, err
	}
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		for _, k := range due {
			t, err := targets.Get(tx, k)
			if errors.Is(err, store.ErrNotFound) || err == nil && (t.Leaves.IsZero() || tx.Now().Before(t.Leaves)) {
				continue
			}
			if err != nil {
				return err
			}
			if err := targets.Delete(tx, k); err != nil {
				return err
			}
			g := at(k, groupOf(k))
			emitHealth(tx, noCall, g, t.ID+" has drained")
			if err := emitUsers(tx, noCall, g, "targets"); err != nil {
				return err
			}
		}
		return nil
	})
	return next, err
}
