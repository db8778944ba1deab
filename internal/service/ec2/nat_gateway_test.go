package ec2

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/network"
)

func (w *world) nat(subnetID string, edit func(*api.CreateNatGatewayInput)) *api.NatGateway {
	w.t.Helper()
	in := &api.CreateNatGatewayInput{SubnetId: &subnetID}
	if edit != nil {
		edit(in)
	}
	return do[api.CreateNatGatewayOutput](w, "CreateNatGateway", in).NatGateway
}

func (w *world) natNow(id string) api.NatGateway {
	w.t.Helper()
	return do[api.DescribeNatGatewaysOutput](w, "DescribeNatGateways", &api.DescribeNatGatewaysInput{NatGatewayIds: []string{id}}).NatGateways[0]
}

func (w *world) route(table, to string, edit func(*api.CreateRouteInput)) {
	w.t.Helper()
	in := &api.CreateRouteInput{RouteTableId: &table, DestinationCidrBlock: &to}
	edit(in)
	do[api.CreateRouteOutput](w, "CreateRoute", in)
}

// TestNatGateway follows a NAT gateway: its interface and address, the route to it, what
// is in its way, and what is left of it.
func TestNatGateway(t *testing.T) {
	w := newWorld(t)
	w.run()
	l := w.lan()
	w.running(inSubnet(l.private))
	eip := w.allocate()
	made := w.nat(l.public, func(in *api.CreateNatGatewayInput) {
		in.AllocationId, in.ClientToken, in.TagSpecifications = eip.AllocationId, aws.Ptr("once"), named("natgateway")
	})
	if made.State != "pending" || *made.VpcId != l.vpc || *made.SubnetId != l.public || made.ConnectivityType != "public" {
		t.Errorf("made %+v", made)
	}
	id := *made.NatGatewayId
	g := w.natNow(id)
	a := g.NatGatewayAddresses[0]
	if g.State != "available" || *a.AllocationId != *eip.AllocationId || *a.PublicIp != *eip.PublicIp || !*a.IsPrimary || *g.Tags[0].Value != "lan" {
		t.Errorf("the gateway is %+v", g)
	}
	n := w.networkInterface(*a.NetworkInterfaceId)
	if n.InterfaceType != "nat_gateway" || !*n.RequesterManaged || n.Status != "in-use" || *n.Description != "Interface for NAT Gateway "+id || *n.PrivateIpAddress != *a.PrivateIp || *n.Association.AllocationId != *eip.AllocationId {
		t.Errorf("its interface is %+v", n)
	}
	w.route(l.main, "0.0.0.0/0", func(in *api.CreateRouteInput) { in.NatGatewayId = &id })
	if diff := cmp.Diff([]network.Exit{
		{From: netip.MustParsePrefix("10.0.1.0/24"), To: everywhere},
		{From: netip.MustParsePrefix("10.0.2.0/24"), To: everywhere, NAT: netip.MustParseAddr(*eip.PublicIp)},
	}, w.exits(l.vpc), compareAddresses); diff != "" {
		t.Errorf("ways out (-want +got):\n%s", diff)
	}
	r := w.tables(filter("route.nat-gateway-id", id))
	if len(r) != 1 || *r[0].Routes[1].NatGatewayId != id || r[0].Routes[1].State != "active" || r[0].Routes[1].GatewayId != nil {
		t.Errorf("route tables with the gateway: %+v", r)
	}
	w.natInTheWay(l, eip, a)
	if got := do[api.DeleteNatGatewayOutput](w, "DeleteNatGateway", &api.DeleteNatGatewayInput{NatGatewayId: &id}); *got.NatGatewayId != id {
		t.Errorf("deleted %s", *got.NatGatewayId)
	}
	if r := w.tables(filter("route-table-id", l.main)); r[0].Routes[1].State != "blackhole" {
		t.Errorf("the route is %+v", r[0].Routes[1])
	}
	if exits := w.exits(l.vpc); !exits[1].Closed || exits[1].NAT.IsValid() {
		t.Errorf("ways out %+v", exits)
	}
	if g := w.natNow(id); g.State != "deleted" || g.DeleteTime == nil {
		t.Errorf("the gateway is %+v", g)
	}
	do[api.ReleaseAddressOutput](w, "ReleaseAddress", &api.ReleaseAddressInput{AllocationId: eip.AllocationId})
	w.forgotten(id)
}

