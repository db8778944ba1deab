package ec2

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceNetworkInterface is AWS::EC2::NetworkInterface.
type resourceNetworkInterface struct{ s *Service }

type networkInterfaceProperties struct {
	Description        *string
	GroupSet           []string
	InterfaceType      *string
	PrivateIpAddress   *string
	PrivateIpAddresses []privateAddressProperty `cfn:",createOnly"`
	SourceDestCheck    *bool
	SubnetId           string `cfn:",required"`
	Tags               []stack.Tag
}

type privateAddressProperty struct {
	Primary          *bool
	PrivateIpAddress *string
}

func (resourceNetworkInterface) Schema() stack.Schema {
	sc := stack.SchemaOf(networkInterfaceProperties{})
	sc.Attributes = []string{"Id", "PrimaryPrivateIpAddress", "PrimaryIpv6Address", "SecondaryPrivateIpAddresses", "VpcId"}
	sc.Taggable = true
	return sc
}

func (t resourceNetworkInterface) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p networkInterfaceProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	in := &api.CreateNetworkInterfaceInput{
		SubnetId: &p.SubnetId, Description: p.Description, Groups: p.GroupSet, PrivateIpAddress: p.PrivateIpAddress,
		InterfaceType: api.NetworkInterfaceCreationType(aws.Val(p.InterfaceType)), TagSpecifications: newResourceTags("network-interface", r, p.Tags),
	}
	for _, a := range p.PrivateIpAddresses {
		in.PrivateIpAddresses = append(in.PrivateIpAddresses, api.PrivateIpAddressSpecification{Primary: a.Primary, PrivateIpAddress: a.PrivateIpAddress})
	}
	out, err := call[api.CreateNetworkInterfaceOutput](ctx, t.s, "CreateNetworkInterface", in)
	if err != nil {
		return stack.Result{}, err
	}
	r.PhysicalID = aws.Val(out.NetworkInterface.NetworkInterfaceId)
	started(r.PhysicalID)
	// What the call has set already is no change.
	made := networkInterfaceProperties{Description: p.Description, GroupSet: p.GroupSet}
	if err := t.modify(ctx, r.PhysicalID, &made, &p); err != nil {
		return stack.Result{PhysicalID: r.PhysicalID}, err
	}
	return t.Read(ctx, r)
}

// modify changes one attribute a call, as EC2 wants it, where old and want differ.
func (t resourceNetworkInterface) modify(ctx context.Context, id string, old, want *networkInterfaceProperties) error {
	var edits []api.ModifyNetworkInterfaceAttributeInput
	if text := aws.Val(want.Description); text != aws.Val(old.Description) {
		edits = append(edits, api.ModifyNetworkInterfaceAttributeInput{Description: &api.AttributeValue{Value: &text}})
	}
	if check := orDefault(want.SourceDestCheck, true); check != orDefault(old.SourceDestCheck, true) {
		edits = append(edits, api.ModifyNetworkInterfaceAttributeInput{SourceDestCheck: &api.AttributeBooleanValue{Value: &check}})
	}
	if !slices.Equal(want.GroupSet, old.GroupSet) {
		groups, err := t.groups(ctx, id, want.GroupSet)
		if err != nil {
			return err
		}
		edits = append(edits, api.ModifyNetworkInterfaceAttributeInput{Groups: groups})
	}
	for _, in := range edits {
		in.NetworkInterfaceId = &id
		if _, err := call[api.ModifyNetworkInterfaceAttributeOutput](ctx, t.s, "ModifyNetworkInterfaceAttribute", &in); err != nil {
			return err
		}
	}
	return nil
}

// groups are those wanted, or the default one of the VPC when there are none any more.
func (t resourceNetworkInterface) groups(ctx context.Context, id string, want []string) ([]string, error) {
	if len(want) > 0 {
		return want, nil
	}
	n, err := t.find(ctx, id)
	if err != nil {
		return nil, err
	}
	out, err := call[api.DescribeSecurityGroupsOutput](ctx, t.s, "DescribeSecurityGroups", &api.DescribeSecurityGroupsInput{Filters: []api.Filter{
		{Name: aws.Ptr("vpc-id"), Values: []string{aws.Val(n.VpcId)}}, {Name: aws.Ptr("group-name"), Values: []string{"default"}},
	}})
	if err != nil {
		return nil, err
	}
	for _, g := range out.SecurityGroups {
		want = append(want, aws.Val(g.GroupId))
	}
	return want, nil
}

func (t resourceNetworkInterface) find(ctx context.Context, id string) (*api.NetworkInterface, error) {
	out, err := call[api.DescribeNetworkInterfacesOutput](ctx, t.s, "DescribeNetworkInterfaces", &api.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{id}})
	if err != nil {
		return nil, absent(err)
	}
	return &out.NetworkInterfaces[0], nil
}

func (t resourceNetworkInterface) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	n, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return stack.Result{}, err
	}
	return stack.Result{PhysicalID: r.PhysicalID, Attributes: map[string]any{
		"Id": r.PhysicalID, "PrimaryPrivateIpAddress": aws.Val(n.PrivateIpAddress), "PrimaryIpv6Address": "", "SecondaryPrivateIpAddresses": []any{}, "VpcId": aws.Val(n.VpcId),
	}}, nil
}

func (t resourceNetworkInterface) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old networkInterfaceProperties
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

func (t resourceNetworkInterface) Delete(ctx context.Context, r stack.Request) error {
	_, err := call[api.DeleteNetworkInterfaceOutput](ctx, t.s, "DeleteNetworkInterface", &api.DeleteNetworkInterfaceInput{NetworkInterfaceId: &r.PhysicalID})
	return gone(err)
}

// Live implements stack.Live.
func (t resourceNetworkInterface) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	n, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	groups := []any{}
	for _, g := range n.Groups {
		groups = append(groups, aws.Val(g.GroupId))
	}
	return map[string]any{
		"Description": aws.Val(n.Description), "GroupSet": groups, "InterfaceType": string(n.InterfaceType), "PrivateIpAddress": aws.Val(n.PrivateIpAddress),
		"PrivateIpAddresses": []any{map[string]any{"Primary": true, "PrivateIpAddress": aws.Val(n.PrivateIpAddress)}},
		"SourceDestCheck":    aws.Val(n.SourceDestCheck), "SubnetId": aws.Val(n.SubnetId), "Tags": liveTags(n.TagSet),
	}, nil
}
