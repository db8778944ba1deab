package elbv2_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/lb"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// addresses are where a balancer's name leads.
func (l *lab) addresses(balancer string) (out []string) {
	l.T.Helper()
	b := wiretest.Must[api.DescribeLoadBalancersOutput](l, "DescribeLoadBalancers", &api.DescribeLoadBalancersInput{LoadBalancerArns: []string{balancer}}).LoadBalancers[0]
	addrs, known, err := l.svc.Addresses(l.Ctx, strings.ToLower(*b.DNSName))
	if err != nil || !known {
		l.T.Fatalf("the name %s: %v, %v", *b.DNSName, known, err)
	}
	for _, a := range addrs {
		out = append(out, a.String())
	}
	return out
}

// A balancer gets an interface in each subnet, listens, moves, and leaves nothing.
func TestBalancerLives(t *testing.T) {
	l := newLab(t)
	l.run()
	b := l.balancer("app")
	group := l.group("web")
	listener := l.listener(b, "HTTP", 80, forward(group))
	l.rule(listener, 3, fixed())
	l.until("it is active", func() bool { return l.state(b) == "active" })
	l.until("the plane has its rule", func() bool { s := l.plane.spec(b); return len(s.Listeners) == 1 && len(s.Listeners[0].Rules) == 1 })
	s := l.plane.spec(b)
	if len(s.Nodes) != 2 || s.Nodes[0].Zone != "us-east-1a" || len(s.Groups) != 1 || s.Groups[0].ID != group || !s.Groups[0].CrossZone || s.Attributes.IdleTimeout != time.Minute || !s.Attributes.HTTP2 {
		t.Errorf("the plane was told %+v", s)
	}
	if got := l.addresses(b); !slices.Equal(got, []string{"198.18.0.1", "198.18.0.1"}) {
		t.Errorf("its name leads to %v", got)
	}
	first := s.Nodes[0].ID
	wiretest.Must[api.SetSubnetsOutput](l, "SetSubnets", &api.SetSubnetsInput{LoadBalancerArn: &b, Subnets: []string{"subnet-a", "subnet-c"}})
	l.until("it has moved", func() bool { s := l.plane.spec(b); return len(s.Nodes) == 2 && s.Nodes[1].Zone == "us-east-1c" })
	if got := l.plane.spec(b).Nodes[0].ID; got != first {
		t.Errorf("the node that stays is %s, was %s", got, first)
	}
	l.until("the old interface is gone", func() bool { return l.cloud.there() == 2 })
	wiretest.Must[api.SetSecurityGroupsOutput](l, "SetSecurityGroups", &api.SetSecurityGroupsInput{LoadBalancerArn: &b, SecurityGroups: []string{"sg-2"}})
	l.until("the interfaces have the group", func() bool {
		l.cloud.mu.Lock()
		defer l.cloud.mu.Unlock()
		n := l.cloud.interfaces[first]
		return len(n.Groups) == 1 && *n.Groups[0].GroupId == "sg-2"
	})
	wiretest.Must[api.DeleteLoadBalancerOutput](l, "DeleteLoadBalancer", &api.DeleteLoadBalancerInput{LoadBalancerArn: &b})
	l.until("nothing is left", func() bool { return l.cloud.there() == 0 })
	wiretest.Must[api.DeleteLoadBalancerOutput](l, "DeleteLoadBalancer", &api.DeleteLoadBalancerInput{LoadBalancerArn: &b})
	if got := l.plane.spec(b); got.ID != "" {
		t.Errorf("the plane still runs %+v", got)
	}
}

