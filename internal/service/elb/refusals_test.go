package elb_test

import (
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elb"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// TestRefusals: bad input, with the exact error.
func TestRefusals(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.cloud.instance("i-1", "us-east-1a", "vpc-1", "running")
	l.cloud.instance("i-2", "us-east-1a", "vpc-2", "running")
	l.cloud.instance("i-3", "us-east-1a", "vpc-1", "terminated")
	l.balancer("lb", web, api.Listener{Protocol: aws.Ptr("TCP"), LoadBalancerPort: aws.Ptr[int32](81), InstancePort: aws.Ptr[int32](81)})
	name := aws.Ptr("lb")
	create := func(change func(*api.CreateLoadBalancerInput)) *api.CreateLoadBalancerInput {
		in := &api.CreateLoadBalancerInput{LoadBalancerName: aws.Ptr("new"), Listeners: []api.Listener{web}, AvailabilityZones: []string{"us-east-1a"}}
		change(in)
		return in
	}
	listen := func(change func(*api.Listener)) *api.CreateLoadBalancerInput {
		return create(func(in *api.CreateLoadBalancerInput) {
			l := web
			change(&l)
			in.Listeners = []api.Listener{l}
		})
	}
	check := func(change func(*api.HealthCheck)) *api.ConfigureHealthCheckInput {
		h := &api.HealthCheck{Target: aws.Ptr("TCP:80"), Interval: aws.Ptr[int32](10), Timeout: aws.Ptr[int32](5), HealthyThreshold: aws.Ptr[int32](2), UnhealthyThreshold: aws.Ptr[int32](2)}
		change(h)
		return &api.ConfigureHealthCheckInput{LoadBalancerName: name, HealthCheck: h}
	}
	attributes := func(a api.LoadBalancerAttributes) *api.ModifyLoadBalancerAttributesInput {
		return &api.ModifyLoadBalancerAttributesInput{LoadBalancerName: name, LoadBalancerAttributes: &a}
	}
	policy := func(kind string, pairs ...string) *api.CreateLoadBalancerPolicyInput {
		in := &api.CreateLoadBalancerPolicyInput{LoadBalancerName: name, PolicyName: aws.Ptr("p"), PolicyTypeName: &kind}
		for i := 0; i < len(pairs); i += 2 {
			in.PolicyAttributes = append(in.PolicyAttributes, api.PolicyAttribute{AttributeName: &pairs[i], AttributeValue: &pairs[i+1]})
		}
		return in
	}
	for _, c := range []struct {
		name, operation string
		in              any
		want            string
	}{
		{"name", "CreateLoadBalancer", create(func(in *api.CreateLoadBalancerInput) { in.LoadBalancerName = aws.Ptr("a_b") }),
			"ValidationError: LoadBalancer name cannot contain characters that are not letters, or digits or the dash."},
		{"long name", "CreateLoadBalancer", create(func(in *api.CreateLoadBalancerInput) { in.LoadBalancerName = aws.Ptr(strings.Repeat("a", 33)) }),
			"ValidationError: LoadBalancer name cannot be longer than 32 characters"},
		{"dash", "CreateLoadBalancer", create(func(in *api.CreateLoadBalancerInput) { in.LoadBalancerName = aws.Ptr("-a") }), "ValidationError: LoadBalancer name cannot begin or end with a dash"},
		{"no name", "CreateLoadBalancer", create(func(in *api.CreateLoadBalancerInput) { in.LoadBalancerName = aws.Ptr("") }), "ValidationError: LoadBalancer name cannot be empty"},
		{"no listeners", "CreateLoadBalancer", create(func(in *api.CreateLoadBalancerInput) { in.Listeners = []api.Listener{} }), "ValidationError: Listeners cannot be empty"},
		{"no place", "CreateLoadBalancer", create(func(in *api.CreateLoadBalancerInput) { in.AvailabilityZones = nil }), "ValidationError: Either AvailabilityZones or SubnetIds must be specified"},
		{"two places", "CreateLoadBalancer", create(func(in *api.CreateLoadBalancerInput) { in.Subnets = []string{"subnet-a"} }),
			"ValidationError: Only one of SubnetIds or AvailabilityZones parameter may be specified"},
		{"zone", "CreateLoadBalancer", create(func(in *api.CreateLoadBalancerInput) { in.AvailabilityZones = []string{"us-east-1z"} }), "ValidationError: Requested AZ us-east-1z is not valid or has no default subnet"},
		{"scheme", "CreateLoadBalancer", create(func(in *api.CreateLoadBalancerInput) { in.Scheme = aws.Ptr("x") }), "InvalidScheme: Invalid scheme: x"},
		{"subnet", "CreateLoadBalancer", create(func(in *api.CreateLoadBalancerInput) { in.AvailabilityZones, in.Subnets = nil, []string{"subnet-none"} }), "SubnetNotFound: The subnet ID 'subnet-none' does not exist"},
		{"subnets of one zone", "CreateLoadBalancer", create(func(in *api.CreateLoadBalancerInput) {
			in.AvailabilityZones, in.Subnets = nil, []string{"subnet-a", "subnet-a2"}
		}),
			"InvalidConfigurationRequest: ELB cannot be attached to multiple subnets in the same AZ."},
		{"subnets of two VPCs", "CreateLoadBalancer", create(func(in *api.CreateLoadBalancerInput) {
			in.AvailabilityZones, in.Subnets = nil, []string{"subnet-b", otherSubnet}
		}),
			"InvalidSubnet: All subnets must belong to the same VPC"},
		{"no gateway", "CreateLoadBalancer", create(func(in *api.CreateLoadBalancerInput) { in.AvailabilityZones, in.Subnets = nil, []string{otherSubnet} }), "InvalidSubnet: VPC vpc-2 has no internet gateway"},
		{"security group", "CreateLoadBalancer", create(func(in *api.CreateLoadBalancerInput) { in.SecurityGroups = []string{"sg-none"} }), "InvalidSecurityGroup: One or more of the specified security groups do not exist."},
		{"security group of another VPC", "CreateLoadBalancer", create(func(in *api.CreateLoadBalancerInput) { in.SecurityGroups = []string{"sg-other"} }),
			"InvalidConfigurationRequest: One or more of the specified security groups do not belong to the VPC vpc-1 of the load balancer."},
		{"tags", "CreateLoadBalancer", create(func(in *api.CreateLoadBalancerInput) { in.Tags = []api.Tag{{Key: aws.Ptr("a")}, {Key: aws.Ptr("a")}} }), "DuplicateTagKeys: Tag key was specified more than once: a"},
		{"tags of AWS", "CreateLoadBalancer", create(func(in *api.CreateLoadBalancerInput) { in.Tags = []api.Tag{{Key: aws.Ptr("aws:a")}} }), "ValidationError: aws: prefixed tag key names are not allowed for external use."},
		{"protocol", "CreateLoadBalancer", listen(func(l *api.Listener) { l.Protocol = aws.Ptr("UDP") }), "UnsupportedProtocol: Unsupported protocol: UDP. Valid values are HTTP, HTTPS, TCP, SSL"},
		{"port", "CreateLoadBalancer", listen(func(l *api.Listener) { l.LoadBalancerPort = aws.Ptr[int32](0) }), "ValidationError: LoadBalancerPort must be between 1 and 65535"},
		{"layers", "CreateLoadBalancer", listen(func(l *api.Listener) { l.InstanceProtocol = aws.Ptr("TCP") }), "InvalidConfigurationRequest: A listener with the protocol HTTP cannot have the instance protocol TCP"},
		{"no certificate", "CreateLoadBalancer", listen(func(l *api.Listener) { l.Protocol = aws.Ptr("HTTPS") }), "ValidationError: Secure Listeners need to specify a SSLCertificateId"},
		{"certificate", "CreateLoadBalancer", listen(func(l *api.Listener) {
			l.Protocol, l.SSLCertificateId = aws.Ptr("HTTPS"), aws.Ptr("arn:aws:iam::123456789012:server-certificate/none")
		}),
			"CertificateNotFound: Server Certificate not found for the key: arn:aws:iam::123456789012:server-certificate/none"},
		{"certificate of another account", "CreateLoadBalancer", listen(func(l *api.Listener) {
			l.Protocol, l.SSLCertificateId = aws.Ptr("HTTPS"), aws.Ptr("arn:aws:iam::210987654321:server-certificate/site")
		}),
			"CertificateNotFound: Server Certificate not found for the key: arn:aws:iam::210987654321:server-certificate/site"},
		{"ports twice", "CreateLoadBalancer", create(func(in *api.CreateLoadBalancerInput) { in.Listeners = []api.Listener{web, web} }), "ValidationError: Duplicate LoadBalancerPort in the listeners: 80"},
		{"other listener", "CreateLoadBalancerListeners", &api.CreateLoadBalancerListenersInput{LoadBalancerName: name, Listeners: []api.Listener{{Protocol: aws.Ptr("tcp"), LoadBalancerPort: aws.Ptr[int32](80), InstancePort: aws.Ptr[int32](8080)}}},
			"DuplicateListener: A listener already exists for lb with LoadBalancerPort 80, but with a different InstancePort, Protocol, or SSLCertificateId"},
		{"certificate for TCP", "SetLoadBalancerListenerSSLCertificate", &api.SetLoadBalancerListenerSSLCertificateInput{LoadBalancerName: name, LoadBalancerPort: aws.Ptr[int32](81), SSLCertificateId: aws.Ptr(certificate)},
			"InvalidConfigurationRequest: The listener on port 81 of load balancer lb has the protocol TCP and cannot have a certificate"},
		{"no listener", "SetLoadBalancerListenerSSLCertificate", &api.SetLoadBalancerListenerSSLCertificateInput{LoadBalancerName: name, LoadBalancerPort: aws.Ptr[int32](82), SSLCertificateId: aws.Ptr(certificate)},
			"ListenerNotFound: There is no listener on port 82 for load balancer lb"},
		{"no balancer", "DescribeInstanceHealth", &api.DescribeInstanceHealthInput{LoadBalancerName: aws.Ptr("none")}, "LoadBalancerNotFound: There is no ACTIVE Load Balancer named 'none'"},
		{"no instance", "RegisterInstancesWithLoadBalancer", &api.RegisterInstancesWithLoadBalancerInput{LoadBalancerName: name, Instances: apiInstances([]string{"i-9"})}, "InvalidInstance: Could not find EC2 instance i-9."},
		{"terminated", "RegisterInstancesWithLoadBalancer", &api.RegisterInstancesWithLoadBalancerInput{LoadBalancerName: name, Instances: apiInstances([]string{"i-3"})}, "InvalidInstance: Could not find EC2 instance i-3."},
		{"other VPC", "RegisterInstancesWithLoadBalancer", &api.RegisterInstancesWithLoadBalancerInput{LoadBalancerName: name, Instances: apiInstances([]string{"i-2"})}, "InvalidInstance: EC2 instance i-2 is not in the same VPC as ELB."},
		{"nothing to deregister", "DeregisterInstancesFromLoadBalancer", &api.DeregisterInstancesFromLoadBalancerInput{LoadBalancerName: name, Instances: apiInstances([]string{"i-9"})}, "InvalidInstance: Could not find EC2 instance i-9."},
		{"target", "ConfigureHealthCheck", check(func(h *api.HealthCheck) { h.Target = aws.Ptr("UDP:1") }), "ValidationError: HealthCheck Target must begin with one of HTTP, TCP, HTTPS, SSL"},
		{"target's port", "ConfigureHealthCheck", check(func(h *api.HealthCheck) { h.Target = aws.Ptr("TCP:x") }), "ValidationError: HealthCheck Target must specify a port between 1 and 65535"},
		{"target's path", "ConfigureHealthCheck", check(func(h *api.HealthCheck) { h.Target = aws.Ptr("HTTP:80") }),
			"ValidationError: HealthCheck HTTP Target must specify a port followed by a path that begins with a slash. e.g. HTTP:80/ping/this/path"},
		{"path for TCP", "ConfigureHealthCheck", check(func(h *api.HealthCheck) { h.Target = aws.Ptr("TCP:80/x") }), "ValidationError: HealthCheck TCP Target must specify a port and nothing more. e.g. TCP:80"},
		{"path that breaks a request", "ConfigureHealthCheck", check(func(h *api.HealthCheck) { h.Target = aws.Ptr("HTTP:80/x y\r\nA: b") }),
			"ValidationError: HealthCheck Target path may hold only printable characters without spaces"},
		{"timeout", "ConfigureHealthCheck", check(func(h *api.HealthCheck) { h.Timeout = aws.Ptr[int32](10) }), "ValidationError: HealthCheck timeout must be less than interval"},
		{"access log", "ModifyLoadBalancerAttributes", attributes(api.LoadBalancerAttributes{AccessLog: &api.AccessLog{Enabled: aws.Ptr(true)}}),
			"NotImplemented: hardstand does not implement access logs of load balancers."},
		{"draining", "ModifyLoadBalancerAttributes", attributes(api.LoadBalancerAttributes{ConnectionDraining: &api.ConnectionDraining{Enabled: aws.Ptr(true), Timeout: aws.Ptr[int32](3601)}}),
			"InvalidConfigurationRequest: ConnectionDraining timeout must be between 1 and 3600 seconds"},
		{"attribute", "ModifyLoadBalancerAttributes", attributes(api.LoadBalancerAttributes{AdditionalAttributes: []api.AdditionalAttribute{{Key: aws.Ptr("elb.x"), Value: aws.Ptr("y")}}}),
			"LoadBalancerAttributeNotFound: The attribute elb.x does not exist"},
		{"desync", "ModifyLoadBalancerAttributes", attributes(api.LoadBalancerAttributes{AdditionalAttributes: []api.AdditionalAttribute{{Key: aws.Ptr("elb.http.desyncmitigationmode"), Value: aws.Ptr("monitor")}}}),
			"NotImplemented: hardstand does not implement elb.http.desyncmitigationmode monitor."},
		{"desync's value", "ModifyLoadBalancerAttributes", attributes(api.LoadBalancerAttributes{AdditionalAttributes: []api.AdditionalAttribute{{Key: aws.Ptr("elb.http.desyncmitigationmode"), Value: aws.Ptr("x")}}}),
			"InvalidConfigurationRequest: Invalid value x for attribute elb.http.desyncmitigationmode. Valid values are monitor, defensive, strictest"},
		{"policy type", "CreateLoadBalancerPolicy", policy("x"), "PolicyTypeNotFound: Policy type x not found"},
		{"policy attribute", "CreateLoadBalancerPolicy", policy("ProxyProtocolPolicyType", "x", "y"), "InvalidConfigurationRequest: Policy attribute x is not known for policy type ProxyProtocolPolicyType"},
		{"policy value", "CreateLoadBalancerPolicy", policy("ProxyProtocolPolicyType", "ProxyProtocol", "y"), "InvalidConfigurationRequest: Invalid value y for policy attribute ProxyProtocol"},
		{"policy without attribute", "CreateLoadBalancerPolicy", policy("AppCookieStickinessPolicyType"), "InvalidConfigurationRequest: Policy attribute CookieName is required for policy type AppCookieStickinessPolicyType"},
		{"policy attribute twice", "CreateLoadBalancerPolicy", policy("AppCookieStickinessPolicyType", "CookieName", "a", "CookieName", "b"), "InvalidConfigurationRequest: Policy attribute CookieName can be given once"},
		{"SSL 3.0", "CreateLoadBalancerPolicy", policy("SSLNegotiationPolicyType", "Protocol-SSLv3", "true"), "NotImplemented: hardstand does not implement Protocol-SSLv3."},
		{"public key", "CreateLoadBalancerPolicy", policy("PublicKeyPolicyType", "PublicKey", "x"), "InvalidConfigurationRequest: Invalid value x for policy attribute PublicKey"},
		{"unknown public key", "CreateLoadBalancerPolicy", policy("BackendServerAuthenticationPolicyType", "PublicKeyPolicyName", "none"), "PolicyNotFound: There is no policy with name none for load balancer lb"},
		{"policy of no listener", "SetLoadBalancerPoliciesOfListener", &api.SetLoadBalancerPoliciesOfListenerInput{LoadBalancerName: name, LoadBalancerPort: aws.Ptr[int32](82), PolicyNames: []string{}},
			"ListenerNotFound: There is no listener on port 82 for load balancer lb"},
		{"policy of no port", "SetLoadBalancerPoliciesForBackendServer", &api.SetLoadBalancerPoliciesForBackendServerInput{LoadBalancerName: name, InstancePort: aws.Ptr[int32](1), PolicyNames: []string{}},
			"InvalidConfigurationRequest: There is no listener with instance port 1 for load balancer lb"},
		{"last subnet", "DetachLoadBalancerFromSubnets", &api.DetachLoadBalancerFromSubnetsInput{LoadBalancerName: name, Subnets: []string{"subnet-a", "subnet-b"}},
			"InvalidConfigurationRequest: A load balancer must be attached to at least one subnet"},
		{"subnet that it is not in", "DetachLoadBalancerFromSubnets", &api.DetachLoadBalancerFromSubnetsInput{LoadBalancerName: name, Subnets: []string{"subnet-a2"}},
			"InvalidConfigurationRequest: The load balancer lb is not attached to the subnet subnet-a2"},
		{"no groups", "ApplySecurityGroupsToLoadBalancer", &api.ApplySecurityGroupsToLoadBalancerInput{LoadBalancerName: name, SecurityGroups: []string{}},
			"InvalidConfigurationRequest: At least one security group must be specified"},
		{"two names", "AddTags", &api.AddTagsInput{LoadBalancerNames: []string{"lb", "x"}, Tags: []api.Tag{{Key: aws.Ptr("a")}}}, "ValidationError: Exactly one load balancer name must be specified"},
		{"marker", "DescribeLoadBalancers", &api.DescribeLoadBalancersInput{Marker: aws.Ptr("!")}, "ValidationError: Invalid marker: !"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := l.Server.Invoke(l.Ctx, "elb", c.operation, c.in); err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}
