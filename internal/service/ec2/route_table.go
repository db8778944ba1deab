package ec2

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// CreateRouteTable makes a route table that has the local route only.
func (s *Service) CreateRouteTable(ctx context.Context, in *api.CreateRouteTableInput) (*api.CreateRouteTableOutput, error) {
	c := aws.CallFrom(ctx)
	tags, err := newTags(c, in.TagSpecifications, "route-table")
	if err != nil {
		return nil, err
	}
	t := routeTable{ID: ids.Resource("rtb"), Token: partToken(c, "route-table", in.ClientToken)}
	var v *vpc
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		if v, err = partMade(tx, c, t.Token, in.VpcId); v != nil || err != nil {
			return err
		}
		if v, err = getVPC(tx, c, aws.Val(in.VpcId)); err != nil {
			return err
		}
		if len(v.RouteTables) >= maxRouteTables {
			return awserr.New("RouteTableLimitExceeded", "The maximum number of route tables has been reached.")
		}
		v.RouteTables = append(v.RouteTables, t)
		v.setTags(t.ID, tags)
		emitPart(tx, c, t.ID, "route-table-created")
		return vpcs.Put(tx, key(c, v.ID), v)
	})
	if err != nil {
		return nil, err
	}
	made := v.RouteTables[slices.IndexFunc(v.RouteTables, func(o routeTable) bool { return o.ID == t.ID || t.Token != "" && o.Token == t.Token })]
	out := apiRouteTable(c, v, made, ways{})
	return &api.CreateRouteTableOutput{RouteTable: &out, ClientToken: in.ClientToken}, nil
}

// DeleteRouteTable removes a route table that no subnet uses.
func (s *Service) DeleteRouteTable(ctx context.Context, in *api.DeleteRouteTableInput) (*api.DeleteRouteTableOutput, error) {
	c := aws.CallFrom(ctx)
	id := aws.Val(in.RouteTableId)
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		v, _, err := vpcOfRouteTable(tx, c, id)
		if err != nil {
			return err
		}
		if id == v.MainRouteTable || slices.ContainsFunc(v.Subnets, func(o subnet) bool { return o.RouteTable == id }) {
			return inUse("routeTable", id)
		}
		v.RouteTables = slices.DeleteFunc(v.RouteTables, func(o routeTable) bool { return o.ID == id })
		v.forgetRouteTable(id)
		delete(v.Tags, id)
		emitPart(tx, c, id, "route-table-deleted")
		return vpcs.Put(tx, key(c, v.ID), v)
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteRouteTableOutput{}, nil
}

func associatedState() *api.RouteTableAssociationState {
	return &api.RouteTableAssociationState{State: "associated"}
}

// AssociateRouteTable has a subnet use a route table in place of the main one. A
// stack that replaces an association makes the new one while the old one is there.
func (s *Service) AssociateRouteTable(ctx context.Context, in *api.AssociateRouteTableInput) (*api.AssociateRouteTableOutput, error) {
	c := aws.CallFrom(ctx)
	id, subnetID := aws.Val(in.RouteTableId), aws.Val(in.SubnetId)
	if err := refuse(asked{"GatewayId", in.GatewayId != nil}, asked{"PublicIpv4Pool", in.PublicIpv4Pool != nil}); err != nil {
		return nil, err
	}
	if subnetID == "" {
		return nil, awserr.New("MissingParameter", "The request must contain the parameter subnetId or gatewayId")
	}
	var v *vpc
	association := ""
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if v, _, err = vpcOfRouteTable(tx, c, id); err != nil {
			return err
		}
		home, _, err := vpcOfSubnet(tx, c, subnetID)
		if err != nil {
			return err
		}
		if home.ID != v.ID {
			return awserr.New("InvalidParameterValue", "route table %s and subnet %s belong to different networks", id, subnetID)
		}
		sub := v.subnet(subnetID)
		if sub.RouteTable == id && !sameMaker(sub.RouteToken, c.Token) {
			association = sub.RouteAssociation
			return nil
		}
		if sub.RouteAssociation != "" && !sameMaker(sub.RouteToken, c.Token) {
			return awserr.New("Resource.AlreadyAssociated", "the specified association for route table %s conflicts with an existing association", id)
		}
		sub.Former = nil
		if sub.RouteAssociation != "" {
			sub.Former = &formerAssociation{ID: sub.RouteAssociation, RouteTable: sub.RouteTable, Token: sub.RouteToken}
		}
		association = ids.Resource("rtbassoc")
		sub.RouteTable, sub.RouteAssociation, sub.RouteToken = id, association, c.Token
		emitPart(tx, c, association, "route-table-associated")
		return vpcs.Put(tx, key(c, v.ID), v)
	})
	if err != nil {
		return nil, err
	}
	return &api.AssociateRouteTableOutput{AssociationId: &association, AssociationState: associatedState()}, s.pushVPC(ctx, key(c, v.ID))
}

