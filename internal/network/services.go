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
	"sync"
)

var loopbackAddr = netip.MustParseAddr("127.0.0.1")

// ServicesConfig says what answers instances.
type ServicesConfig struct {
	// Network is where instances are attached. It can have one Services.
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
	// Zones answers the names of hosted zones; it may be nil.
	Zones Zones
	// Log may be nil.
	Log *slog.Logger
}

// Services answers instances what AWS answers them: metadata, names and the
// endpoints of the API. The listeners on link-local addresses are in the
// namespace of each VPC, from its first instance on until the VPC ends. Only
// 127.0.0.1:<Port> is in the instance's own.
type Services struct {
	cfg      ServicesConfig
	resolver *resolver

	opening sync.Mutex // held while a VPC's listeners are opened

	mu   sync.Mutex
	vpcs map[string]*vpcServices
	open map[string]*served
}

// NewServices makes the services; Open lets an instance use them.
func NewServices(cfg ServicesConfig) *Services {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	s := &Services{cfg: cfg, resolver: newResolver(cfg), vpcs: map[string]*vpcServices{}, open: map[string]*served{}}
	cfg.Network.onEnd(s.endVPC)
	return s
}

// served is an instance that the services are open for.
type served struct {
	serving // on its own loopback address
	vpc     *vpcServices
	private netip.Addr
	caller  *caller
}

// Open lets the instance use the services. Its namespace ns must be attached and
// may be closed when Open returns. Services that were open for the instance are
// replaced.
func (s *Services) Open(instance string, ns *os.File) error {
	if err := s.Release(instance); err != nil {
		return err
	}
	nic, ok := s.cfg.Network.nicAt(ns)
	if !ok {
		return fmt.Errorf("open services of %s: its namespace is not attached", instance)
	}
	vpc, err := s.inVPC(nic)
	if err != nil {
		return fmt.Errorf("open services of %s: %w", nic.VPC, err)
	}
	in := &served{serving: serving{where: instance, log: s.cfg.Log}, vpc: vpc, private: nic.Private, caller: newCaller(instance)}
	var l net.Listener
	err = inNamespace(ns, func() error { l, err = in.stream(loopbackAddr, s.cfg.Port); return err })
	if err != nil {
		return errors.Join(fmt.Errorf("open services of %s: %w", instance, err), in.close())
	}
	in.run("endpoint", func() error { return s.cfg.Serve(ofCaller(l, in.caller)) })
	vpc.add(in.private, in.caller)
	s.mu.Lock()
	s.open[instance] = in
	s.mu.Unlock()
	return nil
}

// inVPC returns the services of a VPC and opens them for its first instance.
func (s *Services) inVPC(nic NIC) (*vpcServices, error) {
	id := nic.VPC
	s.opening.Lock()
	defer s.opening.Unlock()
	s.mu.Lock()
	v := s.vpcs[id]
	s.mu.Unlock()
	if v != nil {
		return v, nil
	}
	v = newVPCServices(id, resolverOf(nic.VPCCIDR), s.cfg.Log)
	if err := s.cfg.Network.inVPC(id, v.listen); err != nil {
		return nil, errors.Join(err, v.close())
	}
	v.start(s.cfg, s.resolver.in(id, v.at))
	s.mu.Lock()
	s.vpcs[id] = v
	s.mu.Unlock()
	return v, nil
}

// endVPC closes the services of a VPC that has ended.
func (s *Services) endVPC(id string) error {
	s.mu.Lock()
	v := s.vpcs[id]
	delete(s.vpcs, id)
	s.mu.Unlock()
	if v == nil {
		return nil
	}
	return v.close()
}

// Release closes the services for an instance and every connection to them. An
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

// Close releases all instances and closes the services of all VPCs.
func (s *Services) Close() error {
	s.mu.Lock()
	open, vpcs := s.open, s.vpcs
	s.open, s.vpcs = map[string]*served{}, map[string]*vpcServices{}
	s.mu.Unlock()
	var errs []error
	for _, in := range open {
		errs = append(errs, in.close())
	}
	for _, v := range vpcs {
		errs = append(errs, v.close())
	}
	return errors.Join(errs...)
}

func (in *served) close() error {
	in.vpc.remove(in.private, in.caller)
	err := in.serving.close()
	in.caller.close()
	return err
}