// A network balancer takes the addresses that it was given.
func TestGivenAddresses(t *testing.T) {
	l := newLab(t)
	l.run()
	outer := l.balancer("outer", network, func(in *api.CreateLoadBalancerInput) {
		in.Subnets, in.SubnetMappings = nil, []api.SubnetMapping{{SubnetId: aws.Ptr("subnet-a"), AllocationId: aws.Ptr("eipalloc-1")}}
	})
	inner := l.balancer("inner", network, func(in *api.CreateLoadBalancerInput) {
		in.Scheme, in.Subnets, in.SubnetMappings = "internal", nil, []api.SubnetMapping{{SubnetId: aws.Ptr("subnet-a"), PrivateIPv4Address: aws.Ptr("10.0.1.77")}}
	})
	l.until("both are active", func() bool { return l.state(outer) == "active" && l.state(inner) == "active" })
	if got := l.addresses(outer); !slices.Equal(got, []string{"198.18.0.9"}) {
		t.Errorf("the outer one is at %v", got)
	}
	again := func(in *api.CreateLoadBalancerInput) {
		in.Type, in.Subnets, in.SubnetMappings = "network", nil, []api.SubnetMapping{{SubnetId: aws.Ptr("subnet-a"), AllocationId: aws.Ptr("eipalloc-1")}}
	}
	if got := l.balancer("outer", again); got != outer {
		t.Errorf("the same call again made %s", got)
	}
	wiretest.Must[api.SetSubnetsOutput](l, "SetSubnets", &api.SetSubnetsInput{LoadBalancerArn: &outer,
		SubnetMappings: []api.SubnetMapping{{SubnetId: aws.Ptr("subnet-a"), AllocationId: aws.Ptr("eipalloc-1")}, {SubnetId: aws.Ptr("subnet-b")}}})
	if got := l.addresses(inner); !slices.Equal(got, []string{"10.0.1.77"}) {
		t.Errorf("the inner one is at %v", got)
	}
}

// What cannot be made is a failure with a reason, and is tried again.
func TestFailureHasAReason(t *testing.T) {
	l := newLab(t)
	l.cloud.broken = awserr.New("InsufficientFreeAddressesInSubnet", "There are not enough free addresses in subnet 'subnet-a'.")
	l.run()
	b := l.balancer("app")
	l.until("it has failed", func() bool { return l.state(b) == "failed There are not enough free addresses in subnet 'subnet-a'." })
	l.cloud.mu.Lock()
	l.cloud.broken = nil
	l.cloud.mu.Unlock()
	l.until("it works when there are some again", func() bool { l.Clock.Advance(5 * time.Second); l.plane.ring(); return l.state(b) == "active" })
	l.plane.mu.Lock()
	l.plane.broken = errors.New("listen on port 80: address already in use")
	l.plane.mu.Unlock()
	l.listener(b, "HTTP", 80, fixed())
	l.until("it is impaired", func() bool { return l.state(b) == "active_impaired Listen on port 80: address already in use" })
}

// An interface whose making was not written down, for a crash say, is found again,
// though the balancer's groups have changed since.
func TestInterfaceIsFoundAgain(t *testing.T) {
	l := newLab(t)
	l.cloud.lost = errors.New("connection reset by peer")
	l.run()
	b := l.balancer("app")
	l.until("it has failed", func() bool { return strings.HasPrefix(l.state(b), "failed") })
	wiretest.Must[api.SetSecurityGroupsOutput](l, "SetSecurityGroups", &api.SetSecurityGroupsInput{LoadBalancerArn: &b, SecurityGroups: []string{"sg-2"}})
	l.until("it works", func() bool { return l.state(b) == "active" })
	l.until("all interfaces have the group", func() bool {
		l.cloud.mu.Lock()
		defer l.cloud.mu.Unlock()
		for _, n := range l.cloud.interfaces {
			if len(n.Groups) != 1 || *n.Groups[0].GroupId != "sg-2" {
				return false
			}
		}
		return len(l.cloud.interfaces) == 2
	})
}

// An interface without the address that it needs goes with its balancer all the same.
func TestFailureLeavesNothingBehind(t *testing.T) {
	l := newLab(t)
	l.cloud.private = awserr.New("AddressLimitExceeded", "The maximum number of addresses has been reached.")
	l.run()
	b := l.balancer("app")
	l.until("it has failed", func() bool { return l.state(b) == "failed The maximum number of addresses has been reached." })
	wiretest.Must[api.DeleteLoadBalancerOutput](l, "DeleteLoadBalancer", &api.DeleteLoadBalancerInput{LoadBalancerArn: &b})
	l.until("its interfaces are gone", func() bool { return l.cloud.there() == 0 })
}

