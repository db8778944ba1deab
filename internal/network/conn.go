package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"
)

// Conn is a connection that a process in an instance made to a service of ours.
// Which instance that is follows from the namespace of the listener and, in a
// VPC's namespace, from the source address, which the VPC lets nobody forge.
type Conn struct {
	*net.TCPConn
	from *caller
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	c.from.forget(c)
	return c.TCPConn.Close()
}

// InstanceID returns the instance that the connection came from.
func (c *Conn) InstanceID() string { return c.from.instance }

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
	return c.InstanceID(), true
}

// Bounds on what one instance can take of the daemon. Each connection takes a
// descriptor and perhaps a request body of memory, each question that waits for
// the host's resolvers a socket; without bounds one instance could take them
// all, and the API with them.
const (
	maxConns    = 512
	maxForwards = 64
)

// caller is an instance that may connect, and the connections that it has open
// to all services: they must not outlive it, as its address will be another's.
type caller struct {
	instance string
	forwards chan struct{} // holds one for each question that waits

	mu    sync.Mutex
	conns map[*Conn]struct{} // nil after close
}

func newCaller(instance string) *caller {
	return &caller{instance: instance, forwards: make(chan struct{}, maxForwards), conns: map[*Conn]struct{}{}}
}

// admit makes a connection the caller's. ok is false after close and when there
// are maxConns already.
func (c *caller) admit(accepted *net.TCPConn) (conn *Conn, ok bool) {
	conn = &Conn{TCPConn: accepted, from: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conns == nil || len(c.conns) >= maxConns {
		return nil, false
	}
	c.conns[conn] = struct{}{}
	return conn, true
}

func (c *caller) forget(conn *Conn) {
	c.mu.Lock()
	delete(c.conns, conn)
	c.mu.Unlock()
}

// close ends the open connections and admits no others.
func (c *caller) close() {
	c.mu.Lock()
	conns := c.conns
	c.conns = nil
	c.mu.Unlock()
	for conn := range conns {
		conn.Close()
	}
}

// listener accepts connections of instances only. at returns who has an
// address, or nil.
type listener struct {
	net.Listener
	at func(netip.Addr) *caller
}

// Identify returns l with every connection marked as coming from the instance.
// l must be a TCP listener that only the instance can reach.
func Identify(l net.Listener, instance string) net.Listener {
	return ofCaller(l, newCaller(instance))
}

func ofCaller(l net.Listener, c *caller) *listener {
	return &listener{Listener: l, at: func(netip.Addr) *caller { return c }}
}

// Accept implements net.Listener. Connections of nobody, and those beyond an
// instance's bound, are closed at once.
func (l *listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		stream, ok := accepted.(*net.TCPConn)
		if !ok {
			return nil, errors.Join(fmt.Errorf("accepted a %T", accepted), accepted.Close())
		}
		if from := l.at(addressOf(stream.RemoteAddr())); from != nil {
			if conn, ok := from.admit(stream); ok {
				return conn, nil
			}
		}
		stream.Close()
	}
}

// addressOf returns the IP address of a peer.
func addressOf(peer net.Addr) netip.Addr {
	var at netip.AddrPort
	switch peer := peer.(type) {
	case *net.TCPAddr:
		at = peer.AddrPort()
	case *net.UDPAddr:
		at = peer.AddrPort()
	}
	return at.Addr().Unmap()
}
