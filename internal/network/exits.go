package network

import (
	"errors"
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
	old := translations(v.exits)
	for _, a := range translations(exits) {
		if err := v.routePublic(a); err != nil {
			return err
		}
	}
	if err := v.change(func(f *filter) error { f.setExits(exits); return nil }); err != nil {
		return fmt.Errorf("VPC %s: set exits: %w", v.id, err)
	}
	v.exits = exits
	errs := []error{v.setDetours()}
	for _, a := range old {
		if !v.hasPublic(a) {
			errs = append(errs, v.unroutePublic(a))
		}
	}
	return errors.Join(errs...)
}

// translations lists the public addresses of the NAT gateways that exits lead to, each
// once, in order.
func translations(exits []Exit) []netip.Addr {
	return distinct(exits, func(e Exit) netip.Addr { return e.NAT })
}

// detours lists the interfaces that exits lead to, each once, in order.
func detours(exits []Exit) []netip.Addr {
	return distinct(exits, func(e Exit) netip.Addr { return e.Via })
}

func distinct(exits []Exit, of func(Exit) netip.Addr) []netip.Addr {
	var out []netip.Addr
	for _, e := range exits {
		if a := of(e); a.IsValid() {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

// hasPublic says whether the VPC uses a public address.
func (v *vpc) hasPublic(a netip.Addr) bool {
	for _, nic := range v.nics {
		if nic.Public == a {
			return true
		}
	}
	return slices.Contains(translations(v.exits), a)
}

// Marks of packets, which last as long as the packet is in the VPC's namespace: which
// NAT gateway translates it, or which interface it is led to.
const (
	firstTranslation = 1
	firstDetour      = 0x10000
)

// setExits queues the rules of the chain that each packet for the uplink passes,
// also those of connections that exist: a packet returns from it, or is refused
// as if there were no route.
func (f *filter) setExits(exits []Exit) {
	for _, chain := range []string{"exit", "translate", "detour"} {
		f.conn.FlushChain(&nftables.Chain{Table: f.table, Name: chain})
	}
	nats, vias := translations(exits), detours(exits)
	for _, e := range exits {
		f.rule("exit", addressIn(12, e.From), addressIn(16, e.To), exitVerdict(e, nats))
	}
	f.rule("exit", noRoute())
	for i, a := range nats {
		f.rule("translate", marked(firstTranslation+uint32(i)), []expr.Any{
			&expr.Immediate{Register: 1, Data: a.AsSlice()},
			&expr.NAT{Type: expr.NATTypeSourceNAT, Family: uint32(f.table.Family), RegAddrMin: 1}})
	}
	if len(vias) > 0 {
		f.setDetours(exits, vias)
	}
}

func exitVerdict(e Exit, nats []netip.Addr) []expr.Any {
	switch {
	case e.Closed || e.Via.IsValid():
		return noRoute()
	case e.NAT.IsValid():
		i, _ := slices.BinarySearchFunc(nats, e.NAT, netip.Addr.Compare)
		return append(mark(firstTranslation+uint32(i)), verdict(expr.VerdictReturn, ""))
	}
	return []expr.Any{verdict(expr.VerdictReturn, "")}
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
