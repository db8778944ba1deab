package codedeploy

import (
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
)

// health counts the hosts of a deployment. Pending hosts count as healthy: they
// still run what they ran.
type health struct {
	Minimum                                int // that must stay healthy
	Pending, InProgress, Succeeded, Failed int
}

// decision is what the counts allow.
type decision struct {
	Start int  // how many pending hosts to begin with now
	End   bool // nothing runs and nothing may begin
	// Succeeded is the outcome when End is set.
	Succeeded bool
	// Zone, if not "", is the one to begin in; Wait is until when to watch the
	// zone before it.
	Zone string
	Wait time.Time
}

func (d decision) in(t *target) bool { return d.Zone == "" || d.Zone == t.Zone }

// decide applies AWS's rule: while the deployment runs, at most as many hosts
// are out of service (in progress or failed) as leaves the minimum healthy; in
// the end at least the minimum, and at least one, must have succeeded.
func (h health) decide() decision {
	total := h.Pending + h.InProgress + h.Succeeded + h.Failed
	free := total - h.Minimum - h.InProgress - h.Failed
	if h.Pending > 0 && free > 0 {
		return decision{Start: min(free, h.Pending)}
	}
	if h.InProgress > 0 {
		return decision{}
	}
	return decision{End: true, Succeeded: h.Pending == 0 && h.Succeeded >= max(h.Minimum, 1)}
}

// allowed applies the rule to the targets; with zones, to the fleet and to the
// zone that is at work.
func allowed(d *deployment, list []*target, now time.Time) decision {
	h := health{Minimum: d.MinHealthy}
	for _, t := range list {
		h.count(t)
	}
	fleet := h.decide()
	if d.Zonal == nil || fleet.End {
		return fleet
	}
	zones := zonesOf(list)
	for i, zone := range zones {
		z := zoneHealth(d.Zonal, zone)
		if z.Pending+z.InProgress == 0 {
			continue
		}
		if until := watched(d.Zonal, zones[:i]); now.Before(until) {
			return decision{Wait: until}
		}
		next := z.decide()
		next.Start, next.Zone = min(next.Start, fleet.Start), zone[0].Zone
		// A zone that allows no more while the fleet would: the deployment fails.
		return next
	}
	return fleet
}

// zonesOf groups the targets by zone, in the order of the names.
func zonesOf(list []*target) [][]*target {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b *target) int { return strings.Compare(a.Zone, b.Zone) })
	var zones [][]*target
	for i, t := range sorted {
		if i == 0 || t.Zone != sorted[i-1].Zone {
			zones = append(zones, nil)
		}
		zones[len(zones)-1] = append(zones[len(zones)-1], t)
	}
	return zones
}

func zoneHealth(cfg *api.ZonalConfig, zone []*target) health {
	var h health
	for _, t := range zone {
		h.count(t)
	}
	if m := cfg.MinimumHealthyHostsPerZone; m != nil {
		h.Minimum = int(aws.Val(m.Value))
		if m.Type == api.MinimumHealthyHostsPerZoneTypeFleetPercent {
			h.Minimum = percent(len(zone), h.Minimum)
		}
	}
	return h
}

// watched returns until when the zone that was deployed to last is watched
// before the next one begins.
func watched(cfg *api.ZonalConfig, done [][]*target) time.Time {
	if len(done) == 0 {
		return time.Time{}
	}
	seconds := aws.Val(cfg.MonitorDurationInSeconds)
	if first := cfg.FirstZoneMonitorDurationInSeconds; first != nil && len(done) == 1 {
		seconds = *first
	}
	last := time.Time{}
	for _, t := range done[len(done)-1] {
		last = later(last, t.Updated)
	}
	return last.Add(time.Duration(seconds) * time.Second)
}
