package elbv2

import (
	"context"
	"errors"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

// resourceLoadBalancer is AWS::ElasticLoadBalancingV2::LoadBalancer. Its physical id is
// the ARN.
type resourceLoadBalancer struct{ s *Service }

type balancerProperties struct {
	EnablePrefixForIpv6SourceNat                         *string
	EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic *string
	IpAddressType                                        *string //nolint:revive // the property's name
	LoadBalancerAttributes                               []api.LoadBalancerAttribute
	Name                                                 *string
	Scheme                                               *string
	SecurityGroups                                       []string
	SubnetMappings                                       []api.SubnetMapping
	Subnets                                              []string
	Tags                                                 []stack.Tag
	Type                                                 *string
}

// Schema implements stack.Resource.
func (resourceLoadBalancer) Schema() stack.Schema {
	sc := stack.SchemaOf(balancerProperties{})
	sc.Attributes = []string{"CanonicalHostedZoneID", "DNSName", "LoadBalancerArn", "LoadBalancerFullName", "LoadBalancerName", "SecurityGroups"}
	sc.Taggable, sc.NameProperty = true, "Name"
	return sc
}

// Create implements stack.Resource.
func (t resourceLoadBalancer) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p balancerProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	in := &api.CreateLoadBalancerInput{Name: p.Name, Scheme: api.LoadBalancerSchemeEnum(aws.Val(p.Scheme)), SecurityGroups: p.SecurityGroups, SubnetMappings: p.SubnetMappings,
		Subnets: p.Subnets, Tags: apiTags(r.TagsWith(p.Tags)), Type: api.LoadBalancerTypeEnum(aws.Val(p.Type)), IpAddressType: api.IpAddressType(aws.Val(p.IpAddressType)),
		EnablePrefixForIpv6SourceNat: api.EnablePrefixForIpv6SourceNatEnum(aws.Val(p.EnablePrefixForIpv6SourceNat))}
	if in.Name == nil {
		in.Name = aws.Ptr(generatedName(r))
	}
	out, err := invoke[api.CreateLoadBalancerOutput](ctx, t.s, "CreateLoadBalancer", in)
	if err != nil {
		return stack.Result{}, err
	}
	r.PhysicalID = *out.LoadBalancers[0].LoadBalancerArn
	started(r.PhysicalID)
	if err := t.enforce(ctx, r.PhysicalID, p); err != nil {
		return stack.Result{}, err
	}
	if err := t.modify(ctx, r.PhysicalID, nil, p.LoadBalancerAttributes); err != nil {
		return stack.Result{}, err
	}
	if err := t.s.awaitActive(ctx, r.PhysicalID); err != nil {
		return stack.Result{}, err
	}
	return t.Read(ctx, r)
}

// enforce hands on what is about PrivateLink, whose one value that can be had is the
// standard.
func (t resourceLoadBalancer) enforce(ctx context.Context, name string, p balancerProperties) error {
	v := p.EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic
	if v == nil || *v == "on" {
		return nil
	}
	_, err := invoke[api.SetSecurityGroupsOutput](ctx, t.s, "SetSecurityGroups", &api.SetSecurityGroupsInput{LoadBalancerArn: &name, SecurityGroups: p.SecurityGroups,
		EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic: api.EnforceSecurityGroupInboundRulesOnPrivateLinkTrafficEnum(*v)})
	return err
}

// maxAttributes is how many attributes one call may set.
const maxAttributes = 20

func (t resourceLoadBalancer) modify(ctx context.Context, name string, had, want []api.LoadBalancerAttribute) error {
	var list []api.LoadBalancerAttribute
	for _, p := range balancerAttributes.changed(nil, settings(had), settings(want)) {
		if p.Key == keyCrossZone && p.Value == "" {
			p.Value = "false"
		}
		list = append(list, api.LoadBalancerAttribute{Key: &p.Key, Value: &p.Value})
	}
	for part := range slices.Chunk(list, maxAttributes) {
		if _, err := invoke[api.ModifyLoadBalancerAttributesOutput](ctx, t.s, "ModifyLoadBalancerAttributes",
			&api.ModifyLoadBalancerAttributesInput{LoadBalancerArn: &name, Attributes: part}); err != nil {
			return err
		}
	}
	return nil
}

// awaitActive waits until a balancer serves, or cannot.
func (s *Service) awaitActive(ctx context.Context, name string) error {
	k, err := openBalancer(name)
	if err != nil {
		return err
	}
	return s.await(ctx, name, func(tx *store.Tx) (bool, error) {
		b, err := balancers.Get(tx, k)
		if err != nil {
			return false, orNotFound(err, kindBalancer, name)
		}
		if b.State == "failed" {
			return false, awserr.New("NotStabilized", "Load balancer '%s' is in the state failed: %s", name, b.Reason)
		}
		return b.State != "provisioning", nil
	})
}

func (t resourceLoadBalancer) describe(ctx context.Context, name string) (*api.LoadBalancer, error) {
	out, err := invoke[api.DescribeLoadBalancersOutput](ctx, t.s, "DescribeLoadBalancers", &api.DescribeLoadBalancersInput{LoadBalancerArns: []string{name}})
	if err != nil {
		return nil, orNotThere(err)
	}
	return &out.LoadBalancers[0], nil
}

// Read implements stack.Resource.
func (t resourceLoadBalancer) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	b, err := t.describe(ctx, r.PhysicalID)
	if err != nil {
		return stack.Result{}, err
	}
	k, err := openBalancer(r.PhysicalID)
	groups := []any{}
	for _, g := range b.SecurityGroups {
		groups = append(groups, g)
	}
	return stack.Result{PhysicalID: r.PhysicalID, Attributes: map[string]any{
		"CanonicalHostedZoneID": aws.Val(b.CanonicalHostedZoneId), "DNSName": aws.Val(b.DNSName), "LoadBalancerArn": r.PhysicalID,
		"LoadBalancerFullName": k.ID, "LoadBalancerName": aws.Val(b.LoadBalancerName), "SecurityGroups": groups,
	}}, err
}

