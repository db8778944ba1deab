package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/wire"
)

func (s *Service) interfaceOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("CreateNetworkInterface", "ec2:CreateNetworkInterface", s.CreateNetworkInterface, func(ctx context.Context, in *api.CreateNetworkInterfaceInput) ([]aws.Check, error) {
			return s.placedChecks(ctx, "CreateNetworkInterface", "network-interface", in.TagSpecifications, append([]string{aws.Val(in.SubnetId)}, in.Groups...))
		}),
		onPart("DeleteNetworkInterface", s.DeleteNetworkInterface, func(in *api.DeleteNetworkInterfaceInput) *string { return in.NetworkInterfaceId }),
		wire.Op("ModifyNetworkInterfaceAttribute", "ec2:ModifyNetworkInterfaceAttribute", s.ModifyNetworkInterfaceAttribute, func(ctx context.Context, in *api.ModifyNetworkInterfaceAttributeInput) ([]aws.Check, error) {
			return partChecks(ctx, append([]string{aws.Val(in.NetworkInterfaceId)}, in.Groups...)...), nil
		}),
		onPart("ResetNetworkInterfaceAttribute", s.ResetNetworkInterfaceAttribute, func(in *api.ResetNetworkInterfaceAttributeInput) *string { return in.NetworkInterfaceId }),
		onAnything("DescribeNetworkInterfaceAttribute", s.DescribeNetworkInterfaceAttribute),
	}
}

// placedChecks judges what is made in a subnet: it as it will be, and what it uses, the
// subnet first. What is wrong with the request is left to the operation to say.
func (s *Service) placedChecks(ctx context.Context, operation, kind string, tags []api.TagSpecification, used []string) ([]aws.Check, error) {
	c := aws.CallFrom(ctx)
	v, sub, err := s.launchSubnet(ctx, c, &runRequest{subnetID: used[0]})
	if err != nil {
		return nil, err
	}
	made := aws.Check{Resource: ec2ARN(c, kind+"/*"), Context: requestTagContext(tags, kind)}
	d := description{c, &made}
	d.zone(sub.Zone)
	d.belongs(v.ID, sub.ID)
	checks := append([]aws.Check{made}, partChecks(ctx, used...)...)
	return append(checks, createTagsChecks(c, operation, tags)...), nil
}
