package lb

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

// lines is a TCP target, or one over TLS, that greets with a name and echoes lines.
func lines(t testing.TB, name string, over *tls.Config) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if over != nil {
		l = tls.NewListener(l, over)
	}
	var running sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			running.Go(func() {
				defer c.Close()
				fmt.Fprintln(c, name)
				io.Copy(c, c) //nolint:errcheck // the client tells
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return l
}

// network makes the stand's balancer a network one.
func (s *stand) network(listener, group string) {
	s.spec.Kind, s.spec.Listeners[0].Protocol, s.spec.Groups[0].Protocol = Network, listener, group
	s.spec.Groups[0].Check.Protocol, s.spec.Groups[0].Check.Interval = TCP, 50*time.Millisecond
}

// dial connects to the first listener.
func (s *stand) dial() (net.Conn, *bufio.Reader) {
	s.t.Helper()
	c, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", s.spec.Listeners[0].Port))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second)) //nolint:errcheck // reads tell
	return c, bufio.NewReader(c)
}

func line(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	text, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(text)
}

func TestStreams(t *testing.T) {
	s := newStand(t)
	s.network(TCP, TCP)
	k := s.add("i-a", &httptest.Server{Listener: lines(t, "a", nil)})
	s.apply()
	s.await(k, Healthy)
	c, r := s.dial()
	if got := line(t, r); got != "a" {
		t.Fatalf("greeted by %s", got)
	}
	fmt.Fprintln(c, "hello")
	if got := line(t, r); got != "hello" {
		t.Errorf("echo %s", got)
	}
	c.(*net.TCPConn).CloseWrite() //nolint:errcheck // the read tells
	if rest, err := io.ReadAll(r); err != nil || len(rest) != 0 {
		t.Errorf("after the end: %q, %v", rest, err)
	}
}

// TestStreamsOutliveTheirSpec: draining and changes elsewhere break no connection; the
// target's end does.
func TestStreamsOutliveTheirSpec(t *testing.T) {
	s := newStand(t)
	s.network(TCP, TCP)
	k := s.add("i-a", &httptest.Server{Listener: lines(t, "a", nil)})
	s.apply()
	s.await(k, Healthy)
	c, r := s.dial()
	line(t, r)
	s.spec.Groups[0].Targets[0].Draining = true
	s.spec.Listeners = append(s.spec.Listeners, Listener{ID: "more", Protocol: TCP, Port: freePort(t), Default: forwardTo("group")})
	s.apply()
	fmt.Fprintln(c, "still here")
	if got := line(t, r); got != "still here" {
		t.Errorf("echo %s", got)
	}
	if _, other := s.dial(); true {
		if text, err := other.ReadString('\n'); err == nil {
			t.Errorf("a draining target greets %s", text)
		}
	}
	if !s.plane.Busy("balancer", "i-a") {
		t.Error("the target is not busy")
	}
	s.spec.Groups[0].Targets = nil
	s.apply()
	var timeout net.Error
	if text, err := r.ReadString('\n'); err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("a target that has left says %s, %v", text, err)
	}
}

// TestStreamsOutliveTheirTarget: where the group says so, what a target carries lives on
// without it, and ends with the balancer.
func TestStreamsOutliveTheirTarget(t *testing.T) {
	s := newStand(t)
	s.network(TCP, TCP)
	s.spec.Groups[0].KeepDeregistered = true
	k := s.add("i-a", &httptest.Server{Listener: lines(t, "a", nil)})
	s.apply()
	s.await(k, Healthy)
	c, r := s.dial()
	line(t, r)
	s.spec.Groups[0].Targets = nil
	s.apply()
	fmt.Fprintln(c, "still here")
	if got := line(t, r); got != "still here" {
		t.Errorf("echo %s", got)
	}
	if _, other := s.dial(); true {
		if text, err := other.ReadString('\n'); err == nil {
			t.Errorf("a target that has left greets %s", text)
		}
	}
	if err := s.plane.Remove(t.Context(), s.spec.ID); err != nil {
		t.Fatal(err)
	}
	if text, err := r.ReadString('\n'); err == nil {
		t.Errorf("a balancer that was removed says %s", text)
	}
}

