package network

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Attach connects the network namespace ns to its VPC by interface nic, with
// everything that nic says. Attaching what is attached already is quick and
// brings addresses and groups up to date. The VPC is made if SetVPC was not
// called before; it then has no internet gateway.
func (n *Network) Attach(ctx context.Context, ns *os.File, nic NIC) error {
	if err := nic.validate(); err != nil {
		return err
	}
	inode, err := inodeOf(ns)
	if err != nil {
		return err
	}
	nic = nic.normal()
	v, err := n.open(nic.VPC)
	if err != nil {
		return err
	}
	defer v.mu.Unlock()
	if err := v.attach(ns, nic); err != nil {
		return fmt.Errorf("attach network interface %s: %w", nic.ID, err)
	}
	n.mu.Lock()
	n.nics[nic.ID] = v
	if nic.Device == 0 {
		n.spaces[inode] = nic.ID // whose services the instance uses
	}
	n.mu.Unlock()
	return nil
}

// normal returns a copy whose groups are sorted and unique.
func (n NIC) normal() NIC {
	n.SecurityGroups = slices.Compact(slices.Sorted(slices.Values(n.SecurityGroups)))
	return n
}

func (v *vpc) attach(ns *os.File, nic NIC) error {
	if err := v.addCIDR(nic.VPCCIDR); err != nil {
		return err
	}
	if err := v.addRouter(nic.Router()); err != nil {
		return err
	}
	// Rules come first: an address without them is dropped, so nothing slips
	// through while the link comes up.
	if err := v.register(nic); err != nil {
		return err
	}
	if err := v.connect(ns, nic); err != nil {
		return errors.Join(err, v.unregister(nic.ID))
	}
	return nil
}

// register brings filter, public route and mirror to what nic says.
func (v *vpc) register(nic NIC) error {
	old, known := v.nics[nic.ID]
	if known && old.Private != nic.Private {
		return fmt.Errorf("private address cannot change from %v to %v", old.Private, nic.Private)
	}
	for _, other := range v.nics {
		if other.ID != nic.ID && (other.Private == nic.Private || (nic.Public.IsValid() && other.Public == nic.Public)) {
			return fmt.Errorf("%s already has private address %v and public address %v", other.ID, other.Private, other.Public)
		}
	}
	if err := v.routePublic(nic.Public); err != nil {
		return err
	}
	if known && old.Public == nic.Public && slices.Equal(old.SecurityGroups, nic.SecurityGroups) && old.Forwards == nic.Forwards {
		return nil
	}
	err := v.change(func(f *filter) error {
		if known {
			if err := f.dropNIC(old, v.linkName(old)); err != nil {
				return err
			}
		}
		return f.addNIC(nic, v.linkName(nic))
	})
	if err != nil {
		if old.Public != nic.Public {
			err = errors.Join(err, v.unroutePublic(nic.Public))
		}
		return err
	}
	v.nics[nic.ID] = nic
	var errs []error
	if known && old.Forwards != nic.Forwards {
		errs = append(errs, v.loosen(nic))
	}
	if known && old.Public != nic.Public {
		errs = append(errs, v.unroutePublic(old.Public))
	}
	return errors.Join(errs...)
}

// unregister undoes register. An interface that is not known is no error.
func (v *vpc) unregister(nicID string) error {
	nic, known := v.nics[nicID]
	if !known {
		return nil
	}
	err := v.unroutePublic(nic.Public)
	delete(v.nics, nicID) // first: a rebuild after an error must leave it out
	return errors.Join(err, v.change(func(f *filter) error { return f.dropNIC(nic, v.linkName(nic)) }))
}

// connect makes the link between the VPC and ns, unless it is there.
func (v *vpc) connect(ns *os.File, nic NIC) error {
	name := v.linkName(nic)
	mac, err := net.ParseMAC(nic.MAC)
	if err != nil {
		return err
	}
	link, err := veth(v.route, name, gatewayMAC, nic.link(), mac, ns)
	if errors.Is(err, unix.EEXIST) {
		there, checkErr := v.connected(ns, nic, mac)
		if checkErr != nil || there {
			return checkErr
		}
		// The link of an instance that ended, whose namespace is still being taken
		// down, or held by somebody; or one that a server was killed over.
		if err := disconnect(v.route, name); err != nil {
			return err
		}
		link, err = veth(v.route, name, gatewayMAC, nic.link(), mac, ns)
	}
	if err != nil {
		return err
	}
	err = errors.Join(v.prepareRouterEnd(link, nic, mac), prepareInstanceEnd(ns, nic))
	if err == nil {
		err = v.routeTo(link, nic)
	}
	if err == nil && nic.Forwards {
		err = v.loosen(nic)
	}
	if err == nil && v.leadsTo(nic) {
		err = v.setDetours()
	}
	if err == nil {
		err = v.awaitActive(link)
	}
	if err != nil {
		return errors.Join(err, deleteLink(v.route, link))
	}
	return nil
}

