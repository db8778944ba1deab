package ec2

import (
	"net/netip"
	"time"

	"github.com/hardstand/hardstand/internal/store"
)

// States of a NAT gateway. One that is made is there at once; the answer to the call
// that made it says pending.
const (
	natAvailable = "available"
	natFailed    = "failed"
	natDeleted   = "deleted"
)

// natGateway is one row of ec2_nat_gateways. It can be described for an hour after it
// was deleted or has failed.
type natGateway struct {
	ID, VPC, Subnet, Zone string
	// Private gateways have no public address.
	Private                     bool
	State                       string
	FailureCode, FailureMessage string
	Interface                   string
	Address, Public             netip.Addr
	Allocation, Association     string
	Created, Ended              time.Time
	Tags                        map[string]string
	Token, Hash                 string
}

// open says whether the gateway lets anything out.
func (g *natGateway) open() bool { return g.State == natAvailable && !g.Private }

var natGateways = store.Table[natGateway]{
	Name: "ec2_nat_gateways", Version: 1,
	Indexes: []store.Index[natGateway]{
		{Name: "vpc", Value: func(_ store.Key, v *natGateway) []string { return []string{v.VPC} }},
		{Name: "ended", Value: func(_ store.Key, v *natGateway) []string {
			if v.State == natAvailable {
				return nil
			}
			return []string{v.State}
		}},
		{Name: "token", Unique: true, Value: func(k store.Key, v *natGateway) []string { return token(k, v.Token) }},
	},
}