// vpcOfAssociation returns the VPC and the subnet of an association; the subnet is
// nil for that of the main route table.
func vpcOfAssociation(tx *store.Tx, c aws.Call, id string) (*vpc, *subnet, error) {
	v, err := vpcOfPart(tx, c, id)
	if err == nil && (id == v.MainAssociation || v.associated(id) != nil) {
		return v, v.associated(id), nil
	}
	if err == nil || isNotFound(err) {
		err = notFound("InvalidAssociationID", "association ID", id)
	}
	return nil, nil, err
}

// DisassociateRouteTable has a subnet use the main route table again.
func (s *Service) DisassociateRouteTable(ctx context.Context, in *api.DisassociateRouteTableInput) (*api.DisassociateRouteTableOutput, error) {
	c := aws.CallFrom(ctx)
	id := aws.Val(in.AssociationId)
	var v *vpc
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		var sub *subnet
		var err error
		if v, sub, err = vpcOfAssociation(tx, c, id); err != nil {
			return err
		}
		if sub == nil {
			return awserr.New("InvalidParameterValue", "cannot disassociate the main route table association %s", id)
		}
		v.disassociate(sub, id)
		emitPart(tx, c, id, "route-table-disassociated")
		return vpcs.Put(tx, key(c, v.ID), v)
	})
	if err != nil {
		return nil, err
	}
	return &api.DisassociateRouteTableOutput{}, s.pushVPC(ctx, key(c, v.ID))
}

// ReplaceRouteTableAssociation changes the route table of a subnet, or the main one
// of the VPC.
func (s *Service) ReplaceRouteTableAssociation(ctx context.Context, in *api.ReplaceRouteTableAssociationInput) (*api.ReplaceRouteTableAssociationOutput, error) {
	c := aws.CallFrom(ctx)
	id, table := aws.Val(in.AssociationId), aws.Val(in.RouteTableId)
	next := ids.Resource("rtbassoc")
	var v *vpc
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		var sub *subnet
		var err error
		if v, sub, err = vpcOfAssociation(tx, c, id); err != nil {
			return err
		}
		target, _, err := vpcOfRouteTable(tx, c, table)
		if err != nil {
			return err
		}
		if target.ID != v.ID {
			return awserr.New("InvalidParameterValue", "route table %s and association %s belong to different networks", table, id)
		}
		switch {
		case sub == nil:
			v.MainRouteTable, v.MainAssociation = table, next
		case sub.RouteAssociation != id:
			return notFound("InvalidAssociationID", "association ID", id)
		case sub.RouteTable == table:
			next = id
			return nil
		default:
			sub.Former = nil
			sub.RouteTable, sub.RouteAssociation, sub.RouteToken = table, next, c.Token
		}
		emitPart(tx, c, next, "route-table-associated")
		return vpcs.Put(tx, key(c, v.ID), v)
	})
	if err != nil {
		return nil, err
	}
	return &api.ReplaceRouteTableAssociationOutput{NewAssociationId: &next, AssociationState: associatedState()}, s.pushVPC(ctx, key(c, v.ID))
}

var routeTableParts = networkParts[api.RouteTable]{
	absentAs("InvalidRouteTableID", "routeTable ID"), []string{"route-table-id", "vpc-id", "association.main", "association.route-table-association-id", "association.route-table-id", "association.subnet-id", "association.gateway-id", "owner-id", "route.gateway-id", "route.destination-cidr-block", "route.origin", "route.state",
		"route.nat-gateway-id", "route.instance-id", "route.vpc-peering-connection-id", "route.transit-gateway-id", "route.destination-ipv6-cidr-block", "route.destination-prefix-list-id", "route.egress-only-internet-gateway-id"},
	func(tx *store.Tx, c aws.Call) ([]networkPart[api.RouteTable], error) {
		rows, err := vpcs.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
		if err != nil {
			return nil, err
		}
		var out []networkPart[api.RouteTable]
		for _, r := range rows {
			w, err := r.Value.ways(tx, c)
			if err != nil {
				return nil, err
			}
			for _, t := range r.Value.RouteTables {
				shown := apiRouteTable(c, r.Value, t, w)
				out = append(out, networkPart[api.RouteTable]{t.ID, shown, routeTableFields(c, shown).withTags(r.Value.Tags[t.ID])})
			}
		}
		return out, nil
	},
}

