package elbv2

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// suites are the ciphers of policies, each under a letter; t stands for the three of
// TLS 1.3.
var suites = map[rune]string{
	'a': "ECDHE-ECDSA-AES128-GCM-SHA256", 'b': "ECDHE-RSA-AES128-GCM-SHA256", 'c': "ECDHE-ECDSA-AES128-SHA256", 'd': "ECDHE-RSA-AES128-SHA256",
	'e': "ECDHE-ECDSA-AES256-GCM-SHA384", 'f': "ECDHE-RSA-AES256-GCM-SHA384", 'g': "ECDHE-ECDSA-AES256-SHA384", 'h': "ECDHE-RSA-AES256-SHA384",
	'i': "ECDHE-ECDSA-AES128-SHA", 'j': "ECDHE-RSA-AES128-SHA", 'k': "ECDHE-ECDSA-AES256-SHA", 'l': "ECDHE-RSA-AES256-SHA",
	'm': "AES128-GCM-SHA256", 'n': "AES128-SHA256", 'o': "AES128-SHA", 'p': "AES256-GCM-SHA384", 'q': "AES256-SHA256", 'r': "AES256-SHA", 's': "DES-CBC3-SHA",
}

var suites13 = []string{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}

// allSuites is the set that the widest policies have.
const allSuites = "abcdijefghklmnopqr"

// policies are AWS's security policies: name, versions, ciphers.
var policies = []struct{ name, versions, ciphers string }{
	{"ELBSecurityPolicy-TLS13-1-3-2021-06", "TLSv1.3", "t"},
	{"ELBSecurityPolicy-TLS13-1-3-PQ-2025-09", "TLSv1.3", "t"},
	{"ELBSecurityPolicy-TLS13-1-2-2021-06", "TLSv1.3 TLSv1.2", "tabcdefgh"},
	{"ELBSecurityPolicy-TLS13-1-2-PQ-2025-09", "TLSv1.3 TLSv1.2", "tabcdefgh"},
	{"ELBSecurityPolicy-TLS13-1-2-Res-2021-06", "TLSv1.3 TLSv1.2", "tabef"},
	{"ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09", "TLSv1.3 TLSv1.2", "tabef"},
	{"ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06", "TLSv1.3 TLSv1.2", "t" + allSuites},
	{"ELBSecurityPolicy-TLS13-1-2-Ext2-PQ-2025-09", "TLSv1.3 TLSv1.2", "t" + allSuites},
	{"ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06", "TLSv1.3 TLSv1.2", "tabcdefghmnpq"},
	{"ELBSecurityPolicy-TLS13-1-2-Ext1-PQ-2025-09", "TLSv1.3 TLSv1.2", "tabcdefghmnpq"},
	{"ELBSecurityPolicy-TLS13-1-1-2021-06", "TLSv1.3 TLSv1.2 TLSv1.1", "t" + allSuites},
	{"ELBSecurityPolicy-TLS13-1-0-2021-06", "TLSv1.3 TLSv1.2 TLSv1.1 TLSv1", "t" + allSuites},
	{"ELBSecurityPolicy-TLS13-1-0-PQ-2025-09", "TLSv1.3 TLSv1.2 TLSv1.1 TLSv1", "t" + allSuites},
	{standardPolicy, "TLSv1 TLSv1.1 TLSv1.2", allSuites},
	{"ELBSecurityPolicy-TLS-1-2-2017-01", "TLSv1.2", "abcdefghmnpq"},
	{"ELBSecurityPolicy-TLS-1-1-2017-01", "TLSv1.1 TLSv1.2", allSuites},
	{"ELBSecurityPolicy-TLS-1-2-Ext-2018-06", "TLSv1.2", allSuites},
	{"ELBSecurityPolicy-FS-2018-06", "TLSv1 TLSv1.1 TLSv1.2", "abcdijefghkl"},
	{"ELBSecurityPolicy-2015-05", "TLSv1 TLSv1.1 TLSv1.2", allSuites},
	{"ELBSecurityPolicy-TLS-1-0-2015-04", "TLSv1 TLSv1.1 TLSv1.2", allSuites + "s"},
	{"ELBSecurityPolicy-FS-1-2-Res-2019-08", "TLSv1.2", "abcdefgh"},
	{"ELBSecurityPolicy-FS-1-1-2019-08", "TLSv1.1 TLSv1.2", "abcdijefghkl"},
	{"ELBSecurityPolicy-FS-1-2-2019-08", "TLSv1.2", "abcdijefghkl"},
	{"ELBSecurityPolicy-FS-1-2-Res-2020-10", "TLSv1.2", "abef"},
}

