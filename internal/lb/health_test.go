package lb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

func TestHealthCheckReasons(t *testing.T) {
	// Nobody else listens on this address, so that the port stays closed.
	refuses, err := net.Listen("tcp4", "127.0.0.77:0")
	if err != nil {
		t.Fatal(err)
	}
	refuses.Close()
	gone := &httptest.Server{Listener: refuses}
	silent, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, c := range []struct {
		name   string
		target net.Listener
		check  HealthCheck
		want   Health
	}{
		{"code", serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }).Listener, HealthCheck{},
			Health{Unhealthy, "Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]"}},
		{"refused", gone.Listener, HealthCheck{}, Health{Unhealthy, "Target.FailedHealthChecks", "Health checks failed"}},
		{"refused TCP", gone.Listener, HealthCheck{Protocol: TCP}, Health{Unhealthy, "Target.FailedHealthChecks", "Health checks failed"}},
		{"silent", silent, HealthCheck{Timeout: 50 * time.Millisecond}, Health{Unhealthy, "Target.Timeout", "Request timed out"}},
		{"no TLS", named(t, "a").Listener, HealthCheck{Protocol: HTTPS}, Health{Unhealthy, "Target.FailedHealthChecks", "Health checks failed"}},
		{"good", named(t, "a").Listener, HealthCheck{}, Health{State: Healthy}},
		{"TCP", silent, HealthCheck{Protocol: TCP}, Health{State: Healthy}},
		{"disabled", gone.Listener, HealthCheck{Disabled: true}, Health{State: Healthy}},
		{"another port", silent, HealthCheck{Port: addrPort(named(t, "b").Listener.Addr()).Port()}, Health{State: Healthy}},
		{"code in a range", serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }).Listener, HealthCheck{Matcher: "200,202-299"}, Health{State: Healthy}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t)
			check := &s.spec.Groups[0].Check
			check.Disabled, check.Port = c.check.Disabled, c.check.Port
			if c.check.Protocol != "" {
				check.Protocol = c.check.Protocol
			}
			if c.check.Timeout != 0 {
				check.Timeout = c.check.Timeout
			}
			if c.check.Matcher != "" {
				check.Matcher = c.check.Matcher
			}
			k := s.add("i-a", &httptest.Server{Listener: c.target})
			s.apply()
			if got := s.await(k, c.want.State); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestThresholds: what it takes for a target to change, by a clock that stands still.
// TestHealthCheckIsBounded: a target cannot answer without an end.
func TestHealthCheckIsBounded(t *testing.T) {
	s := newStand(t)
	s.spec.Groups[0].Check.Timeout = 30 * time.Second
	k := s.add("i-a", serve(t, func(w http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		for _, err = io.WriteString(c, "HTTP/1.1 200 OK\r\n"); err == nil; {
			_, err = io.WriteString(c, "X-Y: "+strings.Repeat("z", 1000)+"\r\n")
		}
	}))
	s.apply()
	if h := s.await(k, Unhealthy); h.Reason != reasonFailed {
		t.Errorf("it is %+v", h)
	}
}

func TestThresholds(t *testing.T) {
	var good atomic.Bool
	asked := make(chan struct{}, 1)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("User-Agent"), "ELB-HealthChecker/") || r.URL.Path != "/health" {
			t.Errorf("asked %v by %v", r.URL, r.Header)
		}
		if !good.Load() {
			w.WriteHeader(500)
		}
		asked <- struct{}{}
	})
	for _, c := range []struct {
		name    string
		kind    Kind
		answers string // + and -
		want    string // the state after each: i, h, u
	}{
		{"one success suffices for a new one", Application, "-+++", "ihhh"},
		{"and failures in a row count", Application, "--+-++--", "iuuuuhhu"},
		{"classic counts successes of a new one", Classic, "+-++--++", "iiihhuuh"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t)
			now := clock.NewManual(time.Unix(0, 0))
			s.plane.cfg.Clock = now
			s.spec.Kind = c.kind
			s.spec.Groups[0].Check.Interval = time.Minute
			k := s.add("i-a", server)
			for i, answer := range c.answers {
				good.Store(answer == '+')
				if i == 0 {
					s.apply()
				} else {
					now.Advance(time.Minute)
				}
				<-asked
				if err := now.BlockUntil(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				if got := s.plane.Health("balancer", "group")[k].State; string(got[0]) != string(c.want[i]) {
					t.Fatalf("after %s: %s", c.answers[:i+1], got)
				}
			}
		})
	}
}

