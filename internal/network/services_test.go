package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// identify answers with the instance that asks.
var identify = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	id, ok := InstanceFrom(r.Context())
	fmt.Fprintf(w, "%s %v", id, ok)
})

func openServices(t testing.TB, n *Network) *Services {
	t.Helper()
	s := NewServices(ServicesConfig{
		Network: n, Region: "us-east-1", Metadata: identify, Port: 4566,
		Serve: func(l net.Listener) error {
			server := http.Server{Handler: identify, ConnContext: WithConn}
			return server.Serve(l)
		},
	})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close services: %v", err)
		}
	})
	return s
}

// clientIn makes HTTP requests from inside ns.
func clientIn(ns *os.File) *http.Client {
	return &http.Client{Timeout: plenty, Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (c net.Conn, err error) {
			err = inNamespace(ns, func() error { c, err = net.DialTimeout("tcp4", address, plenty); return err })
			return c, err
		},
	}}
}

func get(c *http.Client, url string) (string, error) {
	defer c.CloseIdleConnections()
	resp, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

// serviceURLs are all ways by which an instance reaches a service over HTTP.
var serviceURLs = []string{"http://169.254.169.254/", "http://127.0.0.1:4566/", "http://169.254.169.252/", "http://169.254.169.252:443/"}

func mustOpen(t testing.TB, s *Services, id string, ns *os.File) {
	t.Helper()
	if err := s.Open(id, ns); err != nil {
		t.Fatal(err)
	}
}

func mustBeKnown(t testing.TB, ns *os.File, id string) {
	t.Helper()
	for _, url := range serviceURLs {
		got, err := get(clientIn(ns), url)
		if want := id + " true"; got != want || err != nil {
			t.Errorf("%s from %s: %q, %v, want %q", url, id, got, err, want)
		}
	}
}

// TestServicesKnowWhoAsks has instances with the same address in two VPCs, and
// groups that let nothing out.
func TestServicesKnowWhoAsks(t *testing.T) {
	n := openNetwork(t)
	s := openServices(t, n)
	setVPC(t, n, "vpc-1", true)
	spaces := map[string]*os.File{}
	for id, nic := range map[string]NIC{
		"i-1": testNIC("vpc-1", 10, true), "i-2": testNIC("vpc-1", 11, false), "i-other": testNIC("vpc-2", 10, false),
	} {
		spaces[id] = attach(t, n, nic).ns
		mustOpen(t, s, id, spaces[id])
	}
	for id, ns := range spaces {
		mustBeKnown(t, ns, id)
	}
}

func TestServicesRelease(t *testing.T) {
	n := openNetwork(t)
	s := openServices(t, n)
	ns := attach(t, n, testNIC("vpc-1", 10, false)).ns
	neighbour := attach(t, n, testNIC("vpc-1", 11, false)).ns
	mustOpen(t, s, "i-1", ns)
	mustOpen(t, s, "i-2", neighbour)
	var conns []net.Conn
	for _, address := range []string{"127.0.0.1:4566", "169.254.169.254:80", "169.254.169.252:443", "169.254.169.253:53"} {
		err := inNamespace(ns, func() error {
			c, err := net.Dial("tcp4", address)
			conns = append(conns, c)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		defer conns[len(conns)-1].Close()
	}
	mustBeKnown(t, ns, "i-1") // the connections above have been accepted, too, then
	ask(t, ns, "tcp", "localhost.", dns.TypeA)
	if err := s.Release("i-1"); err != nil {
		t.Fatal(err)
	}
	for _, c := range conns {
		c.SetReadDeadline(time.Now().Add(plenty))
		if _, err := c.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
			t.Errorf("the connection to %v outlives its instance: %v", c.RemoteAddr(), err)
		}
	}
	mustBeKnown(t, neighbour, "i-2")
	if _, err := get(clientIn(ns), "http://169.254.169.254/"); err == nil {
		t.Error("the metadata service still answers")
	}
	if err := s.Release("i-1"); err != nil {
		t.Errorf("release what is released: %v", err)
	}
	for range 2 { // the second replaces the first
		if err := s.Open("i-1", ns); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := get(clientIn(ns), "http://169.254.169.254/"); err != nil {
		t.Error(err)
	}
}

func ask(t *testing.T, ns *os.File, transport, name string, kind uint16) *dns.Msg {
	t.Helper()
	q := new(dns.Msg).SetQuestion(name, kind)
	var m *dns.Msg
	err := inNamespace(ns, func() error {
		conn, err := net.Dial(transport, "169.254.169.253:53")
		if err != nil {
			return err
		}
		defer conn.Close()
		c := dns.Client{Net: transport, Timeout: plenty}
		m, _, err = c.ExchangeWithConn(q, &dns.Conn{Conn: conn})
		return err
	})
	if err != nil {
		t.Fatalf("ask for %s by %s: %v", name, transport, err)
	}
	return m
}

func TestResolver(t *testing.T) {
	n := openNetwork(t)
	s := openServices(t, n)
	setVPC(t, n, "vpc-1", true)
	setVPC(t, n, "vpc-2", true)
	one := attach(t, n, testNIC("vpc-1", 10, true))
	other := testNIC("vpc-2", 20, true)
	two := attach(t, n, other)
	for id, in := range map[string]instance{"i-1": one, "i-2": two} {
		if err := s.Open(id, in.ns); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name  string
		from  instance
		query string
		kind  uint16
		rcode int
		want  string // the only record's data; none when empty
	}{
		{"service", one, "s3.amazonaws.com.", dns.TypeA, dns.RcodeSuccess, "169.254.169.252"},
		{"virtual host", one, "a.b.c.s3.us-west-2.amazonaws.com.", dns.TypeA, dns.RcodeSuccess, "169.254.169.252"},
		{"case", one, "STS.AmazonAWS.com.", dns.TypeA, dns.RcodeSuccess, "169.254.169.252"},
		{"service in China", one, "s3.cn-north-1.amazonaws.com.cn.", dns.TypeA, dns.RcodeSuccess, "169.254.169.252"},
		{"dual stack", one, "ec2.us-east-1.api.aws.", dns.TypeA, dns.RcodeSuccess, "169.254.169.252"},
		{"no IPv6, said at once", one, "s3.amazonaws.com.", dns.TypeAAAA, dns.RcodeSuccess, ""},
		{"private host name", one, "ip-172-31-0-10.ec2.internal.", dns.TypeA, dns.RcodeSuccess, "172.31.0.10"},
		{"private host name elsewhere", one, "ip-172-31-0-10.us-west-2.compute.internal.", dns.TypeA, dns.RcodeSuccess, "172.31.0.10"},
		{"public host name, same VPC", one, "ec2-198-18-0-10.compute-1.amazonaws.com.", dns.TypeA, dns.RcodeSuccess, "172.31.0.10"},
		{"public host name, other VPC", two, "ec2-198-18-0-10.compute-1.amazonaws.com.", dns.TypeA, dns.RcodeSuccess, "198.18.0.10"},
		{"reverse", one, "10.0.31.172.in-addr.arpa.", dns.TypePTR, dns.RcodeSuccess, "ip-172-31-0-10.ec2.internal."},
		{"localhost", one, "localhost.", dns.TypeA, dns.RcodeSuccess, "127.0.0.1"},
		{"localhost, IPv6", one, "localhost.", dns.TypeAAAA, dns.RcodeSuccess, "::1"},
		{"metadata by name", one, "instance-data.ec2.internal.", dns.TypeA, dns.RcodeSuccess, "169.254.169.254"},
		{"not ours, not forwarded", one, "example.com.", dns.TypeA, dns.RcodeServerFailure, ""},
		{"only looks like ours", one, "notamazonaws.com.", dns.TypeA, dns.RcodeServerFailure, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, transport := range []string{"udp", "tcp"} {
				m := ask(t, tt.from.ns, transport, tt.query, tt.kind)
				got := ""
				for _, rr := range m.Answer {
					got += dns.Field(rr, 1)
				}
				if m.Rcode != tt.rcode || got != tt.want {
					t.Errorf("by %s: %s %q, want %s %q", transport, dns.RcodeToString[m.Rcode], got, dns.RcodeToString[tt.rcode], tt.want)
				}
			}
		})
	}
}

func TestResolverForwards(t *testing.T) {
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{PacketConn: pc, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		w.WriteMsg(reply(q, &dns.A{Hdr: header(q.Question[0]), A: net.ParseIP("203.0.113.9")}))
	})}
	go server.ActivateAndServe()
	defer server.Shutdown()
	q := new(dns.Msg).SetQuestion("example.com.", dns.TypeA)
	m, err := exchange(context.Background(), q, pc.LocalAddr().String())
	if err != nil || len(m.Answer) != 1 || dns.Field(m.Answer[0], 1) != "203.0.113.9" {
		t.Errorf("got %v, %v", m, err)
	}
}

