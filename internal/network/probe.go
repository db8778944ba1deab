package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Finding is one thing that the network needs of this machine, and whether it
// is there.
type Finding struct {
	Name   string // short, stable: "ip forwarding"
	OK     bool
	Detail string // what was found
	Remedy string // what to do about it; empty when OK
}

// Probe looks at this machine and changes nothing that lasts. cfg is what Open
// would get.
func Probe(cfg Config) []Finding {
	if err := cfg.complete(); err != nil {
		return []Finding{{Name: "network configuration", Detail: err.Error(), Remedy: "correct the option"}}
	}
	return append([]Finding{probeNamespace(), probeForwarding(cfg)}, Surroundings(cfg)...)
}

// Surroundings looks at what others on this machine have set up that could be in
// the way. It takes no more than a few questions to the kernel.
func Surroundings(cfg Config) []Finding {
	if err := cfg.complete(); err != nil {
		return nil // Open refuses it
	}
	host, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return []Finding{{Name: "netlink", Detail: err.Error(), Remedy: "use a kernel with rtnetlink"}}
	}
	defer host.Close()
	return []Finding{probeRoutes(host, cfg), probeForwardPolicy(cfg)}
}

// probeNamespace makes in a namespace of its own what a VPC consists of.
func probeNamespace() Finding {
	f := Finding{Name: "network namespaces and nftables", OK: true, Detail: "a namespace, a veth and an nftables table can be made"}
	err := onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("create a network namespace: %w", err)
		}
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "probe"
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "probe-peer"}); err != nil {
			return fmt.Errorf("create a veth: %w", err)
		}
		conn, err := nftables.New(nftables.AsLasting())
		if err != nil {
			return fmt.Errorf("open nftables: %w", err)
		}
		defer conn.CloseLasting()
		filter := &filter{conn: conn, uplink: "probe", table: &nftables.Table{Name: "probe", Family: nftables.TableFamilyIPv4}}
		if err := filter.reset(); err != nil {
			return err
		}
		return filter.commit()
	})
	switch {
	case errors.Is(err, unix.EPERM):
		f.OK, f.Detail, f.Remedy = false, err.Error(), "run as root"
	case err != nil:
		f.OK, f.Detail = false, err.Error()
		f.Remedy = "use a kernel with CONFIG_NET_NS, CONFIG_VETH, CONFIG_NF_TABLES, CONFIG_NFT_CT, CONFIG_NFT_NAT and CONFIG_NFT_REJECT (modprobe veth nf_tables)"
	}
	return f
}

func probeForwarding(cfg Config) Finding {
	f := Finding{Name: "ip forwarding", OK: true}
	all, err := os.ReadFile(forwardingOf("all"))
	if err != nil {
		return Finding{Name: f.Name, Detail: err.Error(), Remedy: "mount /proc with /proc/sys"}
	}
	if unix.Access(forwardingOf("all"), unix.W_OK) != nil {
		f.OK, f.Detail = false, "/proc/sys/net is read-only"
		f.Remedy = "run as root and, in a container, with a writable /proc/sys"
		return f
	}
	switch on := strings.TrimSpace(string(all)) != "0"; {
	case on:
		f.Detail = "on for the whole machine"
	case cfg.Egress == "off":
		f.Detail = "off; with egress off it is needed on the server's own links only, where it is turned on"
	default:
		f.Detail = "off; the server turns it on for its own links and the link of the default route, and drops new connections that others would route through it"
	}
	return f
}

// probeRoutes looks for somebody else's routes in the range of public
// addresses: a VPN, or another server.
func probeRoutes(host *netlink.Handle, cfg Config) Finding {
	f := Finding{Name: "public addresses", OK: true, Detail: fmt.Sprintf("%v is free", cfg.PublicCIDR)}
	routes, err := listRoutes(host)
	if err != nil {
		return Finding{Name: f.Name, Detail: err.Error(), Remedy: "see the error"}
	}
	clashes := map[string]netip.Prefix{}
	for _, r := range routes {
		dst := prefixOf(r.Dst)
		// A VPN that takes everything does so by 0.0.0.0/1 and 128.0.0.0/1;
		// our routes are more specific than those.
		if dst.Bits() <= 1 || !dst.Overlaps(cfg.PublicCIDR) {
			continue
		}
		name := fmt.Sprintf("link %d", r.LinkIndex)
		if link, err := host.LinkByIndex(r.LinkIndex); err == nil {
			name = link.Attrs().Name
		}
		if !isUplinkOf(cfg.Prefix, name) {
			clashes[name] = dst
		}
	}
	for name, dst := range clashes {
		f.OK = false
		f.Detail = fmt.Sprintf("%v is routed to %s, which overlaps with %v", dst, name, cfg.PublicCIDR)
		if len(name) == 15 && prefixForm.MatchString(name[:8]) {
			f.Detail += " and belongs to another hardstand server"
		}
		f.Remedy = "choose another range with --public-cidr, for example 198.19.0.0/16"
	}
	return f
}

// probeForwardPolicy tells what other firewalls on the host do to forwarded
// traffic. Chains with policy drop are dealt with; a chain whose last rule
// drops or rejects cannot be told from one that does not, and is named.
func probeForwardPolicy(cfg Config) Finding {
	f := Finding{Name: "forward policy", OK: true, Detail: "no other firewall drops forwarded traffic"}
	conn, err := nftables.New()
	if err != nil {
		return Finding{Name: f.Name, Detail: err.Error(), Remedy: "use a kernel with nf_tables"}
	}
	chains, err := foreignChains(conn)
	if err != nil {
		return Finding{Name: f.Name, Detail: err.Error(), Remedy: "run as root"}
	}
	var drops []string
	for _, c := range chains {
		if dropsByPolicy(c) {
			drops = append(drops, c.Table.Name+" "+c.Name)
		}
	}
	if len(drops) > 0 {
		f.Detail = fmt.Sprintf("%s drops by policy; the server adds rules that accept its own links (%su*)", strings.Join(drops, ", "), cfg.Prefix)
	}
	if legacy, err := os.ReadFile("/proc/net/ip_tables_names"); err == nil && strings.Contains(string(legacy), "filter") {
		f.OK = false
		f.Detail = "the legacy iptables filter table is in use, which the server does not change"
		f.Remedy = fmt.Sprintf("if its FORWARD chain drops: iptables-legacy -I FORWARD -i '%[1]su+' -j ACCEPT; iptables-legacy -I FORWARD -o '%[1]su+' -j ACCEPT", cfg.Prefix)
	}
	return f
}