func TestClassicNamesItselfToTargets(t *testing.T) {
	agents := make(chan string, 100)
	s := newStand(t)
	s.spec.Kind = Classic
	k := s.add("i-a", serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case agents <- r.Header.Get("User-Agent"):
		default:
		}
	}))
	s.apply()
	s.await(k, Healthy)
	if got := <-agents; got != "ELB-HealthChecker/1.0" {
		t.Errorf("got %s", got)
	}
}

// TestFailOpen: when no target is healthy all get requests, save on classic balancers.
func TestFailOpen(t *testing.T) {
	for _, kind := range []Kind{Application, Classic} {
		s := newStand(t)
		s.spec.Kind = kind
		k := s.add("i-a", serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/health" {
				w.WriteHeader(500)
			}
		}))
		s.apply()
		s.await(k, Unhealthy)
		want := map[Kind]int{Application: 200, Classic: 503}[kind]
		if answer, _ := s.get("/"); answer.StatusCode != want {
			t.Errorf("%s answers %d, want %d", kind, answer.StatusCode, want)
		}
	}
}

// TestReports: each change is told once, and a known health is no change.
func TestReports(t *testing.T) {
	s := newStand(t)
	s.add("i-a", named(t, "a"))
	s.spec.Groups[0].Targets[0].Known = Healthy
	k := s.add("i-b", named(t, "b"))
	s.apply()
	if h := s.plane.Health("balancer", "group")[s.spec.Groups[0].Targets[0].Key()]; h.State != Healthy {
		t.Errorf("a target known to be healthy is %+v", h)
	}
	want := Change{Balancer: "balancer", Group: "group", Target: k, Health: Health{State: Healthy}}
	if got := <-s.changes; got != want {
		t.Errorf("told %+v", got)
	}
	s.spec.Groups[0].Targets[0].Unused = true
	s.apply()
	health := s.plane.Health("balancer", "group")
	if len(health) != 2 || health[s.spec.Groups[0].Targets[0].Key()].State != Unused {
		t.Errorf("health %v", health)
	}
	if s.plane.Health("balancer", "none") != nil || s.plane.Health("none", "group") != nil {
		t.Error("there is health of what is not there")
	}
	select {
	case c := <-s.changes:
		t.Errorf("told %+v besides", c)
	default:
	}
}

// TestHealthOfAnotherGroup: a group without checks follows the one it names.
func TestHealthOfAnotherGroup(t *testing.T) {
	s := newStand(t)
	judged := s.add("i-a", named(t, "a"))
	at := addrPort(named(t, "other port").Listener.Addr())
	s.spec.Groups = append(s.spec.Groups, TargetGroup{ID: "port", Protocol: HTTP, CrossZone: true, HealthOf: "group",
		Targets: []Target{{TargetID: "i-a", Port: at.Port(), Addr: at.Addr()}}})
	s.spec.Kind, s.spec.Listeners[0].Default = Classic, forwardTo("port")
	s.apply()
	s.await(judged, Healthy)
	if _, body := s.get("/"); body != "other port" {
		t.Errorf("got %s", body)
	}
	if h := s.plane.Health("balancer", "port"); h[Key{"i-a", at.Port()}].State != Healthy {
		t.Errorf("health %v", h)
	}
}

// TestZones: without cross-zone balancing a node sends to its own zone only.
func TestZones(t *testing.T) {
	s := newStand(t)
	s.spec.Nodes = append(s.spec.Nodes, Node{ID: "eni-2", Zone: "b", Addr: netip.MustParseAddr("127.0.0.2")})
	a, b := s.add("i-a", named(t, "a")), s.add("i-b", named(t, "b"))
	s.spec.Groups[0].Targets[1].Zone = "b"
	s.spec.Groups[0].CrossZone = false
	s.apply()
	s.await(a, Healthy)
	s.await(b, Healthy)
	for host, want := range map[string]string{"127.0.0.1": "a", "127.0.0.2": "b"} {
		for range 3 {
			r, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://%s:%d/", host, s.spec.Listeners[0].Port), http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if _, body := s.do(r); body != want {
				t.Errorf("%s answered by %s", host, body)
			}
		}
	}
	s.spec.Groups[0].Targets[1].AnyZone = true
	s.apply()
	s.await(b, Healthy)
	seen := map[string]bool{}
	for range 4 {
		_, body := s.get("/")
		seen[body] = true
	}
	if len(seen) != 2 {
		t.Errorf("a target of all zones is not reached: %v", seen)
	}
}

