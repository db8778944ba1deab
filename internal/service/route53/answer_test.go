package route53_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/route53"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// ask returns the code of an answer and its records, without TTLs.
func (l *lab) ask(vpc, name, kind string) string {
	l.T.Helper()
	a, ok, err := l.svc.Answer(l.Ctx, vpc, name, dns.StringToType[kind])
	if err != nil {
		l.T.Fatal(err)
	}
	if !ok {
		return "elsewhere"
	}
	out := []string{dns.RcodeToString[a.Rcode]}
	for _, rr := range a.Answer {
		out = append(out, rr.Header().Name+" "+dns.TypeToString[rr.Header().Rrtype]+" "+strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
	return strings.Join(out, "; ")
}

func TestAnswers(t *testing.T) {
	l := newLab(t, gate{})
	public, private := l.zone("example.com", ""), l.zone("corp.internal", "vpc-1")
	l.create(public, set("www.example.com", "A", "192.0.2.1", "192.0.2.2"), set("www.example.com", "AAAA", "2001:db8::1"), set("alias.example.com", "CNAME", "WWW.example.com"),
		set("out.example.com", "CNAME", "elsewhere.test"), set("*.wild.example.com", "TXT", `"any" "two"`), set("there.wild.example.com", "A", "192.0.2.3"),
		set("example.com", "MX", "10 mail.example.com"), set("_sip._tcp.example.com", "SRV", "1 2 5060 www.example.com"), set("a.deep.example.com", "A", "192.0.2.4"),
		aliasTo(public, "apex.example.com", "A", "www.example.com"), set("gone.example.com", "CNAME", "none.example.com"))
	l.create(private, set("db.corp.internal", "A", "10.0.0.5"), set("1.0.0.10.corp.internal", "PTR", "db.corp.internal"))
	inner := l.zone("example.com", "vpc-2")
	l.create(inner, set("www.example.com", "A", "10.0.0.9"))
	for _, c := range []struct{ vpc, name, kind, want string }{
		{"", "WWW.Example.Com.", "A", "NOERROR; www.example.com. A 192.0.2.1; www.example.com. A 192.0.2.2"},
		{"vpc-1", "www.example.com.", "AAAA", "NOERROR; www.example.com. AAAA 2001:db8::1"},
		{"", "alias.example.com.", "A", "NOERROR; alias.example.com. CNAME WWW.example.com.; www.example.com. A 192.0.2.1; www.example.com. A 192.0.2.2"},
		{"", "alias.example.com.", "CNAME", "NOERROR; alias.example.com. CNAME WWW.example.com."},
		{"", "out.example.com.", "A", "NOERROR; out.example.com. CNAME elsewhere.test."},
		{"", "gone.example.com.", "A", "NXDOMAIN; gone.example.com. CNAME none.example.com."},
		{"", "x.y.wild.example.com.", "TXT", `NOERROR; x.y.wild.example.com. TXT "any" "two"`},
		{"", "there.wild.example.com.", "TXT", "NOERROR"},
		{"", "below.there.wild.example.com.", "TXT", "NXDOMAIN"},
		{"", "example.com.", "MX", "NOERROR; example.com. MX 10 mail.example.com."},
		{"", "_sip._tcp.example.com.", "SRV", "NOERROR; _sip._tcp.example.com. SRV 1 2 5060 www.example.com."},
		{"", "apex.example.com.", "A", "NOERROR; apex.example.com. A 192.0.2.1; apex.example.com. A 192.0.2.2"},
		{"", "deep.example.com.", "A", "NOERROR"},
		{"", "none.example.com.", "A", "NXDOMAIN"},
		{"", "example.org.", "A", "elsewhere"},
		{"", "notexample.com.", "A", "elsewhere"},
		{"vpc-1", "db.corp.internal.", "A", "NOERROR; db.corp.internal. A 10.0.0.5"},
		{"vpc-1", "1.0.0.10.corp.internal.", "PTR", "NOERROR; 1.0.0.10.corp.internal. PTR db.corp.internal."},
		{"vpc-2", "db.corp.internal.", "A", "elsewhere"},
		{"vpc-2", "www.example.com.", "A", "NOERROR; www.example.com. A 10.0.0.9"},
		{"vpc-2", "alias.example.com.", "A", "NXDOMAIN"},
	} {
		if got := l.ask(c.vpc, c.name, c.kind); got != c.want {
			t.Errorf("%s %s in %q:\n got %s\nwant %s", c.name, c.kind, c.vpc, got, c.want)
		}
	}
	ns := l.ask("", "example.com.", "NS")
	if strings.Count(ns, "awsdns") != 4 {
		t.Errorf("name servers: %s", ns)
	}
}

func TestAliasesToBalancers(t *testing.T) {
	l := newLab(t, gate{})
	z := l.zone("example.com", "")
	l.create(z, aliasTo("Z35SXDOTRQ7X7K", "shop.example.com", "A", "dualstack.Web-1.us-east-1.elb.amazonaws.com"),
		aliasTo("Z35SXDOTRQ7X7K", "shop.example.com", "AAAA", "dualstack.web-1.us-east-1.elb.amazonaws.com"),
		aliasTo(z, "again.example.com", "A", "shop.example.com"), set("www.example.com", "CNAME", "shop.example.com"))
	for _, c := range []struct{ name, kind, want string }{
		{"shop.example.com.", "A", "NOERROR; shop.example.com. A 10.0.0.7; shop.example.com. A 10.0.1.7"},
		{"shop.example.com.", "AAAA", "NOERROR"},
		{"again.example.com.", "A", "NOERROR; again.example.com. A 10.0.0.7; again.example.com. A 10.0.1.7"},
		{"www.example.com.", "A", "NOERROR; www.example.com. CNAME shop.example.com.; shop.example.com. A 10.0.0.7; shop.example.com. A 10.0.1.7"},
	} {
		if got := l.ask("", c.name, c.kind); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.name, c.kind, got, c.want)
		}
	}
	out := wiretest.Must[api.TestDNSAnswerOutput](l, "TestDNSAnswer", &api.TestDNSAnswerInput{HostedZoneId: &z, RecordName: aws.Ptr("shop.example.com"), RecordType: "A"})
	if !slices.Equal(out.RecordData, []string{"10.0.0.7", "10.0.1.7"}) {
		t.Errorf("the test answers %v", out.RecordData)
	}
}

