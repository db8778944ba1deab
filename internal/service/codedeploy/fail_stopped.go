package codedeploy

import (
	"context"
	"fmt"
	"maps"
	"slices"

	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/store"
)

// failStopped fails the targets whose instances have stopped or are gone: no
// agent will say so.
func (s *Service) failStopped(ctx context.Context, k store.Key) {
	active, away, role, err := s.activeTargets(ctx, k)
	if err != nil || len(active)+len(away) == 0 {
		return // the next step meets the same error and reports it
	}
	dead := map[string]string{}
	for _, id := range away {
		dead[id] = stateDeregistered
	}
	if len(active) > 0 {
		found, why, err := s.describe(ctx, k, role, nil)
		if err != nil || why != nil {
			s.log.Warn("cannot look at the instances of a running deployment", "deployment", k.ID, "error", err, "cause", why)
			return
		}
		states := map[string]string{}
		for _, m := range found {
			states[m.ID] = m.State
		}
		for _, id := range active {
			if st := states[id]; st != stateRunning && st != "pending" {
				dead[id] = st
			}
		}
	}
	if len(dead) == 0 {
		return
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		d, err := deployments.Get(tx, k)
		if err != nil || d.ended() {
			return err
		}
		for _, id := range slices.Sorted(maps.Keys(dead)) {
			if err := s.failDead(tx, k, d, id, dead[id]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.log.Error("fail targets whose instances are gone", "deployment", k.ID, "error", err)
	}
}

// stateDeregistered is that of an on-premises instance whose agent is let in no more.
const stateDeregistered = "deregistered"

func (s *Service) failDead(tx *store.Tx, k store.Key, d *deployment, id, state string) error {
	t, err := targets.Get(tx, targetKey(k, d.ID, id))
	if err != nil || t.ended() {
		return err
	}
	if state == "" {
		state = "terminated"
	}
	now := s.clock.Now()
	if t.Label == api.TargetLabelBlue {
		return s.endTarget(tx, k, d, t, api.TargetStatusSkipped, now) // gone is what it was to be
	}
	t.Issue = api.ErrorCodeAgentIssue
	t.fail(api.LifecycleErrorCodeUnknownError, fmt.Sprintf("Instance %s is %s: nothing can be deployed to it.", id, state), now)
	if err := s.endTarget(tx, k, d, t, api.TargetStatusFailed, now); err != nil {
		return err
	}
	if state == "stopping" || state == "stopped" {
		return nil
	}
	return forgetHealth(tx, store.Key{Account: k.Account, Region: k.Region, ID: id})
}

// activeTargets returns the instances of EC2 that the deployment still waits for, and
// those on premises that are no longer registered.
func (s *Service) activeTargets(ctx context.Context, k store.Key) (active, away []string, role string, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		active, away = nil, nil
		d, err := deployments.Get(tx, k)
		if err != nil {
			return err
		}
		role = d.Role
		list, err := targetsOf(tx, d.ID)
		for _, t := range list {
			if t.ended() {
				continue
			}
			if !t.OnPremises {
				active = append(active, t.InstanceID)
				continue
			}
			o, err := onPremises.Get(tx, store.Key{Account: k.Account, Region: k.Region, ID: t.InstanceID})
			if err != nil {
				return err
			}
			if !o.registered() || t.ARN != "" && o.ARN != t.ARN {
				away = append(away, t.InstanceID)
			}
		}
		return err
	})
	return active, away, role, err
}
