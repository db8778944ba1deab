package elb

import (
	"context"
	"slices"
	"strconv"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elb"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/wire"
)

// Live implements stack.Live. Policies have a place of their own in the answer; what
// the template gives for them is not compared.
func (t resourceLoadBalancer) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	d, err := t.describe(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	var p balancerProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return nil, err
	}
	live := map[string]any{
		"LoadBalancerName": *d.LoadBalancerName, "Scheme": *d.Scheme, "Subnets": inOrder(d.Subnets, p.Subnets), "AvailabilityZones": inOrder(d.AvailabilityZones, p.AvailabilityZones),
		"SecurityGroups": inOrder(d.SecurityGroups, p.SecurityGroups), "HealthCheck": liveCheck(d.HealthCheck), "Listeners": liveListeners(d, p),
	}
	registered := []string{}
	for _, i := range d.Instances {
		registered = append(registered, *i.InstanceId)
	}
	live["Instances"] = inOrder(registered, p.Instances)
	for _, name := range []string{"AppCookieStickinessPolicy", "LBCookieStickinessPolicy", "Policies", "AccessLoggingPolicy"} {
		live[name] = r.Properties[name]
	}
	return live, t.liveRest(ctx, r.PhysicalID, live)
}

// liveRest adds what has operations of its own.
func (t resourceLoadBalancer) liveRest(ctx context.Context, name string, live map[string]any) error {
	out, err := wire.Call[api.DescribeLoadBalancerAttributesOutput](ctx, t.inv, "elb", "DescribeLoadBalancerAttributes", &api.DescribeLoadBalancerAttributesInput{LoadBalancerName: &name})
	if err != nil {
		return err
	}
	a := out.LoadBalancerAttributes
	live["CrossZone"] = aws.Val(a.CrossZoneLoadBalancing.Enabled)
	live["ConnectionDrainingPolicy"] = map[string]any{"Enabled": aws.Val(a.ConnectionDraining.Enabled), "Timeout": number(*a.ConnectionDraining.Timeout)}
	live["ConnectionSettings"] = map[string]any{"IdleTimeout": number(*a.ConnectionSettings.IdleTimeout)}
	tagged, err := wire.Call[api.DescribeTagsOutput](ctx, t.inv, "elb", "DescribeTags", &api.DescribeTagsInput{LoadBalancerNames: []string{name}})
	if err != nil {
		return err
	}
	tags := []any{}
	for _, tag := range tagged.TagDescriptions[0].Tags {
		tags = append(tags, map[string]any{"Key": *tag.Key, "Value": *tag.Value})
	}
	live["Tags"] = tags
	return nil
}

func number(n int32) string { return strconv.Itoa(int(n)) }

func liveCheck(h *api.HealthCheck) map[string]any {
	return map[string]any{"Target": *h.Target, "Interval": number(*h.Interval), "Timeout": number(*h.Timeout),
		"HealthyThreshold": number(*h.HealthyThreshold), "UnhealthyThreshold": number(*h.UnhealthyThreshold)}
}

// liveListeners are the listeners in the template's order, with what the template says
// of each.
func liveListeners(d api.LoadBalancerDescription, p balancerProperties) []any {
	out := []any{}
	seen := map[int32]bool{}
	add := func(l api.ListenerDescription, said listenerProperties) {
		live := map[string]any{"LoadBalancerPort": number(*l.Listener.LoadBalancerPort), "InstancePort": number(*l.Listener.InstancePort), "Protocol": *l.Listener.Protocol}
		if said.InstanceProtocol != nil {
			live["InstanceProtocol"] = *l.Listener.InstanceProtocol
		}
		if l.Listener.SSLCertificateId != nil {
			live["SSLCertificateId"] = *l.Listener.SSLCertificateId
		}
		if said.PolicyNames != nil {
			live["PolicyNames"] = inOrder(l.PolicyNames, said.PolicyNames)
		}
		seen[*l.Listener.LoadBalancerPort] = true
		out = append(out, live)
	}
	for _, said := range p.Listeners {
		for _, l := range d.ListenerDescriptions {
			if *l.Listener.LoadBalancerPort == said.LoadBalancerPort {
				add(l, said)
			}
		}
	}
	for _, l := range d.ListenerDescriptions {
		if !seen[*l.Listener.LoadBalancerPort] {
			add(l, listenerProperties{})
		}
	}
	return out
}

// inOrder are the values that there are, those of the template first, in its order.
func inOrder(have, said []string) []any {
	out := []any{}
	for _, v := range said {
		if slices.Contains(have, v) {
			out = append(out, v)
		}
	}
	for _, v := range without(have, said) {
		out = append(out, v)
	}
	return out
}
