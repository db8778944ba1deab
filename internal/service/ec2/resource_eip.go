package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceEIP is AWS::EC2::EIP. Ref and the physical id are the address.
type resourceEIP struct{ s *Service }

type eipProperties struct {
	Domain             *string `cfn:",createOnly"`
	InstanceId         *string
	PublicIpv4Pool     *string `cfn:",createOnly"`
	NetworkBorderGroup *string
	Tags               []stack.Tag
}

func (resourceEIP) Schema() stack.Schema {
	sc := stack.SchemaOf(eipProperties{})
	sc.Attributes = []string{"AllocationId", "PublicIp"}
	sc.Taggable = true
	return sc
}

func (t resourceEIP) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p eipProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.AllocateAddressOutput](ctx, t.s, "AllocateAddress", &api.AllocateAddressInput{
		Domain: api.DomainType(aws.Val(p.Domain)), PublicIpv4Pool: p.PublicIpv4Pool,
		TagSpecifications: []api.TagSpecification{{ResourceType: "elastic-ip", Tags: toAPITags(r.TagsWith(p.Tags))}},
	})
	if err != nil {
		return stack.Result{}, err
	}
	ip := aws.Val(out.PublicIp)
	started(ip)
	if p.InstanceId != nil {
		if _, err := t.s.associate(ctx, &api.AssociateAddressInput{AllocationId: out.AllocationId, InstanceId: p.InstanceId}); err != nil {
			return stack.Result{PhysicalID: ip}, err
		}
	}
	return eipResult(ip, aws.Val(out.AllocationId)), nil
}

func eipResult(ip, allocation string) stack.Result {
	return stack.Result{PhysicalID: ip, Attributes: map[string]any{"AllocationId": allocation, "PublicIp": ip}}
}

func (t resourceEIP) find(ctx context.Context, ip string) (*api.Address, error) {
	out, err := call[api.DescribeAddressesOutput](ctx, t.s, "DescribeAddresses", &api.DescribeAddressesInput{PublicIps: []string{ip}})
	if awserr.Is(err, "InvalidAddress.NotFound") {
		return nil, stack.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &out.Addresses[0], nil
}

func (t resourceEIP) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	a, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return stack.Result{}, err
	}
	return eipResult(r.PhysicalID, aws.Val(a.AllocationId)), nil
}

func (t resourceEIP) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old eipProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	a, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return stack.Result{}, err
	}
	if aws.Val(p.InstanceId) != aws.Val(a.InstanceId) {
		if err := t.move(ctx, a, p.InstanceId); err != nil {
			return stack.Result{}, err
		}
	}
	id := aws.Val(a.AllocationId)
	return eipResult(r.PhysicalID, id), t.s.syncTags(ctx, id, tagMap(r.OldTags, old.Tags), tagMap(r.Tags, p.Tags))
}

func (t resourceEIP) move(ctx context.Context, a *api.Address, to *string) error {
	if to != nil {
		_, err := t.s.associate(ctx, &api.AssociateAddressInput{AllocationId: a.AllocationId, InstanceId: to})
		return err
	}
	_, err := call[api.DisassociateAddressOutput](ctx, t.s, "DisassociateAddress", &api.DisassociateAddressInput{AssociationId: a.AssociationId})
	return err
}

func (t resourceEIP) Delete(ctx context.Context, r stack.Request) error {
	a, err := t.find(ctx, r.PhysicalID)
	if err == stack.ErrNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if a.AssociationId != nil {
		if err := t.move(ctx, a, nil); err != nil && !awserr.Is(err, "InvalidAssociationID.NotFound") {
			return err
		}
	}
	_, err = call[api.ReleaseAddressOutput](ctx, t.s, "ReleaseAddress", &api.ReleaseAddressInput{AllocationId: a.AllocationId})
	if awserr.Is(err, "InvalidAllocationID.NotFound") {
		return nil
	}
	return err
}
