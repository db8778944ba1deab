package elbv2

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	application = api.LoadBalancerTypeEnum("application")
	network     = api.LoadBalancerTypeEnum("network")
	internal    = api.LoadBalancerSchemeEnum("internal")
	facing      = api.LoadBalancerSchemeEnum("internet-facing")
	ipv4        = "ipv4"
)

// maxBalancers is the quota of each type in a region.
const maxBalancers = 50

// CreateLoadBalancer makes a balancer. One of the same name and settings is returned
// again.
func (s *Service) CreateLoadBalancer(ctx context.Context, in *api.CreateLoadBalancerInput) (*api.CreateLoadBalancerOutput, error) {
	b, err := s.newBalancer(ctx, in)
	if err != nil {
		return nil, err
	}
	c := aws.CallFrom(ctx)
	k := store.Key{Account: c.Account, Region: c.Region, ID: typePart(b.Type) + "/" + b.Name + "/" + ids.Hex(16)}
	b.DNS = dnsName(k, b)
	out := &api.CreateLoadBalancerOutput{}
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		there, err := balancers.Lookup(tx, "name", scoped(k, b.Name))
		if err != nil {
			return err
		}
		if len(there) > 0 {
			if !there[0].Value.same(b) {
				return awserr.New("DuplicateLoadBalancerName", "A load balancer with the same name '%s' exists, but with different settings", b.Name)
			}
			out.LoadBalancers = []api.LoadBalancer{there[0].Value.describe(there[0].Key)}
			return nil
		}
		if err := judgeBalancerQuota(tx, k, b); err != nil {
			return err
		}
		b.Created = tx.Now().UTC()
		out.LoadBalancers = []api.LoadBalancer{b.describe(k)}
		emitWork(tx, c, k, "created")
		return balancers.Insert(tx, k, b)
	})
	return out, err
}

func judgeBalancerQuota(tx *store.Tx, k store.Key, b *balancer) error {
	rows, err := balancers.List(tx, store.Scope{Account: k.Account, Region: k.Region}, "", 0)
	n := 0
	for _, r := range rows {
		if r.Value.Type == b.Type {
			n++
		}
	}
	if err == nil && n >= maxBalancers {
		return awserr.New("TooManyLoadBalancers", "The maximum number of load balancers has been reached")
	}
	return err
}

// newBalancer judges the input and looks up what it names.
func (s *Service) newBalancer(ctx context.Context, in *api.CreateLoadBalancerInput) (*balancer, error) {
	b := &balancer{Name: *in.Name, Type: in.Type, Scheme: in.Scheme, State: "provisioning", Token: aws.CallFrom(ctx).Token}
	if b.Type == "" {
		b.Type = application
	}
	if b.Scheme == "" {
		b.Scheme = facing
	}
	if err := judgeNewBalancer(b, in); err != nil {
		return nil, err
	}
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	b.Tags = tags
	own, err := s.nodesNamed(ctx, b.Name)
	if err != nil {
		return nil, err
	}
	if err := s.place(ctx, b, in.Subnets, in.SubnetMappings, own); err != nil {
		return nil, err
	}
	if err := judgeIPType(string(in.IpAddressType)); err != nil {
		return nil, err
	}
	b.SecurityGroups, err = s.securityGroups(ctx, b, in.SecurityGroups)
	return b, err
}

// nodesNamed are the nodes of the caller's balancer of a name, where there is one: the
// same call again finds its addresses in use.
func (s *Service) nodesNamed(ctx context.Context, name string) (own []node, err error) {
	c := aws.CallFrom(ctx)
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := balancers.Lookup(tx, "name", scoped(store.Key{Account: c.Account, Region: c.Region}, name))
		for _, r := range rows {
			own = r.Value.Nodes
		}
		return err
	})
	return own, err
}