// awaitActive returns when the VPC's end of a link carries packets. It was up
// before the other end, so the kernel activates it some time later, and drops
// what is sent until then: the first answer to the instance would be repeated
// after a second. Since Linux 6.8 the question itself makes it so.
func (v *vpc) awaitActive(link netlink.Link) error {
	name := link.Attrs().Name
	for pause := 50 * time.Microsecond; pause < time.Second; pause *= 2 {
		now, err := v.route.LinkByIndex(link.Attrs().Index)
		if err != nil {
			return fmt.Errorf("look at link %s: %w", name, err)
		}
		if now.Attrs().OperState == netlink.OperUp {
			return nil
		}
		time.Sleep(pause)
	}
	v.net.log.Warn("link is slow to become active", "link", name)
	return nil
}

// connected says whether ns has the interface with the hardware address mac, and the
// VPC the route to it, which comes when both ends are set up.
func (v *vpc) connected(ns *os.File, nic NIC, mac net.HardwareAddr) (bool, error) {
	if ready, err := v.hasRouteTo(nic); err != nil || !ready {
		return false, err
	}
	name := nic.link()
	h, err := handleIn(ns)
	if err != nil {
		return false, err
	}
	defer h.Close()
	link, err := h.LinkByName(name)
	if missing(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("find %s: %w", name, err)
	}
	return slices.Equal(link.Attrs().HardwareAddr, mac), nil
}

func disconnect(h *netlink.Handle, name string) error {
	link, err := h.LinkByName(name)
	if missing(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find link %s: %w", name, err)
	}
	return deleteLink(h, link)
}

// prepareRouterEnd sets up the VPC's end of an instance's link.
func (v *vpc) prepareRouterEnd(link netlink.Link, nic NIC, mac net.HardwareAddr) error {
	name := link.Attrs().Name
	if err := v.route.NeighSet(permanent(link, nic.Private, mac)); err != nil {
		return fmt.Errorf("set neighbour on %s: %w", name, err)
	}
	// Proxied ARP answers are delayed by up to 0.8 s otherwise. Unlike the
	// other settings this one is not inherited from a default.
	return inNamespace(v.ns, func() error { return sysctl("ipv4/neigh/"+name+"/proxy_delay", "0") })
}

// routeTo has the VPC send what is for an interface by its link. The route says that the
// link is complete: it is the last of what is set up at both ends.
func (v *vpc) routeTo(link netlink.Link, nic NIC) error {
	err := v.route.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(single(nic.Private)), Scope: netlink.SCOPE_LINK})
	if err != nil {
		return fmt.Errorf("route %v to %s: %w", nic.Private, link.Attrs().Name, err)
	}
	return nil
}

// hasRouteTo says whether routeTo has been done for the link that is there.
func (v *vpc) hasRouteTo(nic NIC) (bool, error) {
	link, err := v.route.LinkByName(v.linkName(nic))
	if missing(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("find link %s: %w", v.linkName(nic), err)
	}
	routes, err := v.route.RouteGet(nic.Private.AsSlice()) // and not a list of all, of which there may be thousands
	switch {
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.EINVAL): // no route, or one that leads nowhere
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look for the route to %v: %w", nic.Private, err)
	}
	return len(routes) > 0 && routes[0].LinkIndex == link.Attrs().Index, nil
}

// prepareInstanceEnd sets up lo and the interface inside the instance.
func prepareInstanceEnd(ns *os.File, nic NIC) error {
	h, err := handleIn(ns)
	if err != nil {
		return err
	}
	defer h.Close()
	link, err := h.LinkByName(nic.link())
	if err != nil {
		return fmt.Errorf("find %s: %w", nic.link(), err)
	}
	if err := loopbackUp(h); err != nil {
		return err
	}
	if err := h.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring up %s: %w", nic.link(), err)
	}
	at := &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(nic.Private, nic.Subnet.Bits()))}
	if nic.Device > 0 {
		// Without a route of its own to the subnet: what has the primary address would
		// leave by this link then, where it is forged.
		at.Flags = unix.IFA_F_NOPREFIXROUTE
	}
	if err := h.AddrReplace(link, at); err != nil {
		return fmt.Errorf("address %s: %w", nic.link(), err)
	}
	if err := h.NeighSet(permanent(link, nic.Router(), gatewayMAC)); err != nil {
		return fmt.Errorf("set neighbour on %s: %w", nic.link(), err)
	}
	table := 0
	if nic.Device > 0 {
		table = deviceTable + nic.Device
		if err := routeByAddress(h, nic, table); err != nil {
			return err
		}
	}
	// The second route leads to the services when the instance replaces the
	// first.
	for _, to := range []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), serviceRange} {
		err = h.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: nic.Router().AsSlice(), Flags: int(netlink.FLAG_ONLINK), Dst: ipNet(to), Table: table})
		if err != nil {
			return fmt.Errorf("route %v by %s: %w", to, nic.link(), err)
		}
	}
	return nil
}

