package autoscaling

import (
	"slices"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
)

// bounds are how far a group may go below and above its desired capacity while instances
// are replaced, in percent, and how long an instance takes to be warm.
type bounds struct {
	low, high int
	warmup    time.Duration
}

// bounds are those of the refresh in progress, or of the group's maintenance policy; nil
// for none.
func (t *turn) bounds() *bounds {
	if t.refresh != nil {
		return t.refresh.bounds(t.g)
	}
	if p := t.g.Maintenance; p != nil {
		return &bounds{low: int(val(p.MinHealthyPercentage)), high: int(val(p.MaxHealthyPercentage)), warmup: t.g.warmup()}
	}
	return nil
}

// warmup is how long a new instance is not counted on.
func (g *group) warmup() time.Duration {
	if g.Warmup != nil {
		return time.Duration(*g.Warmup) * time.Second
	}
	return time.Duration(g.Grace) * time.Second
}

// floor is how many must stay in service, ceiling how many there may be.
func (b *bounds) floor(desired int) int { return (desired*b.low + 99) / 100 }

func (b *bounds) ceiling(desired int) int {
	n := desired * b.high / 100
	if b.high > 100 {
		n = max(n, desired+1)
	}
	return n
}

// replacements decides of a group that has its size which instances make room for others:
// those that are unhealthy, too old or to be refreshed.
func (t *turn) replacements(counted []*member, mayLaunch, mayEnd bool) plan {
	var leaving []*member
	for _, m := range counted {
		if m.State == api.LifecycleStateInService && m.Why != "" && !(m.Unhealthy && t.g.suspended(processReplace)) {
			leaving = append(leaving, m)
		}
	}
	if len(leaving) == 0 {
		return plan{}
	}
	// Those that serve nobody go first.
	slices.SortStableFunc(leaving, func(a, b *member) int { return truth(b.Unhealthy) - truth(a.Unhealthy) })
	b := t.bounds()
	if b == nil {
		return t.replaceNow(leaving, mayEnd)
	}
	var p plan
	desired := int(t.g.Desired)
	extra, busy, serving := t.inFlight(b)
	if b.high > 100 && mayLaunch {
		load := placed(counted)
		for n := min(len(leaving)-extra, b.ceiling(desired)-len(counted)-extra); n > 0; n-- {
			where := t.g.pick(load)
			load[where]++
			p.extra = append(p.extra, launchOf{where, startCause(t.now, len(counted)+len(p.extra))})
		}
	}
	spare := serving - b.floor(desired)
	if b.high <= 100 && spare < 1 && !busy {
		spare = 1 // at least one at a time, or it would never end
	}
	for _, m := range leaving {
		if !mayEnd || spare < 1 && !(m.Unhealthy && b.high <= 100) {
			break
		}
		if !m.Unhealthy {
			spare--
		}
		p.end = append(p.end, endOf{m, t.takenOut(m)})
	}
	return p
}

// replaceNow terminates the unhealthy at once, and others one after another.
func (t *turn) replaceNow(leaving []*member, mayEnd bool) plan {
	var p plan
	if !mayEnd {
		return p
	}
	for _, m := range leaving {
		if m.Unhealthy {
			p.end = append(p.end, endOf{m, t.takenOut(m)})
		}
	}
	if _, busy, _ := t.inFlight(&bounds{}); len(p.end) == 0 && !busy {
		p.end = append(p.end, endOf{leaving[0], t.takenOut(leaving[0])})
	}
	return p
}

// inFlight counts launches beyond the desired capacity, tells whether any instance is on
// its way in or out, and counts those that serve and are warm.
func (t *turn) inFlight(b *bounds) (extra int, busy bool, serving int) {
	for _, m := range t.list {
		if m.Extra {
			extra++
		}
		if m.pending() || m.terminating() {
			busy = true
		}
		if m.State != api.LifecycleStateInService || m.Unhealthy {
			continue
		}
		if warm := m.Served.Add(b.warmup); t.now.Before(warm) {
			t.at(warm)
			busy = true
			continue
		}
		serving++
	}
	return extra, busy, serving
}
