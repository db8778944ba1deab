package elbv2

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/store"
)

// Keys of attributes of groups that something acts on.
const (
	keyDelay        = "deregistration_delay.timeout_seconds"
	keySticky       = "stickiness.enabled"
	keyStickyType   = "stickiness.type"
	keyLBCookie     = "stickiness.lb_cookie.duration_seconds"
	keyAppCookie    = "stickiness.app_cookie.cookie_name"
	keyAppDuration  = "stickiness.app_cookie.duration_seconds"
	keyAlgorithm    = "load_balancing.algorithm.type"
	keySlowStart    = "slow_start.duration_seconds"
	keyFailCount    = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count"
	keyFailPercent  = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage"
	keyProxy        = "proxy_protocol_v2.enabled"
	keyEndUnhealthy = "target_health_state.unhealthy.connection_termination.enabled"
	keyPreserveIP   = "preserve_client_ip.enabled"
	keyEndDelayed   = "deregistration_delay.connection_termination.enabled"
	dnsFailover     = "target_group_health.dns_failover.minimum_healthy_targets."
)

const followBalancer = "use_load_balancer_configuration"

// groupAttributes are those of target groups. Balancers' names have the addresses of
// all nodes, so minima for DNS are those that change nothing; a network balancer
// connects from its nodes' addresses.
var groupAttributes = attributeSet{word: "Target group", list: []attribute{
	{key: keyDelay, standard: "300", of: ofBoth, judge: between(0, 3600)},
	{key: keySticky, standard: "false", of: ofBoth, judge: boolean},
	{key: keyStickyType, of: ofBoth},
	{key: keyCrossZone, standard: followBalancer, of: ofBoth, judge: oneOf("true", "false", followBalancer)},
	{key: dnsFailover + "count", standard: "1", of: ofBoth, judge: between(1, 1000, "off"), kept: []string{"1", "off"}},
	{key: dnsFailover + "percentage", standard: "off", of: ofBoth, judge: between(1, 100, "off"), kept: []string{"off"}},
	{key: keyFailCount, standard: "1", of: ofBoth, judge: between(1, 1000)},
	{key: keyFailPercent, standard: "off", of: ofBoth, judge: between(1, 100, "off")},
	{key: keyAlgorithm, standard: "round_robin", of: ofALB, judge: oneOf("round_robin", "least_outstanding_requests", "weighted_random")},
	{key: "load_balancing.algorithm.anomaly_mitigation", standard: "off", of: ofALB, judge: oneOf("on", "off"), kept: []string{"off"}},
	{key: keySlowStart, standard: "0", of: ofALB, judge: slowStart},
	{key: keyAppCookie, of: ofALB, judge: cookieName},
	{key: keyAppDuration, standard: "86400", of: ofALB, judge: between(1, 604800)},
	{key: keyLBCookie, standard: "86400", of: ofALB, judge: between(1, 604800)},
	{key: keyEndDelayed, standard: "false", of: ofNLB, judge: boolean},
	{key: keyPreserveIP, standard: "false", of: ofNLB, judge: boolean, kept: onlyFalse},
	{key: keyProxy, standard: "false", of: ofNLB, judge: boolean},
	{key: keyEndUnhealthy, standard: "true", of: ofNLB, judge: boolean},
	{key: "target_health_state.unhealthy.draining_interval_seconds", standard: "0", of: ofNLB, judge: between(0, 360000), kept: []string{"0"}},
}}

func slowStart(key, value string) error {
	if value == "0" {
		return nil
	}
	return between(30, 900)(key, value)
}

// reservedCookies are the balancer's own.
var reservedCookies = []string{"AWSALB", "AWSALBAPP", "AWSALBTG"}

func cookieName(key, value string) error {
	if slices.ContainsFunc(reservedCookies, func(p string) bool { return strings.HasPrefix(value, p) }) {
		return invalid("'%s' value '%s' cannot start with a reserved prefix: AWSALB, AWSALBAPP, AWSALBTG", key, value)
	}
	return nil
}

func (g *group) scope() scope {
	if g.Protocol == http || g.Protocol == https {
		return ofALB
	}
	return ofNLB
}

