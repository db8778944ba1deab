package network

import (
	"context"
	"net/netip"
	"testing"
)

// TestACLs: the network ACL of a subnet judges each packet that crosses its border, of
// connections that exist too, and answers need an entry of their own.
func TestACLs(t *testing.T) {
	n := openNetwork(t)
	internet(t, "203.0.113.1/32")
	first, second := netip.MustParsePrefix("172.31.0.0/20"), netip.MustParsePrefix("172.31.16.0/20")
	set := func(acls ...ACL) {
		t.Helper()
		v := VPC{ID: "vpc-1", CIDR: testVPC, Gateway: true, ACLs: acls, Exits: []Exit{{From: first, To: anywhere}, {From: second, To: anywhere}}}
		if err := n.SetVPC(context.Background(), v); err != nil {
			t.Fatal(err)
		}
	}
	set()
	setGroup(t, n, "vpc-1", "sg-1", sendAll, sendAll)
	a, beside := attach(t, n, testNIC("vpc-1", 10, true, "sg-1")), attach(t, n, testNIC("vpc-1", 11, true, "sg-1"))
	nic := testNIC("vpc-1", 16<<8|10, true, "sg-1")
	nic.Subnet = second
	b := attach(t, n, nic)
	for _, i := range []instance{a, beside, b} {
		i.serve(t, 80)
	}
	outside := netip.MustParseAddr("203.0.113.1")
	all := Rule{Protocol: "-1", From: anyPort, To: anyPort, CIDR: anywhere}
	allowed := func(rules ...Rule) (out []ACLEntry) {
		for _, r := range rules {
			out = append(out, ACLEntry{Rule: r})
		}
		return out
	}
	ephemeral := Rule{Protocol: "6", From: 1024, To: 65535, CIDR: anywhere}
	mustDial(t, "without an ACL", b.ns, a.nic.Private, 80, "")

	set(ACL{Subnet: first, Ingress: allowed(tcp(80, anywhere)), Egress: allowed(ephemeral)})
	mustDial(t, "a server from another subnet", b.ns, a.nic.Private, 80, "")
	mustDial(t, "a server from outside", nil, a.nic.Public, 80, "")
	mustDial(t, "within the subnet", beside.ns, a.nic.Private, 80, "")
	mustTimeOut(t, "out of a server's subnet", a.ns, b.nic.Private, 80)
	mustTimeOut(t, "out of a server's subnet to the internet", a.ns, outside, 80)

	set(ACL{Subnet: first, Ingress: allowed(tcp(80, anywhere)), Egress: allowed(tcp(80, anywhere))})
	mustTimeOut(t, "answers without an entry", b.ns, a.nic.Private, 80)

	set(ACL{Subnet: second, Ingress: append([]ACLEntry{{Rule: Rule{Protocol: "-1", CIDR: single(a.nic.Private)}, Deny: true}}, allowed(all)...), Egress: allowed(all)})
	mustTimeOut(t, "what an earlier entry denies", a.ns, b.nic.Private, 80)
	mustDial(t, "what a later one allows", beside.ns, b.nic.Private, 80, "")
	mustDial(t, "out of the other subnet", b.ns, outside, 80, "192.0.2.2")

	set(ACL{Subnet: first}, ACL{Subnet: second, Ingress: allowed(all), Egress: allowed(all)})
	mustTimeOut(t, "into a subnet without entries", b.ns, a.nic.Private, 80)
	mustDial(t, "within a subnet without entries", beside.ns, a.nic.Private, 80, "")
	set()
	mustDial(t, "without an ACL again", b.ns, a.nic.Private, 80, "")
}
