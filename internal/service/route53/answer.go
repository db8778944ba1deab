package route53

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/route53"
	"github.com/hardstand/hardstand/internal/aws/elbzone"
	"github.com/hardstand/hardstand/internal/network"
	"github.com/hardstand/hardstand/internal/store"
)

// Answer implements network.Zones: it answers from the closest private zone of the
// VPC, else from the closest public zone. ok is false for names in no zone. Names
// that a CNAME leads to are answered too while they are in a zone.
func (s *Service) Answer(ctx context.Context, vpcID, question string, qtype uint16) (_ network.ZoneAnswer, ok bool, err error) {
	var a answering
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		asked := canonicalWire(question)
		for range maxChain {
			id, z, err := closest(tx, vpcID, asked)
			if err != nil || z == nil {
				return err
			}
			ok = true
			next, err := answerIn(tx, id, z, asked, qtype, &a)
			if err != nil || next == "" {
				return err
			}
			asked = next
		}
		a.Rcode = dns.RcodeServerFailure
		return nil
	})
	if err == nil {
		err = s.addBalancer(ctx, &a)
	}
	return a.ZoneAnswer, ok, err
}

// answering is an answer in the making.
type answering struct {
	network.ZoneAnswer
	// balancer is the name of the load balancer whose addresses are still to be added,
	// under the name as.
	balancer, as string
}

// balancerTTL is that of aliases to load balancers, in seconds.
const balancerTTL = 60

// addBalancer adds the addresses of the load balancer that an alias led to.
func (s *Service) addBalancer(ctx context.Context, a *answering) error {
	if a.balancer == "" || s.cfg.Balancers == nil {
		return nil
	}
	addrs, _, err := s.cfg.Balancers(ctx, strings.TrimSuffix(a.balancer, "."))
	for _, addr := range addrs {
		a.ZoneAnswer.Answer = append(a.ZoneAnswer.Answer, &dns.A{Hdr: dns.RR_Header{Name: wireName(a.as), Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: balancerTTL}, A: addr.AsSlice()})
	}
	return err
}

// maxChain is how many CNAMEs are followed.
const maxChain = 8

