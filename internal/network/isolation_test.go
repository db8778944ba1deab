package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func TestSpoofedSourceIsDropped(t *testing.T) {
	n := openNetwork(t)
	setVPC(t, n, "vpc-1", true)
	setGroup(t, n, "vpc-1", "sg-1", []Rule{{Protocol: "-1", CIDR: anywhere}}, sendAll)
	victim := attach(t, n, testNIC("vpc-1", 10, true, "sg-1"))
	attacker := attach(t, n, testNIC("vpc-1", 11, true, "sg-1"))
	trusted := testNIC("vpc-1", 12, true, "sg-1")
	attach(t, n, trusted)
	h, err := handleIn(attacker.ns)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	link, err := h.LinkByName(instanceLink)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.AddrAdd(link, &netlink.Addr{IPNet: ipNet(single(trusted.Private))}); err != nil {
		t.Fatal(err)
	}
	inbox, err := ListenPacketIn(victim.ns, "udp4", "0.0.0.0:5000")
	if err != nil {
		t.Fatal(err)
	}
	defer inbox.Close()
	send := func(from netip.Addr) {
		t.Helper()
		out, err := ListenPacketIn(attacker.ns, "udp4", from.String()+":0")
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(victim.nic.Private, 5000))
		if _, err := out.WriteTo([]byte(from.String()), to); err != nil {
			t.Fatal(err)
		}
	}
	// The forged packet goes first: when the honest one has arrived, it would
	// have, too.
	send(trusted.Private)
	send(attacker.nic.Private)
	inbox.SetReadDeadline(time.Now().Add(plenty))
	b := make([]byte, 100)
	k, _, err := inbox.ReadFrom(b)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(b[:k]); got != attacker.nic.Private.String() {
		t.Errorf("the first packet to arrive came from %s", got)
	}
}

func TestTwoVPCsWithTheSameAddresses(t *testing.T) {
	n := openNetwork(t)
	for _, id := range []string{"vpc-1", "vpc-2"} {
		setVPC(t, n, id, true)
		setGroup(t, n, id, "sg-"+id, []Rule{tcp(80, anywhere)}, sendAll)
	}
	one := attach(t, n, testNIC("vpc-1", 10, true, "sg-vpc-1"))
	nic := testNIC("vpc-2", 10, false, "sg-vpc-2")
	nic.Public = netip.MustParseAddr("198.18.0.20")
	two := attach(t, n, nic)
	peer := attach(t, n, testNIC("vpc-2", 11, false, "sg-vpc-2"))
	one.serve(t, 80)
	two.serve(t, 80)
	mustDial(t, "first VPC", nil, one.nic.Public, 80, "198.18.0.1")
	mustDial(t, "second VPC", nil, two.nic.Public, 80, "198.18.0.1")
	mustDial(t, "the peer meets its own VPC", peer.ns, netip.MustParseAddr("172.31.0.10"), 80, "172.31.0.11")
	mustDial(t, "from VPC to VPC by public addresses", one.ns, two.nic.Public, 80, "198.18.0.10")
}

func TestWithoutGatewayNothingGetsOutOrIn(t *testing.T) {
	n := openNetwork(t)
	setVPC(t, n, "vpc-1", false)
	setGroup(t, n, "vpc-1", "sg-1", []Rule{tcp(80, anywhere)}, sendAll)
	web := attach(t, n, testNIC("vpc-1", 10, true, "sg-1"))
	client := attach(t, n, testNIC("vpc-1", 11, true, "sg-1"))
	web.serve(t, 80)
	mustDial(t, "inside", client.ns, web.nic.Private, 80, "")
	if _, err := dial(nil, web.nic.Public, 80, little); err == nil {
		t.Error("the public address answers")
	}
	setVPC(t, n, "vpc-1", true)
	mustDial(t, "with a gateway", nil, web.nic.Public, 80, "")
	setVPC(t, n, "vpc-1", false)
	if _, err := dial(nil, web.nic.Public, 80, little); err == nil {
		t.Error("the public address answers after the gateway has gone")
	}
}

