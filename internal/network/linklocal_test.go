package network

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/miekg/dns"
	"github.com/vishvananda/netlink"
)

// TestInstancesListenOnAllAddresses has programs in an instance take the ports
// of our services on every address, as web and name servers do.
func TestInstancesListenOnAllAddresses(t *testing.T) {
	n := openNetwork(t)
	s := openServices(t, n)
	setVPC(t, n, "vpc-1", true)
	setGroup(t, n, "vpc-1", "sg-1", []Rule{tcp(80, anywhere), tcp(443, anywhere), tcp(53, anywhere)}, sendAll)
	in := attach(t, n, testNIC("vpc-1", 10, true, "sg-1"))
	mustOpen(t, s, "i-1", in.ns)
	for _, network := range []string{"tcp4", "tcp"} {
		for _, port := range []int{80, 443, 53} {
			t.Run(fmt.Sprintf("%s %d", network, port), func(t *testing.T) {
				l, err := ListenIn(in.ns, network, fmt.Sprintf(":%d", port))
				if err != nil {
					t.Fatal(err)
				}
				greet(t, l)
				mustDial(t, "from the host", nil, in.nic.Public, port, "")
				mustDial(t, "itself by its public address", in.ns, in.nic.Public, port, "")
				mustDial(t, "itself by its private address", in.ns, in.nic.Private, port, "")
				mustDial(t, "itself by loopback", in.ns, loopbackAddr, port, "")
				mustBeKnown(t, in.ns, "i-1")
			})
		}
	}
	for _, network := range []string{"udp4", "udp"} {
		t.Run(network+" 53", func(t *testing.T) {
			c, err := ListenPacketIn(in.ns, network, ":53")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for _, transport := range []string{"udp", "tcp"} {
				if m := ask(t, in.ns, transport, "s3.amazonaws.com.", dns.TypeA); len(m.Answer) != 1 {
					t.Errorf("by %s: %v", transport, m)
				}
			}
		})
	}
}

func TestServicesWithoutDefaultRoute(t *testing.T) {
	n := openNetwork(t)
	s := openServices(t, n)
	in := attach(t, n, testNIC("vpc-1", 10, false))
	mustOpen(t, s, "i-1", in.ns)
	h, err := handleIn(in.ns)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.RouteDel(&netlink.Route{Gw: in.nic.Router().AsSlice(), Dst: ipNet(anywhere)}); err != nil {
		t.Fatal(err)
	}
	mustBeKnown(t, in.ns, "i-1")
	ask(t, in.ns, "udp", "localhost.", dns.TypeA)
}

// getFrom asks the metadata service from a given source address.
func getFrom(ns *os.File, source netip.Addr) (string, error) {
	d := net.Dialer{Timeout: little, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))}
	return get(&http.Client{Timeout: 2 * little, Transport: &http.Transport{
		DialContext: func(_ context.Context, network, address string) (c net.Conn, err error) {
			err = inNamespace(ns, func() error { c, err = d.Dial("tcp4", address); return err })
			return c, err
		},
	}}, "http://169.254.169.254/")
}