// judgePolicy wants the name of a policy. The implementation of TLS here is not one
// that FIPS has approved.
func judgePolicy(name string) error {
	if strings.Contains(name, "-FIPS-") {
		return notBuilt("the security policy %s", name)
	}
	for _, p := range policies {
		if p.name == name {
			return nil
		}
	}
	return awserr.New("SSLPolicyNotFound", "SSL policy '%s' not found", name)
}

func policyOf(name, versions, ciphers string) api.SslPolicy {
	p := api.SslPolicy{Name: &name, SslProtocols: strings.Fields(versions), SupportedLoadBalancerTypes: []string{string(application), string(network)}}
	for _, letter := range ciphers {
		list := []string{suites[letter]}
		if letter == 't' {
			list = suites13
		}
		for _, c := range list {
			p.Ciphers = append(p.Ciphers, api.Cipher{Name: &c, Priority: aws.Ptr(int32(len(p.Ciphers) + 1))})
		}
	}
	return p
}

// DescribeSSLPolicies describes security policies, all or those named.
func (s *Service) DescribeSSLPolicies(_ context.Context, in *api.DescribeSSLPoliciesInput) (*api.DescribeSSLPoliciesOutput, error) {
	for _, name := range in.Names {
		if err := judgePolicy(name); err != nil {
			return nil, err
		}
	}
	var list []api.SslPolicy
	for _, p := range policies {
		if (len(in.Names) == 0 || slices.Contains(in.Names, p.name)) && in.LoadBalancerType != "gateway" {
			list = append(list, policyOf(p.name, p.versions, p.ciphers))
		}
	}
	out := &api.DescribeSSLPoliciesOutput{}
	var err error
	out.SslPolicies, out.NextMarker, err = page(list, in.Marker, in.PageSize)
	return out, err
}

// limits are the quotas of an account. Those of what this server refuses stand as on
// AWS.
var limits = []struct{ name, most string }{
	{"target-groups", "3000"}, {"targets-per-application-load-balancer", "1000"}, {"listeners-per-application-load-balancer", "50"},
	{"rules-per-application-load-balancer", "200"}, {"network-load-balancers", "50"}, {"targets-per-network-load-balancer", "3000"},
	{"targets-per-availability-zone-per-network-load-balancer", "500"}, {"listeners-per-network-load-balancer", "50"},
	{"condition-values-per-alb-rule", "5"}, {"condition-wildcards-per-alb-rule", "5"}, {"target-groups-per-application-load-balancer", "100"},
	{"target-groups-per-action-on-application-load-balancer", "5"}, {"target-groups-per-action-on-network-load-balancer", "1"},
	{"certificates-per-application-load-balancer", "25"}, {"certificates-per-network-load-balancer", "25"},
	{"targets-per-target-group", "1000"}, {"target-id-registrations-per-application-load-balancer", "1000"},
	{"network-load-balancer-enis-per-vpc", "1200"}, {"application-load-balancers", "50"}, {"gateway-load-balancers", "100"},
	{"gateway-load-balancers-per-vpc", "100"}, {"geneve-target-groups", "100"}, {"targets-per-availability-zone-per-gateway-load-balancer", "300"},
}

// DescribeAccountLimits lists the quotas.
func (s *Service) DescribeAccountLimits(_ context.Context, in *api.DescribeAccountLimitsInput) (*api.DescribeAccountLimitsOutput, error) {
	var list []api.Limit
	for _, l := range limits {
		list = append(list, api.Limit{Name: &l.name, Max: &l.most})
	}
	out := &api.DescribeAccountLimitsOutput{}
	var err error
	out.Limits, out.NextMarker, err = page(list, in.Marker, in.PageSize)
	return out, err
}

// DescribeCapacityReservation tells that nothing is reserved: a balancer here has the
// capacity of the machine.
func (s *Service) DescribeCapacityReservation(ctx context.Context, in *api.DescribeCapacityReservationInput) (*api.DescribeCapacityReservationOutput, error) {
	_, err := s.peek(ctx, *in.LoadBalancerArn)
	return &api.DescribeCapacityReservationOutput{DecreaseRequestsRemaining: aws.Ptr[int32](maxDecreases), CapacityReservationState: []api.ZonalCapacityReservationState{}}, err
}

// maxDecreases is how often a day a reservation may be made smaller.
const maxDecreases = 5
