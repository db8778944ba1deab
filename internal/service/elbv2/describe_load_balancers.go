package elbv2

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/elbzone"
	"github.com/hardstand/hardstand/internal/aws/pages"
	"github.com/hardstand/hardstand/internal/store"
)

// DescribeLoadBalancers describes balancers, all or those named.
func (s *Service) DescribeLoadBalancers(ctx context.Context, in *api.DescribeLoadBalancersInput) (*api.DescribeLoadBalancersOutput, error) {
	if len(in.LoadBalancerArns) > 0 && len(in.Names) > 0 {
		return nil, invalid("Load balancer names and load balancer ARNs cannot be specified at the same time")
	}
	c := aws.CallFrom(ctx)
	scope := store.Key{Account: c.Account, Region: c.Region}
	var rows []store.Row[balancer]
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		switch {
		case len(in.LoadBalancerArns) > 0:
			rows, err = get(tx, balancers, scope, kindBalancer, in.LoadBalancerArns)
		case len(in.Names) > 0:
			rows, err = balancersNamed(tx, scope, in.Names)
		default:
			rows, err = balancers.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(rows, func(a, b store.Row[balancer]) int { return a.Value.Created.Compare(b.Value.Created) })
	rows, next, err := page(rows, in.Marker, in.PageSize)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeLoadBalancersOutput{LoadBalancers: []api.LoadBalancer{}, NextMarker: next}
	for _, r := range rows {
		out.LoadBalancers = append(out.LoadBalancers, r.Value.describe(r.Key))
	}
	return out, nil
}

// get reads the rows that ARNs of a kind name, each once.
func get[T any](tx *store.Tx, table *store.Table[T], scope store.Key, kind string, names []string) (rows []store.Row[T], err error) {
	for _, name := range names {
		k, err := open(kind, name)
		if err != nil {
			return nil, err
		}
		v, err := table.Get(tx, k)
		if err != nil || k.Account != scope.Account || k.Region != scope.Region {
			if err != nil && orNotFound(err, kind, name) == err {
				return nil, err
			}
			return nil, oneOrMore(kind)
		}
		if !slices.ContainsFunc(rows, func(r store.Row[T]) bool { return r.Key == k }) {
			rows = append(rows, store.Row[T]{Key: k, Value: v})
		}
	}
	return rows, nil
}

func balancersNamed(tx *store.Tx, scope store.Key, names []string) (rows []store.Row[balancer], err error) {
	for _, name := range names {
		found, err := balancers.Lookup(tx, "name", scoped(scope, name))
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, awserr.New("LoadBalancerNotFound", "Load balancers '[%s]' not found", name)
		}
		rows = append(rows, found...)
	}
	return rows, nil
}

const maxPage = 400

// page cuts a list into pages.
func page[T any](list []T, marker *string, size *int32) ([]T, *string, error) {
	limit := maxPage
	if size != nil {
		limit = int(*size)
	}
	shown, next, ok := pages.Cut(list, marker, limit)
	if !ok {
		return nil, nil, invalid("The marker '%s' is not valid", aws.Val(marker))
	}
	return shown, next, nil
}

// describe is a balancer as operations show it.
func (b *balancer) describe(k store.Key) api.LoadBalancer {
	out := api.LoadBalancer{
		LoadBalancerArn: aws.Ptr(balancerARN(k)), DNSName: &b.DNS, CanonicalHostedZoneId: aws.Ptr(b.hostedZone(k.Region)),
		CreatedTime: &b.Created, LoadBalancerName: &b.Name, Scheme: b.Scheme, VpcId: &b.VPC,
		State: &api.LoadBalancerState{Code: b.State}, Type: b.Type, SecurityGroups: b.SecurityGroups, IpAddressType: ipv4,
	}
	if b.Reason != "" {
		out.State.Reason = &b.Reason
	}
	if b.Type == network {
		out.EnablePrefixForIpv6SourceNat = "off"
		if len(b.SecurityGroups) > 0 {
			out.EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic = aws.Ptr("on")
		}
	}
	for _, n := range b.Nodes {
		out.AvailabilityZones = append(out.AvailabilityZones, n.describe())
	}
	return out
}

// hostedZone is the zone that the balancer's name is in.
func (b *balancer) hostedZone(region string) string {
	if b.Type == network {
		return elbzone.Network(region)
	}
	return elbzone.Application(region)
}

func (n node) describe() api.AvailabilityZone {
	z := api.AvailabilityZone{ZoneName: &n.Zone, SubnetId: &n.Subnet, LoadBalancerAddresses: []api.LoadBalancerAddress{}}
	switch {
	case n.Allocation != "":
		z.LoadBalancerAddresses = append(z.LoadBalancerAddresses, api.LoadBalancerAddress{AllocationId: &n.Allocation, IpAddress: given(n.Public)})
	case n.Fixed != "":
		z.LoadBalancerAddresses = append(z.LoadBalancerAddresses, api.LoadBalancerAddress{PrivateIPv4Address: &n.Fixed})
	}
	return z
}

func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// viewBalancer reads one balancer of the caller's.
func (s *Service) viewBalancer(ctx context.Context, name string, f func(*store.Tx, store.Key, *balancer) error) error {
	return view(ctx, s, balancers, kindBalancer, name, f)
}

// changeBalancer changes one, with the work that follows.
func (s *Service) changeBalancer(ctx context.Context, name, cause string, f func(*store.Tx, store.Key, *balancer) error) error {
	c := aws.CallFrom(ctx)
	return change(ctx, s, balancers, kindBalancer, name, func(tx *store.Tx, k store.Key, b *balancer) error {
		if err := f(tx, k, b); err != nil {
			return err
		}
		emitWork(tx, c, k, cause)
		return nil
	})
}

// owned reads the row that an ARN of a kind names, if it is the caller's.
func owned[T any](ctx context.Context, tx *store.Tx, table *store.Table[T], kind, name string) (store.Key, *T, error) {
	k, err := open(kind, name)
	if err != nil {
		return k, nil, err
	}
	if c := aws.CallFrom(ctx); k.Account != c.Account || k.Region != c.Region {
		return k, nil, notFound(kind, name)
	}
	v, err := table.Get(tx, k)
	return k, v, orNotFound(err, kind, name)
}

func view[T any](ctx context.Context, s *Service, table *store.Table[T], kind, name string, f func(*store.Tx, store.Key, *T) error) error {
	return s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		k, v, err := owned(ctx, tx, table, kind, name)
		if err != nil {
			return err
		}
		return f(tx, k, v)
	})
}

func change[T any](ctx context.Context, s *Service, table *store.Table[T], kind, name string, f func(*store.Tx, store.Key, *T) error) error {
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		k, v, err := owned(ctx, tx, table, kind, name)
		if err != nil {
			return err
		}
		if err := f(tx, k, v); err != nil {
			return err
		}
		return table.Put(tx, k, v)
	})
}

// Addresses are where a balancer's name leads: the nodes' public addresses where it
// faces the internet, else their private ones. ok is false for other names.
func (s *Service) Addresses(ctx context.Context, name string) (out []netip.Addr, ok bool, err error) {
	name = strings.ToLower(name)
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := balancers.Lookup(tx, "dns", name)
		for _, r := range rows {
			ok = true
			for _, n := range r.Value.Nodes {
				text := n.Private
				if r.Value.Scheme == facing {
					text = n.Public
				}
				if addr, err := netip.ParseAddr(text); err == nil && r.Value.Began {
					out = append(out, addr)
				}
			}
		}
		return err
	})
	return out, ok, err
}
