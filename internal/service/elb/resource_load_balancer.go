package elb

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elb"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/wire"
)

// Resources returns the resource types that templates may use.
func (s *Service) Resources() stack.Registry {
	return stack.Registry{"AWS::ElasticLoadBalancing::LoadBalancer": resourceLoadBalancer{s.cfg.Invoker}}
}

// resourceLoadBalancer is AWS::ElasticLoadBalancing::LoadBalancer. Its physical id is
// the name.
type resourceLoadBalancer struct{ inv Invoker }

type balancerProperties struct {
	AccessLoggingPolicy       *accessLogProperties
	AppCookieStickinessPolicy []appCookieProperties
	AvailabilityZones         []string `cfn:",conditional"`
	ConnectionDrainingPolicy  *drainingProperties
	ConnectionSettings        *settingsProperties
	CrossZone                 *bool
	HealthCheck               *checkProperties `cfn:",conditional"`
	Instances                 []string
	LBCookieStickinessPolicy  []lbCookieProperties
	Listeners                 []listenerProperties `cfn:",required"`
	LoadBalancerName          *string
	Policies                  []policyProperties
	Scheme                    *string
	SecurityGroups            []string
	Subnets                   []string `cfn:",conditional"`
	Tags                      []stack.Tag
}

type accessLogProperties struct {
	EmitInterval   *int32
	Enabled        bool `cfn:",required"`
	S3BucketName   *string
	S3BucketPrefix *string
}

type appCookieProperties struct {
	CookieName string `cfn:",required"`
	PolicyName string `cfn:",required"`
}

type lbCookieProperties struct {
	CookieExpirationPeriod *int64
	PolicyName             string
}

type drainingProperties struct {
	Enabled bool `cfn:",required"`
	Timeout *int32
}

type settingsProperties struct {
	IdleTimeout int32 `cfn:",required"`
}

type checkProperties struct {
	HealthyThreshold   int32  `cfn:",required"`
	Interval           int32  `cfn:",required"`
	Target             string `cfn:",required"`
	Timeout            int32  `cfn:",required"`
	UnhealthyThreshold int32  `cfn:",required"`
}

type listenerProperties struct {
	InstancePort     int32 `cfn:",required"`
	InstanceProtocol *string
	LoadBalancerPort int32 `cfn:",required"`
	PolicyNames      []string
	Protocol         string  `cfn:",required"`
	SSLCertificateId *string //nolint:revive // the property's name
}

type policyProperties struct {
	Attributes        []attribute `cfn:",required"`
	InstancePorts     []int32
	LoadBalancerPorts []int32
	PolicyName        string `cfn:",required"`
	PolicyType        string `cfn:",required"`
}

// Schema implements stack.Resource.
func (resourceLoadBalancer) Schema() stack.Schema {
	sc := stack.SchemaOf(balancerProperties{})
	sc.Attributes = []string{"CanonicalHostedZoneName", "CanonicalHostedZoneNameID", "DNSName", "SourceSecurityGroup.GroupName", "SourceSecurityGroup.OwnerAlias"}
	sc.Taggable, sc.NameProperty = true, "LoadBalancerName"
	return sc
}

const maxName = 32

// do calls an operation whose answer says nothing of interest.
func (t resourceLoadBalancer) do(ctx context.Context, operation string, in any) error {
	_, err := t.inv.Invoke(ctx, "elb", operation, in)
	return err
}

// Create implements stack.Resource.
func (t resourceLoadBalancer) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p balancerProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	name := r.Name(maxName)
	if aws.Val(p.LoadBalancerName) != "" {
		name = *p.LoadBalancerName
	}
	in := &api.CreateLoadBalancerInput{LoadBalancerName: &name, Listeners: apiListeners(p.Listeners), AvailabilityZones: p.AvailabilityZones,
		Subnets: p.Subnets, SecurityGroups: p.SecurityGroups, Scheme: p.Scheme, Tags: apiTags(r.TagsWith(p.Tags))}
	if err := t.do(ctx, "CreateLoadBalancer", in); err != nil {
		return stack.Result{}, err
	}
	started(name)
	if err := t.shape(ctx, name, p, balancerProperties{}); err != nil {
		return stack.Result{}, err
	}
	return t.read(ctx, name)
}

func apiListeners(list []listenerProperties) (out []api.Listener) {
	for _, l := range list {
		out = append(out, l.api())
	}
	return out
}

func (l listenerProperties) api() api.Listener {
	return api.Listener{Protocol: aws.Ptr(l.Protocol), LoadBalancerPort: aws.Ptr(l.LoadBalancerPort), InstanceProtocol: l.InstanceProtocol,
		InstancePort: aws.Ptr(l.InstancePort), SSLCertificateId: l.SSLCertificateId}
}

func apiTags(tags []stack.Tag) (out []api.Tag) {
	for _, t := range tags {
		out = append(out, api.Tag{Key: aws.Ptr(t.Key), Value: aws.Ptr(t.Value)})
	}
	return out
}

