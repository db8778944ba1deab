package network

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// vpc is the open end of one VPC's namespace and the mirror of what the kernel
// has been told about it.
type vpc struct {
	net *Network
	id  string

	mu      sync.Mutex
	deleted bool
	ns      *os.File // nil until opened
	route   *netlink.Handle
	filter  *filter
	uplink  netlink.Link // host's end; nil without an internet gateway

	cidrs   []netip.Prefix
	more    []netip.Prefix      // ranges without a name server
	routers map[netip.Addr]bool // subnets' first addresses, held on lo
	nics    map[string]NIC
	groups  map[string]Group
	exits   []Exit
	acls    []ACL

	nameless atomic.Bool // asked by the resolver, which takes no lock of ours
}

// SetVPC makes a VPC or brings an existing one to the given state.
func (n *Network) SetVPC(ctx context.Context, want VPC) error {
	v, err := n.open(want.ID)
	if err != nil {
		return err
	}
	defer v.mu.Unlock()
	if err := v.addCIDR(want.CIDR); err != nil {
		return err
	}
	if err := v.setMore(want.More); err != nil {
		return err
	}
	v.nameless.Store(want.Nameless)
	if err := v.setExits(want.Exits); err != nil {
		return err
	}
	if err := v.setACLs(want.ACLs); err != nil {
		return err
	}
	if want.Gateway {
		return v.attachGateway()
	}
	return v.detachGateway()
}

// DeleteVPC ends a VPC's namespace. It must have no interfaces.
func (n *Network) DeleteVPC(ctx context.Context, id string) error {
	v, err := n.existing(id)
	if err != nil || v == nil {
		return err
	}
	if err := v.delete(); err != nil {
		return err
	}
	return n.end(id)
}

// delete ends the namespace of a VPC that comes locked, and unlocks it.
func (v *vpc) delete() error {
	defer v.mu.Unlock()
	if len(v.nics) > 0 {
		return fmt.Errorf("VPC %s still has %d network interfaces", v.id, len(v.nics))
	}
	if err := v.detachGateway(); err != nil {
		return err
	}
	if err := v.release(); err != nil {
		return err
	}
	v.deleted = true
	v.net.mu.Lock()
	delete(v.net.vpcs, v.id)
	v.net.mu.Unlock()
	return v.net.dissolve(v.id)
}

// inVPC runs fn on a thread in the namespace of a VPC that has interfaces.
func (n *Network) inVPC(id string, fn func() error) error {
	v, err := n.existing(id)
	if err != nil {
		return err
	}
	if v == nil {
		return fmt.Errorf("there is no VPC %s", id)
	}
	defer v.mu.Unlock()
	return inNamespace(v.ns, fn)
}

// open returns the VPC, locked, and makes its namespace when there is none.
func (n *Network) open(id string) (*vpc, error) {
	v := n.lock(id)
	if v.ns != nil {
		return v, nil
	}
	err := v.openNamespace()
	if err == nil {
		// The mirror is empty, and so is the table from here on.
		if err = v.rebuild(); err != nil {
			err = errors.Join(err, v.release())
		}
	}
	if err != nil {
		v.mu.Unlock()
		return nil, fmt.Errorf("open VPC %s: %w", id, err)
	}
	return v, nil
}

// lock returns the VPC, locked and perhaps not open.
func (n *Network) lock(id string) *vpc {
	for {
		n.mu.Lock()
		v := n.vpcs[id]
		if v == nil {
			v = &vpc{net: n, id: id, nics: map[string]NIC{}, groups: map[string]Group{}}
			n.vpcs[id] = v
		}
		n.mu.Unlock()
		v.mu.Lock()
		if !v.deleted {
			return v
		}
		v.mu.Unlock() // while we waited: there is a new one, or none
	}
}

// existing returns the VPC, locked, if this process or an earlier one has made
// it, else nil.
func (n *Network) existing(id string) (*vpc, error) {
	n.mu.Lock()
	known := n.vpcs[id] != nil
	n.mu.Unlock()
	if !known {
		if _, err := os.Stat(n.pinPath(id)); errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
	}
	return n.open(id)
}

// openNamespace opens or makes the namespace. What the table in it says is not
// looked at: the caller rebuilds it from the mirror.
func (v *vpc) openNamespace() error {
	path := v.net.pinPath(v.id)
	ns, err := openPin(path)
	if errors.Is(err, os.ErrNotExist) {
		ns, err = createNamespace(path, setupVPC)
	}
	if err != nil {
		return err
	}
	v.routers = map[netip.Addr]bool{}
	if v.route, err = handleIn(ns); err != nil {
		ns.Close()
		return err
	}
	// An earlier version was strict for all links.
	if err := inNamespace(ns, func() error { return sysctl("ipv4/conf/all/rp_filter", "0") }); err != nil {
		v.route.Close()
		ns.Close()
		return err
	}
	v.cidrs, v.more, v.uplink = nil, nil, nil
	v.filter = newFilter(int(ns.Fd()), v.net.cfg.Prefix, v.net.uplinkPeer())
	v.ns = ns
	return nil
}

