package ec2

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// maxBlocks is how many ranges of IPv4 addresses a VPC may have.
const maxBlocks = 5

// cidrBlock is a range that a VPC has beside its first one.
type cidrBlock struct {
	ID    string
	CIDR  netip.Prefix
	Token string
}

// blocks lists the ranges of the VPC, the first one first.
func (v *vpc) blocks() []netip.Prefix {
	out := []netip.Prefix{v.CIDR}
	for _, b := range v.More {
		out = append(out, b.CIDR)
	}
	return out
}

// within says whether a range is part of one of the VPC's.
func (v *vpc) within(p netip.Prefix) bool {
	return slices.ContainsFunc(v.blocks(), func(b netip.Prefix) bool { return b.Contains(p.Addr()) && p.Bits() >= b.Bits() })
}

func (s *Service) cidrOperations() []wire.Operation {
	return []wire.Operation{
		onPart("AssociateVpcCidrBlock", s.AssociateVpcCidrBlock, func(in *api.AssociateVpcCidrBlockInput) *string { return in.VpcId }),
		wire.Op("DisassociateVpcCidrBlock", "ec2:DisassociateVpcCidrBlock", s.DisassociateVpcCidrBlock, func(ctx context.Context, in *api.DisassociateVpcCidrBlockInput) ([]aws.Check, error) {
			id := "*"
			err := s.db.View(ctx, func(tx *store.Tx) error {
				v, err := vpcOfBlock(tx, aws.CallFrom(ctx), aws.Val(in.AssociationId))
				if err == nil {
					id = v.ID
				}
				if awserr.As(err) != nil {
					return nil // the operation reports it, to those who may call it
				}
				return err
			})
			return []aws.Check{{Resource: ec2ARN(aws.CallFrom(ctx), "vpc/"+id)}}, err
		}),
	}
}

// AssociateVpcCidrBlock gives a VPC a further range of addresses.
func (s *Service) AssociateVpcCidrBlock(ctx context.Context, in *api.AssociateVpcCidrBlockInput) (*api.AssociateVpcCidrBlockOutput, error) {
	c := aws.CallFrom(ctx)
	err := refuse(
		asked{"AmazonProvidedIpv6CidrBlock", aws.Val(in.AmazonProvidedIpv6CidrBlock)},
		asked{"Ipv6CidrBlock", in.Ipv6CidrBlock != nil || in.Ipv6Pool != nil || in.Ipv6IpamPoolId != nil || in.Ipv6NetmaskLength != nil || in.Ipv6CidrBlockNetworkBorderGroup != nil},
		asked{"Ipv4IpamPoolId", in.Ipv4IpamPoolId != nil || in.Ipv4NetmaskLength != nil},
	)
	if err != nil {
		return nil, err
	}
	cidr, err := s.vpcCIDR(aws.Val(in.CidrBlock))
	if err != nil {
		return nil, err
	}
	block := cidrBlock{ID: ids.Resource("vpc-cidr-assoc"), CIDR: cidr, Token: c.Token}
	id := aws.Val(in.VpcId)
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		v, err := getVPC(tx, c, id)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(v.More, func(b cidrBlock) bool { return c.Token != "" && b.Token == c.Token }); i >= 0 {
			block = v.More[i]
			return nil
		}
		switch {
		case len(v.More)+1 >= maxBlocks:
			return awserr.New("CidrLimitExceeded", "This network '%s' has met its maximum number of allowed CIDRs: %d", id, maxBlocks)
		case slices.ContainsFunc(v.blocks(), cidr.Overlaps):
			return awserr.New("InvalidVpc.Range", "The CIDR '%s' conflicts with another CIDR block of the network '%s'.", cidr, id)
		}
		v.More = append(v.More, block)
		emitPart(tx, c, id, "vpc-modified")
		return vpcs.Put(tx, key(c, id), v)
	})
	if err != nil {
		return nil, err
	}
	return &api.AssociateVpcCidrBlockOutput{VpcId: &id, CidrBlockAssociation: apiBlock(block.ID, block.CIDR, "associating")}, s.pushVPC(ctx, key(c, id))
}

func apiBlock(id string, cidr netip.Prefix, state api.VpcCidrBlockStateCode) *api.VpcCidrBlockAssociation {
	return &api.VpcCidrBlockAssociation{AssociationId: aws.Ptr(id), CidrBlock: aws.Ptr(cidr.String()), CidrBlockState: &api.VpcCidrBlockState{State: state}}
}

// apiBlocks shows all ranges of a VPC.
func apiBlocks(v *vpc) []api.VpcCidrBlockAssociation {
	out := []api.VpcCidrBlockAssociation{*apiBlock(v.cidrAssociation(), v.CIDR, "associated")}
	for _, b := range v.More {
		out = append(out, *apiBlock(b.ID, b.CIDR, "associated"))
	}
	return out
}

// vpcOfBlock returns the VPC that an association of a range belongs to.
func vpcOfBlock(tx *store.Tx, c aws.Call, id string) (*vpc, error) {
	v, err := vpcOfPart(tx, c, id)
	if isNotFound(err) {
		v, err = vpcs.Get(tx, key(c, "vpc-"+strings.TrimPrefix(id, "vpc-cidr-assoc-")))
	}
	if isNotFound(err) || err == nil && !strings.HasPrefix(id, "vpc-cidr-assoc-") {
		return nil, awserr.New("InvalidVpcCidrBlockAssociationIdError.NotFound", "The vpc CIDR block association ID '%s' does not exist", id)
	}
	return v, err
}

// DisassociateVpcCidrBlock takes a range from a VPC in which no subnet is.
func (s *Service) DisassociateVpcCidrBlock(ctx context.Context, in *api.DisassociateVpcCidrBlockInput) (*api.DisassociateVpcCidrBlockOutput, error) {
	c := aws.CallFrom(ctx)
	id := aws.Val(in.AssociationId)
	var v *vpc
	var block cidrBlock
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if v, err = vpcOfBlock(tx, c, id); err != nil {
			return err
		}
		i := slices.IndexFunc(v.More, func(b cidrBlock) bool { return b.ID == id })
		if i < 0 {
			return awserr.New("OperationNotPermitted", "The vpc CIDR block with association ID %s may not be disassociated. It is the primary IPv4 CIDR block of the VPC", id)
		}
		block = v.More[i]
		if slices.ContainsFunc(v.Subnets, func(o subnet) bool { return o.CIDR.Overlaps(block.CIDR) }) {
			return awserr.New("InvalidCidrBlock.InUse", "The vpc %s currently has a subnet within CIDR block %s", v.ID, block.CIDR)
		}
		v.More = slices.Delete(v.More, i, i+1)
		emitPart(tx, c, v.ID, "vpc-modified")
		return vpcs.Put(tx, key(c, v.ID), v)
	})
	if err != nil {
		return nil, err
	}
	return &api.DisassociateVpcCidrBlockOutput{VpcId: aws.Ptr(v.ID), CidrBlockAssociation: apiBlock(id, block.CIDR, "disassociating")}, s.pushVPC(ctx, key(c, v.ID))
}