// One instance cannot take all the daemon's descriptors.
func TestConnectionsOfAnInstanceAreBounded(t *testing.T) {
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Identify(tcp, "i-1")
	defer l.Close()
	accepted := make(chan net.Conn, maxConns+1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		t.Helper()
		c, err := net.DialTimeout("tcp4", tcp.Addr().String(), plenty)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	var last net.Conn
	for range maxConns {
		dial()
		last = <-accepted
	}
	over := dial()
	if err := over.SetReadDeadline(time.Now().Add(plenty)); err != nil {
		t.Fatal(err)
	}
	if _, err := over.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("one connection more than allowed: %v, want it closed", err)
	}
	if err := last.Close(); err != nil {
		t.Fatal(err)
	}
	dial()
	<-accepted // there is room again
}

// slowUpstream answers when the test lets it.
type slowUpstream struct{ asked, answer chan struct{} }

func (u slowUpstream) ask(_ context.Context, q *dns.Msg) (*dns.Msg, error) {
	u.asked <- struct{}{}
	<-u.answer
	return new(dns.Msg).SetReply(q), nil
}

func TestForwardedQuestionsAreBounded(t *testing.T) {
	slow := slowUpstream{make(chan struct{}), make(chan struct{})}
	r := &resolver{region: "us-east-1", upstream: slow}
	q := new(dns.Msg).SetQuestion("example.com.", dns.TypeA)
	forwards := make(chan struct{}, 2)
	codes := make(chan int, 2)
	for range 2 {
		go func() { codes <- r.answer("", q, forwards).Rcode }()
		<-slow.asked
	}
	if got := r.answer("", q, forwards).Rcode; got != dns.RcodeServerFailure {
		t.Errorf("one question more than allowed: %s", dns.RcodeToString[got])
	}
	if got := r.answer("", new(dns.Msg).SetQuestion("s3.amazonaws.com.", dns.TypeA), forwards).Rcode; got != dns.RcodeSuccess {
		t.Errorf("a name of ours meanwhile: %s", dns.RcodeToString[got])
	}
	close(slow.answer)
	for range 2 {
		if got := <-codes; got != dns.RcodeSuccess {
			t.Errorf("a question within the bound: %s", dns.RcodeToString[got])
		}
	}
}

