package elbv2

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceTargetGroup is AWS::ElasticLoadBalancingV2::TargetGroup. Its physical id is
// the ARN.
type resourceTargetGroup struct{ s *Service }

type groupProperties struct {
	HealthCheckEnabled         *bool
	HealthCheckIntervalSeconds *int32
	HealthCheckPath            *string
	HealthCheckPort            *string
	HealthCheckProtocol        *string
	HealthCheckTimeoutSeconds  *int32
	HealthyThresholdCount      *int32
	IpAddressType              *string //nolint:revive // the property's name
	Matcher                    *api.Matcher
	Name                       *string
	Port                       *int32
	Protocol                   *string
	ProtocolVersion            *string
	Tags                       []stack.Tag
	TargetGroupAttributes      []api.TargetGroupAttribute
	TargetType                 *string
	Targets                    []api.TargetDescription
	UnhealthyThresholdCount    *int32
	VpcId                      *string //nolint:revive // the property's name
}

// Schema implements stack.Resource.
func (resourceTargetGroup) Schema() stack.Schema {
	sc := stack.SchemaOf(groupProperties{})
	sc.Attributes = []string{"LoadBalancerArns", "TargetGroupArn", "TargetGroupFullName", "TargetGroupName"}
	sc.Taggable, sc.NameProperty = true, "Name"
	return sc
}

// Create implements stack.Resource.
func (t resourceTargetGroup) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p groupProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	in := &api.CreateTargetGroupInput{Name: p.Name, Protocol: api.ProtocolEnum(aws.Val(p.Protocol)), ProtocolVersion: p.ProtocolVersion, Port: p.Port, VpcId: p.VpcId,
		HealthCheckProtocol: api.ProtocolEnum(aws.Val(p.HealthCheckProtocol)), HealthCheckPort: p.HealthCheckPort, HealthCheckEnabled: p.HealthCheckEnabled,
		HealthCheckPath: p.HealthCheckPath, HealthCheckIntervalSeconds: p.HealthCheckIntervalSeconds, HealthCheckTimeoutSeconds: p.HealthCheckTimeoutSeconds,
		HealthyThresholdCount: p.HealthyThresholdCount, UnhealthyThresholdCount: p.UnhealthyThresholdCount, Matcher: p.Matcher,
		TargetType: api.TargetTypeEnum(aws.Val(p.TargetType)), Tags: apiTags(r.TagsWith(p.Tags)), IpAddressType: api.TargetGroupIpAddressTypeEnum(aws.Val(p.IpAddressType))}
	if in.Name == nil {
		in.Name = aws.Ptr(generatedName(r))
	}
	out, err := invoke[api.CreateTargetGroupOutput](ctx, t.s, "CreateTargetGroup", in)
	if err != nil {
		return stack.Result{}, err
	}
	r.PhysicalID = *out.TargetGroups[0].TargetGroupArn
	started(r.PhysicalID)
	if err := t.modify(ctx, r.PhysicalID, nil, p); err != nil {
		return stack.Result{}, err
	}
	if err := t.register(ctx, r.PhysicalID, nil, p.Targets); err != nil {
		return stack.Result{}, err
	}
	return t.Read(ctx, r)
}

func (t resourceTargetGroup) modify(ctx context.Context, name string, had []api.TargetGroupAttribute, p groupProperties) error {
	start, want := (&group{Protocol: api.ProtocolEnum(aws.Val(p.Protocol))}).settings(), p.TargetGroupAttributes
	var list []api.TargetGroupAttribute
	for _, p := range groupAttributes.changed(start, settings(had), settings(want)) {
		list = append(list, api.TargetGroupAttribute{Key: &p.Key, Value: &p.Value})
	}
	if len(list) == 0 {
		return nil
	}
	_, err := invoke[api.ModifyTargetGroupAttributesOutput](ctx, t.s, "ModifyTargetGroupAttributes", &api.ModifyTargetGroupAttributesInput{TargetGroupArn: &name, Attributes: list})
	return err
}

// register brings the targets that the template lists up to date; others are left alone.
func (t resourceTargetGroup) register(ctx context.Context, name string, had, want []api.TargetDescription) error {
	without := func(list, other []api.TargetDescription) []api.TargetDescription {
		return slices.DeleteFunc(slices.Clone(list), func(d api.TargetDescription) bool {
			return slices.ContainsFunc(other, func(o api.TargetDescription) bool {
				return aws.Val(o.Id) == aws.Val(d.Id) && aws.Val(o.Port) == aws.Val(d.Port) && aws.Val(o.AvailabilityZone) == aws.Val(d.AvailabilityZone)
			})
		})
	}
	if gone := without(had, want); len(gone) > 0 {
		if _, err := invoke[api.DeregisterTargetsOutput](ctx, t.s, "DeregisterTargets", &api.DeregisterTargetsInput{TargetGroupArn: &name, Targets: gone}); err != nil {
			return err
		}
	}
	if more := without(want, had); len(more) > 0 {
		_, err := invoke[api.RegisterTargetsOutput](ctx, t.s, "RegisterTargets", &api.RegisterTargetsInput{TargetGroupArn: &name, Targets: more})
		return err
	}
	return nil
}