// internet gives the test's host a default route to a namespace that holds the
// given addresses and greets on port 80.
func internet(t *testing.T, addresses ...string) *os.File {
	t.Helper()
	ns := neighbour(t, "wan0", "192.0.2.2/24", append(addresses, "192.0.2.1/24")...)
	err := netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP("192.0.2.1"), Dst: ipNet(anywhere)})
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

// neighbour makes a namespace at the other end of a link of the test's host; it
// greets on port 80 of its addresses and routes by the host what it can.
func neighbour(t *testing.T, name, hostAddress string, addresses ...string) *os.File {
	t.Helper()
	ns := bareNamespace(t)
	host, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	link, err := veth(host, name, hostMAC, name, gatewayMAC, ns)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { netlink.LinkDel(link) })
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(host.AddrAdd(link, &netlink.Addr{IPNet: ipNet(netip.MustParsePrefix(hostAddress))}))
	inside, err := handleIn(ns)
	must(err)
	defer inside.Close()
	far, err := inside.LinkByName(name)
	must(err)
	must(loopbackUp(inside))
	must(inside.LinkSetUp(far))
	for _, a := range addresses {
		must(inside.AddrAdd(far, &netlink.Addr{IPNet: ipNet(netip.MustParsePrefix(a))}))
	}
	router := netip.MustParsePrefix(hostAddress).Addr()
	must(inside.RouteAdd(&netlink.Route{LinkIndex: far.Attrs().Index, Gw: router.AsSlice(), Dst: ipNet(anywhere)}))
	l, err := ListenIn(ns, "tcp4", "0.0.0.0:80")
	must(err)
	greet(t, l)
	return ns
}

func TestEgress(t *testing.T) {
	site, lan, hostAddr := netip.MustParseAddr("203.0.113.5"), netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("192.0.2.2")
	tests := []struct {
		name           string
		change         func(*Config)
		site, lan, own bool
	}{
		{"default", func(*Config) {}, true, false, false},
		{"off", func(c *Config) { c.Egress = "off" }, false, false, false},
		{"with the LAN", func(c *Config) { c.EgressLAN = true }, true, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			internet(t, "203.0.113.5/32", "10.1.2.3/32")
			own, err := net.Listen("tcp4", "0.0.0.0:80")
			if err != nil {
				t.Fatal(err)
			}
			greet(t, own)
			n := openNetwork(t, tt.change)
			setVPC(t, n, "vpc-1", true)
			setGroup(t, n, "vpc-1", "sg-1", nil, sendAll)
			public := attach(t, n, testNIC("vpc-1", 10, true, "sg-1"))
			private := attach(t, n, testNIC("vpc-1", 11, false, "sg-1"))
			for _, c := range []struct {
				what string
				addr netip.Addr
				want bool
			}{{"a site", site, tt.site}, {"the LAN", lan, tt.lan}, {"the host", hostAddr, tt.own}, {"the host's uplink address", netip.MustParseAddr("198.18.0.1"), tt.own}} {
				_, err := dial(public.ns, c.addr, 80, plenty)
				if (err == nil) != c.want {
					t.Errorf("%s: got %v, want success %v", c.what, err, c.want)
				}
				if err != nil && !errors.Is(err, unix.EHOSTUNREACH) {
					t.Errorf("%s: got %v, want a refusal at once", c.what, err)
				}
			}
			mustTimeOut(t, "without a public address", private.ns, site, 80)
		})
	}
}

