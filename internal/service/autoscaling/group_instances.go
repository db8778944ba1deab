package autoscaling

import (
	"context"
	"fmt"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// onInstances calls f for each of the instances named, all of which have to be members of
// the group, in one transaction.
func (s *Service) onInstances(ctx context.Context, name, cause string, list []string, f func(tx *store.Tx, k store.Key, g *group, m *member) error) error {
	k := key(aws.CallFrom(ctx), name)
	return s.changeGroup(ctx, k, cause, func(tx *store.Tx, g *group) error {
		all, err := membersOf(tx, k)
		if err != nil {
			return err
		}
		var missing []string
		found := make([]*member, 0, len(list))
		for _, id := range list {
			m := findMember(all, id)
			if m == nil {
				missing = append(missing, id)
				continue
			}
			found = append(found, m)
		}
		if len(missing) > 0 {
			return invalid("The instance %s is not part of Auto Scaling group %s.", strings.Join(missing, ", "), name)
		}
		for _, m := range found {
			if err := f(tx, k, g, m); err != nil {
				return err
			}
			if err := putMember(tx, k, m); err != nil {
				return err
			}
		}
		return nil
	})
}

func findMember(list []*member, instance string) *member {
	for _, m := range list {
		if m.Instance == instance && instance != "" {
			return m
		}
	}
	return nil
}

// EnterStandby takes instances out of service; they stay in the group.
func (s *Service) EnterStandby(ctx context.Context, in *api.EnterStandbyInput) (*api.EnterStandbyOutput, error) {
	out := &api.EnterStandbyOutput{Activities: []api.Activity{}}
	now := s.now()
	return out, s.onInstances(ctx, *in.AutoScalingGroupName, "EnterStandby", in.InstanceIds, func(tx *store.Tx, k store.Key, g *group, m *member) error {
		if m.State != api.LifecycleStateInService {
			return invalid("The instance %s is not in InService.", m.Instance)
		}
		cause := fmt.Sprintf("At %s instance %s was moved to standby in response to a user request", now.Format(stamp), m.Instance)
		if *in.ShouldDecrementDesiredCapacity {
			if g.Desired-1 < g.Min {
				return invalid("AutoScalingGroup %s has min-size=%d, max-size=%d, and desired-size=%d. To place into standby %d instance, please update the AutoScalingGroup sizes appropriately.",
					g.Name, g.Min, g.Max, g.Desired, len(in.InstanceIds))
			}
			cause += fmt.Sprintf(", shrinking the capacity from %d to %d", g.Desired, g.Desired-1)
			g.Desired--
		}
		a, err := m.leave(tx, k, g, toStandby, standbyText, cause+".")
		if err == nil {
			out.Activities = append(out.Activities, describeActivity(a))
		}
		return err
	})
}

// ExitStandby puts instances back into service, as if they were launched.
func (s *Service) ExitStandby(ctx context.Context, in *api.ExitStandbyInput) (*api.ExitStandbyOutput, error) {
	out := &api.ExitStandbyOutput{Activities: []api.Activity{}}
	now := s.now()
	return out, s.onInstances(ctx, *in.AutoScalingGroupName, "ExitStandby", in.InstanceIds, func(tx *store.Tx, k store.Key, g *group, m *member) error {
		switch {
		case m.State != api.LifecycleStateStandby:
			return invalid("The instance %s is not in Standby.", m.Instance)
		case g.Desired+1 > g.Max:
			return invalid("AutoScalingGroup %s has min-size=%d, max-size=%d, and desired-size=%d. To remove from standby %d instance, please update the AutoScalingGroup sizes appropriately.",
				g.Name, g.Min, g.Max, g.Desired, len(in.InstanceIds))
		}
		m.enter(tx, k, api.LifecycleStatePending)
		m.Ending, m.Why, m.Unhealthy, m.Skipped = toTerminated, "", false, nil
		cause := fmt.Sprintf("At %s instance %s was moved out of standby in response to a user request, increasing the capacity from %d to %d.", now.Format(stamp), m.Instance, g.Desired, g.Desired+1)
		g.Desired++
		a, err := begin(tx, k, g, m, movingOut(m.Instance), cause)
		if err != nil {
			return err
		}
		a.Status, a.Progress = preInService, 30
		out.Activities = append(out.Activities, describeActivity(a))
		return activities.Put(tx, activityKey(k, a.ID), a)
	})
}

// DetachInstances takes instances out of the group; they run on.
func (s *Service) DetachInstances(ctx context.Context, in *api.DetachInstancesInput) (*api.DetachInstancesOutput, error) {
	out := &api.DetachInstancesOutput{Activities: []api.Activity{}}
	now := s.now()
	return out, s.onInstances(ctx, *in.AutoScalingGroupName, "DetachInstances", in.InstanceIds, func(tx *store.Tx, k store.Key, g *group, m *member) error {
		if m.State != api.LifecycleStateInService && m.State != api.LifecycleStateStandby {
			return invalid("The instance %s is not in InService or Standby.", m.Instance)
		}
		cause := fmt.Sprintf("At %s instance %s was detached in response to a user request", now.Format(stamp), m.Instance)
		if *in.ShouldDecrementDesiredCapacity && m.State == api.LifecycleStateInService {
			if g.Desired-1 < g.Min {
				return invalid("AutoScalingGroup %s has min-size=%d, max-size=%d, and desired-size=%d. To detach %d instance, please update the AutoScalingGroup sizes appropriately.",
					g.Name, g.Min, g.Max, g.Desired, len(in.InstanceIds))
			}
			cause += fmt.Sprintf(", shrinking the capacity from %d to %d", g.Desired, g.Desired-1)
			g.Desired--
		}
		a, err := m.leave(tx, k, g, toDetached, detachingText, cause+".")
		if err == nil {
			out.Activities = append(out.Activities, describeActivity(a))
		}
		return err
	})
}

// TerminateInstanceInAutoScalingGroup terminates one instance, and by choice makes the
// group smaller.
func (s *Service) TerminateInstanceInAutoScalingGroup(ctx context.Context, in *api.TerminateInstanceInAutoScalingGroupInput) (*api.TerminateInstanceInAutoScalingGroupOutput, error) {
	name, err := s.groupOf(ctx, *in.InstanceId)
	if err != nil {
		return nil, err
	}
	out := &api.TerminateInstanceInAutoScalingGroupOutput{}
	now := s.now()
	return out, s.onInstances(ctx, name, "TerminateInstanceInAutoScalingGroup", []string{*in.InstanceId}, func(tx *store.Tx, k store.Key, g *group, m *member) error {
		if m.terminating() {
			return scalingInProgress("Instance %s is being terminated already.", m.Instance)
		}
		cause := fmt.Sprintf("At %s instance %s was taken out of service in response to a user request", now.Format(stamp), m.Instance)
		if *in.ShouldDecrementDesiredCapacity && m.counts() {
			if g.Desired-1 < g.Min {
				return invalid("Currently, desiredSize equals minSize (%d). Terminating instance without replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.", g.Min)
			}
			cause += fmt.Sprintf(", shrinking the capacity from %d to %d", g.Desired, g.Desired-1)
			g.Desired--
		}
		a, err := m.leave(tx, k, g, toTerminated, terminatingText, cause+".")
		if err == nil {
			out.Activity = ptr(describeActivity(a))
		}
		return err
	})
}

// groupOf finds the group of an instance.
func (s *Service) groupOf(ctx context.Context, instance string) (string, error) {
	name := ""
	err := s.view(ctx, func(tx *store.Tx) error {
		rows, err := members.Lookup(tx, "instance", scoped(key(aws.CallFrom(ctx), ""), instance))
		for _, r := range rows {
			name = r.Value.Group
		}
		return err
	})
	if err == nil && name == "" {
		return "", invalid("Instance Id not found - No managed instance found for instance ID: %s", instance)
	}
	return name, err
}

// SetInstanceHealth says that an instance is healthy or not. Within its grace period the
// word counts only when the caller says so.
func (s *Service) SetInstanceHealth(ctx context.Context, in *api.SetInstanceHealthInput) (*api.SetInstanceHealthOutput, error) {
	status := *in.HealthStatus
	if status != "Healthy" && status != "Unhealthy" {
		return nil, invalid("Invalid HealthStatus: %s. Valid values are Healthy and Unhealthy", status)
	}
	name, err := s.groupOf(ctx, *in.InstanceId)
	if err != nil {
		return nil, err
	}
	respect := in.ShouldRespectGracePeriod == nil || *in.ShouldRespectGracePeriod
	now := s.now()
	return &api.SetInstanceHealthOutput{}, s.onInstances(ctx, name, "SetInstanceHealth", []string{*in.InstanceId}, func(_ *store.Tx, _ store.Key, g *group, m *member) error {
		switch {
		case status == "Healthy":
			if m.Unhealthy {
				m.Unhealthy, m.Why = false, ""
			}
		case respect && g.inGrace(m, now):
		default:
			m.Unhealthy, m.Why = true, whyUser
		}
		return nil
	})
}

// SetInstanceProtection protects instances from scale-in, or does so no more.
func (s *Service) SetInstanceProtection(ctx context.Context, in *api.SetInstanceProtectionInput) (*api.SetInstanceProtectionOutput, error) {
	return &api.SetInstanceProtectionOutput{}, s.onInstances(ctx, *in.AutoScalingGroupName, "SetInstanceProtection", in.InstanceIds, func(_ *store.Tx, _ store.Key, _ *group, m *member) error {
		if m.State != api.LifecycleStateInService && m.State != api.LifecycleStateStandby && !m.pending() {
			return invalid("The instance %s is not in InService or EnteringStandby or Standby.", m.Instance)
		}
		m.Protected = *in.ProtectedFromScaleIn
		return nil
	})
}

// AttachInstances takes running instances into the group, which grows by them.
func (s *Service) AttachInstances(ctx context.Context, in *api.AttachInstancesInput) (*api.AttachInstancesOutput, error) {
	k := key(aws.CallFrom(ctx), *in.AutoScalingGroupName)
	if len(in.InstanceIds) == 0 {
		return nil, invalid("At least one instance ID must be specified.")
	}
	var fresh []*member
	for _, id := range in.InstanceIds {
		i, err := s.instanceOf(ctx, id)
		if err != nil {
			return nil, err
		}
		if i.State == nil || i.State.Name != "running" {
			return nil, invalid("The instance %s is not in running state.", id)
		}
		fresh = append(fresh, &member{ID: ids.UUID(), Group: k.ID, Instance: id, Type: string(i.InstanceType), Image: val(i.ImageId), place: place{Zone: *i.Placement.AvailabilityZone, Subnet: val(i.SubnetId)},
			State: api.LifecycleStatePending, Decided: s.now(), Attached: true, Ending: toTerminated})
	}
	return &api.AttachInstancesOutput{}, s.changeGroup(ctx, k, "AttachInstances", func(tx *store.Tx, g *group) error {
		for _, m := range fresh {
			if err := g.mayAttach(tx, k, m, len(fresh)); err != nil {
				return err
			}
			cause := fmt.Sprintf("At %s an instance was added in response to user request. Keeping the capacity at the new %d.", tx.Now().UTC().Format(stamp), g.Desired+1)
			g.Desired++
			m.Protected, m.Number = g.Protect, g.Count
			a, err := begin(tx, k, g, m, "Attaching an existing EC2 instance: "+m.Instance, cause)
			if err != nil {
				return err
			}
			a.Status = preInService
			if err := putMember(tx, k, m); err != nil {
				return err
			}
			if err := activities.Put(tx, activityKey(k, a.ID), a); err != nil {
				return err
			}
		}
		return nil
	})
}

// mayAttach refuses instances that cannot be the group's.
func (g *group) mayAttach(tx *store.Tx, k store.Key, m *member, n int) error {
	others, err := members.Lookup(tx, "instance", scoped(k, m.Instance))
	if err != nil {
		return err
	}
	switch {
	case len(others) > 0:
		return invalid("Instance %s is already part of AutoScalingGroup:%s", m.Instance, others[0].Value.Group)
	case g.Status != "":
		return scalingInProgress("The group is being deleted.")
	case g.Desired+1 > g.Max:
		return invalid("AutoScalingGroup %s has min-size=%d, max-size=%d, and desired-size=%d. To attach %d instance, please update the AutoScalingGroup sizes appropriately.", g.Name, g.Min, g.Max, g.Desired, n)
	}
	for _, z := range g.Zones {
		if z == m.Zone {
			return nil
		}
	}
	return invalid("Invalid Availability Zone(s) specified - %s is not in the list of valid AZs: %v", m.Zone, g.Zones)
}
