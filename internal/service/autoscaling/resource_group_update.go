package autoscaling

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// updatePolicy is the UpdatePolicy of a group.
type updatePolicy struct {
	AutoScalingRollingUpdate   *rollingUpdate
	AutoScalingReplacingUpdate *struct{ WillReplace *bool }
	AutoScalingScheduledAction *struct{ IgnoreUnmodifiedGroupSizeProperties *bool }
}

// launchProperties are those whose change calls for other instances.
var launchProperties = []string{"LaunchConfigurationName", "LaunchTemplate", "MixedInstancesPolicy", "VPCZoneIdentifier", "AvailabilityZones"}

// Replaces implements stack.Replacing.
func (resourceGroup) Replaces(policy, old, properties map[string]any) bool {
	var p updatePolicy
	if stack.Decode(policy, &p) != nil || p.AutoScalingReplacingUpdate == nil || !val(p.AutoScalingReplacingUpdate.WillReplace) {
		return false
	}
	return slices.ContainsFunc(launchProperties, func(name string) bool { return !reflect.DeepEqual(old[name], properties[name]) })
}

// Update implements stack.Resource. It may be repeated after a crash: what has been
// replaced already is not replaced again.
func (t resourceGroup) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, before groupProperties
	var policy updatePolicy
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &before); err != nil {
		return stack.Result{}, err
	}
	if r.UpdatePolicy != nil {
		if err := stack.Decode(r.UpdatePolicy, &policy); err != nil {
			return stack.Result{}, err
		}
	}
	began := t.s.now()
	in := p.updateInput(r.PhysicalID)
	in.resetDropped(&before)
	if a := policy.AutoScalingScheduledAction; a != nil && val(a.IgnoreUnmodifiedGroupSizeProperties) {
		in.keepUnmodified(&p, &before)
	}
	roll := &roller{t: t, ctx: ctx, r: r, policy: policy.AutoScalingRollingUpdate}
	if err := roll.before(in); err != nil {
		return stack.Result{}, err
	}
	if err := t.surroundings(ctx, r.PhysicalID, &before, &p); err != nil {
		return stack.Result{}, err
	}
	if err := t.retag(ctx, r, &before, &p); err != nil {
		return stack.Result{}, err
	}
	if roll.policy != nil {
		if err := roll.run(); err != nil {
			return stack.Result{}, err
		}
	} else if err := t.stable(ctx, r.PhysicalID, began, 0); err != nil {
		return stack.Result{}, err
	}
	return t.Read(ctx, r)
}

// groupUpdate is the input of an update.
type groupUpdate struct {
	api.UpdateAutoScalingGroupInput
}

// updateInput brings a group to what the template says; what it does not say goes back to
// its default.
func (p *groupProperties) updateInput(name string) *groupUpdate {
	u := &groupUpdate{api.UpdateAutoScalingGroupInput{AutoScalingGroupName: &name, MinSize: &p.MinSize, MaxSize: &p.MaxSize, DesiredCapacity: p.DesiredCapacity,
		DefaultCooldown: or(p.Cooldown, ptr[int32](defaultCooldown)), DefaultInstanceWarmup: or(p.DefaultInstanceWarmup, ptr[int32](-1)), AvailabilityZones: p.AvailabilityZones,
		VPCZoneIdentifier: text(strings.Join(p.VPCZoneIdentifier, ",")), LaunchConfigurationName: p.LaunchConfigurationName, LaunchTemplate: p.LaunchTemplate,
		MixedInstancesPolicy: p.MixedInstancesPolicy, HealthCheckType: or(p.HealthCheckType, ptr("EC2")), HealthCheckGracePeriod: or(p.HealthCheckGracePeriod, ptr[int32](0)),
		TerminationPolicies: p.TerminationPolicies, NewInstancesProtectedFromScaleIn: or(p.NewInstancesProtectedFromScaleIn, ptr(false)), CapacityRebalance: p.CapacityRebalance,
		PlacementGroup: p.PlacementGroup, Context: p.Context, DesiredCapacityType: p.DesiredCapacityType, ServiceLinkedRoleARN: p.ServiceLinkedRoleARN,
		MaxInstanceLifetime: or(p.MaxInstanceLifetime, ptr[int32](0)), InstanceMaintenancePolicy: p.InstanceMaintenancePolicy,
		AvailabilityZoneDistribution: p.AvailabilityZoneDistribution, DeletionProtection: api.DeletionProtection(val(or(p.DeletionProtection, ptr("none"))))}}
	if len(u.TerminationPolicies) == 0 {
		u.TerminationPolicies = []string{"Default"}
	}
	if u.InstanceMaintenancePolicy == nil {
		u.InstanceMaintenancePolicy = &api.InstanceMaintenancePolicy{MinHealthyPercentage: ptr[int32](-1), MaxHealthyPercentage: ptr[int32](-1)}
	}
	return u
}

