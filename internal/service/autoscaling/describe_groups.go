package autoscaling

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/store"
)

// DescribeAutoScalingGroups lists groups by name, with their instances.
func (s *Service) DescribeAutoScalingGroups(ctx context.Context, in *api.DescribeAutoScalingGroupsInput) (*api.DescribeAutoScalingGroupsOutput, error) {
	c := aws.CallFrom(ctx)
	out := &api.DescribeAutoScalingGroupsOutput{AutoScalingGroups: []api.AutoScalingGroup{}}
	for _, f := range in.Filters {
		if n := val(f.Name); !slices.Contains([]string{"tag-key", "tag-value", "tag:"}, n) && !strings.HasPrefix(n, "tag:") {
			return nil, invalid("Filter name %s is not supported", n)
		}
	}
	return out, s.view(ctx, func(tx *store.Tx) error {
		rows, err := groups.List(tx, scope(key(c, "")), "", 0)
		if err != nil {
			return err
		}
		rows = slices.DeleteFunc(rows, func(r store.Row[group]) bool {
			named := len(in.AutoScalingGroupNames) == 0 || slices.Contains(in.AutoScalingGroupNames, r.Value.Name) || slices.Contains(in.AutoScalingGroupNames, r.Value.ARN)
			return !named || !r.Value.matches(in.Filters)
		})
		rows, out.NextToken, err = namedPage(rows, in.NextToken, in.MaxRecords)
		for _, r := range rows {
			list, listErr := membersOf(tx, r.Key)
			if listErr != nil {
				return listErr
			}
			if in.IncludeInstances != nil && !*in.IncludeInstances {
				list = nil
			}
			out.AutoScalingGroups = append(out.AutoScalingGroups, *describeGroup(r.Key, r.Value, list))
		}
		return err
	})
}

// matches reports whether the tags of a group satisfy all filters.
func (g *group) matches(filters []api.Filter) bool {
	for _, f := range filters {
		name := val(f.Name)
		ok := slices.ContainsFunc(g.Tags, func(t tag) bool {
			switch name {
			case "tag-key":
				return slices.ContainsFunc(f.Values, func(v string) bool { return wildcard(v, t.Key) })
			case "tag-value":
				return slices.ContainsFunc(f.Values, func(v string) bool { return wildcard(v, t.Value) })
			}
			return t.Key == strings.TrimPrefix(name, "tag:") && slices.ContainsFunc(f.Values, func(v string) bool { return wildcard(v, t.Value) })
		})
		if !ok {
			return false
		}
	}
	return true
}

// wildcard compares a filter's value, in which * stands for anything.
func wildcard(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return strings.HasSuffix(s, parts[len(parts)-1])
}

func describeGroup(k store.Key, g *group, list []*member) *api.AutoScalingGroup {
	out := &api.AutoScalingGroup{
		AutoScalingGroupName: &g.Name, AutoScalingGroupARN: &g.ARN, MinSize: &g.Min, MaxSize: &g.Max, DesiredCapacity: &g.Desired,
		DefaultCooldown: &g.Cooldown, AvailabilityZones: orEmpty(g.Zones), LoadBalancerNames: g.names(classicSource), TargetGroupARNs: g.names(targetSource),
		HealthCheckType: &g.HealthCheck, HealthCheckGracePeriod: &g.Grace, CreatedTime: &g.Created, VPCZoneIdentifier: &g.Subnets,
		NewInstancesProtectedFromScaleIn: &g.Protect, ServiceLinkedRoleARN: &g.Role, TerminationPolicies: g.Termination, Status: text(g.Status),
		LaunchConfigurationName: text(g.Configuration), LaunchTemplate: shownTemplate(g.Template), MixedInstancesPolicy: shownMixed(g.Mixed),
		DefaultInstanceWarmup: g.Warmup, InstanceMaintenancePolicy: g.Maintenance, DeletionProtection: g.DeletionGuard, CapacityRebalance: g.Rebalance,
		Instances: []api.Instance{}, SuspendedProcesses: []api.SuspendedProcess{}, EnabledMetrics: []api.EnabledMetric{}, Tags: []api.TagDescription{},
		TrafficSources: []api.TrafficSourceIdentifier{}, AvailabilityZoneDistribution: g.Distribution,
		CapacityReservationSpecification: &api.CapacityReservationSpecification{CapacityReservationPreference: "default"},
	}
	if g.Reservation != "" {
		out.CapacityReservationSpecification.CapacityReservationPreference = g.Reservation
	}
	if g.Lifetime > 0 {
		out.MaxInstanceLifetime = &g.Lifetime
	}
	if out.AvailabilityZoneDistribution == nil {
		out.AvailabilityZoneDistribution = defaultDistribution()
	}
	for _, m := range list {
		if m.Instance != "" {
			out.Instances = append(out.Instances, describeMember(m))
		}
	}
	for _, p := range slices.Sorted(maps.Keys(g.Suspended)) {
		out.SuspendedProcesses = append(out.SuspendedProcesses, api.SuspendedProcess{ProcessName: &p, SuspensionReason: ptr(g.Suspended[p])})
	}
	for _, m := range g.Metrics {
		out.EnabledMetrics = append(out.EnabledMetrics, api.EnabledMetric{Metric: &m, Granularity: ptr(oneMinute)})
	}
	for _, t := range g.Tags {
		out.Tags = append(out.Tags, describeTag(g.Name, t))
	}
	for _, t := range g.Traffic {
		if t.State != removing {
			out.TrafficSources = append(out.TrafficSources, api.TrafficSourceIdentifier{Identifier: &t.ID, Type: &t.Type})
		}
	}
	return out
}

