package app

import (
	"context"
	"net/http"
	"net/netip"
	"sync"

	"github.com/hardstand/hardstand/internal/network"
	"github.com/hardstand/hardstand/internal/store"
)

// addresses keeps where instances are in their networks until anything in EC2
// changes: each request from inside an instance asks.
type addresses struct {
	db   *store.DB
	read func(ctx context.Context, id string) (netip.Addr, error)

	mu      sync.Mutex
	changed <-chan struct{}
	known   map[string]netip.Addr
}

func (a *addresses) of(ctx context.Context, id string) (netip.Addr, error) {
	a.mu.Lock()
	select {
	case <-a.changed:
		a.changed = nil
	default:
	}
	if a.changed == nil { // before anything is read that it tells the end of
		a.changed, a.known = a.db.Changed(store.Filter{Service: "ec2"}), map[string]netip.Addr{}
	}
	at, has := a.known[id]
	known := a.known
	a.mu.Unlock()
	if has {
		return at, nil
	}
	at, err := a.read(ctx, id)
	if err == nil {
		a.mu.Lock()
		known[id] = at // of the time before: lost if something has changed since
		a.mu.Unlock()
	}
	return at, err
}

// located gives a request from inside an instance the instance's own address, which
// aws:SourceIp is judged by; the connection itself comes from a loopback address or
// from the private one.
func (w *world) located(r *http.Request) *http.Request {
	id, inside := network.InstanceFrom(r.Context())
	if !inside {
		return r
	}
	addr, err := w.addresses.of(r.Context(), id)
	if err != nil {
		return r
	}
	moved := r.WithContext(r.Context())
	moved.RemoteAddr = netip.AddrPortFrom(addr, 0).String()
	return moved
}

// addressOf is the address by which others see the instance.
func (w *world) addressOf(ctx context.Context, id string) (netip.Addr, error) {
	md, err := w.ec2.Metadata(ctx, id)
	if err != nil {
		return netip.Addr{}, err
	}
	if md.PublicIP.IsValid() {
		return md.PublicIP, nil
	}
	return md.PrivateIP, nil
}
