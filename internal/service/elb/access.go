package elb

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elb"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

const prefix = "elasticloadbalancing:"

// op is a row whose action has the operation's name. names returns the balancers that
// the input is about; nil means that the permission names none.
func op[I, O any](s *Service, name string, h func(context.Context, *I) (*O, error), names func(*I) []string) wire.Operation {
	if names == nil {
		return wire.Op(name, prefix+name, h, nil)
	}
	return wire.Op(name, prefix+name, h, func(ctx context.Context, in *I) ([]aws.Check, error) {
		var checks []aws.Check
		for _, n := range names(in) {
			checks = append(checks, aws.Check{Resource: arnOf(keyOf(ctx, n))})
		}
		return checks, nil
	})
}

// one is the balancer of most inputs.
func one(name *string) []string { return []string{aws.Val(name)} }

// Wire lists the operations.
func (s *Service) Wire() wire.Service {
	all := slices.Concat(s.balancerOperations(), s.policyOperations(), s.placeOperations(), s.describeOperations())
	return wire.Service{Model: api.Model(), Operations: wire.Completed(all, s.complete)}
}

func (s *Service) balancerOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("CreateLoadBalancer", prefix+"CreateLoadBalancer", s.CreateLoadBalancer, createChecks),
		op(s, "DeleteLoadBalancer", s.DeleteLoadBalancer, func(in *api.DeleteLoadBalancerInput) []string { return one(in.LoadBalancerName) }),
		op(s, "CreateLoadBalancerListeners", s.CreateLoadBalancerListeners,
			func(in *api.CreateLoadBalancerListenersInput) []string { return one(in.LoadBalancerName) }),
		op(s, "DeleteLoadBalancerListeners", s.DeleteLoadBalancerListeners,
			func(in *api.DeleteLoadBalancerListenersInput) []string { return one(in.LoadBalancerName) }),
		op(s, "SetLoadBalancerListenerSSLCertificate", s.SetLoadBalancerListenerSSLCertificate,
			func(in *api.SetLoadBalancerListenerSSLCertificateInput) []string { return one(in.LoadBalancerName) }),
		op(s, "ConfigureHealthCheck", s.ConfigureHealthCheck, func(in *api.ConfigureHealthCheckInput) []string { return one(in.LoadBalancerName) }),
		op(s, "ModifyLoadBalancerAttributes", s.ModifyLoadBalancerAttributes,
			func(in *api.ModifyLoadBalancerAttributesInput) []string { return one(in.LoadBalancerName) }),
		op(s, "RegisterInstancesWithLoadBalancer", s.RegisterInstancesWithLoadBalancer,
			func(in *api.RegisterInstancesWithLoadBalancerInput) []string { return one(in.LoadBalancerName) }),
		op(s, "DeregisterInstancesFromLoadBalancer", s.DeregisterInstancesFromLoadBalancer,
			func(in *api.DeregisterInstancesFromLoadBalancerInput) []string { return one(in.LoadBalancerName) }),
		op(s, "AddTags", s.AddTags, func(in *api.AddTagsInput) []string { return in.LoadBalancerNames }),
		op(s, "RemoveTags", s.RemoveTags, func(in *api.RemoveTagsInput) []string { return in.LoadBalancerNames }),
	}
}

func (s *Service) policyOperations() []wire.Operation {
	return []wire.Operation{
		op(s, "CreateAppCookieStickinessPolicy", s.CreateAppCookieStickinessPolicy,
			func(in *api.CreateAppCookieStickinessPolicyInput) []string { return one(in.LoadBalancerName) }),
		op(s, "CreateLBCookieStickinessPolicy", s.CreateLBCookieStickinessPolicy,
			func(in *api.CreateLBCookieStickinessPolicyInput) []string { return one(in.LoadBalancerName) }),
		op(s, "CreateLoadBalancerPolicy", s.CreateLoadBalancerPolicy,
			func(in *api.CreateLoadBalancerPolicyInput) []string { return one(in.LoadBalancerName) }),
		op(s, "DeleteLoadBalancerPolicy", s.DeleteLoadBalancerPolicy,
			func(in *api.DeleteLoadBalancerPolicyInput) []string { return one(in.LoadBalancerName) }),
		op(s, "SetLoadBalancerPoliciesOfListener", s.SetLoadBalancerPoliciesOfListener,
			func(in *api.SetLoadBalancerPoliciesOfListenerInput) []string { return one(in.LoadBalancerName) }),
		op(s, "SetLoadBalancerPoliciesForBackendServer", s.SetLoadBalancerPoliciesForBackendServer,
			func(in *api.SetLoadBalancerPoliciesForBackendServerInput) []string { return one(in.LoadBalancerName) }),
	}
}

