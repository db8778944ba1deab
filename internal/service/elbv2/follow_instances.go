package elbv2

import (
	"context"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/store"
)

// noCall is what the service does for nobody.
var noCall aws.Call

// followInstances keeps targets in step with the instances that they are: stopped ones
// are unused, terminated ones deregistered. What happened while no server ran is made
// up for first.
func (s *Service) followInstances(ctx context.Context, from int64) error {
	if err := s.catchUp(ctx); err != nil {
		return err
	}
	for e, err := range s.cfg.DB.Watch(ctx, from, store.Filter{Service: "ec2"}) {
		if err != nil {
			return err
		}
		state, ok := strings.CutPrefix(e.Kind, "instance-")
		if !ok {
			continue
		}
		if err := s.instanceIs(ctx, store.Key{Account: e.Account, Region: e.Region, ID: e.Resource}, state); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) instanceIs(ctx context.Context, k store.Key, state string) error {
	var there bool
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := targets.Lookup(tx, "id", scoped(k, k.ID))
		there = len(rows) > 0
		return err
	})
	if err != nil || !there {
		return err
	}
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		rows, err := targets.Lookup(tx, "id", scoped(k, k.ID))
		for i := 0; i < len(rows) && err == nil; i++ {
			err = targetIs(tx, rows[i], state)
		}
		return err
	})
}

func targetIs(tx *store.Tx, r store.Row[target], state string) error {
	t, g := r.Value, at(r.Key, groupOf(r.Key))
	switch state {
	case "terminated":
		if err := targets.Delete(tx, r.Key); err != nil {
			return err
		}
	case "running":
		if !t.Stopped {
			return nil
		}
		t.Stopped, t.Health = false, health{}
		if err := targets.Put(tx, r.Key, t); err != nil {
			return err
		}
	default:
		if t.Stopped || state == "pending" {
			return nil
		}
		t.Stopped, t.Health = true, health{}
		if err := targets.Put(tx, r.Key, t); err != nil {
			return err
		}
	}
	emitHealth(tx, noCall, g, t.ID+" is "+state)
	return emitUsers(tx, noCall, g, "instance "+state)
}

// catchUp asks EC2 for the instances that are targets.
func (s *Service) catchUp(ctx context.Context) error {
	byPlace := map[store.Scope][]string{}
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := targets.List(tx, store.Scope{}, "", 0)
		for _, r := range rows {
			if strings.HasPrefix(r.Value.ID, "i-") {
				at := store.Scope{Account: r.Key.Account, Region: r.Key.Region}
				byPlace[at] = append(byPlace[at], r.Value.ID)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	for at, ids := range byPlace {
		found, err := s.instances(aws.WithCall(ctx, aws.Call{Account: at.Account, Region: at.Region}), ids)
		if err != nil {
			return err
		}
		for _, id := range ids {
			state := "terminated"
			if inst, ok := found[id]; ok && inst.State != nil {
				state = string(inst.State.Name)
			}
			if err := s.instanceIs(ctx, store.Key{Account: at.Account, Region: at.Region, ID: id}, state); err != nil {
				return err
			}
		}
	}
	return nil
}
