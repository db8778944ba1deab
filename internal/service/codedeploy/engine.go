package codedeploy

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/store"
)

// Run makes deployments progress until ctx ends: those found at its start, left
// by a server that ended, and those created while it runs. It is called once. It
// lets held polls go and returns when all workers have ended. A deployment is never lost by that: its next step is in
// its rows.
func (s *Service) Run(ctx context.Context) error {
	var work sync.WaitGroup
	defer work.Wait()
	defer close(s.stopped)
	s.polls.restart(s.clock.Now())
	if err := s.recallAgents(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	work.Go(func() { s.warmSigners(ctx) })
	work.Go(func() { s.keepAt(ctx, s.wakePolls) })
	work.Go(func() { s.publishNotices(ctx) })
	work.Go(func() { s.keepAt(ctx, s.followScaling) })
	work.Go(func() { s.keepAt(ctx, s.forgetHosts) })
	work.Go(func() { s.keepAt(ctx, s.forgetOld) })
	work.Go(func() { s.keepAt(ctx, s.forgetOfDeleted) })
	work.Go(func() { s.keepAt(ctx, s.forgetDeregistered) })
	for {
		changed := s.db.Changed(store.Filter{Service: "codedeploy", Kind: "deployment"})
		active, err := view(ctx, s, func(tx *store.Tx) ([]store.Row[deployment], error) {
			return deployments.Lookup(tx, "active", "active")
		})
		if err != nil && ctx.Err() == nil {
			return err
		}
		for _, r := range active {
			if _, has := s.workers.LoadOrStore(r.Key, struct{}{}); !has {
				work.Go(func() {
					defer s.workers.Delete(r.Key)
					s.drive(ctx, r.Key)
				})
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// keepAt runs upkeep until ctx ends, again after a failure.
func (s *Service) keepAt(ctx context.Context, upkeep func(context.Context) error) {
	for ctx.Err() == nil {
		if err := upkeep(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("upkeep failed and begins again", "error", err)
			_ = clock.Sleep(ctx, s.clock, retryAfter) // ctx is looked at next
		}
	}
}

// warmSigners makes a region's signing key when its first application is made:
// an RSA key takes a noticeable part of a second, which the first agent should
// not wait for.
func (s *Service) warmSigners(ctx context.Context) {
	for e, err := range s.db.Watch(ctx, s.db.LastSeq(), store.Filter{Service: "codedeploy", Kind: "application"}) {
		if err != nil {
			return
		}
		if _, err := s.signers.get(ctx, e.Region); err != nil && ctx.Err() == nil {
			s.log.Warn("cannot make a deployment signer ahead of its use", "region", e.Region, "error", err)
		}
	}
}

// retryAfter is the wait after a step that failed for a reason of the server's
// own.
const retryAfter = 5 * time.Second

// drive steps one deployment to its end.
func (s *Service) drive(ctx context.Context, k store.Key) {
	aboutMachines := store.Filter{Account: k.Account, Region: k.Region, Service: "ec2"}
	aboutOnPremises := store.Filter{Account: k.Account, Region: k.Region, Service: "codedeploy", Kind: "onpremises"}
	machines, registry := s.db.Changed(aboutMachines), s.db.Changed(aboutOnPremises)
	s.failStopped(ctx, k)
	alarms := s.db.Changed(aboutAlarms(k))
	unseen := s.obeyAlarms(ctx, k)
	balancers := s.db.Changed(aboutBalancers(k))
	groups := s.db.Changed(aboutScaling(k))
	var r roster
	for ctx.Err() == nil {
		// The channels come first: a change during the step wakes the wait. What
		// agents report of events within a target is none of the worker's business.
		target, stop, status := s.changed(k, "target"), s.changed(k, "stop"), s.changed(k, "deployment")
		due, ended, err := s.advance(ctx, k, &r)
		if ended || ctx.Err() != nil {
			return
		}
		if err = cmp.Or(err, unseen); err != nil {
			s.log.Error("deployment step failed", "deployment", k.ID, "error", err)
			due = s.clock.Now().Add(retryAfter)
		}
		timer := s.clock.After(due.Sub(s.clock.Now()))
		if !s.clock.Now().Before(due) {
			continue // the clock was moved while the timer was set
		}
		select {
		case <-target:
		case <-stop:
		case <-status:
		case <-machines:
			machines = s.db.Changed(aboutMachines)
			s.failStopped(ctx, k)
		case <-registry:
			registry = s.db.Changed(aboutOnPremises)
			s.failStopped(ctx, k)
		case <-alarms:
			alarms = s.db.Changed(aboutAlarms(k))
			unseen = s.obeyAlarms(ctx, k)
		case <-balancers:
			balancers = s.db.Changed(aboutBalancers(k))
		case <-groups:
			groups = s.db.Changed(aboutScaling(k))
		case <-timer:
			if unseen != nil {
				unseen = s.obeyAlarms(ctx, k)
			}
		case <-ctx.Done():
		}
	}
}

func (s *Service) changed(k store.Key, kind string) <-chan struct{} {
	return s.db.Changed(store.Filter{Account: k.Account, Region: k.Region, Service: "codedeploy", Resource: k.ID, Kind: kind})
}

// advance does what can be done for the deployment now and returns when
// something is due next.
func (s *Service) advance(ctx context.Context, k store.Key, r *roster) (due time.Time, ended bool, err error) {
	d, err := view(ctx, s, func(tx *store.Tx) (*deployment, error) { return deployments.Get(tx, k) })
	if isNotFound(err) {
		return due, true, nil
	}
	if err != nil {
		return due, false, err
	}
	if d.provisioning() && !d.StopAsked {
		return s.clock.Now().Add(lookEvery), false, s.provision(ctx, k, d)
	}
	if d.preparing() && !(d.StopAsked && copies(d.options())) {
		if err := s.prepare(ctx, k, d); err != nil {
			return due, false, err
		}
		s.failStopped(ctx, k)
	}
	if d.blueGreen() {
		if err := s.terminateBlue(ctx, k, d); err != nil {
			return due, false, err
		}
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		r.begin()
		due, ended, err = s.step(tx, k, r)
		return err
	})
	r.end(err)
	if err != nil || ended {
		return due, ended, err
	}
	look, err := s.shiftTraffic(ctx, k)
	if !look.IsZero() && look.Before(due) {
		due = look
	}
	return due, false, err
}