func TestCallerCannotBeForged(t *testing.T) {
	n := openNetwork(t)
	s := openServices(t, n)
	attacker := attach(t, n, testNIC("vpc-1", 10, false))
	mustOpen(t, s, "i-attacker", attacker.ns)
	victim := attach(t, n, testNIC("vpc-1", 11, false))
	mustOpen(t, s, "i-victim", victim.ns)
	elsewhere := attach(t, n, testNIC("vpc-2", 12, false))
	mustOpen(t, s, "i-elsewhere", elsewhere.ns)
	unopened := attach(t, n, testNIC("vpc-1", 13, false))
	h, err := handleIn(attacker.ns)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	link, err := h.LinkByName(instanceLink)
	if err != nil {
		t.Fatal(err)
	}
	for _, forged := range []struct {
		name string
		addr netip.Addr
	}{
		{"neighbour's address", victim.nic.Private},
		{"address of an instance in another VPC", elsewhere.nic.Private},
		{"unused address of the subnet", netip.MustParseAddr("172.31.0.99")},
		{"address outside the VPC", netip.MustParseAddr("10.0.0.1")},
		{"the router's address", attacker.nic.Router()},
		{"a service's address", EndpointAddr},
	} {
		t.Run(forged.name, func(t *testing.T) {
			if err := h.AddrAdd(link, &netlink.Addr{IPNet: ipNet(single(forged.addr))}); err != nil {
				t.Fatal(err)
			}
			if got, err := getFrom(attacker.ns, forged.addr); err == nil {
				t.Errorf("the metadata service took the instance for %q", got)
			}
		})
	}
	t.Run("own address", func(t *testing.T) {
		if got, err := getFrom(attacker.ns, attacker.nic.Private); got != "i-attacker true" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("services not open", func(t *testing.T) {
		if got, err := getFrom(unopened.ns, unopened.nic.Private); err == nil {
			t.Errorf("got %q", got)
		}
	})
	t.Run("victim afterwards", func(t *testing.T) { mustBeKnown(t, victim.ns, "i-victim") })
}

// TestAddressChangesHands gives an address to another instance while the first
// still has a connection.
func TestAddressChangesHands(t *testing.T) {
	n := openNetwork(t)
	s := openServices(t, n)
	old := attach(t, n, testNIC("vpc-1", 10, false))
	mustOpen(t, s, "i-old", old.ns)
	mustBeKnown(t, old.ns, "i-old")
	if err := n.Detach(context.Background(), old.nic.ID); err != nil {
		t.Fatal(err)
	}
	nic := old.nic
	nic.ID = "eni-new"
	fresh := attach(t, n, nic)
	mustOpen(t, s, "i-new", fresh.ns)
	if err := s.Release("i-old"); err != nil { // late
		t.Fatal(err)
	}
	mustBeKnown(t, fresh.ns, "i-new")
	if err := s.Open("i-old", old.ns); err == nil {
		t.Error("services were opened for a namespace that is not attached")
	}
}

// TestOnlyServicesAreReached has listeners on every address of a VPC's
// namespace, beside those that instances may reach.
func TestOnlyServicesAreReached(t *testing.T) {
	n := openNetwork(t)
	s := openServices(t, n)
	setVPC(t, n, "vpc-1", true)
	setGroup(t, n, "vpc-1", "sg-1", []Rule{{Protocol: "-1", CIDR: anywhere}}, sendAll)
	in := attach(t, n, testNIC("vpc-1", 10, true, "sg-1"))
	mustOpen(t, s, "i-1", in.ns)
	pin, err := openPin(n.pinPath("vpc-1"))
	if err != nil {
		t.Fatal(err)
	}
	defer pin.Close()
	for _, address := range []string{"0.0.0.0:22", "0.0.0.0:4566", "169.254.169.254:443", "169.254.169.253:80", "169.254.169.252:53", "172.31.0.1:80"} {
		l, err := ListenIn(pin, "tcp4", address)
		if err != nil {
			t.Fatal(err)
		}
		greet(t, l)
		to := netip.MustParseAddrPort(address)
		if to.Addr().IsUnspecified() {
			to = netip.AddrPortFrom(MetadataAddr, to.Port())
		}
		mustTimeOut(t, to.String(), in.ns, to.Addr(), int(to.Port()))
	}
	link, _, err := n.findUplink("vpc-1")
	if err != nil {
		t.Fatal(err)
	}
	err = n.host.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: n.cfg.routerAddr().AsSlice(), Flags: int(netlink.FLAG_ONLINK), Dst: ipNet(serviceRange)})
	if err != nil {
		t.Fatal(err)
	}
	mustTimeOut(t, "from the host", nil, MetadataAddr, 80)
}

// masquerade makes a container in an instance: a namespace that routes by the
// instance, which gives it its own address.
func masquerade(t *testing.T, in instance) *os.File {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	inner := bareNamespace(t)
	outside, err := handleIn(in.ns)
	must(err)
	defer outside.Close()
	inside, err := handleIn(inner)
	must(err)
	defer inside.Close()
	link, err := veth(outside, "docker0", hostMAC, "eth0", gatewayMAC, inner)
	must(err)
	far, err := inside.LinkByName("eth0")
	must(err)
	must(outside.AddrAdd(link, &netlink.Addr{IPNet: ipNet(netip.MustParsePrefix("10.88.0.1/24"))}))
	must(inside.AddrAdd(far, &netlink.Addr{IPNet: ipNet(netip.MustParsePrefix("10.88.0.2/24"))}))
	must(inside.LinkSetUp(far))
	must(inside.RouteAdd(&netlink.Route{LinkIndex: far.Attrs().Index, Gw: net.IPv4(10, 88, 0, 1), Dst: ipNet(anywhere)}))
	must(inNamespace(in.ns, func() error { return sysctl("ipv4/ip_forward", "1") }))
	conn, err := nftables.New(nftables.WithNetNSFd(int(in.ns.Fd())))
	must(err)
	table := conn.AddTable(&nftables.Table{Name: "nat", Family: nftables.TableFamilyIPv4})
	chain := conn.AddChain(&nftables.Chain{Name: "post", Table: table, Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource})
	conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: append(linkIs(expr.MetaKeyOIFNAME, instanceLink), &expr.Masq{})})
	must(conn.Flush())
	return inner
}