// TestNoThreadIsLeftInANamespace guards against the worst that onOwnThread
// could do: a thread that the runtime reuses in the wrong place.
func TestNoThreadIsLeftInANamespace(t *testing.T) {
	n := openNetwork(t)
	s := openServices(t, n)
	for i := range 20 {
		ns, nic := bareNamespace(t), testNIC(fmt.Sprintf("vpc-%d", i%5), 10+i, false)
		if err := n.Attach(context.Background(), ns, nic); err != nil {
			t.Fatal(err)
		}
		mustOpen(t, s, fmt.Sprintf("i-%d", i), ns)
	}
	home, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	threads, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil || len(threads) == 0 {
		t.Fatalf("%d threads, %v", len(threads), err)
	}
	for _, thread := range threads {
		if ns, err := os.Readlink(thread); err == nil && ns != home {
			t.Errorf("%s is in %s, not in %s", thread, ns, home)
		}
	}
}

func TestHostNames(t *testing.T) {
	a := netip.MustParseAddr("198.18.0.10")
	for got, want := range map[string]string{
		PrivateHostName("us-east-1", a): "ip-198-18-0-10.ec2.internal",
		PrivateHostName("eu-west-1", a): "ip-198-18-0-10.eu-west-1.compute.internal",
		PublicHostName("us-east-1", a):  "ec2-198-18-0-10.compute-1.amazonaws.com",
		PublicHostName("eu-west-1", a):  "ec2-198-18-0-10.eu-west-1.compute.amazonaws.com",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func BenchmarkServices(b *testing.B) {
	n := openNetwork(b)
	s := openServices(b, n)
	ns := bareNamespace(b)
	if err := n.Attach(context.Background(), ns, testNIC("vpc-1", 10, false)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := s.Open("i-1", ns); err != nil {
			b.Fatal(err)
		}
	}
}
