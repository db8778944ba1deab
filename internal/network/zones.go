package network

import (
	"context"
	"strings"

	"github.com/miekg/dns"
)

// Zones answers the names of hosted zones, those of a VPC and public ones.
type Zones interface {
	// Answer returns what a zone says of a name, following CNAMEs while they lead
	// into zones, and so to no name twice; ok is false for names that no zone holds.
	Answer(ctx context.Context, vpcID, name string, qtype uint16) (a ZoneAnswer, ok bool, err error)
}

// ZoneAnswer is the part of a reply that a zone gives.
type ZoneAnswer struct {
	Answer, Authority []dns.RR
	Rcode             int
}

// zoned answers from a hosted zone, and where a CNAME leads out of all of them,
// with what is found there. It returns nil for names in no zone.
func (r *resolver) zoned(vpcID string, q *dns.Msg, forwards chan struct{}) *dns.Msg {
	if r.zones == nil {
		return nil
	}
	question := q.Question[0]
	ctx, cancel := context.WithTimeout(context.Background(), upstreamPatience)
	defer cancel()
	a, ok, err := r.zones.Answer(ctx, vpcID, question.Name, question.Qtype)
	if err != nil {
		return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
	}
	if !ok {
		return nil
	}
	m := reply(q, a.Answer...)
	m.Ns, m.Rcode = a.Authority, a.Rcode
	if target := danglingTarget(a, question.Qtype); target != "" {
		rest := q.Copy()
		rest.Question[0].Name = target
		found := r.answer(vpcID, rest, forwards) // a load balancer's name is in no zone, yet known to Zones
		m.Answer = append(m.Answer, found.Answer...)
		m.Ns, m.Rcode = found.Ns, found.Rcode
	}
	return m
}

// danglingTarget is where an answer's last CNAME leads when nothing of that name
// follows.
func danglingTarget(a ZoneAnswer, qtype uint16) string {
	if len(a.Answer) == 0 || qtype == dns.TypeCNAME || a.Rcode != dns.RcodeSuccess || len(a.Authority) > 0 {
		return ""
	}
	if last, ok := a.Answer[len(a.Answer)-1].(*dns.CNAME); ok {
		return strings.ToLower(last.Target)
	}
	return ""
}
