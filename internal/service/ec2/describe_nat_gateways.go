package ec2

import (
	"context"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

func noNAT(id string) error {
	return awserr.New("NatGatewayNotFound", "The Nat Gateway %s was not found", id)
}

func checkNATID(id string) error {
	if !strings.HasPrefix(id, "nat-") {
		return awserr.New("NatGatewayMalformed", "NatGateway Id '%s' is malformed", id)
	}
	return nil
}

var natParts = networkParts[api.NatGateway]{
	noNAT, []string{"nat-gateway-id", "state", "subnet-id", "vpc-id", "connectivity-type"},
	func(tx *store.Tx, c aws.Call) ([]networkPart[api.NatGateway], error) {
		out := []networkPart[api.NatGateway]{}
		err := eachRow(tx, c, &natGateways, func(id string, g *natGateway) {
			shown := apiNAT(*g)
			f := fields{"nat-gateway-id": {id}, "state": {g.State}, "subnet-id": {g.Subnet}, "vpc-id": {g.VPC}, "connectivity-type": {string(shown.ConnectivityType)}}
			out = append(out, networkPart[api.NatGateway]{id, shown, f.withTags(g.Tags)})
		})
		return out, err
	},
}

// DescribeNatGateways lists NAT gateways, those that were deleted or have failed within
// the last hour too.
func (s *Service) DescribeNatGateways(ctx context.Context, in *api.DescribeNatGatewaysInput) (*api.DescribeNatGatewaysOutput, error) {
	for _, id := range in.NatGatewayIds {
		if err := checkNATID(id); err != nil {
			return nil, err
		}
	}
	list, next, err := describeParts(ctx, s, natParts, in.NatGatewayIds, in.Filter, in.NextToken, in.MaxResults)
	return &api.DescribeNatGatewaysOutput{NatGateways: list, NextToken: next}, err
}

func apiNAT(g natGateway) api.NatGateway {
	out := api.NatGateway{
		NatGatewayId: aws.Ptr(g.ID), VpcId: aws.Ptr(g.VPC), SubnetId: aws.Ptr(g.Subnet), State: api.NatGatewayState(g.State), CreateTime: aws.Ptr(g.Created),
		ConnectivityType: "public", AvailabilityMode: "zonal", Tags: apiTags(g.Tags),
	}
	if g.Private {
		out.ConnectivityType = "private"
	}
	if g.State != natAvailable {
		out.DeleteTime = aws.Ptr(g.Ended)
	}
	if g.FailureCode != "" {
		out.FailureCode, out.FailureMessage = aws.Ptr(g.FailureCode), aws.Ptr(g.FailureMessage)
	}
	out.NatGatewayAddresses = []api.NatGatewayAddress{apiNATAddress(g)}
	return out
}

func apiNATAddress(g natGateway) api.NatGatewayAddress {
	a := api.NatGatewayAddress{IsPrimary: aws.Ptr(true), Status: "succeeded"}
	if g.Allocation != "" {
		a.AllocationId = aws.Ptr(g.Allocation)
	}
	if g.FailureCode != "" {
		a.Status, a.FailureMessage = "failed", aws.Ptr(g.FailureMessage)
		return a
	}
	a.NetworkInterfaceId, a.PrivateIp = aws.Ptr(g.Interface), aws.Ptr(g.Address.String())
	if g.Public.IsValid() {
		a.PublicIp, a.AssociationId = aws.Ptr(g.Public.String()), aws.Ptr(g.Association)
	}
	return a
}
