package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
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
		onParts("AttachNetworkInterface", s.AttachNetworkInterface, func(in *api.AttachNetworkInterfaceInput) []string {
			return []string{aws.Val(in.NetworkInterfaceId), aws.Val(in.InstanceId)}
		}),
		wire.Op("DetachNetworkInterface", "ec2:DetachNetworkInterface", s.DetachNetworkInterface, func(ctx context.Context, in *api.DetachNetworkInterfaceInput) ([]aws.Check, error) {
			return s.attachmentChecks(ctx, aws.Val(in.AttachmentId))
		}),
		onPart("ResetNetworkInterfaceAttribute", s.ResetNetworkInterfaceAttribute, func(in *api.ResetNetworkInterfaceAttributeInput) *string { return in.NetworkInterfaceId }),
		onAnything("DescribeNetworkInterfaceAttribute", s.DescribeNetworkInterfaceAttribute),
	}
}

// attachmentChecks judges what an attachment joins: an interface and an instance. One
// that does not exist is reported by the operation.
func (s *Service) attachmentChecks(ctx context.Context, id string) ([]aws.Check, error) {
	c := aws.CallFrom(ctx)
	var parts []string
	err := s.db.View(ctx, func(tx *store.Tx) error {
		h, err := interfaceAttached(tx, c, id)
		if err != nil {
			return err
		}
		parts = []string{h.ID}
		if at, _, _ := h.attachment(); at != "" {
			parts = append(parts, at)
		}
		return nil
	})
	if awserr.As(err) != nil {
		return []aws.Check{{Resource: ec2ARN(c, "network-interface/*")}, {Resource: ec2ARN(c, "instance/*")}}, nil
	}
	return partChecks(ctx, parts...), err
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
