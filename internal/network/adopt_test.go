package network

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
)

// reopen ends the process's part as kill -9 would, and opens it again.
func reopen(t *testing.T, old *Network) *Network {
	t.Helper()
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	n, err := Open(context.Background(), old.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Destroy(); n.Close() })
	return n
}

// newServer opens a network that the test closes itself.
func newServer(t *testing.T) *Network {
	t.Helper()
	n, err := Open(context.Background(), Config{Prefix: "hsabc123"})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAdoptKeepsConnections(t *testing.T) {
	ctx := context.Background()
	n := newServer(t)
	setVPC(t, n, "vpc-1", true)
	setVPC(t, n, "vpc-old", true)
	groups := []Group{{ID: "sg-1", Ingress: []Rule{tcp(80, anywhere)}, Egress: sendAll}}
	setGroup(t, n, "vpc-1", "sg-1", groups[0].Ingress, groups[0].Egress)
	web := attach(t, n, testNIC("vpc-1", 10, true, "sg-1"))
	stale := attach(t, n, testNIC("vpc-1", 11, true, "sg-1"))
	gone := testNIC("vpc-1", 12, true, "sg-1")
	web.serve(t, 80)
	echo, err := ListenIn(web.ns, "tcp4", "172.31.0.10:81")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	setGroup(t, n, "vpc-1", "sg-1", []Rule{tcp(81, anywhere)}, sendAll)
	conn, err := net.Dial("tcp4", "198.18.0.10:81")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	inside, err := echo.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()

	n = reopen(t, n)
	forwarding := web.nic // since the earlier process was told last
	forwarding.Forwards = true
	missing, err := n.Adopt(ctx, []VPCState{{VPC: openVPC("vpc-1", true), Groups: groups, NICs: []NIC{forwarding, gone}}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(missing, []string{gone.ID}) {
		t.Errorf("missing interfaces %v, want %s", missing, gone.ID)
	}
	err = n.inVPC("vpc-1", func() error {
		strict, err := os.ReadFile("/proc/sys/net/ipv4/conf/" + linkFor("hsabc123", web.nic.Private) + "/rp_filter")
		if string(strict) != "0\n" {
			t.Errorf("the kernel still checks what the interface forwards: %q", strict)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	mustDial(t, "the adopted instance", nil, web.nic.Public, 80, "198.18.0.1")
	if _, err := dial(nil, stale.nic.Public, 80, little); err == nil {
		t.Error("an interface that no state names still answers")
	}
	if _, err := io.WriteString(conn, "still here"); err != nil {
		t.Errorf("the open connection: %v", err)
	}
	b := make([]byte, len("still here"))
	if _, err := io.ReadFull(inside, b); err != nil {
		t.Errorf("the open connection: %v", err)
	}
	if pins, err := n.pins(); err != nil || len(pins) != 1 || !pins["vpc-1"] {
		t.Errorf("pinned VPCs after adoption: %v, %v", pins, err)
	}
	if err := n.Attach(ctx, web.ns, web.nic); err != nil {
		t.Errorf("attach what is attached: %v", err)
	}
	mustDial(t, "after attaching again", nil, web.nic.Public, 80, "")
}

func TestAttachAgain(t *testing.T) {
	ctx := context.Background()
	n := openNetwork(t)
	setVPC(t, n, "vpc-1", true)
	setGroup(t, n, "vpc-1", "sg-1", []Rule{tcp(80, anywhere)}, sendAll)
	nic := testNIC("vpc-1", 10, true, "sg-1")
	first := attach(t, n, nic)
	for range 3 {
		if err := n.Attach(ctx, first.ns, nic); err != nil {
			t.Fatalf("same namespace: %v", err)
		}
	}
	first.serve(t, 80)
	mustDial(t, "first", nil, nic.Public, 80, "")
	// The instance is started again while its old namespace lives on.
	second := attach(t, n, nic)
	second.serve(t, 80)
	mustDial(t, "second", nil, nic.Public, 80, "")
	if err := n.Detach(ctx, nic.ID); err != nil {
		t.Fatal(err)
	}
	if err := n.Detach(ctx, nic.ID); err != nil {
		t.Errorf("detach what is detached: %v", err)
	}
	if _, err := dial(nil, nic.Public, 80, little); err == nil {
		t.Error("the public address answers after Detach")
	}
	third := attach(t, n, nic)
	third.serve(t, 80)
	mustDial(t, "third", nil, nic.Public, 80, "")
	other := nic
	other.ID = "eni-other"
	if err := n.Attach(ctx, newInstance(t), other); err == nil {
		t.Error("two interfaces got the same private address")
	}
}

func TestDestroyLeavesNothing(t *testing.T) {
	n := newServer(t)
	setVPC(t, n, "vpc-1", true)
	setGroup(t, n, "vpc-1", "sg-1", nil, sendAll)
	web := attach(t, n, testNIC("vpc-1", 10, true, "sg-1"))
	if err := errors.Join(n.Destroy(), n.Close()); err != nil {
		t.Fatal(err)
	}
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if strings.HasPrefix(l.Attrs().Name, "hs") {
			t.Errorf("link %s is left", l.Attrs().Name)
		}
	}
	conn, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	tables, err := conn.ListTables()
	if err != nil || len(tables) != 0 {
		t.Errorf("%d tables are left, %v", len(tables), err)
	}
	if left, err := os.ReadDir("/run/netns"); err != nil || len(left) != 0 {
		t.Errorf("pins are left: %v, %v", left, err)
	}
	h, err := handleIn(web.ns)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if _, err := h.LinkByName(instanceLink); !missing(err) {
		t.Errorf("the instance still has its link: %v", err)
	}
}

func TestDeleteVPC(t *testing.T) {
	ctx := context.Background()
	n := openNetwork(t)
	setVPC(t, n, "vpc-1", true)
	nic := testNIC("vpc-1", 10, true)
	attach(t, n, nic)
	if err := n.DeleteVPC(ctx, "vpc-1"); err == nil {
		t.Error("a VPC with an interface was deleted")
	}
	if err := n.Detach(ctx, nic.ID); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := n.DeleteVPC(ctx, "vpc-1"); err != nil {
			t.Fatal(err)
		}
	}
	if pins, _ := n.pins(); len(pins) != 0 {
		t.Errorf("pins are left: %v", pins)
	}
	setVPC(t, n, "vpc-1", false)
	if err := n.SetPublic(ctx, nic.ID, netip.Addr{}); err == nil {
		t.Error("a detached interface was changed")
	}
}