// Update implements stack.Resource.
func (t resourceLoadBalancer) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old balancerProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	id := r.PhysicalID
	if aws.Val(p.IpAddressType) != aws.Val(old.IpAddressType) && p.IpAddressType != nil {
		if _, err := invoke[api.SetIpAddressTypeOutput](ctx, t.s, "SetIpAddressType", &api.SetIpAddressTypeInput{LoadBalancerArn: &id, IpAddressType: api.IpAddressType(*p.IpAddressType)}); err != nil {
			return stack.Result{}, err
		}
	}
	if !slices.Equal(p.Subnets, old.Subnets) || !sameMappings(p.SubnetMappings, old.SubnetMappings) {
		if _, err := invoke[api.SetSubnetsOutput](ctx, t.s, "SetSubnets", &api.SetSubnetsInput{LoadBalancerArn: &id, Subnets: p.Subnets, SubnetMappings: p.SubnetMappings}); err != nil {
			return stack.Result{}, err
		}
	}
	if err := t.regroup(ctx, id, p, old); err != nil {
		return stack.Result{}, err
	}
	if err := t.modify(ctx, id, old.LoadBalancerAttributes, p.LoadBalancerAttributes); err != nil {
		return stack.Result{}, err
	}
	if err := t.s.retagResource(ctx, r, old.Tags, p.Tags); err != nil {
		return stack.Result{}, err
	}
	return t.Read(ctx, r)
}

func sameMappings(a, b []api.SubnetMapping) bool {
	return slices.EqualFunc(a, b, func(x, y api.SubnetMapping) bool {
		return aws.Val(x.SubnetId) == aws.Val(y.SubnetId) && aws.Val(x.AllocationId) == aws.Val(y.AllocationId) && aws.Val(x.PrivateIPv4Address) == aws.Val(y.PrivateIPv4Address)
	})
}

// regroup sets the security groups where they have changed; without any the balancer
// goes back to the VPC's default one.
func (t resourceLoadBalancer) regroup(ctx context.Context, id string, p, old balancerProperties) error {
	if slices.Equal(p.SecurityGroups, old.SecurityGroups) {
		return t.enforce(ctx, id, p)
	}
	ids := p.SecurityGroups
	if len(ids) == 0 {
		b, err := t.s.peek(ctx, id)
		if err != nil {
			return err
		}
		if ids, err = t.s.securityGroups(ctx, b, nil); err != nil {
			return err
		}
	}
	_, err := invoke[api.SetSecurityGroupsOutput](ctx, t.s, "SetSecurityGroups", &api.SetSecurityGroupsInput{LoadBalancerArn: &id, SecurityGroups: ids,
		EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic: api.EnforceSecurityGroupInboundRulesOnPrivateLinkTrafficEnum(aws.Val(p.EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic))})
	return err
}

// Delete implements stack.Resource. It returns when the balancer's interfaces are gone:
// subnets and security groups can be deleted then.
func (t resourceLoadBalancer) Delete(ctx context.Context, r stack.Request) error {
	k, err := openBalancer(r.PhysicalID)
	if err != nil {
		return err
	}
	if _, err := invoke[api.DeleteLoadBalancerOutput](ctx, t.s, "DeleteLoadBalancer", &api.DeleteLoadBalancerInput{LoadBalancerArn: &r.PhysicalID}); err != nil {
		return err
	}
	return t.s.await(ctx, r.PhysicalID, func(tx *store.Tx) (bool, error) {
		if _, err := balancers.Get(tx, k); !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
		rows, err := leavings.List(tx, store.Scope{Account: k.Account, Region: k.Region}, "", 0)
		return !slices.ContainsFunc(rows, func(l store.Row[leaving]) bool { return l.Value.Balancer == k.ID }), err
	})
}

// Live implements stack.Live.
func (t resourceLoadBalancer) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	var p balancerProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return nil, err
	}
	b, err := t.describe(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	now, err := invoke[api.DescribeLoadBalancerAttributesOutput](ctx, t.s, "DescribeLoadBalancerAttributes", &api.DescribeLoadBalancerAttributesInput{LoadBalancerArn: &r.PhysicalID})
	if err != nil {
		return nil, err
	}
	tags, err := t.s.liveTags(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	subnets, mappings := []any{}, []any{}
	for _, z := range b.AvailabilityZones {
		m := map[string]any{"SubnetId": aws.Val(z.SubnetId)}
		for _, a := range z.LoadBalancerAddresses {
			if a.AllocationId != nil {
				m["AllocationId"] = *a.AllocationId
			}
			if a.PrivateIPv4Address != nil {
				m["PrivateIPv4Address"] = *a.PrivateIPv4Address
			}
		}
		subnets, mappings = append(subnets, *z.SubnetId), append(mappings, m)
	}
	return map[string]any{"Name": aws.Val(b.LoadBalancerName), "Scheme": string(b.Scheme), "Type": string(b.Type), "IpAddressType": string(b.IpAddressType),
		"SecurityGroups": generic(b.SecurityGroups), "Subnets": subnets, "SubnetMappings": mappings, "Tags": tags,
		"EnablePrefixForIpv6SourceNat":                         "off",
		"EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic": aws.Val(b.EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic),
		"LoadBalancerAttributes":                               liveSettings(settings(p.LoadBalancerAttributes), settings(now.Attributes))}, nil
}
