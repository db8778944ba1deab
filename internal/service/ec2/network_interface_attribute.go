package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// ModifyNetworkInterfaceAttribute changes one attribute of an interface, at once where
// it is in use.
func (s *Service) ModifyNetworkInterfaceAttribute(ctx context.Context, in *api.ModifyNetworkInterfaceAttributeInput) (*api.ModifyNetworkInterfaceAttributeOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkInterfaceChange(c, in); err != nil {
		return nil, err
	}
	err := s.editInterface(ctx, c, aws.Val(in.NetworkInterfaceId), func(tx *store.Tx, h heldInterface) error {
		return s.changeInterface(tx, c, h, in)
	})
	if err != nil {
		return nil, err
	}
	return &api.ModifyNetworkInterfaceAttributeOutput{}, nil
}

// checkInterfaceChange wants exactly one attribute, of those that hardstand has.
func checkInterfaceChange(c aws.Call, in *api.ModifyNetworkInterfaceAttributeInput) error {
	service := c.Principal.Type == aws.PrincipalService
	err := refuse(
		asked{"EnaSrdSpecification", in.EnaSrdSpecification != nil},
		asked{"EnablePrimaryIpv6", in.EnablePrimaryIpv6 != nil},
		asked{"ConnectionTrackingSpecification", in.ConnectionTrackingSpecification != nil},
		asked{"AssociatePublicIpAddress", in.AssociatePublicIpAddress != nil && !service},
		asked{"AssociatedSubnetIds", len(in.AssociatedSubnetIds) > 0},
		asked{"Attachment.EnaQueueCount", in.Attachment != nil && (in.Attachment.DefaultEnaQueueCount != nil || in.Attachment.EnaQueueCount != nil)},
	)
	if err != nil {
		return err
	}
	n := 0
	for _, set := range []bool{in.Description != nil, in.SourceDestCheck != nil, len(in.Groups) > 0, in.Attachment != nil, in.AssociatePublicIpAddress != nil} {
		if set {
			n++
		}
	}
	switch n {
	case 0:
		return awserr.New("InvalidParameterCombination", "No attributes specified.")
	case 1:
		return nil
	}
	return awserr.New("InvalidParameterCombination", "Multiple attributes specified. Only one attribute can be modified at a time.")
}

func (s *Service) changeInterface(tx *store.Tx, c aws.Call, h heldInterface, in *api.ModifyNetworkInterfaceAttributeInput) error {
	switch {
	case in.Description != nil:
		h.Description = aws.Val(in.Description.Value)
		return checkDescription(h.Description)
	case in.SourceDestCheck != nil:
		h.Forwards = !aws.Val(in.SourceDestCheck.Value)
	case in.Attachment != nil:
		return h.changeAttachment(in.Attachment)
	case in.AssociatePublicIpAddress != nil:
		return s.setAutoPublic(tx, h, *in.AssociatePublicIpAddress)
	default:
		v, err := vpcs.Get(tx, key(c, h.VPC))
		if err != nil {
			return err
		}
		h.Groups, err = resolveGroups(tx, c, v, h.Subnet, in.Groups, nil)
		return err
	}
	return nil
}

func (h heldInterface) changeAttachment(change *api.NetworkInterfaceAttachmentChanges) error {
	id := aws.Val(change.AttachmentId)
	switch {
	case id == "" || change.DeleteOnTermination == nil:
		return missing("attachment.attachmentId and attachment.deleteOnTermination")
	case h.AttachmentID != id:
		return awserr.New("InvalidAttachmentID.NotFound", "The attachment ID '%s' does not exist", id)
	}
	h.Keep = !*change.DeleteOnTermination
	return nil
}

// setAutoPublic gives an interface that a service manages a public address that is
// nobody's elastic one, or takes it.
func (s *Service) setAutoPublic(tx *store.Tx, h heldInterface, on bool) (err error) {
	h.AutoPublic = on
	switch {
	case h.Allocation != "":
	case !on:
		h.Public = noAddr
	case !h.Public.IsValid():
		h.Public, err = s.freePublic(tx)
	}
	return err
}

// editInterface changes an interface, stores it and tells the network.
func (s *Service) editInterface(ctx context.Context, c aws.Call, id string, edit func(*store.Tx, heldInterface) error) error {
	var h heldInterface
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if h, err = findInterface(tx, c, id); err != nil {
			return err
		}
		if err := h.mayManage(c); err != nil {
			return err
		}
		if err := edit(tx, h); err != nil {
			return err
		}
		emitPart(tx, c, id, "network-interface-changed")
		return h.save(tx, c)
	})
	if err != nil {
		return err
	}
	// The rules come first: a member of a group without rules would be cut off.
	for _, g := range h.Groups {
		if err := s.pushGroup(ctx, key(c, id), g); err != nil {
			return err
		}
	}
	return s.pushHeld(ctx, c, h)
}

// ResetNetworkInterfaceAttribute turns the check of source and destination on again.
func (s *Service) ResetNetworkInterfaceAttribute(ctx context.Context, in *api.ResetNetworkInterfaceAttributeInput) (*api.ResetNetworkInterfaceAttributeOutput, error) {
	if in.SourceDestCheck == nil {
		return nil, awserr.New("InvalidParameterCombination", "No attributes specified.")
	}
	err := s.editInterface(ctx, aws.CallFrom(ctx), aws.Val(in.NetworkInterfaceId), func(_ *store.Tx, h heldInterface) error {
		h.Forwards = false
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.ResetNetworkInterfaceAttributeOutput{}, nil
}

// DescribeNetworkInterfaceAttribute shows one attribute of an interface.
func (s *Service) DescribeNetworkInterfaceAttribute(ctx context.Context, in *api.DescribeNetworkInterfaceAttributeInput) (*api.DescribeNetworkInterfaceAttributeOutput, error) {
	c := aws.CallFrom(ctx)
	names := newNaming()
	var h heldInterface
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		if h, err = findInterface(tx, c, aws.Val(in.NetworkInterfaceId)); err == nil {
			err = names.load(tx, c)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.DescribeNetworkInterfaceAttributeOutput{NetworkInterfaceId: aws.Ptr(h.ID)}
	shown := apiInterface(c, h, names)
	switch in.Attribute {
	case "":
		return nil, awserr.New("InvalidParameterCombination", "No attributes specified.")
	case "description":
		out.Description = &api.AttributeValue{Value: shown.Description}
	case "groupSet":
		out.Groups = shown.Groups
	case "sourceDestCheck":
		out.SourceDestCheck = &api.AttributeBooleanValue{Value: shown.SourceDestCheck}
	case "attachment":
		out.Attachment = shown.Attachment
	case "associatePublicIpAddress":
		out.AssociatePublicIpAddress = aws.Ptr(h.AutoPublic)
	default:
		return nil, invalidValue(string(in.Attribute), "attribute")
	}
	return out, nil
}
