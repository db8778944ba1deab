package elb_test

import (
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elb"
	"github.com/hardstand/hardstand/internal/lb"
	"github.com/hardstand/hardstand/internal/service/elb"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// TestHealthInAWSsWords: what DescribeInstanceHealth says in each state.
func TestHealthInAWSsWords(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	for id, state := range map[string]string{"i-run": "running", "i-new": "pending", "i-halt": "stopped", "i-end": "terminated", "i-free": "running"} {
		l.cloud.instance(id, "us-east-1a", "vpc-1", state)
	}
	l.cloud.instance("i-far", "us-east-1c", "vpc-1", "running")
	l.balancer("lb")
	l.register("lb", "i-run", "i-new", "i-halt", "i-far")
	for id, want := range map[string]string{
		"i-run":  "OutOfService ELB Instance registration is still in progress.",
		"i-new":  "OutOfService Instance Instance is in pending state.",
		"i-halt": "OutOfService Instance Instance is in stopped state.",
		"i-far":  "OutOfService ELB Instance is in the EC2 Availability Zone for which LoadBalancer is not configured to route traffic to.",
		"i-free": "OutOfService Instance Instance is not currently registered with the LoadBalancer.",
		"i-end":  "",
	} {
		if got := l.health("lb", id); got != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
	for _, step := range []struct {
		state  lb.State
		reason string
		want   string
	}{
		{lb.Initial, "Elb.InitialHealthChecking", "OutOfService Instance Instance has not passed the configured HealthyThreshold number of health checks consecutively."},
		{lb.Healthy, "", "InService N/A N/A"},
		{lb.Unhealthy, "Target.Timeout", "OutOfService Instance Instance has failed at least the UnhealthyThreshold number of health checks consecutively."},
	} {
		l.report("lb", "i-run", step.state, step.reason)
		if got := l.health("lb", "i-run"); got != step.want {
			t.Errorf("%s: %q, want %q", step.state, got, step.want)
		}
	}
	if got := l.group("lb", "port/80").Targets; got[0].Unused || !got[1].Unused || !got[2].Unused || !got[3].Unused {
		t.Errorf("targets %+v", got)
	}
}

// TestEvents: others wait for them, with the row.
func TestEvents(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.cloud.instance("i-1", "us-east-1a", "vpc-1", "running")
	l.balancer("lb")
	l.register("lb", "i-1")
	l.report("lb", "i-1", lb.Healthy, "")
	l.report("lb", "i-1", lb.Healthy, "")
	wiretest.Must[api.DeregisterInstancesFromLoadBalancerOutput](l, "DeregisterInstancesFromLoadBalancer", &api.DeregisterInstancesFromLoadBalancerInput{LoadBalancerName: aws.Ptr("lb"), Instances: apiInstances([]string{"i-1"})})
	var got []string
	for e, err := range l.DB.Watch(t.Context(), 0, store.Filter{Service: "elasticloadbalancing", Resource: "lb", Kind: "health"}) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, e.Cause); len(got) == 3 {
			break
		}
	}
	for i, want := range []string{"i-1 OutOfService", "i-1 InService", "i-1 deregistered"} {
		if got[i] != want {
			t.Errorf("events %q", got)
		}
	}
}

// TestFollowing: what happens to instances in EC2 reaches the balancer.
func TestFollowing(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	for _, id := range []string{"i-1", "i-2"} {
		l.cloud.instance(id, "us-east-1a", "vpc-1", "running")
	}
	l.balancer("lb")
	l.register("lb", "i-1", "i-2")
	l.report("lb", "i-1", lb.Healthy, "")
	l.run()
	l.Clock.Advance(time.Second)
	l.cloud.setState("i-1", "stopped")
	l.cloud.setState("i-2", "terminated")
	l.changed("ec2")
	l.until("rid of the terminated instance", func() bool {
		targets := l.group("lb", "instances").Targets
		return len(targets) == 1 && targets[0].TargetID == "i-1" && targets[0].Unused
	})
	l.cloud.setState("i-1", "running")
	l.changed("ec2")
	l.until("back", func() bool {
		targets := l.group("lb", "instances").Targets
		return len(targets) == 1 && !targets[0].Unused && targets[0].Known == ""
	})
}

