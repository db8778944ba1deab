package lb

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// stream is a connection carried byte by byte.
type stream struct {
	front *frontConn
	back  net.Conn
	idle  time.Duration
	// moved is when bytes of either direction were seen to move last, in Unix
	// nanoseconds: silence is of both.
	moved atomic.Int64
	watch *time.Timer
	once  sync.Once
}

// chunk is how many bytes are moved before it is said that they were.
const chunk = 256 << 10

// carry connects the client with a target and moves bytes until one of them, or the
// balancer, has had enough.
func (n *node) carry(front *frontConn, l *listener) {
	defer front.Close()
	t, spec := n.streamTarget(front, l)
	if t == nil {
		return
	}
	back, err := n.connect(front, t, spec)
	if err != nil {
		return
	}
	defer back.Close()
	s := &stream{front: front, back: back, idle: n.flowIdle(l)}
	if !t.hold(s) {
		return
	}
	defer t.let(s)
	s.run()
}

// streamTarget chooses a target for a connection. Without one the connection is
// closed, as AWS's balancers do.
func (n *node) streamTarget(front *frontConn, l *listener) (*target, TargetGroup) {
	cfg := n.balancer.current.Load()
	f := l.Default[0].Forward
	if f == nil {
		return nil, TargetGroup{}
	}
	g := cfg.groups[byWeight(f.Groups)]
	if g == nil || g.chosen.Load() == nil {
		return nil, TargetGroup{}
	}
	return g.pickFlow(n, front.client()), g.chosen.Load().spec
}

// pickFlow chooses by the client's address when the group is sticky by it, else by
// the algorithm.
func (g *group) pickFlow(n *node, client netip.AddrPort) *target {
	c := g.chosen.Load()
	from := c.all
	if c.zones != nil {
		from = c.zones[n.Zone]
	}
	if len(from) == 0 || c.spec.Stickiness.Type == "" {
		return g.choose(c.spec, from)
	}
	h := fnv.New64a()
	b := client.Addr().As16()
	h.Write(b[:]) //nolint:errcheck // never fails
	return from[h.Sum64()%uint64(len(from))]
}

func (n *node) flowIdle(l *listener) time.Duration {
	cfg := n.balancer.current.Load()
	if cfg.Kind == Classic {
		return cfg.Attributes.IdleTimeout
	}
	if l.IdleTimeout > 0 {
		return l.IdleTimeout
	}
	return defaultFlowIdle
}

// connect opens the connection to the target, with the proxy protocol's header where
// the group wants it.
func (n *node) connect(front *frontConn, t *target, spec TargetGroup) (net.Conn, error) {
	back, err := n.dial(n.balancer.life, t.addr())
	if err != nil {
		return nil, err
	}
	if header := proxyHeader(spec.ProxyProtocol, front); header != nil {
		if _, err := back.Write(header); err != nil {
			back.Close()
			return nil, err
		}
	}
	if spec.Protocol != TLS && spec.Protocol != SSL {
		return back, nil
	}
	session := tls.Client(back, targetTLS(spec))
	ctx, cancel := context.WithTimeout(n.balancer.life, dialTimeout)
	defer cancel()
	if err := session.HandshakeContext(ctx); err != nil {
		back.Close()
		return nil, err
	}
	return session, nil
}

// proxyHeader says who the client is: version 1 is a line of text, version 2 binary.
func proxyHeader(version int, front *frontConn) []byte {
	from, to := front.client(), addrPort(front.LocalAddr())
	switch version {
	case 1:
		return fmt.Appendf(nil, "PROXY TCP4 %s %s %d %d\r\n", from.Addr(), to.Addr(), from.Port(), to.Port())
	case 2:
		b := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), 0x21, 0x11, 0, 12)
		b = append(append(b, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
		return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, from.Port()), to.Port())
	}
	return nil
}

// run moves bytes both ways. Each side that ends is told to the other; when both have,
// the stream has.
func (s *stream) run() {
	s.moved.Store(time.Now().UnixNano())
	s.watch = time.AfterFunc(s.idle, s.silent)
	s.watch.Reset(s.idle) // now that silent can see it
	defer s.watch.Stop()
	var up sync.WaitGroup
	up.Go(func() { s.move(s.back, s.front) })
	s.move(s.front, s.back)
	up.Wait()
}

// tick is how late a movement may be seen.
func (s *stream) tick() time.Duration { return s.idle / 16 }

// silent ends the stream when nothing has moved, and looks again when that may be so.
func (s *stream) silent() {
	if left := s.idle + s.tick() - time.Duration(time.Now().UnixNano()-s.moved.Load()); left > 0 {
		s.watch.Reset(left)
		return
	}
	s.close()
}

// move copies until the end or an error. The kernel says how much it has moved when it
// stops only, so it is stopped at each tick.
func (s *stream) move(to, from net.Conn) {
	for {
		from.SetReadDeadline(time.Now().Add(s.tick())) //nolint:errcheck // the read fails then, too
		n, err := io.Copy(plainConn(to), io.LimitReader(plainConn(from), chunk))
		if n > 0 {
			s.moved.Store(time.Now().UnixNano())
		}
		switch {
		case err == nil && n == chunk, errors.Is(err, os.ErrDeadlineExceeded):
		case err == nil:
			closeWrite(to)
			return
		default:
			s.close()
			return
		}
	}
}

// plainConn is the connection in the form that lets the kernel move the bytes, where
// it can.
func plainConn(c net.Conn) net.Conn {
	if f, ok := c.(*frontConn); ok {
		return f.Conn
	}
	return c
}

func closeWrite(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		half.CloseWrite() //nolint:errcheck // the other side has gone
	}
}

// close ends both sides.
func (s *stream) close() {
	s.once.Do(func() {
		s.front.Close() //nolint:errcheck // ends either way
		s.back.Close()  //nolint:errcheck // ends either way
	})
}

// hold registers a stream; false says that the target has left.
func (t *target) hold(s *stream) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.life.Err() != nil {
		return false
	}
	t.streams[s] = struct{}{}
	t.begin()
	return true
}

func (t *target) let(s *stream) {
	t.mu.Lock()
	delete(t.streams, s)
	t.mu.Unlock()
	t.done()
}

// breakStreams ends what the target carries.
func (t *target) breakStreams() {
	t.mu.Lock()
	var all []*stream
	for s := range t.streams {
		all = append(all, s)
	}
	t.mu.Unlock()
	for _, s := range all {
		s.close()
	}
}