// Targets go through their states: unused, initial, what the plane finds, draining.
func TestTargetStates(t *testing.T) {
	l := newLab(t)
	stop := l.run()
	b, group := l.balancer("app"), l.group("web")
	l.register(group, "i-1", "i-2")
	if got := l.health(group, "i-1"); got != "unused Target.NotInUse" {
		t.Errorf("without a listener it is %s", got)
	}
	listener := l.listener(b, "HTTP", 80, forward(group))
	if got := l.health(group, "i-1"); got != "initial Elb.RegistrationInProgress" {
		t.Errorf("with a listener it is %s", got)
	}
	l.until("the plane has the targets", func() bool { s := l.plane.spec(b); return len(s.Groups) == 1 && len(s.Groups[0].Targets) == 2 })
	report := func(id string, state lb.State, reason string) {
		l.plane.spec(b).Report(lb.Change{Balancer: b, Group: group, Target: lb.Key{TargetID: id, Port: 80}, Health: lb.Health{State: state, Reason: reason, Description: "d"}})
	}
	report("i-1", lb.Healthy, "")
	report("i-2", lb.Unhealthy, "Target.Timeout")
	l.plane.spec(b).Report(lb.Change{Balancer: b, Group: group, Target: lb.Key{TargetID: "i-1", Port: 80}, Idle: true}) // says nothing of its health
	if a, b := l.health(group, "i-1"), l.health(group, "i-2"); a != "healthy" || b != "unhealthy Target.Timeout" {
		t.Errorf("they are %s and %s", a, b)
	}

	stop() // the next server begins with what this one knew
	l.restart()
	l.run()
	l.until("the next plane knows them", func() bool {
		s := l.plane.spec(b)
		return len(s.Groups) == 1 && len(s.Groups[0].Targets) == 2 && s.Groups[0].Targets[0].Known == lb.Healthy
	})

	wiretest.Must[api.DeregisterTargetsOutput](l, "DeregisterTargets", &api.DeregisterTargetsInput{TargetGroupArn: &group, Targets: []api.TargetDescription{{Id: aws.Ptr("i-1")}, {Id: aws.Ptr("i-nobody")}}})
	if got := l.health(group, "i-1"); got != "draining Target.DeregistrationInProgress" {
		t.Errorf("deregistered it is %s", got)
	}
	l.until("it drains", func() bool {
		s := l.plane.spec(b)
		return len(s.Groups[0].Targets) == 2 && s.Groups[0].Targets[0].Draining
	})
	l.until("it is forgotten", func() bool {
		l.Clock.Advance(5 * time.Minute)
		l.plane.ring()
		return l.health(group, "i-1") == "unused Target.NotRegistered"
	})

	l.instance("i-2", "stopping")
	l.until("it is unused", func() bool { return l.health(group, "i-2") == "unused Target.InvalidState" })
	l.instance("i-2", "running")
	l.until("it is new again", func() bool { return l.health(group, "i-2") == "initial Elb.RegistrationInProgress" })
	l.instance("i-2", "terminated")
	l.until("it is deregistered", func() bool { return l.health(group, "i-2") == "unused Target.NotRegistered" })

	l.register(group, "i-1")
	wiretest.Must[api.DeleteListenerOutput](l, "DeleteListener", &api.DeleteListenerInput{ListenerArn: &listener})
	if got := l.health(group, "i-1"); got != "unused Target.NotInUse" {
		t.Errorf("without its listener it is %s", got)
	}
}

// instance tells that an instance has another state, as EC2 does.
func (l *lab) instance(id, state string) {
	l.T.Helper()
	err := l.DB.Update(l.Ctx, func(tx *store.Tx) error {
		tx.Emit(store.Event{Account: wiretest.Account, Region: wiretest.Region, Service: "ec2", Resource: id, Kind: "instance-" + state})
		return nil
	})
	if err != nil {
		l.T.Fatal(err)
	}
}

// A server that was away asks what has become of the instances.
func TestInstancesAreCaughtUpWith(t *testing.T) {
	l := newLab(t)
	group := l.group("web")
	l.register(group, "i-1", "i-2")
	l.cloud.states = map[string]string{"i-1": "stopped"}
	l.run()
	l.until("both are known", func() bool {
		return l.health(group, "i-1") == "unused Target.InvalidState" && l.health(group, "i-2") == "unused Target.NotRegistered"
	})
}

