package elbv2_test

import (
	"slices"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/lb"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// Every attribute that is honoured reaches the plane.
func TestAttributesReachThePlane(t *testing.T) {
	l := newLab(t)
	l.run()
	b, blue, green := l.balancer("app"), l.group("blue"), l.group("green", func(in *api.CreateTargetGroupInput) { in.ProtocolVersion = aws.Ptr("GRPC") })
	listener := l.listener(b, "HTTPS", 443, []api.Action{{Type: "forward", ForwardConfig: &api.ForwardActionConfig{
		TargetGroups:                []api.TargetGroupTuple{{TargetGroupArn: &blue, Weight: aws.Ptr[int32](9)}, {TargetGroupArn: &green}},
		TargetGroupStickinessConfig: &api.TargetGroupStickinessConfig{Enabled: aws.Ptr(true), DurationSeconds: aws.Ptr[int32](60)}}}})
	wiretest.Must[api.ModifyLoadBalancerAttributesOutput](l, "ModifyLoadBalancerAttributes", &api.ModifyLoadBalancerAttributesInput{LoadBalancerArn: &b, Attributes: pairs(loadBalancerAttribute,
		"idle_timeout.timeout_seconds", "30", "client_keep_alive.seconds", "90", "routing.http2.enabled", "false", "routing.http.drop_invalid_header_fields.enabled", "true",
		"routing.http.preserve_host_header.enabled", "true", "routing.http.xff_header_processing.mode", "remove", "routing.http.xff_client_port.enabled", "true",
		"routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "true")})
	wiretest.Must[api.ModifyTargetGroupAttributesOutput](l, "ModifyTargetGroupAttributes", &api.ModifyTargetGroupAttributesInput{TargetGroupArn: &blue, Attributes: pairs(targetGroupAttribute,
		"stickiness.enabled", "true", "stickiness.type", "app_cookie", "stickiness.app_cookie.cookie_name", "SID", "stickiness.app_cookie.duration_seconds", "70",
		"load_balancing.algorithm.type", "least_outstanding_requests", "load_balancing.cross_zone.enabled", "false",
		"target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "2")})
	wiretest.Must[api.ModifyListenerAttributesOutput](l, "ModifyListenerAttributes", &api.ModifyListenerAttributesInput{ListenerArn: &listener, Attributes: pairs(listenerAttribute,
		"routing.http.response.server.enabled", "false", "routing.http.response.x_frame_options.header_value", "DENY", "routing.http.request.x_amzn_tls_version.header_name", "X-Version")})
	l.until("the plane has them", func() bool {
		s := l.plane.spec(b)
		return len(s.Listeners) == 1 && s.Listeners[0].Headers.HideServer
	})
	s := l.plane.spec(b)
	want := lb.Attributes{IdleTimeout: 30 * time.Second, ClientKeepAlive: 90 * time.Second, DropInvalidHeaders: true, PreserveHost: true, ForwardedFor: "remove", ForwardedClientPort: true, TLSHeaders: true}
	if s.Attributes != want {
		t.Errorf("the balancer has %+v", s.Attributes)
	}
	if h := s.Listeners[0].Headers; h.Rename["X-Amzn-Tls-Version"] != "X-Version" || h.Response["X-Frame-Options"] != "DENY" {
		t.Errorf("the listener changes %+v", h)
	}
	if f := s.Listeners[0].Default[0].Forward; f.Sticky != time.Minute || len(f.Groups) != 2 || f.Groups[0].Weight != 9 || f.Groups[1].Weight != 1 {
		t.Errorf("it forwards by %+v", f)
	}
	if c := s.Listeners[0].Certificates; len(c) != 1 || string(c[0].Certificate[0]) != certificate {
		t.Errorf("it shows %v", c)
	}
	g := s.Groups[slices.IndexFunc(s.Groups, func(g lb.TargetGroup) bool { return g.ID == blue })]
	if g.Stickiness != (lb.Stickiness{Type: "app_cookie", Cookie: "SID", Duration: 70 * time.Second}) || g.Algorithm != "least_outstanding_requests" || g.CrossZone || g.FailOpenCount != 2 {
		t.Errorf("the group is %+v", g)
	}
	other := s.Groups[slices.IndexFunc(s.Groups, func(g lb.TargetGroup) bool { return g.ID == green })]
	if other.Check.Matcher != "12" || other.Check.Path != "/AWS.ALB/healthcheck" || other.Version != "GRPC" {
		t.Errorf("gRPC is checked by %+v", other.Check)
	}
}

func pairs[T any](form func(key, value *string) T, list ...string) (out []T) {
	for i := 0; i < len(list); i += 2 {
		out = append(out, form(&list[i], &list[i+1]))
	}
	return out
}

func loadBalancerAttribute(k, v *string) api.LoadBalancerAttribute {
	return api.LoadBalancerAttribute{Key: k, Value: v}
}

func targetGroupAttribute(k, v *string) api.TargetGroupAttribute {
	return api.TargetGroupAttribute{Key: k, Value: v}
}

func listenerAttribute(k, v *string) api.ListenerAttribute {
	return api.ListenerAttribute{Key: k, Value: v}
}

// Groups begin with what AWS documents for their protocol.
func TestStandardChecks(t *testing.T) {
	l := newLab(t)
	for _, c := range []struct {
		name                               string
		edit                               func(*api.CreateTargetGroupInput)
		protocol, path, matcher            string
		interval, timeout, healthy, unwell int32
	}{
		{"http", func(*api.CreateTargetGroupInput) {}, "HTTP", "/", "200", 30, 5, 5, 2},
		{"https", func(in *api.CreateTargetGroupInput) { in.Protocol = "HTTPS" }, "HTTP", "/", "200", 30, 5, 5, 2},
		{"tcp", streams, "TCP", "", "", 30, 10, 5, 2},
		{"udp", func(in *api.CreateTargetGroupInput) { in.Protocol = "UDP" }, "TCP", "", "", 30, 10, 5, 2},
		{"tcp-http", func(in *api.CreateTargetGroupInput) { in.Protocol, in.HealthCheckProtocol = "TCP", "HTTP" }, "HTTP", "/", "200-399", 30, 6, 5, 2},
		{"alb", func(in *api.CreateTargetGroupInput) { in.Protocol, in.TargetType = "TCP", "alb" }, "HTTP", "/", "200-399", 30, 6, 5, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			arn := l.group(c.name, c.edit)
			g := wiretest.Must[api.DescribeTargetGroupsOutput](l, "DescribeTargetGroups", &api.DescribeTargetGroupsInput{TargetGroupArns: []string{arn}}).TargetGroups[0]
			matcher := ""
			if g.Matcher != nil {
				matcher = aws.Val(g.Matcher.HttpCode)
			}
			if string(g.HealthCheckProtocol) != c.protocol || aws.Val(g.HealthCheckPath) != c.path || matcher != c.matcher || *g.HealthCheckIntervalSeconds != c.interval ||
				*g.HealthCheckTimeoutSeconds != c.timeout || *g.HealthyThresholdCount != c.healthy || *g.UnhealthyThresholdCount != c.unwell || *g.HealthCheckPort != "traffic-port" {
				t.Errorf("it is %+v", g)
			}
		})
	}
}

// The connections of targets that have left end by the attribute, which UDP has set
// from the beginning.
func TestConnectionsOfTargetsThatLeft(t *testing.T) {
	l := newLab(t)
	l.run()
	b := l.balancer("net", network)
	for i, c := range []struct {
		protocol api.ProtocolEnum
		set      string
		keep     bool
	}{{"TCP", "", true}, {"TCP", "true", false}, {"UDP", "", false}, {"UDP", "false", true}} {
		g := l.group(string(c.protocol)+c.set, func(in *api.CreateTargetGroupInput) { in.Protocol = c.protocol })
		if c.set != "" {
			wiretest.Must[api.ModifyTargetGroupAttributesOutput](l, "ModifyTargetGroupAttributes", &api.ModifyTargetGroupAttributesInput{TargetGroupArn: &g,
				Attributes: pairs(targetGroupAttribute, "deregistration_delay.connection_termination.enabled", c.set)})
		}
		l.listener(b, c.protocol, int32(80+i), forward(g))
		l.until("the plane has it", func() bool {
			return slices.ContainsFunc(l.plane.spec(b).Groups, func(have lb.TargetGroup) bool { return have.ID == g && have.KeepDeregistered == c.keep })
		})
	}
}
