package elb_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	api "github.com/hardstand/hardstand/internal/aws/api/elb"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/lb"
	"github.com/hardstand/hardstand/internal/service/elb"
	"github.com/hardstand/hardstand/internal/wire"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

const certificate = "arn:aws:iam::" + wiretest.Account + ":server-certificate/site"

// lab is the service on a cloud of two zones and a plane that only listens.
type lab struct {
	*wiretest.Lab
	svc   *elb.Service
	cloud *cloud
	plane *plane
}

func newLab(t testing.TB, g wire.Authorizer) *lab {
	t.Helper()
	l := &lab{Lab: wiretest.New(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), g), plane: &plane{specs: map[string]lb.Spec{}, applied: make(chan struct{}, 1)}}
	l.cloud = &cloud{instances: map[string]*ec2.Instance{}, interfaces: map[string]*ec2.NetworkInterface{}}
	l.serve()
	return l
}

// restart makes a service on what the last one stored.
func (l *lab) restart() {
	l.Lab = wiretest.On(l.T, l.Lab, wiretest.Gate{})
	l.plane.specs = map[string]lb.Spec{}
	l.serve()
}

func (l *lab) serve() {
	l.T.Helper()
	l.svc = elb.New(elb.Config{DB: l.DB, Clock: l.Clock, Invoker: both{l.cloud, l.Server}, Plane: l.plane, Certificates: certificates{}})
	l.Register(l.svc.Wire())
}

// both sends EC2's operations to the cloud and all others to the server.
type both struct {
	cloud  *cloud
	server *wire.Server
}

func (b both) Invoke(ctx context.Context, service, operation string, in any) (any, error) {
	if service == "ec2" {
		return b.cloud.invoke(ctx, operation, in)
	}
	return b.server.Invoke(ctx, service, operation, in)
}

type certificates struct{}

func (certificates) ServerCertificate(_ context.Context, arn string) (tls.Certificate, error) {
	if arn != certificate {
		return tls.Certificate{}, awserr.New("NoSuchEntity", "no")
	}
	return tls.Certificate{Certificate: [][]byte{[]byte("der")}}, nil
}

// plane remembers the last spec of each balancer.
type plane struct {
	mu    sync.Mutex
	specs map[string]lb.Spec
	busy  map[string]bool
	// applied is told of each Apply and Remove.
	applied chan struct{}
}

func (p *plane) Apply(_ context.Context, spec lb.Spec) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.specs[spec.ID] = spec
	p.tell()
	return nil
}

func (p *plane) tell() {
	select {
	case p.applied <- struct{}{}:
	default:
	}
}

func (p *plane) Remove(_ context.Context, id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.specs, id)
	p.tell()
	return nil
}

func (p *plane) Busy(_, target string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.busy[target]
}

func (p *plane) setBusy(target string, busy bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy = map[string]bool{target: busy}
}

func (p *plane) spec(name string) (lb.Spec, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.specs["arn:aws:elasticloadbalancing:us-east-1:"+wiretest.Account+":loadbalancer/"+name]
	return s, ok
}

// group is a group of a balancer's spec.
func (l *lab) group(name, id string) lb.TargetGroup {
	l.T.Helper()
	s, _ := l.plane.spec(name)
	i := slices.IndexFunc(s.Groups, func(g lb.TargetGroup) bool { return g.ID == id })
	if i < 0 {
		l.T.Fatalf("no group %s in %+v", id, s.Groups)
	}
	return s.Groups[i]
}

// until waits for a condition that the plane's specs are about.
func (l *lab) until(what string, holds func() bool) {
	l.T.Helper()
	for deadline := time.After(10 * time.Second); !holds(); {
		select {
		case <-l.plane.applied:
		case <-deadline:
			l.T.Fatalf("not %s: %+v", what, l.plane.specs)
		}
	}
}

// run has the service work in the background.
func (l *lab) run() {
	l.T.Helper()
	wiretest.Run(l.T, l.svc.Run, context.Canceled)
}

// report is the plane's word about an instance.
func (l *lab) report(name, id string, state lb.State, reason string) {
	l.T.Helper()
	s, ok := l.plane.spec(name)
	if !ok {
		l.T.Fatalf("no spec of %s", name)
	}
	s.Report(lb.Change{Balancer: s.ID, Group: "instances", Target: lb.Key{TargetID: id}, Health: lb.Health{State: state, Reason: reason}})
}

// cloud is as much of EC2 as load balancers ask for: a VPC with two default subnets and
// another VPC without a gateway.
type cloud struct {
	mu         sync.Mutex
	instances  map[string]*ec2.Instance
	interfaces map[string]*ec2.NetworkInterface
	fail       error // of calls that make interfaces
	made       int
}

