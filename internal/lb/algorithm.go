package lb

import (
	"math/rand/v2"
	"time"
)

// Algorithms of target groups.
const (
	roundRobin  = "round_robin"
	leastLoaded = "least_outstanding_requests"
	weighted    = "weighted_random"
)

// choose applies the group's algorithm. Targets in their slow start get a share that
// grows to a full one.
func (g *group) choose(spec TargetGroup, from []*target) *target {
	if len(from) == 0 {
		return nil
	}
	var now time.Time
	if spec.SlowStart > 0 {
		now = g.balancer.plane.cfg.Clock.Now()
	}
	switch spec.Algorithm {
	case leastLoaded:
		return g.leastLoaded(spec, from, now)
	case weighted:
		return from[rand.IntN(len(from))] //nolint:gosec // no secret
	}
	first := g.turn.Add(1)
	for i := range len(from) {
		t := from[(first+uint64(i))%uint64(len(from))]
		if share := t.share(spec.SlowStart, now); share >= 1 || rand.Float64() < share { //nolint:gosec // no secret
			return t
		}
	}
	return from[first%uint64(len(from))]
}

// leastLoaded takes the target with the fewest requests under way, for its share; of
// several the next in turn.
func (g *group) leastLoaded(spec TargetGroup, from []*target, now time.Time) *target {
	first := g.turn.Add(1)
	var best *target
	var least float64
	for i := range len(from) {
		t := from[(first+uint64(i))%uint64(len(from))]
		load := float64(t.inFlight.Load()+1) / max(t.share(spec.SlowStart, now), 0.01)
		if best == nil || load < least {
			best, least = t, load
		}
	}
	return best
}

// share is how much of a full share a target gets: it grows over the slow start, from
// when the target became healthy.
func (t *target) share(slow time.Duration, now time.Time) float64 {
	since := t.healthySince.Load()
	if slow <= 0 || since == 0 {
		return 1
	}
	age := now.Sub(time.Unix(0, since))
	if age >= slow {
		return 1
	}
	return max(float64(age)/float64(slow), 0.01)
}
