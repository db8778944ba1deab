package ec2

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// CreateRoute adds a route to an internet gateway, a NAT gateway, an interface or an
// instance.
func (s *Service) CreateRoute(ctx context.Context, in *api.CreateRouteInput) (*api.CreateRouteOutput, error) {
	c := aws.CallFrom(ctx)
	err := s.changeRoute(ctx, api.ReplaceRouteInput{
		RouteTableId: in.RouteTableId, DestinationCidrBlock: in.DestinationCidrBlock, DestinationIpv6CidrBlock: in.DestinationIpv6CidrBlock,
		DestinationPrefixListId: in.DestinationPrefixListId, GatewayId: in.GatewayId, InstanceId: in.InstanceId, NetworkInterfaceId: in.NetworkInterfaceId,
		NatGatewayId: in.NatGatewayId, VpcPeeringConnectionId: in.VpcPeeringConnectionId, TransitGatewayId: in.TransitGatewayId,
		EgressOnlyInternetGatewayId: in.EgressOnlyInternetGatewayId, VpcEndpointId: in.VpcEndpointId, LocalGatewayId: in.LocalGatewayId,
		CarrierGatewayId: in.CarrierGatewayId, CoreNetworkArn: in.CoreNetworkArn, OdbNetworkArn: in.OdbNetworkArn,
	}, func(t *routeTable, r route) error {
		r.Token = c.Token
		if i := t.route(r.Destination); i >= 0 {
			if c.Token != "" && t.Routes[i] == r {
				return nil
			}
			return awserr.New("RouteAlreadyExists", "The route identified by %s already exists.", r.Destination)
		}
		if len(t.Routes) >= maxRoutes {
			return awserr.New("RouteLimitExceeded", "The maximum number of routes has been reached.")
		}
		t.Routes = append(t.Routes, r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateRouteOutput{Return: aws.Ptr(true)}, nil
}

// ReplaceRoute changes where a route leads.
func (s *Service) ReplaceRoute(ctx context.Context, in *api.ReplaceRouteInput) (*api.ReplaceRouteOutput, error) {
	err := s.changeRoute(ctx, *in, func(t *routeTable, r route) error {
		i := t.route(r.Destination)
		if i < 0 {
			return awserr.New("InvalidParameterValue", "There is no route defined for '%s' in the route table. Use CreateRoute instead.", r.Destination)
		}
		r.Token = t.Routes[i].Token
		t.Routes[i] = r
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.ReplaceRouteOutput{}, nil
}

func (s *Service) changeRoute(ctx context.Context, in api.ReplaceRouteInput, change func(*routeTable, route) error) error {
	c := aws.CallFrom(ctx)
	to, err := routeDestination(in.DestinationCidrBlock, in.DestinationIpv6CidrBlock, in.DestinationPrefixListId)
	if err != nil {
		return err
	}
	if err := routeTarget(&in); err != nil {
		return err
	}
	var v *vpc
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		var t *routeTable
		if v, t, err = vpcOfRouteTable(tx, c, aws.Val(in.RouteTableId)); err != nil {
			return err
		}
		if v.within(to) {
			if in.InstanceId != nil || in.NetworkInterfaceId != nil {
				return unsupported("DestinationCidrBlock within the VPC")
			}
			return awserr.New("InvalidParameterValue", "Route target is not supported. This route only supports interface and instance targets.")
		}
		r := route{Destination: to}
		if err := r.leadTo(tx, c, v, t.ID, &in); err != nil {
			return err
		}
		if err := change(t, r); err != nil {
			return err
		}
		emitPart(tx, c, t.ID, "route-changed")
		return vpcs.Put(tx, key(c, v.ID), v)
	})
	if err != nil {
		return err
	}
	return s.pushVPC(ctx, key(c, v.ID))
}

func routeDestination(v4, v6, list *string) (netip.Prefix, error) {
	if err := refuse(asked{"DestinationIpv6CidrBlock", v6 != nil}, asked{"DestinationPrefixListId", list != nil}); err != nil {
		return netip.Prefix{}, err
	}
	if aws.Val(v4) == "" {
		return netip.Prefix{}, missing("destinationCidrBlock")
	}
	return parseBlock(*v4, "destinationCidrBlock")
}

// routeTarget takes exactly one target, of a kind that hardstand has.
func routeTarget(in *api.ReplaceRouteInput) error {
	others := []asked{
		{"VpcPeeringConnectionId", in.VpcPeeringConnectionId != nil}, {"TransitGatewayId", in.TransitGatewayId != nil},
		{"EgressOnlyInternetGatewayId", in.EgressOnlyInternetGatewayId != nil}, {"VpcEndpointId", in.VpcEndpointId != nil},
		{"LocalGatewayId", in.LocalGatewayId != nil}, {"CarrierGatewayId", in.CarrierGatewayId != nil}, {"CoreNetworkArn", in.CoreNetworkArn != nil},
		{"OdbNetworkArn", in.OdbNetworkArn != nil}, {"LocalTarget", aws.Val(in.LocalTarget)},
	}
	n := 0
	for _, o := range others {
		if o.set {
			n++
		}
	}
	for _, id := range []*string{in.GatewayId, in.NatGatewayId, in.NetworkInterfaceId, in.InstanceId} {
		if aws.Val(id) != "" {
			n++
		}
	}
	switch {
	case n == 0:
		return awserr.New("MissingParameter", "The request must contain exactly one of gatewayId, natGatewayId, networkInterfaceId, vpcPeeringConnectionId, egressOnlyInternetGatewayId, transitGatewayId, localGatewayId, carrierGatewayId, vpcEndpointId, coreNetworkArn or instanceId")
	case n > 1:
		return awserr.New("InvalidParameterCombination", "Exactly one route target must be specified.")
	}
	return refuse(others...)
}

// leadTo looks for the target, which must be in the VPC of the route table.
func (r *route) leadTo(tx *store.Tx, c aws.Call, v *vpc, table string, in *api.ReplaceRouteInput) error {
	switch {
	case aws.Val(in.NatGatewayId) != "":
		r.NAT = *in.NatGatewayId
		g, err := natGateways.Get(tx, key(c, r.NAT))
		if isNotFound(err) || err == nil && g.State == natDeleted {
			return notFound("InvalidNatGatewayID", "natGateway ID", r.NAT)
		}
		if err == nil && g.VPC != v.ID {
			err = elsewhere(table, "nat gateway", r.NAT)
		}
		return err
	case aws.Val(in.NetworkInterfaceId) != "":
		h, err := findInterface(tx, c, *in.NetworkInterfaceId)
		if err == nil && h.VPC != v.ID {
			err = elsewhere(table, "interface", h.ID)
		}
		if err == nil {
			r.Interface = h.ID
		}
		return err
	case aws.Val(in.InstanceId) != "":
		return r.leadToInstance(tx, c, v, table, *in.InstanceId)
	}
	r.Gateway = *in.GatewayId
	return checkRouteGateway(tx, c, v, table, r.Gateway)
}

// leadToInstance takes the instance's interface, of which there must be one only.
func (r *route) leadToInstance(tx *store.Tx, c aws.Call, v *vpc, table, id string) error {
	m, err := getInstance(tx, c, id)
	if err != nil {
		return err
	}
	more, err := interfaces.Lookup(tx, "instance", id)
	switch {
	case err != nil:
		return err
	case m.State == stateTerminated:
		return notFound("InvalidInstanceID", "instance ID", id)
	case len(more) > 0:
		return manyInterfaces(id)
	case m.NIC.VPC != v.ID:
		return elsewhere(table, "interface", m.NIC.ID)
	}
	r.Interface = m.NIC.ID
	return nil
}

// manyInterfaces is the answer where an instance is named and an interface is meant.
func manyInterfaces(id string) error {
	return awserr.New("InvalidInstanceID", "There are multiple interfaces attached to instance '%s'. Please specify an interface ID for the operation instead.", id)
}

// elsewhere is the answer to a target in another VPC than the route table.
func elsewhere(table, word, id string) error {
	return awserr.New("InvalidParameterValue", "route table %s and %s %s belong to different networks", table, word, id)
}

// checkRouteGateway looks for the gateway, which must be attached to the VPC of the
// route table.
func checkRouteGateway(tx *store.Tx, c aws.Call, v *vpc, table, id string) error {
	_, err := gateways.Get(tx, key(c, id))
	switch {
	case isNotFound(err) && strings.HasPrefix(id, "igw-"):
		return notFound("InvalidInternetGatewayID", "internetGateway ID", id)
	case isNotFound(err):
		return notFound("InvalidGatewayID", "gateway ID", id)
	case err != nil:
		return err
	case v.InternetGateway != id:
		return elsewhere(table, "network gateway", id)
	}
	return nil
}

// DeleteRoute removes a route.
func (s *Service) DeleteRoute(ctx context.Context, in *api.DeleteRouteInput) (*api.DeleteRouteOutput, error) {
	c := aws.CallFrom(ctx)
	to, err := routeDestination(in.DestinationCidrBlock, in.DestinationIpv6CidrBlock, in.DestinationPrefixListId)
	if err != nil {
		return nil, err
	}
	var v *vpc
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		var t *routeTable
		if v, t, err = vpcOfRouteTable(tx, c, aws.Val(in.RouteTableId)); err != nil {
			return err
		}
		i := t.route(to)
		switch {
		case slices.Contains(v.blocks(), to):
			return awserr.New("InvalidParameterValue", "cannot remove local route %s in route table %s", to, t.ID)
		case i < 0:
			return awserr.New("InvalidRoute.NotFound", "no route with destination-cidr-block %s in route table %s", to, t.ID)
		}
		t.Routes = slices.Delete(t.Routes, i, i+1)
		emitPart(tx, c, t.ID, "route-changed")
		return vpcs.Put(tx, key(c, v.ID), v)
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteRouteOutput{}, s.pushVPC(ctx, key(c, v.ID))
}