// canonicalWire is canonical for names in the form of the DNS library, whose
// escapes are decimal.
func canonicalWire(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+3 < len(s) && digits(s[i+1:i+4]) {
			c, i = (s[i+1]-'0')*100+(s[i+2]-'0')*10+s[i+3]-'0', i+3
		} else if c == '\\' && i+1 < len(s) {
			i++
			c = s[i]
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	if !strings.HasSuffix(string(b), ".") {
		b = append(b, '.')
	}
	return string(b)
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// closest returns the zone with the longest name that holds a name: one of the
// VPC's, and without any a public one, the oldest of several with the same name.
func closest(tx *store.Tx, vpcID, asked string) (string, *zone, error) {
	var id string
	var found *zone
	if vpcID != "" {
		rows, err := zones.Lookup(tx, "vpc", vpcID)
		if err != nil {
			return "", nil, err
		}
		for _, r := range rows {
			if within(asked, r.Value.Name) && (found == nil || len(r.Value.Name) > len(found.Name)) {
				id, found = r.Key.ID, r.Value
			}
		}
	}
	for suffix := asked; found == nil && suffix != ""; {
		rows, err := zones.Lookup(tx, "public", suffix)
		if err != nil {
			return "", nil, err
		}
		for _, r := range rows {
			if found == nil || r.Value.Created.Before(found.Created) {
				id, found = r.Key.ID, r.Value
			}
		}
		_, suffix, _ = strings.Cut(suffix, ".")
	}
	return id, found, nil
}

// answerIn adds what a zone says of a name, and returns the name that a CNAME
// leads to.
func answerIn(tx *store.Tx, id string, z *zone, asked string, qtype uint16, a *answering) (next string, err error) {
	there, err := at(tx, id, asked)
	if err != nil {
		return "", err
	}
	if len(there) == 0 {
		var denied bool
		if there, denied, err = wild(tx, id, z, asked); err != nil {
			return "", err
		}
		if denied {
			a.Rcode = dns.RcodeNameError
		}
	}
	for _, r := range chosen(there, dns.TypeToString[qtype]) {
		if err := addRecords(tx, id, r, asked, a); err != nil {
			return "", err
		}
		if r.Type == "CNAME" && qtype != dns.TypeCNAME && r.Alias == nil {
			return canonicalWire(r.Values[0]), nil
		}
	}
	if a.balancer == "" && len(a.Answer) == 0 || a.Rcode != dns.RcodeSuccess {
		return "", addAuthority(tx, id, z, &a.ZoneAnswer)
	}
	return "", nil
}

// wild returns the records of the wildcard that a name without records falls
// under; denied says that there is nothing of the name.
func wild(tx *store.Tx, id string, z *zone, asked string) (there []*record, denied bool, err error) {
	if found, err := exists(tx, id, asked); err != nil || found {
		return nil, false, err // names below it exist, and so it does
	}
	for encloser := asked; encloser != z.Name; {
		_, encloser, _ = strings.Cut(encloser, ".")
		if there, err = at(tx, id, "*."+encloser); err != nil || len(there) > 0 {
			return there, false, err
		}
		if found, err := exists(tx, id, encloser); err != nil || found {
			return nil, true, err
		}
	}
	return nil, true, nil
}

// chosen returns the record sets that answer a question of a type: a CNAME answers
// all, and of weighted and failover sets one does.
func chosen(there []*record, kind string) []*record {
	of := func(kind string) []*record {
		return slices.DeleteFunc(slices.Clone(there), func(r *record) bool { return r.Type != kind })
	}
	list := of(kind)
	if len(list) == 0 {
		list = of("CNAME")
	}
	if len(list) == 0 {
		return nil
	}
	switch list[0].policy() {
	case "weighted":
		return []*record{weighted(list)}
	case "failover":
		slices.SortFunc(list, func(a, b *record) int { return strings.Compare(a.Failover, b.Failover) }) // PRIMARY first
		return list[:1]
	case "multivalue answer":
		rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list[:min(len(list), maxAnswers)]
	}
	return list[:1]
}

// maxAnswers is how many of multivalue records an answer holds.
const maxAnswers = 8

// weighted picks by weight; when all weigh nothing, all are alike.
func weighted(list []*record) *record {
	var sum int64
	for _, r := range list {
		sum += *r.Weight
	}
	if sum == 0 {
		return list[rand.IntN(len(list))]
	}
	at := rand.Int64N(sum)
	for _, r := range list {
		if at -= *r.Weight; at < 0 {
			return r
		}
	}
	return list[len(list)-1]
}

// addRecords answers with a record set under the name asked, an alias with that of
// its target.
func addRecords(tx *store.Tx, id string, r *record, asked string, a *answering) error {
	for range maxChain {
		if r.Alias == nil {
			break
		}
		if elbzone.Known(r.Alias.Zone) {
			if r.Type == "A" {
				a.balancer, a.as = r.Alias.Name, asked
			}
			return nil
		}
		there, err := at(tx, id, r.Alias.Name)
		if err != nil {
			return err
		}
		targets := chosen(there, r.Type)
		if len(targets) == 0 {
			return nil // deleted since
		}
		r = targets[0]
	}
	for _, v := range r.Values {
		rr, err := r.rr(v)
		if err != nil {
			return err
		}
		rr.Header().Name = wireName(asked)
		a.Answer = append(a.Answer, rr)
	}
	return nil
}

// addAuthority says, by the SOA, how long the absence may be remembered.
func addAuthority(tx *store.Tx, id string, z *zone, a *network.ZoneAnswer) error {
	there, err := at(tx, id, z.Name)
	if err != nil {
		return err
	}
	for _, r := range there {
		if r.Type != "SOA" {
			continue
		}
		rr, err := r.rr(r.Values[0])
		if err != nil {
			return err
		}
		a.Authority = append(a.Authority, rr)
	}
	return nil
}

// TestDNSAnswer asks a public zone a question.
func (s *Service) TestDNSAnswer(ctx context.Context, in *api.TestDNSAnswerInput) (*api.TestDNSAnswerOutput, error) {
	k, z, err := s.zone(ctx, in.HostedZoneId)
	switch {
	case err != nil:
		return nil, err
	case z.Private:
		return nil, invalidInput("TestDNSAnswer supports only public hosted zones.")
	case in.EDNS0ClientSubnetIP != nil || in.EDNS0ClientSubnetMask != nil:
		return nil, notImplemented("answers by the client's subnet (EDNS0ClientSubnetIP).")
	}
	asked := canonical(aws.Val(in.RecordName))
	if !within(asked, z.Name) {
		return nil, invalidInput("The name %s is not within the hosted zone %s", shown(asked), shown(z.Name))
	}
	qtype := dns.StringToType[string(in.RecordType)]
	var a answering
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		_, err := answerIn(tx, k.ID, z, asked, qtype, &a)
		return err
	})
	if err == nil {
		err = s.addBalancer(ctx, &a)
	}
	if err != nil {
		return nil, err
	}
	out := &api.TestDNSAnswerOutput{Nameserver: &z.NameServers[0], RecordName: aws.Ptr(strings.TrimSuffix(shown(asked), ".")), RecordType: in.RecordType,
		ResponseCode: aws.Ptr(dns.RcodeToString[a.Rcode]), Protocol: aws.Ptr("UDP"), RecordData: []string{}}
	for _, rr := range a.Answer {
		out.RecordData = append(out.RecordData, strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
	return out, nil
}
