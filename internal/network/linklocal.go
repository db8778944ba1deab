package network

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Addresses of the services of a VPC, the same in each.
var (
	// MetadataAddr is where AWS's metadata service is, on port 80.
	MetadataAddr = netip.MustParseAddr("169.254.169.254")
	// ResolverAddr is the name server, as in any VPC.
	ResolverAddr = netip.MustParseAddr("169.254.169.253")
	// EndpointAddr is what the names of AWS's services resolve to. It answers
	// on ports 80 and 443.
	EndpointAddr = netip.MustParseAddr("169.254.169.252")

	// serviceRange is what an instance routes to its VPC even without a
	// default route.
	serviceRange = netip.MustParsePrefix("169.254.169.252/30")
)

// serviceRules are the packets that a VPC's namespace takes in itself.
var serviceRules = []Rule{
	{Protocol: "tcp", From: 80, To: 80, CIDR: single(MetadataAddr)},
	{Protocol: "udp", From: 53, To: 53, CIDR: single(ResolverAddr)},
	{Protocol: "tcp", From: 53, To: 53, CIDR: single(ResolverAddr)},
	{Protocol: "tcp", From: 80, To: 80, CIDR: single(EndpointAddr)},
	{Protocol: "tcp", From: 443, To: 443, CIDR: single(EndpointAddr)},
}

// serving is a number of open sockets and the goroutines that serve them.
type serving struct {
	where string
	log   *slog.Logger

	sockets []io.Closer
	running sync.WaitGroup
}

// stream opens a listener in the namespace that the calling thread is in.
func (g *serving) stream(addr netip.Addr, port int) (net.Listener, error) {
	l, err := listen("tcp4", netip.AddrPortFrom(addr, uint16(port)).String())
	if err != nil {
		return nil, err
	}
	g.sockets = append(g.sockets, l)
	return l, nil
}

// run serves until close has closed the socket. Any other end is logged:
// instances then lack a service, which their programs will report.
func (g *serving) run(what string, serve func() error) {
	g.running.Go(func() {
		err := serve()
		if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
			g.log.Error("service for instances ended", "service", what, "in", g.where, "error", err)
		}
	})
}

func (g *serving) close() error {
	var errs []error
	for _, s := range g.sockets {
		errs = append(errs, s.Close())
	}
	g.running.Wait()
	return errors.Join(errs...)
}

// vpcServices are the services of one VPC, in its namespace: not in those of the
// instances, where they would keep programs from listening on all addresses.
type vpcServices struct {
	serving
	metadata, endpoint, endpointTLS *listener
	// resolvers are the addresses of the name server, and what listens on them.
	resolvers []netip.Addr
	names     []*listener
	datagrams []net.PacketConn

	mu      sync.Mutex
	callers map[netip.Addr]*caller
}

// newVPCServices describes the services of a VPC that has its own address for
// the name server, besides the one that all VPCs have.
func newVPCServices(vpcID string, resolver netip.Addr, log *slog.Logger) *vpcServices {
	return &vpcServices{
		serving: serving{where: vpcID, log: log}, callers: map[netip.Addr]*caller{},
		resolvers: []netip.Addr{ResolverAddr, resolver},
	}
}

// listen runs on a thread in the VPC's namespace.
func (v *vpcServices) listen() error {
	if err := addServiceAddresses(); err != nil {
		return err
	}
	for _, at := range []struct {
		to   **listener
		addr netip.Addr
		port int
	}{{&v.metadata, MetadataAddr, 80}, {&v.endpoint, EndpointAddr, 80}, {&v.endpointTLS, EndpointAddr, 443}} {
		l, err := v.stream(at.addr, at.port)
		if err != nil {
			return err
		}
		*at.to = &listener{Listener: l, at: v.at}
	}
	return v.listenForNames()
}

func (v *vpcServices) listenForNames() error {
	for _, a := range v.resolvers {
		l, err := v.stream(a, 53)
		if err != nil {
			return err
		}
		v.names = append(v.names, &listener{Listener: l, at: v.at})
		datagrams, err := net.ListenPacket("udp4", netip.AddrPortFrom(a, 53).String())
		if err != nil {
			return err
		}
		v.datagrams = append(v.datagrams, datagrams)
		v.sockets = append(v.sockets, datagrams)
	}
	return nil
}

// addServiceAddresses puts the service addresses on lo of the namespace that
// the calling thread is in.
func addServiceAddresses() error {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer h.Close()
	lo, err := h.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	for _, a := range []netip.Addr{MetadataAddr, ResolverAddr, EndpointAddr} {
		if err := h.AddrReplace(lo, &netlink.Addr{IPNet: ipNet(single(a)), Scope: int(netlink.SCOPE_LINK)}); err != nil {
			return fmt.Errorf("add %v to lo: %w", a, err)
		}
	}
	return nil
}

func (v *vpcServices) start(cfg ServicesConfig, resolve dns.Handler) {
	v.run("metadata", func() error {
		server := http.Server{
			Handler: cfg.Metadata, ConnContext: WithConn, ErrorLog: slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
			ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		}
		return server.Serve(v.metadata)
	})
	v.run("endpoint", func() error { return cfg.Serve(v.endpoint) })
	v.run("endpoint", func() error { return cfg.Serve(v.endpointTLS) })
	for _, c := range v.datagrams {
		v.run("resolver", func() error { return (&dns.Server{PacketConn: c, Handler: resolve}).ActivateAndServe() })
	}
	for _, l := range v.names {
		v.run("resolver", func() error { return (&dns.Server{Listener: l, Handler: resolve}).ActivateAndServe() })
	}
}

// at returns who has the address.
func (v *vpcServices) at(a netip.Addr) *caller {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.callers[a]
}

func (v *vpcServices) add(a netip.Addr, c *caller) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.callers[a] = c
}

// remove forgets the caller, unless the address is another's by now.
func (v *vpcServices) remove(a netip.Addr, c *caller) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.callers[a] == c {
		delete(v.callers, a)
	}
}

// close also ends the connections, which would keep the namespace alive.
func (v *vpcServices) close() error {
	err := v.serving.close()
	v.mu.Lock()
	callers := v.callers
	v.callers = map[netip.Addr]*caller{}
	v.mu.Unlock()
	for _, c := range callers {
		c.close()
	}
	return err
}
