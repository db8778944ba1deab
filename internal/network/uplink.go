package network

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// uplinkPeer is the name of the uplink inside a VPC. Instances' links have
// longer names, so it is never one of theirs.
func (n *Network) uplinkPeer() string { return n.cfg.Prefix + "up" }

// uplinkName returns the attempt-th name to try for the host's end of a VPC's
// uplink: six letters of a hash, which may collide; the link's alias decides.
func (n *Network) uplinkName(vpcID string, attempt uint32) string {
	h := fnv.New32a()
	h.Write([]byte(vpcID))
	sum := h.Sum32() + attempt
	code := nameCode.EncodeToString([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	return n.cfg.Prefix + "u" + code[1:]
}

// findUplink returns the host's end of the VPC's uplink, or nil and the name
// that is free for it.
func (n *Network) findUplink(vpcID string) (netlink.Link, string, error) {
	for attempt := uint32(0); ; attempt++ {
		name := n.uplinkName(vpcID, attempt)
		link, err := n.host.LinkByName(name)
		if missing(err) {
			return nil, name, nil
		}
		if err != nil {
			return nil, "", fmt.Errorf("find uplink %s: %w", name, err)
		}
		if link.Attrs().Alias == vpcID {
			return link, name, nil
		}
	}
}

// attachGateway gives the VPC its uplink, if it has none, and makes sure of
// everything that belongs to it.
func (v *vpc) attachGateway() error {
	if v.uplink != nil {
		return nil
	}
	link, name, err := v.net.findUplink(v.id)
	if err != nil {
		return err
	}
	if link == nil {
		link, err = veth(v.net.host, name, hostMAC, v.net.uplinkPeer(), routerMAC, v.ns)
		if err != nil {
			return err
		}
		if err := v.net.host.LinkSetAlias(link, v.id); err != nil {
			return errors.Join(fmt.Errorf("label uplink %s: %w", name, err), deleteLink(v.net.host, link))
		}
	}
	if err := errors.Join(v.net.prepareHostEnd(link), v.prepareVPCEnd()); err != nil {
		return errors.Join(err, deleteLink(v.net.host, link))
	}
	v.uplink = link
	for _, nic := range v.nics {
		if err := v.routePublic(nic.Public); err != nil {
			return err
		}
	}
	for _, a := range translations(v.exits) {
		if err := v.routePublic(a); err != nil {
			return err
		}
	}
	return nil
}

// prepareHostEnd sets up the uplink on the host: its address, the neighbour
// that stands for the VPC, forwarding for it alone, and strict reverse path
// filtering, so that only addresses routed to this VPC come out of it.
func (n *Network) prepareHostEnd(link netlink.Link) error {
	name := link.Attrs().Name
	for _, s := range [][2]string{{"forwarding", "1"}, {"rp_filter", "1"}, {"send_redirects", "0"}} {
		if err := sysctl("ipv4/conf/"+name+"/"+s[0], s[1]); err != nil {
			return err
		}
	}
	if err := n.host.AddrReplace(link, &netlink.Addr{IPNet: ipNet(single(n.cfg.hostAddr()))}); err != nil {
		return fmt.Errorf("address uplink %s: %w", name, err)
	}
	if err := n.host.NeighSet(permanent(link, n.cfg.routerAddr(), routerMAC)); err != nil {
		return fmt.Errorf("set neighbour of uplink %s: %w", name, err)
	}
	return n.wall.openWay()
}

// prepareVPCEnd sets up the uplink inside the VPC: the default route.
func (v *vpc) prepareVPCEnd() error {
	name, gateway := v.net.uplinkPeer(), v.net.cfg.hostAddr()
	link, err := v.route.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find uplink in VPC %s: %w", v.id, err)
	}
	if err := v.route.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring up uplink in VPC %s: %w", v.id, err)
	}
	if err := v.route.NeighSet(permanent(link, gateway, hostMAC)); err != nil {
		return fmt.Errorf("set neighbour of uplink in VPC %s: %w", v.id, err)
	}
	err = v.route.RouteReplace(&netlink.Route{
		LinkIndex: link.Attrs().Index, Gw: gateway.AsSlice(), Flags: int(netlink.FLAG_ONLINK),
		Dst: ipNet(netip.PrefixFrom(netip.IPv4Unspecified(), 0)),
	})
	if err != nil {
		return fmt.Errorf("set default route of VPC %s: %w", v.id, err)
	}
	return nil
}

// detachGateway removes the uplink; the routes to public addresses go with it.
func (v *vpc) detachGateway() error {
	link, _, err := v.net.findUplink(v.id)
	if err != nil || link == nil {
		return err
	}
	if err := deleteLink(v.net.host, link); err != nil {
		return err
	}
	v.uplink = nil
	return nil
}

func (v *vpc) publicRoute(public netip.Addr) *netlink.Route {
	cfg := v.net.cfg
	return &netlink.Route{
		LinkIndex: v.uplink.Attrs().Index, Dst: ipNet(single(public)), Src: cfg.hostAddr().AsSlice(),
		Gw: cfg.routerAddr().AsSlice(), Flags: int(netlink.FLAG_ONLINK),
	}
}

// routePublic leads a public address to the VPC, if it has a gateway. The route
// must be new or already ours: nobody's address is taken away.
func (v *vpc) routePublic(public netip.Addr) error {
	if v.uplink == nil || !public.IsValid() {
		return nil
	}
	err := v.net.host.RouteAdd(v.publicRoute(public))
	if err == nil {
		return nil
	}
	if !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("route public address %v: %w", public, err)
	}
	holder, err := v.net.routeHolder(public)
	if err != nil {
		return err
	}
	if holder == v.uplink.Attrs().Name {
		return nil
	}
	return fmt.Errorf("route public address %v: %w: routed to link %s", public, ErrAddressInUse, holder)
}

func (v *vpc) unroutePublic(public netip.Addr) error {
	if v.uplink == nil || !public.IsValid() {
		return nil
	}
	if err := v.net.host.RouteDel(v.publicRoute(public)); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("remove route of public address %v: %w", public, err)
	}
	return nil
}

// routeHolder names the link that a /32 route on the host leads to.
func (n *Network) routeHolder(addr netip.Addr) (string, error) {
	routes, err := listRoutes(n.host)
	if err != nil {
		return "", fmt.Errorf("list routes: %w", err)
	}
	for _, r := range routes {
		if prefixOf(r.Dst) != single(addr) {
			continue
		}
		link, err := n.host.LinkByIndex(r.LinkIndex)
		if err != nil {
			return "", fmt.Errorf("find link of route to %v: %w", addr, err)
		}
		return link.Attrs().Name, nil
	}
	return "", nil
}
