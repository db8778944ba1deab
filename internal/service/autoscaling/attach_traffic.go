package autoscaling

import (
	"context"
	"fmt"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/store"
)

const maxTraffic = 50

// attach gives a group more sources.
func (s *Service) attach(ctx context.Context, name string, list []traffic) error {
	k := key(aws.CallFrom(ctx), name)
	var g *group
	err := s.view(ctx, func(tx *store.Tx) (err error) {
		g, err = getGroup(tx, k)
		return err
	})
	if err != nil {
		return err
	}
	as, err := s.acting(ctx, k, g.Role)
	if err != nil {
		return fmt.Errorf("act as %s: %w", g.Role, err)
	}
	if err := s.judgeTraffic(as, list); err != nil {
		return err
	}
	return s.changeGroup(ctx, k, "attach traffic sources", func(tx *store.Tx, g *group) error {
		if err := noRefreshOf(tx, k); err != nil {
			return err
		}
		for _, t := range list {
			i := slices.IndexFunc(g.Traffic, func(o traffic) bool { return o.Type == t.Type && o.ID == t.ID })
			switch {
			case i < 0:
				g.Traffic = append(g.Traffic, t)
			case g.Traffic[i].State == removing:
				g.Traffic[i].State = adding
			}
		}
		if len(g.Traffic) > maxTraffic {
			return limitExceeded("A group has at most %d traffic sources.", maxTraffic)
		}
		return nil
	})
}

// detach takes sources from a group; instances that are in service go on.
func (s *Service) detach(ctx context.Context, name string, list []traffic) error {
	return s.changeGroup(ctx, key(aws.CallFrom(ctx), name), "detach traffic sources", func(tx *store.Tx, g *group) error {
		if err := noRefreshOf(tx, key(aws.CallFrom(ctx), name)); err != nil {
			return err
		}
		for _, t := range list {
			i := slices.IndexFunc(g.Traffic, func(o traffic) bool { return o.Type == t.Type && o.ID == t.ID })
			switch {
			case i < 0 && t.Type == classicSource:
				return invalid("Trying to remove Load Balancers that are not part of the group: [%s]", t.ID)
			case i < 0:
				return invalid("Trying to remove Target Groups that are not part of the group: [%s]", t.ID)
			}
			g.Traffic[i].State = removing
		}
		return nil
	})
}

// AttachLoadBalancers puts a group behind classic load balancers.
func (s *Service) AttachLoadBalancers(ctx context.Context, in *api.AttachLoadBalancersInput) (*api.AttachLoadBalancersOutput, error) {
	list, err := trafficOf(in.LoadBalancerNames, nil, nil)
	if err != nil {
		return nil, err
	}
	return &api.AttachLoadBalancersOutput{}, s.attach(ctx, *in.AutoScalingGroupName, list)
}

// DetachLoadBalancers takes a group from classic load balancers.
func (s *Service) DetachLoadBalancers(ctx context.Context, in *api.DetachLoadBalancersInput) (*api.DetachLoadBalancersOutput, error) {
	list, err := trafficOf(in.LoadBalancerNames, nil, nil)
	if err != nil {
		return nil, err
	}
	return &api.DetachLoadBalancersOutput{}, s.detach(ctx, *in.AutoScalingGroupName, list)
}

// AttachLoadBalancerTargetGroups makes a group's instances targets.
func (s *Service) AttachLoadBalancerTargetGroups(ctx context.Context, in *api.AttachLoadBalancerTargetGroupsInput) (*api.AttachLoadBalancerTargetGroupsOutput, error) {
	list, err := trafficOf(nil, in.TargetGroupARNs, nil)
	if err != nil {
		return nil, err
	}
	return &api.AttachLoadBalancerTargetGroupsOutput{}, s.attach(ctx, *in.AutoScalingGroupName, list)
}

// DetachLoadBalancerTargetGroups takes a group from target groups.
func (s *Service) DetachLoadBalancerTargetGroups(ctx context.Context, in *api.DetachLoadBalancerTargetGroupsInput) (*api.DetachLoadBalancerTargetGroupsOutput, error) {
	list, err := trafficOf(nil, in.TargetGroupARNs, nil)
	if err != nil {
		return nil, err
	}
	return &api.DetachLoadBalancerTargetGroupsOutput{}, s.detach(ctx, *in.AutoScalingGroupName, list)
}