// TestRequestsWhileNodesComeUp are answered by the nodes that are up.
func TestRequestsWhileNodesComeUp(t *testing.T) {
	s := newStand(t)
	s.apply()
	s.spec.Groups = append(s.spec.Groups, TargetGroup{ID: "new", Protocol: HTTP, CrossZone: true, Algorithm: roundRobin, Check: s.spec.Groups[0].Check})
	s.spec.Listeners[0].Default = forwardTo("new")
	s.spec.Nodes = append(s.spec.Nodes, Node{ID: "eni-2", Zone: "b", Addr: netip.MustParseAddr("127.0.0.2")})
	s.nodes.coming = func(id string) {
		if id != "eni-2" {
			return
		}
		if answer, _ := s.get("/"); answer.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("answered %s", answer.Status)
		}
	}
	s.apply()
}

// TestIdleIsTold: when a draining target has nothing under way any more.
func TestIdleIsTold(t *testing.T) {
	s := newStand(t)
	s.network(TCP, TCP)
	k := s.add("i-a", &httptest.Server{Listener: lines(t, "a", nil)})
	s.apply()
	s.await(k, Healthy)
	c, r := s.dial()
	line(t, r)
	s.spec.Groups[0].Targets[0].Draining = true
	s.apply()
	c.Close()
	for change := range s.changes {
		if change.Idle {
			if change.Target != k {
				t.Errorf("told of %v", change.Target)
			}
			break
		}
	}
	if s.plane.Busy("balancer", "i-a") {
		t.Error("the target is busy")
	}
}

// TestSilentStreams: silence of both sides ends a stream; talk of one keeps it.
func TestSilentStreams(t *testing.T) {
	s := newStand(t)
	s.network(TCP, TCP)
	s.spec.Listeners[0].IdleTimeout = 100 * time.Millisecond
	k := s.add("i-a", &httptest.Server{Listener: lines(t, "a", nil)})
	s.apply()
	s.await(k, Healthy)
	_, r := s.dial()
	line(t, r)
	begun := time.Now()
	if _, err := r.ReadByte(); err == nil || time.Since(begun) > 5*time.Second {
		t.Errorf("ended after %v with %v", time.Since(begun), err)
	}
}

// TestTalkOfOneSideKeepsStreams, be it slow, and the other side said nothing at all.
func TestTalkOfOneSideKeepsStreams(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	defer running.Wait()
	defer l.Close()
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				for range 40 { // four times as long as a stream may be silent
					if _, err := io.WriteString(c, "x"); err != nil {
						return
					}
					<-time.After(20 * time.Millisecond)
				}
				io.WriteString(c, "\n") //nolint:errcheck // the client tells
			})
		}
	})
	s := newStand(t)
	s.network(TCP, TCP)
	s.spec.Listeners[0].IdleTimeout = 200 * time.Millisecond
	k := s.add("i-a", &httptest.Server{Listener: l})
	s.apply()
	s.await(k, Healthy)
	_, r := s.dial()
	if got := line(t, r); len(got) != 40 {
		t.Errorf("got %q", got)
	}
}

// TestStreamsThatNobodyReads end, though their clients have said that they are done.
func TestStreamsThatNobodyReads(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	defer running.Wait()
	defer l.Close()
	ended := make(chan struct{}, 100)
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				page := make([]byte, 64<<10)
				for err == nil {
					_, err = c.Write(page)
				}
				ended <- struct{}{}
			})
		}
	})
	s := newStand(t)
	s.network(TCP, TCP)
	s.spec.Listeners[0].IdleTimeout = 200 * time.Millisecond
	s.spec.Groups[0].Check.Disabled = true
	k := s.add("i-a", &httptest.Server{Listener: l})
	s.apply()
	s.await(k, Healthy)
	c, _ := s.dial()
	c.(*net.TCPConn).CloseWrite() //nolint:errcheck // the target tells
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the stream lives on")
	}
}

