package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceVPCCidrBlock is AWS::EC2::VPCCidrBlock.
type resourceVPCCidrBlock struct{ s *Service }

type vpcCidrBlockProperties struct {
	CidrBlock *string
	VpcId     string `cfn:",required"`
}

func (resourceVPCCidrBlock) Schema() stack.Schema {
	sc := stack.SchemaOf(vpcCidrBlockProperties{})
	sc.Attributes = []string{"Id"}
	return sc
}

func (t resourceVPCCidrBlock) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p vpcCidrBlockProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.AssociateVpcCidrBlockOutput](ctx, t.s, "AssociateVpcCidrBlock", &api.AssociateVpcCidrBlockInput{VpcId: &p.VpcId, CidrBlock: p.CidrBlock})
	if err != nil {
		return stack.Result{}, err
	}
	id := aws.Val(out.CidrBlockAssociation.AssociationId)
	started(id)
	return associationResult(id), nil
}

// find returns the VPC and the range of an association.
func (t resourceVPCCidrBlock) find(ctx context.Context, id string) (vpcID, cidr string, err error) {
	out, err := call[api.DescribeVpcsOutput](ctx, t.s, "DescribeVpcs", &api.DescribeVpcsInput{
		Filters: []api.Filter{{Name: aws.Ptr("cidr-block-association.association-id"), Values: []string{id}}},
	})
	if err != nil {
		return "", "", err
	}
	for _, v := range out.Vpcs {
		for _, a := range v.CidrBlockAssociationSet {
			if aws.Val(a.AssociationId) == id {
				return aws.Val(v.VpcId), aws.Val(a.CidrBlock), nil
			}
		}
	}
	return "", "", stack.ErrNotFound
}

func (t resourceVPCCidrBlock) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, _, err := t.find(ctx, r.PhysicalID)
	return associationResult(r.PhysicalID), err
}

// Update is never called with a difference: each property makes another association.
func (t resourceVPCCidrBlock) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	return t.Read(ctx, r)
}

func (t resourceVPCCidrBlock) Delete(ctx context.Context, r stack.Request) error {
	_, err := call[api.DisassociateVpcCidrBlockOutput](ctx, t.s, "DisassociateVpcCidrBlock", &api.DisassociateVpcCidrBlockInput{AssociationId: &r.PhysicalID})
	return gone(err)
}

// Live implements stack.Live.
func (t resourceVPCCidrBlock) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	vpcID, cidr, err := t.find(ctx, r.PhysicalID)
	return map[string]any{"VpcId": vpcID, "CidrBlock": cidr}, err
}
