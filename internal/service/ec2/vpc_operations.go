package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// onParts is an operation that is judged on the parts of networks that its input
// names.
func onParts[I, O any](name string, h func(context.Context, *I) (*O, error), ids func(*I) []string) wire.Operation {
	return wire.Op(name, "ec2:"+name, h, func(ctx context.Context, in *I) ([]aws.Check, error) {
		return partChecks(ctx, ids(in)...), nil
	})
}

// onPart is onParts for an operation on one.
func onPart[I, O any](name string, h func(context.Context, *I) (*O, error), id func(*I) *string) wire.Operation {
	return onParts(name, h, func(in *I) []string { return []string{aws.Val(id(in))} })
}

// newPart is an operation that makes a part of a kind; it is judged on any of that
// kind, on what the new one belongs to, and on the tags that it gets.
func newPart[I, O any](name, kind string, h func(context.Context, *I) (*O, error), of func(*I) ([]api.TagSpecification, []string)) wire.Operation {
	return wire.Op(name, "ec2:"+name, h, func(ctx context.Context, in *I) ([]aws.Check, error) {
		c := aws.CallFrom(ctx)
		tags, owners := of(in)
		checks := []aws.Check{{Resource: ec2ARN(c, kind+"/*"), Context: requestTagContext(tags, kind)}}
		checks = append(checks, partChecks(ctx, owners...)...)
		return append(checks, createTagsChecks(c, name, tags)...), nil
	})
}

// partChecks asks for the operation's action on each id. One that names nothing
// known is judged as any resource.
func partChecks(ctx context.Context, ids ...string) []aws.Check {
	c := aws.CallFrom(ctx)
	out := make([]aws.Check, 0, len(ids))
	for _, id := range ids {
		t, err := taggableOf(id)
		if err != nil {
			out = append(out, aws.Check{Resource: "*"})
			continue
		}
		out = append(out, aws.Check{Resource: ec2ARN(c, t.kind+"/"+id)})
	}
	return out
}

// associationParts returns what an association joins: a route table and perhaps a
// subnet. One that does not exist is reported by the operation.
func (s *Service) associationParts(ctx context.Context, id string) ([]string, error) {
	c := aws.CallFrom(ctx)
	var out []string
	err := s.db.View(ctx, func(tx *store.Tx) error {
		out = []string{id}
		v, err := vpcOfPart(tx, c, id)
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if sub := v.associated(id); sub != nil {
			out = []string{sub.RouteTable, sub.ID}
		} else if id == v.MainAssociation {
			out = []string{v.MainRouteTable}
		}
		return nil
	})
	return out, err
}

func (s *Service) vpcOperations() []wire.Operation {
	type tags = []api.TagSpecification
	return []wire.Operation{
		newPart("CreateVpc", "vpc", s.CreateVpc, func(in *api.CreateVpcInput) (tags, []string) { return in.TagSpecifications, nil }),
		onPart("DeleteVpc", s.DeleteVpc, func(in *api.DeleteVpcInput) *string { return in.VpcId }),
		onPart("ModifyVpcAttribute", s.ModifyVpcAttribute, func(in *api.ModifyVpcAttributeInput) *string { return in.VpcId }),
		onPart("DescribeVpcAttribute", s.DescribeVpcAttribute, func(in *api.DescribeVpcAttributeInput) *string { return in.VpcId }),
		onAnything("CreateDefaultVpc", s.CreateDefaultVpc),
		newPart("CreateSubnet", "subnet", s.CreateSubnet, func(in *api.CreateSubnetInput) (tags, []string) {
			return in.TagSpecifications, []string{aws.Val(in.VpcId)}
		}),
		onPart("DeleteSubnet", s.DeleteSubnet, func(in *api.DeleteSubnetInput) *string { return in.SubnetId }),
		onPart("ModifySubnetAttribute", s.ModifySubnetAttribute, func(in *api.ModifySubnetAttributeInput) *string { return in.SubnetId }),
		onAnything("CreateDefaultSubnet", s.CreateDefaultSubnet),
		newPart("CreateInternetGateway", "internet-gateway", s.CreateInternetGateway, func(in *api.CreateInternetGatewayInput) (tags, []string) { return in.TagSpecifications, nil }),
		onPart("DeleteInternetGateway", s.DeleteInternetGateway, func(in *api.DeleteInternetGatewayInput) *string { return in.InternetGatewayId }),
		onParts("AttachInternetGateway", s.AttachInternetGateway, func(in *api.AttachInternetGatewayInput) []string {
			return []string{aws.Val(in.InternetGatewayId), aws.Val(in.VpcId)}
		}),
		onParts("DetachInternetGateway", s.DetachInternetGateway, func(in *api.DetachInternetGatewayInput) []string {
			return []string{aws.Val(in.InternetGatewayId), aws.Val(in.VpcId)}
		}),
	}
}

func (s *Service) natOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("CreateNatGateway", "ec2:CreateNatGateway", s.CreateNatGateway, func(ctx context.Context, in *api.CreateNatGatewayInput) ([]aws.Check, error) {
			owners := []string{aws.Val(in.SubnetId)}
			if in.AllocationId != nil {
				owners = append(owners, *in.AllocationId)
			}
			return s.placedChecks(ctx, "CreateNatGateway", "natgateway", in.TagSpecifications, owners)
		}),
		onPart("DeleteNatGateway", s.DeleteNatGateway, func(in *api.DeleteNatGatewayInput) *string { return in.NatGatewayId }),
	}
}

func (s *Service) routeOperations() []wire.Operation {
	return []wire.Operation{
		newPart("CreateRouteTable", "route-table", s.CreateRouteTable, func(in *api.CreateRouteTableInput) ([]api.TagSpecification, []string) {
			return in.TagSpecifications, []string{aws.Val(in.VpcId)}
		}),
		onPart("DeleteRouteTable", s.DeleteRouteTable, func(in *api.DeleteRouteTableInput) *string { return in.RouteTableId }),
		onPart("CreateRoute", s.CreateRoute, func(in *api.CreateRouteInput) *string { return in.RouteTableId }),
		onPart("ReplaceRoute", s.ReplaceRoute, func(in *api.ReplaceRouteInput) *string { return in.RouteTableId }),
		onPart("DeleteRoute", s.DeleteRoute, func(in *api.DeleteRouteInput) *string { return in.RouteTableId }),
		onParts("AssociateRouteTable", s.AssociateRouteTable, func(in *api.AssociateRouteTableInput) []string {
			out := []string{aws.Val(in.RouteTableId)}
			if in.SubnetId != nil {
				out = append(out, *in.SubnetId)
			}
			return out
		}),
		wire.Op("DisassociateRouteTable", "ec2:DisassociateRouteTable", s.DisassociateRouteTable, func(ctx context.Context, in *api.DisassociateRouteTableInput) ([]aws.Check, error) {
			parts, err := s.associationParts(ctx, aws.Val(in.AssociationId))
			if err != nil {
				return nil, err
			}
			return partChecks(ctx, parts...), nil
		}),
		wire.Op("ReplaceRouteTableAssociation", "ec2:ReplaceRouteTableAssociation", s.ReplaceRouteTableAssociation, func(ctx context.Context, in *api.ReplaceRouteTableAssociationInput) ([]aws.Check, error) {
			parts, err := s.associationParts(ctx, aws.Val(in.AssociationId))
			if err != nil {
				return nil, err
			}
			return partChecks(ctx, append(parts, aws.Val(in.RouteTableId))...), nil
		}),
	}
}
