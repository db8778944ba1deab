package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// Clients that look at a network also ask for kinds of gateways that hardstand does
// not make. The truth about those is that there is none.

// noneOf is the answer to ids of things that cannot exist.
func noneOf(code, word string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	return awserr.New(code, "The %s '%s' does not exist", word, ids[0])
}

// DescribeVpnGateways lists no virtual private gateways.
func (s *Service) DescribeVpnGateways(_ context.Context, in *api.DescribeVpnGatewaysInput) (*api.DescribeVpnGatewaysOutput, error) {
	return &api.DescribeVpnGatewaysOutput{VpnGateways: []api.VpnGateway{}}, noneOf("InvalidVpnGatewayID.NotFound", "vpnGateway ID", in.VpnGatewayIds)
}

// DescribeNatGateways lists no NAT gateways.
func (s *Service) DescribeNatGateways(_ context.Context, in *api.DescribeNatGatewaysInput) (*api.DescribeNatGatewaysOutput, error) {
	return &api.DescribeNatGatewaysOutput{NatGateways: []api.NatGateway{}}, noneOf("NatGatewayNotFound", "NAT gateway", in.NatGatewayIds)
}

// DescribeVpcPeeringConnections lists no peerings.
func (s *Service) DescribeVpcPeeringConnections(_ context.Context, in *api.DescribeVpcPeeringConnectionsInput) (*api.DescribeVpcPeeringConnectionsOutput, error) {
	return &api.DescribeVpcPeeringConnectionsOutput{VpcPeeringConnections: []api.VpcPeeringConnection{}},
		noneOf("InvalidVpcPeeringConnectionID.NotFound", "vpcPeeringConnection ID", in.VpcPeeringConnectionIds)
}

// DescribeAddressesAttribute lists elastic addresses without reverse names: nobody
// can set one.
func (s *Service) DescribeAddressesAttribute(ctx context.Context, in *api.DescribeAddressesAttributeInput) (*api.DescribeAddressesAttributeOutput, error) {
	c := aws.CallFrom(ctx)
	var list []api.AddressAttribute
	err := s.db.View(ctx, func(tx *store.Tx) error {
		list = []api.AddressAttribute{}
		if len(in.AllocationIds) == 0 {
			return eachRow(tx, c, &addresses, func(_ string, a *address) { list = append(list, addressAttribute(a)) })
		}
		for _, id := range in.AllocationIds {
			a, err := findAddress(tx, c, &id, nil)
			if err != nil {
				return err
			}
			list = append(list, addressAttribute(a))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	list, next, err := paginate(list, func(a api.AddressAttribute) string { return *a.AllocationId }, in.NextToken, in.MaxResults)
	return &api.DescribeAddressesAttributeOutput{Addresses: list, NextToken: next}, err
}

func addressAttribute(a *address) api.AddressAttribute {
	return api.AddressAttribute{AllocationId: aws.Ptr(a.AllocationID), PublicIp: aws.Ptr(a.Public.String())}
}