// TestLeastOutstanding: a busy target gets nothing while another is idle.
func TestLeastOutstanding(t *testing.T) {
	release := make(chan struct{})
	s := newStand(t)
	slow := s.add("i-slow", serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			<-release
		}
		io.WriteString(w, "slow") //nolint:errcheck // the client tells
	}))
	s.spec.Groups[0].Algorithm = leastLoaded
	s.apply()
	s.await(slow, Healthy)
	done := make(chan struct{})
	go func() { defer close(done); s.get("/wait") }()
	for s.plane.Busy("balancer", "i-slow") == false {
		s.get("/")
	}
	fast := s.add("i-fast", named(t, "fast"))
	s.apply()
	s.await(fast, Healthy)
	for range 4 {
		if _, body := s.get("/"); body != "fast" {
			t.Errorf("answered by %s", body)
		}
	}
	close(release)
	<-done
}

// TestSlowStart: the share of a target grows from when it became healthy.
func TestSlowStart(t *testing.T) {
	now := clock.NewManual(time.Unix(1000, 0))
	target := &target{group: &group{balancer: &balancer{plane: New(Config{Clock: now})}}}
	target.healthySince.Store(now.Now().UnixNano())
	for _, c := range []struct {
		after time.Duration
		want  float64
	}{{0, 0.01}, {25 * time.Second, 0.25}, {25 * time.Second, 0.5}, {50 * time.Second, 1}} {
		now.Advance(c.after)
		if got := target.share(100*time.Second, now.Now()); got != c.want {
			t.Errorf("share %v, want %v", got, c.want)
		}
	}
	if target.share(0, now.Now()) != 1 {
		t.Error("no slow start is not a full share")
	}
}

// TestNodesThatDoNotComeUp: the others serve, and the error names what is missing.
func TestNodesThatDoNotComeUp(t *testing.T) {
	s := newStand(t)
	broken := errors.New("no interface")
	s.nodes.fail["eni-2"] = broken
	s.spec.Nodes = append(s.spec.Nodes, Node{ID: "eni-2", Zone: "b", Addr: netip.MustParseAddr("127.0.0.2")})
	k := s.add("i-a", named(t, "a"))
	if err := s.plane.Apply(context.Background(), s.spec); !errors.Is(err, broken) {
		t.Fatalf("apply: %v", err)
	}
	s.await(k, Healthy)
	if _, body := s.get("/"); body != "a" {
		t.Errorf("got %s", body)
	}
	delete(s.nodes.fail, "eni-2")
	s.apply()
	if !s.nodes.up["eni-2"] {
		t.Error("the node is not up")
	}
	s.spec.Nodes = s.spec.Nodes[:1]
	s.apply()
	if s.nodes.up["eni-2"] {
		t.Error("the node is up")
	}
	if err := s.plane.Remove(context.Background(), "balancer"); err != nil || len(s.nodes.up) != 0 {
		t.Errorf("removed: %v, up: %v", err, s.nodes.up)
	}
	if err := s.plane.Remove(context.Background(), "balancer"); err != nil {
		t.Errorf("removed again: %v", err)
	}
}

// TestNodesThatDoNotGoDown are taken down by the next Apply or Remove, and one that is
// wanted again is not.
func TestNodesThatDoNotGoDown(t *testing.T) {
	s := newStand(t)
	broken := errors.New("busy")
	both := append(s.spec.Nodes, Node{ID: "eni-2", Zone: "b", Addr: netip.MustParseAddr("127.0.0.2")})
	one := both[:1]
	apply := func(nodes []Node, fails, up bool) {
		t.Helper()
		s.spec.Nodes = nodes
		if err := s.plane.Apply(t.Context(), s.spec); fails != errors.Is(err, broken) {
			t.Errorf("apply: %v", err)
		}
		if s.nodes.up["eni-2"] != up {
			t.Errorf("the node is up: %v", !up)
		}
	}
	apply(both, false, true)
	s.nodes.fail["eni-2"] = broken
	apply(one, true, true)
	apply(one, true, true)
	delete(s.nodes.fail, "eni-2")
	apply(one, false, false)
	apply(both, false, true)
	s.nodes.fail["eni-2"] = broken
	apply(one, true, true)
	delete(s.nodes.fail, "eni-2")
	apply(both, false, true)
	s.nodes.fail["eni-2"] = broken
	for range 2 {
		if err := s.plane.Remove(t.Context(), s.spec.ID); !errors.Is(err, broken) || len(s.nodes.up) != 1 {
			t.Errorf("removed: %v, up: %v", err, s.nodes.up)
		}
	}
	delete(s.nodes.fail, "eni-2")
	if err := s.plane.Remove(t.Context(), s.spec.ID); err != nil || len(s.nodes.up) != 0 || len(s.plane.lowering) != 0 {
		t.Errorf("removed: %v, up: %v, to go down: %v", err, s.nodes.up, s.plane.lowering)
	}
}
