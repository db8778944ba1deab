package elb

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elb"
	"github.com/hardstand/hardstand/internal/aws/elbzone"
	"github.com/hardstand/hardstand/internal/store"
)

// maxPage is how many balancers a page has.
const maxPage = 400

// DescribeLoadBalancers describes balancers, all of them unless some are named.
func (s *Service) DescribeLoadBalancers(ctx context.Context, in *api.DescribeLoadBalancersInput) (*api.DescribeLoadBalancersOutput, error) {
	after, err := openMarker(in.Marker)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeLoadBalancersOutput{LoadBalancerDescriptions: []api.LoadBalancerDescription{}}
	size := maxPage
	if in.PageSize != nil {
		size = int(*in.PageSize)
	}
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		for _, name := range in.LoadBalancerNames {
			k := keyOf(ctx, name)
			b, err := get(tx, k)
			if err != nil {
				return err
			}
			out.LoadBalancerDescriptions = append(out.LoadBalancerDescriptions, b.describe(k))
		}
		if len(in.LoadBalancerNames) > 0 {
			return nil
		}
		c := aws.CallFrom(ctx)
		rows, err := balancers.List(tx, store.Scope{Account: c.Account, Region: c.Region}, after, size+1)
		for i, r := range rows {
			if i == size {
				out.NextMarker = aws.Ptr(base64.RawURLEncoding.EncodeToString([]byte(rows[i-1].Key.ID)))
				break
			}
			out.LoadBalancerDescriptions = append(out.LoadBalancerDescriptions, r.Value.describe(r.Key))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func openMarker(marker *string) (string, error) {
	raw, err := base64.RawURLEncoding.DecodeString(aws.Val(marker))
	if err != nil {
		return "", errValidation("Invalid marker: %s", *marker)
	}
	return string(raw), nil
}

// describe is the balancer as DescribeLoadBalancers tells it.
func (b *balancer) describe(k store.Key) api.LoadBalancerDescription {
	d := api.LoadBalancerDescription{
		LoadBalancerName: aws.Ptr(k.ID), DNSName: aws.Ptr(b.DNS), CanonicalHostedZoneNameID: aws.Ptr(elbzone.Application(k.Region)),
		ListenerDescriptions: []api.ListenerDescription{}, Policies: b.policies(), BackendServerDescriptions: []api.BackendServerDescription{},
		AvailabilityZones: b.zones(), Subnets: b.subnets(), VPCId: aws.Ptr(b.VPC), Instances: b.registered(), HealthCheck: b.Check.out(),
		SourceSecurityGroup: &api.SourceSecurityGroup{OwnerAlias: aws.Ptr(k.Account), GroupName: aws.Ptr(b.GroupName)},
		SecurityGroups:      append([]string{}, b.SecurityGroups...), CreatedTime: aws.Ptr(b.Created), Scheme: aws.Ptr(b.Scheme),
	}
	if b.Scheme == internetFacing {
		d.CanonicalHostedZoneName = aws.Ptr(b.DNS)
	}
	for _, l := range b.Listeners {
		d.ListenerDescriptions = append(d.ListenerDescriptions, api.ListenerDescription{Listener: l.out(), PolicyNames: append([]string{}, l.Policies...)})
	}
	for _, port := range slices.Sorted(maps.Keys(b.Backends)) {
		d.BackendServerDescriptions = append(d.BackendServerDescriptions,
			api.BackendServerDescription{InstancePort: aws.Ptr(port), PolicyNames: append([]string{}, b.Backends[port]...)})
	}
	return d
}

func (l listener) out() *api.Listener {
	out := &api.Listener{Protocol: aws.Ptr(l.Protocol), LoadBalancerPort: aws.Ptr(l.Port), InstanceProtocol: aws.Ptr(l.InstanceProtocol), InstancePort: aws.Ptr(l.InstancePort)}
	if l.Certificate != "" {
		out.SSLCertificateId = aws.Ptr(l.Certificate)
	}
	return out
}

// policies sorts the balancer's policies by type.
func (b *balancer) policies() *api.Policies {
	out := &api.Policies{AppCookieStickinessPolicies: []api.AppCookieStickinessPolicy{}, LBCookieStickinessPolicies: []api.LBCookieStickinessPolicy{}, OtherPolicies: []string{}}
	for i := range b.Policies {
		p := &b.Policies[i]
		switch p.Type {
		case typeAppCookie:
			out.AppCookieStickinessPolicies = append(out.AppCookieStickinessPolicies, api.AppCookieStickinessPolicy{PolicyName: aws.Ptr(p.Name), CookieName: aws.Ptr(p.value(cookieName))})
		case typeLBCookie:
			sticky := api.LBCookieStickinessPolicy{PolicyName: aws.Ptr(p.Name)}
			if period, err := strconv.ParseInt(p.value(cookiePeriod), 10, 64); err == nil {
				sticky.CookieExpirationPeriod = aws.Ptr(period)
			}
			out.LBCookieStickinessPolicies = append(out.LBCookieStickinessPolicies, sticky)
		default:
			out.OtherPolicies = append(out.OtherPolicies, p.Name)
		}
	}
	return out
}

// DescribeAccountLimits tells the quotas.
func (s *Service) DescribeAccountLimits(_ context.Context, in *api.DescribeAccountLimitsInput) (*api.DescribeAccountLimitsOutput, error) {
	all := []api.Limit{
		{Name: aws.Ptr("classic-load-balancers"), Max: aws.Ptr(strconv.Itoa(maxBalancers))},
		{Name: aws.Ptr("classic-listeners"), Max: aws.Ptr(strconv.Itoa(maxListeners))},
		{Name: aws.Ptr("classic-registered-instances"), Max: aws.Ptr(strconv.Itoa(maxInstances))},
	}
	after, err := openMarker(in.Marker)
	if err != nil {
		return nil, err
	}
	all = all[slices.IndexFunc(all, func(l api.Limit) bool { return *l.Name == after })+1:]
	out := &api.DescribeAccountLimitsOutput{Limits: all}
	if n := int(aws.Val(in.PageSize)); n > 0 && n < len(all) {
		out.Limits, out.NextMarker = all[:n], aws.Ptr(base64.RawURLEncoding.EncodeToString([]byte(*all[n-1].Name)))
	}
	return out, nil
}

// DeleteLoadBalancer removes a balancer. One that does not exist is no error.
func (s *Service) DeleteLoadBalancer(ctx context.Context, in *api.DeleteLoadBalancerInput) (*api.DeleteLoadBalancerOutput, error) {
	k := keyOf(ctx, strings.TrimSpace(aws.Val(in.LoadBalancerName)))
	gone := false
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		b, err := get(tx, k)
		if err != nil {
			gone = true
			return nil //nolint:nilerr // it is gone
		}
		for _, n := range b.Nodes {
			if n.Interface == "" {
				continue
			}
			if err := leavings.Put(tx, store.Key{Account: k.Account, Region: k.Region, ID: n.Interface}, &leaving{Balancer: k.ID}); err != nil {
				return err
			}
		}
		emit(ctx, tx, k, "balancer", "DeleteLoadBalancer")
		return balancers.Delete(tx, k)
	})
	if err == nil && !gone {
		s.settle(ctx, k)
	}
	return &api.DeleteLoadBalancerOutput{}, err
}