func TestNeighboursCannotUseTheHostAsRouter(t *testing.T) {
	outside := internet(t, "203.0.113.5/32")
	neighbour(t, "lan0", "10.9.0.1/24", "10.9.0.2/24")
	if err := sysctl("ipv4/conf/lan0/forwarding", "1"); err != nil { // so that answers would get back
		t.Fatal(err)
	}
	n := openNetwork(t)
	setVPC(t, n, "vpc-1", true)
	setGroup(t, n, "vpc-1", "sg-1", []Rule{tcp(80, anywhere)}, sendAll)
	web := attach(t, n, testNIC("vpc-1", 10, true, "sg-1"))
	web.serve(t, 80)
	forwarding, err := os.ReadFile(forwardingOf("wan0"))
	if err != nil || string(forwarding) != "1\n" {
		t.Fatalf("forwarding of the default route's link: %q, %v", forwarding, err)
	}
	if all, _ := os.ReadFile(forwardingOf("all")); string(all) != "0\n" {
		t.Error("forwarding was turned on for the whole machine")
	}
	mustDial(t, "the instance reaches the site", web.ns, netip.MustParseAddr("203.0.113.5"), 80, "192.0.2.2")
	mustTimeOut(t, "from outside to an instance", outside, web.nic.Public, 80)
	mustTimeOut(t, "from outside through the host", outside, netip.MustParseAddr("10.9.0.2"), 80)
	guarded, err := n.wall.guardedLinks()
	if err != nil || len(guarded) != 1 {
		t.Fatalf("guarded links: %v, %v", guarded, err)
	}
	if err := n.Destroy(); err != nil {
		t.Fatal(err)
	}
	if forwarding, _ := os.ReadFile(forwardingOf("wan0")); string(forwarding) != "0\n" {
		t.Error("forwarding is still on after Destroy")
	}
}

func TestDefaultRouteComesLater(t *testing.T) {
	n := openNetwork(t)
	setVPC(t, n, "vpc-1", true)
	setGroup(t, n, "vpc-1", "sg-1", nil, sendAll)
	client := attach(t, n, testNIC("vpc-1", 10, true, "sg-1"))
	internet(t, "203.0.113.5/32")
	ctx, cancel := context.WithTimeout(context.Background(), plenty)
	defer cancel()
	for ctx.Err() == nil { // the host learns of its route at its own time
		if _, err := dial(client.ns, netip.MustParseAddr("203.0.113.5"), 80, little); err == nil {
			return
		}
	}
	t.Error("the site is not reached by a route that came later")
}

func TestForeignForwardDropIsPassed(t *testing.T) {
	conn, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	policy := nftables.ChainPolicyDrop
	table := conn.AddTable(&nftables.Table{Name: "filter", Family: nftables.TableFamilyIPv4})
	chain := conn.AddChain(&nftables.Chain{Name: "FORWARD", Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter, Policy: &policy})
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.DelTable(table); conn.Flush() })
	n := openNetwork(t)
	setVPC(t, n, "vpc-1", true)
	setVPC(t, n, "vpc-2", true)
	setGroup(t, n, "vpc-1", "sg-1", []Rule{tcp(80, anywhere)}, sendAll)
	setGroup(t, n, "vpc-2", "sg-2", nil, sendAll)
	web := attach(t, n, testNIC("vpc-1", 10, true, "sg-1"))
	client := attach(t, n, testNIC("vpc-2", 11, true, "sg-2"))
	web.serve(t, 80)
	mustDial(t, "through the chain", client.ns, web.nic.Public, 80, "198.18.0.11")
	rules, err := conn.GetRules(table, chain)
	if err != nil || len(rules) != 2 {
		t.Errorf("the foreign chain has %d rules (%v), want 2 of ours", len(rules), err)
	}
	if err := n.Destroy(); err != nil {
		t.Fatal(err)
	}
	if rules, _ = conn.GetRules(table, chain); len(rules) != 0 {
		t.Errorf("%d rules are left in the foreign chain", len(rules))
	}
}

