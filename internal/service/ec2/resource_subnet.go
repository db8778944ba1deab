package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceSubnet is AWS::EC2::Subnet.
type resourceSubnet struct{ s *Service }

type subnetProperties struct {
	AssignIpv6AddressOnCreation   *bool
	AvailabilityZone              *string
	AvailabilityZoneId            *string
	CidrBlock                     *string
	EnableDns64                   *bool
	MapPublicIpOnLaunch           *bool
	PrivateDnsNameOptionsOnLaunch *hostnameProperty
	Tags                          []stack.Tag
	VpcId                         string `cfn:",required"`
}

type hostnameProperty struct {
	HostnameType                    *string
	EnableResourceNameDnsARecord    *bool
	EnableResourceNameDnsAAAARecord *bool
}

func (resourceSubnet) Schema() stack.Schema {
	sc := stack.SchemaOf(subnetProperties{})
	sc.Attributes = []string{"AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "Ipv6CidrBlocks", "NetworkAclAssociationId", "OutpostArn", "SubnetId", "VpcId"}
	sc.Taggable = true
	return sc
}

func (t resourceSubnet) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p subnetProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.CreateSubnetOutput](ctx, t.s, "CreateSubnet", &api.CreateSubnetInput{
		VpcId: &p.VpcId, CidrBlock: p.CidrBlock, AvailabilityZone: p.AvailabilityZone, AvailabilityZoneId: p.AvailabilityZoneId,
		TagSpecifications: newResourceTags("subnet", r, p.Tags),
	})
	if err != nil {
		return stack.Result{}, err
	}
	r.PhysicalID = aws.Val(out.Subnet.SubnetId)
	started(r.PhysicalID)
	if err := t.modify(ctx, r.PhysicalID, &subnetProperties{}, &p); err != nil {
		return stack.Result{PhysicalID: r.PhysicalID}, err
	}
	return t.Read(ctx, r)
}

// modify changes one attribute a call, as EC2 wants it, where old and want differ.
// What hardstand does not do is refused by the operation.
func (t resourceSubnet) modify(ctx context.Context, id string, old, want *subnetProperties) error {
	was, now := orDefault(old.PrivateDnsNameOptionsOnLaunch, hostnameProperty{}), orDefault(want.PrivateDnsNameOptionsOnLaunch, hostnameProperty{})
	var edits []api.ModifySubnetAttributeInput
	for _, flag := range []struct {
		old, want *bool
		edit      func(*api.AttributeBooleanValue) api.ModifySubnetAttributeInput
	}{
		{old.MapPublicIpOnLaunch, want.MapPublicIpOnLaunch, func(v *api.AttributeBooleanValue) api.ModifySubnetAttributeInput {
			return api.ModifySubnetAttributeInput{MapPublicIpOnLaunch: v}
		}},
		{old.AssignIpv6AddressOnCreation, want.AssignIpv6AddressOnCreation, func(v *api.AttributeBooleanValue) api.ModifySubnetAttributeInput {
			return api.ModifySubnetAttributeInput{AssignIpv6AddressOnCreation: v}
		}},
		{old.EnableDns64, want.EnableDns64, func(v *api.AttributeBooleanValue) api.ModifySubnetAttributeInput {
			return api.ModifySubnetAttributeInput{EnableDns64: v}
		}},
		{was.EnableResourceNameDnsARecord, now.EnableResourceNameDnsARecord, func(v *api.AttributeBooleanValue) api.ModifySubnetAttributeInput {
			return api.ModifySubnetAttributeInput{EnableResourceNameDnsARecordOnLaunch: v}
		}},
		{was.EnableResourceNameDnsAAAARecord, now.EnableResourceNameDnsAAAARecord, func(v *api.AttributeBooleanValue) api.ModifySubnetAttributeInput {
			return api.ModifySubnetAttributeInput{EnableResourceNameDnsAAAARecordOnLaunch: v}
		}},
	} {
		if on := aws.Val(flag.want); on != aws.Val(flag.old) {
			edits = append(edits, flag.edit(&api.AttributeBooleanValue{Value: &on}))
		}
	}
	if kind := orDefault(now.HostnameType, "ip-name"); kind != orDefault(was.HostnameType, "ip-name") {
		edits = append(edits, api.ModifySubnetAttributeInput{PrivateDnsHostnameTypeOnLaunch: api.HostnameType(kind)})
	}
	for _, in := range edits {
		in.SubnetId = &id
		if _, err := call[api.ModifySubnetAttributeOutput](ctx, t.s, "ModifySubnetAttribute", &in); err != nil {
			return err
		}
	}
	return nil
}

