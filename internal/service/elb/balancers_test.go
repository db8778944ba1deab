package elb_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elb"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/lb"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

func TestCreation(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.balancer("lb")
	d := l.describe("lb")
	if !strings.HasPrefix(*d.DNSName, "lb-") || !strings.HasSuffix(*d.DNSName, ".us-east-1.elb.amazonaws.com") || *d.CanonicalHostedZoneName != *d.DNSName ||
		*d.CanonicalHostedZoneNameID != "Z35SXDOTRQ7X7K" || *d.Scheme != "internet-facing" || *d.VPCId != "vpc-1" {
		t.Errorf("described %+v", d)
	}
	if !slices.Equal(d.Subnets, []string{"subnet-a", "subnet-b"}) || !slices.Equal(d.SecurityGroups, []string{"sg-default"}) || *d.SourceSecurityGroup.GroupName != "default" {
		t.Errorf("placed %v %v", d.Subnets, d.SecurityGroups)
	}
	if h := d.HealthCheck; *h.Target != "TCP:8080" || *h.Interval != 30 || *h.Timeout != 5 || *h.HealthyThreshold != 10 || *h.UnhealthyThreshold != 2 {
		t.Errorf("health check %+v", h)
	}
	spec, _ := l.plane.spec("lb")
	if len(spec.Nodes) != 2 || spec.Nodes[0].ID != "eni-1" || spec.Nodes[1].Zone != "us-east-1b" || spec.Kind != lb.Classic || len(spec.Listeners) != 1 || spec.Listeners[0].Port != 80 {
		t.Errorf("spec %+v", spec)
	}
	for _, name := range []string{strings.ToUpper(*d.DNSName), "dualstack." + *d.DNSName} {
		addrs, known, err := l.svc.Addresses(t.Context(), name)
		if err != nil || !known || len(addrs) != 2 || addrs[0].String() != "198.51.100.1" {
			t.Errorf("%s resolves to %v %v %v", name, addrs, known, err)
		}
	}
	wiretest.Must[api.CreateLoadBalancerOutput](l, "CreateLoadBalancer", &api.CreateLoadBalancerInput{LoadBalancerName: aws.Ptr("in"), Listeners: []api.Listener{web},
		Subnets: []string{"subnet-a2"}, SecurityGroups: []string{"sg-web"}, Scheme: aws.Ptr("internal")})
	if in := l.describe("in"); !strings.HasPrefix(*in.DNSName, "internal-in-") || in.CanonicalHostedZoneName != nil || *in.SourceSecurityGroup.GroupName != "web" {
		t.Errorf("described %+v", in)
	}
	if _, known, _ := l.svc.Addresses(t.Context(), "none.us-east-1.elb.amazonaws.com"); known {
		t.Error("a name of nothing is known")
	}
}

