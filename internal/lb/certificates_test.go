package lb

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// certificate makes one for names.
func certificate(t *testing.T, names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// secure makes the stand's listener speak HTTPS.
func (s *stand) secure(certificates ...tls.Certificate) {
	s.spec.Listeners[0].Protocol, s.spec.Listeners[0].Certificates, s.spec.Attributes.HTTP2 = HTTPS, certificates, true
}

// ask sends a request over TLS.
func (s *stand) ask(c *tls.Config, http2 bool, r *http.Request) (*http.Response, string) {
	s.t.Helper()
	c.InsecureSkipVerify = true
	var p http.Protocols
	p.SetHTTP1(!http2)
	p.SetHTTP2(http2)
	way := &http.Transport{TLSClientConfig: c, Protocols: &p}
	defer way.CloseIdleConnections()
	answer, err := way.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer, string(body)
}

func (s *stand) request(method, body string) *http.Request {
	s.t.Helper()
	r, err := http.NewRequest(method, fmt.Sprintf("https://127.0.0.1:%d/x", s.spec.Listeners[0].Port), strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func TestHTTPS(t *testing.T) {
	s := newStand(t)
	s.secure(certificate(t, "default.example"))
	s.spec.Attributes.TLSHeaders = true
	k := s.add("i-a", echo(t))
	s.apply()
	s.await(k, Healthy)
	for _, http2 := range []bool{false, true} {
		answer, body := s.ask(&tls.Config{MaxVersion: tls.VersionTLS12}, http2, s.request(http.MethodGet, ""))
		var got seen
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		if answer.ProtoMajor != map[bool]int{false: 1, true: 2}[http2] {
			t.Errorf("answered over %s", answer.Proto)
		}
		for name, want := range map[string]string{"X-Forwarded-Proto": "https", "X-Amzn-Tls-Version": "TLSv1.2", "X-Amzn-Tls-Cipher-Suite": "ECDHE-ECDSA-AES128-GCM-SHA256"} {
			if have := got.Header.Get(name); have != want {
				t.Errorf("%s is %q, want %q", name, have, want)
			}
		}
	}
	s.spec.Attributes.HTTP2 = false
	s.apply()
	if answer, _ := s.ask(&tls.Config{NextProtos: []string{"h2", "http/1.1"}}, false, s.request(http.MethodGet, "")); answer.ProtoMajor != 1 {
		t.Errorf("answered over %s", answer.Proto)
	}
	s.spec.Groups[0].Targets = nil
	s.apply()
	if answer, body := s.ask(&tls.Config{}, false, s.request(http.MethodGet, "")); answer.Status != "503 Service Temporarily Unavailable" || body != nginxPage(answer.Status) {
		t.Errorf("%s: %s", answer.Status, body)
	}
}

func TestCertificateByName(t *testing.T) {
	s := newStand(t)
	s.secure(certificate(t, "default.example"), certificate(t, "a.example", "*.a.example"), certificate(t, "www.a.example"))
	s.spec.Listeners[0].Default = []Action{{Fixed: &FixedResponse{Status: 200}}}
	s.apply()
	for name, want := range map[string]string{
		"": "default.example", "other.example": "default.example", "a.example": "a.example", "x.A.example": "a.example",
		"www.a.example": "www.a.example", "x.y.a.example": "default.example",
	} {
		answer, _ := s.ask(&tls.Config{ServerName: name}, false, s.request(http.MethodGet, ""))
		if got := answer.TLS.PeerCertificates[0].Subject.CommonName; got != want {
			t.Errorf("%q is shown %s, want %s", name, got, want)
		}
	}
}

func TestSecurityPolicies(t *testing.T) {
	for _, c := range []struct {
		policy  string
		limits  *TLSLimits
		version uint16
		ok      bool
	}{
		{"", nil, tls.VersionTLS10, true},
		{"ELBSecurityPolicy-TLS-1-2-2017-01", nil, tls.VersionTLS11, false},
		{"ELBSecurityPolicy-TLS-1-2-2017-01", nil, tls.VersionTLS12, true},
		{"ELBSecurityPolicy-TLS-1-2-2017-01", nil, tls.VersionTLS13, false},
		{"ELBSecurityPolicy-TLS13-1-3-2021-06", nil, tls.VersionTLS12, false},
		{"ELBSecurityPolicy-TLS13-1-2-2021-06", nil, tls.VersionTLS13, true},
		{"", &TLSLimits{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12}, tls.VersionTLS11, false},
		{"", &TLSLimits{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}}, tls.VersionTLS12, false},
	} {
		t.Run(fmt.Sprintf("%s %s", c.policy, tls.VersionName(c.version)), func(t *testing.T) {
			s := newStand(t)
			s.secure(certificate(t, "a"))
			s.spec.Listeners[0].SecurityPolicy, s.spec.Listeners[0].TLS = c.policy, c.limits
			s.spec.Listeners[0].Default = []Action{{Fixed: &FixedResponse{Status: 200}}}
			s.apply()
			conn, err := tls.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", s.spec.Listeners[0].Port),
				&tls.Config{InsecureSkipVerify: true, MinVersion: c.version, MaxVersion: c.version}) //nolint:gosec // self-signed
			if err == nil {
				conn.Close()
			}
			if (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
		})
	}
	s := newStand(t)
	s.secure(certificate(t, "a"))
	s.spec.Listeners[0].SecurityPolicy = "none"
	if err := s.plane.Apply(t.Context(), s.spec); err == nil {
		t.Error("an unknown policy is taken")
	}
}

// TestSecureTargets: HTTPS to targets, whose certificates nobody judges but a policy
// that names them.
func TestSecureTargets(t *testing.T) {
	target := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "secure") })) //nolint:errcheck // the client tells
	defer target.Close()
	for _, c := range []struct {
		name    string
		trusted [][]byte
		status  int
	}{
		{"anybody", nil, 200}, {"the certificate", [][]byte{target.Certificate().Raw}, 200},
		{"its key", [][]byte{target.Certificate().RawSubjectPublicKeyInfo}, 200}, {"another", [][]byte{certificate(t, "a").Certificate[0]}, 502},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t)
			s.spec.Groups[0].Protocol, s.spec.Groups[0].Check.Protocol, s.spec.Groups[0].BackendCertificates = HTTPS, HTTPS, c.trusted
			k := s.add("i-a", target)
			s.apply()
			s.await(k, Healthy)
			if answer, body := s.get("/"); answer.StatusCode != c.status || (c.status == 200 && body != "secure") {
				t.Errorf("%d: %s", answer.StatusCode, body)
			}
		})
	}
}

