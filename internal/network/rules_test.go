package network

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/miekg/dns"
)

// pings numbers the requests: one with the number of an earlier one would belong
// to its tracked connection, whatever the rules have become.
var pings uint16

// ping sends one ICMP echo request and says whether it was answered.
func ping(t *testing.T, ns *os.File, to netip.Addr, patience time.Duration) bool {
	t.Helper()
	c, err := ListenPacketIn(ns, "ip4:icmp", "0.0.0.0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	pings++
	request := []byte{8, 0, 0, 0, byte(pings >> 8), byte(pings), 0, 1}
	var sum uint32
	for i := 0; i < len(request); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(request[i:]))
	}
	binary.BigEndian.PutUint16(request[2:], ^uint16(sum))
	if _, err := c.WriteTo(request, &net.IPAddr{IP: to.AsSlice()}); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(patience))
	answer := make([]byte, 1500)
	for {
		k, _, err := c.ReadFrom(answer)
		if err != nil {
			return false
		}
		if k > 0 && answer[0] == 0 { // an echo reply
			return true
		}
	}
}

func TestRuleProtocols(t *testing.T) {
	near, far := netip.MustParsePrefix("172.31.0.0/28"), netip.MustParsePrefix("172.31.0.64/26")
	tests := []struct {
		name      string
		rules     []Rule
		tcp, ping bool
	}{
		{"tcp by name", []Rule{{Protocol: "tcp", From: 80, To: 80, CIDR: anywhere}}, true, false},
		{"tcp by number", []Rule{{Protocol: "6", From: 80, To: 80, CIDR: anywhere}}, true, false},
		{"range", []Rule{{Protocol: "tcp", From: 79, To: 81, CIDR: anywhere}}, true, false},
		{"range beside", []Rule{{Protocol: "tcp", From: 81, To: 90, CIDR: anywhere}}, false, false},
		{"all ports", []Rule{{Protocol: "tcp", From: 0, To: 65535, CIDR: anywhere}}, true, false},
		{"udp", []Rule{{Protocol: "udp", From: 80, To: 80, CIDR: anywhere}}, false, false},
		{"everything", []Rule{{Protocol: "-1", From: -1, To: -1, CIDR: anywhere}}, true, true},
		{"all icmp", []Rule{{Protocol: "icmp", From: -1, To: -1, CIDR: anywhere}}, false, true},
		{"echo request", []Rule{{Protocol: "icmp", From: 8, To: -1, CIDR: anywhere}}, false, true},
		{"timestamp request", []Rule{{Protocol: "icmp", From: 13, To: -1, CIDR: anywhere}}, false, false},
		{"the client's range", []Rule{{Protocol: "-1", CIDR: near}}, true, true},
		{"the client alone", []Rule{{Protocol: "-1", CIDR: single(netip.MustParseAddr("172.31.0.11"))}}, true, true},
		{"another range", []Rule{{Protocol: "-1", CIDR: far}}, false, false},
		{"IPv6", []Rule{{Protocol: "-1", CIDR: netip.MustParsePrefix("::/0")}}, false, false},
		{"itself as a group", []Rule{{Protocol: "-1", Group: "sg-1"}}, false, false},
		{"the client's group", []Rule{{Protocol: "-1", Group: "sg-2"}}, true, true},
	}
	n := openNetwork(t)
	setGroup(t, n, "vpc-1", "sg-2", nil, sendAll)
	server := attach(t, n, testNIC("vpc-1", 10, false, "sg-1"))
	client := attach(t, n, testNIC("vpc-1", 11, false, "sg-2"))
	server.serve(t, 80)
	patience := map[bool]time.Duration{true: plenty, false: little}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			setGroup(t, n, "vpc-1", "sg-1", tt.rules, nil)
			if _, err := dial(client.ns, server.nic.Private, 80, patience[tt.tcp]); (err == nil) != tt.tcp {
				t.Errorf("tcp: %v, want success %v", err, tt.tcp)
			}
			if got := ping(t, client.ns, server.nic.Private, patience[tt.ping]); got != tt.ping {
				t.Errorf("ping answered: %v, want %v", got, tt.ping)
			}
		})
	}
}

