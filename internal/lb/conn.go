package lb

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// frontConn is the connection of a client, decrypted where the listener terminates
// TLS.
type frontConn struct {
	net.Conn
	raw   net.Conn // below TLS, nil without it
	node  *node
	port  uint16
	tls   *tls.ConnectionState
	since time.Time

	closing sync.Once
	// line replaces the status line of the next answer; see Write.
	line atomic.Pointer[string]
}

type frontKey struct{}

// frontOf returns the connection that a request came on.
func frontOf(ctx context.Context) *frontConn {
	c, _ := ctx.Value(frontKey{}).(*frontConn)
	return c
}

// client is the address of the other end.
func (c *frontConn) client() netip.AddrPort { return addrPort(c.RemoteAddr()) }

func addrPort(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.TCPAddr:
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	case *net.UDPAddr:
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// Close closes the connection and everything below it, once.
func (c *frontConn) Close() (err error) {
	c.closing.Do(func() {
		err = c.Conn.Close()
		bottom := c.Conn
		if c.raw != nil {
			bottom = c.raw
		}
		c.node.drop(bottom)
	})
	return err
}

// CloseWrite tells the client that nothing more comes.
func (c *frontConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Write gives answers AWS's form where net/http has one of its own: the status line
// of an answer whose reason phrase is not the usual one, and the answers to requests
// that cannot be parsed, which never reach a handler. Both stand at the start of what
// the server writes.
func (c *frontConn) Write(p []byte) (int, error) {
	if c.line.Load() != nil {
		if line := c.line.Swap(nil); line != nil {
			if _, rest, ok := bytes.Cut(p, []byte("\r\n")); ok && bytes.HasPrefix(p, []byte("HTTP/1.1 ")) {
				return c.replace(p, append([]byte(*line+"\r\n"), rest...))
			}
		}
	}
	if answer := ownAnswer(p, c.node.balancer.kind()); answer != nil {
		return c.replace(p, answer)
	}
	return c.Conn.Write(p)
}

// replace writes other bytes than it was asked to.
func (c *frontConn) replace(asked, instead []byte) (int, error) {
	if _, err := c.Conn.Write(instead); err != nil {
		return 0, err
	}
	return len(asked), nil
}

// cannedTail ends the head of answers that net/http gives without a handler.
var cannedTail = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

// ownAnswer returns what to send instead of net/http's answer to a request that it
// refuses, or nil when p is none.
func ownAnswer(p []byte, k Kind) []byte {
	if len(p) > 256 || !bytes.HasPrefix(p, []byte("HTTP/1.1 ")) {
		return nil
	}
	head, _, ok := bytes.Cut(p, cannedTail)
	if !ok || bytes.Contains(head, []byte("\r\n")) { // or these are a target's words
		return nil
	}
	status := 400
	if bytes.HasPrefix(head, []byte("HTTP/1.1 501")) {
		status = 501
	}
	return rawAnswer(k, status)
}

// backConn is a connection to a target. Silence in both directions for the balancer's
// idle time-out ends it, as a read that takes too long.
type backConn struct {
	net.Conn
	idle time.Duration
	// extended is when the deadline was set last, in Unix nanoseconds.
	extended atomic.Int64
}

// extend moves the deadline, unless that was done a moment ago: a timer for each read
// and write costs more than a time-out that is a sixteenth shorter.
func (c *backConn) extend() {
	now := time.Now()
	if last := c.extended.Load(); now.UnixNano()-last < int64(c.idle/16) {
		return
	}
	c.extended.Store(now.UnixNano())
	c.SetReadDeadline(now.Add(c.idle)) //nolint:errcheck // the read fails then, too
}

func (c *backConn) Read(p []byte) (int, error) {
	c.extend()
	return c.Conn.Read(p)
}

func (c *backConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.extend()
	return n, err
}

// CloseWrite tells the target that nothing more comes.
func (c *backConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
