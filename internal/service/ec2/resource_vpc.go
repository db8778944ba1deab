package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceVPC is AWS::EC2::VPC.
type resourceVPC struct{ s *Service }

type vpcProperties struct {
	CidrBlock          *string
	EnableDnsHostnames *bool
	EnableDnsSupport   *bool
	InstanceTenancy    *string
	Tags               []stack.Tag
}

func (resourceVPC) Schema() stack.Schema {
	sc := stack.SchemaOf(vpcProperties{})
	sc.Attributes = []string{"CidrBlock", "CidrBlockAssociations", "DefaultNetworkAcl", "DefaultSecurityGroup", "Ipv6CidrBlocks", "VpcId"}
	sc.Taggable = true
	return sc
}

func (t resourceVPC) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p vpcProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.CreateVpcOutput](ctx, t.s, "CreateVpc", &api.CreateVpcInput{
		CidrBlock: p.CidrBlock, InstanceTenancy: api.Tenancy(aws.Val(p.InstanceTenancy)),
		TagSpecifications: newResourceTags("vpc", r, p.Tags),
	})
	if err != nil {
		return stack.Result{}, err
	}
	r.PhysicalID = aws.Val(out.Vpc.VpcId)
	started(r.PhysicalID)
	if err := t.modify(ctx, r.PhysicalID, &vpcProperties{}, &p); err != nil {
		return stack.Result{PhysicalID: r.PhysicalID}, err
	}
	return t.Read(ctx, r)
}

// newResourceTags are the tags that a stack gives a new resource of a kind.
func newResourceTags(kind api.ResourceType, r stack.Request, own []stack.Tag) []api.TagSpecification {
	return []api.TagSpecification{{ResourceType: kind, Tags: toAPITags(r.TagsWith(own))}}
}

// modify brings the attributes from old to want. Names need the name server, which
// is therefore turned on first and off last.
func (t resourceVPC) modify(ctx context.Context, id string, old, want *vpcProperties) error {
	support, names := orDefault(want.EnableDnsSupport, true), aws.Val(want.EnableDnsHostnames)
	edits := []*api.ModifyVpcAttributeInput{}
	if names != aws.Val(old.EnableDnsHostnames) {
		edits = append(edits, &api.ModifyVpcAttributeInput{VpcId: &id, EnableDnsHostnames: &api.AttributeBooleanValue{Value: &names}})
	}
	if support != orDefault(old.EnableDnsSupport, true) {
		edit := &api.ModifyVpcAttributeInput{VpcId: &id, EnableDnsSupport: &api.AttributeBooleanValue{Value: &support}}
		if support {
			edits = append([]*api.ModifyVpcAttributeInput{edit}, edits...)
		} else {
			edits = append(edits, edit)
		}
	}
	for _, in := range edits {
		if _, err := call[api.ModifyVpcAttributeOutput](ctx, t.s, "ModifyVpcAttribute", in); err != nil {
			return err
		}
	}
	return nil
}

func (t resourceVPC) find(ctx context.Context, id string) (*api.Vpc, error) {
	out, err := call[api.DescribeVpcsOutput](ctx, t.s, "DescribeVpcs", &api.DescribeVpcsInput{VpcIds: []string{id}})
	if err != nil {
		return nil, absent(err)
	}
	return &out.Vpcs[0], nil
}

// absent makes the error about an id that names nothing the engine's own.
func absent(err error) error {
	if awserr.Is(err, "InvalidVpcID.NotFound", "InvalidSubnetID.NotFound", "InvalidInternetGatewayID.NotFound", "InvalidRouteTableID.NotFound",
		"InvalidRoute.NotFound", "InvalidAssociationID.NotFound", "Gateway.NotAttached", "InvalidLaunchTemplateId.NotFound", "InvalidVpcEndpointId.NotFound", "InvalidNetworkAclID.NotFound",
		"InvalidNetworkAclEntry.NotFound", "InvalidNetworkInterfaceID.NotFound", "InvalidNetworkInterfaceId.Malformed", "InvalidAttachmentID.NotFound",
		"InvalidVpcCidrBlockAssociationIdError.NotFound", "NatGatewayNotFound", "NatGatewayMalformed") {
		return stack.ErrNotFound
	}
	return err
}