func (t resourceTargetGroup) describe(ctx context.Context, name string) (*api.TargetGroup, error) {
	out, err := invoke[api.DescribeTargetGroupsOutput](ctx, t.s, "DescribeTargetGroups", &api.DescribeTargetGroupsInput{TargetGroupArns: []string{name}})
	if err != nil {
		return nil, orNotThere(err)
	}
	return &out.TargetGroups[0], nil
}

// Read implements stack.Resource.
func (t resourceTargetGroup) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	g, err := t.describe(ctx, r.PhysicalID)
	if err != nil {
		return stack.Result{}, err
	}
	k, err := openGroup(r.PhysicalID)
	return stack.Result{PhysicalID: r.PhysicalID, Attributes: map[string]any{
		"LoadBalancerArns": generic(g.LoadBalancerArns), "TargetGroupArn": r.PhysicalID, "TargetGroupFullName": kindGroup + "/" + k.ID, "TargetGroupName": aws.Val(g.TargetGroupName),
	}}, err
}

// Update implements stack.Resource.
func (t resourceTargetGroup) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old groupProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	if err := t.recheck(ctx, r.PhysicalID, p); err != nil {
		return stack.Result{}, err
	}
	if err := t.modify(ctx, r.PhysicalID, old.TargetGroupAttributes, p); err != nil {
		return stack.Result{}, err
	}
	if err := t.register(ctx, r.PhysicalID, old.Targets, p.Targets); err != nil {
		return stack.Result{}, err
	}
	if err := t.s.retagResource(ctx, r, old.Tags, p.Tags); err != nil {
		return stack.Result{}, err
	}
	return t.Read(ctx, r)
}

// recheck sets how targets are checked: what the template leaves out goes back to the
// standard.
func (t resourceTargetGroup) recheck(ctx context.Context, name string, p groupProperties) error {
	g := &group{Protocol: api.ProtocolEnum(aws.Val(p.Protocol)), Version: aws.Val(p.ProtocolVersion), TargetType: api.TargetTypeEnum(aws.Val(p.TargetType))}
	std := g.standardCheck(api.ProtocolEnum(aws.Val(p.HealthCheckProtocol)))
	in := &api.ModifyTargetGroupInput{TargetGroupArn: &name, HealthCheckProtocol: std.Protocol, HealthCheckPort: orStandard(p.HealthCheckPort, std.Port),
		HealthCheckEnabled: p.HealthCheckEnabled, HealthCheckIntervalSeconds: orStandard(p.HealthCheckIntervalSeconds, std.Interval),
		HealthCheckTimeoutSeconds: orStandard(p.HealthCheckTimeoutSeconds, std.Timeout), HealthyThresholdCount: orStandard(p.HealthyThresholdCount, std.Healthy),
		UnhealthyThresholdCount: orStandard(p.UnhealthyThresholdCount, std.Unhealthy), HealthCheckPath: p.HealthCheckPath, Matcher: p.Matcher}
	if std.Path != "" {
		in.HealthCheckPath = orStandard(p.HealthCheckPath, std.Path)
		if p.Matcher == nil {
			in.Matcher = &api.Matcher{HttpCode: given(std.HTTPCode), GrpcCode: given(std.GRPCCode)}
		}
	}
	_, err := invoke[api.ModifyTargetGroupOutput](ctx, t.s, "ModifyTargetGroup", in)
	return err
}

func orStandard[T any](v *T, standard T) *T {
	if v == nil {
		return &standard
	}
	return v
}

// Delete implements stack.Resource.
func (t resourceTargetGroup) Delete(ctx context.Context, r stack.Request) error {
	_, err := invoke[api.DeleteTargetGroupOutput](ctx, t.s, "DeleteTargetGroup", &api.DeleteTargetGroupInput{TargetGroupArn: &r.PhysicalID})
	return err
}

// Live implements stack.Live.
func (t resourceTargetGroup) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	var p groupProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return nil, err
	}
	g, err := t.describe(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	now, err := invoke[api.DescribeTargetGroupAttributesOutput](ctx, t.s, "DescribeTargetGroupAttributes", &api.DescribeTargetGroupAttributesInput{TargetGroupArn: &r.PhysicalID})
	if err != nil {
		return nil, err
	}
	tags, err := t.s.liveTags(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	live, _ := generic(g).(map[string]any)
	live["Name"] = live["TargetGroupName"]
	live["Tags"] = tags
	live["TargetGroupAttributes"] = liveSettings(settings(p.TargetGroupAttributes), settings(now.Attributes))
	live["Targets"], err = t.liveTargets(ctx, r.PhysicalID)
	return live, err
}

// liveTargets are the registered targets.
func (t resourceTargetGroup) liveTargets(ctx context.Context, name string) ([]any, error) {
	out, err := invoke[api.DescribeTargetHealthOutput](ctx, t.s, "DescribeTargetHealth", &api.DescribeTargetHealthInput{TargetGroupArn: &name})
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, d := range out.TargetHealthDescriptions {
		if d.TargetHealth.State == "draining" {
			continue
		}
		list = append(list, generic(d.Target))
	}
	return list, nil
}
