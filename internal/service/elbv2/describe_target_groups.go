package elbv2

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/store"
)

// DescribeTargetGroups describes groups: all, those named, or those of a balancer.
func (s *Service) DescribeTargetGroups(ctx context.Context, in *api.DescribeTargetGroupsInput) (*api.DescribeTargetGroupsOutput, error) {
	ways := 0
	for _, given := range []bool{in.LoadBalancerArn != nil, len(in.TargetGroupArns) > 0, len(in.Names) > 0} {
		if given {
			ways++
		}
	}
	if ways > 1 {
		return nil, invalid("Target group names, target group ARNs, and a load balancer ARN cannot be specified at the same time")
	}
	out := &api.DescribeTargetGroupsOutput{TargetGroups: []api.TargetGroup{}}
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := s.groupsAsked(ctx, tx, in)
		if err != nil {
			return err
		}
		slices.SortStableFunc(rows, func(a, b store.Row[group]) int { return strings.Compare(a.Value.Name, b.Value.Name) })
		rows, next, err := page(rows, in.Marker, in.PageSize)
		out.NextMarker = next
		for i := 0; i < len(rows) && err == nil; i++ {
			err = describeInto(tx, rows[i].Key, rows[i].Value, &out.TargetGroups)
		}
		return err
	})
	return out, err
}

func (s *Service) groupsAsked(ctx context.Context, tx *store.Tx, in *api.DescribeTargetGroupsInput) ([]store.Row[group], error) {
	c := aws.CallFrom(ctx)
	scope := store.Key{Account: c.Account, Region: c.Region}
	switch {
	case len(in.TargetGroupArns) > 0:
		return get(tx, groups, scope, kindGroup, in.TargetGroupArns)
	case len(in.Names) > 0:
		var rows []store.Row[group]
		for _, name := range in.Names {
			found, err := groups.Lookup(tx, "name", scoped(scope, name))
			if err != nil {
				return nil, err
			}
			if len(found) == 0 {
				return nil, oneOrMore(kindGroup)
			}
			rows = append(rows, found...)
		}
		return rows, nil
	case in.LoadBalancerArn != nil:
		k, _, err := owned(ctx, tx, balancers, kindBalancer, *in.LoadBalancerArn)
		if err != nil {
			return nil, err
		}
		used, err := groupsUsed(tx, k)
		var rows []store.Row[group]
		for _, id := range used {
			g, err := groups.Get(tx, at(k, id))
			if err != nil {
				return nil, err
			}
			rows = append(rows, store.Row[group]{Key: at(k, id), Value: g})
		}
		return rows, err
	}
	return groups.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
}

// groupsUsed are the IDs of the groups that a balancer's listeners and rules forward
// to, sorted.
func groupsUsed(tx *store.Tx, k store.Key) (out []string, err error) {
	ls, err := listenersOf(tx, k)
	if err != nil {
		return nil, err
	}
	add := func(actions []api.Action) {
		for _, name := range forwardedTo(actions) {
			if g, err := openGroup(name); err == nil {
				out = append(out, g.ID)
			}
		}
	}
	for _, l := range ls {
		add(l.Value.Actions)
		rs, err := rulesOf(tx, l.Key)
		if err != nil {
			return nil, err
		}
		for _, r := range rs {
			add(r.Value.Actions)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// describeInto adds a group as operations show it.
func describeInto(tx *store.Tx, k store.Key, g *group, to *[]api.TargetGroup) error {
	users, err := usersOf(tx, k)
	if err != nil {
		return err
	}
	out := api.TargetGroup{
		TargetGroupArn: aws.Ptr(groupARN(k)), TargetGroupName: &g.Name, Protocol: g.Protocol, Port: &g.Port, VpcId: &g.VPC,
		HealthCheckProtocol: g.Check.Protocol, HealthCheckPort: &g.Check.Port, HealthCheckEnabled: aws.Ptr(true),
		HealthCheckIntervalSeconds: &g.Check.Interval, HealthCheckTimeoutSeconds: &g.Check.Timeout,
		HealthyThresholdCount: &g.Check.Healthy, UnhealthyThresholdCount: &g.Check.Unhealthy, HealthCheckPath: given(g.Check.Path),
		LoadBalancerArns: []string{}, TargetType: g.TargetType, ProtocolVersion: given(g.Version), IpAddressType: ipv4,
	}
	if g.Check.Protocol != tcp {
		out.Matcher = &api.Matcher{HttpCode: given(g.Check.HTTPCode), GrpcCode: given(g.Check.GRPCCode)}
	}
	for _, id := range users {
		out.LoadBalancerArns = append(out.LoadBalancerArns, balancerARN(at(k, id)))
	}
	*to = append(*to, out)
	return nil
}

// ModifyTargetGroup changes how a group's targets are checked.
func (s *Service) ModifyTargetGroup(ctx context.Context, in *api.ModifyTargetGroupInput) (*api.ModifyTargetGroupOutput, error) {
	out := &api.ModifyTargetGroupOutput{}
	err := s.changeGroup(ctx, *in.TargetGroupArn, "health check", func(tx *store.Tx, k store.Key, g *group) error {
		err := g.setCheck(checkInput{in.HealthCheckProtocol, in.HealthCheckPort, in.HealthCheckPath, in.HealthCheckEnabled,
			in.HealthCheckIntervalSeconds, in.HealthCheckTimeoutSeconds, in.HealthyThresholdCount, in.UnhealthyThresholdCount, in.Matcher})
		if err != nil {
			return err
		}
		return describeInto(tx, k, g, &out.TargetGroups)
	})
	return out, err
}

func (s *Service) viewGroup(ctx context.Context, name string, f func(*store.Tx, store.Key, *group) error) error {
	return view(ctx, s, groups, kindGroup, name, f)
}

// changeGroup changes a group, and tells the balancers that use it.
func (s *Service) changeGroup(ctx context.Context, name, cause string, f func(*store.Tx, store.Key, *group) error) error {
	c := aws.CallFrom(ctx)
	return change(ctx, s, groups, kindGroup, name, func(tx *store.Tx, k store.Key, g *group) error {
		if err := f(tx, k, g); err != nil {
			return err
		}
		tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: signer, Resource: name, Kind: "group", Cause: cause, RequestID: c.RequestID})
		return emitUsers(tx, c, k, cause)
	})
}

// emitUsers is emitWork for the balancers that use a group.
func emitUsers(tx *store.Tx, c aws.Call, k store.Key, cause string) error {
	users, err := usersOf(tx, k)
	for _, id := range users {
		emitWork(tx, c, at(k, id), cause)
	}
	return err
}
