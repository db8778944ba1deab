package lb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// AWS's reasons and texts.
const (
	reasonRegistering = "Elb.RegistrationInProgress"
	textRegistering   = "Target registration is in progress"
	reasonInitial     = "Elb.InitialHealthChecking"
	textInitial       = "Initial health checks in progress"
	reasonDraining    = "Target.DeregistrationInProgress"
	textDraining      = "Target deregistration is in progress"
)

// target is one that runs. Its fields Draining and Unused change under the group's
// lock.
type target struct {
	Target
	group  *group
	key    Key
	spoken spoken

	life context.Context // ends when the target leaves the spec
	stop context.CancelFunc

	inFlight     atomic.Int64
	outlived     atomic.Bool  // whether its connections live on when it ends
	leaving      atomic.Bool  // Draining, for who does not hold the lock
	breaks       atomic.Bool  // whether its streams end when it becomes unhealthy
	healthySince atomic.Int64 // Unix nanoseconds, for the slow start; 0 is long ago

	mu      sync.Mutex
	now     Health
	ways    map[way]*http.Transport
	streams map[*stream]struct{}
	checker *checker
}

// way is where requests to a target come from, and how long its connections may be
// silent.
type way struct {
	node *node
	idle time.Duration
}

// spoken is how a group's targets are spoken to: with another, they are met anew.
type spoken struct {
	protocol, version string
	proxy             int
	trusted           [sha256.Size]byte
}

func spokenOf(g TargetGroup) spoken {
	return spoken{g.Protocol, g.Version, g.ProxyProtocol, sha256.Sum256(bytes.Join(g.BackendCertificates, nil))}
}

func newTarget(g *group, s Target, c *config) *target {
	t := &target{
		Target: s, group: g, key: s.Key(), spoken: spokenOf(g.spec),
		ways: map[way]*http.Transport{}, streams: map[*stream]struct{}{},
		now: Health{State: Initial, Reason: reasonRegistering, Description: textRegistering},
	}
	t.life, t.stop = context.WithCancel(g.balancer.life)
	switch {
	case s.Known == Healthy || s.Known == Unhealthy:
		t.now = Health{State: s.Known}
	case c.Kind == Network && g.spec.Check.Disabled:
		t.now = Health{State: Healthy}
	}
	return t
}

// update takes over what may change while the target stays. It runs under the group's
// lock.
func (t *target) update(s Target) {
	t.Draining, t.Unused = s.Draining, s.Unused
	t.leaving.Store(s.Draining)
}

func (t *target) healthNow() Health {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now
}

// begin and done count what is under way.
func (t *target) begin() { t.inFlight.Add(1) }

func (t *target) done() {
	if t.inFlight.Add(-1) > 0 || !t.leaving.Load() {
		return
	}
	b := t.group.balancer
	if c := b.current.Load(); c.Report != nil {
		c.Report(Change{Balancer: b.id, Group: t.group.id, Target: t.key, Idle: true})
	}
}

// setHealth is the checker's verdict.
func (t *target) setHealth(h Health) {
	t.mu.Lock()
	before := t.now
	t.now = h
	t.mu.Unlock()
	if before == h {
		return
	}
	b := t.group.balancer
	if h.State == Healthy && before.State != Healthy {
		t.healthySince.Store(b.plane.cfg.Clock.Now().UnixNano())
	}
	b.refresh()
	if h.State == Unhealthy && t.breaks.Load() {
		t.breakStreams()
	}
	if c := b.current.Load(); c != nil && c.Report != nil {
		c.Report(Change{Balancer: b.id, Group: t.group.id, Target: t.key, Health: h})
	}
}

// end lets go of everything but the connections that outlive the target: it has left
// the spec.
func (t *target) end() {
	t.stop()
	t.mu.Lock()
	ways := t.ways
	t.ways = map[way]*http.Transport{}
	c := t.checker
	t.checker = nil
	t.mu.Unlock()
	if c != nil {
		c.stop()
	}
	if !t.outlived.Load() {
		t.breakStreams()
	}
	for _, w := range ways {
		w.CloseIdleConnections()
	}
}

// forgetWays closes what is kept open through nodes that are no more.
func (t *target) forgetWays(nodes []*node) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for from, w := range t.ways {
		if !slices.ContainsFunc(nodes, func(n *node) bool { return n == from.node && n.balancer.idle() == from.idle }) {
			w.CloseIdleConnections()
			delete(t.ways, from)
		}
	}
}

// addr is where the target listens.
func (t *target) addr() netip.AddrPort { return netip.AddrPortFrom(t.Addr, t.Port) }

// through returns the way of requests from a node to the target; it keeps
// connections open between requests.
func (t *target) through(n *node, spec TargetGroup) *http.Transport {
	t.mu.Lock()
	defer t.mu.Unlock()
	idle := n.balancer.idle()
	if w := t.ways[way{n, idle}]; w != nil {
		return w
	}
	var p http.Protocols
	switch {
	case spec.Version != "HTTP2" && spec.Version != "GRPC":
		p.SetHTTP1(true)
	case spec.Protocol == HTTPS:
		p.SetHTTP2(true)
	default:
		p.SetUnencryptedHTTP2(true)
	}
	w := &http.Transport{
		Protocols: &p, DisableCompression: true, IdleConnTimeout: idle, MaxIdleConnsPerHost: 1024,
		TLSClientConfig: targetTLS(spec), TLSHandshakeTimeout: dialTimeout, ExpectContinueTimeout: idle,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			c, err := n.dial(ctx, t.addr())
			if err != nil {
				return nil, &dialError{err}
			}
			return &backConn{Conn: c, idle: idle}, nil
		},
	}
	t.ways[way{n, idle}] = w
	return w
}

// idle is how long connections may be silent.
func (b *balancer) idle() time.Duration { return b.current.Load().Attributes.IdleTimeout }

// dialError tells a connection that was not made from one that broke.
type dialError struct{ error }

func (e *dialError) Unwrap() error { return e.error }

var errUntrusted = errors.New("the target's certificate is none of those that the policy names")

// targetTLS is how targets are met over TLS: their certificates are not judged, as on
// AWS, unless the classic balancer's policy names them.
func targetTLS(spec TargetGroup) *tls.Config {
	c := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10} //nolint:gosec // as on AWS
	if spec.BackendCertificates == nil {
		return c
	}
	c.VerifyPeerCertificate = func(shown [][]byte, _ [][]*x509.Certificate) error {
		for _, known := range spec.BackendCertificates {
			if len(shown) > 0 && samePublicKey(shown[0], known) {
				return nil
			}
		}
		return errUntrusted
	}
	return c
}

// samePublicKey compares the key of a certificate with a certificate or a bare key.
func samePublicKey(shown, known []byte) bool {
	cert, err := x509.ParseCertificate(shown)
	if err != nil {
		return false
	}
	key := known
	if k, err := x509.ParseCertificate(known); err == nil {
		key = k.RawSubjectPublicKeyInfo
	}
	return sha256.Sum256(cert.RawSubjectPublicKeyInfo) == sha256.Sum256(key)
}
