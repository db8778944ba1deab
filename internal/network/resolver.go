package network

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// resolver answers the names that AWS answers in a VPC and passes the others to
// the host's resolvers.
//
//	*.amazonaws.com and kin              the endpoint address
//	ip-172-31-0-10.ec2.internal          172.31.0.10
//	ec2-198-18-0-10.compute-1.amazonaws.com   the private address, in the same VPC; else 198.18.0.10
//	instance-data.ec2.internal           the metadata service
//	10.0.31.172.in-addr.arpa             ip-172-31-0-10.ec2.internal.
//
// Names in hosted zones come before all of them.
type resolver struct {
	network  *Network
	zones    Zones
	region   string
	upstream upstream
}

// serviceDomains are the domains whose names all lead to the server.
var serviceDomains = []string{"amazonaws.com.", "amazonaws.com.cn.", "amazonaws.eu.", "api.aws."}

// answerTTL is that of EC2's own names, in seconds.
const answerTTL = 60

func newResolver(cfg ServicesConfig) *resolver {
	r := &resolver{network: cfg.Network, region: cfg.Region, zones: cfg.Zones}
	if cfg.Forward {
		r.upstream = hostResolvers{file: "/etc/resolv.conf", log: cfg.Log}
	} else {
		r.upstream = noUpstream{}
	}
	return r
}

// in returns the handler for a VPC; at tells whose address a question comes from.
// Questions of nobody get no answer: the instance may be one that a new daemon
// has yet to meet, and will ask again.
func (r *resolver) in(vpcID string, at func(netip.Addr) *caller) dns.Handler {
	return dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		from := at(addressOf(w.RemoteAddr()))
		if from == nil || r.network.nameless(vpcID) {
			return
		}
		reply := r.answer(vpcID, q, from.forwards)
		if size := payloadSize(q); w.RemoteAddr().Network() == "udp" {
			reply.Truncate(size)
		}
		// The instance has gone away when this fails.
		_ = w.WriteMsg(reply)
	})
}

func payloadSize(q *dns.Msg) int {
	if opt := q.IsEdns0(); opt != nil && int(opt.UDPSize()) > dns.MinMsgSize {
		return int(opt.UDPSize())
	}
	return dns.MinMsgSize
}

func (r *resolver) answer(vpcID string, q *dns.Msg, forwards chan struct{}) *dns.Msg {
	if len(q.Question) != 1 || q.Opcode != dns.OpcodeQuery {
		return new(dns.Msg).SetRcode(q, dns.RcodeNotImplemented)
	}
	if q.Question[0].Qclass != dns.ClassINET {
		return new(dns.Msg).SetRcode(q, dns.RcodeNotImplemented)
	}
	if m := r.zoned(vpcID, q, forwards); m != nil {
		return m
	}
	return r.elsewhere(vpcID, q, forwards)
}

// elsewhere answers names that are in no hosted zone.
func (r *resolver) elsewhere(vpcID string, q *dns.Msg, forwards chan struct{}) *dns.Msg {
	question := q.Question[0]
	name := strings.ToLower(question.Name)
	if host, ok := r.reverse(name); ok && question.Qtype == dns.TypePTR {
		return reply(q, &dns.PTR{Hdr: header(question), Ptr: host})
	}
	addrs, ok := r.lookup(vpcID, name)
	if !ok {
		return r.forward(q, forwards)
	}
	var records []dns.RR
	for _, a := range addrs {
		switch {
		case question.Qtype == dns.TypeA && a.Is4():
			records = append(records, &dns.A{Hdr: header(question), A: a.AsSlice()})
		case question.Qtype == dns.TypeAAAA && a.Is6():
			records = append(records, &dns.AAAA{Hdr: header(question), AAAA: a.AsSlice()})
		}
	}
	return reply(q, records...)
}

// reply says that the name exists and has these records, perhaps none. For AAAA
// that matters: glibc waits seconds for an answer that never comes, and takes
// a denial of the name for the whole of it.
func reply(q *dns.Msg, records ...dns.RR) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	m.Answer = records
	return m
}

func header(q dns.Question) dns.RR_Header {
	return dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: answerTTL}
}

// lookup returns the addresses of a name that is ours.
func (r *resolver) lookup(vpcID, name string) ([]netip.Addr, bool) {
	switch {
	case name == "localhost." || strings.HasSuffix(name, ".localhost."):
		return []netip.Addr{loopbackAddr, netip.IPv6Loopback()}, true
	case name == "instance-data." || name == "instance-data.ec2.internal." || strings.HasPrefix(name, "instance-data.") && strings.HasSuffix(name, ".compute.internal."):
		return []netip.Addr{MetadataAddr}, true
	}
	if a, ok := addressIn4(name, "ip-", privateDomain); ok {
		return []netip.Addr{a}, true
	}
	if a, ok := addressIn4(name, "ec2-", publicDomain); ok {
		if r.network != nil {
			if private, ok := r.network.privateOf(vpcID, a); ok {
				a = private
			}
		}
		return []netip.Addr{a}, true
	}
	for _, domain := range serviceDomains {
		if name == domain || strings.HasSuffix(name, "."+domain) {
			return []netip.Addr{EndpointAddr}, true
		}
	}
	return nil, false
}

