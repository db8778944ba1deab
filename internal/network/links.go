package network

import (
	"encoding/base32"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Hardware addresses that never vary, so that neighbour entries can be written
// before the first packet: a lookup that meets a link which is not active yet
// costs a second.
var (
	gatewayMAC = net.HardwareAddr{0x02, 0x68, 0x73, 0x00, 0x00, 0x01} // the VPC's end of every instance's link
	hostMAC    = net.HardwareAddr{0x02, 0x68, 0x73, 0x00, 0x00, 0x02} // the host's end of every uplink
	routerMAC  = net.HardwareAddr{0x02, 0x68, 0x73, 0x00, 0x00, 0x03} // the VPC's end of every uplink
)

// instanceLink is the name of an instance's primary interface as the instance sees it.
const instanceLink = "eth0"

// nameCode writes 32 bits in seven letters: with the prefix exactly the 15
// bytes a link's name may have.
var nameCode = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// linkFor names the VPC's end of the link of the instance with this private
// address. Addresses are unique in a VPC and so are the names.
func linkFor(prefix string, private netip.Addr) string {
	a := private.As4()
	return prefix + nameCode.EncodeToString(a[:])
}

func handleIn(ns *os.File) (*netlink.Handle, error) {
	h, err := netlink.NewHandleAt(netns.NsHandle(ns.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink in namespace: %w", err)
	}
	return h, nil
}

// veth makes a pair of links: name where h is, up, and peer in the namespace
// peerNS, down.
func veth(h *netlink.Handle, name string, mac net.HardwareAddr, peer string, peerMAC net.HardwareAddr, peerNS *os.File) (netlink.Link, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr, attrs.Flags = name, mac, net.FlagUp
	pair := netlink.NewVeth(attrs)
	pair.PeerName, pair.PeerHardwareAddr = peer, peerMAC
	pair.PeerNamespace = netlink.NsFd(int(peerNS.Fd()))
	if err := h.LinkAdd(pair); err != nil {
		return nil, fmt.Errorf("create link %s: %w", name, err)
	}
	link, err := h.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("find link %s: %w", name, err)
	}
	return link, nil
}

// listLinks lists all links; the kernel interrupts a listing that changes under
// it and wants it repeated.
func listLinks(h *netlink.Handle) ([]netlink.Link, error) {
	for {
		links, err := h.LinkList()
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return links, err
		}
	}
}

// listRoutes lists the IPv4 routes of the main table.
func listRoutes(h *netlink.Handle) ([]netlink.Route, error) {
	for {
		routes, err := h.RouteList(nil, netlink.FAMILY_V4)
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return routes, err
		}
	}
}

func deleteLinks(h *netlink.Handle, doomed func(netlink.Link) bool) error {
	links, err := listLinks(h)
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	var errs []error
	for _, l := range links {
		if doomed(l) {
			errs = append(errs, deleteLink(h, l))
		}
	}
	return errors.Join(errs...)
}

// deleteLink removes a link; one that is gone already is no error, since links
// vanish with the namespace of their other end.
func deleteLink(h *netlink.Handle, l netlink.Link) error {
	if err := h.LinkDel(l); err != nil && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("delete link %s: %w", l.Attrs().Name, err)
	}
	return nil
}

func missing(err error) bool {
	var notFound netlink.LinkNotFoundError
	return errors.As(err, &notFound) || errors.Is(err, unix.ENODEV)
}

func permanent(link netlink.Link, addr netip.Addr, mac net.HardwareAddr) *netlink.Neigh {
	return &netlink.Neigh{
		LinkIndex: link.Attrs().Index, Family: unix.AF_INET, State: netlink.NUD_PERMANENT,
		IP: addr.AsSlice(), HardwareAddr: mac,
	}
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// prefixOf converts a route's destination; a default route is 0.0.0.0/0.
func prefixOf(n *net.IPNet) netip.Prefix {
	if n == nil {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	a, _ := netip.AddrFromSlice(n.IP)
	ones, _ := n.Mask.Size()
	return netip.PrefixFrom(a.Unmap(), ones)
}

func isUplinkOf(prefix, name string) bool { return strings.HasPrefix(name, prefix+"u") }
