package network

import (
	"context"
	"fmt"
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// Conn is a connection that a process in an instance made to a service of ours.
// Which instance that is follows from the listener that accepted it, so it
// cannot be forged by addresses.
type Conn struct {
	*net.TCPConn
	instance string
	closed   func(*Conn)
	once     sync.Once
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	c.once.Do(func() { c.closed(c) })
	return c.TCPConn.Close()
}

// InstanceID returns the instance that the connection came from.
func (c *Conn) InstanceID() string { return c.instance }

// SetHopLimit sets how many routers the answers on this connection may pass:
// 1 keeps them in the instance itself and away from containers in it.
func (c *Conn) SetHopLimit(hops int) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var setErr error
	err = raw.Control(func(fd uintptr) { setErr = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TTL, hops) })
	if err == nil {
		err = setErr
	}
	if err != nil {
		return fmt.Errorf("set hop limit: %w", err)
	}
	return nil
}

type connKey struct{}

// WithConn notes in ctx which connection a request came by; it has the form of
// http.Server.ConnContext. Wrappers of the connection, such as tls.Conn, are
// seen through if they have a method NetConn.
func WithConn(ctx context.Context, c net.Conn) context.Context {
	if inner := unwrap(c); inner != nil {
		return context.WithValue(ctx, connKey{}, inner)
	}
	return ctx
}

func unwrap(c net.Conn) *Conn {
	for {
		if inner, ok := c.(*Conn); ok {
			return inner
		}
		wrapper, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		c = wrapper.NetConn()
	}
}

// ConnFrom returns the instance's connection that the request of ctx came by,
// or nil if it did not come from an instance.
func ConnFrom(ctx context.Context) *Conn {
	c, _ := ctx.Value(connKey{}).(*Conn)
	return c
}

// InstanceFrom returns the instance that the request of ctx came from.
func InstanceFrom(ctx context.Context) (id string, ok bool) {
	c := ConnFrom(ctx)
	if c == nil {
		return "", false
	}
	return c.instance, true
}

// maxConns bounds the connections that an instance may have open to one listener.
// Each takes a descriptor of the daemon's and perhaps a request body of memory;
// without a bound one instance could take them all, and the API with them.
const maxConns = 512

// instanceListener gives connections the identity of the instance and knows
// those that are open: they hold the instance's namespace and must not outlive
// the instance. One more than maxConns is closed at once.
type instanceListener struct {
	net.Listener
	instance string

	mu    sync.Mutex
	conns map[*Conn]struct{} // nil after Close
}

// Identify returns l with every connection marked as coming from the instance.
// l must be a TCP listener that only the instance can reach.
func Identify(l net.Listener, instance string) net.Listener { return newInstanceListener(l, instance) }

func newInstanceListener(l net.Listener, instance string) *instanceListener {
	return &instanceListener{Listener: l, instance: instance, conns: map[*Conn]struct{}{}}
}

// Accept implements net.Listener.
func (l *instanceListener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &Conn{TCPConn: accepted.(*net.TCPConn), instance: l.instance, closed: l.forget}
		taken, open := l.remember(c)
		if taken {
			return c, nil
		}
		accepted.Close()
		if !open {
			return nil, net.ErrClosed
		}
	}
}

// remember takes c among the open connections, if there is room and the listener
// is open.
func (l *instanceListener) remember(c *Conn) (taken, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == nil {
		return false, false
	}
	if len(l.conns) >= maxConns {
		return false, true
	}
	l.conns[c] = struct{}{}
	return true, true
}

func (l *instanceListener) forget(c *Conn) {
	l.mu.Lock()
	delete(l.conns, c)
	l.mu.Unlock()
}

// Close stops accepting and closes every connection that is still open.
func (l *instanceListener) Close() error {
	err := l.Listener.Close()
	l.mu.Lock()
	conns := l.conns
	l.conns = nil
	l.mu.Unlock()
	for c := range conns {
		c.Close()
	}
	return err
}
