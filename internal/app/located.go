package app

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"sync"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/network"
	"github.com/hardstand/hardstand/internal/store"
)

// addresses keeps where instances are in their networks until anything in EC2
// changes: each request from inside an instance asks.
type addresses struct {
	db   *store.DB
	read func(ctx context.Context, id string) (place, error)

	mu      sync.Mutex
	changed <-chan struct{}
	known   map[string]place
}

// place is where requests of an instance come from.
type place struct {
	// Addr is the address by which others see the instance.
	Addr netip.Addr
	// Endpoints are those of its VPC that they pass, by service.
	Endpoints map[string]aws.VPCEndpoint
}

func (a *addresses) of(ctx context.Context, id string) (place, error) {
	a.mu.Lock()
	select {
	case <-a.changed:
		a.changed = nil
	default:
	}
	if a.changed == nil { // before anything is read that it tells the end of
		a.changed, a.known = a.db.Changed(store.Filter{Service: "ec2"}), map[string]place{}
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
// from the private one. Without it a request would pass no endpoint, whose policy may
// be to refuse it: err ends one then.
func (w *world) located(r *http.Request) (*http.Request, error) {
	id, inside := network.InstanceFrom(r.Context())
	if !inside {
		return r, nil
	}
	at, err := w.addresses.of(r.Context(), id)
	if err != nil {
		return nil, fmt.Errorf("find where %s is: %w", id, err)
	}
	ctx := r.Context()
	if len(at.Endpoints) > 0 {
		ctx = aws.WithVPCEndpoints(ctx, at.Endpoints)
	}
	moved := r.WithContext(ctx)
	moved.RemoteAddr = netip.AddrPortFrom(at.Addr, 0).String()
	return moved, nil
}

// placeOf reads where an instance is.
func (w *world) placeOf(ctx context.Context, id string) (place, error) {
	md, err := w.ec2.Metadata(ctx, id)
	if err != nil {
		return place{}, err
	}
	endpoints, err := w.ec2.VPCEndpoints(ctx, id)
	if md.PublicIP.IsValid() {
		return place{md.PublicIP, endpoints}, err
	}
	return place{md.PrivateIP, endpoints}, err
}
