package app

import (
	"context"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/hardstand/hardstand/internal/lb"
	"github.com/hardstand/hardstand/internal/network"
	"github.com/hardstand/hardstand/internal/service/ec2"
	"github.com/hardstand/hardstand/internal/service/elb"
	"github.com/hardstand/hardstand/internal/service/elbv2"
)

// openBalancers opens the data plane of load balancers and the services on it. With the
// fake driver there is no plane, and the services say so of every target.
func (w *world) openBalancers(context.Context) error {
	cfg := w.s.cfg
	classic := elb.Config{DB: w.db, Clock: cfg.Clock, Log: cfg.Log, Invoker: w.wire, Certificates: w.iam}
	modern := elbv2.Config{DB: w.db, Clock: cfg.Clock, Log: cfg.Log, Invoker: w.wire, Certificates: w.iam}
	if cfg.Instances != InstancesFake {
		w.plane = lb.New(lb.Config{Nodes: balancerNodes{w.ec2}, Clock: cfg.Clock, Sealer: w.s.sealer, Log: cfg.Log})
		w.onClose(w.plane.Close)
		classic.Plane, modern.Plane = w.plane, w.plane
	}
	w.elb, w.elbv2 = elb.New(classic), elbv2.New(modern)
	w.iam.CertificatesUsedBy(w.certificateUser)
	return nil
}

// certificateUser is the ARN of a balancer that shows a server certificate, or "".
func (w *world) certificateUser(ctx context.Context, certificate string) (string, error) {
	user, err := w.elb.CertificateUser(ctx, certificate)
	if err != nil || user != "" {
		return user, err
	}
	return w.elbv2.CertificateUser(ctx, certificate)
}

// balancerNodes lets balancers listen and dial behind their network interfaces.
type balancerNodes struct{ ec2 *ec2.Service }

// Up implements lb.Nodes.
func (n balancerNodes) Up(ctx context.Context, id string) (lb.Sockets, error) {
	return n.ec2.Up(ctx, id)
}

// Down implements lb.Nodes.
func (n balancerNodes) Down(ctx context.Context, id string) error { return n.ec2.Down(ctx, id) }

// balancerNames answers the names of load balancers before Route 53 answers its own.
// The services are opened after the name servers, so they are looked up at each question.
type balancerNames struct {
	w    *world
	next network.Zones
}

// balancerTTL is AWS's, in seconds.
const balancerTTL = 60

// Answer implements network.Zones.
func (n balancerNames) Answer(ctx context.Context, vpcID, name string, qtype uint16) (network.ZoneAnswer, bool, error) {
	plain := strings.ToLower(strings.TrimSuffix(name, "."))
	if !strings.HasSuffix(plain, ".amazonaws.com") || !strings.Contains(plain, ".elb.") {
		return n.next.Answer(ctx, vpcID, name, qtype)
	}
	addrs, known, err := n.w.balancerAddresses(ctx, plain)
	if err != nil {
		return network.ZoneAnswer{}, false, err
	}
	if !known { // somebody's private zone may hold it
		return n.next.Answer(ctx, vpcID, name, qtype)
	}
	var a network.ZoneAnswer
	if qtype == dns.TypeA || qtype == dns.TypeANY {
		for _, addr := range addrs {
			a.Answer = append(a.Answer, &dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: balancerTTL}, A: addr.AsSlice()})
		}
	}
	return a, true, nil
}

// balancerAddresses are the addresses of the balancer that has a name, also by the one
// that the console gives to aliases.
func (w *world) balancerAddresses(ctx context.Context, name string) ([]netip.Addr, bool, error) {
	name = strings.TrimPrefix(strings.ToLower(name), "dualstack.")
	addrs, known, err := w.elb.Addresses(ctx, name)
	if err != nil || known {
		return addrs, known, err
	}
	return w.elbv2.Addresses(ctx, name)
}
