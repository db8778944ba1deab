package network

import (
	"context"
	"net/netip"
	"testing"
)

func TestSecurityGroups(t *testing.T) {
	n := openNetwork(t)
	setVPC(t, n, "vpc-1", true)
	setGroup(t, n, "vpc-1", "sg-web", []Rule{tcp(8000, anywhere), {Protocol: "tcp", From: 9000, To: 9001, Group: "sg-client"}}, sendAll)
	setGroup(t, n, "vpc-1", "sg-client", nil, []Rule{tcp(8000, anywhere), tcp(9000, anywhere)})
	setGroup(t, n, "vpc-1", "sg-other", nil, sendAll)
	web := attach(t, n, testNIC("vpc-1", 10, true, "sg-web"))
	client := attach(t, n, testNIC("vpc-1", 11, true, "sg-client"))
	other := attach(t, n, testNIC("vpc-1", 12, false, "sg-other"))
	for _, port := range []int{8000, 9000, 9001, 22} {
		web.serve(t, port)
	}
	client.serve(t, 8000)

	t.Run("host to public address", func(t *testing.T) {
		mustDial(t, "open port", nil, web.nic.Public, 8000, "198.18.0.1")
		mustTimeOut(t, "port without a rule", nil, web.nic.Public, 22)
		mustTimeOut(t, "port for a group", nil, web.nic.Public, 9000)
		mustTimeOut(t, "default deny", nil, client.nic.Public, 8000)
	})
	t.Run("inside the subnet", func(t *testing.T) {
		mustDial(t, "open port", other.ns, web.nic.Private, 8000, "172.31.0.12")
		mustTimeOut(t, "port without a rule", other.ns, web.nic.Private, 22)
		mustDial(t, "group reference, member", client.ns, web.nic.Private, 9000, "172.31.0.11")
		mustTimeOut(t, "group reference, not a member", other.ns, web.nic.Private, 9000)
		mustTimeOut(t, "egress not allowed", client.ns, web.nic.Private, 9001)
	})
	t.Run("hairpin", func(t *testing.T) {
		mustDial(t, "by public address", client.ns, web.nic.Public, 8000, "198.18.0.11")
		mustDial(t, "to itself", web.ns, web.nic.Public, 8000, "198.18.0.10")
		mustTimeOut(t, "group reference does not hold for public addresses", client.ns, web.nic.Public, 9000)
		mustTimeOut(t, "no public address, no internet", other.ns, web.nic.Public, 8000)
	})
	t.Run("rules change", func(t *testing.T) {
		setGroup(t, n, "vpc-1", "sg-web", []Rule{tcp(22, anywhere)}, sendAll)
		mustDial(t, "new rule", nil, web.nic.Public, 22, "")
		mustTimeOut(t, "removed rule", nil, web.nic.Public, 8000)
	})
	t.Run("membership changes", func(t *testing.T) {
		if err := n.SetMembership(context.Background(), client.nic.ID, []string{"sg-web", "sg-other"}); err != nil {
			t.Fatal(err)
		}
		client.serve(t, 22)
		mustDial(t, "new group", nil, client.nic.Public, 22, "")
		mustDial(t, "egress of the new group", client.ns, web.nic.Private, 22, "")
	})
	t.Run("public address changes", func(t *testing.T) {
		moved := netip.MustParseAddr("198.18.7.7")
		if err := n.SetPublic(context.Background(), web.nic.ID, moved); err != nil {
			t.Fatal(err)
		}
		mustDial(t, "new address", nil, moved, 22, "")
		if _, err := dial(nil, web.nic.Public, 22, little); err == nil {
			t.Error("the old address still answers")
		}
	})
}