// AttachTrafficSources attaches sources of any type.
func (s *Service) AttachTrafficSources(ctx context.Context, in *api.AttachTrafficSourcesInput) (*api.AttachTrafficSourcesOutput, error) {
	list, err := trafficOf(nil, nil, in.TrafficSources)
	if err == nil && val(in.SkipZonalShiftValidation) {
		err = notHonoured("SkipZonalShiftValidation")
	}
	if err != nil {
		return nil, err
	}
	return &api.AttachTrafficSourcesOutput{}, s.attach(ctx, *in.AutoScalingGroupName, list)
}

// DetachTrafficSources detaches sources of any type.
func (s *Service) DetachTrafficSources(ctx context.Context, in *api.DetachTrafficSourcesInput) (*api.DetachTrafficSourcesOutput, error) {
	list, err := trafficOf(nil, nil, in.TrafficSources)
	if err != nil {
		return nil, err
	}
	return &api.DetachTrafficSourcesOutput{}, s.detach(ctx, *in.AutoScalingGroupName, list)
}

// sources lists a page of a group's sources of a type, "" for all.
func (s *Service) sources(ctx context.Context, name, kind string, token *string, limit *int32) (list []traffic, next *string, err error) {
	err = s.view(ctx, func(tx *store.Tx) error {
		g, err := getGroup(tx, key(aws.CallFrom(ctx), name))
		if err != nil {
			return err
		}
		for _, t := range g.Traffic {
			if kind == "" || t.Type == kind {
				list = append(list, t)
			}
		}
		list, next, err = page(list, token, or(limit, ptr[int32](maxPageSize)), maxPageSize, func(t traffic) string { return t.ID })
		return err
	})
	return list, next, err
}

// DescribeLoadBalancers lists a group's classic load balancers.
func (s *Service) DescribeLoadBalancers(ctx context.Context, in *api.DescribeLoadBalancersInput) (*api.DescribeLoadBalancersOutput, error) {
	list, next, err := s.sources(ctx, *in.AutoScalingGroupName, classicSource, in.NextToken, in.MaxRecords)
	out := &api.DescribeLoadBalancersOutput{LoadBalancers: []api.LoadBalancerState{}, NextToken: next}
	for _, t := range list {
		out.LoadBalancers = append(out.LoadBalancers, api.LoadBalancerState{LoadBalancerName: &t.ID, State: &t.State})
	}
	return out, err
}

// DescribeLoadBalancerTargetGroups lists a group's target groups.
func (s *Service) DescribeLoadBalancerTargetGroups(ctx context.Context, in *api.DescribeLoadBalancerTargetGroupsInput) (*api.DescribeLoadBalancerTargetGroupsOutput, error) {
	list, next, err := s.sources(ctx, *in.AutoScalingGroupName, targetSource, in.NextToken, in.MaxRecords)
	out := &api.DescribeLoadBalancerTargetGroupsOutput{LoadBalancerTargetGroups: []api.LoadBalancerTargetGroupState{}, NextToken: next}
	for _, t := range list {
		out.LoadBalancerTargetGroups = append(out.LoadBalancerTargetGroups, api.LoadBalancerTargetGroupState{LoadBalancerTargetGroupARN: &t.ID, State: &t.State})
	}
	return out, err
}

// DescribeTrafficSources lists a group's sources of all types or one.
func (s *Service) DescribeTrafficSources(ctx context.Context, in *api.DescribeTrafficSourcesInput) (*api.DescribeTrafficSourcesOutput, error) {
	kind := val(in.TrafficSourceType)
	if !slices.Contains([]string{"", classicSource, targetSource, "vpc-lattice"}, kind) {
		return nil, invalid("Invalid traffic source type: %s", kind)
	}
	list, next, err := s.sources(ctx, *in.AutoScalingGroupName, kind, in.NextToken, or(in.MaxRecords, ptr[int32](pageSize)))
	out := &api.DescribeTrafficSourcesOutput{TrafficSources: []api.TrafficSourceState{}, NextToken: next}
	for _, t := range list {
		state := api.TrafficSourceState{Identifier: &t.ID, Type: &t.Type, State: &t.State}
		if t.Type == classicSource || t.Type == targetSource {
			state.TrafficSource = &t.ID
		}
		out.TrafficSources = append(out.TrafficSources, state)
	}
	return out, err
}
