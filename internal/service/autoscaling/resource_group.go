package autoscaling

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

// resourceGroup is AWS::AutoScaling::AutoScalingGroup. Ref is the name.
type resourceGroup struct{ s *Service }

type groupProperties struct {
	AutoScalingGroupName             *string
	MinSize, MaxSize                 int32
	DesiredCapacity                  *int32
	Cooldown                         *int32
	DefaultInstanceWarmup            *int32
	AvailabilityZones                []string
	VPCZoneIdentifier                []string
	LaunchConfigurationName          *string
	LaunchTemplate                   *api.LaunchTemplateSpecification
	MixedInstancesPolicy             *api.MixedInstancesPolicy
	InstanceId                       *string
	HealthCheckType                  *string
	HealthCheckGracePeriod           *int32
	LoadBalancerNames                []string
	TargetGroupARNs                  []string
	TrafficSources                   []api.TrafficSourceIdentifier
	TerminationPolicies              []string
	NewInstancesProtectedFromScaleIn *bool
	CapacityRebalance                *bool
	PlacementGroup                   *string
	Context                          *string
	DesiredCapacityType              *string
	ServiceLinkedRoleARN             *string
	MaxInstanceLifetime              *int32
	InstanceMaintenancePolicy        *api.InstanceMaintenancePolicy
	AvailabilityZoneDistribution     *api.AvailabilityZoneDistribution
	DeletionProtection               *string
	LifecycleHookSpecificationList   []api.LifecycleHookSpecification
	MetricsCollection                []metricsProperty
	NotificationConfiguration        *notificationProperty
	NotificationConfigurations       []notificationProperty
	Tags                             []stack.Tag
}

type metricsProperty struct {
	Granularity string `cfn:",required"`
	Metrics     []string
}

type notificationProperty struct {
	TopicARN          string `cfn:",required"`
	NotificationTypes []string
}

// Schema implements stack.Resource.
func (resourceGroup) Schema() stack.Schema {
	sc := stack.SchemaOf(groupProperties{})
	sc.Attributes = []string{"AutoScalingGroupARN"}
	sc.Taggable, sc.Signals, sc.UpdatePolicy, sc.NameProperty = true, true, true, "AutoScalingGroupName"
	return sc
}

// tags are those of the group: the template's own, and the stack's, which go on to the
// instances.
func (p *groupProperties) tags(r stack.Request) []api.Tag {
	var out []api.Tag
	for _, t := range r.TagsWith(p.Tags) {
		propagate := true
		for _, own := range p.Tags {
			if own.Key == t.Key {
				propagate = val(own.PropagateAtLaunch)
			}
		}
		out = append(out, api.Tag{Key: &t.Key, Value: &t.Value, PropagateAtLaunch: &propagate})
	}
	return out
}

func (p *groupProperties) createInput(r stack.Request, name string) *api.CreateAutoScalingGroupInput {
	in := &api.CreateAutoScalingGroupInput{AutoScalingGroupName: &name, MinSize: &p.MinSize, MaxSize: &p.MaxSize, DesiredCapacity: p.DesiredCapacity,
		DefaultCooldown: p.Cooldown, DefaultInstanceWarmup: p.DefaultInstanceWarmup, AvailabilityZones: p.AvailabilityZones, VPCZoneIdentifier: text(strings.Join(p.VPCZoneIdentifier, ",")),
		LaunchConfigurationName: p.LaunchConfigurationName, LaunchTemplate: p.LaunchTemplate, MixedInstancesPolicy: p.MixedInstancesPolicy, InstanceId: p.InstanceId,
		HealthCheckType: p.HealthCheckType, HealthCheckGracePeriod: p.HealthCheckGracePeriod, LoadBalancerNames: p.LoadBalancerNames, TargetGroupARNs: p.TargetGroupARNs,
		TrafficSources: p.TrafficSources, TerminationPolicies: p.TerminationPolicies, NewInstancesProtectedFromScaleIn: p.NewInstancesProtectedFromScaleIn,
		CapacityRebalance: p.CapacityRebalance, PlacementGroup: p.PlacementGroup, Context: p.Context, DesiredCapacityType: p.DesiredCapacityType,
		ServiceLinkedRoleARN: p.ServiceLinkedRoleARN, MaxInstanceLifetime: p.MaxInstanceLifetime, InstanceMaintenancePolicy: p.InstanceMaintenancePolicy,
		AvailabilityZoneDistribution: p.AvailabilityZoneDistribution, DeletionProtection: api.DeletionProtection(val(p.DeletionProtection)),
		LifecycleHookSpecificationList: p.LifecycleHookSpecificationList, Tags: p.tags(r)}
	if in.HealthCheckGracePeriod == nil && strings.Contains(val(p.HealthCheckType), "ELB") {
		in.HealthCheckGracePeriod = ptr[int32](0)
	}
	return in
}

