package elbv2

import (
	"context"
	"maps"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/store"
)

// Keys of attributes that something acts on.
const (
	keyProtection  = "deletion_protection.enabled"
	keyCrossZone   = "load_balancing.cross_zone.enabled"
	keyIdle        = "idle_timeout.timeout_seconds"
	keyKeepAlive   = "client_keep_alive.seconds"
	keyHTTP2       = "routing.http2.enabled"
	keyDropInvalid = "routing.http.drop_invalid_header_fields.enabled"
	keyKeepHost    = "routing.http.preserve_host_header.enabled"
	keyTLSHeaders  = "routing.http.x_amzn_tls_version_and_cipher_suite.enabled"
	keyClientPort  = "routing.http.xff_client_port.enabled"
	keyForwarded   = "routing.http.xff_header_processing.mode"
)

var onlyFalse = []string{"false"}

// balancerAttributes are those of balancers. There are no logs, no WAF and no IPv6, so
// what is about them is refused where it would have to be done, and means nothing
// where it would not.
var balancerAttributes = attributeSet{word: "Load balancer", list: []attribute{
	{key: "access_logs.s3.enabled", standard: "false", of: ofBoth, judge: boolean, kept: onlyFalse},
	{key: "access_logs.s3.bucket", of: ofBoth, judge: atMost(63)},
	{key: "access_logs.s3.prefix", of: ofBoth, judge: atMost(1024)},
	{key: keyIdle, standard: "60", of: ofALB, judge: between(1, 4000)},
	{key: keyProtection, standard: "false", of: ofBoth, judge: boolean},
	{key: keyHTTP2, standard: "true", of: ofALB, judge: boolean},
	{key: keyDropInvalid, standard: "false", of: ofALB, judge: boolean},
	{key: keyClientPort, standard: "false", of: ofALB, judge: boolean},
	{key: keyKeepHost, standard: "false", of: ofALB, judge: boolean},
	{key: keyForwarded, standard: "append", of: ofALB, judge: oneOf("append", "preserve", "remove")},
	{key: keyCrossZone, standard: "false", of: ofBoth, judge: boolean},
	{key: "routing.http.desync_mitigation_mode", standard: "defensive", of: ofALB, judge: oneOf("monitor", "defensive", "strictest"), kept: []string{"defensive"}},
	{key: keyTLSHeaders, standard: "false", of: ofALB, judge: boolean},
	{key: keyKeepAlive, standard: "3600", of: ofALB, judge: between(60, 604800)},
	{key: "waf.fail_open.enabled", standard: "false", of: ofALB, judge: boolean},
	{key: "connection_logs.s3.enabled", standard: "false", of: ofALB, judge: boolean, kept: onlyFalse},
	{key: "connection_logs.s3.bucket", of: ofALB, judge: atMost(63)},
	{key: "connection_logs.s3.prefix", of: ofALB, judge: atMost(1024)},
	{key: "health_check_logs.s3.enabled", standard: "false", of: ofALB, judge: boolean, kept: onlyFalse},
	{key: "health_check_logs.s3.bucket", of: ofALB, judge: atMost(63)},
	{key: "health_check_logs.s3.prefix", of: ofALB, judge: atMost(1024)},
	{key: "zonal_shift.config.enabled", standard: "false", of: ofBoth, judge: boolean, kept: onlyFalse},
	{key: "ipv6.deny_all_igw_traffic", standard: "false", of: ofBoth, judge: boolean},
	{key: "dns_record.client_routing_policy", standard: "any_availability_zone", of: ofNLB,
		judge: oneOf("any_availability_zone", "availability_zone_affinity", "partial_availability_zone_affinity"), kept: []string{"any_availability_zone"}},
	{key: "secondary_ips.auto_assigned.per_subnet", standard: "0", of: ofNLB, judge: between(0, 7), kept: []string{"0"}},
}}

func (b *balancer) scope() scope {
	if b.Type == network {
		return ofNLB
	}
	return ofALB
}

// attributes are a balancer's as operations show them.
func (b *balancer) attributes() (out []api.LoadBalancerAttribute) {
	for _, p := range balancerAttributes.all(b.scope(), b.settings()) {
		out = append(out, api.LoadBalancerAttribute{Key: &p.Key, Value: &p.Value})
	}
	return out
}

// settings are the attributes that were set, and those that follow from the type.
func (b *balancer) settings() map[string]string {
	set := maps.Clone(b.Attributes)
	if set == nil {
		set = map[string]string{}
	}
	if b.Type == application {
		set[keyCrossZone] = "true"
	}
	return set
}

// DescribeLoadBalancerAttributes returns the attributes of a balancer.
func (s *Service) DescribeLoadBalancerAttributes(ctx context.Context, in *api.DescribeLoadBalancerAttributesInput) (*api.DescribeLoadBalancerAttributesOutput, error) {
	out := &api.DescribeLoadBalancerAttributesOutput{}
	err := s.viewBalancer(ctx, *in.LoadBalancerArn, func(_ *store.Tx, _ store.Key, b *balancer) error {
		out.Attributes = b.attributes()
		return nil
	})
	return out, err
}

// ModifyLoadBalancerAttributes sets attributes of a balancer.
func (s *Service) ModifyLoadBalancerAttributes(ctx context.Context, in *api.ModifyLoadBalancerAttributesInput) (*api.ModifyLoadBalancerAttributesOutput, error) {
	out := &api.ModifyLoadBalancerAttributesOutput{}
	err := s.changeBalancer(ctx, *in.LoadBalancerArn, "attributes", func(_ *store.Tx, _ store.Key, b *balancer) error {
		if err := b.set(in.Attributes); err != nil {
			return err
		}
		out.Attributes = b.attributes()
		return nil
	})
	return out, err
}

func (b *balancer) set(list []api.LoadBalancerAttribute) error {
	for _, p := range list {
		key, value := aws.Val(p.Key), aws.Val(p.Value)
		a, err := balancerAttributes.find(key)
		if err != nil {
			return err
		}
		if a.of&b.scope() == 0 {
			return badRequest("Load balancer attribute key '%s' is not supported on load balancers with type '%s'", key, b.Type)
		}
		if _, err := balancerAttributes.judge(key, value); err != nil {
			return err
		}
		if key == keyCrossZone && b.Type == application {
			if value != "true" {
				return badRequest("Cross-zone load balancing cannot be turned off for load balancers with type '%s'", b.Type)
			}
			continue
		}
		if b.Attributes == nil {
			b.Attributes = map[string]string{}
		}
		b.Attributes[key] = value
	}
	return nil
}
