package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/store"
)

// Clients that look at a network also ask for kinds of gateways that hardstand does
// not make. The truth about those is that there is none.

// none is a kind of part that no VPC has. Ids, filters and pages are judged as those of
// others.
func none[T any](absent func(id string) error, filters ...string) networkParts[T] {
	return networkParts[T]{absent, filters, func(*store.Tx, aws.Call) ([]networkPart[T], error) { return nil, nil }}
}

var vpnGatewayParts = none[api.VpnGateway](absentAs("InvalidVpnGatewayID", "vpnGateway ID"),
	"amazon-side-asn", "attachment.state", "attachment.vpc-id", "availability-zone", "state", "type", "vpn-gateway-id")

// DescribeVpnGateways lists no virtual private gateways.
func (s *Service) DescribeVpnGateways(ctx context.Context, in *api.DescribeVpnGatewaysInput) (*api.DescribeVpnGatewaysOutput, error) {
	list, _, err := describeParts(ctx, s, vpnGatewayParts, in.VpnGatewayIds, in.Filters, nil, nil)
	return &api.DescribeVpnGatewaysOutput{VpnGateways: list}, err
}

var peeringParts = none[api.VpcPeeringConnection](absentAs("InvalidVpcPeeringConnectionID", "vpcPeeringConnection ID"),
	"accepter-vpc-info.cidr-block", "accepter-vpc-info.owner-id", "accepter-vpc-info.vpc-id", "expiration-time", "requester-vpc-info.cidr-block",
	"requester-vpc-info.owner-id", "requester-vpc-info.vpc-id", "status-code", "status-message", "vpc-peering-connection-id")

// DescribeVpcPeeringConnections lists no peerings.
func (s *Service) DescribeVpcPeeringConnections(ctx context.Context, in *api.DescribeVpcPeeringConnectionsInput) (*api.DescribeVpcPeeringConnectionsOutput, error) {
	list, next, err := describeParts(ctx, s, peeringParts, in.VpcPeeringConnectionIds, in.Filters, in.NextToken, in.MaxResults)
	return &api.DescribeVpcPeeringConnectionsOutput{VpcPeeringConnections: list, NextToken: next}, err
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
