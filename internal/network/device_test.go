package network

import (
	"context"
	"net"
	"testing"
)

// TestSecondDevice: an instance answers by the interface that it was asked by, also
// where that is in another VPC; it comes and goes without the first one noticing.
func TestSecondDevice(t *testing.T) {
	ctx := context.Background()
	n := openNetwork(t)
	for _, id := range []string{"vpc-1", "vpc-2"} {
		setVPC(t, n, id, true)
		setGroup(t, n, id, "sg-"+id, []Rule{tcp(80, anywhere)}, sendAll)
	}
	first := testNIC("vpc-1", 10, true, "sg-vpc-1")
	at := attach(t, n, first)
	peer := attach(t, n, testNIC("vpc-1", 30, false, "sg-vpc-1"))
	same, other := testNIC("vpc-1", 11, true, "sg-vpc-1"), testNIC("vpc-2", 12, true, "sg-vpc-2")
	same.Device, other.Device = 1, 2
	at.serve(t, 80)
	for range 2 {
		for _, nic := range []NIC{same, other} {
			if err := n.Attach(ctx, at.ns, nic); err != nil {
				t.Fatal(err)
			}
		}
		for what, nic := range map[string]NIC{"the first": first, "one in the same subnet": same, "one in another VPC": other} {
			mustDial(t, what, nil, nic.Public, 80, "198.18.0.1")
		}
		mustDial(t, "from inside the VPC", peer.ns, same.Private, 80, peer.nic.Private.String())
		if nic, ok := n.nicAt(at.ns); !ok || nic.ID != first.ID {
			t.Errorf("the namespace is that of %s", nic.ID)
		}
		for _, nic := range []NIC{same, other} {
			if err := n.Detach(ctx, nic.ID); err != nil {
				t.Fatal(err)
			}
			if _, err := dial(nil, nic.Public, 80, little); err == nil {
				t.Errorf("%s answers after it was detached", nic.ID)
			}
		}
		mustDial(t, "the first without others", nil, first.Public, 80, "198.18.0.1")
	}
	behind := privateNIC(40, "sg-vpc-1")
	behind.Device = 1
	if err := n.Attach(ctx, at.ns, behind); err != nil {
		t.Fatal(err)
	}
	near := attach(t, n, privateNIC(41, "sg-vpc-1"))
	mustDial(t, "the first one, from the subnet of the second", near.ns, first.Private, 80, near.nic.Private.String())
	mustDial(t, "the second one, from its subnet", near.ns, behind.Private, 80, near.nic.Private.String())
	same.Device = -1
	if err := n.Attach(ctx, at.ns, same); err == nil {
		t.Error("a device number below zero was taken")
	}
}

// TestAttachCompletesWhatWasBrokenOff: a link that a server was killed over, before the
// interface had its address, is made anew when the next one attaches it.
func TestAttachCompletesWhatWasBrokenOff(t *testing.T) {
	ctx := context.Background()
	n := newServer(t)
	setVPC(t, n, "vpc-1", true)
	groups := []Group{{ID: "sg-1", Ingress: []Rule{tcp(80, anywhere)}, Egress: sendAll}}
	setGroup(t, n, "vpc-1", "sg-1", groups[0].Ingress, groups[0].Egress)
	at := attach(t, n, testNIC("vpc-1", 10, true, "sg-1"))
	at.serve(t, 80)
	hot := testNIC("vpc-1", 11, true, "sg-1")
	hot.Device = 1
	v := n.lock("vpc-1")
	mac, err := net.ParseMAC(hot.MAC)
	if err != nil {
		t.Fatal(err)
	}
	link, err := veth(v.route, v.linkName(hot), gatewayMAC, hot.link(), mac, at.ns)
	if err == nil {
		err = v.prepareRouterEnd(link, hot, mac)
	}
	v.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	n = reopen(t, n)
	if _, err := n.Adopt(ctx, []VPCState{{VPC: openVPC("vpc-1", true), Groups: groups, NICs: []NIC{at.nic, hot}}}); err != nil {
		t.Fatal(err)
	}
	for _, nic := range []NIC{at.nic, hot} {
		if err := n.Attach(ctx, at.ns, nic); err != nil {
			t.Fatal(err)
		}
		mustDial(t, nic.ID, nil, nic.Public, 80, "198.18.0.1")
	}
}
