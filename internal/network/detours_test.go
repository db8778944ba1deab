package network

import (
	"context"
	"net/netip"
	"os"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
)

var (
	publicHalf  = netip.MustParsePrefix("172.31.0.0/20")
	privateHalf = netip.MustParsePrefix("172.31.16.0/20")
)

// privateNIC is an interface in the private half of the VPC.
func privateNIC(i int, groups ...string) NIC {
	nic := testNIC("vpc-1", 16<<8|i, false, groups...)
	nic.Subnet = privateHalf
	return nic
}

// TestTranslation: what leaves by a NAT gateway has its address, also where the
// interface has a public one; nothing comes in by it; and it ends with the exit.
func TestTranslation(t *testing.T) {
	ctx := context.Background()
	n := newServer(t)
	internet(t, "203.0.113.1/32")
	known, gateway := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("198.18.0.99")
	setVPC(t, n, "vpc-2", true)
	setGroup(t, n, "vpc-2", "sg-2", []Rule{tcp(80, anywhere)}, sendAll)
	far := attach(t, n, testNIC("vpc-2", 77, true, "sg-2"))
	far.serve(t, 80)

	v := VPC{ID: "vpc-1", CIDR: testVPC, Gateway: true, Exits: []Exit{{From: publicHalf, To: anywhere}, {From: privateHalf, To: anywhere, NAT: gateway}}}
	if err := n.SetVPC(ctx, v); err != nil {
		t.Fatal(err)
	}
	group := Group{ID: "sg-1", Ingress: []Rule{tcp(80, anywhere)}, Egress: sendAll}
	setGroup(t, n, "vpc-1", group.ID, group.Ingress, group.Egress)
	hidden := attach(t, n, privateNIC(10, "sg-1"))
	both := privateNIC(11, "sg-1")
	both.Public = netip.MustParseAddr("198.18.0.11")
	twice := attach(t, n, both)
	open := attach(t, n, testNIC("vpc-1", 12, true, "sg-1"))
	for _, i := range []instance{hidden, twice, open} {
		i.serve(t, 80)
	}
	check := func(when string) {
		t.Helper()
		mustDial(t, when+": to the internet", hidden.ns, known, 80, "192.0.2.2")
		mustDial(t, when+": to a public address", hidden.ns, far.nic.Public, 80, gateway.String())
		mustDial(t, when+": from an interface with a public address", twice.ns, far.nic.Public, 80, gateway.String())
		mustDial(t, when+": to a public address of the same VPC", hidden.ns, open.nic.Public, 80, gateway.String())
		mustDial(t, when+": by the internet gateway", open.ns, far.nic.Public, 80, open.nic.Public.String())
		mustTimeOut(t, when+": in by the gateway's address", nil, gateway, 80)
	}
	check("at first")
	n = reopen(t, n)
	states := []VPCState{{VPC: v, Groups: []Group{group}, NICs: []NIC{hidden.nic, both, open.nic}},
		{VPC: openVPC("vpc-2", true), Groups: []Group{{ID: "sg-2", Ingress: []Rule{tcp(80, anywhere)}, Egress: sendAll}}, NICs: []NIC{far.nic}}}
	if _, err := n.Adopt(ctx, states); err != nil {
		t.Fatal(err)
	}
	check("after a restart")
	v.Exits = v.Exits[:1]
	if err := n.SetVPC(ctx, v); err != nil {
		t.Fatal(err)
	}
	if _, err := dial(hidden.ns, known, 80, little); err == nil {
		t.Error("what was translated still gets out")
	}
	if holder, err := n.routeHolder(gateway); err != nil || holder != "" {
		t.Errorf("the gateway's address is still routed to %q, %v", holder, err)
	}
}

