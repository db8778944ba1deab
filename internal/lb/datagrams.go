package lb

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// datagrams carries UDP: what one client sends goes to one target until both are
// silent.
type datagrams struct {
	node *node
	port uint16
	conn net.PacketConn

	mu    sync.Mutex
	flows map[netip.AddrPort]net.Conn
}

// maxFlows bounds what strangers can make the balancer remember.
const maxFlows = 16 << 10

func newDatagrams(n *node, port uint16, c net.PacketConn) *datagrams {
	return &datagrams{node: n, port: port, conn: c, flows: map[netip.AddrPort]net.Conn{}}
}

// serve runs until the socket is closed.
func (d *datagrams) serve() {
	defer d.close()
	buffer := make([]byte, 64<<10)
	for {
		n, from, err := d.conn.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) || d.node.balancer.life.Err() != nil {
			return
		}
		if err != nil {
			continue // an ICMP error of an earlier packet
		}
		if flow := d.flow(from); flow != nil {
			flow.Write(buffer[:n]) //nolint:errcheck // datagrams may be lost
		}
	}
}

// flow returns the socket to the client's target.
func (d *datagrams) flow(client net.Addr) net.Conn {
	key := addrPort(client)
	d.mu.Lock()
	c := d.flows[key]
	full := len(d.flows) >= maxFlows
	d.mu.Unlock()
	if c != nil || full {
		return c
	}
	b := d.node.balancer
	cfg := b.current.Load()
	l := cfg.datagrams[d.port]
	if l == nil || l.Default[0].Forward == nil {
		return nil
	}
	g := cfg.groups[byWeight(l.Default[0].Forward.Groups)]
	if g == nil || g.chosen.Load() == nil {
		return nil
	}
	t := g.pickFlow(d.node, key)
	if t == nil {
		return nil
	}
	c, err := d.node.DialContext(b.life, "udp4", t.addr().String())
	if err != nil {
		return nil
	}
	d.mu.Lock()
	d.flows[key] = c
	d.mu.Unlock()
	b.running.Go(func() { d.back(c, client, t) })
	return c
}

// back carries the target's answers until nothing has come for a while or the target
// leaves and takes its flows with it.
func (d *datagrams) back(c net.Conn, client net.Addr, t *target) {
	defer context.AfterFunc(t.life, func() {
		if !t.outlived.Load() {
			c.Close()
		}
	})()
	defer func() {
		d.mu.Lock()
		delete(d.flows, addrPort(client))
		d.mu.Unlock()
		c.Close()
	}()
	buffer := make([]byte, 64<<10)
	for {
		c.SetReadDeadline(time.Now().Add(defaultUDPIdle)) //nolint:errcheck // the read fails then, too
		n, err := c.Read(buffer)
		if err != nil {
			return
		}
		if _, err := d.conn.WriteTo(buffer[:n], client); errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

func (d *datagrams) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.flows {
		c.Close()
	}
}
