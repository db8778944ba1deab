package elbv2

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
)

// checkInput is what the inputs of two operations say of health checks.
type checkInput struct {
	protocol           api.ProtocolEnum
	port, path         *string
	enabled            *bool
	interval, timeout  *int32
	healthy, unhealthy *int32
	matcher            *api.Matcher
}

// standardCheck is how a group is checked when nothing is said but the protocol.
func (g *group) standardCheck(asked api.ProtocolEnum) check {
	c := check{Protocol: asked, Port: trafficPort, Interval: 30, Timeout: 5, Healthy: 5, Unhealthy: 2}
	if c.Protocol == "" {
		c.Protocol = http
		if g.scope() == ofNLB && g.TargetType != byALB {
			c.Protocol = tcp
		}
	}
	if g.scope() == ofNLB {
		c.Timeout = 10
		if c.Protocol == http {
			c.Timeout = 6
		}
	}
	switch {
	case c.Protocol == tcp:
	case g.Version == grpc:
		c.Path, c.GRPCCode = "/AWS.ALB/healthcheck", "12"
	case g.scope() == ofNLB:
		c.Path, c.HTTPCode = "/", "200-399"
	default:
		c.Path, c.HTTPCode = "/", "200"
	}
	return c
}

// setCheck changes what in says.
func (g *group) setCheck(in checkInput) error {
	if err := g.judgeCheckProtocol(in); err != nil {
		return err
	}
	c := &g.Check
	if in.protocol != "" && in.protocol != c.Protocol {
		standard := g.standardCheck(in.protocol)
		if c.Protocol = in.protocol; c.Path == "" || standard.Path == "" {
			c.Path, c.HTTPCode, c.GRPCCode = standard.Path, standard.HTTPCode, standard.GRPCCode
		}
	}
	if in.port != nil {
		n, err := strconv.Atoi(*in.port)
		if *in.port != trafficPort && (err != nil || n < 1 || n > 65535) {
			return invalid("Health check port '%s' must be '%s' or a number between 1 and 65535", *in.port, trafficPort)
		}
		c.Port = *in.port
	}
	if in.path != nil {
		if c.Protocol == tcp {
			return badRequest("Health check paths are not supported for TCP health checks")
		}
		if !strings.HasPrefix(*in.path, "/") {
			return invalid("Health check path '%s' must begin with a '/' character", *in.path)
		}
		c.Path = *in.path
	}
	for _, n := range []struct{ to, from *int32 }{{&c.Interval, in.interval}, {&c.Timeout, in.timeout}, {&c.Healthy, in.healthy}, {&c.Unhealthy, in.unhealthy}} {
		if n.from != nil {
			*n.to = *n.from
		}
	}
	if err := g.setMatcher(in.matcher); err != nil {
		return err
	}
	return g.judgeTimes()
}

func (g *group) judgeCheckProtocol(in checkInput) error {
	switch {
	case in.enabled != nil && !*in.enabled:
		return invalid("Health check enabled must be true for target groups with target type '%s'", g.TargetType)
	case in.protocol == "", in.protocol == http, in.protocol == https:
		return nil
	case in.protocol == tcp && g.scope() == ofNLB && g.TargetType != byALB:
		return nil
	case in.protocol == tcp:
		return invalid("Health check protocol '%s' must be one of 'HTTP, HTTPS'", in.protocol)
	}
	return invalid("Health check protocol '%s' must be one of 'HTTP, HTTPS, TCP'", in.protocol)
}

// judgeTimes: a check has to end before the next one; for TCP it may end with it.
func (g *group) judgeTimes() error {
	c := g.Check
	switch {
	case c.Interval < c.Timeout && g.scope() == ofNLB:
		return invalid("Health check timeout '%d' must be smaller than or equal to the interval '%d'", c.Timeout, c.Interval)
	case c.Interval <= c.Timeout && g.scope() == ofALB:
		return invalid("Health check timeout '%d' must be smaller than the interval '%d'", c.Timeout, c.Interval)
	}
	return nil
}

var codeList = regexp.MustCompile(`^\d+(-\d+)?(,\d+(-\d+)?)*$`)

func (g *group) setMatcher(m *api.Matcher) error {
	if m == nil || m.HttpCode == nil && m.GrpcCode == nil {
		return nil
	}
	switch {
	case g.Check.Protocol == tcp:
		return badRequest("Health check matchers are not supported for TCP health checks")
	case m.HttpCode != nil && m.GrpcCode != nil:
		return invalid("Health check matcher must have either HTTP codes or gRPC codes")
	case m.GrpcCode != nil && g.Version != grpc:
		return invalid("Health check matcher GRPC code cannot be specified for target groups with the protocol version '%s'", g.Version)
	case m.HttpCode != nil && g.Version == grpc:
		return invalid("Health check matcher HTTP code cannot be specified for target groups with the protocol version 'GRPC'")
	case m.GrpcCode != nil:
		g.Check.GRPCCode = *m.GrpcCode
		return judgeCodes("GRPC", *m.GrpcCode, 0, 99)
	}
	g.Check.HTTPCode = aws.Val(m.HttpCode)
	if g.scope() == ofNLB {
		return judgeCodes("HTTP", g.Check.HTTPCode, 200, 599)
	}
	return judgeCodes("HTTP", g.Check.HTTPCode, 200, 499)
}

func judgeCodes(kind, list string, low, high int) error {
	bad := invalid("Health check matcher %s code '%s' must be within '%d-%d' inclusive", kind, list, low, high)
	if !codeList.MatchString(list) {
		return bad
	}
	for _, part := range strings.FieldsFunc(list, func(c rune) bool { return c == ',' || c == '-' }) {
		if n, err := strconv.Atoi(part); err != nil || n < low || n > high {
			return bad
		}
	}
	return nil
}
