package ec2

import (
	"context"
	"fmt"

	"github.com/hardstand/hardstand/internal/store"
)

// TerminateAll ends every machine of every account, also protected ones, and
// returns when they are gone: the server is reset or takes its instances with it.
func (s *Service) TerminateAll(ctx context.Context) error {
	keys, err := s.doom(ctx)
	if err != nil {
		return fmt.Errorf("terminate all instances: %w", err)
	}
	for _, k := range keys {
		s.work.Wake(k)
	}
	for _, k := range keys {
		if err := s.awaitGone(ctx, k); err != nil {
			return fmt.Errorf("terminate %s: %w", k.ID, err)
		}
	}
	return nil
}

// Idle reports whether no machine of any account runs or is about to.
func (s *Service) Idle(ctx context.Context) (bool, error) {
	rows, err := s.maybeAlive(ctx)
	return len(rows) == 0, err
}

// doom marks every instance that is not terminated as shutting down.
func (s *Service) doom(ctx context.Context) ([]store.Key, error) {
	var keys []store.Key
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		keys = nil
		rows, err := instances.List(tx, store.Scope{}, "", 0)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if r.Value.State == stateTerminated {
				continue
			}
			r.Value.State = stateShuttingDown
			r.Value.StateReason = reason{"Server.InternalError", "Server.InternalError: hardstand stopped its instances"}
			if err := instances.Put(tx, r.Key, r.Value); err != nil {
				return err
			}
			s.emitRow(tx, r.Key, r.Value, "the server stops its instances")
			keys = append(keys, r.Key)
		}
		return nil
	})
	return keys, err
}

func (s *Service) awaitGone(ctx context.Context, k store.Key) error {
	return s.await(ctx, k, func(r *instance) (bool, error) { return r.State == stateTerminated, nil })
}

// await looks at the row of an instance after each of its events until settled
// reports true or fails. A row that is gone counts as terminated.
func (s *Service) await(ctx context.Context, k store.Key, settled func(*instance) (bool, error)) error {
	for {
		changed := s.db.Changed(store.Filter{Account: k.Account, Region: k.Region, Service: "ec2", Resource: k.ID})
		r, err := s.load(ctx, k)
		if isNotFound(err) {
			r, err = &instance{ID: k.ID, State: stateTerminated}, nil
		}
		if err != nil {
			return fmt.Errorf("instance %s: %w", k.ID, err)
		}
		if done, err := settled(r); done || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
