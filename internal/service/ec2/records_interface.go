package ec2

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/store"
)

// nic is a network interface. That of device 0 lives in its instance's row, all
// others have rows of their own.
type nic struct {
	ID, AttachmentID, VPC, Subnet, MAC string
	Private, Public                    netip.Addr
	// Allocation is the elastic address behind Public, or "", Association what binds it.
	Allocation, Association string
	Groups                  []string
	AutoPublic              bool
	// Forwards is set when source and destination are not checked.
	Forwards bool
	// Keep has the interface stay when the instance ends.
	Keep bool
	// Description and Tags are the interface's own.
	Description string
	Tags        map[string]string
	// Creator is the unique id of who made it, Made nil where nobody gave a token.
	Creator string
	Made    *madeInterface `json:",omitempty"`
}

// madeInterface is what CreateNetworkInterface remembers of its call.
type madeInterface struct{ Token, Hash string }

// same reports whether the network would treat n and o alike.
func (n nic) same(o nic) bool {
	return n.Public == o.Public && slices.Equal(n.Groups, o.Groups) && n.Forwards == o.Forwards
}

// networkInterface is an interface that is not the primary one of an instance.
type networkInterface struct {
	NIC  nic
	Zone string
	// Kind is what DescribeNetworkInterfaces calls the type.
	Kind string
	// Requester is the service that manages the interface, or "".
	Requester string
	// Up is set while the interface has a node of the server's own behind it.
	Up bool
	// Instance is what it is attached to, as device number Device, or "".
	Instance   string
	Device     int32
	AttachedAt time.Time
}

// used says whether the interface is in use, as its status shows.
func (r *networkInterface) used() bool { return r.Instance != "" || r.Requester != "" }

func (r *networkInterface) clone() *networkInterface {
	c := *r
	c.NIC.Tags = maps.Clone(r.NIC.Tags)
	return &c
}

var interfaces = store.Table[networkInterface]{
	Name: "ec2_network_interfaces", Version: 1, Clone: (*networkInterface).clone,
	Indexes: []store.Index[networkInterface]{
		{Name: "id", Unique: true, Value: func(k store.Key, _ *networkInterface) []string { return []string{k.ID} }},
		{Name: "private", Unique: true, Value: func(_ store.Key, v *networkInterface) []string {
			return []string{privateEntry(v.NIC.VPC, v.NIC.Private)}
		}},
		{Name: "public", Unique: true, Value: func(_ store.Key, v *networkInterface) []string { return v.NIC.automatic() }},
		{Name: "group", Value: func(_ store.Key, v *networkInterface) []string { return v.NIC.Groups }},
		{Name: "subnet", Value: func(_ store.Key, v *networkInterface) []string { return []string{v.NIC.Subnet} }},
		{Name: "instance", Value: func(_ store.Key, v *networkInterface) []string { return some(v.Instance) }},
		{Name: "attachment", Value: func(_ store.Key, v *networkInterface) []string { return some(v.NIC.AttachmentID) }},
		{Name: "token", Unique: true, Value: func(k store.Key, v *networkInterface) []string {
			if v.NIC.Made == nil {
				return nil
			}
			return token(k, v.NIC.Made.Token)
		}},
	},
}

// automatic is the public address that is not an elastic one.
func (n nic) automatic() []string {
	if !n.Public.IsValid() || n.Allocation != "" {
		return nil
	}
	return []string{n.Public.String()}
}

// some is an index entry for a value that may be empty.
func some(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// open tells whether the interface is a network load balancer's, which may have no
// security groups: all passes then. Their descriptions tell them from those of other
// load balancers.
func (r *networkInterface) open() bool {
	return r.Requester == balancerOwner && strings.HasPrefix(r.NIC.Description, "ELB net/")
}