func TestTwoServers(t *testing.T) {
	a := openNetwork(t)
	b := openNetwork(t, func(c *Config) { c.Prefix = "hsdef456" })
	for _, n := range []*Network{a, b} {
		setVPC(t, n, "vpc-1", true)
		setGroup(t, n, "vpc-1", "sg-1", []Rule{tcp(80, anywhere)}, sendAll)
	}
	web := attach(t, a, testNIC("vpc-1", 10, true, "sg-1"))
	web.serve(t, 80)
	nic := testNIC("vpc-1", 10, true, "sg-1")
	err := b.Attach(context.Background(), newInstance(t), nic)
	if !errors.Is(err, ErrAddressInUse) {
		t.Fatalf("the same public address: got %v, want ErrAddressInUse", err)
	}
	findings := Probe(b.Config())
	if i := slices.IndexFunc(findings, func(f Finding) bool { return f.Name == "public addresses" }); i < 0 || findings[i].OK {
		t.Errorf("the probe does not report the other server: %+v", findings)
	}
	nic.Public = netip.MustParseAddr("198.18.0.20")
	other := attach(t, b, nic)
	mustDial(t, "the first server's instance", nil, web.nic.Public, 80, "198.18.0.1")
	mustTimeOut(t, "from one server's instance to the other's", other.ns, web.nic.Public, 80)
	if err := b.Destroy(); err != nil {
		t.Fatal(err)
	}
	mustDial(t, "after the second server has gone", nil, web.nic.Public, 80, "")
}

func TestProbe(t *testing.T) {
	for _, f := range Probe(Config{Prefix: "hsabc123"}) {
		t.Run(f.Name, func(t *testing.T) {
			if !f.OK || f.Detail == "" {
				t.Errorf("%+v", f)
			}
		})
	}
	t.Run("bad configuration", func(t *testing.T) {
		if f := Probe(Config{Prefix: "x"}); len(f) != 1 || f[0].OK || f[0].Remedy == "" {
			t.Errorf("%+v", f)
		}
	})
	t.Run("VPN in the way", func(t *testing.T) {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.Flags = "tun9", net.FlagUp
		vpn := &netlink.Veth{LinkAttrs: attrs, PeerName: "tun9p"}
		if err := netlink.LinkAdd(vpn); err != nil {
			t.Fatal(err)
		}
		defer netlink.LinkDel(vpn)
		link, _ := netlink.LinkByName("tun9")
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(DefaultPublicCIDR), Scope: netlink.SCOPE_LINK}); err != nil {
			t.Fatal(err)
		}
		findings := Probe(Config{Prefix: "hsabc123"})
		i := slices.IndexFunc(findings, func(f Finding) bool { return f.Name == "public addresses" })
		if findings[i].OK || findings[i].Remedy == "" {
			t.Errorf("%+v", findings[i])
		}
	})
}

func TestInvalidArguments(t *testing.T) {
	n := openNetwork(t)
	setVPC(t, n, "vpc-1", false)
	good := testNIC("vpc-1", 10, false)
	tests := []struct {
		name string
		do   func() error
	}{
		{"address outside the subnet", func() error {
			bad := good
			bad.Private = netip.MustParseAddr("10.0.0.1")
			return n.Attach(context.Background(), bareNamespace(t), bad)
		}},
		{"no hardware address", func() error {
			bad := good
			bad.MAC = ""
			return n.Attach(context.Background(), bareNamespace(t), bad)
		}},
		{"unknown protocol", func() error {
			return n.SetGroup(context.Background(), "vpc-1", Group{ID: "sg-1", Ingress: []Rule{{Protocol: "quic", CIDR: anywhere}}})
		}},
		{"ports the wrong way round", func() error {
			return n.SetGroup(context.Background(), "vpc-1", Group{ID: "sg-1", Ingress: []Rule{{Protocol: "tcp", From: 2, To: 1, CIDR: anywhere}}})
		}},
		{"no peer", func() error {
			return n.SetGroup(context.Background(), "vpc-1", Group{ID: "sg-1", Ingress: []Rule{{Protocol: "tcp", From: 1, To: 1}}})
		}},
		{"interface that is not attached", func() error { return n.SetPublic(context.Background(), "eni-none", netip.Addr{}) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.do(); err == nil {
				t.Error("accepted")
			}
		})
	}
	setGroup(t, n, "vpc-1", "sg-1", []Rule{tcp(80, anywhere)}, sendAll)
	if err := n.Attach(context.Background(), bareNamespace(t), testNIC("vpc-1", 10, false, "sg-1")); err != nil {
		t.Error(fmt.Errorf("after the refusals: %w", err))
	}
	if err := n.DeleteGroup(context.Background(), "vpc-1", "sg-1"); err == nil {
		t.Error("a group with a member was deleted")
	}
}
