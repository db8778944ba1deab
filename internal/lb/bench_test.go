package lb

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// BenchmarkHTTP carries requests over kept connections through a balancer and, as its
// peer, through the reverse proxy of net/http alone.
func BenchmarkHTTP(b *testing.B) {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "hello, world") //nolint:errcheck // the client tells
	}))
	defer target.Close()
	b.Run("balancer", func(b *testing.B) {
		s := newStand(b)
		s.spec.Groups[0].Check.Disabled = true
		k := s.add("i-a", target)
		s.apply()
		s.await(k, Healthy)
		fetch(b, s.url("/"))
	})
	b.Run("reverseproxy", func(b *testing.B) {
		to, err := url.Parse(target.URL)
		if err != nil {
			b.Fatal(err)
		}
		way := &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true}
		defer way.CloseIdleConnections()
		proxy := httptest.NewServer(&httputil.ReverseProxy{Transport: way, BufferPool: buffers{}, Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.SetXForwarded()
		}})
		defer proxy.Close()
		fetch(b, proxy.URL)
	})
}

// fetch asks again and again from several clients at once.
func fetch(b *testing.B, at string) {
	way := &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true}
	defer way.CloseIdleConnections()
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			r, err := http.NewRequest(http.MethodGet, at, http.NoBody)
			if err != nil {
				b.Error(err)
				return
			}
			answer, err := way.RoundTrip(r)
			if err != nil {
				b.Error(err)
				return
			}
			io.Copy(io.Discard, answer.Body) //nolint:errcheck // the status tells
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				b.Error(answer.Status)
				return
			}
		}
	})
}

// BenchmarkStreams carries a stream of bytes.
func BenchmarkStreams(b *testing.B) {
	s := newStand(b)
	s.network(TCP, TCP)
	s.spec.Groups[0].Check.Disabled = true
	k := s.add("i-a", &httptest.Server{Listener: lines(b, "a", nil)})
	s.apply()
	s.await(k, Healthy)
	c, r := s.dial()
	if _, err := r.ReadString('\n'); err != nil {
		b.Fatal(err)
	}
	block := make([]byte, 64<<10)
	b.SetBytes(int64(len(block)))
	for b.Loop() {
		if _, err := c.Write(block); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(r, block); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRules matches a request against a hundred rules, the quota of a listener.
func BenchmarkRules(b *testing.B) {
	l := &listener{}
	for range 100 {
		r, err := compileRule(Rule{Conditions: []Condition{{Field: "host-header", Values: []string{"*.example.com"}}, {Field: "path-pattern", Values: []string{"/api/*/v1"}}}})
		if err != nil {
			b.Fatal(err)
		}
		l.rules = append(l.rules, r)
	}
	request := httptest.NewRequest(http.MethodGet, "http://www.example.com/api/orders/v2", http.NoBody)
	b.ReportAllocs()
	for b.Loop() {
		l.rule(request, addrPort(nil).Addr())
	}
}
