package network

import (
	"context"
	"net"
	"os"
)

// ListenIn opens a stream listener inside the network namespace ns. Only the
// socket is in there; whoever accepts runs in the process as usual. The address
// must be numeric.
func ListenIn(ns *os.File, network, address string) (l net.Listener, err error) {
	err = inNamespace(ns, func() error {
		l, err = listen(network, address)
		return err
	})
	return l, err
}

func listen(network, address string) (net.Listener, error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // a second kind of socket that nobody here needs
	return lc.Listen(context.Background(), network, address)
}

// ListenPacketIn opens a datagram socket inside the network namespace ns.
func ListenPacketIn(ns *os.File, network, address string) (c net.PacketConn, err error) {
	err = inNamespace(ns, func() error {
		c, err = net.ListenPacket(network, address)
		return err
	})
	return c, err
}
