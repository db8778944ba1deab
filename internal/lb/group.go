package lb

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
)

// group is a target group that runs.
type group struct {
	balancer *balancer
	id       string

	mu      sync.Mutex
	spec    TargetGroup
	targets map[Key]*target
	order   []*target // as in the spec
	ways    []*node

	// chosen is what picks look at, made anew when something changes.
	chosen atomic.Pointer[candidates]
	turn   atomic.Uint64
}

// candidates are the targets that may get something new.
type candidates struct {
	spec  TargetGroup
	all   []*target
	zones map[string][]*target // by the zone of the node; nil with cross-zone balancing
	byKey map[Key]*target      // those of all
}

func newGroup(b *balancer, id string) *group {
	return &group{balancer: b, id: id, targets: map[Key]*target{}}
}

// set makes the group have the targets of spec. Those that it has already keep their
// health, their connections and their counts.
func (g *group) set(spec TargetGroup, c *config) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.spec = spec
	left := maps.Clone(g.targets)
	g.order = g.order[:0:0]
	for _, s := range spec.Targets {
		t := g.targets[s.Key()]
		if t != nil && (t.Addr != s.Addr || t.Zone != s.Zone || t.AnyZone != s.AnyZone || t.spoken != spokenOf(spec)) {
			t = nil // another machine, or spoken to in another way
		}
		if t == nil {
			t = newTarget(g, s, c)
		} else {
			delete(left, s.Key())
			t.update(s)
		}
		t.breaks.Store(c.Kind == Network && !spec.KeepUnhealthy)
		g.targets[s.Key()] = t
		g.order = append(g.order, t)
	}
	for k, t := range left {
		gone := g.targets[k] == t
		t.outlived.Store(gone && spec.KeepDeregistered)
		t.end()
		if gone {
			delete(g.targets, k)
		}
	}
}

func (g *group) setWays(ways []*node) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ways = ways
	for _, t := range g.targets {
		t.forgetWays(ways)
	}
}

// way returns the node from which a target is checked: one of its zone, if any is up.
func (g *group) way(zone string) *node {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, n := range g.ways {
		if n.Zone == zone {
			return n
		}
	}
	if len(g.ways) > 0 {
		return g.ways[0]
	}
	return nil
}

// check starts and stops the checkers so that each target that wants one has one.
func (g *group) check() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range g.targets {
		t.setChecker(g.spec)
	}
}

// refresh chooses the candidates anew.
func (g *group) refresh(c *config) {
	g.mu.Lock()
	defer g.mu.Unlock()
	next := &candidates{spec: g.spec, byKey: map[Key]*target{}}
	usable := make([]*target, 0, len(g.order))
	for _, t := range g.order {
		if !t.Draining && !t.Unused {
			usable = append(usable, t)
		}
	}
	next.all = g.healthy(usable, c)
	if !g.spec.CrossZone {
		next.zones = map[string][]*target{}
		for _, n := range c.Nodes {
			next.zones[n.Zone] = g.healthy(ofZone(usable, n.Zone), c)
		}
		next.all = nil
		for _, z := range next.zones {
			next.all = append(next.all, z...)
		}
	}
	for _, t := range next.all {
		next.byKey[t.key] = t
	}
	g.chosen.Store(next)
}

func ofZone(all []*target, zone string) []*target {
	var in []*target
	for _, t := range all {
		if t.Zone == zone || t.AnyZone {
			in = append(in, t)
		}
	}
	return in
}

// healthy returns the healthy ones of targets; all of them when too few are, except
// on classic balancers, which send to no instance that is out of service. It runs
// under g.mu.
func (g *group) healthy(targets []*target, c *config) []*target {
	var well []*target
	for _, t := range targets {
		if g.stateOf(t, c).State == Healthy {
			well = append(well, t)
		}
	}
	if c.Kind == Classic {
		return well
	}
	if len(well) < max(1, g.spec.FailOpenCount) || len(well)*100 < g.spec.FailOpenPercent*len(targets) {
		return targets
	}
	return well
}

// stateOf is the health of a target, which another group may know. It runs under
// g.mu.
func (g *group) stateOf(t *target, c *config) Health {
	if g.spec.HealthOf == "" {
		return t.healthNow()
	}
	judge := c.groups[g.spec.HealthOf]
	if judge == nil || judge == g {
		return Health{State: Initial, Reason: reasonRegistering, Description: textRegistering}
	}
	return judge.byTargetID(t.key.TargetID)
}

// byTargetID is the health of the first target of an id.
func (g *group) byTargetID(id string) Health {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range g.order {
		if t.key.TargetID == id {
			return t.healthNow()
		}
	}
	return Health{State: Unused}
}

func (g *group) health(c *config) map[Key]Health {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make(map[Key]Health, len(g.order))
	for _, t := range g.order {
		h := g.stateOf(t, c)
		switch {
		case t.Unused:
			h = Health{State: Unused}
		case t.Draining:
			h = Health{State: Draining, Reason: reasonDraining, Description: textDraining}
		}
		all[t.key] = h
	}
	return all
}

// busy says whether a target of the id has anything under way.
func (g *group) busy(targetID string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range g.order {
		if t.key.TargetID == targetID && t.inFlight.Load() > 0 {
			return true
		}
	}
	return false
}

// close ends all targets.
func (g *group) close() {
	g.mu.Lock()
	targets := g.targets
	g.targets, g.order = map[Key]*target{}, nil
	g.mu.Unlock()
	g.chosen.Store(&candidates{})
	for _, t := range targets {
		t.end()
	}
}

// pick chooses a target for something new that arrives at n; nil when there is none.
func (g *group) pick(n *node) *target {
	c := g.chosen.Load()
	if c == nil {
		return nil
	}
	from := c.all
	if c.zones != nil {
		from = c.zones[n.Zone]
	}
	return g.choose(c.spec, from)
}

type targetKey struct{}

// withTarget remembers the chosen target in a request's context.
func withTarget(ctx context.Context, t *target) context.Context {
	return context.WithValue(ctx, targetKey{}, t)
}
