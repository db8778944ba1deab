package elb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elb"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/wire"
)

func tcpTarget(port int32) string { return fmt.Sprintf("TCP:%d", port) }

// Update implements stack.Resource.
func (t resourceLoadBalancer) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old balancerProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	name := r.PhysicalID
	for _, step := range []func() error{
		func() error { return t.setListeners(ctx, name, p.Listeners) },
		func() error { return t.move(ctx, name, p, old) },
		func() error { return t.setGroups(ctx, name, p.SecurityGroups, old.SecurityGroups) },
		func() error { return t.shape(ctx, name, p, old) },
		func() error { return t.retag(ctx, name, r.TagsBefore(old.Tags), r.TagsWith(p.Tags)) },
	} {
		if err := step(); err != nil {
			return stack.Result{}, err
		}
	}
	return t.read(ctx, name)
}

// setListeners makes the listeners those of the template.
func (t resourceLoadBalancer) setListeners(ctx context.Context, name string, want []listenerProperties) error {
	d, err := t.describe(ctx, name)
	if err != nil {
		return err
	}
	var gone []int32
	var missing []api.Listener
	for _, w := range want {
		missing = append(missing, w.api())
	}
	for _, have := range d.ListenerDescriptions {
		i := slices.IndexFunc(missing, func(l api.Listener) bool { return *l.LoadBalancerPort == *have.Listener.LoadBalancerPort })
		if i < 0 || !equalListener(missing[i], *have.Listener) {
			gone = append(gone, *have.Listener.LoadBalancerPort)
			continue
		}
		missing = slices.Delete(missing, i, i+1)
	}
	if len(gone) > 0 {
		if err := t.do(ctx, "DeleteLoadBalancerListeners", &api.DeleteLoadBalancerListenersInput{LoadBalancerName: &name, LoadBalancerPorts: gone}); err != nil {
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return t.do(ctx, "CreateLoadBalancerListeners", &api.CreateLoadBalancerListenersInput{LoadBalancerName: &name, Listeners: missing})
}

func equalListener(want, have api.Listener) bool {
	protocol := aws.Val(want.InstanceProtocol)
	if protocol == "" {
		protocol = aws.Val(want.Protocol)
	}
	return aws.Val(want.Protocol) == aws.Val(have.Protocol) && protocol == aws.Val(have.InstanceProtocol) &&
		*want.InstancePort == *have.InstancePort && aws.Val(want.SSLCertificateId) == aws.Val(have.SSLCertificateId)
}

// move attaches the balancer to the subnets, or the zones, of the template and detaches
// it from others. What has to wait for a zone to become free comes last.
func (t resourceLoadBalancer) move(ctx context.Context, name string, p, old balancerProperties) error {
	if slices.Equal(p.Subnets, old.Subnets) && slices.Equal(p.AvailabilityZones, old.AvailabilityZones) {
		return nil
	}
	d, err := t.describe(ctx, name)
	if err != nil {
		return err
	}
	if len(p.Subnets) == 0 {
		return t.moveZones(ctx, name, p.AvailabilityZones, d.AvailabilityZones)
	}
	attach := func(ids []string) error {
		if len(ids) == 0 {
			return nil
		}
		return t.do(ctx, "AttachLoadBalancerToSubnets", &api.AttachLoadBalancerToSubnetsInput{LoadBalancerName: &name, Subnets: ids})
	}
	var later []string
	for _, id := range without(p.Subnets, d.Subnets) {
		err := attach([]string{id})
		if awserr.Is(err, "InvalidConfigurationRequest") {
			later, err = append(later, id), nil
		}
		if err != nil {
			return err
		}
	}
	if gone := without(d.Subnets, p.Subnets); len(gone) > 0 {
		if err := t.do(ctx, "DetachLoadBalancerFromSubnets", &api.DetachLoadBalancerFromSubnetsInput{LoadBalancerName: &name, Subnets: gone}); err != nil {
			return err
		}
	}
	return attach(later)
}

func (t resourceLoadBalancer) moveZones(ctx context.Context, name string, want, have []string) error {
	if added := without(want, have); len(added) > 0 {
		err := t.do(ctx, "EnableAvailabilityZonesForLoadBalancer", &api.EnableAvailabilityZonesForLoadBalancerInput{LoadBalancerName: &name, AvailabilityZones: added})
		if err != nil {
			return err
		}
	}
	if gone := without(have, want); len(gone) > 0 {
		return t.do(ctx, "DisableAvailabilityZonesForLoadBalancer", &api.DisableAvailabilityZonesForLoadBalancerInput{LoadBalancerName: &name, AvailabilityZones: gone})
	}
	return nil
}

// setGroups applies the security groups of a template that names some.
func (t resourceLoadBalancer) setGroups(ctx context.Context, name string, want, before []string) error {
	if slices.Equal(want, before) {
		return nil
	}
	if len(want) == 0 {
		return &stack.PropertyError{Message: "SecurityGroups cannot be removed from a load balancer that had some; name the VPC's default group"}
	}
	return t.do(ctx, "ApplySecurityGroupsToLoadBalancer", &api.ApplySecurityGroupsToLoadBalancerInput{LoadBalancerName: &name, SecurityGroups: want})
}

func (t resourceLoadBalancer) retag(ctx context.Context, name string, before, now []stack.Tag) error {
	var gone []api.TagKeyOnly
	for _, key := range stack.TagsGone(before, now) {
		gone = append(gone, api.TagKeyOnly{Key: aws.Ptr(key)})
	}
	if len(gone) > 0 {
		if err := t.do(ctx, "RemoveTags", &api.RemoveTagsInput{LoadBalancerNames: []string{name}, Tags: gone}); err != nil {
			return err
		}
	}
	if len(now) == 0 || slices.Equal(before, now) {
		return nil
	}
	return t.do(ctx, "AddTags", &api.AddTagsInput{LoadBalancerNames: []string{name}, Tags: apiTags(now)})
}

// wantedPolicies are the policies of a template, whichever property they are in.
func (p *balancerProperties) wantedPolicies() (out []policy) {
	for _, a := range p.AppCookieStickinessPolicy {
		out = append(out, policy{a.PolicyName, typeAppCookie, []attribute{{cookieName, a.CookieName}}})
	}
	for _, l := range p.LBCookieStickinessPolicy {
		w := policy{Name: l.PolicyName, Type: typeLBCookie}
		if l.CookieExpirationPeriod != nil {
			w.Attributes = []attribute{{cookiePeriod, strconv.FormatInt(*l.CookieExpirationPeriod, 10)}}
		}
		out = append(out, w)
	}
	for _, o := range p.Policies {
		out = append(out, policy{o.PolicyName, o.PolicyType, o.Attributes})
	}
	return out
}

// bound are the policies of each listener, or of each instance port, of a template.
func (p *balancerProperties) bound() (listeners, backends map[int32][]string) {
	listeners, backends = map[int32][]string{}, map[int32][]string{}
	for _, l := range p.Listeners {
		listeners[l.LoadBalancerPort] = slices.Clone(l.PolicyNames)
	}
	for _, o := range p.Policies {
		for _, port := range o.LoadBalancerPorts {
			if !slices.Contains(listeners[port], o.PolicyName) {
				listeners[port] = append(listeners[port], o.PolicyName)
			}
		}
		for _, port := range o.InstancePorts {
			backends[port] = append(backends[port], o.PolicyName)
		}
	}
	return listeners, backends
}

// setPolicies makes the policies those of the template and binds them. What has changed
// is unbound and deleted before.
func (t resourceLoadBalancer) setPolicies(ctx context.Context, name string, p balancerProperties) error {
	described, err := wire.Call[api.DescribeLoadBalancerPoliciesOutput](ctx, t.inv, "elb", "DescribeLoadBalancerPolicies", &api.DescribeLoadBalancerPoliciesInput{LoadBalancerName: &name})
	if err != nil {
		return err
	}
	want := p.wantedPolicies()
	missing, stale := slices.Clone(want), []string{}
	for _, have := range described.PolicyDescriptions {
		i := slices.IndexFunc(missing, func(w policy) bool { return w.Name == *have.PolicyName })
		switch {
		case i >= 0 && missing[i].describes(have):
			missing = slices.Delete(missing, i, i+1)
		case i >= 0 || *have.PolicyName != defaultSecurityPolicy:
			stale = append(stale, *have.PolicyName)
		}
	}
	listeners, backends := p.bound()
	if len(stale) > 0 {
		if err := t.unbind(ctx, name, stale); err != nil {
			return err
		}
	}
	for _, w := range missing {
		in := &api.CreateLoadBalancerPolicyInput{LoadBalancerName: &name, PolicyName: aws.Ptr(w.Name), PolicyTypeName: aws.Ptr(w.Type)}
		for _, a := range w.Attributes {
			in.PolicyAttributes = append(in.PolicyAttributes, api.PolicyAttribute{AttributeName: aws.Ptr(a.Name), AttributeValue: aws.Ptr(a.Value)})
		}
		if err := t.do(ctx, "CreateLoadBalancerPolicy", in); err != nil {
			return err
		}
	}
	return t.bind(ctx, name, want, listeners, backends)
}

// describes says whether a policy that there is has what this one wants.
func (p policy) describes(have api.PolicyDescription) bool {
	if *have.PolicyTypeName != p.Type {
		return false
	}
	for _, a := range p.Attributes {
		if !slices.ContainsFunc(have.PolicyAttributeDescriptions, func(h api.PolicyAttributeDescription) bool {
			return aws.Val(h.AttributeName) == a.Name && aws.Val(h.AttributeValue) == a.Value
		}) {
			return false
		}
	}
	return p.Type == typeNegotiation || len(have.PolicyAttributeDescriptions) == len(p.Attributes)
}

// unbind takes policies from all listeners and instance ports and deletes them.
func (t resourceLoadBalancer) unbind(ctx context.Context, name string, stale []string) error {
	d, err := t.describe(ctx, name)
	if err != nil {
		return err
	}
	listeners, backends := map[int32][]string{}, map[int32][]string{}
	for _, l := range d.ListenerDescriptions {
		if left := without(l.PolicyNames, stale); len(left) < len(l.PolicyNames) {
			listeners[*l.Listener.LoadBalancerPort] = left
		}
	}
	for _, b := range d.BackendServerDescriptions {
		if left := without(b.PolicyNames, stale); len(left) < len(b.PolicyNames) {
			backends[*b.InstancePort] = left
		}
	}
	if err := t.setBound(ctx, name, listeners, backends); err != nil {
		return err
	}
	for _, s := range stale {
		if err := t.do(ctx, "DeleteLoadBalancerPolicy", &api.DeleteLoadBalancerPolicyInput{LoadBalancerName: &name, PolicyName: &s}); err != nil {
			return err
		}
	}
	return nil
}

// bind sets the policies of listeners and instance ports that have others. A secure
// listener without a negotiation policy of the template keeps AWS's default.
func (t resourceLoadBalancer) bind(ctx context.Context, name string, all []policy, listeners, backends map[int32][]string) error {
	d, err := t.describe(ctx, name)
	if err != nil {
		return err
	}
	for _, l := range d.ListenerDescriptions {
		port := *l.Listener.LoadBalancerPort
		negotiates := slices.ContainsFunc(all, func(p policy) bool { return p.Type == typeNegotiation && slices.Contains(listeners[port], p.Name) })
		if isSecure(*l.Listener.Protocol) && !negotiates {
			listeners[port] = append([]string{defaultSecurityPolicy}, without(listeners[port], []string{defaultSecurityPolicy})...)
		}
		if sameNames(listeners[port], l.PolicyNames) {
			delete(listeners, port)
		}
	}
	for _, b := range d.BackendServerDescriptions {
		if sameNames(backends[*b.InstancePort], b.PolicyNames) {
			delete(backends, *b.InstancePort)
		} else if backends[*b.InstancePort] == nil {
			backends[*b.InstancePort] = []string{}
		}
	}
	return t.setBound(ctx, name, listeners, backends)
}

func sameNames(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func (t resourceLoadBalancer) setBound(ctx context.Context, name string, listeners, backends map[int32][]string) error {
	for _, port := range slices.Sorted(maps.Keys(listeners)) {
		err := t.do(ctx, "SetLoadBalancerPoliciesOfListener", &api.SetLoadBalancerPoliciesOfListenerInput{
			LoadBalancerName: &name, LoadBalancerPort: aws.Ptr(port), PolicyNames: append([]string{}, listeners[port]...)})
		if err != nil {
			return err
		}
	}
	for _, port := range slices.Sorted(maps.Keys(backends)) {
		err := t.do(ctx, "SetLoadBalancerPoliciesForBackendServer", &api.SetLoadBalancerPoliciesForBackendServerInput{
			LoadBalancerName: &name, InstancePort: aws.Ptr(port), PolicyNames: append([]string{}, backends[port]...)})
		if err != nil {
			return err
		}
	}
	return nil
}
