package ec2

import (
	"context"
	"fmt"
	"net/netip"

	hsinstance "github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/store"
)

var noAddr netip.Addr

// Adopter takes over machines that an earlier server left running; it says which
// of them are alive.
type Adopter interface {
	Adopt(ctx context.Context, specs []hsinstance.Spec) (map[string]bool, error)
}

// adopt hands every machine that may still run to the manager. One that is gone,
// after a reboot of the host for example, is stopped, with the reason.
func (s *Service) adopt(ctx context.Context) error {
	rows, err := s.maybeAlive(ctx)
	if err != nil {
		return err
	}
	specs := make([]hsinstance.Spec, 0, len(rows))
	for _, r := range rows {
		if err := s.syncNetwork(ctx, r.Key, r.Value); err != nil {
			return err
		}
		spec, err := s.spec(ctx, r.Key, r.Value)
		if err != nil {
			return err
		}
		specs = append(specs, spec)
	}
	a, ok := s.machines.(Adopter)
	if !ok {
		return nil
	}
	alive, err := a.Adopt(ctx, specs)
	if err != nil {
		return fmt.Errorf("adopt instances: %w", err)
	}
	for _, r := range rows {
		if r.Value.State != stateRunning || alive[r.Key.ID] {
			continue
		}
		if err := s.foundDead(ctx, r.Key); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) maybeAlive(ctx context.Context) ([]store.Row[instance], error) {
	var out []store.Row[instance]
	err := s.db.View(ctx, func(tx *store.Tx) error {
		for _, st := range []string{statePending, stateRunning, stateStopping, stateShuttingDown} {
			rows, err := instances.Lookup(tx, "state", st)
			if err != nil {
				return err
			}
			out = append(out, rows...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list instances: %w", err)
	}
	return out, nil
}

func (s *Service) foundDead(ctx context.Context, k store.Key) error {
	const why = "Server.InternalError: the instance was not running any more when hardstand started"
	return s.change(ctx, k, why, func(r *instance) bool {
		r.State, r.StateReason, r.TransitionReason = stateStopped, reason{"Server.InternalError", why}, why
		r.releasePublic()
		return true
	})
}

// keyOf finds an instance by its id alone; ids are unique across accounts.
func (s *Service) keyOf(ctx context.Context, id string) (store.Key, error) {
	k := store.Key{}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := instances.Lookup(tx, "id", id)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return store.ErrNotFound
		}
		k = rows[0].Key
		return nil
	})
	return k, err
}