func judgeNewBalancer(b *balancer, in *api.CreateLoadBalancerInput) error {
	if err := judgeName("Load balancer", b.Name); err != nil {
		return err
	}
	switch {
	case strings.HasPrefix(b.Name, "-") || strings.HasSuffix(b.Name, "-"):
		return invalid("Load balancer name '%s' cannot begin or end with '-'", b.Name)
	case strings.HasPrefix(b.Name, "internal-"):
		return invalid("Load balancer name '%s' cannot begin with 'internal-'", b.Name)
	case b.Type == "gateway":
		return notBuilt("gateway load balancers")
	case in.CustomerOwnedIpv4Pool != nil:
		return notBuilt("customer-owned address pools")
	case in.IpamPools != nil:
		return notBuilt("IPAM pools of load balancers")
	case in.EnablePrefixForIpv6SourceNat == "on":
		return notBuilt("source NAT for IPv6")
	}
	return nil
}

// judgeIPType: no subnet here has an IPv6 block.
func judgeIPType(kind string) error {
	if kind != "" && kind != ipv4 {
		return badRequest("You must specify subnets with an associated IPv6 CIDR block.")
	}
	return nil
}

// same tells whether the balancer is what another creation asks for. A stack that makes
// it asks with its token, and gets only its own.
func (b *balancer) same(o *balancer) bool {
	places := func(b *balancer) []string {
		var out []string
		for _, n := range b.Nodes {
			out = append(out, n.Subnet+" "+n.Allocation+" "+n.Fixed)
		}
		slices.Sort(out)
		return out
	}
	groups := func(b *balancer) []string { return slices.Sorted(slices.Values(b.SecurityGroups)) }
	return b.Token == o.Token && b.Type == o.Type && b.Scheme == o.Scheme && slices.Equal(places(b), places(o)) &&
		slices.Equal(groups(b), groups(o)) && maps.Equal(b.Tags, o.Tags)
}

func typePart(t api.LoadBalancerTypeEnum) string {
	if t == network {
		return "net"
	}
	return "app"
}

// dnsName is the name that clients use.
func dnsName(k store.Key, b *balancer) string {
	if b.Type == network {
		return b.Name + "-" + arnEnd(k.ID) + ".elb." + k.Region + ".amazonaws.com"
	}
	name := b.Name
	if b.Scheme == internal {
		name = "internal-" + name
	}
	return name + "-" + ids.Digits(10) + "." + k.Region + ".elb.amazonaws.com"
}

func arnEnd(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// DeleteLoadBalancer removes a balancer with its listeners and their rules. What is
// gone already is success.
func (s *Service) DeleteLoadBalancer(ctx context.Context, in *api.DeleteLoadBalancerInput) (*api.DeleteLoadBalancerOutput, error) {
	k, err := openBalancer(*in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	c := aws.CallFrom(ctx)
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		b, err := balancers.Get(tx, k)
		if errors.Is(err, store.ErrNotFound) || err == nil && (k.Account != c.Account || k.Region != c.Region) {
			return nil
		}
		if err != nil {
			return err
		}
		if balancerAttributes.on(b.Attributes, keyProtection) {
			return notPermitted("Load balancer '%s' cannot be deleted because deletion protection is enabled", *in.LoadBalancerArn)
		}
		if err := judgeAsTarget(tx, k); err != nil {
			return err
		}
		rows, err := listenersOf(tx, k)
		if err != nil {
			return err
		}
		for _, l := range rows {
			if err := dropListener(tx, c, l); err != nil {
				return err
			}
		}
		if err := leave(tx, k, b.Nodes); err != nil {
			return err
		}
		emitWork(tx, c, k, "deleted")
		return balancers.Delete(tx, k)
	})
	return &api.DeleteLoadBalancerOutput{}, err
}

// judgeAsTarget refuses to delete a balancer that a network balancer forwards to.
func judgeAsTarget(tx *store.Tx, k store.Key) error {
	rows, err := targets.Lookup(tx, "id", scoped(k, balancerARN(k)))
	if err == nil && len(rows) > 0 {
		return awserr.New("ResourceInUse", "Load balancer '%s' cannot be deleted because it is currently associated with another service", balancerARN(k))
	}
	return err
}

// leave writes down the interfaces that are to go.
func leave(tx *store.Tx, k store.Key, nodes []node) error {
	for _, n := range nodes {
		if n.Interface == "" {
			continue
		}
		if err := leavings.Put(tx, at(k, n.Interface), &leaving{Balancer: k.ID}); err != nil {
			return err
		}
	}
	return nil
}