func TestHopLimit(t *testing.T) {
	n := openNetwork(t)
	s := NewServices(ServicesConfig{
		Network: n, Port: 4566, Serve: func(l net.Listener) error { return http.Serve(l, nil) },
		Metadata: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/near") {
				if err := ConnFrom(r.Context()).SetHopLimit(1); err != nil {
					t.Error(err)
				}
			}
			identify(w, r)
		}),
	})
	t.Cleanup(func() { s.Close() })
	in := attach(t, n, testNIC("vpc-1", 10, false))
	mustOpen(t, s, "i-1", in.ns)
	inner := masquerade(t, in)
	for _, tt := range []struct {
		name, path string
		ns         *os.File
		patience   time.Duration
		answered   bool
	}{
		{"instance, one hop", "near", in.ns, plenty, true},
		{"container, one hop", "near", inner, 2 * little, false},
		{"instance, many hops", "far", in.ns, plenty, true},
		{"container, many hops", "far", inner, plenty, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := clientIn(tt.ns)
			c.Timeout = tt.patience
			got, err := get(c, "http://169.254.169.254/"+tt.path)
			if (err == nil) != tt.answered || tt.answered && got != "i-1 true" {
				t.Errorf("got %q, %v, want an answer: %v", got, err, tt.answered)
			}
		})
	}
}

func TestServicesAfterRestart(t *testing.T) {
	n := newServer(t)
	s := openServices(t, n)
	setVPC(t, n, "vpc-1", true)
	one, two := attach(t, n, testNIC("vpc-1", 10, true)), attach(t, n, testNIC("vpc-1", 11, false))
	mustOpen(t, s, "i-1", one.ns)
	mustOpen(t, s, "i-2", two.ns)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	n = reopen(t, n)
	state := VPCState{VPC: openVPC("vpc-1", true), NICs: []NIC{one.nic, two.nic}}
	if missing, err := n.Adopt(context.Background(), []VPCState{state}); err != nil || len(missing) > 0 {
		t.Fatalf("missing %v, %v", missing, err)
	}
	s = openServices(t, n)
	for id, in := range map[string]instance{"i-1": one, "i-2": two} {
		if err := n.Attach(context.Background(), in.ns, in.nic); err != nil {
			t.Fatal(err)
		}
		mustOpen(t, s, id, in.ns)
		mustBeKnown(t, in.ns, id)
	}
}

// TestEndOfVPCClosesServices counts descriptors, too: a socket that stays open
// keeps the namespace.
func TestEndOfVPCClosesServices(t *testing.T) {
	ctx := context.Background()
	n := openNetwork(t)
	s := openServices(t, n)
	nic := testNIC("vpc-1", 10, false)
	var after []int
	for range 4 {
		ns := bareNamespace(t)
		if err := n.Attach(ctx, ns, nic); err != nil {
			t.Fatal(err)
		}
		mustOpen(t, s, "i-1", ns)
		mustBeKnown(t, ns, "i-1")
		ask(t, ns, "tcp", "localhost.", dns.TypeA)
		if err := s.Release("i-1"); err != nil {
			t.Fatal(err)
		}
		if err := n.Detach(ctx, nic.ID); err != nil {
			t.Fatal(err)
		}
		if err := n.DeleteVPC(ctx, "vpc-1"); err != nil {
			t.Fatal(err)
		}
		ns.Close()
		if len(s.vpcs) != 0 {
			t.Errorf("services of %d VPCs are open", len(s.vpcs))
		}
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		after = append(after, len(open))
	}
	// The first round opens what the process keeps.
	if after[3] > after[1] {
		t.Errorf("descriptors after each round: %v", after)
	}
}

// TestDestroyWithOpenServices ends the network under services that nobody
// closed before.
func TestDestroyWithOpenServices(t *testing.T) {
	n := openNetwork(t)
	s := openServices(t, n)
	in := attach(t, n, testNIC("vpc-1", 10, false))
	mustOpen(t, s, "i-1", in.ns)
	if err := n.Destroy(); err != nil {
		t.Fatal(err)
	}
	if len(s.vpcs) != 0 {
		t.Errorf("services of %d VPCs are open", len(s.vpcs))
	}
	if err := s.Release("i-1"); err != nil {
		t.Error(err)
	}
}