// TestUnhealthyTargetsLoseTheirStreams: on network balancers, unless they keep them.
func TestUnhealthyTargetsLoseTheirStreams(t *testing.T) {
	for _, keep := range []bool{false, true} {
		s := newStand(t)
		s.network(TCP, TCP)
		health := serve(t, func(http.ResponseWriter, *http.Request) {})
		s.spec.Groups[0].KeepUnhealthy = keep
		s.spec.Groups[0].Check.Port = addrPort(health.Listener.Addr()).Port()
		k := s.add("i-a", &httptest.Server{Listener: lines(t, "a", nil)})
		s.apply()
		s.await(k, Healthy)
		c, r := s.dial()
		line(t, r)
		health.Close()
		s.await(k, Unhealthy)
		fmt.Fprintln(c, "hello")
		text, err := r.ReadString('\n')
		if kept := err == nil && text == "hello\n"; kept != keep {
			t.Errorf("kept %v: %q, %v", keep, text, err)
		}
	}
}

func TestProxyProtocol(t *testing.T) {
	for _, version := range []int{1, 2} {
		s := newStand(t)
		s.network(TCP, TCP)
		s.spec.Groups[0].ProxyProtocol = version
		k := s.add("i-a", &httptest.Server{Listener: lines(t, "a", nil)})
		s.apply()
		s.await(k, Healthy)
		c, r := s.dial()
		line(t, r)
		from, to := addrPort(c.LocalAddr()), addrPort(c.RemoteAddr())
		if version == 1 {
			want := fmt.Sprintf("PROXY TCP4 127.0.0.1 127.0.0.1 %d %d", from.Port(), to.Port())
			if got := line(t, r); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			continue
		}
		header := make([]byte, 28)
		if _, err := io.ReadFull(r, header); err != nil {
			t.Fatal(err)
		}
		want := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x01" +
			string([]byte{byte(from.Port() >> 8), byte(from.Port()), byte(to.Port() >> 8), byte(to.Port())})
		if string(header) != want {
			t.Errorf("got %q, want %q", header, want)
		}
	}
}

func TestStickyBySource(t *testing.T) {
	s := newStand(t)
	s.network(TCP, TCP)
	s.spec.Groups[0].Stickiness.Type = "source_ip"
	for _, name := range []string{"a", "b", "c"} {
		s.add("i-"+name, &httptest.Server{Listener: lines(t, name, nil)})
	}
	s.apply()
	for _, target := range s.spec.Groups[0].Targets {
		s.await(target.Key(), Healthy)
	}
	seen := map[string]bool{}
	for range 6 {
		_, r := s.dial()
		seen[line(t, r)] = true
	}
	if len(seen) != 1 {
		t.Errorf("one source came to %v", seen)
	}
}

// answering is a UDP target that answers what it gets.
func answering(t testing.TB) net.PacketConn {
	target, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	t.Cleanup(func() { target.Close() })
	running.Go(func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := target.ReadFrom(buffer)
			if err != nil {
				return
			}
			target.WriteTo(append([]byte("re: "), buffer[:n]...), from) //nolint:errcheck // the client tells
		}
	})
	return target
}

// datagrams is a client of the stand's group of one UDP target.
func (s *stand) datagrams(target net.PacketConn) net.Conn {
	s.t.Helper()
	s.network(UDP, UDP)
	s.spec.Groups[0].Check.Disabled = true
	at := addrPort(target.LocalAddr())
	s.spec.Groups[0].Targets = []Target{{TargetID: "i-a", Port: at.Port(), Addr: at.Addr()}}
	s.apply()
	s.await(Key{"i-a", at.Port()}, Healthy)
	c, err := net.Dial("udp4", fmt.Sprintf("127.0.0.1:%d", s.spec.Listeners[0].Port))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second)) //nolint:errcheck // the read tells
	return c
}