const otherSubnet = "subnet-other"

var subnets = []ec2.Subnet{
	{SubnetId: aws.Ptr("subnet-a"), AvailabilityZone: aws.Ptr("us-east-1a"), VpcId: aws.Ptr("vpc-1"), DefaultForAz: aws.Ptr(true)},
	{SubnetId: aws.Ptr("subnet-b"), AvailabilityZone: aws.Ptr("us-east-1b"), VpcId: aws.Ptr("vpc-1"), DefaultForAz: aws.Ptr(true)},
	{SubnetId: aws.Ptr("subnet-a2"), AvailabilityZone: aws.Ptr("us-east-1a"), VpcId: aws.Ptr("vpc-1"), DefaultForAz: aws.Ptr(false)},
	{SubnetId: aws.Ptr(otherSubnet), AvailabilityZone: aws.Ptr("us-east-1a"), VpcId: aws.Ptr("vpc-2"), DefaultForAz: aws.Ptr(false)},
}

var groups = []ec2.SecurityGroup{
	{GroupId: aws.Ptr("sg-default"), GroupName: aws.Ptr("default"), VpcId: aws.Ptr("vpc-1")},
	{GroupId: aws.Ptr("sg-web"), GroupName: aws.Ptr("web"), VpcId: aws.Ptr("vpc-1")},
	{GroupId: aws.Ptr("sg-other"), GroupName: aws.Ptr("default"), VpcId: aws.Ptr("vpc-2")},
}

// instance puts an instance into the cloud.
func (c *cloud) instance(id, zone, vpc, state string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.instances[id] = &ec2.Instance{InstanceId: &id, VpcId: &vpc, PrivateIpAddress: aws.Ptr("10.0.0." + fmt.Sprint(len(c.instances)+1)),
		Placement: &ec2.Placement{AvailabilityZone: &zone}, State: &ec2.InstanceState{Name: ec2.InstanceStateName(state)}}
}

func (c *cloud) setState(id, state string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.instances[id].State = &ec2.InstanceState{Name: ec2.InstanceStateName(state)}
}

// count is how many interfaces there are.
func (c *cloud) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.interfaces)
}

// passes says whether a value is among those of a filter, if there is one.
func passes(filters []ec2.Filter, name string, value *string) bool {
	for _, f := range filters {
		if *f.Name == name && !slices.Contains(f.Values, aws.Val(value)) {
			return false
		}
	}
	return true
}

func (c *cloud) invoke(ctx context.Context, operation string, in any) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if who := aws.CallFrom(ctx); who.Principal.Service != "elasticloadbalancing.amazonaws.com" || !strings.Contains(who.SourceARN, ":loadbalancer/") {
		return nil, fmt.Errorf("%s is called by %+v", operation, who.Principal)
	}
	switch in := in.(type) {
	case *ec2.DescribeSubnetsInput:
		out := &ec2.DescribeSubnetsOutput{}
		for _, s := range subnets {
			if passes(in.Filters, "subnet-id", s.SubnetId) && passes(in.Filters, "default-for-az", aws.Ptr(fmt.Sprint(*s.DefaultForAz))) {
				out.Subnets = append(out.Subnets, s)
			}
		}
		return out, nil
	case *ec2.DescribeSecurityGroupsInput:
		out := &ec2.DescribeSecurityGroupsOutput{}
		for _, g := range groups {
			if passes(in.Filters, "group-id", g.GroupId) && passes(in.Filters, "group-name", g.GroupName) && passes(in.Filters, "vpc-id", g.VpcId) {
				out.SecurityGroups = append(out.SecurityGroups, g)
			}
		}
		return out, nil
	case *ec2.DescribeInternetGatewaysInput:
		out := &ec2.DescribeInternetGatewaysOutput{}
		if passes(in.Filters, "attachment.vpc-id", aws.Ptr("vpc-1")) {
			out.InternetGateways = []ec2.InternetGateway{{}}
		}
		return out, nil
	case *ec2.DescribeInstancesInput:
		var list []ec2.Instance
		for _, i := range c.instances {
			if passes(in.Filters, "instance-id", i.InstanceId) {
				list = append(list, *i)
			}
		}
		return &ec2.DescribeInstancesOutput{Reservations: []ec2.Reservation{{Instances: list}}}, nil
	}
	return c.invokeInterface(operation, in)
}