// resetDropped gives back their defaults to what the template has said before and says no
// more, and what a group shows only when it was said.
func (u *groupUpdate) resetDropped(before *groupProperties) {
	if before.CapacityRebalance != nil {
		u.CapacityRebalance = or(u.CapacityRebalance, ptr(false))
	}
	if before.AvailabilityZoneDistribution != nil {
		u.AvailabilityZoneDistribution = or(u.AvailabilityZoneDistribution, defaultDistribution())
	}
}

// keepUnmodified leaves sizes alone that the template has not changed: scheduled actions
// may have.
func (u *groupUpdate) keepUnmodified(p, before *groupProperties) {
	if p.MinSize == before.MinSize {
		u.MinSize = nil
	}
	if p.MaxSize == before.MaxSize {
		u.MaxSize = nil
	}
	if val(p.DesiredCapacity) == val(before.DesiredCapacity) {
		u.DesiredCapacity = nil
	}
}

func isBeingDeleted(err error) bool { return awserr.Is(err, "ScalingActivityInProgress") }

// stable waits until the group has its size in service, and fails when launches fail:
// more than allowed of them since a time.
func (t resourceGroup) stable(ctx context.Context, name string, since time.Time, allowed int) error {
	return t.until(ctx, name, func(g *api.AutoScalingGroup) (bool, error) {
		serving := 0
		for _, i := range g.Instances {
			if i.LifecycleState == api.LifecycleStateInService {
				serving++
			}
		}
		if serving == int(*g.DesiredCapacity) && serving == len(g.Instances)-standing(g) {
			return true, nil
		}
		if slices.ContainsFunc(g.SuspendedProcesses, func(p api.SuspendedProcess) bool {
			return *p.ProcessName == processLaunch || *p.ProcessName == processTerminate
		}) {
			return true, nil // it will not get there, and shall not
		}
		out, err := invoke[api.DescribeScalingActivitiesOutput](ctx, t.s, "DescribeScalingActivities", &api.DescribeScalingActivitiesInput{AutoScalingGroupName: &name})
		if err != nil {
			return false, err
		}
		failures, last := 0, ""
		for _, a := range out.Activities {
			if (a.StatusCode == failed || a.StatusCode == cancelled) && !a.StartTime.Before(since) && val(a.StatusMessage) != "" {
				failures++
				last = *a.StatusMessage
			}
		}
		if failures > allowed+1 {
			return false, &stack.PropertyError{Message: fmt.Sprintf("Group did not stabilize. {current/minimum/target} group size = {%d/%d/%d}. Failed Scaling Activity: %s", serving, *g.MinSize, *g.DesiredCapacity, last)}
		}
		return false, nil
	})
}

func standing(g *api.AutoScalingGroup) int {
	n := 0
	for _, i := range g.Instances {
		if i.LifecycleState == api.LifecycleStateStandby {
			n++
		}
	}
	return n
}

