package autoscaling

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/store"
)

// UpdateAutoScalingGroup changes what a group shall be. Instances that it has stay as
// they are, but for its size.
func (s *Service) UpdateAutoScalingGroup(ctx context.Context, in *api.UpdateAutoScalingGroupInput) (*api.UpdateAutoScalingGroupOutput, error) {
	k := key(aws.CallFrom(ctx), *in.AutoScalingGroupName)
	options := updateSettings(in)
	if err := options.judge(); err != nil {
		return nil, err
	}
	src, named, err := sourceOf(in.LaunchConfigurationName, in.LaunchTemplate, in.MixedInstancesPolicy)
	if err != nil {
		return nil, err
	}
	planned, err := s.planUpdate(ctx, k, in, src, named)
	if err != nil {
		return nil, err
	}
	return &api.UpdateAutoScalingGroupOutput{}, s.changeGroup(ctx, k, "UpdateAutoScalingGroup", func(tx *store.Tx, g *group) error {
		if g.Status != "" {
			return scalingInProgress("The group is being deleted.")
		}
		g.take(options)
		if named {
			if err := noRefreshOf(tx, k); err != nil {
				return err
			}
			g.source = planned.source
		}
		if in.ServiceLinkedRoleARN != nil {
			g.Role = planned.Role
		}
		if planned.Places != nil {
			g.Places, g.Zones, g.ZonesGiven, g.Subnets = planned.Places, planned.Zones, planned.ZonesGiven, planned.Subnets
		}
		return g.updateSizes(tx, options)
	})
}

