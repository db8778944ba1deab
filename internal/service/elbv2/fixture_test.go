package elbv2_test

import (
	"context"
	"crypto/tls"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	ec2api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/lb"
	"github.com/hardstand/hardstand/internal/service/elbv2"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// gate refuses what it names and keeps what it was asked.
type gate struct {
	mu     sync.Mutex
	denied map[string]bool
	asked  []aws.Check
}

func (g *gate) Authorize(ctx context.Context, c aws.Check) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.denied[c.Action] {
		return wiretest.Denied(ctx, c)
	}
	if strings.HasPrefix(c.Action, "elasticloadbalancing:") {
		g.asked = append(g.asked, c)
	}
	return nil
}

// plane keeps what it is told.
type plane struct {
	mu      sync.Mutex
	specs   map[string]lb.Spec
	removed []string
	counts  map[string]lb.Counts
	broken  error
	bell    chan struct{} // rung by each call
}

func newPlane() *plane { return &plane{specs: map[string]lb.Spec{}, bell: make(chan struct{}, 1)} }

func (p *plane) ring() {
	select {
	case p.bell <- struct{}{}:
	default:
	}
}

func (p *plane) Apply(_ context.Context, s lb.Spec) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.ring()
	if p.broken != nil {
		return p.broken
	}
	p.specs[s.ID] = s
	return nil
}

func (p *plane) Remove(_ context.Context, id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.ring()
	delete(p.specs, id)
	p.removed = append(p.removed, id)
	return nil
}

func (p *plane) Counts(id string) (lb.Counts, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.counts[id]
	return c, ok
}

func (p *plane) spec(id string) lb.Spec {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.specs[id]
}

// shelf knows one certificate.
type shelf struct{}

const certificate = "arn:aws:iam::123456789012:server-certificate/site"

func (shelf) ServerCertificate(_ context.Context, name string) (tls.Certificate, error) {
	if !strings.HasPrefix(name, certificate) {
		return tls.Certificate{}, awserr.Status(404, "NoSuchEntity", "The Server Certificate with name x cannot be found.")
	}
	return tls.Certificate{Certificate: [][]byte{[]byte(name)}}, nil
}

type lab struct {
	*wiretest.Lab
	svc   *elbv2.Service
	gate  *gate
	cloud *cloud
	plane *plane
	board *board
}

func newLab(t testing.TB) *lab {
	t.Helper()
	g := &gate{denied: map[string]bool{}}
	l := &lab{Lab: wiretest.New(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), g), gate: g,
		cloud: &cloud{interfaces: map[string]*ec2api.NetworkInterface{}, tokens: map[string]made{}, states: map[string]string{"i-1": "running", "i-2": "running", "i-stopped": "stopped", "i-foreign": "running"}},
		plane: newPlane(), board: &board{values: map[string]float64{}}}
	l.serve(l.plane)
	return l
}

func (l *lab) serve(p elbv2.Plane) {
	l.T.Helper()
	l.svc = elbv2.New(elbv2.Config{DB: l.DB, Clock: l.Clock, Invoker: l.Server, Plane: p, Certificates: shelf{}})
	l.Register(l.svc.Wire(), l.cloud.service(), l.board.service())
}

// restart makes a service on the database, as a server does that was started again.
func (l *lab) restart() {
	l.Lab, l.plane = wiretest.On(l.T, l.Lab, l.gate), newPlane()
	l.serve(l.plane)
}

func (l *lab) run() (stop func()) { return wiretest.Run(l.T, l.svc.Run, context.Canceled) }

// until waits for something that events tell of, or what the plane is told.
func (l *lab) until(what string, done func() bool) {
	l.T.Helper()
	ctx, cancel := context.WithTimeout(l.Ctx, 10*time.Second)
	defer cancel()
	for {
		changed := l.DB.Changed(store.Filter{})
		if done() {
			return
		}
		select {
		case <-changed:
		case <-l.plane.bell:
		case <-ctx.Done():
			l.T.Fatalf("it does not come to be that %s", what)
		}
	}
}