func routeTableFields(c aws.Call, shown api.RouteTable) fields {
	f := fields{"route-table-id": {*shown.RouteTableId}, "vpc-id": {*shown.VpcId}, "owner-id": {c.Account}}
	for _, a := range shown.Associations {
		f.add("association.main", boolText(*a.Main))
		f.add("association.route-table-association-id", *a.RouteTableAssociationId)
		f.add("association.route-table-id", *shown.RouteTableId)
		if a.SubnetId != nil {
			f.add("association.subnet-id", *a.SubnetId)
		}
	}
	for _, r := range shown.Routes {
		f.add("route.origin", string(r.Origin))
		f.add("route.state", string(r.State))
		f.offer("route.destination-cidr-block", aws.Val(r.DestinationCidrBlock))
		f.offer("route.destination-prefix-list-id", aws.Val(r.DestinationPrefixListId))
		f.offer("route.gateway-id", aws.Val(r.GatewayId))
		f.offer("route.nat-gateway-id", aws.Val(r.NatGatewayId))
		f.offer("route.instance-id", aws.Val(r.InstanceId))
	}
	return f
}

func apiRouteTable(c aws.Call, v *vpc, t routeTable, w ways) api.RouteTable {
	out := api.RouteTable{
		RouteTableId: aws.Ptr(t.ID), VpcId: aws.Ptr(v.ID), OwnerId: aws.Ptr(c.Account), Tags: apiTags(v.Tags[t.ID]), PropagatingVgws: []api.PropagatingVgw{},
		Associations: []api.RouteTableAssociation{},
	}
	for _, b := range v.blocks() {
		out.Routes = append(out.Routes, api.Route{DestinationCidrBlock: aws.Ptr(b.String()), GatewayId: aws.Ptr("local"), Origin: "CreateRouteTable", State: "active"})
	}
	if t.ID == v.MainRouteTable {
		out.Associations = append(out.Associations, api.RouteTableAssociation{Main: aws.Ptr(true), RouteTableAssociationId: aws.Ptr(v.MainAssociation), RouteTableId: aws.Ptr(t.ID), AssociationState: associatedState()})
	}
	for _, sub := range v.Subnets {
		if sub.RouteTable == t.ID {
			out.Associations = append(out.Associations, api.RouteTableAssociation{Main: aws.Ptr(false), RouteTableAssociationId: aws.Ptr(sub.RouteAssociation), RouteTableId: aws.Ptr(t.ID), SubnetId: aws.Ptr(sub.ID), AssociationState: associatedState()})
		}
	}
	for _, r := range t.Routes {
		out.Routes = append(out.Routes, apiRoute(c, v, r, w))
	}
	out.Routes = append(out.Routes, v.endpointRoutes(t.ID)...)
	return out
}

func apiRoute(c aws.Call, v *vpc, r route, w ways) api.Route {
	out := api.Route{DestinationCidrBlock: aws.Ptr(r.Destination.String()), Origin: "CreateRoute", State: "blackhole"}
	switch {
	case r.NAT != "":
		out.NatGatewayId = aws.Ptr(r.NAT)
	case r.Interface != "":
		out.NetworkInterfaceId = aws.Ptr(r.Interface)
		if id := w.interfaces[r.Interface].instance; id != "" {
			out.InstanceId, out.InstanceOwnerId = aws.Ptr(id), aws.Ptr(c.Account)
		}
	default:
		out.GatewayId = aws.Ptr(r.Gateway)
	}
	if v.active(r, w) {
		out.State = "active"
	}
	return out
}

// DescribeRouteTables lists route tables.
func (s *Service) DescribeRouteTables(ctx context.Context, in *api.DescribeRouteTablesInput) (*api.DescribeRouteTablesOutput, error) {
	list, next, err := describeParts(ctx, s, routeTableParts, in.RouteTableIds, in.Filters, in.NextToken, in.MaxResults)
	return &api.DescribeRouteTablesOutput{RouteTables: list, NextToken: next}, err
}