// shape gives a balancer with its listeners everything else of the properties. It may
// be called again.
func (t resourceLoadBalancer) shape(ctx context.Context, name string, p, old balancerProperties) error {
	for _, step := range []func() error{
		func() error { return t.setPolicies(ctx, name, p) },
		func() error { return t.setCheck(ctx, name, p, old) },
		func() error { return t.setAttributes(ctx, name, p, old) },
		func() error { return t.setInstances(ctx, name, p.Instances, old.Instances) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// setCheck sets the health check; one that is gone from the template becomes AWS's
// default.
func (t resourceLoadBalancer) setCheck(ctx context.Context, name string, p, old balancerProperties) error {
	h := p.HealthCheck
	if h == nil {
		if old.HealthCheck == nil {
			return nil
		}
		d, err := t.describe(ctx, name)
		if err != nil || len(d.ListenerDescriptions) == 0 {
			return err
		}
		h = &checkProperties{Target: tcpTarget(*d.ListenerDescriptions[0].Listener.InstancePort), Interval: 30, Timeout: 5, HealthyThreshold: 10, UnhealthyThreshold: 2}
	}
	return t.do(ctx, "ConfigureHealthCheck", &api.ConfigureHealthCheckInput{LoadBalancerName: &name, HealthCheck: &api.HealthCheck{
		Target: &h.Target, Interval: &h.Interval, Timeout: &h.Timeout, HealthyThreshold: &h.HealthyThreshold, UnhealthyThreshold: &h.UnhealthyThreshold}})
}

// setAttributes sets what the template says, and gives back its default to what it said
// before.
func (t resourceLoadBalancer) setAttributes(ctx context.Context, name string, p, old balancerProperties) error {
	a := &api.LoadBalancerAttributes{}
	if p.CrossZone != nil || old.CrossZone != nil {
		a.CrossZoneLoadBalancing = &api.CrossZoneLoadBalancing{Enabled: aws.Ptr(aws.Val(p.CrossZone))}
	}
	if d := p.ConnectionDrainingPolicy; d != nil {
		a.ConnectionDraining = &api.ConnectionDraining{Enabled: &d.Enabled, Timeout: d.Timeout}
	} else if old.ConnectionDrainingPolicy != nil {
		a.ConnectionDraining = &api.ConnectionDraining{Enabled: aws.Ptr(false), Timeout: aws.Ptr[int32](defaultDrain)}
	}
	if c := p.ConnectionSettings; c != nil {
		a.ConnectionSettings = &api.ConnectionSettings{IdleTimeout: &c.IdleTimeout}
	} else if old.ConnectionSettings != nil {
		a.ConnectionSettings = &api.ConnectionSettings{IdleTimeout: aws.Ptr[int32](defaultIdle)}
	}
	if l := p.AccessLoggingPolicy; l != nil {
		a.AccessLog = &api.AccessLog{Enabled: &l.Enabled, S3BucketName: l.S3BucketName, S3BucketPrefix: l.S3BucketPrefix, EmitInterval: l.EmitInterval}
	}
	if a.CrossZoneLoadBalancing == nil && a.ConnectionDraining == nil && a.ConnectionSettings == nil && a.AccessLog == nil {
		return nil
	}
	return t.do(ctx, "ModifyLoadBalancerAttributes", &api.ModifyLoadBalancerAttributesInput{LoadBalancerName: &name, LoadBalancerAttributes: a})
}

// setInstances registers and deregisters what the template says; others, of an Auto
// Scaling group for example, are left alone.
func (t resourceLoadBalancer) setInstances(ctx context.Context, name string, now, before []string) error {
	list := func(ids []string) (out []api.Instance) {
		for _, id := range ids {
			out = append(out, api.Instance{InstanceId: aws.Ptr(id)})
		}
		return out
	}
	if gone := without(before, now); len(gone) > 0 {
		err := t.do(ctx, "DeregisterInstancesFromLoadBalancer", &api.DeregisterInstancesFromLoadBalancerInput{LoadBalancerName: &name, Instances: list(gone)})
		if err != nil && !awserr.Is(err, "InvalidInstance") {
			return err
		}
	}
	if added := without(now, before); len(added) > 0 {
		return t.do(ctx, "RegisterInstancesWithLoadBalancer", &api.RegisterInstancesWithLoadBalancerInput{LoadBalancerName: &name, Instances: list(added)})
	}
	return nil
}

// without are the elements of a that are not in b.
func without(a, b []string) (out []string) {
	for _, v := range a {
		if !slices.Contains(b, v) {
			out = append(out, v)
		}
	}
	return out
}

func (t resourceLoadBalancer) describe(ctx context.Context, name string) (api.LoadBalancerDescription, error) {
	out, err := wire.Call[api.DescribeLoadBalancersOutput](ctx, t.inv, "elb", "DescribeLoadBalancers", &api.DescribeLoadBalancersInput{LoadBalancerNames: []string{name}})
	if awserr.Is(err, "LoadBalancerNotFound") {
		err = stack.ErrNotFound
	}
	if err != nil {
		return api.LoadBalancerDescription{}, err
	}
	return out.LoadBalancerDescriptions[0], nil
}

func (t resourceLoadBalancer) read(ctx context.Context, name string) (stack.Result, error) {
	d, err := t.describe(ctx, name)
	if err != nil {
		return stack.Result{}, err
	}
	attributes := map[string]any{"DNSName": *d.DNSName, "CanonicalHostedZoneNameID": *d.CanonicalHostedZoneNameID,
		"SourceSecurityGroup.GroupName": aws.Val(d.SourceSecurityGroup.GroupName), "SourceSecurityGroup.OwnerAlias": aws.Val(d.SourceSecurityGroup.OwnerAlias)}
	if d.CanonicalHostedZoneName != nil {
		attributes["CanonicalHostedZoneName"] = *d.CanonicalHostedZoneName
	}
	return stack.Result{PhysicalID: name, Attributes: attributes}, nil
}

// Read implements stack.Resource.
func (t resourceLoadBalancer) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	return t.read(ctx, r.PhysicalID)
}

// Delete implements stack.Resource.
func (t resourceLoadBalancer) Delete(ctx context.Context, r stack.Request) error {
	return t.do(ctx, "DeleteLoadBalancer", &api.DeleteLoadBalancerInput{LoadBalancerName: &r.PhysicalID})
}
