package elb

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/hardstand/hardstand/internal/lb"
	"github.com/hardstand/hardstand/internal/store"
)

// checked is the group of the plane whose targets are asked; those of the listeners
// follow it, since a classic balancer checks instances, not their ports.
const checked = "instances"

// spec is the row as the plane takes it. Listeners whose certificate cannot be had are
// left out, and the error says so.
func (s *Service) spec(ctx context.Context, k store.Key, b *balancer) (lb.Spec, error) {
	out := lb.Spec{
		ID: arnOf(k), Kind: lb.Classic, Report: func(c lb.Change) { s.report(k, c) },
		Attributes: lb.Attributes{IdleTimeout: time.Duration(b.Attributes.IdleTimeout) * time.Second, ForwardedFor: "append"},
		Groups:     []lb.TargetGroup{{ID: checked, CrossZone: true, Check: b.Check.spec(), Targets: b.targets(0)}},
	}
	for _, n := range b.Nodes {
		addr, err := netip.ParseAddr(n.Private)
		if err != nil {
			continue // not made yet
		}
		out.Nodes = append(out.Nodes, lb.Node{ID: n.Interface, Zone: n.Zone, Addr: addr})
	}
	var errs []error
	for _, l := range b.Listeners {
		group := b.group(l)
		ready := lb.Listener{ID: group.ID, Protocol: l.Protocol, Port: uint16(l.Port), //nolint:gosec // judged
			Default: []lb.Action{{Forward: &lb.Forward{Groups: []lb.WeightedGroup{{Group: group.ID, Weight: 1}}}}}}
		if isSecure(l.Protocol) {
			certificate, err := s.cfg.Certificates.ServerCertificate(ctx, l.Certificate)
			if err != nil {
				errs = append(errs, fmt.Errorf("certificate of the listener on port %d: %w", l.Port, err))
				continue
			}
			ready.Certificates, ready.TLS = append(ready.Certificates, certificate), b.limits(l)
		}
		out.Listeners, out.Groups = append(out.Listeners, ready), append(out.Groups, group)
	}
	return out, errors.Join(errs...)
}

// group is where a listener sends.
func (b *balancer) group(l listener) lb.TargetGroup {
	g := lb.TargetGroup{
		ID: "port/" + strconv.Itoa(int(l.Port)), Protocol: l.InstanceProtocol, HealthOf: checked, Algorithm: "round_robin",
		CrossZone: b.Attributes.CrossZone, Targets: b.targets(uint16(l.InstancePort)), //nolint:gosec // judged
	}
	if isWeb(l.Protocol) {
		g.Algorithm = "least_outstanding_requests"
	}
	for _, name := range l.Policies {
		switch p := b.policy(name); {
		case p == nil:
		case p.Type == typeAppCookie:
			g.Stickiness = lb.Stickiness{Type: "app_cookie", Cookie: p.value(cookieName)}
		case p.Type == typeLBCookie:
			seconds, _ := strconv.ParseInt(p.value(cookiePeriod), 10, 64) //nolint:errcheck // 0 is for the browser's session
			g.Stickiness = lb.Stickiness{Type: "lb_cookie", Duration: time.Duration(seconds) * time.Second}
		}
	}
	for _, name := range b.Backends[l.InstancePort] {
		switch p := b.policy(name); {
		case p == nil:
		case p.Type == typeProxy && isTrue(p.value(proxyProtocol)):
			g.ProxyProtocol = 1
		case p.Type == typeBackendAuth:
			g.BackendCertificates = b.publicKeys(p)
		}
	}
	return g
}

// publicKeys are those that a policy for the authentication of instances names.
func (b *balancer) publicKeys(p *policy) [][]byte {
	keys := [][]byte{}
	for _, a := range p.Attributes {
		if named := b.policy(a.Value); named != nil {
			keys = append(keys, publicKeyOf(named.value(publicKey)))
		}
	}
	return keys
}

// targets are the instances with a port.
func (b *balancer) targets(port uint16) []lb.Target {
	var out []lb.Target
	zones := b.zones()
	for _, i := range b.Instances {
		addr, err := netip.ParseAddr(i.Addr)
		if err != nil {
			continue
		}
		t := lb.Target{TargetID: i.ID, Port: port, Addr: addr, Zone: i.Zone, Draining: !i.Leaves.IsZero(), Unused: i.EC2 != running || !slices.Contains(zones, i.Zone)}
		switch i.Health {
		case healthy:
			t.Known = lb.Healthy
		case unhealthy:
			t.Known = lb.Unhealthy
		}
		out = append(out, t)
	}
	return out
}

// spec is the health check as the plane takes it.
func (c check) spec() lb.HealthCheck {
	t, err := parseTarget(c.Target)
	if err != nil {
		return lb.HealthCheck{Disabled: true} // no row holds such a target
	}
	return lb.HealthCheck{
		Protocol: t.protocol, Port: t.port, Path: t.path, Matcher: "200",
		Interval: time.Duration(c.Interval) * time.Second, Timeout: time.Duration(c.Timeout) * time.Second,
		Healthy: int(c.Healthy), Unhealthy: int(c.Unhealthy),
	}
}