// told sends a datagram and wants its answer.
func told(t *testing.T, c net.Conn, text string) {
	t.Helper()
	io.WriteString(c, text) //nolint:errcheck // the read tells
	buffer := make([]byte, 1500)
	n, err := c.Read(buffer)
	if err != nil || string(buffer[:n]) != "re: "+text {
		t.Errorf("got %q, %v", buffer[:n], err)
	}
}

func TestDatagrams(t *testing.T) {
	c := newStand(t).datagrams(answering(t))
	told(t, c, "one")
	told(t, c, "two")
}

// TestDatagramsOutliveTheirTarget: flows stay or go as the group says. What a client
// whose flow has gone sends is lost: there is no target.
func TestDatagramsOutliveTheirTarget(t *testing.T) {
	for _, keep := range []bool{true, false} {
		t.Run(fmt.Sprint("keep ", keep), func(t *testing.T) {
			s := newStand(t)
			s.spec.Groups[0].KeepDeregistered = keep
			c := s.datagrams(answering(t))
			told(t, c, "one")
			s.spec.Groups[0].Targets = nil
			s.apply()
			if keep {
				told(t, c, "two")
				return
			}
			for tries := range 100 { // the flow ends a moment after the spec
				c.SetDeadline(time.Now().Add(100 * time.Millisecond)) //nolint:errcheck // the read tells
				io.WriteString(c, "two")                              //nolint:errcheck // the read tells
				if _, err := c.Read(make([]byte, 10)); err != nil {
					return
				}
				if tries == 99 {
					t.Error("a target that has left still answers")
				}
			}
		})
	}
}

// TestUpgrades: a websocket is a stream once the target has agreed.
func TestUpgrades(t *testing.T) {
	s := newStand(t)
	k := s.add("i-a", serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" {
			return
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n") //nolint:errcheck // the client tells
		io.Copy(c, rw)                                                                                             //nolint:errcheck // the client tells
	}))
	s.apply()
	s.await(k, Healthy)
	c, r := s.dial()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n") //nolint:errcheck // the read tells
	answer, err := http.ReadResponse(r, nil)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", answer, err)
	}
	fmt.Fprintln(c, "frame")
	if got := line(t, r); got != "frame" {
		t.Errorf("echo %q", got)
	}
}

// TestRequestsOutliveDraining: what is under way ends well, and removal cuts it off.
func TestRequestsOutliveDraining(t *testing.T) {
	for _, remove := range []bool{false, true} {
		began, release := make(chan struct{}), make(chan struct{})
		s := newStand(t)
		k := s.add("i-a", serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/long" {
				return
			}
			close(began)
			select {
			case <-release:
			case <-r.Context().Done():
			}
			io.WriteString(w, "done") //nolint:errcheck // the client tells
		}))
		s.apply()
		s.await(k, Healthy)
		answers := make(chan int, 1)
		go func() {
			answer, _ := s.get("/long")
			answers <- answer.StatusCode
		}()
		<-began
		s.spec.Groups[0].Targets[0].Draining = true
		s.apply()
		if answer, _ := s.get("/"); answer.StatusCode != 503 {
			t.Errorf("a draining target is asked: %d", answer.StatusCode)
		}
		want := 200
		if remove {
			want = 502
			s.spec.Groups[0].Targets = nil
			s.apply()
		}
		close(release)
		if got := <-answers; got != want && !remove || remove && got != want && got != 200 {
			t.Errorf("removed %v: %d", remove, got)
		}
	}
}

