package ec2

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceVPCEndpoint is AWS::EC2::VPCEndpoint.
type resourceVPCEndpoint struct{ s *Service }

type vpcEndpointProperties struct {
	ServiceName       *string
	VpcId             string `cfn:",required"`
	VpcEndpointType   *string
	PolicyDocument    json.RawMessage
	RouteTableIds     []string
	SubnetIds         []string
	SecurityGroupIds  []string
	PrivateDnsEnabled *bool
	IpAddressType     *string
	Tags              []stack.Tag
}

func (resourceVPCEndpoint) Schema() stack.Schema {
	sc := stack.SchemaOf(vpcEndpointProperties{})
	sc.Attributes, sc.Taggable = []string{"CreationTimestamp", "DnsEntries", "Id", "NetworkInterfaceIds"}, true
	return sc
}

func (t resourceVPCEndpoint) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p vpcEndpointProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	in := &api.CreateVpcEndpointInput{
		ServiceName: p.ServiceName, VpcId: &p.VpcId, VpcEndpointType: api.VpcEndpointType(aws.Val(p.VpcEndpointType)), RouteTableIds: p.RouteTableIds, SubnetIds: p.SubnetIds,
		SecurityGroupIds: p.SecurityGroupIds, PrivateDnsEnabled: p.PrivateDnsEnabled, IpAddressType: api.IpAddressType(aws.Val(p.IpAddressType)),
		TagSpecifications: newResourceTags("vpc-endpoint", r, p.Tags),
	}
	if p.PolicyDocument != nil {
		in.PolicyDocument = aws.Ptr(string(p.PolicyDocument))
	}
	out, err := call[api.CreateVpcEndpointOutput](ctx, t.s, "CreateVpcEndpoint", in)
	if err != nil {
		return stack.Result{}, err
	}
	started(aws.Val(out.VpcEndpoint.VpcEndpointId))
	return endpointResult(out.VpcEndpoint), nil
}

func endpointResult(e *api.VpcEndpoint) stack.Result {
	return stack.Result{PhysicalID: *e.VpcEndpointId, Attributes: map[string]any{
		"Id": *e.VpcEndpointId, "CreationTimestamp": e.CreationTimestamp.Format(time.RFC3339), "DnsEntries": []any{}, "NetworkInterfaceIds": []any{},
	}}
}

func (t resourceVPCEndpoint) find(ctx context.Context, id string) (*api.VpcEndpoint, error) {
	out, err := call[api.DescribeVpcEndpointsOutput](ctx, t.s, "DescribeVpcEndpoints", &api.DescribeVpcEndpointsInput{VpcEndpointIds: []string{id}})
	if err != nil {
		return nil, absent(err)
	}
	return &out.VpcEndpoints[0], nil
}

func (t resourceVPCEndpoint) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	e, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return stack.Result{}, err
	}
	return endpointResult(e), nil
}

// Update brings policy and route tables to what the template says.
func (t resourceVPCEndpoint) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old vpcEndpointProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	e, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return stack.Result{}, err
	}
	in := &api.ModifyVpcEndpointInput{
		VpcEndpointId: &r.PhysicalID, AddSubnetIds: p.SubnetIds, AddSecurityGroupIds: p.SecurityGroupIds, PrivateDnsEnabled: p.PrivateDnsEnabled,
		IpAddressType: api.IpAddressType(aws.Val(p.IpAddressType)), AddRouteTableIds: without(p.RouteTableIds, e.RouteTableIds), RemoveRouteTableIds: without(e.RouteTableIds, p.RouteTableIds),
	}
	if p.PolicyDocument != nil {
		in.PolicyDocument = aws.Ptr(string(p.PolicyDocument))
	} else {
		in.ResetPolicy = aws.Ptr(true)
	}
	if _, err := call[api.ModifyVpcEndpointOutput](ctx, t.s, "ModifyVpcEndpoint", in); err != nil {
		return stack.Result{}, err
	}
	return endpointResult(e), t.s.syncTags(ctx, r.PhysicalID, tagMap(r.OldTags, old.Tags), tagMap(r.Tags, p.Tags))
}

// without returns the items of list that others does not have.
func without(list, others []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(others, s) })
}

func (t resourceVPCEndpoint) Delete(ctx context.Context, r stack.Request) error {
	_, err := call[api.DeleteVpcEndpointsOutput](ctx, t.s, "DeleteVpcEndpoints", &api.DeleteVpcEndpointsInput{VpcEndpointIds: []string{r.PhysicalID}})
	return gone(err) // one that is gone already is no error of the call
}

// Live implements stack.Live.
func (t resourceVPCEndpoint) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	e, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	var document any
	if err := json.Unmarshal([]byte(aws.Val(e.PolicyDocument)), &document); err != nil {
		return nil, err
	}
	return map[string]any{
		"ServiceName": aws.Val(e.ServiceName), "VpcId": aws.Val(e.VpcId), "VpcEndpointType": string(e.VpcEndpointType), "RouteTableIds": stack.Plain(e.RouteTableIds),
		"PolicyDocument": stack.Plain(document), "Tags": liveTags(e.Tags),
	}, nil
}
