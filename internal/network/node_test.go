package network

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func attachNode(t *testing.T, n *Network, nic NIC) *Node {
	t.Helper()
	node, err := n.AttachNode(context.Background(), nic)
	if err != nil {
		t.Fatal(err)
	}
	return node
}

// dialFrom connects from behind a node and returns what the server saw.
func dialFrom(d *Node, to netip.Addr, port uint16, patience time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := d.DialContext(ctx, "tcp", netip.AddrPortFrom(to, port).String())
	if err != nil {
		return "", err
	}
	defer c.Close()
	b, err := io.ReadAll(c)
	return string(b), err
}

// TestNode: an interface without an instance is bound by its groups in both
// directions, has its public address, and is gone when it is detached.
func TestNode(t *testing.T) {
	n := openNetwork(t)
	setVPC(t, n, "vpc-1", true)
	setGroup(t, n, "vpc-1", "sg-node", []Rule{tcp(80, anywhere)}, []Rule{{Protocol: "tcp", From: 8080, To: 8080, Group: "sg-web"}})
	setGroup(t, n, "vpc-1", "sg-web", []Rule{{Protocol: "tcp", From: 1, To: 65535, Group: "sg-node"}}, sendAll)
	web := attach(t, n, testNIC("vpc-1", 10, false, "sg-web"))
	web.serve(t, 8080)
	web.serve(t, 8081)
	nic := testNIC("vpc-1", 20, true, "sg-node")
	node := attachNode(t, n, nic)
	if again := attachNode(t, n, nic); again != node {
		t.Error("a node that is up was made anew")
	}
	for _, port := range []string{"80", "81"} {
		l, err := node.Listen("tcp", net.JoinHostPort("0.0.0.0", port))
		if err != nil {
			t.Fatal(err)
		}
		greet(t, l)
	}
	mustDial(t, "from the host to the public address", nil, nic.Public, 80, "198.18.0.1")
	mustTimeOut(t, "a port that no rule allows", nil, nic.Public, 81)
	mustDial(t, "from an instance", web.ns, nic.Private, 80, web.nic.Private.String())
	if seen, err := dialFrom(node, web.nic.Private, 8080, plenty); err != nil || seen != nic.Private.String() {
		t.Errorf("to a target: seen as %q, %v", seen, err)
	}
	var timeout net.Error
	if _, err := dialFrom(node, web.nic.Private, 8081, little); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("to a port that the node's group does not allow: %v, want a time-out", err)
	}
	setGroup(t, n, "vpc-1", "sg-node", []Rule{tcp(80, anywhere)}, sendAll)
	if _, err := dialFrom(node, web.nic.Private, 9, plenty); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("to a port where nobody listens: %v, want a refusal", err)
	}
	nodeDatagrams(t, n, node, web)
	for range 2 {
		if err := n.DetachNode(context.Background(), nic.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := dial(nil, nic.Public, 80, little); err == nil {
		t.Error("a node that is down answers")
	}
	attachNode(t, n, nic)
}

func nodeDatagrams(t *testing.T, n *Network, node *Node, web instance) {
	in, err := ListenPacketIn(web.ns, "udp4", "0.0.0.0:53")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	setGroup(t, n, "vpc-1", "sg-web", []Rule{{Protocol: "-1", Group: "sg-node"}}, sendAll)
	out, err := node.DialContext(context.Background(), "udp", netip.AddrPortFrom(web.nic.Private, 53).String())
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := out.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	in.SetReadDeadline(time.Now().Add(plenty))
	if _, _, err := in.ReadFrom(make([]byte, 1)); err != nil {
		t.Errorf("a datagram to a target: %v", err)
	}
}

func TestNodeDialRefusals(t *testing.T) {
	n := openNetwork(t)
	setVPC(t, n, "vpc-1", false)
	node := attachNode(t, n, testNIC("vpc-1", 20, false))
	for _, c := range []struct{ network, address string }{{"tcp", "example.com:80"}, {"tcp", "[::1]:80"}, {"unix", "10.0.0.1:80"}} {
		if _, err := node.DialContext(context.Background(), c.network, c.address); err == nil {
			t.Errorf("dial %s %s succeeded", c.network, c.address)
		}
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := node.DialContext(ended, "tcp", "172.31.0.99:80"); !errors.Is(err, context.Canceled) {
		t.Errorf("dial with a context that has ended: %v", err)
	}
}

// TestNodesEndWithTheServer: what an earlier server had up is gone after it, and the
// next one brings it up again.
func TestNodesEndWithTheServer(t *testing.T) {
	ctx := context.Background()
	n := newServer(t)
	setVPC(t, n, "vpc-1", true)
	group := Group{ID: "sg-1", Ingress: []Rule{tcp(80, anywhere)}, Egress: sendAll}
	setGroup(t, n, "vpc-1", "sg-1", group.Ingress, group.Egress)
	nic := testNIC("vpc-1", 20, true, "sg-1")
	attachNode(t, n, nic)
	n = reopen(t, n)
	if _, err := n.Adopt(ctx, []VPCState{{VPC: openVPC("vpc-1", true), Groups: []Group{group}}}); err != nil {
		t.Fatal(err)
	}
	if err := n.SetPublic(ctx, nic.ID, nic.Public); !errors.Is(err, ErrNotAttached) {
		t.Errorf("the earlier node: %v, want it not to be attached", err)
	}
	l, err := attachNode(t, n, nic).Listen("tcp", "0.0.0.0:80")
	if err != nil {
		t.Fatal(err)
	}
	greet(t, l)
	mustDial(t, "the node that was brought up again", nil, nic.Public, 80, "198.18.0.1")
}

// TestOpenNode: without groups nothing passes, but at a node that is open.
func TestOpenNode(t *testing.T) {
	n := openNetwork(t)
	setVPC(t, n, "vpc-1", true)
	closed, open := testNIC("vpc-1", 20, true), testNIC("vpc-1", 30, true)
	open.Open = true
	for _, nic := range []NIC{closed, open} {
		l, err := attachNode(t, n, nic).Listen("tcp", "0.0.0.0:80")
		if err != nil {
			t.Fatal(err)
		}
		greet(t, l)
	}
	mustTimeOut(t, "a node without groups", nil, closed.Public, 80)
	mustDial(t, "a node that is open", nil, open.Public, 80, "198.18.0.1")
}
