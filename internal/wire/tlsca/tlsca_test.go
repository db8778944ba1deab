package tlsca

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

// serve answers every request with its scheme, on one port.
func serve(t *testing.T, ca *CA) (addr string) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme := "http"
		if r.TLS != nil {
			scheme = "https"
		}
		_, _ = io.WriteString(w, scheme+" "+r.Host)
	})}
	l := ca.Listen(inner)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Close()
		if err := <-done; err != http.ErrServerClosed {
			t.Error(err)
		}
	})
	return inner.Addr().String()
}

// client trusts the authority and dials addr whatever the URL says.
func client(t *testing.T, ca *CA, addr string) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca.PEM()) {
		t.Fatal("the authority's certificate is not PEM")
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

func TestOnePortTwoSchemes(t *testing.T) {
	ca, err := Open(t.TempDir(), clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	addr := serve(t, ca)
	c := client(t, ca, addr)
	tests := []struct{ name, url, want string }{
		{"plain", "http://" + addr + "/", "http " + addr},
		{"address", "https://" + addr + "/", "https " + addr},
		{"service", "https://ec2.us-east-1.amazonaws.com/", "https ec2.us-east-1.amazonaws.com"},
		{"bucket with dots", "https://a.b.c.s3.amazonaws.com/", "https a.b.c.s3.amazonaws.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, err := c.Get(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || string(body) != tt.want {
				t.Errorf("got %q, %v; want %q", body, err, tt.want)
			}
		})
	}
}

func TestSilentClientBlocksNobody(t *testing.T) {
	ca, err := Open(t.TempDir(), clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	addr := serve(t, ca)
	silent, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	resp, err := client(t, ca, addr).Get("http://" + addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

func TestOpenKeepsTheAuthority(t *testing.T) {
	dir := t.TempDir()
	first, err := Open(dir, clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	second, err := Open(dir, clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.PEM(), second.PEM()) {
		t.Error("a second start made another authority")
	}
	info, err := os.Stat(filepath.Join(dir, keyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info, err)
	}
	a, err := first.leaf("x")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := first.leaf("x"); err != nil || a != b {
		t.Error("a leaf is minted twice")
	}
}

// A connection that was taken from its server comes again when the client goes on, with
// what it has said; one that says nothing is closed with the listener.
func TestConnectionsComeAgain(t *testing.T) {
	ca, err := Open(t.TempDir(), clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := ca.Listen(inner)
	defer l.Close()
	client, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := io.WriteString(client, "first"); err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	read := func(c net.Conn, want string) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
			t.Errorf("read %q, %v; want %q", got, err, want)
		}
	}
	read(server, "first")
	done := make(chan struct{})
	go func() { server.(interface{ Resume([]byte) }).Resume(nil); close(done) }()
	if _, err := io.WriteString(client, "second"); err != nil {
		t.Fatal(err)
	}
	again, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	<-done
	read(again, "second")

	go func() { again.(interface{ Resume([]byte) }).Resume([]byte("third")) }()
	if again, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	read(again, "third")

	silent := make(chan struct{})
	go func() { again.(interface{ Resume([]byte) }).Resume(nil); close(silent) }()
	l.Close()
	<-silent
	if _, err := client.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still open")
	}
}
