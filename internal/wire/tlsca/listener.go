package tlsca

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

// How long a connection may say nothing, at first and after an answer.
const (
	firstByteTimeout = 30 * time.Second
	idleTimeout      = 5 * time.Minute
)

// tlsHandshake is the first byte of every TLS connection and of no HTTP request.
const tlsHandshake = 0x16

// Listener accepts both http and https.
type Listener struct {
	net.Listener
	clock  clock.Clock
	config *tls.Config
	conns  chan net.Conn
	done   chan struct{}
	once   sync.Once
	err    error // why the inner listener ended; set before done is closed
	wg     sync.WaitGroup

	mu      sync.Mutex
	pending map[net.Conn]struct{} // connections whose first byte has not come
}

// Listen wraps inner. Connections that begin with a TLS handshake come out of
// Accept as *tls.Conn, so that net/http knows them; the others as they are.
func (ca *CA) Listen(inner net.Listener) *Listener {
	l := &Listener{Listener: inner, clock: ca.clock, config: ca.TLSConfig(), conns: make(chan net.Conn), done: make(chan struct{}),
		pending: map[net.Conn]struct{}{}}
	l.wg.Add(1)
	go l.run()
	return l
}

func (l *Listener) run() {
	defer l.wg.Done()
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			if exhausted(err) && l.pause() {
				continue
			}
			l.stop(err)
			return
		}
		if !l.watch(conn) {
			conn.Close()
			continue
		}
		go l.sniff(conn)
	}
}

// exhausted reports that the process is out of descriptors or memory for now.
func exhausted(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return errors.Is(err, syscall.ECONNABORTED)
}

// pause waits for some connections to close; false when the listener has.
func (l *Listener) pause() bool {
	select {
	case <-l.clock.After(50 * time.Millisecond):
		return true
	case <-l.done:
		return false
	}
}

// watch notes conn, whose goroutine Close waits for, so that Close can end its wait;
// false once closed.
func (l *Listener) watch(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending == nil {
		return false
	}
	l.wg.Add(1)
	l.pending[conn] = struct{}{}
	return true
}

// sniff waits for the first byte in a goroutine of its own: a silent client must
// not keep others from being accepted.
func (l *Listener) sniff(raw net.Conn) {
	defer l.wg.Done()
	first, ok := l.peek(raw, firstByteTimeout)
	if !ok {
		return
	}
	conn := net.Conn(&peeked{Conn: raw, l: l, first: first})
	if first[0] == tlsHandshake {
		conn = tls.Server(conn, l.config)
	}
	l.hand(conn)
}

// peek returns what the client says first; it closes a connection that is watched and
// says nothing for so long.
func (l *Listener) peek(raw net.Conn, limit time.Duration) (first []byte, ok bool) {
	err := raw.SetReadDeadline(l.clock.Now().Add(limit))
	first = make([]byte, peekSize)
	n := 0
	for err == nil && n == 0 {
		n, err = raw.Read(first)
	}
	if n > 0 {
		err = nil // what has come is served; the next read says it again
	}
	l.mu.Lock()
	delete(l.pending, raw)
	l.mu.Unlock()
	if err == nil {
		err = raw.SetReadDeadline(time.Time{})
	}
	if err != nil {
		raw.Close()
		return nil, false
	}
	return first[:n], true
}

// hand gives conn to whoever accepts.
func (l *Listener) hand(conn net.Conn) {
	select {
	case l.conns <- conn:
	case <-l.done:
		conn.Close()
	}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, l.err
	}
}

// Close ends accepting and waits for the goroutines. Accepted connections live
// on.
func (l *Listener) Close() error {
	err := l.Listener.Close()
	l.stop(net.ErrClosed)
	l.wg.Wait()
	return err
}

func (l *Listener) stop(err error) {
	l.once.Do(func() {
		l.err = err
		close(l.done)
		l.mu.Lock()
		defer l.mu.Unlock()
		for c := range l.pending {
			c.Close()
		}
		l.pending = nil
	})
}

// peekSize is what a connection's first read takes; most requests are smaller.
const peekSize = 2048

// peeked reads the first bytes again. It forgets them then: thousands of
// connections may be open for long.
type peeked struct {
	net.Conn
	l     *Listener
	first []byte
}

func (p *peeked) Read(b []byte) (int, error) {
	if len(p.first) == 0 {
		return p.Conn.Read(b)
	}
	n := copy(b, p.first)
	if p.first = p.first[n:]; len(p.first) == 0 {
		p.first = nil
	}
	return n, nil
}

// Resume has the connection accepted again when the client goes on: a server reads the
// bytes given first and then what comes. It was taken from a server, which has answered
// all that was asked.
func (p *peeked) Resume(first []byte) {
	if len(first) == 0 {
		if !p.l.watch(p.Conn) {
			p.Conn.Close()
			return
		}
		defer p.l.wg.Done()
		var ok bool
		if first, ok = p.l.peek(p.Conn, idleTimeout); !ok {
			return
		}
	}
	p.first = first
	p.l.hand(p)
}

// ReadFrom hands r to the connection below, which sends a file without copying it
// through this process.
func (p *peeked) ReadFrom(r io.Reader) (int64, error) { return io.Copy(p.Conn, r) }

// NetConn returns the connection below, from which its origin can be told.
func (p *peeked) NetConn() net.Conn { return p.Conn }
