package elbv2_test

import (
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// refusal is an input and what it is answered; an empty text is not looked at.
type refusal struct {
	name, operation, code, text string
	in                          any
}

// refuse calls each and compares.
func (l *lab) refuse(t *testing.T, list []refusal) {
	t.Helper()
	for _, c := range list {
		t.Run(c.name, func(t *testing.T) {
			_, err := l.Server.Invoke(l.Ctx, "elbv2", c.operation, c.in)
			e := awserr.As(err)
			if e == nil || e.Code != c.code || c.text != "" && e.Message != c.text {
				t.Errorf("%v, want %s: %s", err, c.code, c.text)
			}
		})
	}
}

func create(edit func(*api.CreateLoadBalancerInput)) *api.CreateLoadBalancerInput {
	in := &api.CreateLoadBalancerInput{Name: aws.Ptr("new"), Subnets: []string{"subnet-a", "subnet-b"}}
	edit(in)
	return in
}

func TestBalancerRefusals(t *testing.T) {
	l := newLab(t)
	alb, nlb := l.balancer("app"), l.balancer("net", network)
	gone := alb[:len(alb)-4] + "ffff"
	type in = api.CreateLoadBalancerInput
	named := func(name string) *in { return create(func(i *in) { i.Name = &name }) }
	placed := func(ids ...string) *in { return create(func(i *in) { i.Subnets = ids }) }
	mapped := func(m api.SubnetMapping, edit func(*in)) *in {
		return create(func(i *in) { i.Subnets, i.SubnetMappings = nil, []api.SubnetMapping{m}; edit(i) })
	}
	set := func(arn, key, value string) *api.ModifyLoadBalancerAttributesInput {
		return &api.ModifyLoadBalancerAttributesInput{LoadBalancerArn: &arn, Attributes: []api.LoadBalancerAttribute{{Key: &key, Value: &value}}}
	}
	const make, attribute = "CreateLoadBalancer", "ModifyLoadBalancerAttributes"
	l.refuse(t, []refusal{
		{"other settings", make, "DuplicateLoadBalancerName", "A load balancer with the same name 'app' exists, but with different settings", create(func(i *in) { i.Name, i.Scheme = aws.Ptr("app"), "internal" })},
		{"long name", make, "ValidationError", "Load balancer name '" + strings.Repeat("a", 33) + "' cannot be longer than '32' characters", named(strings.Repeat("a", 33))},
		{"characters", make, "ValidationError", "Load balancer name 'a_b' can only contain characters that are alphanumeric characters or hyphens(-)", named("a_b")},
		{"hyphen first", make, "ValidationError", "Load balancer name '-a' cannot begin or end with '-'", named("-a")},
		{"internal-", make, "ValidationError", "Load balancer name 'internal-a' cannot begin with 'internal-'", named("internal-a")},
		{"one subnet", make, "ValidationError", "At least two subnets in two different Availability Zones must be specified", placed("subnet-a")},
		{"no subnet", make, "ValidationError", "At least one subnet must be specified", create(func(i *in) { i.Type, i.Subnets = "network", nil })},
		{"zone twice", make, "InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the same Availability Zone", placed("subnet-c", "subnet-c2")},
		{"two VPCs", make, "InvalidSubnet", "", placed("subnet-a", "subnet-y")},
		{"lost subnet", make, "SubnetNotFound", "The subnet ID 'subnet-q' does not exist", placed("subnet-a", "subnet-q")},
		{"no gateway", make, "InvalidSubnet", "VPC vpc-2 has no internet gateway", placed("subnet-x", "subnet-y")},
		{"both ways", make, "ValidationError", "", create(func(i *in) { i.SubnetMappings = []api.SubnetMapping{{SubnetId: aws.Ptr("subnet-a")}} })},
		{"address of an application balancer", make, "InvalidConfigurationRequest", "", mapped(api.SubnetMapping{SubnetId: aws.Ptr("subnet-a"), AllocationId: aws.Ptr("eipalloc-1")}, func(*in) {})},
		{"lost address", make, "AllocationIdNotFound", "", mapped(api.SubnetMapping{SubnetId: aws.Ptr("subnet-a"), AllocationId: aws.Ptr("eipalloc-9")}, func(i *in) { i.Type = "network" })},
		{"address in use", make, "ResourceInUse", "", mapped(api.SubnetMapping{SubnetId: aws.Ptr("subnet-a"), AllocationId: aws.Ptr("eipalloc-2")}, func(i *in) { i.Type = "network" })},
		{"address outside", make, "InvalidConfigurationRequest", "", mapped(api.SubnetMapping{SubnetId: aws.Ptr("subnet-a"), PrivateIPv4Address: aws.Ptr("10.9.9.9")}, func(i *in) { i.Type, i.Scheme = "network", "internal" })},
		{"IPv6 address", make, "InvalidConfigurationRequest", "", mapped(api.SubnetMapping{SubnetId: aws.Ptr("subnet-a"), IPv6Address: aws.Ptr("::1")}, func(i *in) { i.Type = "network" })},
		{"dual stack", make, "InvalidConfigurationRequest", "You must specify subnets with an associated IPv6 CIDR block.", create(func(i *in) { i.IpAddressType = "dualstack" })},
		{"lost group", make, "InvalidSecurityGroup", "The security group 'sg-7' does not exist", create(func(i *in) { i.SecurityGroups = []string{"sg-7"} })},
		{"no group", make, "ValidationError", "Security group 'web' is not valid", create(func(i *in) { i.SecurityGroups = []string{"web"} })},
		{"group elsewhere", make, "InvalidConfigurationRequest", "Security group 'sg-9' does not belong to VPC 'vpc-1'", create(func(i *in) { i.SecurityGroups = []string{"sg-9"} })},
		{"gateway", make, "NotImplemented", "hardstand does not implement gateway load balancers.", create(func(i *in) { i.Type = "gateway" })},
		{"pool", make, "NotImplemented", "", create(func(i *in) { i.CustomerOwnedIpv4Pool = aws.Ptr("ipv4pool-coip-1") })},
		{"IPAM", make, "NotImplemented", "", create(func(i *in) { i.IpamPools = &api.IpamPools{} })},
		{"source NAT", make, "NotImplemented", "", create(func(i *in) { i.EnablePrefixForIpv6SourceNat = "on" })},
		{"tag twice", make, "DuplicateTagKeys", "", create(func(i *in) { i.Tags = []api.Tag{{Key: aws.Ptr("a")}, {Key: aws.Ptr("a")}} })},
		{"no ARN", "DescribeLoadBalancers", "ValidationError", "'x' is not a valid load balancer ARN", &api.DescribeLoadBalancersInput{LoadBalancerArns: []string{"x"}}},
		{"gone", "DescribeLoadBalancers", "LoadBalancerNotFound", "One or more load balancers not found", &api.DescribeLoadBalancersInput{LoadBalancerArns: []string{gone}}},
		{"no name", "DescribeLoadBalancers", "LoadBalancerNotFound", "Load balancers '[x]' not found", &api.DescribeLoadBalancersInput{Names: []string{"x"}}},
		{"names and ARNs", "DescribeLoadBalancers", "ValidationError", "", &api.DescribeLoadBalancersInput{Names: []string{"x"}, LoadBalancerArns: []string{gone}}},
		{"marker", "DescribeLoadBalancers", "ValidationError", "", &api.DescribeLoadBalancersInput{Marker: aws.Ptr("x")}},
		{"unknown attribute", attribute, "ValidationError", "Load balancer attribute key 'x' is not recognized", set(alb, "x", "y")},
		{"range", attribute, "ValidationError", "'idle_timeout.timeout_seconds' value '5000' must be between '1-4000' inclusive", set(alb, "idle_timeout.timeout_seconds", "5000")},
		{"kind", attribute, "InvalidConfigurationRequest", "Load balancer attribute key 'routing.http2.enabled' is not supported on load balancers with type 'network'", set(nlb, "routing.http2.enabled", "true")},
		{"cross-zone", attribute, "InvalidConfigurationRequest", "", set(alb, "load_balancing.cross_zone.enabled", "false")},
		{"access logs", attribute, "NotImplemented", "hardstand does not implement the value 'true' of the attribute access_logs.s3.enabled.", set(alb, "access_logs.s3.enabled", "true")},
		{"strictest", attribute, "NotImplemented", "", set(alb, "routing.http.desync_mitigation_mode", "strictest")},
		{"attributes of what is gone", attribute, "LoadBalancerNotFound", "Load balancer '" + gone + "' not found", set(gone, "x", "y")},
		{"groups of a balancer without", "SetSecurityGroups", "InvalidConfigurationRequest", "", &api.SetSecurityGroupsInput{LoadBalancerArn: &nlb, SecurityGroups: []string{"sg-1"}}},
		{"PrivateLink", "SetSecurityGroups", "NotImplemented", "", &api.SetSecurityGroupsInput{LoadBalancerArn: &alb, SecurityGroups: []string{"sg-1"}, EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic: "off"}},
		{"no groups", "SetSecurityGroups", "ValidationError", "", &api.SetSecurityGroupsInput{LoadBalancerArn: &alb, SecurityGroups: []string{}}},
		{"subnets elsewhere", "SetSubnets", "InvalidSubnet", "", &api.SetSubnetsInput{LoadBalancerArn: &alb, Subnets: []string{"subnet-x", "subnet-y"}}},
		{"subnets dual", "SetSubnets", "InvalidConfigurationRequest", "", &api.SetSubnetsInput{LoadBalancerArn: &alb, Subnets: []string{"subnet-a", "subnet-b"}, IpAddressType: "dualstack"}},
		{"address type", "SetIpAddressType", "InvalidConfigurationRequest", "", &api.SetIpAddressTypeInput{LoadBalancerArn: &alb, IpAddressType: "dualstack"}},
		{"reserve", "ModifyCapacityReservation", "NotImplemented", "", &api.ModifyCapacityReservationInput{LoadBalancerArn: &alb}},
		{"trust store", "CreateTrustStore", "NotImplemented", "", &api.CreateTrustStoreInput{}},
	})
	wiretest.Must[api.ModifyLoadBalancerAttributesOutput](l, attribute, set(alb, "deletion_protection.enabled", "true"))
	l.refuse(t, []refusal{{"protected", "DeleteLoadBalancer", "OperationNotPermitted", "Load balancer '" + alb + "' cannot be deleted because deletion protection is enabled", &api.DeleteLoadBalancerInput{LoadBalancerArn: &alb}}})
}

func TestGroupRefusals(t *testing.T) {
	l := newLab(t)
	web, tcp, udp := l.group("web"), l.group("tcp", streams), l.group("udp", func(in *api.CreateTargetGroupInput) { in.Protocol = "UDP" })
	type in = api.CreateTargetGroupInput
	with := func(edit func(*in)) *in {
		i := &in{Name: aws.Ptr("new"), Protocol: "HTTP", Port: aws.Ptr[int32](80), VpcId: aws.Ptr("vpc-1")}
		edit(i)
		return i
	}
	named := func(name string) *in { return with(func(i *in) { i.Name = &name }) }
	set := func(arn string, pairs ...string) *api.ModifyTargetGroupAttributesInput {
		i := &api.ModifyTargetGroupAttributesInput{TargetGroupArn: &arn}
		for n := 0; n < len(pairs); n += 2 {
			i.Attributes = append(i.Attributes, api.TargetGroupAttribute{Key: &pairs[n], Value: &pairs[n+1]})
		}
		return i
	}
	const make, attribute = "CreateTargetGroup", "ModifyTargetGroupAttributes"
	l.refuse(t, []refusal{
		{"other settings", make, "DuplicateTargetGroupName", "A target group with the same name 'web' exists, but with different settings", with(func(i *in) { i.Name, i.Port = aws.Ptr("web"), aws.Ptr[int32](81) })},
		{"two hyphens", make, "ValidationError", "1 validation error detected: Value 'a--b' at 'targetGroup.targetGroupArn.targetGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!.*--)(?!^-)(?!.*-$)^[A-Za-z0-9-]+$", named("a--b")},
		{"dots", make, "ValidationError", "Target group name 'a.b' can only contain characters that are alphanumeric characters or hyphens(-)", named("a.b")},
		{"no protocol", make, "ValidationError", "A protocol must be specified", with(func(i *in) { i.Protocol = "" })},
		{"no port", make, "ValidationError", "A port must be specified", with(func(i *in) { i.Port = nil })},
		{"no VPC", make, "ValidationError", "A VPC ID must be specified", with(func(i *in) { i.VpcId = nil })},
		{"lost VPC", make, "ValidationError", "The VPC ID 'vpc-7' is not found", with(func(i *in) { i.VpcId = aws.Ptr("vpc-7") })},
		{"function", make, "NotImplemented", "hardstand does not implement functions as targets.", &in{Name: aws.Ptr("f"), TargetType: "lambda"}},
		{"port of a function", make, "ValidationError", "Port cannot be specified for target groups with target type 'lambda'", &in{Name: aws.Ptr("f"), TargetType: "lambda", Port: aws.Ptr[int32](1)}},
		{"GENEVE", make, "NotImplemented", "", with(func(i *in) { i.Protocol = "GENEVE" })},
		{"IPv6", make, "NotImplemented", "", with(func(i *in) { i.IpAddressType = "ipv6" })},
		{"control port", make, "NotImplemented", "", with(func(i *in) { i.TargetControlPort = aws.Ptr[int32](1) })},
		{"HTTP to a balancer", make, "ValidationError", "", with(func(i *in) { i.TargetType = "alb" })},
		{"version", make, "ValidationError", "Protocol version 'X' must be one of [GRPC, HTTP1, HTTP2]", with(func(i *in) { i.ProtocolVersion = aws.Ptr("X") })},
		{"version of a stream", make, "ValidationError", "", with(func(i *in) { i.Protocol, i.ProtocolVersion = "TCP", aws.Ptr("HTTP2") })},
		{"TCP check of HTTP", make, "ValidationError", "Health check protocol 'TCP' must be one of 'HTTP, HTTPS'", with(func(i *in) { i.HealthCheckProtocol = "TCP" })},
		{"UDP check", make, "ValidationError", "", with(func(i *in) { i.Protocol, i.HealthCheckProtocol = "UDP", "UDP" })},
		{"no checks", make, "ValidationError", "Health check enabled must be true for target groups with target type 'instance'", with(func(i *in) { i.HealthCheckEnabled = aws.Ptr(false) })},
		{"times", make, "ValidationError", "Health check timeout '5' must be smaller than the interval '5'", with(func(i *in) {
			i.HealthCheckIntervalSeconds, i.HealthCheckTimeoutSeconds = aws.Ptr[int32](5), aws.Ptr[int32](5)
		})},
		{"times of TCP", make, "ValidationError", "Health check timeout '10' must be smaller than or equal to the interval '5'", with(func(i *in) { i.Protocol, i.HealthCheckIntervalSeconds = "TCP", aws.Ptr[int32](5) })},
		{"check port", make, "ValidationError", "", with(func(i *in) { i.HealthCheckPort = aws.Ptr("x") })},
		{"path of TCP", make, "InvalidConfigurationRequest", "", with(func(i *in) { i.Protocol, i.HealthCheckPath = "TCP", aws.Ptr("/") })},
		{"matcher of TCP", make, "InvalidConfigurationRequest", "Health check matchers are not supported for TCP health checks", with(func(i *in) { i.Protocol, i.Matcher = "TCP", &api.Matcher{HttpCode: aws.Ptr("200")} })},
		{"path", make, "ValidationError", "Health check path 'x' must begin with a '/' character", with(func(i *in) { i.HealthCheckPath = aws.Ptr("x") })},
		{"codes", make, "ValidationError", "Health check matcher HTTP code '200-600' must be within '200-499' inclusive", with(func(i *in) { i.Matcher = &api.Matcher{HttpCode: aws.Ptr("200-600")} })},
		{"no codes", make, "ValidationError", "", with(func(i *in) { i.Matcher = &api.Matcher{HttpCode: aws.Ptr("ok")} })},
		{"gRPC codes of HTTP", make, "ValidationError", "", with(func(i *in) { i.Matcher = &api.Matcher{GrpcCode: aws.Ptr("0")} })},
		{"unknown names", "DescribeTargetGroups", "TargetGroupNotFound", "One or more target groups not found", &api.DescribeTargetGroupsInput{Names: []string{"x"}}},
		{"two ways", "DescribeTargetGroups", "ValidationError", "Target group names, target group ARNs, and a load balancer ARN cannot be specified at the same time", &api.DescribeTargetGroupsInput{Names: []string{"x"}, TargetGroupArns: []string{web}}},
		{"unknown attribute", attribute, "ValidationError", "Target group attribute key 'x' is not recognized", set(web, "x", "y")},
		{"attribute of streams", attribute, "InvalidConfigurationRequest", "", set(web, "proxy_protocol_v2.enabled", "true")},
		{"delay", attribute, "ValidationError", "'deregistration_delay.timeout_seconds' value '3601' must be between '0-3600' inclusive", set(web, "deregistration_delay.timeout_seconds", "3601")},
		{"slow start", attribute, "ValidationError", "'slow_start.duration_seconds' value '5' must be between '30-900' inclusive", set(web, "slow_start.duration_seconds", "5")},
		{"slow and clever", attribute, "InvalidConfigurationRequest", "", set(web, "slow_start.duration_seconds", "30", "load_balancing.algorithm.type", "least_outstanding_requests")},
		{"cookie of nobody", attribute, "InvalidConfigurationRequest", "You must set an application cookie name to enable stickiness of type 'app_cookie'", set(web, "stickiness.type", "app_cookie")},
		{"our cookie", attribute, "ValidationError", "", set(web, "stickiness.app_cookie.cookie_name", "AWSALBTG2")},
		{"source of HTTP", attribute, "InvalidConfigurationRequest", "Stickiness type 'source_ip' is not supported for target groups with the HTTP protocol", set(web, "stickiness.type", "source_ip")},
		{"cookie of TCP", attribute, "InvalidConfigurationRequest", "Stickiness type 'lb_cookie' is not supported for target groups with the TCP protocol", set(tcp, "stickiness.type", "lb_cookie")},
		{"gateway's stickiness", attribute, "ValidationError", "'Stickiness type' must be one of [app_cookie, lb_cookie, source_ip]", set(web, "stickiness.type", "source_ip_dest_ip")},
		{"client's address", attribute, "NotImplemented", "", set(tcp, "preserve_client_ip.enabled", "true")},
		{"end of datagrams", attribute, "InvalidConfigurationRequest", "You cannot enable the attribute target_health_state.unhealthy.connection_termination.enabled on target groups with the UDP protocol",
			set(udp, "target_health_state.unhealthy.connection_termination.enabled", "true")},
		{"anomalies", attribute, "NotImplemented", "", set(web, "load_balancing.algorithm.anomaly_mitigation", "on")},
	})
}
