package elbv2_test

import (
	"slices"
	"testing"

	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

type object = map[string]any

func TestResources(t *testing.T) {
	l := newLab(t)
	l.run()
	balancer, group := l.balancer("app"), l.group("web")
	listener := l.listener(balancer, "HTTPS", 443, fixed())
	types := l.svc.Resources()
	deny := []any{object{"Type": "fixed-response", "FixedResponseConfig": object{"StatusCode": "403", "ContentType": "text/plain", "MessageBody": "no"}}}
	for name, c := range map[string]stacktest.Case{
		"LoadBalancer": {
			Properties: object{"Subnets": []any{"subnet-a", "subnet-b"}, "LoadBalancerAttributes": []any{object{"Key": "idle_timeout.timeout_seconds", "Value": "30"}}, "Tags": []any{object{"Key": "a", "Value": "b"}}},
			Changed: object{"Subnets": []any{"subnet-a", "subnet-c"}, "SecurityGroups": []any{"sg-2"}, "IpAddressType": "ipv4",
				"LoadBalancerAttributes": []any{object{"Key": "routing.http2.enabled", "Value": "false"}}},
		},
		"TargetGroup": {
			Properties: object{"VpcId": "vpc-1", "Protocol": "HTTP", "Port": "80", "Targets": []any{object{"Id": "i-1"}}, "Matcher": object{"HttpCode": "200-299"}, "HealthCheckPath": "/up"},
			Changed: object{"VpcId": "vpc-1", "Protocol": "HTTP", "Port": "80", "Targets": []any{object{"Id": "i-2", "Port": "8080"}}, "HealthCheckIntervalSeconds": 10,
				"TargetGroupAttributes": []any{object{"Key": "stickiness.enabled", "Value": "true"}}, "Tags": []any{object{"Key": "a", "Value": "b"}}},
		},
		"Listener": {
			Properties: object{"LoadBalancerArn": balancer, "Protocol": "HTTPS", "Port": 8443, "Certificates": []any{object{"CertificateArn": certificate}}, "DefaultActions": []any{object{"Type": "forward", "TargetGroupArn": group}}},
			Changed: object{"LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": 8080, "DefaultActions": deny,
				"ListenerAttributes": []any{object{"Key": "routing.http.response.x_frame_options.header_value", "Value": "DENY"}}},
		},
		"ListenerRule": {
			Properties: object{"ListenerArn": listener, "Priority": 5, "Conditions": []any{object{"Field": "path-pattern", "Values": []any{"/a"}}}, "Actions": deny,
				"Transforms": []any{object{"Type": "url-rewrite", "UrlRewriteConfig": object{"Rewrites": []any{object{"Regex": "^/a", "Replace": "/b"}}}}}},
			Changed: object{"ListenerArn": listener, "Priority": 6, "Conditions": []any{object{"Field": "query-string", "QueryStringConfig": object{"Values": []any{object{"Key": "a", "Value": "b"}}}}}, "Actions": deny},
		},
		"ListenerCertificate": {
			Properties: object{"ListenerArn": listener, "Certificates": []any{object{"CertificateArn": certificate + "2"}}},
			Changed:    object{"ListenerArn": listener, "Certificates": []any{object{"CertificateArn": certificate + "3"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.Type, c.Context = "AWS::ElasticLoadBalancingV2::"+name, l.Ctx
			c.Resource = types[c.Type]
			stacktest.Conform(t, c)
		})
	}
	if got := l.rules(listener); len(got) != 1 {
		t.Errorf("%d rules are left", len(got))
	}
}

// What Fn::GetAtt tells.
func TestAttributesOfResources(t *testing.T) {
	l := newLab(t)
	balancer, group := l.balancer("app"), l.group("web")
	for kind, c := range map[string]struct{ id, attribute, want string }{
		"LoadBalancer": {balancer, "LoadBalancerFullName", balancer[len("arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/"):]},
		"TargetGroup":  {group, "TargetGroupFullName", group[len("arn:aws:elasticloadbalancing:us-east-1:123456789012:"):]},
	} {
		r, err := l.svc.Resources()["AWS::ElasticLoadBalancingV2::"+kind].Read(l.Ctx, stack.Request{PhysicalID: c.id})
		if err != nil || r.Attributes[c.attribute] != c.want {
			t.Errorf("%s is %v, %v; want %s", c.attribute, r.Attributes[c.attribute], err, c.want)
		}
	}
	b := wiretest.Must[api.DescribeLoadBalancersOutput](l, "DescribeLoadBalancers", &api.DescribeLoadBalancersInput{}).LoadBalancers[0]
	r, _ := l.svc.Resources()["AWS::ElasticLoadBalancingV2::LoadBalancer"].Read(l.Ctx, stack.Request{PhysicalID: balancer})
	if r.Attributes["DNSName"] != *b.DNSName || r.Attributes["CanonicalHostedZoneID"] != "Z35SXDOTRQ7X7K" {
		t.Errorf("the attributes are %v", r.Attributes)
	}
}

// Attributes that have gone from a template are what they were at the beginning, which
// depends on the protocol.
func TestAttributesThatHaveGone(t *testing.T) {
	for _, protocol := range []string{"HTTP", "TCP", "UDP"} {
		t.Run(protocol, func(t *testing.T) {
			l := newLab(t)
			attributes := func(name string) (out []string) {
				for _, a := range wiretest.Must[api.DescribeTargetGroupAttributesOutput](l, "DescribeTargetGroupAttributes", &api.DescribeTargetGroupAttributesInput{TargetGroupArn: &name}).Attributes {
					out = append(out, *a.Key+"="+*a.Value)
				}
				return out
			}
			resource := l.svc.Resources()["AWS::ElasticLoadBalancingV2::TargetGroup"]
			plain := object{"Name": "g", "VpcId": "vpc-1", "Protocol": protocol, "Port": "80"}
			made, err := resource.Create(l.Ctx, stack.Request{Properties: plain}, func(string) {})
			if err != nil {
				t.Fatal(err)
			}
			before := attributes(made.PhysicalID)
			set := []any{object{"Key": "stickiness.type", "Value": "source_ip"}, object{"Key": "deregistration_delay.connection_termination.enabled", "Value": "false"},
				object{"Key": "target_health_state.unhealthy.connection_termination.enabled", "Value": "false"}}
			if protocol == "HTTP" {
				set = []any{object{"Key": "stickiness.type", "Value": "lb_cookie"}}
			}
			more := object{"Name": "g", "VpcId": "vpc-1", "Protocol": protocol, "Port": "80", "TargetGroupAttributes": set}
			for _, r := range []stack.Request{{OldProperties: plain, Properties: more}, {OldProperties: more, Properties: plain}} {
				r.PhysicalID = made.PhysicalID
				if _, err := resource.Update(l.Ctx, r); err != nil {
					t.Fatal(err)
				}
			}
			if after := attributes(made.PhysicalID); !slices.Equal(before, after) {
				t.Errorf("the attributes are %v, were %v", after, before)
			}
		})
	}
}