func (t resourceSubnet) find(ctx context.Context, id string) (*api.Subnet, error) {
	out, err := call[api.DescribeSubnetsOutput](ctx, t.s, "DescribeSubnets", &api.DescribeSubnetsInput{SubnetIds: []string{id}})
	if err != nil {
		return nil, absent(err)
	}
	return &out.Subnets[0], nil
}

func (t resourceSubnet) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	sub, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return stack.Result{}, err
	}
	acls, err := call[api.DescribeNetworkAclsOutput](ctx, t.s, "DescribeNetworkAcls", &api.DescribeNetworkAclsInput{
		Filters: []api.Filter{{Name: aws.Ptr("association.subnet-id"), Values: []string{r.PhysicalID}}},
	})
	if err != nil {
		return stack.Result{}, err
	}
	association := ""
	for _, acl := range acls.NetworkAcls {
		for _, a := range acl.Associations {
			if aws.Val(a.SubnetId) == r.PhysicalID {
				association = aws.Val(a.NetworkAclAssociationId)
			}
		}
	}
	return stack.Result{PhysicalID: r.PhysicalID, Attributes: map[string]any{
		"AvailabilityZone": aws.Val(sub.AvailabilityZone), "AvailabilityZoneId": aws.Val(sub.AvailabilityZoneId), "CidrBlock": aws.Val(sub.CidrBlock),
		"Ipv6CidrBlocks": []any{}, "NetworkAclAssociationId": association, "OutpostArn": "", "SubnetId": r.PhysicalID, "VpcId": aws.Val(sub.VpcId),
	}}, nil
}

func (t resourceSubnet) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old subnetProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	if err := t.modify(ctx, r.PhysicalID, &old, &p); err != nil {
		return stack.Result{}, err
	}
	if err := t.s.syncTags(ctx, r.PhysicalID, tagMap(r.OldTags, old.Tags), tagMap(r.Tags, p.Tags)); err != nil {
		return stack.Result{}, err
	}
	return t.Read(ctx, r)
}

func (t resourceSubnet) Delete(ctx context.Context, r stack.Request) error {
	return gone(t.s.leaving(ctx, "subnet-id", r.PhysicalID, func() error {
		_, err := call[api.DeleteSubnetOutput](ctx, t.s, "DeleteSubnet", &api.DeleteSubnetInput{SubnetId: &r.PhysicalID})
		return err
	}))
}

// Live implements stack.Live.
func (t resourceSubnet) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	sub, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"AvailabilityZone": aws.Val(sub.AvailabilityZone), "AvailabilityZoneId": aws.Val(sub.AvailabilityZoneId), "CidrBlock": aws.Val(sub.CidrBlock),
		"VpcId": aws.Val(sub.VpcId), "MapPublicIpOnLaunch": aws.Val(sub.MapPublicIpOnLaunch), "Tags": liveTags(sub.Tags),
		"AssignIpv6AddressOnCreation": aws.Val(sub.AssignIpv6AddressOnCreation), "EnableDns64": aws.Val(sub.EnableDns64),
		"PrivateDnsNameOptionsOnLaunch": stack.Plain(sub.PrivateDnsNameOptionsOnLaunch),
	}, nil
}
