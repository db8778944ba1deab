package network

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// normalExits returns a copy with the longest destinations first, since the
// first exit that matches a packet decides.
func normalExits(exits []Exit) []Exit {
	exits = slices.Clone(exits)
	slices.SortFunc(exits, func(a, b Exit) int {
		if a.To.Bits() != b.To.Bits() {
			return b.To.Bits() - a.To.Bits()
		}
		if n := a.From.Compare(b.From); n != 0 {
			return n
		}
		return a.To.Compare(b.To)
	})
	return exits
}

// setExits brings the ways out to what is wanted. Connections by a way that is
// not there any more end, as their packets match no exit.
func (v *vpc) setExits(exits []Exit) error {
	for _, e := range exits {
		if !e.From.IsValid() || !e.From.Addr().Is4() || !e.To.IsValid() || !e.To.Addr().Is4() {
			return fmt.Errorf("VPC %s: the exit from %v to %v is not IPv4", v.id, e.From, e.To)
		}
	}
	exits = normalExits(exits)
	if slices.Equal(exits, v.exits) {
		return nil
	}
	if err := v.change(func(f *filter) error { f.setExits(exits); return nil }); err != nil {
		return fmt.Errorf("VPC %s: set exits: %w", v.id, err)
	}
	v.exits = exits
	return nil
}

// setExits queues the rules of the chain that each packet for the uplink passes,
// also those of connections that exist: a packet returns from it, or is refused
// as if there were no route.
func (f *filter) setExits(exits []Exit) {
	f.conn.FlushChain(&nftables.Chain{Table: f.table, Name: "exit"})
	for _, e := range exits {
		verdict := []expr.Any{verdict(expr.VerdictReturn, "")}
		if e.Closed {
			verdict = noRoute()
		}
		f.rule("exit", addressIn(12, e.From), addressIn(16, e.To), verdict)
	}
	f.rule("exit", noRoute())
}

// noRoute answers as a router without a route does.
func noRoute() []expr.Any {
	return []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMP_UNREACH, Code: 0}}
}

// resolverOf is the second address of the name server: the VPC's base plus two.
func resolverOf(cidr netip.Prefix) netip.Addr { return cidr.Masked().Addr().Next().Next() }

// addResolver queues the opening of the name server's second address.
func (f *filter) addResolver(a netip.Addr) error {
	return f.conn.SetAddElements(f.resolvers, []nftables.SetElement{{Key: a.AsSlice()}})
}