func defaultDistribution() *api.AvailabilityZoneDistribution {
	return &api.AvailabilityZoneDistribution{CapacityDistributionStrategy: "balanced-best-effort"}
}

// shownTemplate fills in the version that no version means.
func shownTemplate(t *api.LaunchTemplateSpecification) *api.LaunchTemplateSpecification {
	if t == nil || t.Version != nil {
		return t
	}
	shown := *t
	shown.Version = ptr("$Default")
	return &shown
}

// shownMixed fills in the defaults of a mixed instances policy.
func shownMixed(p *api.MixedInstancesPolicy) *api.MixedInstancesPolicy {
	if p == nil {
		return nil
	}
	shown, l, d := *p, *p.LaunchTemplate, api.InstancesDistribution{}
	if p.InstancesDistribution != nil {
		d = *p.InstancesDistribution
	}
	d.OnDemandAllocationStrategy = or(d.OnDemandAllocationStrategy, ptr("prioritized"))
	d.OnDemandBaseCapacity = or(d.OnDemandBaseCapacity, ptr[int32](0))
	d.OnDemandPercentageAboveBaseCapacity = or(d.OnDemandPercentageAboveBaseCapacity, ptr[int32](100))
	d.SpotAllocationStrategy = or(d.SpotAllocationStrategy, ptr("lowest-price"))
	l.LaunchTemplateSpecification, l.Overrides = shownTemplate(l.LaunchTemplateSpecification), orEmpty(l.Overrides)
	shown.LaunchTemplate, shown.InstancesDistribution = &l, &d
	return &shown
}

func (m *member) health() string {
	if m.Unhealthy {
		return "Unhealthy"
	}
	return "Healthy"
}

func describeMember(m *member) api.Instance {
	return api.Instance{InstanceId: &m.Instance, InstanceType: text(m.Type), AvailabilityZone: &m.Zone, LifecycleState: m.State, HealthStatus: ptr(m.health()),
		LaunchConfigurationName: text(m.Configuration), LaunchTemplate: m.Template, ProtectedFromScaleIn: &m.Protected, ImageId: text(m.Image)}
}

// DescribeAutoScalingInstances lists the instances of all groups.
func (s *Service) DescribeAutoScalingInstances(ctx context.Context, in *api.DescribeAutoScalingInstancesInput) (*api.DescribeAutoScalingInstancesOutput, error) {
	c := aws.CallFrom(ctx)
	out := &api.DescribeAutoScalingInstancesOutput{AutoScalingInstances: []api.AutoScalingInstanceDetails{}}
	return out, s.view(ctx, func(tx *store.Tx) error {
		rows, err := members.List(tx, scope(key(c, "")), "", 0)
		if err != nil {
			return err
		}
		rows = slices.DeleteFunc(rows, func(r store.Row[member]) bool {
			return r.Value.Instance == "" || len(in.InstanceIds) > 0 && !slices.Contains(in.InstanceIds, r.Value.Instance)
		})
		slices.SortFunc(rows, func(a, b store.Row[member]) int { return strings.Compare(a.Value.Instance, b.Value.Instance) })
		rows, out.NextToken, err = page(rows, in.NextToken, in.MaxRecords, pageSize, func(r store.Row[member]) string { return r.Value.Instance })
		for _, r := range rows {
			m := r.Value
			out.AutoScalingInstances = append(out.AutoScalingInstances, api.AutoScalingInstanceDetails{
				InstanceId: &m.Instance, InstanceType: text(m.Type), AutoScalingGroupName: &m.Group, AvailabilityZone: &m.Zone,
				LifecycleState: ptr(string(m.State)), HealthStatus: ptr(strings.ToUpper(m.health())), LaunchConfigurationName: text(m.Configuration),
				LaunchTemplate: m.Template, ProtectedFromScaleIn: &m.Protected, ImageId: text(m.Image)})
		}
		return err
	})
}
