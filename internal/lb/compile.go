package lb

import (
	"crypto/tls"
	"fmt"
	"time"
)

// Defaults of AWS for what a Spec leaves zero.
const (
	defaultIdle      = 60 * time.Second
	defaultFlowIdle  = 350 * time.Second
	defaultUDPIdle   = 120 * time.Second
	defaultKeepAlive = time.Hour
	// dialTimeout is how long a target may take to accept a connection; then the
	// answer is 504.
	dialTimeout = 10 * time.Second
)

// config is a Spec made ready to run; it is never changed.
type config struct {
	Spec
	// streams and datagrams are the listeners by port.
	streams, datagrams map[uint16]*listener
	specs              map[string]TargetGroup
	// groups are filled in by the balancer, which keeps them from spec to spec.
	groups map[string]*group
}

type listener struct {
	Listener
	rules []*rule
	tls   *tls.Config // nil where nothing is terminated
}

// compile checks a spec and makes it ready.
func compile(spec Spec) (*config, error) {
	c := &config{
		Spec: spec, streams: map[uint16]*listener{}, datagrams: map[uint16]*listener{},
		specs: map[string]TargetGroup{}, groups: map[string]*group{},
	}
	setDefault(&c.Attributes.IdleTimeout, defaultIdle)
	setDefault(&c.Attributes.ClientKeepAlive, defaultKeepAlive)
	for _, g := range spec.Groups {
		if _, twice := c.specs[g.ID]; twice {
			return nil, fmt.Errorf("target group %s is there twice", g.ID)
		}
		c.specs[g.ID] = g
	}
	for _, l := range spec.Listeners {
		if err := c.add(l); err != nil {
			return nil, fmt.Errorf("listener on port %d: %w", l.Port, err)
		}
	}
	return c, nil
}

func setDefault(d *time.Duration, to time.Duration) {
	if *d == 0 {
		*d = to
	}
}

func (c *config) add(l Listener) error {
	ready := &listener{Listener: l}
	for _, r := range l.Rules {
		compiled, err := compileRule(r)
		if err != nil {
			return err
		}
		ready.rules = append(ready.rules, compiled)
	}
	ready.rules = append(ready.rules, &rule{actions: l.Default})
	for _, r := range ready.rules {
		if err := c.checkActions(r.actions); err != nil {
			return err
		}
	}
	if terminates(l.Protocol) {
		var err error
		if ready.tls, err = tlsConfig(l, c.Attributes.HTTP2); err != nil {
			return err
		}
	}
	return c.place(ready)
}

func terminates(protocol string) bool { return protocol == HTTPS || protocol == TLS || protocol == SSL }

// place puts a listener on its port.
func (c *config) place(l *listener) error {
	var on []map[uint16]*listener
	switch l.Protocol {
	case HTTP, HTTPS, TCP, TLS, SSL:
		on = append(on, c.streams)
	case UDP:
		on = append(on, c.datagrams)
	case TCPUDP:
		on = append(on, c.streams, c.datagrams)
	default:
		return fmt.Errorf("unknown protocol %q", l.Protocol)
	}
	for _, m := range on {
		if m[l.Port] != nil {
			return fmt.Errorf("the port has two listeners")
		}
		m[l.Port] = l
	}
	return nil
}

// checkActions wants exactly one routing action, whose groups are there.
func (c *config) checkActions(actions []Action) error {
	if len(actions) != 1 {
		return fmt.Errorf("%d actions where one decides", len(actions))
	}
	f := actions[0].Forward
	if f == nil {
		return nil
	}
	if len(f.Groups) == 0 {
		return fmt.Errorf("a forward to no group")
	}
	for _, g := range f.Groups {
		if _, ok := c.specs[g.Group]; !ok {
			return fmt.Errorf("a forward to %q, which is none of the groups", g.Group)
		}
	}
	return nil
}