// gone makes the deletion of what is gone a success.
func gone(err error) error {
	if err = absent(err); err == stack.ErrNotFound {
		return nil
	}
	return err
}

func (t resourceVPC) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	v, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return stack.Result{}, err
	}
	in := []api.Filter{{Name: aws.Ptr("vpc-id"), Values: []string{r.PhysicalID}}}
	groups, err := call[api.DescribeSecurityGroupsOutput](ctx, t.s, "DescribeSecurityGroups", &api.DescribeSecurityGroupsInput{
		Filters: append(in, api.Filter{Name: aws.Ptr("group-name"), Values: []string{"default"}}),
	})
	if err != nil {
		return stack.Result{}, err
	}
	acls, err := call[api.DescribeNetworkAclsOutput](ctx, t.s, "DescribeNetworkAcls", &api.DescribeNetworkAclsInput{
		Filters: append(in, api.Filter{Name: aws.Ptr("default"), Values: []string{"true"}}),
	})
	if err != nil {
		return stack.Result{}, err
	}
	if len(groups.SecurityGroups) == 0 || len(acls.NetworkAcls) == 0 {
		return stack.Result{}, stack.ErrNotFound // deleted between the questions
	}
	ranges := []any{}
	for _, a := range v.CidrBlockAssociationSet {
		ranges = append(ranges, aws.Val(a.AssociationId))
	}
	return stack.Result{PhysicalID: r.PhysicalID, Attributes: map[string]any{
		"CidrBlock": aws.Val(v.CidrBlock), "CidrBlockAssociations": ranges, "DefaultNetworkAcl": aws.Val(acls.NetworkAcls[0].NetworkAclId),
		"DefaultSecurityGroup": aws.Val(groups.SecurityGroups[0].GroupId), "Ipv6CidrBlocks": []any{}, "VpcId": r.PhysicalID,
	}}, nil
}

func (t resourceVPC) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old vpcProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	if orDefault(p.InstanceTenancy, "default") != orDefault(old.InstanceTenancy, "default") {
		return stack.Result{}, unsupported("an update of InstanceTenancy")
	}
	if err := t.modify(ctx, r.PhysicalID, &old, &p); err != nil {
		return stack.Result{}, err
	}
	if err := t.s.syncTags(ctx, r.PhysicalID, tagMap(r.OldTags, old.Tags), tagMap(r.Tags, p.Tags)); err != nil {
		return stack.Result{}, err
	}
	return t.Read(ctx, r)
}

func (t resourceVPC) Delete(ctx context.Context, r stack.Request) error {
	_, err := call[api.DeleteVpcOutput](ctx, t.s, "DeleteVpc", &api.DeleteVpcInput{VpcId: &r.PhysicalID})
	return gone(err)
}

// Live implements stack.Live.
func (t resourceVPC) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	v, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	live := map[string]any{"CidrBlock": aws.Val(v.CidrBlock), "InstanceTenancy": string(v.InstanceTenancy), "Tags": liveTags(v.Tags)}
	for _, name := range []api.VpcAttributeName{"enableDnsSupport", "enableDnsHostnames"} {
		out, err := call[api.DescribeVpcAttributeOutput](ctx, t.s, "DescribeVpcAttribute", &api.DescribeVpcAttributeInput{VpcId: &r.PhysicalID, Attribute: name})
		if err != nil {
			return nil, absent(err)
		}
		if a := out.EnableDnsSupport; a != nil {
			live["EnableDnsSupport"] = aws.Val(a.Value)
		}
		if a := out.EnableDnsHostnames; a != nil {
			live["EnableDnsHostnames"] = aws.Val(a.Value)
		}
	}
	return live, nil
}