func TestAbsenceHasATime(t *testing.T) {
	l := newLab(t, gate{})
	l.zone("example.com", "")
	a, _, err := l.svc.Answer(l.Ctx, "", "none.example.com.", dns.TypeA)
	if err != nil || len(a.Authority) != 1 || a.Authority[0].Header().Rrtype != dns.TypeSOA {
		t.Errorf("%v, %v", a.Authority, err)
	}
}

func TestRoutingPolicies(t *testing.T) {
	l := newLab(t, gate{})
	z := l.zone("example.com", "")
	one := func(name, id, value string, change func(*api.ResourceRecordSet)) *api.ResourceRecordSet {
		s := set(name, "A", value)
		s.SetIdentifier = &id
		change(s)
		return s
	}
	weight := func(w int64) func(*api.ResourceRecordSet) { return func(s *api.ResourceRecordSet) { s.Weight = &w } }
	failover := func(f api.ResourceRecordSetFailover) func(*api.ResourceRecordSet) {
		return func(s *api.ResourceRecordSet) { s.Failover = f }
	}
	multi := func(s *api.ResourceRecordSet) { s.MultiValueAnswer = aws.Ptr(true) }
	l.create(z, one("w.example.com", "a", "192.0.2.1", weight(1)), one("w.example.com", "b", "192.0.2.2", weight(3)), one("w.example.com", "c", "192.0.2.3", weight(0)),
		one("f.example.com", "z", "192.0.2.1", failover("PRIMARY")), one("f.example.com", "a", "192.0.2.2", failover("SECONDARY")),
		one("m.example.com", "a", "192.0.2.1", multi), one("m.example.com", "b", "192.0.2.2", multi))
	seen := map[string]int{}
	for range 400 {
		seen[l.ask("", "w.example.com.", "A")]++
	}
	if a, b := seen["NOERROR; w.example.com. A 192.0.2.1"], seen["NOERROR; w.example.com. A 192.0.2.2"]; a < 40 || b < 200 || a+b != 400 {
		t.Errorf("by weight: %v", seen)
	}
	if got := l.ask("", "f.example.com.", "A"); got != "NOERROR; f.example.com. A 192.0.2.1" {
		t.Errorf("failover: %s", got)
	}
	got := strings.Split(l.ask("", "m.example.com.", "A"), "; ")
	slices.Sort(got)
	if !slices.Equal(got, []string{"NOERROR", "m.example.com. A 192.0.2.1", "m.example.com. A 192.0.2.2"}) {
		t.Errorf("multivalue: %v", got)
	}
}

func TestTestDNSAnswer(t *testing.T) {
	l := newLab(t, gate{})
	z := l.zone("example.com", "")
	l.create(z, set("www.example.com", "A", "192.0.2.1"))
	for name, want := range map[string]string{"www.example.com": "NOERROR 192.0.2.1", "none.example.com": "NXDOMAIN "} {
		out := wiretest.Must[api.TestDNSAnswerOutput](l, "TestDNSAnswer", &api.TestDNSAnswerInput{HostedZoneId: &z, RecordName: &name, RecordType: "A"})
		if got := *out.ResponseCode + " " + strings.Join(out.RecordData, " "); got != want || *out.RecordName != name || *out.Protocol != "UDP" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	for _, name := range []string{"www.example.com.", `a\.b.example.com.`, `\052.example.com.`, ".", "", `\300`, "x..example.com."} {
		f.Add(name, uint16(1))
	}
	l := newLab(f, gate{})
	l.create(l.zone("example.com", ""), set("*.example.com", "A", "192.0.2.1"))
	f.Fuzz(func(t *testing.T, name string, kind uint16) {
		if _, _, err := l.svc.Answer(l.Ctx, "vpc-1", name, kind); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	})
}
