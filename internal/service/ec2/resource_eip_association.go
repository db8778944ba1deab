package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceEIPAssociation is AWS::EC2::EIPAssociation.
type resourceEIPAssociation struct{ s *Service }

type eipAssociationProperties struct {
	AllocationId       *string
	EIP                *string
	InstanceId         *string
	NetworkInterfaceId *string
	PrivateIpAddress   *string
}

func (resourceEIPAssociation) Schema() stack.Schema {
	sc := stack.SchemaOf(eipAssociationProperties{})
	sc.Attributes = []string{"Id"}
	return sc
}

func (t resourceEIPAssociation) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p eipAssociationProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	id, err := t.s.associate(ctx, &api.AssociateAddressInput{
		AllocationId: p.AllocationId, PublicIp: p.EIP, InstanceId: p.InstanceId, NetworkInterfaceId: p.NetworkInterfaceId, PrivateIpAddress: p.PrivateIpAddress,
	})
	if err != nil {
		return stack.Result{}, err
	}
	started(id)
	return associationResult(id), nil
}

// associate waits while the VPC is yet to get its gateway.
func (s *Service) associate(ctx context.Context, in *api.AssociateAddressInput) (string, error) {
	id := ""
	err := s.patiently(ctx, notAttachedYet, func() error {
		out, err := call[api.AssociateAddressOutput](ctx, s, "AssociateAddress", in)
		if err == nil {
			id = aws.Val(out.AssociationId)
		}
		return err
	})
	return id, err
}

func (t resourceEIPAssociation) find(ctx context.Context, id string) (*api.Address, error) {
	out, err := call[api.DescribeAddressesOutput](ctx, t.s, "DescribeAddresses", &api.DescribeAddressesInput{Filters: []api.Filter{{Name: aws.Ptr("association-id"), Values: []string{id}}}})
	if err != nil {
		return nil, err
	}
	if len(out.Addresses) == 0 {
		return nil, stack.ErrNotFound
	}
	return &out.Addresses[0], nil
}

func (t resourceEIPAssociation) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.find(ctx, r.PhysicalID)
	return associationResult(r.PhysicalID), err
}

// Update is never called with a difference: each property makes another association.
func (t resourceEIPAssociation) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	return t.Read(ctx, r)
}

func (t resourceEIPAssociation) Delete(ctx context.Context, r stack.Request) error {
	_, err := call[api.DisassociateAddressOutput](ctx, t.s, "DisassociateAddress", &api.DisassociateAddressInput{AssociationId: &r.PhysicalID})
	return gone(err)
}

// Live implements stack.Live.
func (t resourceEIPAssociation) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	a, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"AllocationId": liveText(a.AllocationId), "EIP": liveText(a.PublicIp), "InstanceId": liveText(a.InstanceId),
		"NetworkInterfaceId": liveText(a.NetworkInterfaceId), "PrivateIpAddress": liveText(a.PrivateIpAddress),
	}, nil
}