// Where nothing carries traffic, no target is ever called healthy.
func TestWithoutAPlane(t *testing.T) {
	l := newLab(t)
	l.Lab = wiretest.On(t, l.Lab, l.gate)
	l.serve(nil)
	l.run()
	b, group := l.balancer("app"), l.group("web")
	l.register(group, "i-1")
	l.listener(b, "HTTP", 80, forward(group))
	l.until("it is active", func() bool { return l.state(b) == "active" })
	if got := l.health(group, "i-1"); got != "unavailable Elb.InternalError" {
		t.Errorf("the target is %s", got)
	}
	wiretest.Must[api.DeregisterTargetsOutput](l, "DeregisterTargets", &api.DeregisterTargetsInput{TargetGroupArn: &group, Targets: []api.TargetDescription{{Id: aws.Ptr("i-1")}}})
	if got := l.health(group, "i-1"); got != "unused Target.NotRegistered" {
		t.Errorf("deregistered it is %s", got)
	}
}

func TestTargetRefusals(t *testing.T) {
	l := newLab(t)
	web, ips := l.group("web"), l.group("ips", func(in *api.CreateTargetGroupInput) { in.TargetType = "ip" })
	albs := l.group("albs", streams, func(in *api.CreateTargetGroupInput) { in.TargetType = "alb" })
	alb, nlb := l.balancer("app"), l.balancer("net", network)
	one := func(group, id string, edit ...func(*api.TargetDescription)) *api.RegisterTargetsInput {
		d := api.TargetDescription{Id: &id}
		for _, f := range edit {
			f(&d)
		}
		return &api.RegisterTargetsInput{TargetGroupArn: &group, Targets: []api.TargetDescription{d}}
	}
	zone := func(z string) func(*api.TargetDescription) {
		return func(d *api.TargetDescription) { d.AvailabilityZone = &z }
	}
	const op = "RegisterTargets"
	l.refuse(t, []refusal{
		{"none", op, "ValidationError", "", &api.RegisterTargetsInput{TargetGroupArn: &web, Targets: []api.TargetDescription{}}},
		{"address as instance", op, "ValidationError", "Instance ID '10.0.1.1' is not valid", one(web, "10.0.1.1")},
		{"lost instance", op, "InvalidTarget", "", one(web, "i-lost")},
		{"stopped", op, "InvalidTarget", "The following targets are not in a running state and cannot be registered: 'i-stopped'", one(web, "i-stopped")},
		{"other VPC", op, "InvalidTarget", "The following targets are not in the target group VPC 'vpc-1': 'i-foreign'", one(web, "i-foreign")},
		{"zone of an instance", op, "ValidationError", "", one(web, "i-1", zone("us-east-1a"))},
		{"QUIC", op, "NotImplemented", "", one(web, "i-1", func(d *api.TargetDescription) { d.QuicServerId = aws.Ptr("0x0123456789abcdef") })},
		{"no address", op, "ValidationError", "The IP address 'x' is not a valid IPv4 address", one(ips, "x")},
		{"public address", op, "ValidationError", "", one(ips, "8.8.8.8")},
		{"address outside", op, "ValidationError", "The Availability Zone is required for IP address '10.9.9.9' because it is not in the VPC", one(ips, "10.9.9.9")},
		{"zone of an address outside", op, "ValidationError", "", one(ips, "10.9.9.9", zone("us-east-1a"))},
		{"wrong zone", op, "ValidationError", "", one(ips, "10.0.1.1", zone("us-east-1b"))},
		{"balancer without the port", op, "ValidationError", "If the target type is ALB, the target must have at least one listener that matches the target group port or any specified port overrides", one(albs, alb)},
		{"network balancer", op, "InvalidTarget", "", one(albs, nlb)},
		{"no balancer", op, "ValidationError", "'x' is not a valid load balancer ARN", one(albs, "x")},
		{"lost group", op, "TargetGroupNotFound", "", one(web[:len(web)-4]+"ffff", "i-1")},
		{"included", "DescribeTargetHealth", "NotImplemented", "hardstand does not implement the detection of anomalies (Include).",
			&api.DescribeTargetHealthInput{TargetGroupArn: &web, Include: []api.DescribeTargetHealthInputIncludeEnum{"AnomalyDetection"}}},
	})
	l.listener(alb, "HTTP", 80, fixed())
	l.register(albs, alb)
	l.refuse(t, []refusal{{"balancer in use", "DeleteLoadBalancer", "ResourceInUse", "", &api.DeleteLoadBalancerInput{LoadBalancerArn: &alb}}})
	wiretest.Must[api.RegisterTargetsOutput](l, op, one(ips, "10.9.9.9", zone("all")))
}