// forward turns an instance into a router that keeps sources as they are.
func forward(t *testing.T, ns *os.File) {
	t.Helper()
	err := inNamespace(ns, func() error {
		for _, s := range []string{"ipv4/conf/all/rp_filter", "ipv4/conf/eth0/rp_filter", "ipv4/conf/all/send_redirects", "ipv4/conf/eth0/send_redirects"} {
			if err := sysctl(s, "0"); err != nil {
				return err
			}
		}
		return sysctl("ipv4/ip_forward", "1")
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDetour: a route to an interface leads there, if that interface forwards; its
// groups judge what it is sent; a more specific route counts first.
func TestDetour(t *testing.T) {
	ctx := context.Background()
	n := openNetwork(t)
	known := netip.MustParseAddr("10.99.0.1")
	router := testNIC("vpc-1", 9, true, "sg-router")
	v := VPC{ID: "vpc-1", CIDR: testVPC, Gateway: true, Exits: []Exit{{From: publicHalf, To: anywhere},
		{From: privateHalf, To: netip.MustParsePrefix("10.99.0.0/16"), Via: router.Private}, {From: privateHalf, To: netip.MustParsePrefix("10.99.9.0/24"), Closed: true}}}
	if err := n.SetVPC(ctx, v); err != nil {
		t.Fatal(err)
	}
	setGroup(t, n, "vpc-1", "sg-1", nil, sendAll)
	setGroup(t, n, "vpc-1", "sg-router", []Rule{tcp(80, privateHalf)}, sendAll)
	from := attach(t, n, privateNIC(10, "sg-1"))
	if _, err := dial(from.ns, known, 80, little); err == nil {
		t.Error("a way to an interface that is not attached leads somewhere")
	}
	at := attach(t, n, router)
	// The router answers for the network behind it itself.
	h, err := handleIn(at.ns)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	lo, err := h.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"10.99.0.1/32", "10.99.9.1/32"} {
		if err := h.AddrAdd(lo, &netlink.Addr{IPNet: ipNet(netip.MustParsePrefix(a))}); err != nil {
			t.Fatal(err)
		}
	}
	at.serve(t, 80)
	at.serve(t, 81)
	mustTimeOut(t, "to an interface that checks destinations", from.ns, known, 80)
	if err := n.SetForwarding(ctx, router.ID, true); err != nil {
		t.Fatal(err)
	}
	mustDial(t, "by the interface", from.ns, known, 80, from.nic.Private.String())
	mustTimeOut(t, "a port that the interface's groups do not allow", from.ns, known, 81)
	if _, err := dial(from.ns, netip.MustParseAddr("10.99.9.1"), 80, little); err == nil {
		t.Error("a more specific way to nowhere does not count")
	}
	if err := n.SetForwarding(ctx, router.ID, false); err != nil {
		t.Fatal(err)
	}
	mustTimeOut(t, "after the check was turned on again", from.ns, known, 80)
	if err := n.SetForwarding(ctx, router.ID, true); err != nil {
		t.Fatal(err)
	}
	v.Exits[1].Via = testNIC("vpc-1", 8, false).Private
	if err := n.SetVPC(ctx, v); err != nil {
		t.Fatal(err)
	}
	if _, err := dial(from.ns, known, 80, little); err == nil {
		t.Error("a way to another interface, which is not attached, leads to the one before")
	}
	v.Exits = v.Exits[:1]
	if err := n.SetVPC(ctx, v); err != nil {
		t.Fatal(err)
	}
	if _, err := dial(from.ns, known, 80, little); err == nil {
		t.Error("a way that is gone leads somewhere")
	}
}

// translate has an instance give what it sends on its own address.
func translate(t *testing.T, ns *os.File) {
	t.Helper()
	conn, err := nftables.New(nftables.WithNetNSFd(int(ns.Fd())))
	if err != nil {
		t.Fatal(err)
	}
	table := conn.AddTable(&nftables.Table{Name: "nat", Family: nftables.TableFamilyIPv4})
	chain := conn.AddChain(&nftables.Chain{Name: "out", Table: table, Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource})
	conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{&expr.Masq{}}})
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
}

// TestTranslatingInstance: an instance that forwards and translates is the way out of
// a subnet whose route leads to it; without translation a source that has no public
// address does not get out.
func TestTranslatingInstance(t *testing.T) {
	ctx := context.Background()
	n := openNetwork(t)
	setVPC(t, n, "vpc-2", true)
	setGroup(t, n, "vpc-2", "sg-2", []Rule{tcp(80, anywhere)}, sendAll)
	far := attach(t, n, testNIC("vpc-2", 77, true, "sg-2"))
	far.serve(t, 80)
	router := testNIC("vpc-1", 9, true, "sg-1")
	router.Forwards = true
	v := VPC{ID: "vpc-1", CIDR: testVPC, Gateway: true, Exits: []Exit{{From: publicHalf, To: anywhere}, {From: privateHalf, To: anywhere, Via: router.Private}}}
	if err := n.SetVPC(ctx, v); err != nil {
		t.Fatal(err)
	}
	setGroup(t, n, "vpc-1", "sg-1", []Rule{{Protocol: "-1", CIDR: anywhere}}, sendAll)
	at := attach(t, n, router)
	from := attach(t, n, privateNIC(10, "sg-1"))
	forward(t, at.ns)
	if _, err := dial(from.ns, far.nic.Public, 80, little); err == nil {
		t.Error("a source without a public address got out by the internet gateway")
	}
	translate(t, at.ns)
	mustDial(t, "by the instance that translates", from.ns, far.nic.Public, 80, router.Public.String())
	near := attach(t, n, testNIC("vpc-1", 11, true, "sg-1"))
	near.serve(t, 80)
	mustDial(t, "within the VPC, which has a route of its own", from.ns, near.nic.Private, 80, from.nic.Private.String())
	if err := n.SetForwarding(ctx, router.ID, false); err != nil {
		t.Fatal(err)
	}
	mustTimeOut(t, "after the check was turned on", from.ns, far.nic.Public, 80)
}

// TestMoreRanges: addresses of a further range are the VPC's own, until it is taken away.
func TestMoreRanges(t *testing.T) {
	ctx := context.Background()
	n := openNetwork(t)
	internet(t, "203.0.113.1/32")
	v := openVPC("vpc-1", true)
	v.More = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	v.Exits = append(v.Exits, Exit{From: v.More[0], To: anywhere})
	if err := n.SetVPC(ctx, v); err != nil {
		t.Fatal(err)
	}
	setGroup(t, n, "vpc-1", "sg-1", []Rule{tcp(80, anywhere)}, sendAll)
	nic := testNIC("vpc-1", 11, true, "sg-1")
	nic.Subnet, nic.Private = netip.MustParsePrefix("203.0.113.128/25"), netip.MustParseAddr("203.0.113.140")
	inside, first := attach(t, n, nic), attach(t, n, testNIC("vpc-1", 10, true, "sg-1"))
	inside.serve(t, 80)
	mustDial(t, "from the first range", first.ns, nic.Private, 80, first.nic.Private.String())
	mustDial(t, "from the host", nil, nic.Public, 80, "198.18.0.1")
	known := netip.MustParseAddr("203.0.113.1")
	if _, err := dial(first.ns, known, 80, little); err == nil {
		t.Error("an address of the VPC that nobody has left it")
	}
	if err := n.Detach(ctx, nic.ID); err != nil {
		t.Fatal(err)
	}
	if err := n.SetVPC(ctx, openVPC("vpc-1", true)); err != nil {
		t.Fatal(err)
	}
	mustDial(t, "after the range was taken away", first.ns, known, 80, "192.0.2.2")
}