func privateDomain(d string) bool {
	region, ok := strings.CutSuffix(d, ".compute.internal.")
	return d == "ec2.internal." || ok && !strings.Contains(region, ".")
}

func publicDomain(d string) bool {
	region, ok := strings.CutSuffix(d, ".compute.amazonaws.com.")
	if !ok {
		region, ok = strings.CutSuffix(d, ".compute.amazonaws.com.cn.")
	}
	return d == "compute-1.amazonaws.com." || ok && !strings.Contains(region, ".")
}

// addressIn4 reads the address out of a host name such as
// ip-172-31-0-10.ec2.internal.
func addressIn4(name, prefix string, domain func(string) bool) (netip.Addr, bool) {
	host, rest, ok := strings.Cut(name, ".")
	if !ok || !domain(rest) {
		return netip.Addr{}, false
	}
	digits, ok := strings.CutPrefix(host, prefix)
	if !ok {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(strings.ReplaceAll(digits, "-", "."))
	return a, err == nil && a.Is4()
}

// PrivateHostName returns the name that EC2 gives a private address, without
// the final dot.
func PrivateHostName(region string, a netip.Addr) string {
	host := "ip-" + strings.ReplaceAll(a.String(), ".", "-")
	if region == "us-east-1" {
		return host + ".ec2.internal"
	}
	return host + "." + region + ".compute.internal"
}

// PublicHostName returns the name that EC2 gives a public address.
func PublicHostName(region string, a netip.Addr) string {
	host := "ec2-" + strings.ReplaceAll(a.String(), ".", "-")
	if region == "us-east-1" {
		return host + ".compute-1.amazonaws.com"
	}
	return host + "." + region + ".compute.amazonaws.com"
}

// reverse names a private address that an interface of ours may have.
func (r *resolver) reverse(name string) (string, bool) {
	digits, ok := strings.CutSuffix(name, ".in-addr.arpa.")
	if !ok {
		return "", false
	}
	parts := strings.Split(digits, ".")
	if len(parts) != 4 {
		return "", false
	}
	a, err := netip.ParseAddr(parts[3] + "." + parts[2] + "." + parts[1] + "." + parts[0])
	if err != nil || !a.IsPrivate() {
		return "", false
	}
	return PrivateHostName(r.region, a) + ".", true
}

func (r *resolver) forward(q *dns.Msg, forwards chan struct{}) *dns.Msg {
	select {
	case forwards <- struct{}{}:
		defer func() { <-forwards }()
	default:
		return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
	}
	ctx, cancel := context.WithTimeout(context.Background(), upstreamPatience)
	defer cancel()
	m, err := r.upstream.ask(ctx, q)
	if err != nil {
		return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
	}
	return m
}

// Patience with the host's resolvers: one, and all of them together. glibc
// gives up on us after five seconds.
const (
	serverPatience   = 1500 * time.Millisecond
	upstreamPatience = 4 * time.Second
)

// upstream answers what is not ours.
type upstream interface {
	ask(ctx context.Context, q *dns.Msg) (*dns.Msg, error)
}

// noUpstream is for servers whose instances are to see nothing of the internet.
type noUpstream struct{}

func (noUpstream) ask(context.Context, *dns.Msg) (*dns.Msg, error) {
	return nil, errors.New("egress is off")
}

// hostResolvers asks the servers of the host's resolv.conf in turn. The file is
// read each time: it changes with the network a laptop is in.
type hostResolvers struct {
	file string
	log  *slog.Logger
}

func (h hostResolvers) ask(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
	conf, err := dns.ClientConfigFromFile(h.file)
	if err != nil {
		return nil, err
	}
	err = errors.New("no name server in " + h.file)
	for _, server := range conf.Servers {
		var m *dns.Msg
		if m, err = exchange(ctx, q, net.JoinHostPort(server, conf.Port)); err == nil {
			return m, nil
		}
		h.log.Debug("name server did not answer", "server", server, "error", err)
	}
	return nil, err
}

// exchange asks by UDP, and again by TCP when the answer did not fit.
func exchange(ctx context.Context, q *dns.Msg, server string) (*dns.Msg, error) {
	udp := dns.Client{Timeout: serverPatience, UDPSize: dns.MaxMsgSize}
	m, _, err := udp.ExchangeContext(ctx, q, server)
	if err != nil || !m.Truncated {
		return m, err
	}
	tcp := dns.Client{Net: "tcp", Timeout: serverPatience}
	m, _, err = tcp.ExchangeContext(ctx, q, server)
	return m, err
}