// TestHTTP2Targets: groups of the versions HTTP2 and GRPC, over h2c.
func TestHTTP2Targets(t *testing.T) {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	target := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("the target is spoken to over %s", r.Proto)
		}
		w.Header().Set("Trailer", "Grpc-Status")
		w.Header().Set("Content-Type", "application/grpc")
		io.Copy(w, r.Body) //nolint:errcheck // the client tells
		w.Header().Set("Grpc-Status", map[bool]string{true: "12", false: "0"}[strings.HasPrefix(r.URL.Path, "/AWS")])
	}))
	target.Config.Protocols = &p
	target.Start()
	defer target.Close()
	for _, c := range []struct {
		version, path, matcher string
	}{{"HTTP2", "/", "200"}, {"GRPC", "/AWS.ALB/healthcheck", "12"}} {
		t.Run(c.version, func(t *testing.T) {
			s := newStand(t)
			s.secure(certificate(t, "a"))
			g := &s.spec.Groups[0]
			g.Version, g.Check.Version, g.Check.Path, g.Check.Matcher = c.version, c.version, c.path, c.matcher
			k := s.add("i-a", target)
			s.apply()
			s.await(k, Healthy)
			answer, body := s.ask(&tls.Config{}, true, s.request(http.MethodPost, "message"))
			if answer.StatusCode != 200 || body != "message" || answer.Trailer.Get("Grpc-Status") != "0" {
				t.Errorf("%d %q %v", answer.StatusCode, body, answer.Trailer)
			}
			if answer, _ := s.ask(&tls.Config{}, false, s.request(http.MethodPost, "message")); answer.StatusCode != 464 {
				t.Errorf("HTTP/1.1 to such a group answers %d", answer.StatusCode)
			}
		})
	}
}
