package lb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// node is a network interface that a balancer listens on and sends from.
type node struct {
	Node
	Sockets
	balancer *balancer

	mu      sync.Mutex
	closed  bool
	sockets map[port]io.Closer
	// open are the connections of clients; they end with the node.
	open map[net.Conn]struct{}
}

// port is a port of one of the two transports.
type port struct {
	datagrams bool
	number    uint16
}

func newNode(b *balancer, spec Node, s Sockets) *node {
	return &node{Node: spec, Sockets: s, balancer: b, sockets: map[port]io.Closer{}, open: map[net.Conn]struct{}{}}
}

// listen opens the ports of c that are not open and closes those that c lacks.
// Connections that were accepted stay.
func (n *node) listen(c *config) error {
	wanted := map[port]bool{}
	for p := range c.streams {
		wanted[port{number: p}] = true
	}
	for p := range c.datagrams {
		wanted[port{datagrams: true, number: p}] = true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	var errs []error
	for p, s := range n.sockets {
		if !wanted[p] {
			errs = append(errs, s.Close())
			delete(n.sockets, p)
		}
	}
	for p := range wanted {
		if n.sockets[p] == nil {
			errs = append(errs, n.openPort(p))
		}
	}
	return errors.Join(errs...)
}

// openPort runs under n.mu.
func (n *node) openPort(p port) error {
	address := net.JoinHostPort(n.listenAddress(), strconv.Itoa(int(p.number)))
	if p.datagrams {
		c, err := n.ListenPacket("udp4", address)
		if err != nil {
			return fmt.Errorf("listen on udp port %d of %s: %w", p.number, n.ID, err)
		}
		n.sockets[p] = c
		n.balancer.running.Go(func() { newDatagrams(n, p.number, c).serve() })
		return nil
	}
	l, err := n.Listen("tcp4", address)
	if err != nil {
		return fmt.Errorf("listen on port %d of %s: %w", p.number, n.ID, err)
	}
	n.sockets[p] = l
	n.balancer.running.Go(func() { n.accept(l, p.number) })
	return nil
}

// listenAddress is the node's own address: what else is in its namespace is no
// business of clients.
func (n *node) listenAddress() string {
	if n.Addr.IsValid() {
		return n.Addr.String()
	}
	return netip.IPv4Unspecified().String()
}

// accept runs until the listener is closed.
func (n *node) accept(l net.Listener, number uint16) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Out of file descriptors, perhaps: what is open goes on.
			n.balancer.plane.cfg.Log.Warn("accept at a load balancer", "balancer", n.balancer.id, "port", number, "error", err)
			select {
			case <-time.After(acceptPause):
				continue
			case <-n.balancer.life.Done():
				return
			}
		}
		if !n.keep(c) {
			c.Close()
			return
		}
		n.balancer.running.Go(func() { n.serve(c, number) })
	}
}

// acceptPause keeps a listener that cannot accept from spinning.
const acceptPause = 50 * time.Millisecond

// serve hands a connection on by the listener's protocol as it is now.
func (n *node) serve(c net.Conn, number uint16) {
	cfg := n.balancer.current.Load()
	l := cfg.streams[number]
	if l == nil {
		n.drop(c)
		return
	}
	front := &frontConn{Conn: c, node: n, port: number, since: time.Now()}
	if l.tls != nil && !front.handshake(l.tls, cfg.Attributes.IdleTimeout) {
		front.Close()
		return
	}
	if l.Protocol != HTTP && l.Protocol != HTTPS {
		n.carry(front, l)
		return
	}
	// A server that has been replaced takes none any more.
	for !n.balancer.web.Load().take(front) {
		if n.balancer.life.Err() != nil || n.balancer.ending.Load() {
			front.Close()
			return
		}
	}
}

// keep registers a connection; false says that the node is closed.
func (n *node) keep(c net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed {
		n.open[c] = struct{}{}
	}
	return !n.closed
}

// drop closes a connection and forgets it.
func (n *node) drop(c net.Conn) error {
	n.mu.Lock()
	delete(n.open, c)
	n.mu.Unlock()
	return c.Close()
}

// deafen closes the node's sockets; connections that were accepted stay.
func (n *node) deafen() error {
	n.mu.Lock()
	sockets := n.sockets
	n.sockets = map[port]io.Closer{}
	n.mu.Unlock()
	var errs []error
	for _, s := range sockets {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// close ends the node's sockets and connections.
func (n *node) close() error {
	n.mu.Lock()
	n.closed = true
	open := n.open
	n.open = map[net.Conn]struct{}{}
	n.mu.Unlock()
	err := n.deafen()
	for c := range open {
		c.Close() // may have ended by itself
	}
	return err
}

// dial connects to a target.
func (n *node) dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	return n.DialContext(ctx, "tcp4", addr.String())
}

// handshake terminates TLS on the connection.
func (c *frontConn) handshake(cfg *tls.Config, limit time.Duration) bool {
	session := tls.Server(c.Conn, cfg)
	ctx, cancel := context.WithTimeout(c.node.balancer.life, min(limit, handshakeTimeout))
	defer cancel()
	if err := session.HandshakeContext(ctx); err != nil {
		return false
	}
	state := session.ConnectionState()
	c.raw, c.Conn, c.tls = c.Conn, session, &state
	return true
}

// handshakeTimeout ends clients that connect and say nothing.
const handshakeTimeout = 10 * time.Second