// planUpdate looks up outside of the transaction what an update needs of others.
func (s *Service) planUpdate(ctx context.Context, k store.Key, in *api.UpdateAutoScalingGroupInput, src source, named bool) (*group, error) {
	g := &group{}
	err := s.view(ctx, func(tx *store.Tx) (err error) {
		if g, err = groups.Get(tx, k); isNotFound(err) {
			return invalid("AutoScalingGroup name not found - null")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if in.ServiceLinkedRoleARN != nil {
		if g.Role, err = s.ensureRole(ctx, in.ServiceLinkedRoleARN); err != nil {
			return nil, err
		}
	}
	moved := in.VPCZoneIdentifier != nil || in.AvailabilityZones != nil
	if !moved && !named {
		g.Places = nil
		return g, nil
	}
	as, err := s.acting(ctx, k, g.Role)
	if err != nil {
		return nil, fmt.Errorf("act as %s: %w", g.Role, err)
	}
	if moved {
		subnets := val(in.VPCZoneIdentifier)
		if in.VPCZoneIdentifier == nil && len(in.AvailabilityZones) > 0 && g.Subnets != "" {
			subnets = g.Subnets
		}
		if err := g.settle(as, s.cfg.Invoker, subnets, in.AvailabilityZones); err != nil {
			return nil, err
		}
	}
	if named {
		if err := s.judgeSource(ctx, as, &src, g.Places[0]); err != nil {
			return nil, err
		}
		g.source = src
	}
	if !moved {
		g.Places = nil
	}
	return g, nil
}

// updateSizes changes the sizes; a desired capacity that is not given is drawn between
// the bounds.
func (g *group) updateSizes(tx *store.Tx, s *settings) error {
	if s.min == nil && s.max == nil && s.desired == nil {
		return nil
	}
	set(&g.Min, s.min)
	set(&g.Max, s.max)
	old := g.Desired
	wanted := max(g.Desired, g.Min)
	if g.Min <= g.Max {
		wanted = min(wanted, g.Max)
	}
	set(&wanted, s.desired)
	g.Desired = wanted
	if err := g.judgeSizes(); err != nil {
		return err
	}
	g.Desired = old
	g.resize(tx.Now().UTC(), wanted, fmt.Sprintf("a user request update of AutoScalingGroup constraints to min: %d, max: %d, desired: %d", g.Min, g.Max, wanted))
	return nil
}

// changeGroup changes a group's row in a transaction with its event and wakes its worker.
func (s *Service) changeGroup(ctx context.Context, k store.Key, cause string, change func(*store.Tx, *group) error) error {
	err := s.update(ctx, func(tx *store.Tx) error {
		g, err := getGroup(tx, k)
		if err != nil {
			return err
		}
		if err := change(tx, g); err != nil {
			return err
		}
		changed(tx, k, cause)
		return groups.Put(tx, k, g)
	})
	if err == nil {
		s.work.Wake(k)
	}
	return err
}

// SetDesiredCapacity sets the size within the bounds.
func (s *Service) SetDesiredCapacity(ctx context.Context, in *api.SetDesiredCapacityInput) (*api.SetDesiredCapacityOutput, error) {
	k := key(aws.CallFrom(ctx), *in.AutoScalingGroupName)
	n := *in.DesiredCapacity
	return &api.SetDesiredCapacityOutput{}, s.changeGroup(ctx, k, "SetDesiredCapacity", func(tx *store.Tx, g *group) error {
		switch {
		case n > g.Max:
			return invalid("New SetDesiredCapacity value %d is above max value %d for the AutoScalingGroup.", n, g.Max)
		case n < g.Min:
			return invalid("New SetDesiredCapacity value %d is below min value %d for the AutoScalingGroup.", n, g.Min)
		case g.Status != "":
			return scalingInProgress("The group is being deleted.")
		}
		if val(in.HonorCooldown) {
			if err := cooling(tx, k, g, g.cooldown()); err != nil {
				return err
			}
		}
		g.resize(tx.Now().UTC(), n, "a user request explicitly set group desired capacity")
		return nil
	})
}

// cooling refuses what has to wait for a scaling activity or the pause after it.
func cooling(tx *store.Tx, k store.Key, g *group, pause time.Duration) error {
	list, err := membersOf(tx, k)
	if err != nil {
		return err
	}
	for _, m := range list {
		if m.Activity != "" {
			return scalingInProgress("Scaling activity %s is in progress and blocks this action.", m.Activity)
		}
	}
	if left := g.Scaled.Add(pause).Sub(tx.Now()); !g.Scaled.IsZero() && left > 0 {
		return scalingInProgress("The group is in its cooldown for another %d seconds and that blocks this action.", int(math.Ceil(left.Seconds())))
	}
	return nil
}

func (g *group) cooldown() time.Duration { return time.Duration(g.Cooldown) * time.Second }

// DeleteAutoScalingGroup deletes a group without instances, or by force one with them:
// it stays until they have ended.
func (s *Service) DeleteAutoScalingGroup(ctx context.Context, in *api.DeleteAutoScalingGroupInput) (*api.DeleteAutoScalingGroupOutput, error) {
	k := key(aws.CallFrom(ctx), *in.AutoScalingGroupName)
	err := s.update(ctx, func(tx *store.Tx) error {
		g, err := getGroup(tx, k)
		if err != nil {
			return err
		}
		list, err := membersOf(tx, k)
		if err != nil {
			return err
		}
		if err := g.mayDelete(list, val(in.ForceDelete)); err != nil {
			return err
		}
		changed(tx, k, "DeleteAutoScalingGroup")
		if len(list) == 0 {
			return dropGroup(tx, k, g)
		}
		g.Status, g.Min, g.Max, g.Failures = deleteInProgress, 0, 0, 0
		g.resize(tx.Now().UTC(), 0, "a user request force deleted AutoScalingGroup")
		return groups.Put(tx, k, g)
	})
	if err != nil {
		return nil, err
	}
	s.work.Wake(k)
	return &api.DeleteAutoScalingGroupOutput{}, nil
}

func (g *group) mayDelete(list []*member, force bool) error {
	switch {
	case g.DeletionGuard == "prevent-all-deletion", g.DeletionGuard == "prevent-force-deletion" && force:
		return inUse("You cannot delete the AutoScalingGroup %s: its deletion protection is %s.", g.Name, g.DeletionGuard)
	case force:
		return nil
	}
	for _, m := range list {
		if !strings.HasPrefix(string(m.State), "Terminating") {
			return inUse("You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.")
		}
	}
	if len(list) > 0 {
		return scalingInProgress("You cannot delete an AutoScalingGroup while there are scaling activities in progress for that group.")
	}
	return nil
}

// dropGroup removes a group and what belongs to it. Activities stay.
func dropGroup(tx *store.Tx, k store.Key, g *group) error {
	rows, err := rowsWithin(tx, policies, k)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := discard(tx, k, g, r.Value.Alarms); err != nil {
			return err
		}
	}
	if err := dropWithin(tx, hooks, k); err != nil {
		return err
	}
	if err := dropWithin(tx, policies, k); err != nil {
		return err
	}
	if err := dropWithin(tx, schedules, k); err != nil {
		return err
	}
	if err := dropWithin(tx, notifications, k); err != nil {
		return err
	}
	if err := dropWithin(tx, refreshes, k); err != nil {
		return err
	}
	return groups.Delete(tx, k)
}

// rowsWithin lists the rows of a table that belong to a group, by their names.
func rowsWithin[T any](tx *store.Tx, table *store.Table[T], k store.Key) ([]store.Row[T], error) {
	rows, err := table.List(tx, scope(k), k.ID+":", 0)
	if err != nil {
		return nil, err
	}
	for i, r := range rows {
		if !strings.HasPrefix(r.Key.ID, k.ID+":") {
			return rows[:i], nil
		}
	}
	return rows, nil
}

func dropWithin[T any](tx *store.Tx, table *store.Table[T], k store.Key) error {
	rows, err := rowsWithin(tx, table, k)
	for _, r := range rows {
		if err == nil {
			err = table.Delete(tx, r.Key)
		}
	}
	return err
}