// invokeInterface is what is about interfaces. The caller holds c.mu.
func (c *cloud) invokeInterface(operation string, in any) (any, error) {
	gone := awserr.New("InvalidNetworkInterfaceID.NotFound", "no")
	switch in := in.(type) {
	case *ec2.CreateNetworkInterfaceInput:
		if c.fail != nil {
			return nil, c.fail
		}
		for _, i := range c.interfaces {
			if *i.Description == *in.ClientToken {
				return &ec2.CreateNetworkInterfaceOutput{NetworkInterface: i}, nil
			}
		}
		c.made++
		i := &ec2.NetworkInterface{NetworkInterfaceId: aws.Ptr(fmt.Sprintf("eni-%d", c.made)), SubnetId: in.SubnetId, Description: in.ClientToken,
			PrivateIpAddress: aws.Ptr(fmt.Sprintf("10.0.1.%d", c.made)), Groups: identifiers(in.Groups)}
		c.interfaces[*i.NetworkInterfaceId] = i
		return &ec2.CreateNetworkInterfaceOutput{NetworkInterface: i}, nil
	case *ec2.ModifyNetworkInterfaceAttributeInput:
		i := c.interfaces[*in.NetworkInterfaceId]
		if i == nil {
			return nil, gone
		}
		if in.AssociatePublicIpAddress != nil {
			i.Association = &ec2.NetworkInterfaceAssociation{PublicIp: aws.Ptr("198.51.100." + strings.TrimPrefix(*i.NetworkInterfaceId, "eni-"))}
		}
		if in.Groups != nil {
			i.Groups = identifiers(in.Groups)
		}
		return &ec2.ModifyNetworkInterfaceAttributeOutput{}, nil
	case *ec2.DescribeNetworkInterfacesInput:
		i := c.interfaces[in.NetworkInterfaceIds[0]]
		if i == nil {
			return nil, gone
		}
		return &ec2.DescribeNetworkInterfacesOutput{NetworkInterfaces: []ec2.NetworkInterface{*i}}, nil
	case *ec2.DeleteNetworkInterfaceInput:
		if c.interfaces[*in.NetworkInterfaceId] == nil {
			return nil, gone
		}
		delete(c.interfaces, *in.NetworkInterfaceId)
		return &ec2.DeleteNetworkInterfaceOutput{}, nil
	}
	return nil, errors.New("the cloud knows no " + operation)
}

func identifiers(ids []string) (out []ec2.GroupIdentifier) {
	for _, id := range ids {
		out = append(out, ec2.GroupIdentifier{GroupId: aws.Ptr(id)})
	}
	return out
}

var web = api.Listener{Protocol: aws.Ptr("http"), LoadBalancerPort: aws.Ptr[int32](80), InstancePort: aws.Ptr[int32](8080)}

// balancer makes a balancer in both zones.
func (l *lab) balancer(name string, listeners ...api.Listener) {
	l.T.Helper()
	if len(listeners) == 0 {
		listeners = []api.Listener{web}
	}
	wiretest.Must[api.CreateLoadBalancerOutput](l, "CreateLoadBalancer", &api.CreateLoadBalancerInput{LoadBalancerName: &name, Listeners: listeners,
		AvailabilityZones: []string{"us-east-1a", "us-east-1b"}})
}

// register registers instances that are there.
func (l *lab) register(name string, ids ...string) {
	l.T.Helper()
	wiretest.Must[api.RegisterInstancesWithLoadBalancerOutput](l, "RegisterInstancesWithLoadBalancer",
		&api.RegisterInstancesWithLoadBalancerInput{LoadBalancerName: &name, Instances: apiInstances(ids)})
}

func apiInstances(ids []string) (out []api.Instance) {
	for _, id := range ids {
		out = append(out, api.Instance{InstanceId: aws.Ptr(id)})
	}
	return out
}

func (l *lab) describe(name string) api.LoadBalancerDescription {
	l.T.Helper()
	return wiretest.Must[api.DescribeLoadBalancersOutput](l, "DescribeLoadBalancers", &api.DescribeLoadBalancersInput{LoadBalancerNames: []string{name}}).LoadBalancerDescriptions[0]
}

// health is what DescribeInstanceHealth says of an instance.
func (l *lab) health(name, id string) string {
	l.T.Helper()
	out := wiretest.Must[api.DescribeInstanceHealthOutput](l, "DescribeInstanceHealth", &api.DescribeInstanceHealthInput{LoadBalancerName: &name, Instances: apiInstances([]string{id})})
	if len(out.InstanceStates) == 0 {
		return ""
	}
	s := out.InstanceStates[0]
	return *s.State + " " + *s.ReasonCode + " " + *s.Description
}
