package elbv2

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/store"
)

// SetSecurityGroups replaces the security groups of a balancer.
func (s *Service) SetSecurityGroups(ctx context.Context, in *api.SetSecurityGroupsInput) (*api.SetSecurityGroupsOutput, error) {
	b, err := s.peek(ctx, *in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	switch {
	case in.EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic == "off":
		return nil, notBuilt("PrivateLink")
	case b.Type == network && len(b.SecurityGroups) == 0:
		return nil, badRequest("Security groups cannot be set for load balancers with type 'network' that were created without security groups")
	case len(in.SecurityGroups) == 0:
		return nil, invalid("At least one security group must be specified")
	}
	ids, err := s.securityGroups(ctx, b, in.SecurityGroups)
	if err != nil {
		return nil, err
	}
	out := &api.SetSecurityGroupsOutput{SecurityGroupIds: ids}
	err = s.changeBalancer(ctx, *in.LoadBalancerArn, "security groups", func(_ *store.Tx, _ store.Key, b *balancer) error {
		b.SecurityGroups = ids
		if b.Type == network {
			out.EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic = "on"
		}
		return nil
	})
	return out, err
}

// peek reads a balancer that is about to be changed.
func (s *Service) peek(ctx context.Context, name string) (b *balancer, err error) {
	err = s.viewBalancer(ctx, name, func(_ *store.Tx, _ store.Key, found *balancer) error {
		b = found
		return nil
	})
	return b, err
}

// SetSubnets moves a balancer to other subnets. What stays keeps its node.
func (s *Service) SetSubnets(ctx context.Context, in *api.SetSubnetsInput) (*api.SetSubnetsOutput, error) {
	b, err := s.peek(ctx, *in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	if err := judgeIPType(string(in.IpAddressType)); err != nil {
		return nil, err
	}
	if in.EnablePrefixForIpv6SourceNat == "on" {
		return nil, notBuilt("source NAT for IPv6")
	}
	next := &balancer{Type: b.Type, Scheme: b.Scheme}
	if err := s.place(ctx, next, in.Subnets, in.SubnetMappings, b.Nodes); err != nil {
		return nil, err
	}
	if next.VPC != b.VPC {
		return nil, badRequest("The subnets must belong to the VPC '%s' of the load balancer", b.VPC)
	}
	out := &api.SetSubnetsOutput{IpAddressType: ipv4}
	if b.Type == network {
		out.EnablePrefixForIpv6SourceNat = "off"
	}
	err = s.changeBalancer(ctx, *in.LoadBalancerArn, "subnets", func(tx *store.Tx, k store.Key, b *balancer) error {
		gone := b.move(next.Nodes)
		for _, n := range b.Nodes {
			out.AvailabilityZones = append(out.AvailabilityZones, n.describe())
		}
		return leave(tx, k, gone)
	})
	return out, err
}

// move takes over the nodes wanted, keeps those it has, and returns those that go.
func (b *balancer) move(want []node) (gone []node) {
	kept := func(list []node, n node) int {
		return slices.IndexFunc(list, func(o node) bool {
			return o.Subnet == n.Subnet && o.Allocation == n.Allocation && o.Fixed == n.Fixed
		})
	}
	for _, n := range b.Nodes {
		if kept(want, n) < 0 {
			gone = append(gone, n)
		}
	}
	next := slices.Clone(want)
	for i, n := range next {
		if j := kept(b.Nodes, n); j >= 0 {
			next[i] = b.Nodes[j]
		}
	}
	b.Nodes = next
	return gone
}

// SetIpAddressType can set what the balancer has: there are no IPv6 blocks.
func (s *Service) SetIpAddressType(ctx context.Context, in *api.SetIpAddressTypeInput) (*api.SetIpAddressTypeOutput, error) {
	if _, err := s.peek(ctx, *in.LoadBalancerArn); err != nil {
		return nil, err
	}
	if err := judgeIPType(string(in.IpAddressType)); err != nil {
		return nil, err
	}
	return &api.SetIpAddressTypeOutput{IpAddressType: in.IpAddressType}, nil
}

// emitWork tells the worker that a balancer is to be brought up to date, and others
// that it has changed.
func emitWork(tx *store.Tx, c aws.Call, k store.Key, cause string) {
	tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: signer, Resource: balancerARN(k), Kind: kindWork, Cause: cause, RequestID: c.RequestID})
}

// kindWork marks the events that the worker follows.
const kindWork = "balancer"