// deviceTable is the routing table of device 0 inside an instance, which has none: what
// is sent from the address of another interface leaves by that one, as Amazon Linux
// sets it up.
const deviceTable = 10000

// routeByAddress has what an instance sends from the address of an interface be routed
// by a table. A rule for the table that is there is an earlier interface's.
func routeByAddress(h *netlink.Handle, nic NIC, table int) error {
	rules, err := h.RuleList(netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("list rules for %s: %w", nic.link(), err)
	}
	for _, r := range rules {
		if r.Table == table {
			if err := h.RuleDel(&r); err != nil {
				return fmt.Errorf("remove a rule for %s: %w", nic.link(), err)
			}
		}
	}
	r := netlink.NewRule()
	r.Family, r.Src, r.Table, r.Priority = netlink.FAMILY_V4, ipNet(single(nic.Private)), table, table
	if err := h.RuleAdd(r); err != nil {
		return fmt.Errorf("add a rule for %s: %w", nic.link(), err)
	}
	return nil
}

func loopbackUp(h *netlink.Handle) error {
	lo, err := h.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	if err := h.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bring up lo: %w", err)
	}
	return nil
}

// Detach removes an interface. One that does not exist is no error.
func (n *Network) Detach(ctx context.Context, nicID string) error {
	v := n.holder(nicID)
	if v == nil {
		return nil
	}
	nic, known := v.nics[nicID]
	route := v.route
	err := v.unregister(nicID)
	n.mu.Lock()
	delete(n.nics, nicID)
	maps.DeleteFunc(n.spaces, func(_ uint64, id string) bool { return id == nicID })
	n.mu.Unlock()
	v.mu.Unlock()
	if known {
		// The kernel takes some 20 ms to delete a link, which others need not
		// wait for. The interface is out of the rules by now.
		err = errors.Join(err, disconnect(route, v.linkName(nic)))
	}
	if err != nil {
		return fmt.Errorf("detach network interface %s: %w", nicID, err)
	}
	return nil
}

// holder returns the VPC of an interface, locked, or nil.
func (n *Network) holder(nicID string) *vpc {
	n.mu.Lock()
	v := n.nics[nicID]
	n.mu.Unlock()
	if v != nil {
		v.mu.Lock()
	}
	return v
}

// ErrNotAttached is the error of a change to an interface that is not attached.
var ErrNotAttached = errors.New("network interface is not attached")

// SetPublic gives an interface a public address, another one, or (the zero
// address) none.
func (n *Network) SetPublic(ctx context.Context, nicID string, public netip.Addr) error {
	return n.update(nicID, func(nic *NIC) { nic.Public = public })
}

// SetForwarding says whether an interface forwards.
func (n *Network) SetForwarding(ctx context.Context, nicID string, on bool) error {
	return n.update(nicID, func(nic *NIC) { nic.Forwards = on })
}

// SetMembership makes an interface a member of exactly these groups.
func (n *Network) SetMembership(ctx context.Context, nicID string, groups []string) error {
	return n.update(nicID, func(nic *NIC) { nic.SecurityGroups = groups })
}

func (n *Network) update(nicID string, edit func(*NIC)) error {
	v := n.holder(nicID)
	if v == nil {
		return fmt.Errorf("%s: %w", nicID, ErrNotAttached)
	}
	defer v.mu.Unlock()
	nic, known := v.nics[nicID]
	if !known {
		return fmt.Errorf("%s: %w", nicID, ErrNotAttached)
	}
	edit(&nic)
	if err := nic.validate(); err != nil {
		return err
	}
	if err := v.register(nic.normal()); err != nil {
		return fmt.Errorf("change network interface %s: %w", nicID, err)
	}
	return nil
}

// nicAt returns the interface that was attached to the namespace ns.
func (n *Network) nicAt(ns *os.File) (nic NIC, ok bool) {
	inode, err := inodeOf(ns)
	if err != nil {
		return NIC{}, false
	}
	n.mu.Lock()
	id := n.spaces[inode]
	n.mu.Unlock()
	v := n.holder(id)
	if v == nil {
		return NIC{}, false
	}
	defer v.mu.Unlock()
	nic, ok = v.nics[id]
	return nic, ok
}

// inodeOf identifies a namespace for as long as it exists.
func inodeOf(ns *os.File) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(ns.Fd()), &st); err != nil {
		return 0, fmt.Errorf("identify namespace: %w", err)
	}
	return st.Ino, nil
}

// privateOf returns the private address behind a public one of the VPC.
func (n *Network) privateOf(vpcID string, public netip.Addr) (netip.Addr, bool) {
	n.mu.Lock()
	v := n.vpcs[vpcID]
	n.mu.Unlock()
	if v == nil {
		return netip.Addr{}, false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, nic := range v.nics {
		if nic.Public == public {
			return nic.Private, true
		}
	}
	return netip.Addr{}, false
}
