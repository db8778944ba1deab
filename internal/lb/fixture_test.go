package lb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// loopback is a network of nodes that are all in the test's own namespace.
type loopback struct {
	net.Dialer
	mu   sync.Mutex
	up   map[string]bool
	fail map[string]error // of coming up and going down
	// coming is called before a node comes up.
	coming func(id string)
}

func (l *loopback) Up(_ context.Context, id string) (Sockets, error) {
	if l.coming != nil {
		l.coming(id)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.fail[id]; err != nil {
		return nil, err
	}
	l.up[id] = true
	return l, nil
}

func (l *loopback) Down(_ context.Context, id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.fail[id]; err != nil {
		return err
	}
	delete(l.up, id)
	return nil
}

func (l *loopback) Listen(network, address string) (net.Listener, error) {
	return net.Listen(network, address)
}

func (l *loopback) ListenPacket(network, address string) (net.PacketConn, error) {
	return net.ListenPacket(network, address)
}

// openSealer hides nothing, but opens only what was sealed for the same row.
type openSealer struct{}

func (openSealer) Seal(table, row string, plain []byte) ([]byte, error) {
	return append([]byte(table+"|"+row+"|"), plain...), nil
}

func (openSealer) Open(table, row string, sealed []byte) ([]byte, error) {
	plain, ok := bytes.CutPrefix(sealed, []byte(table+"|"+row+"|"))
	if !ok {
		return nil, errors.New("sealed for another row")
	}
	return plain, nil
}

// stand is a plane with one balancer that a test changes and applies.
type stand struct {
	t       testing.TB
	nodes   *loopback
	plane   *Plane
	spec    Spec
	changes chan Change
}

// newStand makes a balancer with one node, one HTTP listener and one group without
// targets.
func newStand(t testing.TB) *stand {
	t.Helper()
	nodes := &loopback{up: map[string]bool{}, fail: map[string]error{}}
	s := &stand{t: t, nodes: nodes, plane: New(Config{Nodes: nodes, Sealer: openSealer{}}), changes: make(chan Change, 1000)}
	t.Cleanup(func() {
		if err := s.plane.Close(); err != nil {
			t.Error("close:", err)
		}
	})
	s.spec = Spec{
		ID: "balancer", Kind: Application, Nodes: []Node{{ID: "eni-1", Zone: "a", Addr: netip.MustParseAddr("127.0.0.1")}},
		Listeners: []Listener{{ID: "listener", Protocol: HTTP, Port: freePort(t), Default: forwardTo("group")}},
		Groups: []TargetGroup{{
			ID: "group", Protocol: HTTP, CrossZone: true, Algorithm: roundRobin,
			Check: HealthCheck{Protocol: HTTP, Path: "/health", Interval: 10 * time.Millisecond, Timeout: time.Second, Healthy: 2, Unhealthy: 2, Matcher: "200"},
		}},
		Report: func(c Change) { s.changes <- c },
	}
	return s
}

func forwardTo(group string) []Action {
	return []Action{{Forward: &Forward{Groups: []WeightedGroup{{Group: group, Weight: 1}}}}}
}

// freePort returns a port that nobody listens on now.
func freePort(t testing.TB) uint16 {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return addrPort(l.Addr()).Port()
}

func (s *stand) apply() {
	s.t.Helper()
	if err := s.plane.Apply(context.Background(), s.spec); err != nil {
		s.t.Fatal("apply:", err)
	}
}

// add registers a server as a target of the first group.
func (s *stand) add(id string, server *httptest.Server) Key {
	at := addrPort(server.Listener.Addr())
	g := &s.spec.Groups[0]
	g.Targets = append(g.Targets, Target{TargetID: id, Port: at.Port(), Addr: at.Addr(), Zone: "a"})
	return Key{id, at.Port()}
}

// await waits until a target of the first group is in a state.
func (s *stand) await(k Key, state State) Health {
	s.t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		if h := s.plane.Health(s.spec.ID, s.spec.Groups[0].ID)[k]; h.State == state {
			return h
		}
		select {
		case <-s.changes:
		case <-deadline:
			s.t.Fatalf("target %v is %+v, not %s", k, s.plane.Health(s.spec.ID, s.spec.Groups[0].ID)[k], state)
		}
	}
}

func (s *stand) url(path string) string {
	return fmt.Sprintf("http://127.0.0.1:%d%s", s.spec.Listeners[0].Port, path)
}

// get sends a request on a connection of its own.
func (s *stand) get(path string, headers ...string) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.url(path), http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	return s.do(r)
}

func (s *stand) do(r *http.Request) (*http.Response, string) {
	s.t.Helper()
	way := &http.Transport{DisableKeepAlives: true}
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

// serve runs a target until the test ends.
func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

// named is a target that answers with its name.
func named(t testing.TB, name string) *httptest.Server {
	return serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, name) }) //nolint:errcheck // the client tells
}
