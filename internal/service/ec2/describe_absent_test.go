package ec2

import (
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
)

// TestAbsentKinds: an id of a thing that cannot exist is not found.
func TestAbsentKinds(t *testing.T) {
	w := newWorld(t)
	for operation, c := range map[string]struct {
		in   any
		want string
	}{
		"DescribeVpnGateways":           {&api.DescribeVpnGatewaysInput{VpnGatewayIds: []string{"vgw-0"}}, "InvalidVpnGatewayID.NotFound: The vpnGateway ID 'vgw-0' does not exist"},
		"DescribeVpcPeeringConnections": {&api.DescribeVpcPeeringConnectionsInput{VpcPeeringConnectionIds: []string{"pcx-0"}}, "InvalidVpcPeeringConnectionID.NotFound: The vpcPeeringConnection ID 'pcx-0' does not exist"},
		"DescribeVpcEndpoints":          {&api.DescribeVpcEndpointsInput{VpcEndpointIds: []string{"vpce-0"}}, "InvalidVpcEndpointId.NotFound: The Vpc Endpoint Id 'vpce-0' does not exist"},
		"DescribeAddressesAttribute":    {&api.DescribeAddressesAttributeInput{AllocationIds: []string{"eipalloc-0"}}, "InvalidAllocationID.NotFound: The allocation ID 'eipalloc-0' does not exist"},
	} {
		if got := refused(w, operation, c.in); got != c.want {
			t.Errorf("%s: %s", operation, got)
		}
	}
	eip := w.allocate()
	w.allocate()
	if all := do[api.DescribeAddressesAttributeOutput](w, "DescribeAddressesAttribute", &api.DescribeAddressesAttributeInput{}).Addresses; len(all) != 2 {
		t.Errorf("addresses %+v", all)
	}
	one := do[api.DescribeAddressesAttributeOutput](w, "DescribeAddressesAttribute", &api.DescribeAddressesAttributeInput{AllocationIds: []string{*eip.AllocationId}}).Addresses
	if len(one) != 1 || aws.Val(one[0].PublicIp) != *eip.PublicIp || one[0].PtrRecord != nil {
		t.Errorf("addresses %+v", one)
	}
}
