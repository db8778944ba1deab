package elb

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elb"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

const maxPolicies = 100

// policyNameForm is what AWS's documentation allows.
var policyNameForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9-]*$`)

// addPolicy makes a policy that nothing uses yet.
func (s *Service) addPolicy(ctx context.Context, name *string, p policy) error {
	_, err := s.change(ctx, name, func(_ *store.Tx, k store.Key, b *balancer) error {
		switch {
		case !policyNameForm.MatchString(p.Name):
			return errValidation("Policy name %s may hold only letters, digits and dashes and must begin with a letter or a digit", p.Name)
		case b.policy(p.Name) != nil:
			return awserr.New("DuplicatePolicyName", "Policy with name %s already exists for load balancer %s", p.Name, k.ID)
		case len(b.Policies) >= maxPolicies:
			return awserr.New("TooManyPolicies", "The quota for the number of policies for load balancer %s has been reached", k.ID)
		}
		for _, a := range p.Attributes {
			if p.Type == typeBackendAuth && (b.policy(a.Value) == nil || b.policy(a.Value).Type != typePublicKey) {
				return errNoPolicy(a.Value, k.ID)
			}
		}
		b.Policies = append(b.Policies, p)
		return nil
	})
	return err
}

// CreateAppCookieStickinessPolicy makes a policy that follows an application's cookie.
func (s *Service) CreateAppCookieStickinessPolicy(ctx context.Context, in *api.CreateAppCookieStickinessPolicyInput) (*api.CreateAppCookieStickinessPolicyOutput, error) {
	p := policy{Name: aws.Val(in.PolicyName), Type: typeAppCookie, Attributes: []attribute{{cookieName, aws.Val(in.CookieName)}}}
	err := judgePolicy(p)
	if err == nil {
		err = s.addPolicy(ctx, in.LoadBalancerName, p)
	}
	return &api.CreateAppCookieStickinessPolicyOutput{}, err
}

// CreateLBCookieStickinessPolicy makes a policy with a cookie of the balancer's own.
func (s *Service) CreateLBCookieStickinessPolicy(ctx context.Context, in *api.CreateLBCookieStickinessPolicyInput) (*api.CreateLBCookieStickinessPolicyOutput, error) {
	p := policy{Name: aws.Val(in.PolicyName), Type: typeLBCookie}
	if in.CookieExpirationPeriod != nil {
		p.Attributes = []attribute{{cookiePeriod, strconv.FormatInt(*in.CookieExpirationPeriod, 10)}}
	}
	err := judgePolicy(p)
	if err == nil {
		err = s.addPolicy(ctx, in.LoadBalancerName, p)
	}
	return &api.CreateLBCookieStickinessPolicyOutput{}, err
}

// CreateLoadBalancerPolicy makes a policy of any type.
func (s *Service) CreateLoadBalancerPolicy(ctx context.Context, in *api.CreateLoadBalancerPolicyInput) (*api.CreateLoadBalancerPolicyOutput, error) {
	if _, err := s.view(ctx, in.LoadBalancerName); err != nil {
		return nil, err
	}
	p := policy{Name: aws.Val(in.PolicyName), Type: aws.Val(in.PolicyTypeName)}
	for _, a := range in.PolicyAttributes {
		p.Attributes = append(p.Attributes, attribute{aws.Val(a.AttributeName), aws.Val(a.AttributeValue)})
	}
	if err := judgePolicy(p); err != nil {
		return nil, err
	}
	if reference := p.value(referencePolicy); p.Type == typeNegotiation && reference != "" {
		p.Attributes = append([]attribute{{referencePolicy, reference}}, securityAttributes(reference)...)
	}
	return &api.CreateLoadBalancerPolicyOutput{}, s.addPolicy(ctx, in.LoadBalancerName, p)
}

// DeleteLoadBalancerPolicy removes a policy that nothing uses. One that does not exist
// is no error.
func (s *Service) DeleteLoadBalancerPolicy(ctx context.Context, in *api.DeleteLoadBalancerPolicyInput) (*api.DeleteLoadBalancerPolicyOutput, error) {
	name := aws.Val(in.PolicyName)
	_, err := s.change(ctx, in.LoadBalancerName, func(_ *store.Tx, _ store.Key, b *balancer) error {
		if b.uses(name) {
			return errConfiguration("Policy %s is in use and cannot be deleted", name)
		}
		b.Policies = slices.DeleteFunc(b.Policies, func(p policy) bool { return p.Name == name })
		return nil
	})
	return &api.DeleteLoadBalancerPolicyOutput{}, err
}

// uses says whether a listener, an instance port or another policy has a policy.
func (b *balancer) uses(name string) bool {
	for _, l := range b.Listeners {
		if slices.Contains(l.Policies, name) {
			return true
		}
	}
	for _, names := range b.Backends {
		if slices.Contains(names, name) {
			return true
		}
	}
	return slices.ContainsFunc(b.Policies, func(p policy) bool {
		return p.Type == typeBackendAuth && slices.Contains(p.Attributes, attribute{publicKeyName, name})
	})
}

// SetLoadBalancerPoliciesOfListener replaces the policies of a listener.
func (s *Service) SetLoadBalancerPoliciesOfListener(ctx context.Context, in *api.SetLoadBalancerPoliciesOfListenerInput) (*api.SetLoadBalancerPoliciesOfListenerOutput, error) {
	_, err := s.change(ctx, in.LoadBalancerName, func(_ *store.Tx, k store.Key, b *balancer) error {
		l := b.listener(aws.Val(in.LoadBalancerPort))
		if l == nil {
			return errNoListener(k.ID, aws.Val(in.LoadBalancerPort))
		}
		sticky := 0
		for _, name := range in.PolicyNames {
			p := b.policy(name)
			if p == nil {
				return errNoPolicy(name, k.ID)
			}
			if !fits(p.Type, l.Protocol) {
				return errConfiguration("%s cannot be enabled", name)
			}
			if p.Type == typeAppCookie || p.Type == typeLBCookie {
				sticky++
			}
		}
		if sticky > 1 {
			return errConfiguration("Only one stickiness policy can be enabled for a listener")
		}
		l.Policies = slices.Clone(in.PolicyNames)
		return nil
	})
	return &api.SetLoadBalancerPoliciesOfListenerOutput{}, err
}

// fits says whether a listener of the protocol can have a policy of the type.
func fits(kind, protocol string) bool {
	switch kind {
	case typeAppCookie, typeLBCookie:
		return isWeb(protocol)
	case typeNegotiation:
		return isSecure(protocol)
	}
	return false
}

// SetLoadBalancerPoliciesForBackendServer replaces the policies of an instance port.
func (s *Service) SetLoadBalancerPoliciesForBackendServer(ctx context.Context, in *api.SetLoadBalancerPoliciesForBackendServerInput) (*api.SetLoadBalancerPoliciesForBackendServerOutput, error) {
	port := aws.Val(in.InstancePort)
	_, err := s.change(ctx, in.LoadBalancerName, func(_ *store.Tx, k store.Key, b *balancer) error {
		if !b.reaches(port) {
			return errConfiguration("There is no listener with instance port %d for load balancer %s", port, k.ID)
		}
		for _, name := range in.PolicyNames {
			p := b.policy(name)
			if p == nil {
				return errNoPolicy(name, k.ID)
			}
			if p.Type != typeProxy && p.Type != typeBackendAuth {
				return errConfiguration("%s cannot be enabled", name)
			}
		}
		if b.Backends == nil {
			b.Backends = map[int32][]string{}
		}
		if b.Backends[port] = slices.Clone(in.PolicyNames); len(in.PolicyNames) == 0 {
			delete(b.Backends, port)
		}
		return nil
	})
	return &api.SetLoadBalancerPoliciesForBackendServerOutput{}, err
}

// DescribeLoadBalancerPolicies describes a balancer's policies, or those that AWS has
// made.
func (s *Service) DescribeLoadBalancerPolicies(ctx context.Context, in *api.DescribeLoadBalancerPoliciesInput) (*api.DescribeLoadBalancerPoliciesOutput, error) {
	all, of := samples(), aws.Val(in.LoadBalancerName)
	if in.LoadBalancerName != nil {
		b, err := s.view(ctx, in.LoadBalancerName)
		if err != nil {
			return nil, err
		}
		all = b.Policies
	}
	out := &api.DescribeLoadBalancerPoliciesOutput{PolicyDescriptions: []api.PolicyDescription{}}
	for _, p := range all {
		if len(in.PolicyNames) == 0 || slices.Contains(in.PolicyNames, p.Name) {
			out.PolicyDescriptions = append(out.PolicyDescriptions, p.describe())
		}
	}
	for _, name := range in.PolicyNames {
		if !slices.ContainsFunc(all, func(p policy) bool { return p.Name == name }) {
			return nil, errNoPolicy(name, of)
		}
	}
	return out, nil
}

func (p policy) describe() api.PolicyDescription {
	d := api.PolicyDescription{PolicyName: aws.Ptr(p.Name), PolicyTypeName: aws.Ptr(p.Type), PolicyAttributeDescriptions: []api.PolicyAttributeDescription{}}
	for _, a := range p.Attributes {
		d.PolicyAttributeDescriptions = append(d.PolicyAttributeDescriptions, api.PolicyAttributeDescription{AttributeName: aws.Ptr(a.Name), AttributeValue: aws.Ptr(a.Value)})
	}
	return d
}

// DescribeLoadBalancerPolicyTypes describes the types that policies may have.
func (s *Service) DescribeLoadBalancerPolicyTypes(_ context.Context, in *api.DescribeLoadBalancerPolicyTypesInput) (*api.DescribeLoadBalancerPolicyTypesOutput, error) {
	out := &api.DescribeLoadBalancerPolicyTypesOutput{PolicyTypeDescriptions: []api.PolicyTypeDescription{}}
	for _, t := range policyTypes {
		if len(in.PolicyTypeNames) == 0 || slices.Contains(in.PolicyTypeNames, t.name) {
			out.PolicyTypeDescriptions = append(out.PolicyTypeDescriptions, t.describe())
		}
	}
	for _, name := range in.PolicyTypeNames {
		if typeOf(name) == nil {
			return nil, errNoPolicyType(name)
		}
	}
	return out, nil
}

func errNoPolicyType(name string) error {
	return awserr.New("PolicyTypeNotFound", "Policy type %s not found", name)
}

// isTrue reads the values that AWS takes for true.
func isTrue(v string) bool { return strings.EqualFold(v, "true") }
