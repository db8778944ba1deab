package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Config says how a Network presents itself to the machine.
type Config struct {
	// Prefix begins the name of every kernel object: hs and six hex digits.
	Prefix string
	// PublicCIDR holds the public addresses. Its first addresses are the
	// host's and the VPC routers'; see FirstPublic.
	PublicCIDR netip.Prefix
	// Egress is "on" (instances with a public address reach the internet) or
	// "off".
	Egress string
	// EgressLAN lets instances reach the host's own addresses and private
	// networks, too.
	EgressLAN bool
	// PinDir holds the namespace pins; /run/netns, where `ip netns` looks,
	// when empty.
	PinDir string
	// Log may be nil.
	Log *slog.Logger
}

// DefaultPublicCIDR is the benchmarking range of RFC 2544, which no network
// that a developer's machine is in should be using.
var DefaultPublicCIDR = netip.MustParsePrefix("198.18.0.0/15")

// reservedPublic counts the addresses at the start of PublicCIDR that are not
// given to instances. The second and third are in use (hostAddr, routerAddr).
const reservedPublic = 10

// prefixForm keeps names short enough for the kernel: a link's name has at most
// 15 bytes and seven of them are ours to vary.
var prefixForm = regexp.MustCompile(`^hs[0-9a-f]{6}$`)

func (c *Config) complete() error {
	if !prefixForm.MatchString(c.Prefix) {
		return fmt.Errorf("network prefix %q is not hs and six hex digits", c.Prefix)
	}
	if !c.PublicCIDR.IsValid() {
		c.PublicCIDR = DefaultPublicCIDR
	}
	c.PublicCIDR = c.PublicCIDR.Masked()
	if !c.PublicCIDR.Addr().Is4() || c.PublicCIDR.Bits() > 24 {
		return fmt.Errorf("public CIDR %v must be IPv4 and /24 or larger", c.PublicCIDR)
	}
	switch c.Egress {
	case "":
		c.Egress = "on"
	case "on", "off":
	default:
		return fmt.Errorf("egress %q is neither on nor off", c.Egress)
	}
	if c.PinDir == "" {
		c.PinDir = "/run/netns"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return nil
}

// hostAddr is the host's address on every uplink: instances see host-made
// connections come from it.
func (c Config) hostAddr() netip.Addr { return c.PublicCIDR.Addr().Next() }

// routerAddr stands for the VPC's end of an uplink. Nobody holds it; both ends
// know each other's hardware address by a permanent neighbour entry.
func (c Config) routerAddr() netip.Addr { return c.hostAddr().Next() }

// FirstPublic returns the first address that may be given to an instance.
func (c Config) FirstPublic() netip.Addr {
	a := c.PublicCIDR.Addr()
	for range reservedPublic {
		a = a.Next()
	}
	return a
}

// Network is the data plane of one server on this machine. Its methods are
// safe for concurrent use.
type Network struct {
	cfg  Config
	log  *slog.Logger
	host *netlink.Handle
	wall *hostTable

	mu     sync.Mutex
	ended  func(vpcID string) error // nil, or to be told of VPCs that are closed
	vpcs   map[string]*vpc
	nics   map[string]*vpc   // by interface id
	spaces map[uint64]string // interface id by inode of the namespace it was attached to

	nodeMu sync.Mutex // held while a node is attached or detached; before mu
	nodes  map[string]*Node
}

// Open prepares the host: its table of rules, and forwarding where instances
// need it. It needs CAP_NET_ADMIN and CAP_SYS_ADMIN.
func Open(ctx context.Context, cfg Config) (*Network, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	host, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	n := &Network{cfg: cfg, log: cfg.Log, host: host, nodes: map[string]*Node{}}
	n.forget()
	if n.wall, err = openHostTable(host, cfg); err != nil {
		host.Close()
		return nil, fmt.Errorf("prepare the host's network: %w", err)
	}
	return n, nil
}

// Config returns the network's configuration with its defaults filled in.
func (n *Network) Config() Config { return n.cfg }

// Close releases what the process holds. The kernel's objects stay, so that
// instances keep running with their network.
func (n *Network) Close() error {
	err := errors.Join(n.closeNodes(), n.release(), n.wall.close())
	n.host.Close()
	return err
}

// Destroy removes every kernel object of the prefix. Instances that still run
// lose their network. Close comes after it.
func (n *Network) Destroy() error {
	errs := []error{n.closeNodes(), n.release()}
	pins, err := n.pins()
	errs = append(errs, err)
	for id := range pins {
		errs = append(errs, n.dissolve(id))
	}
	errs = append(errs, n.sweepLinks(nil), n.wall.remove())
	return errors.Join(errs...)
}

// release closes every open VPC and empties the mirror.
func (n *Network) release() error {
	n.mu.Lock()
	open := n.vpcs
	n.forget()
	n.mu.Unlock()
	// A VPC's lock is never taken under n.mu: Attach takes them the other way.
	var errs []error
	for id, v := range open {
		errs = append(errs, v.close(), n.end(id))
	}
	return errors.Join(errs...)
}

// onEnd has fn called, without locks, when a VPC has ended or is closed.
func (n *Network) onEnd(fn func(vpcID string) error) {
	n.mu.Lock()
	n.ended = fn
	n.mu.Unlock()
}

func (n *Network) end(vpcID string) error {
	n.mu.Lock()
	ended := n.ended
	n.mu.Unlock()
	if ended == nil {
		return nil
	}
	return ended(vpcID)
}

// forget empties the mirror. The caller holds n.mu.
func (n *Network) forget() {
	n.vpcs, n.nics, n.spaces = map[string]*vpc{}, map[string]*vpc{}, map[uint64]string{}
}

func (n *Network) pinPath(vpcID string) string {
	return filepath.Join(n.cfg.PinDir, n.cfg.Prefix+"-"+vpcID)
}

// pins lists the VPCs of the prefix whose namespaces are pinned.
func (n *Network) pins() (map[string]bool, error) {
	entries, err := os.ReadDir(n.cfg.PinDir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list pinned namespaces: %w", err)
	}
	found := map[string]bool{}
	for _, e := range entries {
		if id, ok := strings.CutPrefix(e.Name(), n.cfg.Prefix+"-"); ok {
			found[id] = true
		}
	}
	return found, nil
}

// dissolve ends the namespace of a VPC that is not open.
func (n *Network) dissolve(vpcID string) error {
	path := n.pinPath(vpcID)
	ns, err := openPin(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer ns.Close()
	if err := emptyNamespace(ns, n.cfg.Prefix); err != nil {
		return fmt.Errorf("empty the namespace of %s: %w", vpcID, err)
	}
	return removePin(path)
}

// emptyNamespace deletes the links of the prefix: the kernel would do so some
// time after the namespace ends, and somebody may hold it longer.
func emptyNamespace(ns *os.File, prefix string) error {
	h, err := handleIn(ns)
	if err != nil {
		return err
	}
	defer h.Close()
	return deleteLinks(h, func(l netlink.Link) bool { return strings.HasPrefix(l.Attrs().Name, prefix) })
}

// sweepLinks deletes the host ends of uplinks that are not in keep.
func (n *Network) sweepLinks(keep map[string]bool) error {
	return deleteLinks(n.host, func(l netlink.Link) bool {
		name := l.Attrs().Name
		return strings.HasPrefix(name, n.cfg.Prefix) && !keep[name]
	})
}