func (l *lab) balancer(name string, edit ...func(*api.CreateLoadBalancerInput)) string {
	l.T.Helper()
	in := &api.CreateLoadBalancerInput{Name: &name, Subnets: []string{"subnet-a", "subnet-b"}}
	for _, f := range edit {
		f(in)
	}
	return *wiretest.Must[api.CreateLoadBalancerOutput](l, "CreateLoadBalancer", in).LoadBalancers[0].LoadBalancerArn
}

func network(in *api.CreateLoadBalancerInput) { in.Type, in.Subnets = "network", []string{"subnet-a"} }

func (l *lab) group(name string, edit ...func(*api.CreateTargetGroupInput)) string {
	l.T.Helper()
	in := &api.CreateTargetGroupInput{Name: &name, Protocol: "HTTP", Port: aws.Ptr[int32](80), VpcId: aws.Ptr("vpc-1")}
	for _, f := range edit {
		f(in)
	}
	return *wiretest.Must[api.CreateTargetGroupOutput](l, "CreateTargetGroup", in).TargetGroups[0].TargetGroupArn
}

func streams(in *api.CreateTargetGroupInput) { in.Protocol = "TCP" }

func forward(group string) []api.Action {
	return []api.Action{{Type: "forward", TargetGroupArn: &group}}
}

func fixed() []api.Action {
	return []api.Action{{Type: "fixed-response", FixedResponseConfig: &api.FixedResponseActionConfig{StatusCode: aws.Ptr("200")}}}
}

func (l *lab) listener(balancer string, protocol api.ProtocolEnum, port int32, actions []api.Action) string {
	l.T.Helper()
	in := &api.CreateListenerInput{LoadBalancerArn: &balancer, Protocol: protocol, Port: &port, DefaultActions: actions}
	if protocol == "HTTPS" || protocol == "TLS" {
		in.Certificates = []api.Certificate{{CertificateArn: aws.Ptr(certificate)}}
	}
	return *wiretest.Must[api.CreateListenerOutput](l, "CreateListener", in).Listeners[0].ListenerArn
}

func path(values ...string) []api.RuleCondition {
	return []api.RuleCondition{{Field: aws.Ptr("path-pattern"), PathPatternConfig: &api.PathPatternConditionConfig{Values: values}}}
}

func (l *lab) rule(listener string, priority int32, actions []api.Action) string {
	l.T.Helper()
	return *wiretest.Must[api.CreateRuleOutput](l, "CreateRule", &api.CreateRuleInput{ListenerArn: &listener, Priority: &priority, Conditions: path("/a"), Actions: actions}).Rules[0].RuleArn
}

func (l *lab) register(group string, ids ...string) {
	l.T.Helper()
	in := &api.RegisterTargetsInput{TargetGroupArn: &group}
	for _, id := range ids {
		in.Targets = append(in.Targets, api.TargetDescription{Id: &id})
	}
	wiretest.Must[api.RegisterTargetsOutput](l, "RegisterTargets", in)
}

// health is "state reason" of a target.
func (l *lab) health(group, id string) string {
	l.T.Helper()
	out := wiretest.Must[api.DescribeTargetHealthOutput](l, "DescribeTargetHealth", &api.DescribeTargetHealthInput{TargetGroupArn: &group, Targets: []api.TargetDescription{{Id: &id}}})
	h := out.TargetHealthDescriptions[0].TargetHealth
	return strings.TrimSpace(string(h.State) + " " + string(h.Reason))
}

func (l *lab) state(balancer string) string {
	l.T.Helper()
	b := wiretest.Must[api.DescribeLoadBalancersOutput](l, "DescribeLoadBalancers", &api.DescribeLoadBalancersInput{LoadBalancerArns: []string{balancer}}).LoadBalancers[0]
	return strings.TrimSpace(string(b.State.Code) + " " + aws.Val(b.State.Reason))
}
