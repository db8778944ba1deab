package network

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/miekg/dns"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Addresses that every instance finds on its own lo.
var (
	// MetadataAddr is where AWS's metadata service is, on port 80.
	MetadataAddr = netip.MustParseAddr("169.254.169.254")
	// ResolverAddr is the name server, as in any VPC.
	ResolverAddr = netip.MustParseAddr("169.254.169.253")
	// EndpointAddr is what the names of AWS's services resolve to. It answers
	// on ports 80 and 443.
	EndpointAddr = netip.MustParseAddr("169.254.169.252")
)

var loopbackAddr = netip.MustParseAddr("127.0.0.1")

// ServicesConfig says what answers inside instances.
type ServicesConfig struct {
	// Network knows which instance has which public address. It may be nil.
	Network *Network
	// Region decides the form of host names.
	Region string
	// Metadata answers on MetadataAddr; InstanceFrom tells it who asks.
	Metadata http.Handler
	// Port is the server's own: it also answers on 127.0.0.1:<Port> inside.
	Port int
	// Serve handles the connections to the server, plain and TLS, until l is
	// closed. They are *Conn; WithConn makes their origin known to handlers.
	Serve func(l net.Listener) error
	// Forward says whether names that are not ours are asked of the host's
	// resolvers; without it they fail.
	Forward bool
	// Log may be nil.
	Log *slog.Logger
}

// Services answers inside instances what AWS answers there: metadata, names and
// the endpoints of the API. It opens its listeners in an instance's namespace
// when the instance starts and closes them when it ends.
type Services struct {
	cfg      ServicesConfig
	resolver *resolver

	mu   sync.Mutex
	open map[string]*served
}

// NewServices makes the services; Open lets an instance use them.
func NewServices(cfg ServicesConfig) *Services {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return &Services{cfg: cfg, resolver: newResolver(cfg), open: map[string]*served{}}
}

// Open starts the services in the namespace ns of an instance. ns may be closed
// when it returns. Services that were open for the instance are replaced.
func (s *Services) Open(instance string, ns *os.File) error {
	if err := s.Release(instance); err != nil {
		return err
	}
	vpcID := ""
	if s.cfg.Network != nil {
		vpcID = s.cfg.Network.vpcAt(ns)
	}
	in := &served{instance: instance, log: s.cfg.Log}
	if err := inNamespace(ns, func() error { return in.listen(s.cfg.Port) }); err != nil {
		return errors.Join(fmt.Errorf("open services of %s: %w", instance, err), in.close())
	}
	in.start(s, vpcID)
	s.mu.Lock()
	s.open[instance] = in
	s.mu.Unlock()
	return nil
}

// Release closes the services of an instance and every connection to them. An
// instance without services is no error.
func (s *Services) Release(instance string) error {
	s.mu.Lock()
	in := s.open[instance]
	delete(s.open, instance)
	s.mu.Unlock()
	if in == nil {
		return nil
	}
	return in.close()
}

// Close releases all instances.
func (s *Services) Close() error {
	s.mu.Lock()
	open := s.open
	s.open = map[string]*served{}
	s.mu.Unlock()
	var errs []error
	for _, in := range open {
		errs = append(errs, in.close())
	}
	return errors.Join(errs...)
}

// served is what is open in one instance.
type served struct {
	instance string
	log      *slog.Logger

	metadata  *instanceListener
	endpoints []*instanceListener
	datagrams net.PacketConn
	streams   net.Listener

	running sync.WaitGroup
}

// listen runs on a thread in the instance's namespace.
func (in *served) listen(port int) error {
	if err := addServiceAddresses(); err != nil {
		return err
	}
	stream := func(addr netip.Addr, port int) (*instanceListener, error) {
		l, err := listen("tcp4", netip.AddrPortFrom(addr, uint16(port)).String())
		if err != nil {
			return nil, err
		}
		return newInstanceListener(l, in.instance), nil
	}
	var err error
	if in.metadata, err = stream(MetadataAddr, 80); err != nil {
		return err
	}
	for _, at := range []struct {
		addr netip.Addr
		port int
	}{{loopbackAddr, port}, {EndpointAddr, 443}, {EndpointAddr, 80}} {
		l, err := stream(at.addr, at.port)
		if err != nil {
			return err
		}
		in.endpoints = append(in.endpoints, l)
	}
	resolver := net.JoinHostPort(ResolverAddr.String(), strconv.Itoa(53))
	streams, err := listen("tcp4", resolver)
	if err != nil {
		return err
	}
	in.streams = newInstanceListener(streams, in.instance)
	in.datagrams, err = net.ListenPacket("udp4", resolver)
	return err
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
	if err := h.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bring up lo: %w", err)
	}
	for _, a := range []netip.Addr{MetadataAddr, ResolverAddr, EndpointAddr} {
		if err := h.AddrReplace(lo, &netlink.Addr{IPNet: ipNet(single(a)), Scope: int(netlink.SCOPE_LINK)}); err != nil {
			return fmt.Errorf("add %v to lo: %w", a, err)
		}
	}
	return nil
}

func (in *served) start(s *Services, vpcID string) {
	in.run("metadata", func() error {
		server := http.Server{
			Handler: s.cfg.Metadata, ConnContext: WithConn, ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
			ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		}
		return server.Serve(in.metadata)
	})
	for _, l := range in.endpoints {
		in.run("endpoint", func() error { return s.cfg.Serve(l) })
	}
	names := s.resolver.in(vpcID)
	in.run("resolver", func() error { return (&dns.Server{PacketConn: in.datagrams, Handler: names}).ActivateAndServe() })
	in.run("resolver", func() error { return (&dns.Server{Listener: in.streams, Handler: names}).ActivateAndServe() })
}

// run serves until close has closed the listener. Any other end is logged: the
// instance then lacks a service, which its programs will report.
func (in *served) run(what string, serve func() error) {
	in.running.Go(func() {
		err := serve()
		if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
			in.log.Error("service in instance ended", "service", what, "instance", in.instance, "error", err)
		}
	})
}

func (in *served) close() error {
	var errs []error
	for _, l := range append(in.endpoints, in.metadata) {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	if in.streams != nil {
		errs = append(errs, in.streams.Close())
	}
	if in.datagrams != nil {
		errs = append(errs, in.datagrams.Close())
	}
	in.running.Wait()
	return errors.Join(errs...)
}