// TestCloseLetsRequestsEnd: what is under way ends well, though nothing new is taken, and
// what does not end in time is cut.
func TestCloseLetsRequestsEnd(t *testing.T) {
	for _, c := range []struct {
		name         string
		ends, before bool // before: the balancer has got another server meanwhile
	}{{"ends", true, false}, {"ends on the server before", true, true}, {"does not end", false, false}, {"does not end on the server before", false, true}} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t)
			now := clock.NewManual(time.Now())
			began, release := make(chan struct{}), make(chan struct{})
			k := s.add("i-a", serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/long" {
					return
				}
				close(began)
				select {
				case <-release:
				case <-r.Context().Done():
				}
				io.WriteString(w, "done") //nolint:errcheck // the client tells
			}))
			s.apply()
			s.await(k, Healthy)
			s.plane.cfg.Clock = now
			conn, r := s.dial()
			fmt.Fprint(conn, "GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
			<-began
			if c.before {
				s.spec.Attributes.IdleTimeout = time.Minute + time.Second
				s.apply()
			}
			closed := make(chan error)
			go func() { closed <- s.plane.Close() }()
			if err := now.BlockUntil(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			for { // until nobody listens
				more, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", s.spec.Listeners[0].Port))
				if err != nil {
					break
				}
				more.Close()
			}
			if !c.ends {
				now.Advance(grace)
			} else {
				close(release)
			}
			answer, err := http.ReadResponse(r, nil)
			switch {
			case !c.ends && err == nil && answer.StatusCode == http.StatusOK:
				t.Error("a request that takes too long was answered")
			case c.ends && err != nil:
				t.Error(err)
			case c.ends:
				if body, _ := io.ReadAll(answer.Body); string(body) != "done" || !answer.Close {
					t.Errorf("got %q, to be closed: %v", body, answer.Close)
				}
			}
			if err := <-closed; err != nil {
				t.Error(err)
			}
			if err := s.plane.Apply(t.Context(), s.spec); !errors.Is(err, ErrClosed) {
				t.Errorf("apply: %v", err)
			}
		})
	}
}

// TestApplyKeepsConnections: a client's connection outlives new specs, time-outs and
// all, and follows the rules as they are.
func TestApplyKeepsConnections(t *testing.T) {
	s := newStand(t)
	k := s.add("i-a", named(t, "a"))
	s.apply()
	s.await(k, Healthy)
	c, r := s.dial()
	ask := func() string {
		t.Helper()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n") //nolint:errcheck // the read tells
		answer, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	if got := ask(); got != "a" {
		t.Errorf("got %s", got)
	}
	s.spec.Listeners[0].Default = []Action{{Fixed: &FixedResponse{Status: 200, Body: "fixed"}}}
	s.apply()
	if got := ask(); got != "fixed" {
		t.Errorf("got %s", got)
	}
	s.spec.Listeners[0].Port = freePort(t)
	s.apply()
	if _, err := net.Dial("tcp4", c.RemoteAddr().String()); err == nil {
		t.Error("the old port is open")
	}
	if got := ask(); got != nginxPage("503 Service Temporarily Unavailable") {
		t.Errorf("the listener is gone and answers %s", got)
	}
}

// TestTLSStreams: a TLS listener ends TLS, and speaks it to targets where they want it.
func TestTLSStreams(t *testing.T) {
	for _, group := range []string{TCP, TLS} {
		t.Run(group, func(t *testing.T) {
			s := newStand(t)
			s.network(TLS, group)
			s.spec.Listeners[0].Certificates = []tls.Certificate{certificate(t, "a.example")}
			s.spec.Listeners[0].ALPN = "HTTP2Preferred"
			target := lines(t, "a", nil)
			if group == TLS {
				target = lines(t, "a", &tls.Config{Certificates: []tls.Certificate{certificate(t, "target")}, MinVersion: tls.VersionTLS12})
			}
			k := s.add("i-a", &httptest.Server{Listener: target})
			s.apply()
			s.await(k, Healthy)
			at := fmt.Sprintf("127.0.0.1:%d", s.spec.Listeners[0].Port)
			c, err := tls.Dial("tcp4", at, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) //nolint:gosec // self-signed
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if got := c.ConnectionState(); got.NegotiatedProtocol != "h2" || got.PeerCertificates[0].DNSNames[0] != "a.example" {
				t.Errorf("state %+v", got)
			}
			if got := line(t, bufio.NewReader(c)); got != "a" {
				t.Errorf("greeted by %s", got)
			}
		})
	}
}
