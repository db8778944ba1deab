package elbv2

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	ec2api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

const maxTargets = 1000

// kindHealth marks the events of targets: registration and health.
const kindHealth = "health"

func emitHealth(tx *store.Tx, c aws.Call, g store.Key, cause string) {
	tx.Emit(store.Event{Account: g.Account, Region: g.Region, Service: signer, Resource: groupARN(g), Kind: kindHealth, Cause: cause, RequestID: c.RequestID})
}

func targetKey(g store.Key, id string, port int32) store.Key {
	return at(g, g.ID+"|"+id+"|"+strconv.Itoa(int(port)))
}

// RegisterTargets adds targets to a group. One that drains comes back.
func (s *Service) RegisterTargets(ctx context.Context, in *api.RegisterTargetsInput) (*api.RegisterTargetsOutput, error) {
	var g *group
	err := s.viewGroup(ctx, *in.TargetGroupArn, func(_ *store.Tx, _ store.Key, found *group) error {
		g = found
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(in.Targets) == 0 {
		return nil, invalid("At least one target must be specified")
	}
	found, err := s.resolve(ctx, g, in.Targets)
	if err != nil {
		return nil, err
	}
	c := aws.CallFrom(ctx)
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		k, _, err := owned(ctx, tx, groups, kindGroup, *in.TargetGroupArn)
		if err != nil {
			return err
		}
		for i := range found {
			if err := register(tx, k, &found[i]); err != nil {
				return err
			}
		}
		rows, err := targetsOf(tx, k)
		if err != nil {
			return err
		}
		limit := maxTargets
		if g.TargetType == byALB {
			limit = 1
		}
		if len(rows) > limit {
			return awserr.New("TooManyTargets", "The maximum number of targets has been reached for the target group '%s'", *in.TargetGroupArn)
		}
		emitHealth(tx, c, k, "registered")
		return emitUsers(tx, c, k, "targets")
	})
	return &api.RegisterTargetsOutput{}, err
}

func register(tx *store.Tx, g store.Key, t *target) error {
	k := targetKey(g, t.ID, t.Port)
	old, err := targets.Get(tx, k)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil && old.Leaves.IsZero() { // it is there: what it is asked as may differ
		t.Health, t.Stopped = old.Health, old.Stopped
	}
	return targets.Put(tx, k, t)
}

// resolve finds out where targets are.
func (s *Service) resolve(ctx context.Context, g *group, list []api.TargetDescription) ([]target, error) {
	var out []target
	for _, d := range list {
		if d.QuicServerId != nil {
			return nil, notBuilt("the protocol QUIC")
		}
		t := target{ID: aws.Val(d.Id), Port: g.Port, Asked: aws.Val(d.AvailabilityZone)}
		if d.Port != nil {
			t.Port = *d.Port
		}
		if t.Asked != "" && g.TargetType != byIP {
			return nil, invalid("The Availability Zone cannot be specified for targets of target groups with target type '%s'", g.TargetType)
		}
		out = append(out, t)
	}
	switch g.TargetType {
	case byIP:
		return out, s.resolveAddresses(ctx, g, out)
	case byALB:
		return out, s.resolveBalancers(ctx, g, out)
	}
	return out, s.resolveInstances(ctx, g, out)
}

func (s *Service) resolveInstances(ctx context.Context, g *group, list []target) error {
	var names []string
	for _, t := range list {
		if !strings.HasPrefix(t.ID, "i-") {
			return invalid("Instance ID '%s' is not valid", t.ID)
		}
		names = append(names, t.ID)
	}
	found, err := s.instances(ctx, names)
	if err != nil {
		return err
	}
	var lost, stopped, foreign []string
	for i := range list {
		t := &list[i]
		inst, ok := found[t.ID]
		switch {
		case !ok:
			lost = append(lost, t.ID)
		case inst.State == nil || inst.State.Name != "running":
			stopped = append(stopped, t.ID)
		case aws.Val(inst.VpcId) != g.VPC:
			foreign = append(foreign, t.ID)
		default:
			t.Addr = aws.Val(inst.PrivateIpAddress)
			if inst.Placement != nil {
				t.Zone = aws.Val(inst.Placement.AvailabilityZone)
			}
		}
	}
	switch {
	case len(lost) > 0:
		return awserr.New("InvalidTarget", "The following targets do not exist: %s", quoted(lost))
	case len(stopped) > 0:
		return awserr.New("InvalidTarget", "The following targets are not in a running state and cannot be registered: %s", quoted(stopped))
	case len(foreign) > 0:
		return awserr.New("InvalidTarget", "The following targets are not in the target group VPC '%s': %s", g.VPC, quoted(foreign))
	}
	return nil
}

// instances looks instances up; those that do not exist are left out.
func (s *Service) instances(ctx context.Context, names []string) (map[string]ec2api.Instance, error) {
	out, err := look[ec2api.DescribeInstancesOutput](ctx, s, "DescribeInstances", &ec2api.DescribeInstancesInput{Filters: filter("instance-id", names...)})
	if err != nil {
		return nil, err
	}
	found := map[string]ec2api.Instance{}
	for _, r := range out.Reservations {
		for _, inst := range r.Instances {
			found[aws.Val(inst.InstanceId)] = inst
		}
	}
	return found, nil
}

