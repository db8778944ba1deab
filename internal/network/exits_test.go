package network

import (
	"context"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestExits: the routes of a subnet decide what leaves it by the gateway, at once
// and for connections that exist too.
func TestExits(t *testing.T) {
	n := openNetwork(t)
	internet(t, "203.0.113.1/32", "203.0.113.2/32")
	known := netip.MustParseAddr("203.0.113.1")
	open, shut := netip.MustParsePrefix("172.31.0.0/20"), netip.MustParsePrefix("172.31.16.0/20")
	set := func(exits ...Exit) {
		t.Helper()
		if err := n.SetVPC(context.Background(), VPC{ID: "vpc-1", CIDR: testVPC, Gateway: true, Exits: exits}); err != nil {
			t.Fatal(err)
		}
	}
	set(Exit{From: open, To: anywhere})
	setGroup(t, n, "vpc-1", "sg-1", []Rule{tcp(80, anywhere)}, sendAll)
	in := attach(t, n, testNIC("vpc-1", 10, true, "sg-1"))
	nic := testNIC("vpc-1", 16<<8|10, true, "sg-1")
	nic.Subnet = shut
	out := attach(t, n, nic)
	in.serve(t, 80)
	out.serve(t, 80)
	mustDial(t, "by a route", in.ns, known, 80, "192.0.2.2")
	mustDial(t, "to the subnet with a route", nil, in.nic.Public, 80, "")
	mustDial(t, "between subnets", out.ns, in.nic.Private, 80, out.nic.Private.String())
	mustTimeOut(t, "to the subnet without a route", nil, out.nic.Public, 80)
	if _, err := dial(out.ns, known, 80, little); err == nil {
		t.Error("a subnet without a route reaches the internet")
	}
	set(Exit{From: open, To: anywhere}, Exit{From: shut, To: anywhere})
	mustDial(t, "a new route", out.ns, known, 80, "192.0.2.2")
	mustDial(t, "to the subnet with a new route", nil, out.nic.Public, 80, "")
	set(Exit{From: open, To: anywhere}, Exit{From: open, To: single(known), Closed: true}, Exit{From: shut, To: single(known)})
	mustDial(t, "the only destination", out.ns, known, 80, "192.0.2.2")
	mustDial(t, "what is not closed", in.ns, netip.MustParseAddr("203.0.113.2"), 80, "192.0.2.2")
	if _, err := dial(in.ns, known, 80, little); err == nil {
		t.Error("a more specific route to nowhere does not count")
	}
	if _, err := dial(out.ns, netip.MustParseAddr("203.0.113.2"), 80, little); err == nil {
		t.Error("a destination without a route is reached")
	}
	set(Exit{From: open, To: anywhere})
	cutOff(t, n, in, set)
}

// cutOff holds a connection while its route goes away.
func cutOff(t *testing.T, n *Network, in instance, set func(...Exit)) {
	l, err := ListenIn(in.ns, "tcp4", "0.0.0.0:8080")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	setGroup(t, n, "vpc-1", "sg-1", []Rule{tcp(8080, anywhere)}, sendAll)
	client, err := net.DialTimeout("tcp4", netip.AddrPortFrom(in.nic.Public, 8080).String(), plenty)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	heard := func(patience time.Duration) bool {
		if _, err := io.WriteString(server, "x"); err != nil {
			return false
		}
		client.SetReadDeadline(time.Now().Add(patience))
		k, _ := client.Read(make([]byte, 1))
		return k == 1
	}
	if !heard(plenty) {
		t.Fatal("the connection carries nothing")
	}
	set()
	if heard(little) {
		t.Error("a connection outlives its route")
	}
}

// TestSecondResolverAddress: the name server answers at the base of the VPC plus
// two, until it is turned off.
func TestSecondResolverAddress(t *testing.T) {
	n := openNetwork(t)
	s := openServices(t, n)
	setVPC(t, n, "vpc-1", false)
	setGroup(t, n, "vpc-1", "sg-1", nil, nil)
	one := attach(t, n, testNIC("vpc-1", 10, false, "sg-1"))
	mustOpen(t, s, "i-1", one.ns)
	for _, server := range []string{"169.254.169.253", "172.31.0.2"} {
		for _, proto := range []string{"udp", "tcp"} {
			if err := lookUp(one, proto, server, plenty); err != nil {
				t.Errorf("%s by %s: %v", server, proto, err)
			}
		}
	}
	off := openVPC("vpc-1", false)
	off.Nameless = true
	if err := n.SetVPC(context.Background(), off); err != nil {
		t.Fatal(err)
	}
	if err := lookUp(one, "udp", "172.31.0.2", little); err == nil {
		t.Error("a name server that is turned off answers")
	}
}

func lookUp(from instance, proto, server string, patience time.Duration) error {
	return inNamespace(from.ns, func() error {
		client := dns.Client{Net: proto, Timeout: patience}
		_, _, err := client.Exchange(new(dns.Msg).SetQuestion("ip-172-31-0-10.ec2.internal.", dns.TypeA), net.JoinHostPort(server, "53"))
		return err
	})
}

// TestGroupOfNobody: rules for a VPC that nobody is in make no namespace.
func TestGroupOfNobody(t *testing.T) {
	n := openNetwork(t)
	if err := n.SetGroup(context.Background(), "vpc-1", Group{ID: "sg-1", Egress: sendAll}); err != nil {
		t.Fatal(err)
	}
	if pins, err := n.pins(); err != nil || len(pins) > 0 {
		t.Errorf("pinned namespaces: %v, %v", pins, err)
	}
}