// compareAddresses lets cmp look into addresses.
var compareAddresses = cmp.Options{cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{})}

func (w *world) exits(vpcID string) []network.Exit {
	w.t.Helper()
	v, ok := w.net.vpc(vpcID)
	if !ok {
		w.t.Fatalf("the network does not know %s", vpcID)
	}
	return v.Exits
}

// natInTheWay: while a gateway is there, what it uses stays.
func (w *world) natInTheWay(l lan, eip *api.AllocateAddressOutput, a api.NatGatewayAddress) {
	w.t.Helper()
	free := w.newInterface(l.private, nil)
	for operation, c := range map[string]struct {
		in   any
		want string
	}{
		"AssociateAddress":       {&api.AssociateAddressInput{AllocationId: eip.AllocationId, NetworkInterfaceId: free.NetworkInterfaceId}, "AuthFailure: You do not have permission to access the specified resource."},
		"DisassociateAddress":    {&api.DisassociateAddressInput{AssociationId: a.AssociationId}, "AuthFailure: You do not have permission to access the specified resource."},
		"ReleaseAddress":         {&api.ReleaseAddressInput{AllocationId: eip.AllocationId}, "InvalidIPAddress.InUse: Address " + *eip.PublicIp + " is in use."},
		"DeleteNetworkInterface": {&api.DeleteNetworkInterfaceInput{NetworkInterfaceId: a.NetworkInterfaceId}, "InvalidParameterValue: Network interface '" + *a.NetworkInterfaceId + "' is currently in use."},
		"DeleteSubnet":           {&api.DeleteSubnetInput{SubnetId: &l.public}, "DependencyViolation: The subnet '" + l.public + "' has dependencies and cannot be deleted."},
		"DetachInternetGateway":  {&api.DetachInternetGatewayInput{InternetGatewayId: &l.gateway, VpcId: &l.vpc}, "DependencyViolation: Network " + l.vpc + " has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."},
	} {
		if got := refused(w, operation, c.in); got != c.want {
			w.t.Errorf("%s: %s", operation, got)
		}
	}
}

