package ec2

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/store"
)

// vpc is a virtual network with all that belongs to it: one row, so that what
// its parts say about each other changes as a whole.
type vpc struct {
	ID      string
	CIDR    netip.Prefix
	More    []cidrBlock
	Default bool
	// InternetGateway is the gateway that is attached, or "".
	InternetGateway string
	NACL, DHCP      string
	DefaultGroup    string
	// MainRouteTable serves the subnets that are associated with none.
	MainRouteTable, MainAssociation string
	RouteTables                     []routeTable
	Subnets                         []subnet
	Endpoints                       []vpcEndpoint
	ACLs                            []networkACL
	// NoDNS turns the VPC's name server off; HostNames gives its instances
	// public host names.
	NoDNS, HostNames bool
	// Dedicated VPCs have instances on hardware of their own, as all have here: the
	// machine is nobody else's.
	Dedicated bool
	Token     string
	// GatewayToken is that of the call that attached the gateway.
	GatewayToken string
	// Tags holds the tags of the VPC and of what belongs to it, by resource id.
	Tags map[string]map[string]string
}

type subnet struct {
	ID, Zone, ZoneID string
	CIDR             netip.Prefix
	NACLAssociation  string
	// NACL is the network ACL that it has been given, "" for the VPC's default one.
	NACL, ACLToken string
	FormerACL      *formerAssociation
	// Default is set for the zone's subnet in the default VPC.
	Default   bool
	MapPublic bool
	// RouteTable is the one it is associated with explicitly, or "".
	RouteTable, RouteAssociation string
	Token, RouteToken            string
	// Former is the association that a stack has replaced and may want back.
	Former *formerAssociation
}

// formerAssociation comes back when the one that took its place is removed, unless
// it has been removed itself: a stack that replaces an association makes the new one
// first, and then removes the old one or, to roll back, the new one.
type formerAssociation struct{ ID, RouteTable, Token string } // or a network ACL in place of the table

type routeTable struct {
	ID     string
	Routes []route
	Token  string
}

// route leads to an internet gateway, a NAT gateway or an interface; the local route is
// not stored.
type route struct {
	Destination             netip.Prefix
	Gateway, NAT, Interface string
	Token                   string
}

var vpcs = store.Table[vpc]{
	Name: "ec2_vpcs", Version: 2, Upgrade: upgradeVPC,
	Indexes: []store.Index[vpc]{
		{Name: "default", Unique: true, Value: func(k store.Key, v *vpc) []string {
			if !v.Default {
				return nil
			}
			return []string{scoped(k, "default")}
		}},
		{Name: "part", Unique: true, Value: func(_ store.Key, v *vpc) []string { return v.parts() }},
		{Name: "token", Unique: true, Value: func(k store.Key, v *vpc) []string {
			out := token(k, v.Token)
			for _, s := range v.Subnets {
				out = append(out, token(k, s.Token)...)
			}
			for _, t := range v.RouteTables {
				out = append(out, token(k, t.Token)...)
			}
			for _, e := range v.Endpoints {
				out = append(out, token(k, e.Token)...)
			}
			for _, a := range v.ACLs {
				out = append(out, token(k, a.Token)...)
			}
			return out
		}},
	},
}

// upgradeVPC gives the only route table of a default VPC, and its subnets, what
// the first version took for granted.
func upgradeVPC(_ int, doc []byte) ([]byte, error) {
	var v vpc
	if err := json.Unmarshal(doc, &v); err != nil {
		return nil, err
	}
	v.HostNames = true
	v.RouteTables = []routeTable{{ID: v.MainRouteTable, Routes: []route{{Destination: everywhere, Gateway: v.InternetGateway}}}}
	for i := range v.Subnets {
		v.Subnets[i].Default, v.Subnets[i].MapPublic = true, true
	}
	return json.Marshal(v)
}

// tenancy is that of the VPC, and of the instances that are launched into it.
func (v *vpc) tenancy() string {
	if v.Dedicated {
		return "dedicated"
	}
	return "default"
}

// parts lists the ids of what belongs to the VPC and to nothing else.
func (v *vpc) parts() []string {
	out := []string{v.MainAssociation, v.NACL}
	if v.InternetGateway != "" {
		out = append(out, v.InternetGateway)
	}
	for _, s := range v.Subnets {
		out = append(out, s.ID)
		if s.RouteAssociation != "" {
			out = append(out, s.RouteAssociation)
		}
		if s.Former != nil {
			out = append(out, s.Former.ID)
		}
	}
	for _, t := range v.RouteTables {
		out = append(out, t.ID)
	}
	for _, e := range v.Endpoints {
		out = append(out, e.ID)
	}
	for _, b := range v.More {
		out = append(out, b.ID)
	}
	for _, a := range v.ACLs {
		if a.ID != v.NACL {
			out = append(out, a.ID)
		}
	}
	return out
}

// owns says whether the tags of id are kept with the VPC.
func (v *vpc) owns(id string) bool {
	return id == v.ID || id == v.DHCP || !strings.HasPrefix(id, "igw-") && !strings.HasPrefix(id, "vpc-cidr-") && slices.Contains(v.parts(), id)
}

func (v *vpc) subnet(id string) *subnet {
	i := slices.IndexFunc(v.Subnets, func(s subnet) bool { return s.ID == id })
	if i < 0 {
		return nil
	}
	return &v.Subnets[i]
}

func (v *vpc) routeTable(id string) *routeTable {
	i := slices.IndexFunc(v.RouteTables, func(t routeTable) bool { return t.ID == id })
	if i < 0 {
		return nil
	}
	return &v.RouteTables[i]
}

// associated returns the subnet behind an association with a route table, also a
// former one.
func (v *vpc) associated(id string) *subnet {
	i := slices.IndexFunc(v.Subnets, func(s subnet) bool { return s.RouteAssociation == id || s.Former != nil && s.Former.ID == id })
	if i < 0 {
		return nil
	}
	return &v.Subnets[i]
}

// disassociate ends an association. The one that it replaced comes back.
func (v *vpc) disassociate(s *subnet, id string) {
	former := s.Former
	s.Former = nil
	if former != nil && former.ID == id {
		return
	}
	s.RouteTable, s.RouteAssociation, s.RouteToken = "", "", ""
	if former != nil && v.routeTable(former.RouteTable) != nil {
		s.RouteTable, s.RouteAssociation, s.RouteToken = former.RouteTable, former.ID, former.Token
	}
}

// routesOf returns the route table that serves a subnet.
func (v *vpc) routesOf(s *subnet) *routeTable {
	if s.RouteTable != "" {
		return v.routeTable(s.RouteTable)
	}
	return v.routeTable(v.MainRouteTable)
}

func (t *routeTable) route(to netip.Prefix) int {
	return slices.IndexFunc(t.Routes, func(r route) bool { return r.Destination == to })
}

// gateway is an internet gateway. What it is attached to is in the VPC's row.
type gateway struct {
	ID    string
	Tags  map[string]string
	Token string
}

var gateways = store.Table[gateway]{
	Name: "ec2_internet_gateways", Version: 1,
	Indexes: []store.Index[gateway]{
		{Name: "token", Unique: true, Value: func(k store.Key, v *gateway) []string { return token(k, v.Token) }},
	},
}

// defaultGone marks an account and region whose default VPC was deleted, so that
// its next use does not make another.
type defaultGone struct{}

var defaultsGone = store.Table[defaultGone]{Name: "ec2_default_vpcs_deleted", Version: 1}
