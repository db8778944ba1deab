package ec2

import (
	"net/netip"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/network"
	"github.com/hardstand/hardstand/internal/store"
)

// ways are the targets that routes of a VPC have beside its internet gateway.
type ways struct {
	nats       map[string]*natGateway // that are there
	interfaces map[string]way
}

// way is an interface that a route leads to.
type way struct {
	private  netip.Addr
	instance string // that it is attached to, or ""
	runs     bool
}

// ways looks up where the routes of a VPC lead. c says whose it is.
func (v *vpc) ways(tx *store.Tx, c aws.Call) (ways, error) {
	out := ways{nats: map[string]*natGateway{}, interfaces: map[string]way{}}
	for _, t := range v.RouteTables {
		for _, r := range t.Routes {
			if err := out.add(tx, c, r); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

func (w ways) add(tx *store.Tx, c aws.Call, r route) error {
	if r.NAT != "" && w.nats[r.NAT] == nil {
		g, err := natGateways.Get(tx, key(c, r.NAT))
		if err == nil && g.State == natAvailable {
			w.nats[r.NAT] = g
		}
		if err != nil && !isNotFound(err) {
			return err
		}
	}
	if _, known := w.interfaces[r.Interface]; r.Interface == "" || known {
		return nil
	}
	h, err := findInterface(tx, c, r.Interface)
	if err != nil {
		if isNoInterface(err) {
			return nil // deleted; the route stays
		}
		return err
	}
	state, err := h.instanceState(tx, c)
	if err != nil {
		return err
	}
	id, _, _ := h.attachment()
	w.interfaces[r.Interface] = way{private: h.Private, instance: id, runs: state == stateRunning || state == statePending}
	return nil
}

// active says whether a route leads somewhere.
func (v *vpc) active(r route, w ways) bool {
	switch {
	case r.NAT != "":
		return w.nats[r.NAT] != nil
	case r.Interface != "":
		return w.interfaces[r.Interface].runs
	}
	return r.Gateway == v.InternetGateway
}

// exits translates the route tables for the network. A route that leads nowhere hides
// less specific ones.
func (v *vpc) exits(w ways) []network.Exit {
	var out []network.Exit
	for i := range v.Subnets {
		sub := &v.Subnets[i]
		table := v.routesOf(sub)
		for _, r := range table.Routes {
			e := network.Exit{From: sub.CIDR, To: r.Destination, Closed: !v.active(r, w)}
			switch {
			case r.NAT != "" && !e.Closed:
				out = append(out, v.translated(e, table, r, w)...)
				continue
			case r.Interface != "" && !e.Closed:
				e.Via = w.interfaces[r.Interface].private
			}
			out = append(out, e)
		}
	}
	return out
}

// translated gives the exits of a route to a NAT gateway: what goes there has to get
// out by the routes of the gateway's own subnet, which may have more specific ones.
func (v *vpc) translated(e network.Exit, table *routeTable, r route, w ways) []network.Exit {
	g := w.nats[r.NAT]
	home := v.subnet(g.Subnet)
	if !g.open() || home == nil {
		e.Closed = true
		return []network.Exit{e}
	}
	onward := v.routesOf(home)
	destinations := []netip.Prefix{r.Destination}
	for _, o := range onward.Routes {
		if o.Destination.Bits() > r.Destination.Bits() && r.Destination.Contains(o.Destination.Addr()) {
			destinations = append(destinations, o.Destination)
		}
	}
	var out []network.Exit
	for _, to := range destinations {
		if own := table.longest(to); own != nil && own.Destination != r.Destination {
			continue // the subnet has a more specific route itself
		}
		next := onward.longest(to)
		x := network.Exit{From: e.From, To: to, Closed: next == nil || next.Gateway == "" || !v.active(*next, w)}
		if !x.Closed {
			x.NAT = g.Public
		}
		out = append(out, x)
	}
	return out
}

// longest returns the most specific route that covers a range, or nil.
func (t *routeTable) longest(to netip.Prefix) *route {
	var best *route
	for i := range t.Routes {
		d := t.Routes[i].Destination
		if d.Bits() <= to.Bits() && d.Contains(to.Addr()) && (best == nil || d.Bits() > best.Destination.Bits()) {
			best = &t.Routes[i]
		}
	}
	return best
}

// leadsInside says whether a route of the VPC leads to an interface.
func (v *vpc) leadsInside() bool {
	for _, t := range v.RouteTables {
		for _, r := range t.Routes {
			if r.Interface != "" {
				return true
			}
		}
	}
	return false
}