func (s *Service) placeOperations() []wire.Operation {
	return []wire.Operation{
		op(s, "AttachLoadBalancerToSubnets", s.AttachLoadBalancerToSubnets,
			func(in *api.AttachLoadBalancerToSubnetsInput) []string { return one(in.LoadBalancerName) }),
		op(s, "DetachLoadBalancerFromSubnets", s.DetachLoadBalancerFromSubnets,
			func(in *api.DetachLoadBalancerFromSubnetsInput) []string { return one(in.LoadBalancerName) }),
		op(s, "EnableAvailabilityZonesForLoadBalancer", s.EnableAvailabilityZonesForLoadBalancer,
			func(in *api.EnableAvailabilityZonesForLoadBalancerInput) []string { return one(in.LoadBalancerName) }),
		op(s, "DisableAvailabilityZonesForLoadBalancer", s.DisableAvailabilityZonesForLoadBalancer,
			func(in *api.DisableAvailabilityZonesForLoadBalancerInput) []string { return one(in.LoadBalancerName) }),
		op(s, "ApplySecurityGroupsToLoadBalancer", s.ApplySecurityGroupsToLoadBalancer,
			func(in *api.ApplySecurityGroupsToLoadBalancerInput) []string { return one(in.LoadBalancerName) }),
	}
}

func (s *Service) describeOperations() []wire.Operation {
	return []wire.Operation{
		op(s, "DescribeLoadBalancers", s.DescribeLoadBalancers, nil),
		op(s, "DescribeLoadBalancerAttributes", s.DescribeLoadBalancerAttributes, nil),
		op(s, "DescribeLoadBalancerPolicies", s.DescribeLoadBalancerPolicies, nil),
		op(s, "DescribeLoadBalancerPolicyTypes", s.DescribeLoadBalancerPolicyTypes, nil),
		op(s, "DescribeInstanceHealth", s.DescribeInstanceHealth, nil),
		op(s, "DescribeTags", s.DescribeTags, nil),
		op(s, "DescribeAccountLimits", s.DescribeAccountLimits, nil),
	}
}

// createChecks: tags at creation need the permission to tag, too.
func createChecks(ctx context.Context, in *api.CreateLoadBalancerInput) ([]aws.Check, error) {
	resource := arnOf(keyOf(ctx, aws.Val(in.LoadBalancerName)))
	checks := []aws.Check{{Resource: resource}}
	if len(in.Tags) > 0 {
		checks = append(checks, aws.Check{Action: prefix + "AddTags", Resource: resource,
			Context: map[string][]string{prefix + "CreateAction": {"CreateLoadBalancer"}}})
	}
	return checks, nil
}

// complete adds the condition keys of inputs and of balancers that exist.
func (s *Service) complete(ctx context.Context, in any, c *aws.Check) error {
	offerInput(in, c)
	_, name, found := strings.Cut(c.Resource, ":loadbalancer/")
	if !found {
		return nil
	}
	return s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		b, err := balancers.Get(tx, keyOf(ctx, name))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err == nil {
			for k, v := range b.Tags {
				c.OfferTag(k, v)
				c.Offer(prefix+"ResourceTag/"+k, v)
			}
		}
		return err
	})
}

// offerInput offers what an input says, under the names of AWS's reference.
func offerInput(in any, c *aws.Check) {
	if strings.HasSuffix(c.Action, ":AddTags") && len(c.Context) > 0 && c.Context[prefix+"CreateAction"] != nil {
		return // what is checked is the tagging
	}
	switch in := in.(type) {
	case *api.CreateLoadBalancerInput:
		c.Offer(prefix+"SecurityGroup", in.SecurityGroups...)
		c.Offer(prefix+"Subnet", in.Subnets...)
		c.Offer(prefix+"ListenerProtocol", protocolsOf(in.Listeners)...)
		c.Offer(prefix+"Scheme", schemeOr(in.Scheme))
	case *api.CreateLoadBalancerListenersInput:
		c.Offer(prefix+"ListenerProtocol", protocolsOf(in.Listeners)...)
	case *api.RemoveTagsInput:
		var keys []string
		for _, t := range in.Tags {
			keys = append(keys, aws.Val(t.Key))
		}
		c.Offer("aws:TagKeys", keys...)
	case *api.ApplySecurityGroupsToLoadBalancerInput:
		c.Offer(prefix+"SecurityGroup", in.SecurityGroups...)
	case *api.AttachLoadBalancerToSubnetsInput:
		c.Offer(prefix+"Subnet", in.Subnets...)
	case *api.CreateLoadBalancerPolicyInput:
		for _, a := range in.PolicyAttributes {
			if aws.Val(a.AttributeName) == referencePolicy {
				c.Offer(prefix+"SecurityPolicy", aws.Val(a.AttributeValue))
			}
		}
	case *api.SetLoadBalancerPoliciesOfListenerInput:
		c.Offer(prefix+"SecurityPolicy", in.PolicyNames...)
	}
}

func protocolsOf(list []api.Listener) (out []string) {
	for _, l := range list {
		out = append(out, strings.ToUpper(aws.Val(l.Protocol)))
	}
	return out
}