// surroundings brings to what the template says what operations of their own set: metrics,
// notifications, and in updates load balancers and hooks.
func (t resourceGroup) surroundings(ctx context.Context, name string, before, p *groupProperties) error {
	fresh := before.MaxSize == 0 && before.AutoScalingGroupName == nil && before.LaunchConfigurationName == nil && before.LaunchTemplate == nil && before.MixedInstancesPolicy == nil
	if !fresh {
		if err := t.sources(ctx, name, before, p); err != nil {
			return err
		}
		if err := t.hooks(ctx, name, before, p); err != nil {
			return err
		}
	}
	if err := t.notifications(ctx, name, before.notifications(), p.notifications()); err != nil {
		return err
	}
	if reflect.DeepEqual(before.MetricsCollection, p.MetricsCollection) {
		return nil
	}
	if len(before.MetricsCollection) > 0 {
		if _, err := invoke[api.DisableMetricsCollectionOutput](ctx, t.s, "DisableMetricsCollection", &api.DisableMetricsCollectionInput{AutoScalingGroupName: &name}); err != nil {
			return err
		}
	}
	for _, m := range p.MetricsCollection {
		_, err := invoke[api.EnableMetricsCollectionOutput](ctx, t.s, "EnableMetricsCollection",
			&api.EnableMetricsCollectionInput{AutoScalingGroupName: &name, Granularity: &m.Granularity, Metrics: m.Metrics})
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *groupProperties) notifications() []notificationProperty {
	out := p.NotificationConfigurations
	if p.NotificationConfiguration != nil {
		out = append(slices.Clip(out), *p.NotificationConfiguration)
	}
	return out
}

func (t resourceGroup) notifications(ctx context.Context, name string, before, now []notificationProperty) error {
	for _, n := range now {
		if slices.ContainsFunc(before, func(o notificationProperty) bool { return reflect.DeepEqual(o, n) }) {
			continue
		}
		_, err := invoke[api.PutNotificationConfigurationOutput](ctx, t.s, "PutNotificationConfiguration",
			&api.PutNotificationConfigurationInput{AutoScalingGroupName: &name, TopicARN: &n.TopicARN, NotificationTypes: n.NotificationTypes})
		if err != nil {
			return err
		}
	}
	for _, o := range before {
		if slices.ContainsFunc(now, func(n notificationProperty) bool { return n.TopicARN == o.TopicARN }) {
			continue
		}
		_, err := invoke[api.DeleteNotificationConfigurationOutput](ctx, t.s, "DeleteNotificationConfiguration",
			&api.DeleteNotificationConfigurationInput{AutoScalingGroupName: &name, TopicARN: &o.TopicARN})
		if err != nil && !awserr.Is(err, "ValidationError") {
			return err
		}
	}
	return nil
}

// sources attaches and detaches load balancers and target groups.
func (t resourceGroup) sources(ctx context.Context, name string, before, p *groupProperties) error {
	identify := func(p *groupProperties) ([]traffic, error) {
		return trafficOf(p.LoadBalancerNames, p.TargetGroupARNs, p.TrafficSources)
	}
	old, err := identify(before)
	if err != nil {
		return err
	}
	now, err := identify(p)
	if err != nil {
		return err
	}
	differ := func(a, b []traffic) []api.TrafficSourceIdentifier {
		var out []api.TrafficSourceIdentifier
		for _, w := range a {
			if !slices.Contains(b, w) {
				out = append(out, api.TrafficSourceIdentifier{Identifier: &w.ID, Type: &w.Type})
			}
		}
		return out
	}
	if more := differ(now, old); len(more) > 0 {
		if _, err := invoke[api.AttachTrafficSourcesOutput](ctx, t.s, "AttachTrafficSources", &api.AttachTrafficSourcesInput{AutoScalingGroupName: &name, TrafficSources: more}); err != nil {
			return err
		}
	}
	if fewer := differ(old, now); len(fewer) > 0 {
		_, err := invoke[api.DetachTrafficSourcesOutput](ctx, t.s, "DetachTrafficSources", &api.DetachTrafficSourcesInput{AutoScalingGroupName: &name, TrafficSources: fewer})
		if err != nil && !awserr.Is(err, "ValidationError") { // detached already
			return err
		}
	}
	return nil
}

// hooks brings the hooks of the list to what the template says.
func (t resourceGroup) hooks(ctx context.Context, name string, before, p *groupProperties) error {
	for _, h := range p.LifecycleHookSpecificationList {
		if slices.ContainsFunc(before.LifecycleHookSpecificationList, func(o api.LifecycleHookSpecification) bool { return reflect.DeepEqual(o, h) }) {
			continue
		}
		_, err := invoke[api.PutLifecycleHookOutput](ctx, t.s, "PutLifecycleHook", &api.PutLifecycleHookInput{AutoScalingGroupName: &name, LifecycleHookName: h.LifecycleHookName,
			LifecycleTransition: h.LifecycleTransition, NotificationMetadata: h.NotificationMetadata, HeartbeatTimeout: or(h.HeartbeatTimeout, ptr[int32](defaultBeat)),
			DefaultResult: or(h.DefaultResult, ptr(resultAbandon)), NotificationTargetARN: h.NotificationTargetARN, RoleARN: h.RoleARN})
		if err != nil {
			return err
		}
	}
	for _, o := range before.LifecycleHookSpecificationList {
		if slices.ContainsFunc(p.LifecycleHookSpecificationList, func(h api.LifecycleHookSpecification) bool { return *h.LifecycleHookName == *o.LifecycleHookName }) {
			continue
		}
		_, err := invoke[api.DeleteLifecycleHookOutput](ctx, t.s, "DeleteLifecycleHook", &api.DeleteLifecycleHookInput{AutoScalingGroupName: &name, LifecycleHookName: o.LifecycleHookName})
		if err != nil && !absentGroup(err) {
			return err
		}
	}
	return nil
}

// retag brings the group's tags to what template and stack say.
func (t resourceGroup) retag(ctx context.Context, r stack.Request, before, p *groupProperties) error {
	old := r
	old.Tags = r.OldTags
	was, now := before.tags(old), p.tags(r)
	for _, list := range [][]api.Tag{was, now} {
		for i := range list {
			list[i].ResourceId, list[i].ResourceType = &r.PhysicalID, ptr(groupResource)
		}
	}
	if reflect.DeepEqual(was, now) {
		return nil
	}
	if gone := slices.DeleteFunc(slices.Clone(was), func(o api.Tag) bool {
		return slices.ContainsFunc(now, func(n api.Tag) bool { return *n.Key == *o.Key })
	}); len(gone) > 0 {
		if _, err := invoke[api.DeleteTagsOutput](ctx, t.s, "DeleteTags", &api.DeleteTagsInput{Tags: gone}); err != nil {
			return err
		}
	}
	if len(now) == 0 {
		return nil
	}
	_, err := invoke[api.CreateOrUpdateTagsOutput](ctx, t.s, "CreateOrUpdateTags", &api.CreateOrUpdateTagsInput{Tags: now})
	return err
}