// forgotten: a gateway that ended can be described for an hour.
func (w *world) forgotten(id string) {
	w.t.Helper()
	w.clock.Advance(keepTerminated + time.Minute)
	if err := w.svc.dropEnded(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	if got := refused(w, "DescribeNatGateways", &api.DescribeNatGatewaysInput{NatGatewayIds: []string{id}}); got != "NatGatewayNotFound: The Nat Gateway "+id+" was not found" {
		w.t.Error(got)
	}
}

// TestNatGatewayFails: a gateway that cannot work is made and has failed.
func TestNatGatewayFails(t *testing.T) {
	w := newWorld(t)
	l := w.lan()
	eip := w.allocate()
	id := *w.newInterface(l.public, nil).NetworkInterfaceId
	do[api.AssociateAddressOutput](w, "AssociateAddress", &api.AssociateAddressInput{AllocationId: eip.AllocationId, NetworkInterfaceId: &id})
	bare := *do[api.CreateVpcOutput](w, "CreateVpc", &api.CreateVpcInput{CidrBlock: aws.Ptr("10.0.0.0/16")}).Vpc.VpcId
	for _, c := range []struct{ subnet, allocation, code, message string }{
		{l.public, *eip.AllocationId, "Resource.AlreadyAssociated", "Elastic IP address " + *eip.AllocationId + " is already associated"},
		{w.subnet(bare, "10.0.1.0/24"), *w.allocate().AllocationId, "Gateway.NotAttached", "Network " + bare + " has no Internet gateway attached"},
	} {
		g := w.natNow(*w.nat(c.subnet, func(in *api.CreateNatGatewayInput) { in.AllocationId = &c.allocation }).NatGatewayId)
		if g.State != "failed" || *g.FailureCode != c.code || *g.FailureMessage != c.message || g.NatGatewayAddresses[0].Status != "failed" {
			t.Errorf("the gateway is %+v", g)
		}
		do[api.DeleteNatGatewayOutput](w, "DeleteNatGateway", &api.DeleteNatGatewayInput{NatGatewayId: g.NatGatewayId})
	}
	private := w.natNow(*w.nat(l.private, func(in *api.CreateNatGatewayInput) {
		in.ConnectivityType, in.PrivateIpAddress = "private", aws.Ptr("10.0.2.77")
	}).NatGatewayId)
	if a := private.NatGatewayAddresses[0]; private.State != "available" || *a.PrivateIp != "10.0.2.77" || a.PublicIp != nil || a.AllocationId != nil {
		t.Errorf("the private gateway is %+v", private)
	}
}

// TestWaysBeyondNat: what goes to a NAT gateway gets out by the routes of the gateway's
// own subnet, unless the subnet has a more specific route itself.
func TestWaysBeyondNat(t *testing.T) {
	p, nat := netip.MustParsePrefix, &natGateway{ID: "nat-1", Subnet: "subnet-public", State: natAvailable, Public: netip.MustParseAddr("198.18.0.9")}
	const igw = "igw-1"
	for _, c := range []struct {
		name          string
		own, onward   []route
		want          []network.Exit // of the private subnet
		private, gone bool
	}{
		{name: "all by the gateway", own: []route{{Destination: everywhere, NAT: "nat-1"}}, onward: []route{{Destination: everywhere, Gateway: igw}},
			want: []network.Exit{{To: everywhere, NAT: nat.Public}}},
		{name: "no way onward", own: []route{{Destination: everywhere, NAT: "nat-1"}}, want: []network.Exit{{To: everywhere, Closed: true}}},
		{name: "a part only", own: []route{{Destination: everywhere, NAT: "nat-1"}}, onward: []route{{Destination: p("8.0.0.0/8"), Gateway: igw}},
			want: []network.Exit{{To: everywhere, Closed: true}, {To: p("8.0.0.0/8"), NAT: nat.Public}}},
		{name: "a hole", own: []route{{Destination: everywhere, NAT: "nat-1"}}, onward: []route{{Destination: everywhere, Gateway: igw}, {Destination: p("8.0.0.0/8"), Gateway: "igw-gone"}},
			want: []network.Exit{{To: everywhere, NAT: nat.Public}, {To: p("8.0.0.0/8"), Closed: true}}},
		{name: "more specific of its own", own: []route{{Destination: everywhere, NAT: "nat-1"}, {Destination: p("8.0.0.0/8"), Gateway: igw}}, onward: []route{{Destination: everywhere, Gateway: igw}, {Destination: p("8.1.0.0/16"), Gateway: "igw-gone"}},
			want: []network.Exit{{To: everywhere, NAT: nat.Public}, {To: p("8.0.0.0/8")}}},
		{name: "private gateway", private: true, own: []route{{Destination: everywhere, NAT: "nat-1"}}, onward: []route{{Destination: everywhere, Gateway: igw}},
			want: []network.Exit{{To: everywhere, Closed: true}}},
		{name: "deleted gateway", gone: true, own: []route{{Destination: everywhere, NAT: "nat-1"}}, onward: []route{{Destination: everywhere, Gateway: igw}},
			want: []network.Exit{{To: everywhere, Closed: true}}},
		{name: "in a circle", own: []route{{Destination: everywhere, NAT: "nat-1"}}, onward: []route{{Destination: everywhere, NAT: "nat-1"}},
			want: []network.Exit{{To: everywhere, Closed: true}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := *nat
			g.Private = c.private
			v := &vpc{InternetGateway: igw, RouteTables: []routeTable{{ID: "own", Routes: c.own}, {ID: "onward", Routes: c.onward}},
				Subnets: []subnet{{ID: "subnet-public", CIDR: p("10.0.1.0/24"), RouteTable: "onward"}, {ID: "subnet-private", CIDR: p("10.0.2.0/24"), RouteTable: "own"}}}
			w := ways{nats: map[string]*natGateway{"nat-1": &g}}
			if c.gone {
				w = ways{}
			}
			var got []network.Exit
			for _, e := range v.exits(w) {
				if e.From == p("10.0.2.0/24") {
					e.From = netip.Prefix{}
					got = append(got, e)
				}
			}
			if diff := cmp.Diff(c.want, got, compareAddresses); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestRouteToInterface: a route leads to an interface while its instance runs, and says
// which instance that is.
func TestRouteToInterface(t *testing.T) {
	w := newWorld(t)
	w.run()
	l := w.lan()
	w.running(inSubnet(l.private))
	id := w.running(inSubnet(l.public))
	nic := w.row(id).NIC
	w.route(l.main, "0.0.0.0/0", func(in *api.CreateRouteInput) { in.InstanceId = &id })
	w.route(l.main, "8.0.0.0/8", func(in *api.CreateRouteInput) { in.NetworkInterfaceId = &nic.ID })
	shown := w.tables(filter("route.instance-id", id))[0].Routes[1]
	if *shown.NetworkInterfaceId != nic.ID || *shown.InstanceId != id || *shown.InstanceOwnerId != testAccount || shown.State != "active" {
		t.Errorf("the route is %+v", shown)
	}
	led := func() bool {
		v, _ := w.net.vpc(l.vpc)
		for _, e := range v.Exits {
			if e.From == netip.MustParsePrefix("10.0.2.0/24") && (e.Via != nic.Private || e.Closed) {
				return false
			}
		}
		return true
	}
	if !led() {
		t.Errorf("ways out %+v", w.exits(l.vpc))
	}
	w.stop(id)
	w.await(id, stateStopped)
	if shown := w.tables(filter("route-table-id", l.main))[0].Routes[1]; shown.State != "blackhole" {
		t.Errorf("with a stopped instance the route is %s", shown.State)
	}
	w.eventually("the way closes", w.net.change, func() bool { return !led() })
	w.start(id)
	w.await(id, stateRunning)
	w.eventually("the way opens again", w.net.change, led)
}

// TestRouteTargetRefusals holds EC2's own words.
func TestRouteTargetRefusals(t *testing.T) {
	w := newWorld(t)
	w.run()
	l, other := w.lan(), w.lan()
	eip := w.allocate()
	foreign := *w.nat(other.public, func(in *api.CreateNatGatewayInput) { in.AllocationId = eip.AllocationId }).NatGatewayId
	far := *w.newInterface(other.public, nil).NetworkInterfaceId
	gone := *w.nat(other.public, func(in *api.CreateNatGatewayInput) { in.ConnectivityType = "private" }).NatGatewayId
	do[api.DeleteNatGatewayOutput](w, "DeleteNatGateway", &api.DeleteNatGatewayInput{NatGatewayId: &gone})
	for _, c := range []struct {
		in   api.CreateRouteInput
		want string
	}{
		{api.CreateRouteInput{}, "MissingParameter: The request must contain exactly one of gatewayId, natGatewayId, networkInterfaceId, vpcPeeringConnectionId, egressOnlyInternetGatewayId, transitGatewayId, localGatewayId, carrierGatewayId, vpcEndpointId, coreNetworkArn or instanceId"},
		{api.CreateRouteInput{NatGatewayId: &foreign, GatewayId: &l.gateway}, "InvalidParameterCombination: Exactly one route target must be specified."},
		{api.CreateRouteInput{NatGatewayId: aws.Ptr("nat-0")}, "InvalidNatGatewayID.NotFound: The natGateway ID 'nat-0' does not exist"},
		{api.CreateRouteInput{NatGatewayId: &gone}, "InvalidNatGatewayID.NotFound: The natGateway ID '" + gone + "' does not exist"},
		{api.CreateRouteInput{NatGatewayId: &foreign}, "InvalidParameterValue: route table " + l.table + " and nat gateway " + foreign + " belong to different networks"},
		{api.CreateRouteInput{NetworkInterfaceId: aws.Ptr("eni-0")}, "InvalidNetworkInterfaceID.NotFound: The networkInterface ID 'eni-0' does not exist"},
		{api.CreateRouteInput{NetworkInterfaceId: &far}, "InvalidParameterValue: route table " + l.table + " and interface " + far + " belong to different networks"},
		{api.CreateRouteInput{InstanceId: aws.Ptr("i-00000000000000000")}, "InvalidInstanceID.NotFound: The instance ID 'i-00000000000000000' does not exist"},
		{api.CreateRouteInput{TransitGatewayId: aws.Ptr("tgw-0")}, "UnsupportedOperation: The parameter TransitGatewayId is not supported by hardstand."},
	} {
		c.in.RouteTableId, c.in.DestinationCidrBlock = &l.table, aws.Ptr("9.0.0.0/8")
		if got := refused(w, "CreateRoute", &c.in); got != c.want {
			t.Errorf("%s\nwant\n%s", got, c.want)
		}
	}
}

// TestNatRefusals holds EC2's own words.
func TestNatRefusals(t *testing.T) {
	w := newWorld(t)
	l := w.lan()
	eip := w.allocate()
	for _, c := range []struct {
		operation string
		in        any
		want      string
	}{
		{"CreateNatGateway", &api.CreateNatGatewayInput{SubnetId: &l.public}, "MissingParameter: The request must include the AllocationId parameter. Add the required parameter and retry the request."},
		{"CreateNatGateway", &api.CreateNatGatewayInput{AllocationId: eip.AllocationId}, "MissingParameter: The request must contain the parameter subnetId"},
		{"CreateNatGateway", &api.CreateNatGatewayInput{SubnetId: aws.Ptr("subnet-0"), AllocationId: eip.AllocationId}, "InvalidSubnet: Subnet subnet-0 was not found"},
		{"CreateNatGateway", &api.CreateNatGatewayInput{SubnetId: &l.public, AllocationId: aws.Ptr("eipalloc-0")}, "InvalidAllocationID.NotFound: The allocation ID 'eipalloc-0' does not exist"},
		{"CreateNatGateway", &api.CreateNatGatewayInput{SubnetId: &l.public, AllocationId: eip.AllocationId, ConnectivityType: "private"}, "InvalidParameterCombination: The parameter AllocationId cannot be used with the connectivity type private."},
		{"CreateNatGateway", &api.CreateNatGatewayInput{SubnetId: &l.public, AllocationId: eip.AllocationId, AvailabilityMode: "regional"}, "UnsupportedOperation: The parameter AvailabilityMode=regional is not supported by hardstand."},
		{"CreateNatGateway", &api.CreateNatGatewayInput{SubnetId: &l.public, AllocationId: eip.AllocationId, TagSpecifications: named("vpc")}, "InvalidParameterValue: 'vpc' is not a valid taggable resource type for this operation."},
		{"DeleteNatGateway", &api.DeleteNatGatewayInput{NatGatewayId: aws.Ptr("nat-0")}, "NatGatewayNotFound: The Nat Gateway nat-0 was not found"},
		{"DescribeNatGateways", &api.DescribeNatGatewaysInput{NatGatewayIds: []string{"x"}}, "NatGatewayMalformed: NatGateway Id 'x' is malformed"},
		{"DescribeNatGateways", &api.DescribeNatGatewaysInput{Filter: []api.Filter{filter("colour", "red")}}, "InvalidParameterValue: The filter 'colour' is invalid"},
		{"DescribeVpcEndpoints", &api.DescribeVpcEndpointsInput{Filters: []api.Filter{filter("colour", "red")}}, "InvalidParameterValue: The filter 'colour' is invalid"},
		{"DescribeVpcPeeringConnections", &api.DescribeVpcPeeringConnectionsInput{MaxResults: aws.Ptr[int32](1)}, "InvalidParameterValue: Value ( 1 ) for parameter maxResults is invalid. Expecting a value greater than or equal to 5."},
	} {
		if got := refused(w, c.operation, c.in); got != c.want {
			t.Errorf("%s: %s\nwant\n%s", c.operation, got, c.want)
		}
	}
}