// changed commits an event of a service.
func (l *lab) changed(service string) {
	l.T.Helper()
	err := l.DB.Update(l.T.Context(), func(tx *store.Tx) error {
		tx.Emit(store.Event{Account: wiretest.Account, Region: wiretest.Region, Service: service, Kind: "test"})
		return nil
	})
	if err != nil {
		l.T.Fatal(err)
	}
}

// TestDraining: an instance with something under way stays until that ends, or for the
// time that is set; one without goes at once.
func TestDraining(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(l *lab)
	}{
		{"ends by itself", func(l *lab) {
			l.plane.setBusy("i-1", false)
			s, _ := l.plane.spec("lb")
			s.Report(lb.Change{Balancer: s.ID, Group: "port/80", Target: lb.Key{TargetID: "i-1", Port: 8080}, Idle: true})
		}},
		{"ends by time", func(l *lab) {
			if err := l.Clock.BlockUntil(l.T.Context(), 1); err != nil {
				l.T.Fatal(err)
			}
			l.Clock.Advance(20 * time.Second)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, wiretest.Gate{})
			l.cloud.instance("i-1", "us-east-1a", "vpc-1", "running")
			l.cloud.instance("i-2", "us-east-1a", "vpc-1", "running")
			l.balancer("lb")
			wiretest.Must[api.ModifyLoadBalancerAttributesOutput](l, "ModifyLoadBalancerAttributes", &api.ModifyLoadBalancerAttributesInput{LoadBalancerName: aws.Ptr("lb"),
				LoadBalancerAttributes: &api.LoadBalancerAttributes{ConnectionDraining: &api.ConnectionDraining{Enabled: aws.Ptr(true), Timeout: aws.Ptr[int32](20)}}})
			l.register("lb", "i-1", "i-2")
			l.report("lb", "i-1", lb.Healthy, "")
			l.report("lb", "i-2", lb.Healthy, "")
			l.plane.setBusy("i-1", true)
			out := wiretest.Must[api.DeregisterInstancesFromLoadBalancerOutput](l, "DeregisterInstancesFromLoadBalancer",
				&api.DeregisterInstancesFromLoadBalancerInput{LoadBalancerName: aws.Ptr("lb"), Instances: apiInstances([]string{"i-1", "i-2"})})
			if len(out.Instances) != 0 || len(l.describe("lb").Instances) != 0 {
				t.Errorf("registered %+v", out.Instances)
			}
			if got, want := l.health("lb", "i-1"), "InService N/A Instance deregistration currently in progress."; got != want {
				t.Errorf("%q, want %q", got, want)
			}
			if targets := l.group("lb", "port/80").Targets; len(targets) != 1 || !targets[0].Draining {
				t.Errorf("targets %+v", targets)
			}
			l.run()
			c.end(l)
			l.until("drained", func() bool { return len(l.group("lb", "port/80").Targets) == 0 })
			if got, want := l.health("lb", "i-1"), "OutOfService Instance Instance is not currently registered with the LoadBalancer."; got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// TestWithoutPlane: the fake driver's balancers are rows, and nothing is healthy.
func TestWithoutPlane(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.Lab = wiretest.On(t, l.Lab, wiretest.Gate{})
	l.svc = elb.New(elb.Config{DB: l.DB, Clock: l.Clock, Invoker: both{l.cloud, l.Server}, Certificates: certificates{}})
	l.Register(l.svc.Wire())
	l.cloud.instance("i-1", "us-east-1a", "vpc-1", "running")
	l.balancer("lb")
	l.register("lb", "i-1")
	if got, want := l.health("lb", "i-1"), "Unknown ELB The fake driver carries no traffic and checks no instance."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if l.cloud.count() != 2 {
		t.Errorf("%d interfaces", l.cloud.count())
	}
}