func FuzzRule(f *testing.F) {
	f.Add("tcp", 80, 80, "0.0.0.0/0", "")
	f.Add("-1", -1, -1, "", "sg-1")
	f.Add("icmp", 8, -1, "10.0.0.0/8", "")
	f.Fuzz(func(t *testing.T, protocol string, from, to int, cidr, group string) {
		p, _ := netip.ParsePrefix(cidr)
		r := Rule{Protocol: protocol, From: from, To: to, CIDR: p, Group: group}
		match, ok, err := r.expressions(ingress, func(string) *nftables.Set { return &nftables.Set{Name: "members"} })
		if err != nil && (ok || match != nil) {
			t.Errorf("%+v: an error and a rule", r)
		}
	})
}

// toldZones answers from a table: names and what follows the code.
type toldZones map[string]ZoneAnswer

func (z toldZones) Answer(_ context.Context, _, name string, _ uint16) (ZoneAnswer, bool, error) {
	a, ok := z[name]
	return a, ok, nil
}

func record(t *testing.T, text string) dns.RR {
	t.Helper()
	rr, err := dns.NewRR(text)
	if err != nil {
		t.Fatal(err)
	}
	return rr
}

func TestZonesComeFirst(t *testing.T) {
	zones := toldZones{
		"ip-1-2-3-4.ec2.internal.":           {Answer: []dns.RR{record(t, "ip-1-2-3-4.ec2.internal. A 10.0.0.1")}},
		"out.corp.":                          {Answer: []dns.RR{record(t, "out.corp. CNAME s3.amazonaws.com.")}},
		"web.corp.":                          {Answer: []dns.RR{record(t, "web.corp. CNAME Web-1.us-east-1.elb.amazonaws.com.")}},
		"empty.corp.":                        {Answer: []dns.RR{record(t, "empty.corp. CNAME web-2.us-east-1.elb.amazonaws.com.")}},
		"web-1.us-east-1.elb.amazonaws.com.": {Answer: []dns.RR{record(t, "web-1.us-east-1.elb.amazonaws.com. A 10.0.0.7")}},
		"web-2.us-east-1.elb.amazonaws.com.": {},
		"none.corp.":                         {Rcode: dns.RcodeNameError, Authority: []dns.RR{record(t, "corp. SOA ns. host. 1 2 3 4 5")}},
	}
	r := newResolver(ServicesConfig{Region: "us-east-1", Zones: zones})
	for _, c := range []struct {
		name, want string
		rcode      int
	}{
		{"ip-1-2-3-4.ec2.internal.", "10.0.0.1", dns.RcodeSuccess},
		{"ip-1-2-3-5.ec2.internal.", "1.2.3.5", dns.RcodeSuccess},
		{"out.corp.", "s3.amazonaws.com. 169.254.169.252", dns.RcodeSuccess},
		{"web.corp.", "Web-1.us-east-1.elb.amazonaws.com. 10.0.0.7", dns.RcodeSuccess},
		{"empty.corp.", "web-2.us-east-1.elb.amazonaws.com.", dns.RcodeSuccess},
		{"none.corp.", "", dns.RcodeNameError},
	} {
		m := r.answer("vpc-1", new(dns.Msg).SetQuestion(c.name, dns.TypeA), make(chan struct{}, 1))
		var got []string
		for _, rr := range m.Answer {
			got = append(got, strings.TrimPrefix(rr.String(), rr.Header().String()))
		}
		if strings.Join(got, " ") != c.want || m.Rcode != c.rcode || !m.RecursionAvailable {
			t.Errorf("%s: %v, %s", c.name, got, dns.RcodeToString[m.Rcode])
		}
	}
}

func FuzzResolver(f *testing.F) {
	for _, name := range []string{"s3.amazonaws.com.", "ip-1-2-3-4.ec2.internal.", "10.0.31.172.in-addr.arpa.", "a."} {
		f.Add(name, uint16(dns.TypeA))
	}
	r := newResolver(ServicesConfig{Region: "us-east-1"})
	f.Fuzz(func(t *testing.T, name string, kind uint16) {
		m := r.answer("vpc-1", new(dns.Msg).SetQuestion(name, kind), make(chan struct{}, 1))
		if m.Rcode != dns.RcodeSuccess && len(m.Answer) > 0 {
			t.Errorf("%s: records with an error", name)
		}
		if strings.HasSuffix(name, ".amazonaws.com.") && m.Rcode != dns.RcodeSuccess {
			t.Errorf("%s was not answered here", name)
		}
	})
}
