package autoscaling

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
)

// placed counts members by place, and by zone under a place without subnet.
func placed(list []*member) map[place]int {
	load := map[place]int{}
	for _, m := range list {
		load[m.place]++
	}
	return load
}

// zoneLoad is how many of a load are in a zone.
func zoneLoad(load map[place]int, zone string) int {
	n := 0
	for p, c := range load {
		if p.Zone == zone {
			n += c
		}
	}
	return n
}

// pick is where the next instance goes: the zone with the fewest, in it the subnet with
// the fewest. The zone of a launch that failed comes last, unless the group insists on
// balance.
func (g *group) pick(load map[place]int) place {
	avoid := g.Avoid
	if g.Distribution != nil && g.Distribution.CapacityDistributionStrategy == "balanced-only" {
		avoid = ""
	}
	return slices.MinFunc(g.Places, func(a, b place) int {
		return cmp.Or(
			cmp.Compare(truth(a.Zone == avoid), truth(b.Zone == avoid)),
			cmp.Compare(zoneLoad(load, a.Zone), zoneLoad(load, b.Zone)),
			cmp.Compare(load[a], load[b]),
		)
	})
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// choose picks n members to terminate: first those that are to be replaced, then by the
// zone with the most members and the group's termination policies. Members that are
// protected, or not there yet, are never picked.
func (g *group) choose(counted []*member, n int, now time.Time) []*member {
	left := slices.Clone(counted)
	var out []*member
	for len(out) < n {
		eligible := slices.DeleteFunc(slices.Clone(left), func(m *member) bool { return m.Instance == "" || m.Protected && !m.Unhealthy })
		if len(eligible) == 0 {
			break
		}
		m := g.next(left, eligible, now)
		out = append(out, m)
		left = slices.DeleteFunc(left, func(o *member) bool { return o == m })
	}
	return out
}

func (g *group) next(counted, eligible []*member, now time.Time) *member {
	for _, m := range eligible {
		if m.Why != "" {
			return m
		}
	}
	for _, m := range eligible {
		if !slices.Contains(g.Zones, m.Zone) {
			return m // the group has left its zone
		}
	}
	load := placed(counted)
	most := 0
	for _, m := range eligible {
		most = max(most, zoneLoad(load, m.Zone))
	}
	eligible = slices.DeleteFunc(eligible, func(m *member) bool { return zoneLoad(load, m.Zone) < most })
	for _, policy := range g.Termination {
		for _, narrow := range narrowing[policy] {
			eligible = narrow(eligible, now)
		}
	}
	return eligible[0] // the oldest of those that are left
}

// A narrowing keeps of some members those that a policy would terminate first.
type narrower func([]*member, time.Time) []*member

var narrowing = map[string][]narrower{
	"Default": {oldestConfiguration, oldestTemplate, closestToHour},
	"OldestInstance": {func(l []*member, _ time.Time) []*member {
		return least(l, func(m *member) int64 { return m.Decided.UnixNano() })
	}},
	"NewestInstance": {func(l []*member, _ time.Time) []*member {
		return least(l, func(m *member) int64 { return -m.Decided.UnixNano() })
	}},
	"OldestLaunchConfiguration": {oldestConfiguration},
	"OldestLaunchTemplate":      {oldestTemplate},
	"ClosestToNextInstanceHour": {closestToHour},
}

// least keeps the members with the lowest value.
func least(list []*member, value func(*member) int64) []*member {
	lowest := value(list[0])
	for _, m := range list {
		lowest = min(lowest, value(m))
	}
	return slices.DeleteFunc(slices.Clone(list), func(m *member) bool { return value(m) != lowest })
}

// oldestConfiguration keeps those with the launch configuration that was used first;
// those of a configuration go before those of a template.
func oldestConfiguration(list []*member, _ time.Time) []*member {
	return oldestBy(list, func(m *member) string { return m.Configuration })
}

// oldestTemplate keeps those with the oldest version of a template.
func oldestTemplate(list []*member, _ time.Time) []*member {
	if !slices.ContainsFunc(list, func(m *member) bool { return m.Template != nil }) {
		return list
	}
	first := firstUses(list, templateID)
	return least(list, func(m *member) int64 {
		if m.Template == nil {
			return -1 << 62
		}
		n, _ := strconv.ParseInt(val(m.Template.Version), 10, 64)
		return first[templateID(m)]/int64(time.Second)*1e4 + min(n, 1e4-1)
	})
}

func templateID(m *member) string {
	if m.Template == nil {
		return ""
	}
	return val(m.Template.LaunchTemplateId)
}

// firstUses is when each key was first used by one of the members.
func firstUses(list []*member, keyOf func(*member) string) map[string]int64 {
	first := map[string]int64{}
	for _, m := range list {
		k, at := keyOf(m), m.Decided.UnixNano()
		if old, ok := first[k]; !ok || at < old {
			first[k] = at
		}
	}
	return first
}

func oldestBy(list []*member, keyOf func(*member) string) []*member {
	if !slices.ContainsFunc(list, func(m *member) bool { return keyOf(m) != "" }) {
		return list
	}
	first := firstUses(list, keyOf)
	return least(list, func(m *member) int64 {
		if keyOf(m) == "" {
			return 1 << 62
		}
		return first[keyOf(m)]
	})
}

// closestToHour keeps those whose next full hour since their launch comes first.
func closestToHour(list []*member, now time.Time) []*member {
	return least(list, func(m *member) int64 { return int64(time.Hour - now.Sub(m.Decided)%time.Hour) })
}

// rebalance is a launch in a zone that has two fewer than another: when it is in
// service, the other gives one up.
func (t *turn) rebalance(counted []*member) []launchOf {
	if t.g.suspended(processRebalance) || t.g.Avoid != "" {
		return nil
	}
	for _, m := range t.list {
		if m.State != api.LifecycleStateInService && m.State != api.LifecycleStateStandby {
			return nil // one thing after another
		}
	}
	load := placed(counted)
	// What is protected does not make room: to launch for it would never end.
	movable := slices.DeleteFunc(slices.Clone(counted), func(m *member) bool { return m.Protected })
	lowest, highest, crowded, outside := 1<<30, 0, "", ""
	for _, zone := range t.g.Zones {
		n := zoneLoad(load, zone)
		lowest = min(lowest, n)
		if n > highest && slices.ContainsFunc(movable, func(m *member) bool { return m.Zone == zone }) {
			highest, crowded = n, zone
		}
	}
	for _, m := range movable {
		if !slices.Contains(t.g.Zones, m.Zone) {
			outside = m.Zone // the group has left this zone
		}
	}
	if highest-lowest < 2 && outside == "" {
		return nil
	}
	cause := "At " + t.now.Format(stamp) + " instances were launched to balance instances in zones " + cmp.Or(outside, crowded) + " with other zones resulting in more than desired number of instances in the group."
	return []launchOf{{t.g.pick(load), cause}}
}
