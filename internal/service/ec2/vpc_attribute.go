package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// DescribeVpcAttribute answers for the DNS of a VPC.
func (s *Service) DescribeVpcAttribute(ctx context.Context, in *api.DescribeVpcAttributeInput) (*api.DescribeVpcAttributeOutput, error) {
	c := aws.CallFrom(ctx)
	if err := s.prepareVPC(ctx, c); err != nil {
		return nil, err
	}
	var v *vpc
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		v, err = getVPC(tx, c, aws.Val(in.VpcId))
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.DescribeVpcAttributeOutput{VpcId: in.VpcId}
	value := func(on bool) *api.AttributeBooleanValue { return &api.AttributeBooleanValue{Value: &on} }
	switch in.Attribute {
	case "enableDnsSupport":
		out.EnableDnsSupport = value(!v.NoDNS)
	case "enableDnsHostnames":
		out.EnableDnsHostnames = value(v.HostNames)
	case "enableNetworkAddressUsageMetrics":
		out.EnableNetworkAddressUsageMetrics = value(false)
	default:
		return nil, invalidValue(string(in.Attribute), "attribute")
	}
	return out, nil
}

// ModifyVpcAttribute changes one attribute.
func (s *Service) ModifyVpcAttribute(ctx context.Context, in *api.ModifyVpcAttributeInput) (*api.ModifyVpcAttributeOutput, error) {
	c := aws.CallFrom(ctx)
	id := aws.Val(in.VpcId)
	var asked []*api.AttributeBooleanValue
	for _, a := range []*api.AttributeBooleanValue{in.EnableDnsSupport, in.EnableDnsHostnames, in.EnableNetworkAddressUsageMetrics} {
		if a != nil {
			asked = append(asked, a)
		}
	}
	if len(asked) != 1 || asked[0].Value == nil {
		return nil, awserr.New("InvalidParameterCombination", "Exactly one attribute must be specified.")
	}
	if a := in.EnableNetworkAddressUsageMetrics; a != nil && aws.Val(a.Value) {
		return nil, unsupported("EnableNetworkAddressUsageMetrics")
	}
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		v, err := getVPC(tx, c, id)
		if err != nil {
			return err
		}
		if in.EnableDnsSupport != nil {
			v.NoDNS = !*in.EnableDnsSupport.Value
		}
		if in.EnableDnsHostnames != nil {
			v.HostNames = *in.EnableDnsHostnames.Value
		}
		emitPart(tx, c, id, "vpc-modified")
		return vpcs.Put(tx, key(c, id), v)
	})
	if err != nil {
		return nil, err
	}
	return &api.ModifyVpcAttributeOutput{}, s.pushVPC(ctx, key(c, id))
}