// Create implements stack.Resource.
func (t resourceGroup) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p groupProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	name := own(r, p.AutoScalingGroupName)
	began := t.s.now()
	if _, err := invoke[api.CreateAutoScalingGroupOutput](ctx, t.s, "CreateAutoScalingGroup", p.createInput(r, name)); err != nil {
		return stack.Result{}, err
	}
	started(name)
	r.PhysicalID = name
	if err := t.surroundings(ctx, name, &groupProperties{}, &p); err != nil {
		return stack.Result{PhysicalID: name}, err
	}
	if !stack.Express(ctx) {
		if err := t.stable(ctx, name, began, 0); err != nil {
			return stack.Result{PhysicalID: name}, err
		}
	}
	return t.Read(ctx, r)
}

func (t resourceGroup) find(ctx context.Context, name string) (*api.AutoScalingGroup, error) {
	out, err := invoke[api.DescribeAutoScalingGroupsOutput](ctx, t.s, "DescribeAutoScalingGroups", &api.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{name}})
	if err == nil && len(out.AutoScalingGroups) == 0 {
		return nil, stack.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &out.AutoScalingGroups[0], nil
}

// Read implements stack.Resource.
func (t resourceGroup) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	g, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return stack.Result{}, err
	}
	return stack.Result{PhysicalID: r.PhysicalID, Attributes: map[string]any{"AutoScalingGroupARN": *g.AutoScalingGroupARN}}, nil
}

// changed is closed at the next change of the group.
func (t resourceGroup) changed(ctx context.Context, name string) <-chan struct{} {
	c := aws.CallFrom(ctx)
	return t.s.cfg.DB.Changed(store.Filter{Account: c.Account, Region: c.Region, Service: signing, Kind: workKind, Resource: name})
}

// until waits for a condition of the group, which says whether it holds.
func (t resourceGroup) until(ctx context.Context, name string, holds func(*api.AutoScalingGroup) (bool, error)) error {
	for {
		changed := t.changed(ctx, name)
		g, err := t.find(ctx, name)
		if err != nil {
			return err
		}
		if done, err := holds(g); done || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Delete implements stack.Resource. The group is emptied first, so that the hooks of its
// instances are heard; what is protected from that goes by force.
func (t resourceGroup) Delete(ctx context.Context, r stack.Request) error {
	zero := ptr[int32](0)
	_, err := invoke[api.UpdateAutoScalingGroupOutput](ctx, t.s, "UpdateAutoScalingGroup",
		&api.UpdateAutoScalingGroupInput{AutoScalingGroupName: &r.PhysicalID, MinSize: zero, MaxSize: zero, DesiredCapacity: zero})
	if absentGroup(err) {
		return nil
	}
	if err != nil && !isBeingDeleted(err) {
		return err
	}
	err = t.until(ctx, r.PhysicalID, func(g *api.AutoScalingGroup) (bool, error) {
		return !slices.ContainsFunc(g.Instances, func(i api.Instance) bool {
			return !val(i.ProtectedFromScaleIn) && i.LifecycleState != api.LifecycleStateStandby
		}), nil
	})
	if err == nil {
		_, err = invoke[api.DeleteAutoScalingGroupOutput](ctx, t.s, "DeleteAutoScalingGroup", &api.DeleteAutoScalingGroupInput{AutoScalingGroupName: &r.PhysicalID, ForceDelete: ptr(true)})
	}
	if err == nil {
		err = t.until(ctx, r.PhysicalID, func(*api.AutoScalingGroup) (bool, error) { return false, nil })
	}
	if absentGroup(err) || err == stack.ErrNotFound { //nolint:errorlint // find returns it as it is
		return nil
	}
	return err
}

// Live implements stack.Live.
func (t resourceGroup) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	g, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	live := map[string]any{"AutoScalingGroupName": *g.AutoScalingGroupName, "MinSize": fmt.Sprint(*g.MinSize), "MaxSize": fmt.Sprint(*g.MaxSize), "DesiredCapacity": fmt.Sprint(*g.DesiredCapacity),
		"Cooldown": fmt.Sprint(*g.DefaultCooldown), "HealthCheckType": *g.HealthCheckType, "HealthCheckGracePeriod": int64(*g.HealthCheckGracePeriod),
		"LaunchConfigurationName": liveText(g.LaunchConfigurationName), "VPCZoneIdentifier": texts(splitSubnets(*g.VPCZoneIdentifier)),
		"LoadBalancerNames": texts(g.LoadBalancerNames), "TargetGroupARNs": texts(g.TargetGroupARNs), "TerminationPolicies": texts(g.TerminationPolicies),
		"NewInstancesProtectedFromScaleIn": *g.NewInstancesProtectedFromScaleIn, "MaxInstanceLifetime": liveNumber(g.MaxInstanceLifetime)}
	tags := []any{}
	for _, tag := range g.Tags {
		tags = append(tags, map[string]any{"Key": *tag.Key, "Value": *tag.Value, "PropagateAtLaunch": *tag.PropagateAtLaunch})
	}
	live["Tags"] = tags
	return live, nil
}