// settings are the attributes that were set, and those whose standard depends on the
// group.
func (g *group) settings() map[string]string {
	set := maps.Clone(g.Attributes)
	if set == nil {
		set = map[string]string{}
	}
	if _, ok := set[keyStickyType]; !ok {
		set[keyStickyType] = g.stickyType()
	}
	if g.datagrams() {
		if _, ok := set[keyEndDelayed]; !ok {
			set[keyEndDelayed] = "true"
		}
		set[keyEndUnhealthy] = "false"
	}
	return set
}

func (g *group) datagrams() bool { return g.Protocol == udp || g.Protocol == tcpUDP }

func (g *group) attributes() (out []api.TargetGroupAttribute) {
	set := g.settings()
	for _, p := range groupAttributes.all(g.scope(), set) {
		out = append(out, api.TargetGroupAttribute{Key: &p.Key, Value: &p.Value})
	}
	return out
}

func (g *group) stickyType() string {
	if t, ok := g.Attributes[keyStickyType]; ok {
		return t
	}
	if g.scope() == ofALB {
		return "lb_cookie"
	}
	return "source_ip"
}

// DescribeTargetGroupAttributes returns the attributes of a group.
func (s *Service) DescribeTargetGroupAttributes(ctx context.Context, in *api.DescribeTargetGroupAttributesInput) (*api.DescribeTargetGroupAttributesOutput, error) {
	out := &api.DescribeTargetGroupAttributesOutput{}
	err := s.viewGroup(ctx, *in.TargetGroupArn, func(_ *store.Tx, _ store.Key, g *group) error {
		out.Attributes = g.attributes()
		return nil
	})
	return out, err
}

// ModifyTargetGroupAttributes sets attributes of a group.
func (s *Service) ModifyTargetGroupAttributes(ctx context.Context, in *api.ModifyTargetGroupAttributesInput) (*api.ModifyTargetGroupAttributesOutput, error) {
	out := &api.ModifyTargetGroupAttributesOutput{}
	err := s.changeGroup(ctx, *in.TargetGroupArn, "attributes", func(_ *store.Tx, _ store.Key, g *group) error {
		if err := g.set(in.Attributes); err != nil {
			return err
		}
		out.Attributes = g.attributes()
		return nil
	})
	return out, err
}

func (g *group) set(list []api.TargetGroupAttribute) error {
	if g.Attributes == nil {
		g.Attributes = map[string]string{}
	}
	for _, p := range list {
		key, value := aws.Val(p.Key), aws.Val(p.Value)
		a, err := groupAttributes.find(key)
		if err != nil {
			return err
		}
		if a.of&g.scope() == 0 {
			return badRequest("A target group with the %s protocol does not support the attribute %s", g.Protocol, key)
		}
		if _, err := groupAttributes.judge(key, value); err != nil {
			return err
		}
		if key == keyEndUnhealthy && value == "true" && g.datagrams() {
			return badRequest("You cannot enable the attribute %s on target groups with the %s protocol", key, g.Protocol)
		}
		g.Attributes[key] = value
	}
	return g.judgeStickiness()
}

// judgeStickiness holds the attributes of stickiness against each other.
func (g *group) judgeStickiness() error {
	kind, given := g.Attributes[keyStickyType]
	enabled := g.Attributes[keySticky] == "true"
	switch {
	case given && !slices.Contains([]string{"lb_cookie", "app_cookie", "source_ip"}, kind):
		return invalid("'Stickiness type' must be one of [app_cookie, lb_cookie, source_ip]")
	case kind == "source_ip" && g.scope() == ofALB, given && kind != "source_ip" && g.scope() == ofNLB:
		return badRequest("Stickiness type '%s' is not supported for target groups with the %s protocol", kind, g.Protocol)
	case (enabled || given) && g.Protocol == tlsProtocol:
		return badRequest("You cannot enable stickiness on target groups with the TLS protocol")
	case kind == "app_cookie" && g.Attributes[keyAppCookie] == "":
		return badRequest("You must set an application cookie name to enable stickiness of type 'app_cookie'")
	case g.Attributes[keyAlgorithm] != "" && g.Attributes[keyAlgorithm] != "round_robin" && groupAttributes.number(g.Attributes, keySlowStart) > 0:
		return badRequest("You cannot enable both slow start and the load balancing algorithm '%s'", g.Attributes[keyAlgorithm])
	}
	return nil
}
