package network

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A route to an interface is a detour: packets from a subnet are marked before they are
// routed, and what is marked is routed by a table of its own that holds one route, to
// the interface. Where that is not attached the table is empty, and the packet goes
// on to the uplink, where the exit turns it away.

// setDetours queues the marks. What comes from the interface itself is on its way on.
func (f *filter) setDetours(exits []Exit, vias []netip.Addr) {
	for _, e := range exits {
		then := []expr.Any{verdict(expr.VerdictReturn, "")}
		if i, led := slices.BinarySearchFunc(vias, e.Via, netip.Addr.Compare); led {
			own := linkIs(expr.MetaKeyIIFNAME, linkFor(f.table.Name, e.Via))
			f.rule("detour", addressIn(12, e.From), addressIn(16, e.To), own, then)
			then = append(mark(firstDetour+uint32(i)), then...)
		}
		f.rule("detour", addressIn(12, e.From), addressIn(16, e.To), then)
	}
}

// mark sets the mark of a packet.
func mark(n uint32) []expr.Any {
	return []expr.Any{
		&expr.Immediate{Register: 1, Data: binaryutil.NativeEndian.PutUint32(n)},
		&expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: 1},
	}
}

// marked matches the mark of a packet.
func marked(n uint32) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyMARK, Register: 1}, equal(1, binaryutil.NativeEndian.PutUint32(n))}
}

// anyMark matches packets that have one.
func anyMark() []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyMARK, Register: 1},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)}}
}

// setDetours brings the kernel's rules and tables to what the exits say and to which
// interfaces are attached.
func (v *vpc) setDetours() error {
	vias := detours(v.exits)
	rules, err := v.route.RuleList(netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("VPC %s: list rules: %w", v.id, err)
	}
	var errs []error
	there, local := map[int]bool{}, false
	for _, r := range rules {
		i := int(r.Mark) - firstDetour
		local = local || r.Priority == localPriority
		switch {
		case i >= 0 && i < len(vias):
			there[i] = true
		case i >= 0:
			errs = append(errs, v.route.RuleDel(&r))
		}
	}
	if len(vias) > 0 && !local {
		errs = append(errs, v.route.RuleAdd(localRule()))
	}
	for i, via := range vias {
		if !there[i] {
			errs = append(errs, v.route.RuleAdd(detourRule(i)))
		}
		errs = append(errs, v.routeDetour(i, via))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("VPC %s: set detours: %w", v.id, err)
	}
	return nil
}

// detourPriority has the rules of detours come before the one of the main table, and
// localPriority the VPC's own ranges before them: no route leads what is for the VPC
// elsewhere.
const (
	localPriority  = 999
	detourPriority = 1000
)

// localRule looks for anything but the default route in the main table.
func localRule() *netlink.Rule {
	r := netlink.NewRule()
	r.Family, r.Table, r.Priority, r.SuppressPrefixlen = netlink.FAMILY_V4, unix.RT_TABLE_MAIN, localPriority, 0
	return r
}

func detourRule(i int) *netlink.Rule {
	r := netlink.NewRule()
	r.Family, r.Mark, r.Table, r.Priority = netlink.FAMILY_V4, uint32(firstDetour+i), firstDetour+i, detourPriority
	return r
}

// routeDetour fills the table of a detour, if its interface is attached, and empties it
// otherwise: the number may have been another detour's.
func (v *vpc) routeDetour(i int, via netip.Addr) error {
	link, err := v.route.LinkByName(linkFor(v.net.cfg.Prefix, via))
	if missing(err) {
		err := v.route.RouteDel(&netlink.Route{Table: firstDetour + i, Dst: ipNet(netip.PrefixFrom(netip.IPv4Unspecified(), 0))})
		if errors.Is(err, unix.ESRCH) {
			err = nil
		}
		return err
	}
	if err != nil {
		return err
	}
	return v.route.RouteReplace(&netlink.Route{
		LinkIndex: link.Attrs().Index, Table: firstDetour + i, Gw: via.AsSlice(), Flags: int(netlink.FLAG_ONLINK),
		Dst: ipNet(netip.PrefixFrom(netip.IPv4Unspecified(), 0)),
	})
}

// leadsTo says whether a route leads to the interface.
func (v *vpc) leadsTo(nic NIC) bool { return slices.Contains(detours(v.exits), nic.Private) }

// loosen has the VPC's end of a link take packets from addresses that are not behind it,
// if the interface forwards. The packet filter decides what may come.
func (v *vpc) loosen(nic NIC) error {
	strict := "1"
	if nic.Forwards {
		strict = "0"
	}
	return inNamespace(v.ns, func() error { return sysctl("ipv4/conf/"+v.linkName(nic)+"/rp_filter", strict) })
}

// forwarder queues that an interface forwards, or (add is false) that it does not any
// more: what comes by its link is its own whatever the source, and what leaves by its
// link is for it whatever the destination.
func (f *filter) forwarder(nic NIC, link string, add bool) error {
	if !nic.Forwards {
		return nil
	}
	change := f.conn.SetDeleteElements
	if add {
		change = f.conn.SetAddElements
	}
	name := linkName(link)
	return errors.Join(
		change(f.forwarders, []nftables.SetElement{{Key: name}}),
		change(f.inlinks, []nftables.SetElement{{Key: name, VerdictData: verdict(expr.VerdictGoto, nicIn(nic.ID))}}),
		change(f.outlinks, []nftables.SetElement{{Key: name, VerdictData: verdict(expr.VerdictGoto, nicOut(nic.ID))}}),
	)
}
