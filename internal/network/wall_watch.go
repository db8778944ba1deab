package network

import (
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// routeWatch keeps the way to the internet open while the host's default route
// changes, as a laptop's does from network to network.
type routeWatch struct {
	stop  chan struct{}
	ended chan struct{}
}

func (h *hostTable) watchRoutes() (*routeWatch, error) {
	w := &routeWatch{stop: make(chan struct{}), ended: make(chan struct{})}
	updates := make(chan netlink.RouteUpdate)
	err := netlink.RouteSubscribeWithOptions(updates, w.stop, netlink.RouteSubscribeOptions{
		ErrorCallback: func(err error) {
			select {
			case <-w.stop: // the socket was closed to end the watch
			default:
				h.cfg.Log.Warn("watching the host's routes", "error", err)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("watch the host's routes: %w", err)
	}
	go func() {
		defer close(w.ended)
		for u := range updates { // closed after stop
			if u.Type != unix.RTM_NEWROUTE || prefixOf(u.Dst).Bits() != 0 {
				continue
			}
			if err := h.openWay(); err != nil {
				h.cfg.Log.Warn("open the way of a new default route", "error", err)
			}
		}
	}()
	return w, nil
}

func (w *routeWatch) close() {
	close(w.stop)
	<-w.ended
}