func TestCreationIsRepeatable(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	in := func() *api.CreateLoadBalancerInput {
		return &api.CreateLoadBalancerInput{LoadBalancerName: aws.Ptr("lb"), Listeners: []api.Listener{web}, AvailabilityZones: []string{"us-east-1a"}}
	}
	first := wiretest.Must[api.CreateLoadBalancerOutput](l, "CreateLoadBalancer", in())
	if again := wiretest.Must[api.CreateLoadBalancerOutput](l, "CreateLoadBalancer", in()); *again.DNSName != *first.DNSName {
		t.Errorf("%s, then %s", *first.DNSName, *again.DNSName)
	}
	tagged, elsewhere := in(), in()
	tagged.Tags = []api.Tag{{Key: aws.Ptr("a"), Value: aws.Ptr("b")}}
	elsewhere.AvailabilityZones = []string{"us-east-1b"}
	for text, in := range map[string]*api.CreateLoadBalancerInput{"tags": tagged, "parameters": elsewhere} {
		_, err := wiretest.Call[api.CreateLoadBalancerOutput](l, "CreateLoadBalancer", in)
		want := "DuplicateLoadBalancerName: Load Balancer named lb already exists and it is configured with different " + text + "."
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestInterfaces: made once, moved with subnets and groups, and all gone at the end,
// also when EC2 fails in between.
func TestInterfaces(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.cloud.fail = errors.New("EC2 is away")
	l.balancer("lb")
	if l.cloud.count() != 0 {
		t.Fatal("interfaces were made")
	}
	l.cloud.mu.Lock()
	l.cloud.fail = nil
	l.cloud.mu.Unlock()
	l.run()
	l.until("in two zones", func() bool { s, ok := l.plane.spec("lb"); return ok && len(s.Nodes) == 2 })
	wiretest.Must[api.DetachLoadBalancerFromSubnetsOutput](l, "DetachLoadBalancerFromSubnets", &api.DetachLoadBalancerFromSubnetsInput{LoadBalancerName: aws.Ptr("lb"), Subnets: []string{"subnet-a"}})
	wiretest.Must[api.AttachLoadBalancerToSubnetsOutput](l, "AttachLoadBalancerToSubnets", &api.AttachLoadBalancerToSubnetsInput{LoadBalancerName: aws.Ptr("lb"), Subnets: []string{"subnet-a2"}})
	wiretest.Must[api.ApplySecurityGroupsToLoadBalancerOutput](l, "ApplySecurityGroupsToLoadBalancer", &api.ApplySecurityGroupsToLoadBalancerInput{LoadBalancerName: aws.Ptr("lb"), SecurityGroups: []string{"sg-web"}})
	if l.cloud.count() != 2 {
		t.Errorf("%d interfaces", l.cloud.count())
	}
	for _, i := range l.cloud.interfaces {
		if *i.SubnetId == "subnet-a" || *i.Groups[0].GroupId != "sg-web" {
			t.Errorf("interface %+v", i)
		}
	}
	wiretest.Must[api.DeleteLoadBalancerOutput](l, "DeleteLoadBalancer", &api.DeleteLoadBalancerInput{LoadBalancerName: aws.Ptr("lb")})
	if _, runs := l.plane.spec("lb"); runs || l.cloud.count() != 0 {
		t.Errorf("runs %v with %d interfaces", runs, l.cloud.count())
	}
	wiretest.Must[api.DeleteLoadBalancerOutput](l, "DeleteLoadBalancer", &api.DeleteLoadBalancerInput{LoadBalancerName: aws.Ptr("lb")})
}

// TestRestart: the next server applies every balancer, with what is known of health.
func TestRestart(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.cloud.instance("i-1", "us-east-1a", "vpc-1", "running")
	l.balancer("lb")
	l.register("lb", "i-1")
	l.report("lb", "i-1", lb.Healthy, "")
	l.restart()
	l.run()
	l.until("running", func() bool { _, ok := l.plane.spec("lb"); return ok })
	if got := l.group("lb", "instances").Targets; len(got) != 1 || got[0].Known != lb.Healthy {
		t.Errorf("targets %+v", got)
	}
	if l.cloud.made != 2 {
		t.Errorf("%d interfaces were made", l.cloud.made)
	}
}

// TestSpecs: what listeners, policies and attributes mean for the plane.
func TestSpecs(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.cloud.instance("i-1", "us-east-1a", "vpc-1", "running")
	l.balancer("lb", web, api.Listener{Protocol: aws.Ptr("SSL"), LoadBalancerPort: aws.Ptr[int32](443), InstancePort: aws.Ptr[int32](9090), InstanceProtocol: aws.Ptr("TCP"), SSLCertificateId: aws.Ptr(certificate)})
	l.register("lb", "i-1")
	name := aws.Ptr("lb")
	for _, step := range []struct {
		operation string
		in        any
	}{
		{"CreateLBCookieStickinessPolicy", &api.CreateLBCookieStickinessPolicyInput{LoadBalancerName: name, PolicyName: aws.Ptr("ours"), CookieExpirationPeriod: aws.Ptr[int64](60)}},
		{"SetLoadBalancerPoliciesOfListener", &api.SetLoadBalancerPoliciesOfListenerInput{LoadBalancerName: name, LoadBalancerPort: aws.Ptr[int32](80), PolicyNames: []string{"ours"}}},
		{"CreateLoadBalancerPolicy", &api.CreateLoadBalancerPolicyInput{LoadBalancerName: name, PolicyName: aws.Ptr("proxy"), PolicyTypeName: aws.Ptr("ProxyProtocolPolicyType"),
			PolicyAttributes: []api.PolicyAttribute{{AttributeName: aws.Ptr("ProxyProtocol"), AttributeValue: aws.Ptr("true")}}}},
		{"SetLoadBalancerPoliciesForBackendServer", &api.SetLoadBalancerPoliciesForBackendServerInput{LoadBalancerName: name, InstancePort: aws.Ptr[int32](9090), PolicyNames: []string{"proxy"}}},
		{"ModifyLoadBalancerAttributes", &api.ModifyLoadBalancerAttributesInput{LoadBalancerName: name, LoadBalancerAttributes: &api.LoadBalancerAttributes{
			CrossZoneLoadBalancing: &api.CrossZoneLoadBalancing{Enabled: aws.Ptr(true)}, ConnectionSettings: &api.ConnectionSettings{IdleTimeout: aws.Ptr[int32](7)}}}},
		{"ConfigureHealthCheck", &api.ConfigureHealthCheckInput{LoadBalancerName: name, HealthCheck: &api.HealthCheck{Target: aws.Ptr("http:81/up?x"), Interval: aws.Ptr[int32](10),
			Timeout: aws.Ptr[int32](3), HealthyThreshold: aws.Ptr[int32](2), UnhealthyThreshold: aws.Ptr[int32](4)}}},
	} {
		if _, err := l.Server.Invoke(l.Ctx, "elb", step.operation, step.in); err != nil {
			t.Fatalf("%s: %v", step.operation, err)
		}
	}
	web, secure, checked := l.group("lb", "port/80"), l.group("lb", "port/443"), l.group("lb", "instances")
	if web.Algorithm != "least_outstanding_requests" || web.Stickiness.Type != "lb_cookie" || web.Stickiness.Duration.Seconds() != 60 || web.Targets[0].Port != 8080 || !web.CrossZone {
		t.Errorf("group %+v", web)
	}
	if secure.Algorithm != "round_robin" || secure.ProxyProtocol != 1 || secure.Protocol != "TCP" || secure.HealthOf != "instances" || secure.Targets[0].Port != 9090 {
		t.Errorf("group %+v", secure)
	}
	if c := checked.Check; c.Protocol != "HTTP" || c.Port != 81 || c.Path != "/up?x" || c.Interval.Seconds() != 10 || c.Healthy != 2 || c.Unhealthy != 4 || c.Matcher != "200" {
		t.Errorf("check %+v", c)
	}
	spec, _ := l.plane.spec("lb")
	if s := spec.Listeners[1]; s.Protocol != "SSL" || len(s.Certificates) != 1 || s.TLS == nil || len(s.TLS.CipherSuites) == 0 || spec.Attributes.IdleTimeout.Seconds() != 7 {
		t.Errorf("listener %+v", s)
	}
	if d := l.describe("lb"); !reflect.DeepEqual(d.Policies.OtherPolicies, []string{"ELBSecurityPolicy-2016-08", "proxy"}) || d.ListenerDescriptions[1].PolicyNames[0] != "ELBSecurityPolicy-2016-08" {
		t.Errorf("policies %+v", d.Policies)
	}
	if user, err := l.svc.CertificateUser(t.Context(), certificate); err != nil || !strings.HasSuffix(user, ":loadbalancer/lb") {
		t.Errorf("the certificate is used by %s, %v", user, err)
	}
}

func TestPages(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	for _, name := range []string{"c", "a", "b"} {
		l.balancer(name)
	}
	var got string
	for in := (&api.DescribeLoadBalancersInput{PageSize: aws.Ptr[int32](2)}); ; {
		out := wiretest.Must[api.DescribeLoadBalancersOutput](l, "DescribeLoadBalancers", in)
		for _, d := range out.LoadBalancerDescriptions {
			got += *d.LoadBalancerName
		}
		got += "/"
		if in.Marker = out.NextMarker; in.Marker == nil {
			break
		}
	}
	if got != "ab/c/" {
		t.Errorf("pages %s", got)
	}
}

// TestEveryOperationNeedsItsPermission, on the balancer that it names.
func TestEveryOperationNeedsItsPermission(t *testing.T) {
	l := newLab(t, wiretest.Gate{Only: []string{}})
	for _, op := range l.svc.Wire().Operations {
		in := op.New()
		fill(reflect.ValueOf(in).Elem())
		_, err := l.Server.Invoke(l.Ctx, "elb", op.Name, in)
		if !awserr.Is(err, "AccessDenied") || !strings.Contains(err.Error(), "elasticloadbalancing:"+op.Name) {
			t.Errorf("%s: %v", op.Name, err)
		}
		if named := !strings.HasPrefix(op.Name, "Describe"); named && !strings.Contains(err.Error(), ":loadbalancer/lb") {
			t.Errorf("%s names no balancer: %v", op.Name, err)
		}
	}
	tagged := &api.CreateLoadBalancerInput{LoadBalancerName: aws.Ptr("lb"), Listeners: []api.Listener{web}, AvailabilityZones: []string{"us-east-1a"}, Tags: []api.Tag{{Key: aws.Ptr("a")}}}
	only := newLab(t, wiretest.Gate{Only: []string{"elasticloadbalancing:CreateLoadBalancer arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/lb"}})
	if _, err := wiretest.Call[api.CreateLoadBalancerOutput](only, "CreateLoadBalancer", tagged); !awserr.Is(err, "AccessDenied") || !strings.Contains(err.Error(), "elasticloadbalancing:AddTags") {
		t.Errorf("tags without the permission: %v", err)
	}
}

// fill gives an input values that pass validation.
func fill(v reflect.Value) {
	for i := range v.NumField() {
		f := v.Field(i)
		switch v.Type().Field(i).Name {
		case "LoadBalancerNames":
			f.Set(reflect.ValueOf([]string{"lb"}))
		case "LoadBalancerName":
			f.Set(reflect.ValueOf(aws.Ptr("lb")))
		case "Listeners":
			f.Set(reflect.ValueOf([]api.Listener{web}))
		case "Tags":
			if f.Type() == reflect.TypeFor[[]api.Tag]() {
				f.Set(reflect.ValueOf([]api.Tag{{Key: aws.Ptr("a"), Value: aws.Ptr("b")}}))
			} else {
				f.Set(reflect.ValueOf([]api.TagKeyOnly{{Key: aws.Ptr("a")}}))
			}
		case "HealthCheck":
			f.Set(reflect.ValueOf(&api.HealthCheck{Target: aws.Ptr("TCP:1"), Interval: aws.Ptr[int32](5), Timeout: aws.Ptr[int32](2), HealthyThreshold: aws.Ptr[int32](2), UnhealthyThreshold: aws.Ptr[int32](2)}))
		case "LoadBalancerAttributes":
			f.Set(reflect.ValueOf(&api.LoadBalancerAttributes{}))
		case "LoadBalancerPort", "InstancePort":
			f.Set(reflect.ValueOf(aws.Ptr[int32](80)))
		case "LoadBalancerPorts":
			f.Set(reflect.ValueOf([]int32{80}))
		case "Marker", "PageSize", "Scheme", "CookieExpirationPeriod", "PolicyAttributes":
		default:
			fillOther(f)
		}
	}
}

func fillOther(f reflect.Value) {
	switch f.Type() {
	case reflect.TypeFor[*string]():
		f.Set(reflect.ValueOf(aws.Ptr("x")))
	case reflect.TypeFor[[]string]():
		f.Set(reflect.ValueOf([]string{"x"}))
	case reflect.TypeFor[[]api.Instance]():
		f.Set(reflect.ValueOf([]api.Instance{{InstanceId: aws.Ptr("i-1")}}))
	}
}

func TestResourceContract(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	for _, id := range []string{"i-1", "i-2"} {
		l.cloud.instance(id, "us-east-1a", "vpc-1", "running")
	}
	call := aws.CallFrom(l.Ctx)
	call.Via = []string{"cloudformation.amazonaws.com"}
	type m = map[string]any
	listener := func(port, instancePort, protocol string, more m) m {
		out := m{"LoadBalancerPort": port, "InstancePort": instancePort, "Protocol": protocol}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	stacktest.Conform(t, stacktest.Case{Resource: l.svc.Resources()["AWS::ElasticLoadBalancing::LoadBalancer"], Type: "AWS::ElasticLoadBalancing::LoadBalancer",
		Context: aws.WithCall(l.Ctx, call),
		Properties: m{
			"Subnets": []any{"subnet-a", "subnet-b"}, "Instances": []any{"i-1"}, "CrossZone": true, "SecurityGroups": []any{"sg-web"},
			"Listeners":                []any{listener("80", "8080", "HTTP", m{"PolicyNames": []any{"ours"}}), listener("443", "8443", "HTTPS", m{"InstanceProtocol": "HTTP", "SSLCertificateId": certificate})},
			"LBCookieStickinessPolicy": []any{m{"PolicyName": "ours", "CookieExpirationPeriod": "60"}}, "ConnectionDrainingPolicy": m{"Enabled": true, "Timeout": "20"},
			"Policies":    []any{m{"PolicyName": "proxy", "PolicyType": "ProxyProtocolPolicyType", "Attributes": []any{m{"Name": "ProxyProtocol", "Value": "true"}}, "InstancePorts": []any{"8080"}}},
			"HealthCheck": m{"Target": "TCP:1", "Interval": "30", "Timeout": "5", "HealthyThreshold": "2", "UnhealthyThreshold": "2"},
			"Tags":        []any{m{"Key": "k", "Value": "v"}},
		},
		Changed: m{
			"Subnets": []any{"subnet-b", "subnet-a2"}, "Instances": []any{"i-2"}, "ConnectionSettings": m{"IdleTimeout": "5"}, "SecurityGroups": []any{"sg-default"},
			"Listeners":                 []any{listener("80", "8081", "HTTP", m{"PolicyNames": []any{"ours"}}), listener("443", "8443", "HTTPS", m{"InstanceProtocol": "HTTP", "SSLCertificateId": certificate})},
			"AppCookieStickinessPolicy": []any{m{"PolicyName": "ours", "CookieName": "c"}},
			"Policies": []any{m{"PolicyName": "tls", "PolicyType": "SSLNegotiationPolicyType", "Attributes": []any{m{"Name": "Reference-Security-Policy", "Value": "ELBSecurityPolicy-TLS-1-2-2017-01"}},
				"LoadBalancerPorts": []any{"443"}}},
		},
	})
	if l.cloud.count() != 0 {
		t.Errorf("%d interfaces are left", l.cloud.count())
	}
}