// outsideBlocks are where targets outside the VPC may be.
var outsideBlocks = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"),
}

func (s *Service) resolveAddresses(ctx context.Context, g *group, list []target) error {
	out, err := look[ec2api.DescribeSubnetsOutput](ctx, s, "DescribeSubnets", &ec2api.DescribeSubnetsInput{Filters: filter("vpc-id", g.VPC)})
	if err != nil {
		return err
	}
	for i := range list {
		t := &list[i]
		addr, err := netip.ParseAddr(t.ID)
		if err != nil || !addr.Is4() {
			return invalid("The IP address '%s' is not a valid IPv4 address", t.ID)
		}
		t.Addr = t.ID
		for _, sub := range out.Subnets {
			if p, err := netip.ParsePrefix(aws.Val(sub.CidrBlock)); err == nil && p.Contains(addr) {
				t.Zone = aws.Val(sub.AvailabilityZone)
			}
		}
		outside := slices.ContainsFunc(outsideBlocks, func(p netip.Prefix) bool { return p.Contains(addr) })
		switch {
		case t.Zone == "" && !outside:
			return invalid("The IP address '%s' is not within a valid range: it must be in a subnet of the VPC, in the RFC 1918 range or in the RFC 6598 range", t.ID)
		case t.Zone == "" && t.Asked == "":
			return invalid("The Availability Zone is required for IP address '%s' because it is not in the VPC", t.ID)
		case t.Zone == "" && t.Asked != "all":
			return invalid("The Availability Zone must be 'all' for IP address '%s' because it is not in the VPC", t.ID)
		case t.Zone != "" && t.Asked != "" && t.Asked != t.Zone:
			return invalid("The Availability Zone '%s' is not valid for IP address '%s', which is in '%s'", t.Asked, t.ID, t.Zone)
		}
	}
	return nil
}

// resolveBalancers: a network balancer may forward to an application balancer, which
// has to listen where the group sends.
func (s *Service) resolveBalancers(ctx context.Context, g *group, list []target) error {
	return s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		for i := range list {
			t := &list[i]
			k, b, err := owned(ctx, tx, balancers, kindBalancer, t.ID)
			if err != nil {
				return err
			}
			rows, err := listenersOf(tx, k)
			if err != nil {
				return err
			}
			switch {
			case b.Type != application:
				return awserr.New("InvalidTarget", "The target '%s' must be an Application Load Balancer", t.ID)
			case b.VPC != g.VPC:
				return awserr.New("InvalidTarget", "The following targets are not in the target group VPC '%s': %s", g.VPC, quoted([]string{t.ID}))
			case t.Port != g.Port:
				return invalid("Port overrides are not supported for target groups with target type 'alb'")
			case !slices.ContainsFunc(rows, func(l store.Row[listener]) bool { return l.Value.Port == t.Port }):
				return invalid("If the target type is ALB, the target must have at least one listener that matches the target group port or any specified port overrides")
			}
			t.Asked = "all"
			if len(b.Nodes) > 0 {
				t.Addr = b.Nodes[0].Private
			}
		}
		return nil
	})
}

// DeregisterTargets takes targets away. Those that serve drain first; without a port
// all of an id go. What is not registered is no error.
func (s *Service) DeregisterTargets(ctx context.Context, in *api.DeregisterTargetsInput) (*api.DeregisterTargetsOutput, error) {
	c := aws.CallFrom(ctx)
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		k, g, err := owned(ctx, tx, groups, kindGroup, *in.TargetGroupArn)
		if err != nil {
			return err
		}
		users, err := usersOf(tx, k)
		if err != nil {
			return err
		}
		rows, err := targetsOf(tx, k)
		if err != nil {
			return err
		}
		delay := time.Duration(groupAttributes.number(g.Attributes, keyDelay)) * time.Second
		for _, r := range rows {
			if !slices.ContainsFunc(in.Targets, func(d api.TargetDescription) bool { return names(d, r.Value) }) {
				continue
			}
			if err := deregister(tx, r, delay, len(users) > 0 && s.cfg.Plane != nil); err != nil {
				return err
			}
		}
		emitHealth(tx, c, k, "deregistered")
		return emitUsers(tx, c, k, "targets")
	})
	return &api.DeregisterTargetsOutput{}, err
}

// names tells whether a description means a target.
func names(d api.TargetDescription, t *target) bool {
	return aws.Val(d.Id) == t.ID && (d.Port == nil || *d.Port == t.Port)
}

// deregister lets a target that serves drain, and forgets others.
func deregister(tx *store.Tx, r store.Row[target], delay time.Duration, used bool) error {
	t := r.Value
	switch {
	case !t.Leaves.IsZero():
		return nil
	case !used || t.Stopped || delay == 0:
		return targets.Delete(tx, r.Key)
	}
	t.Leaves = tx.Now().UTC().Add(delay)
	return targets.Put(tx, r.Key, t)
}
