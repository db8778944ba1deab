package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The tests change the machine's network, so TestMain runs them again in
// network and mount namespaces of their own; whatever happens, nothing is left.
const (
	roleVariable = "HARDSTAND_NETWORK_TEST"
	roleTests    = "tests"
	roleInstance = "instance" // holds a network namespace until its stdin ends
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case roleInstance:
		io.Copy(io.Discard, os.Stdin)
	case roleTests:
		if err := prepareHost(); err != nil {
			fmt.Fprintln(os.Stderr, "prepare test namespaces:", err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	default:
		os.Exit(runApart())
	}
}

func runApart() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), roleVariable+"="+roleTests)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS}
	err := cmd.Run()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tests of the network need root:", err)
		return 1
	}
	return 0
}

func prepareHost() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, ""); err != nil {
		return err
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(lo)
}

// instance is a process that holds a network namespace inside a user namespace,
// as real instances do.
type instance struct {
	ns  *os.File
	nic NIC
}

func newInstance(t testing.TB) *os.File {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	// The race detector would wait a second at the end of each instance.
	cmd.Env = []string{roleVariable + "=" + roleInstance, "GORACE=atexit_sleep_ms=0"}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 100000, Size: 65536}}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNET, UidMappings: ids, GidMappings: ids}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start an instance: %v", err)
	}
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ns.Close()
		stdin.Close()
		cmd.Wait()
	})
	return ns
}

// bareNamespace makes a namespace that only its file holds.
func bareNamespace(t testing.TB) *os.File {
	t.Helper()
	var ns *os.File
	err := onOwnThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		ns, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	return ns
}

func openNetwork(t testing.TB, change ...func(*Config)) *Network {
	t.Helper()
	cfg := Config{Prefix: "hsabc123"}
	for _, c := range change {
		c(&cfg)
	}
	n, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Destroy(); err != nil {
			t.Errorf("destroy: %v", err)
		}
		n.Close()
	})
	return n
}

var (
	testVPC  = netip.MustParsePrefix("172.31.0.0/16")
	anywhere = netip.MustParsePrefix("0.0.0.0/0")
	sendAll  = []Rule{{Protocol: "-1", From: -1, To: -1, CIDR: anywhere}}
)

func tcp(port int, cidr netip.Prefix) Rule {
	return Rule{Protocol: "tcp", From: port, To: port, CIDR: cidr}
}

// testNIC makes the interface number i of a VPC; a public address is
// 198.18.0.<i> when asked for.
func testNIC(vpc string, i int, public bool, groups ...string) NIC {
	nic := NIC{
		ID: fmt.Sprintf("eni-%s-%05d", vpc, i), VPC: vpc, VPCCIDR: testVPC,
		Subnet:  netip.MustParsePrefix("172.31.0.0/20"),
		Private: netip.AddrFrom4([4]byte{172, 31, byte(i >> 8), byte(i)}),
		MAC:     fmt.Sprintf("0a:00:00:00:%02x:%02x", byte(i>>8), byte(i)), SecurityGroups: groups,
	}
	if public {
		nic.Public = netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)})
	}
	return nic
}

// openVPC is a VPC all of whose addresses have a way out by the gateway.
func openVPC(id string, gateway bool) VPC {
	return VPC{ID: id, CIDR: testVPC, Gateway: gateway, Exits: []Exit{{From: testVPC, To: anywhere}}}
}

func setVPC(t testing.TB, n *Network, id string, gateway bool) {
	t.Helper()
	if err := n.SetVPC(context.Background(), openVPC(id, gateway)); err != nil {
		t.Fatal(err)
	}
}

// setGroup makes the VPC, too, if it is not there; it then has no gateway.
func setGroup(t testing.TB, n *Network, vpc, id string, ingress, egress []Rule) {
	t.Helper()
	v, err := n.open(vpc)
	if err != nil {
		t.Fatal(err)
	}
	v.mu.Unlock()
	if err := n.SetGroup(context.Background(), vpc, Group{ID: id, Ingress: ingress, Egress: egress}); err != nil {
		t.Fatal(err)
	}
}

func attach(t testing.TB, n *Network, nic NIC) instance {
	t.Helper()
	ns := newInstance(t)
	if err := n.Attach(context.Background(), ns, nic); err != nil {
		t.Fatal(err)
	}
	return instance{ns: ns, nic: nic}
}

// serve answers TCP connections to port in the instance with the client's
// address and reports nothing when it ends.
func (i instance) serve(t testing.TB, port int) {
	t.Helper()
	l, err := ListenIn(i.ns, "tcp4", fmt.Sprintf("0.0.0.0:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	greet(t, l)
}

func greet(t testing.TB, l net.Listener) {
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
			io.WriteString(c, host)
			c.Close()
		}
	}()
}

// Patience for connections: those that must work get plenty, those that must
// be dropped are given up as soon as a working one would long have answered.
const (
	plenty = 5 * time.Second
	little = 150 * time.Millisecond
)

// dial connects from ns (nil: the host) and returns what the server saw as the
// client's address.
func dial(ns *os.File, addr netip.Addr, port int, patience time.Duration) (seen string, err error) {
	connect := func() error {
		d := net.Dialer{Timeout: patience}
		c, err := d.Dial("tcp4", netip.AddrPortFrom(addr, uint16(port)).String())
		if err != nil {
			return err
		}
		defer c.Close()
		b, err := io.ReadAll(c)
		seen = string(b)
		return err
	}
	if ns == nil {
		err = connect()
	} else {
		err = inNamespace(ns, connect)
	}
	return seen, err
}

func mustDial(t testing.TB, what string, ns *os.File, addr netip.Addr, port int, wantSeen string) {
	t.Helper()
	seen, err := dial(ns, addr, port, plenty)
	if err != nil {
		t.Errorf("%s: %v", what, err)
	} else if wantSeen != "" && seen != wantSeen {
		t.Errorf("%s: the server saw client %s, want %s", what, seen, wantSeen)
	}
}

func mustTimeOut(t testing.TB, what string, ns *os.File, addr netip.Addr, port int) {
	t.Helper()
	_, err := dial(ns, addr, port, little)
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%s: got %v, want a time-out", what, err)
	}
}

func init() { runtime.LockOSThread() } // the main thread stays main's: see onOwnThread
