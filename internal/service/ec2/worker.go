package ec2

import (
	"context"
	"errors"
	"time"

	"github.com/hardstand/hardstand/internal/store"
)

// parallelLaunches bounds how many machines change state at once: more gains
// nothing on a small machine, and launches contend for the kernel's locks.
const parallelLaunches = 4

// keepTerminated is how long a terminated instance stays describable.
const keepTerminated = time.Hour

// newWorker makes machines match rows.
func newWorker(s *Service) *store.Keyed {
	return store.NewKeyed(s.clock, parallelLaunches, func(ctx context.Context, k store.Key) (time.Time, error) {
		return time.Time{}, s.settle(ctx, k)
	}, func(_ context.Context, k store.Key, after time.Duration, err error) {
		s.log.Error("instance transition failed, will be tried again", "instance", k.ID, "after", after, "err", err)
	})
}

// Run finishes every transition that was under way and works until ctx ends.
// Machines run on after that. Adopt comes before it; Run makes up for that.
func (s *Service) Run(ctx context.Context) error {
	defer s.work.Close()
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
	s.work.Open(ctx) // not before: adoption comes ahead of all launches
	keys, err := s.unsettled(ctx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		s.work.Wake(k)
	}
	return nil
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
