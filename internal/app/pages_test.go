package app

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHealth(t *testing.T) {
	s := start(t, testConfig(t))
	code, text := s.get(healthPath)
	if m := decoded(t, text); code != 200 || m["status"] != "ok" || m["instances"] != "fake" || m["region"] != "us-east-1" || m["account"] != "123456789012" {
		t.Errorf("%d %s", code, text)
	}
}

func TestLanding(t *testing.T) {
	s := start(t, testConfig(t))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Endpoint()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml")
	if code, text := s.do(req); code != 200 || !strings.Contains(text, "hardstand env") {
		t.Errorf("%d %s", code, text)
	}
}

// One port speaks http and https, and the exported bundle vouches for it.
func TestHTTPS(t *testing.T) {
	s := start(t, testConfig(t))
	pem, err := os.ReadFile(s.Access().CABundle)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("the bundle holds no certificate")
	}
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer web.CloseIdleConnections()
	resp, err := web.Get(strings.Replace(s.Endpoint(), "http:", "https:", 1) + healthPath)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// What is not switched on is not there, and web pages cannot reach what is.
func TestOwnPaths(t *testing.T) {
	plain, cfg := start(t, testConfig(t)), testConfig(t)
	cfg.AllowReset = true
	open := start(t, cfg)
	for _, c := range []struct {
		name   string
		s      *server
		path   string
		header []string
		want   []int
	}{
		{"reset not allowed", plain, resetPath, nil, []int{403, 404, 405}},
		{"clock not allowed", plain, clockPath, nil, []int{403, 404, 405}},
		{"a web page's reset", open, resetPath, []string{"Origin", "http://evil.example"}, []int{403}},
		{"a web page's order", open, adminPath, []string{"Origin", "null"}, []int{403}},
		{"a clock that goes back", open, clockPath, nil, []int{400}},
	} {
		if code, text := c.s.post(c.path, `{"advance":"-1h"}`, c.header...); !slices.Contains(c.want, code) {
			t.Errorf("%s: %d %s", c.name, code, text)
		}
	}
	if code, _ := open.get(resetPath); code != http.StatusMethodNotAllowed {
		t.Errorf("GET of reset: %d", code)
	}
}

func TestMoveClock(t *testing.T) {
	cfg := testConfig(t)
	cfg.AllowReset = true
	s := start(t, cfg)
	before := s.cfg.Clock.Now()
	if code, _ := s.post(clockPath, `{"advance": "2562047h"}`); code != 400 {
		t.Errorf("a move beyond what times can hold was answered with %d", code)
	}
	if code, text := s.post(clockPath, `{"advance": "90m"}`); code != 200 || decoded(t, text)["now"] == nil {
		t.Errorf("%d %s", code, text)
	}
	if moved := s.cfg.Clock.Now().Sub(before); moved < 90*time.Minute {
		t.Errorf("the clock moved by %v", moved)
	}
}

func TestBanner(t *testing.T) {
	s := start(t, testConfig(t))
	text := strings.Join(s.Banner(), "\n")
	for _, want := range []string{"ready at " + s.Endpoint() + " (http and https), account 123456789012, region us-east-1", "hardstand env --data-dir '" + s.cfg.DataDir + "'", "FAKE"} {
		if !strings.Contains(text, want) {
			t.Errorf("the banner lacks %q:\n%s", want, text)
		}
	}
}

func TestDoctor(t *testing.T) {
	s := start(t, testConfig(t))
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	go func() { // an HTTP server that is none of ours
		_ = http.Serve(taken, http.NotFoundHandler())
	}()
	for _, c := range []struct {
		listen string
		ok     bool
		detail string
	}{
		{"127.0.0.1:0", true, "is free"},
		{s.listener.Addr().String(), true, "a hardstand server answers"},
		{taken.Addr().String(), false, "in use by another program"},
		{"192.0.2.1:80", false, "cannot assign"},
	} {
		f := checkPort(t.Context(), c.listen)
		if f.OK != c.ok || !strings.Contains(f.Detail, c.detail) || f.OK == (f.Remedy != "") {
			t.Errorf("%s: %+v", c.listen, f)
		}
	}
	names := map[string]bool{}
	for _, f := range Doctor(t.Context(), s.cfg.DataDir, "127.0.0.1:0") {
		if names[f.Name] || (!f.OK && f.Remedy == "") {
			t.Errorf("%+v", f)
		}
		names[f.Name] = true
	}
	if !names["port"] || !names["root"] || !names["aws CLI"] {
		t.Errorf("doctor looks at %v", names)
	}
}
