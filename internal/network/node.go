package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Node is an interface that belongs to no instance: behind it are sockets of the
// server's own. Only open files hold its namespace, so that nothing is left of it when
// the process ends, however it does.
type Node struct{ ns *os.File }

// AttachNode is Attach for an interface without an instance: it makes the namespace.
// A node that is up is brought up to date and returned.
func (n *Network) AttachNode(ctx context.Context, nic NIC) (*Node, error) {
	n.nodeMu.Lock()
	defer n.nodeMu.Unlock()
	node := n.nodes[nic.ID]
	if node == nil {
		ns, err := namelessNamespace()
		if err != nil {
			return nil, fmt.Errorf("namespace of %s: %w", nic.ID, err)
		}
		node = &Node{ns: ns}
	}
	if err := n.Attach(ctx, node.ns, nic); err != nil {
		if n.nodes[nic.ID] == nil {
			err = errors.Join(err, node.ns.Close())
		}
		return nil, err
	}
	n.nodes[nic.ID] = node
	return node, nil
}

// DetachNode ends a node. Sockets that are still open keep its namespace, without a
// link, until they are closed. One that does not exist is no error.
func (n *Network) DetachNode(ctx context.Context, nicID string) error {
	n.nodeMu.Lock()
	defer n.nodeMu.Unlock()
	node := n.nodes[nicID]
	if node == nil {
		return nil
	}
	delete(n.nodes, nicID)
	return errors.Join(n.Detach(ctx, nicID), node.ns.Close())
}

// closeNodes lets go of all nodes, whose namespaces end with that.
func (n *Network) closeNodes() error {
	n.nodeMu.Lock()
	defer n.nodeMu.Unlock()
	var errs []error
	for id, node := range n.nodes {
		delete(n.nodes, id)
		errs = append(errs, node.ns.Close())
	}
	return errors.Join(errs...)
}

// namelessNamespace makes a namespace that lives as long as the file.
func namelessNamespace() (ns *os.File, err error) {
	err = onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("create network namespace: %w", err)
		}
		ns, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	return ns, err
}

// Listen opens a stream listener behind the interface. The address is numeric.
func (d *Node) Listen(network, address string) (net.Listener, error) {
	return ListenIn(d.ns, network, address)
}

// ListenPacket opens a datagram socket behind the interface. The address is numeric.
func (d *Node) ListenPacket(network, address string) (net.PacketConn, error) {
	return ListenPacketIn(d.ns, network, address)
}

// DialContext connects from behind the interface to a numeric IPv4 address over tcp
// or udp. Only the socket is made on a thread in there: waiting for the other side
// costs no thread.
func (d *Node) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !to.Addr().Is4() {
		return nil, &net.OpError{Op: "dial", Net: network, Err: fmt.Errorf("%q is not a numeric IPv4 address with a port", address)}
	}
	kind := unix.SOCK_STREAM
	switch network {
	case "tcp", "tcp4":
	case "udp", "udp4":
		kind = unix.SOCK_DGRAM
	default:
		return nil, net.UnknownNetworkError(network)
	}
	var fd int
	err = inNamespace(d.ns, func() (err error) {
		fd, err = unix.Socket(unix.AF_INET, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	socket := os.NewFile(uintptr(fd), "socket")
	defer socket.Close()
	if err := connect(ctx, socket, to); err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: net.TCPAddrFromAddrPort(to), Err: err}
	}
	return net.FileConn(socket)
}

// connect waits until the socket is connected or ctx ends.
func connect(ctx context.Context, socket *os.File, to netip.AddrPort) error {
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := socket.SetWriteDeadline(deadline); err != nil {
			return err
		}
	}
	stop := context.AfterFunc(ctx, func() { socket.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	started := false
	var result error
	err = raw.Write(func(fd uintptr) bool {
		if !started {
			started = true
			result = unix.Connect(int(fd), &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
			return result != unix.EINPROGRESS
		}
		code, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if result = err; err == nil && code != 0 {
			result = unix.Errno(code)
		}
		return true
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	if result != nil {
		return os.NewSyscallError("connect", result)
	}
	return nil
}
