package elb

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/lb"
	"github.com/hardstand/hardstand/internal/store"
)

// retryPause is how long Run waits before it tries again what has failed.
const retryPause = time.Second

// wait has Run settle a balancer.
func (s *Service) wait(k store.Key) {
	s.mu.Lock()
	s.unsettled[k] = true
	s.mu.Unlock()
	s.wake()
}

// wake has Run look at everything.
func (s *Service) wake() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// Run has every balancer run, takes over what happens to instances in EC2, ends
// draining and tries again what has failed, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	keys, err := s.everything(ctx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		s.wait(k)
	}
	for {
		changed := s.cfg.DB.Changed(store.Filter{Service: "ec2"})
		if err := s.follow(ctx); err != nil {
			return err
		}
		failed := s.settleWaiting(ctx)
		next, err := s.nextDrained(ctx)
		if err != nil {
			return err
		}
		var timer <-chan time.Time
		switch {
		case failed:
			timer = s.cfg.Clock.After(retryPause)
		case !next.IsZero():
			timer = s.cfg.Clock.After(next.Sub(s.cfg.Clock.Now()))
		}
		select {
		case <-changed:
		case <-s.woken:
		case <-timer:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// everything is the keys of all balancers, and of those whose interfaces are left.
func (s *Service) everything(ctx context.Context) ([]store.Key, error) {
	keys := map[store.Key]bool{}
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := balancers.List(tx, store.Scope{}, "", 0)
		if err != nil {
			return err
		}
		for _, r := range rows {
			keys[r.Key] = true
		}
		left, err := leavings.List(tx, store.Scope{}, "", 0)
		for _, r := range left {
			keys[store.Key{Account: r.Key.Account, Region: r.Key.Region, ID: r.Value.Balancer}] = true
		}
		return err
	})
	return slices.Collect(maps.Keys(keys)), err
}

// settleWaiting settles what waits for it and says whether any of it failed again.
func (s *Service) settleWaiting(ctx context.Context) (failed bool) {
	s.mu.Lock()
	waiting := s.unsettled
	s.unsettled = map[store.Key]bool{}
	s.mu.Unlock()
	for k := range waiting {
		if err := s.trySettle(ctx, k); err != nil && ctx.Err() == nil {
			s.cfg.Log.WarnContext(ctx, "a load balancer does not run as it should; this is tried again", "balancer", k.ID, "error", err)
			s.mu.Lock()
			s.unsettled[k] = true
			s.mu.Unlock()
			failed = true
		}
	}
	return failed
}

// follow writes what has become of instances: terminated ones are deregistered, others
// have their state. Those whose draining is over are forgotten.
func (s *Service) follow(ctx context.Context) error {
	var all []store.Row[balancer]
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		all, err = balancers.List(tx, store.Scope{}, "", 0)
		return err
	})
	if err != nil {
		return err
	}
	for _, r := range all {
		var ids []string
		for _, i := range r.Value.Instances {
			ids = append(ids, i.ID)
		}
		asked := s.cfg.Clock.Now()
		found, err := s.machines(ctx, r.Key, ids)
		if err != nil {
			return err
		}
		if !r.Value.differs(found, s.cfg.Clock.Now()) {
			continue
		}
		if err := s.takeOver(ctx, r.Key, found, asked); err != nil {
			return err
		}
		s.mu.Lock()
		s.unsettled[r.Key] = true
		s.mu.Unlock()
	}
	return nil
}

// over says whether an instance is to be forgotten.
func (i *instance) over(found map[string]machine, now time.Time) bool {
	m, ok := found[i.ID]
	return !ok || m.state == terminated || (!i.Leaves.IsZero() && !now.Before(i.Leaves))
}

func (b *balancer) differs(found map[string]machine, now time.Time) bool {
	return slices.ContainsFunc(b.Instances, func(i instance) bool {
		m := found[i.ID]
		return i.over(found, now) || i.EC2 != m.state || i.Addr != m.addr || i.Zone != m.zone
	})
}

func (s *Service) takeOver(ctx context.Context, k store.Key, found map[string]machine, asked time.Time) error {
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		b, err := balancers.Get(tx, k)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, i := range slices.Clone(b.Instances) {
			m := found[i.ID]
			switch {
			case i.Registered.After(asked):
				// EC2 was asked before it came
			case i.over(found, tx.Now()):
				b.forget(ctx, tx, k, i.ID)
			case i.EC2 != m.state || i.Addr != m.addr || i.Zone != m.zone:
				now := b.instance(i.ID)
				now.EC2, now.Addr, now.Zone = m.state, m.addr, m.zone
				if m.state != running {
					now.Health = ""
				}
				emit(ctx, tx, k, "health", i.ID+" "+m.state)
			}
		}
		return balancers.Put(tx, k, b)
	})
}

// nextDrained is when the next instance has drained; zero when none drains.
func (s *Service) nextDrained(ctx context.Context) (next time.Time, err error) {
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := balancers.List(tx, store.Scope{}, "", 0)
		for _, r := range rows {
			for _, i := range r.Value.Instances {
				if !i.Leaves.IsZero() && (next.IsZero() || i.Leaves.Before(next)) {
					next = i.Leaves
				}
			}
		}
		return err
	})
	return next, err
}

// report is what the plane says of an instance.
func (s *Service) report(k store.Key, c lb.Change) {
	ctx := context.Background()
	drained := false
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		b, err := balancers.Get(tx, k)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		i := b.instance(c.Target.TargetID)
		if i == nil {
			return nil
		}
		if c.Idle {
			if drained = !i.Leaves.IsZero() && !s.busy(k, i.ID); !drained {
				return nil
			}
			b.forget(ctx, tx, k, i.ID)
			return balancers.Put(tx, k, b)
		}
		if c.Group != checked || !i.take(c.Health) {
			return nil
		}
		emit(ctx, tx, k, "health", i.ID+" "+*s.stateOf(b, i.ID, i).State)
		return balancers.Put(tx, k, b)
	})
	if err != nil {
		s.cfg.Log.Warn("write the health of an instance", "balancer", k.ID, "instance", c.Target.TargetID, "error", err)
	}
	if drained {
		s.wait(k) // the plane waits for this call: it cannot be settled in it
	}
}

// take sets the health that the plane reports; false says that it is the same.
func (i *instance) take(h lb.Health) bool {
	next := ""
	switch {
	case h.State == lb.Healthy:
		next = healthy
	case h.State == lb.Unhealthy:
		next = unhealthy
	case h.Reason == "Elb.InitialHealthChecking":
		next = checking
	}
	changed := next != i.Health
	i.Health = next
	return changed
}

// Addresses are the addresses that a balancer's name resolves to, which aliases often name
// with dualstack. before it: public ones of an internet-facing one, private ones of an
// internal one. known is false for names of none.
func (s *Service) Addresses(ctx context.Context, name string) (addrs []netip.Addr, known bool, err error) {
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := balancers.Lookup(tx, "dns", strings.TrimPrefix(strings.ToLower(name), "dualstack."))
		if err != nil || len(rows) == 0 {
			return err
		}
		known = true
		for _, n := range rows[0].Value.Nodes {
			text := n.Private
			if rows[0].Value.Scheme == internetFacing {
				text = n.Public
			}
			if a, err := netip.ParseAddr(text); err == nil {
				addrs = append(addrs, a)
			}
		}
		return nil
	})
	return addrs, known, err
}