// setupVPC runs inside a new namespace. Links inherit the defaults, so that
// attaching one needs no further settings.
func setupVPC() error {
	for _, s := range [][2]string{
		{"ipv4/ip_forward", "1"},
		{"ipv4/conf/all/rp_filter", "0"}, // the stricter one of this and the link's counts
		{"ipv4/conf/default/rp_filter", "1"},
		{"ipv4/conf/default/proxy_arp", "1"},
		{"ipv4/conf/all/accept_redirects", "0"},
		{"ipv4/conf/default/accept_redirects", "0"},
		{"ipv4/conf/all/send_redirects", "0"},
		{"ipv4/conf/default/send_redirects", "0"},
	} {
		if err := sysctl(s[0], s[1]); err != nil {
			return err
		}
	}
	if _, err := os.Stat("/proc/sys/net/ipv6"); err == nil {
		if err := sysctl("ipv6/conf/default/disable_ipv6", "1"); err != nil {
			return err
		}
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	return netlink.LinkSetUp(lo)
}

// addCIDR makes addresses of the VPC that no instance holds unreachable, so
// that they never leave by the uplink.
func (v *vpc) addCIDR(cidr netip.Prefix) error {
	cidr = cidr.Masked()
	if !cidr.IsValid() || !cidr.Addr().Is4() {
		return fmt.Errorf("VPC %s: %v is not an IPv4 CIDR", v.id, cidr)
	}
	if slices.Contains(v.cidrs, cidr) {
		return nil
	}
	err := v.route.RouteReplace(&netlink.Route{Dst: ipNet(cidr), Type: unix.RTN_UNREACHABLE})
	if err != nil {
		return fmt.Errorf("VPC %s: route %v: %w", v.id, cidr, err)
	}
	if err := v.addRouter(resolverOf(cidr)); err != nil {
		return err
	}
	if err := v.change(func(f *filter) error { return f.addResolver(resolverOf(cidr)) }); err != nil {
		return err
	}
	v.cidrs = append(v.cidrs, cidr)
	return nil
}

// setMore brings the further ranges of the VPC to what is wanted.
func (v *vpc) setMore(want []netip.Prefix) error {
	for _, p := range v.more {
		if !slices.Contains(want, p) {
			err := v.route.RouteDel(&netlink.Route{Dst: ipNet(p), Type: unix.RTN_UNREACHABLE})
			if err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("VPC %s: remove the route of %v: %w", v.id, p, err)
			}
		}
	}
	for _, p := range want {
		if !p.IsValid() || !p.Addr().Is4() {
			return fmt.Errorf("VPC %s: %v is not an IPv4 CIDR", v.id, p)
		}
		if err := v.route.RouteReplace(&netlink.Route{Dst: ipNet(p.Masked()), Type: unix.RTN_UNREACHABLE}); err != nil {
			return fmt.Errorf("VPC %s: route %v: %w", v.id, p, err)
		}
	}
	v.more = slices.Clone(want)
	return nil
}

// nameless says whether the name server of a VPC is turned off.
func (n *Network) nameless(id string) bool {
	n.mu.Lock()
	v := n.vpcs[id]
	n.mu.Unlock()
	return v != nil && v.nameless.Load()
}

// addRouter gives the namespace the address of a subnet's router: it answers
// ARP for it and is the source of the errors it reports.
func (v *vpc) addRouter(router netip.Addr) error {
	if v.routers[router] {
		return nil
	}
	lo, err := v.route.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	if err := v.route.AddrReplace(lo, &netlink.Addr{IPNet: ipNet(single(router))}); err != nil {
		return fmt.Errorf("add router address %v: %w", router, err)
	}
	v.routers[router] = true
	return nil
}

// change runs a function that queues changes of the table and commits them.
// When that fails the table is rebuilt from the mirror, which the caller
// changes only afterwards.
func (v *vpc) change(queue func(*filter) error) error {
	err := queue(v.filter)
	if err == nil {
		err = v.filter.commit()
	}
	if err == nil {
		return nil
	}
	if again := v.rebuild(); again != nil {
		return fmt.Errorf("%w (and rebuilding the table: %w)", err, again)
	}
	return err
}

// rebuild replaces the table by what the mirror says, in one transaction:
// tracked connections go on, no packet meets a table that is half there.
func (v *vpc) rebuild() error {
	f := v.filter
	if err := f.discard(); err != nil {
		return err
	}
	if err := f.reset(); err != nil {
		return err
	}
	for _, cidr := range v.cidrs {
		if err := f.addResolver(resolverOf(cidr)); err != nil {
			return err
		}
	}
	f.setExits(v.exits)
	if err := f.setACLs(v.acls); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(v.groups)) {
		if err := f.setGroup(v.groups[id]); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(v.nics)) {
		nic := v.nics[id]
		if err := f.addNIC(nic, v.linkName(nic)); err != nil {
			return err
		}
	}
	return f.commit()
}

func (v *vpc) linkName(nic NIC) string { return linkFor(v.net.cfg.Prefix, nic.Private) }

// release closes what the process holds of the VPC.
func (v *vpc) release() error {
	if v.ns == nil {
		return nil
	}
	v.route.Close()
	err := errors.Join(v.filter.close(), v.ns.Close())
	v.ns = nil
	return err
}

func (v *vpc) close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.release()
}
