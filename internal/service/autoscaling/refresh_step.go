package autoscaling

import (
	"fmt"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

const (
	whyRefresh = "an instance refresh."
	// stuck is how long a refresh may go without replacing an instance.
	stuck = time.Hour
)

// source is what the group launches from now.
func (t *turn) source(g *group) *source {
	if t.refresh != nil && (t.refresh.Status == "InProgress" || t.refresh.Status == "RollbackInProgress" || t.refresh.Status == "Baking") {
		return t.refresh.leads(g)
	}
	return &g.source
}

// leads is what the refresh leads to: without a desired configuration what the group
// launches from, which may be changed meanwhile.
func (r *refresh) leads(g *group) *source {
	if r.Configuration == nil {
		return &g.source
	}
	return &r.To
}

// steer brings the refresh in progress a step further: it marks the instances that are to
// be replaced next, which balance does, and sees when it is at an end.
func (t *turn) steer() error {
	r := t.refresh
	if r == nil || t.g.suspended(processRefresh) {
		return nil
	}
	if r.Status == "Pending" {
		return t.turnRefresh(func(_ *store.Tx, _ *group, r *refresh) error {
			r.Status, r.Start, r.Moved = "InProgress", t.now, t.now
			return nil
		})
	}
	if r.Status == "Cancelling" {
		return t.cancelRefresh()
	}
	if why, err := t.alarmed(); err != nil || why != "" {
		return t.failOr(err, why)
	}
	old, blocked, warming, err := t.outdated()
	if err != nil {
		return err
	}
	if left := len(old) + len(blocked) + warming + t.absent(); left != r.Left {
		return t.turnRefresh(func(_ *store.Tx, _ *group, r *refresh) error {
			if left < r.Left || r.Total == 0 {
				r.Moved = t.now
			}
			r.Total, r.Left = max(r.Total, left), left
			return nil
		})
	}
	if r.Left == 0 && len(t.list) == int(t.g.Desired) {
		return t.bake()
	}
	if limit := r.Moved.Add(stuck); !t.now.Before(limit) && !r.waits(t.now) {
		return t.failOr(nil, fmt.Sprintf("The instance refresh has made no progress for %d minutes.", int(stuck.Minutes())))
	} else if !r.waits(t.now) {
		t.at(limit)
	}
	return t.markNext(old, warming)
}

// turnRefresh changes the refresh of the turn, if it is as the turn saw it.
func (t *turn) turnRefresh(change func(*store.Tx, *group, *refresh) error) error {
	return t.s.update(t.ctx, func(tx *store.Tx) error {
		r, err := activeRefresh(tx, t.k)
		if err != nil {
			return err
		}
		t.moved = true
		if r == nil || r.ID != t.refresh.ID || r.Status != t.refresh.Status {
			return nil
		}
		g, err := groups.Get(tx, t.k)
		if err != nil {
			return err
		}
		if err := change(tx, g, r); err != nil {
			return err
		}
		changed(tx, t.k, "instance refresh "+string(r.Status))
		if err := refreshes.Put(tx, refreshKey(t.k, r), r); err != nil {
			return err
		}
		return groups.Put(tx, t.k, g)
	})
}

// outdated are the members that the refresh has to replace, those of them that it may not
// touch, and how many new ones are not warm yet.
func (t *turn) outdated() (old, blocked []*member, warming int, err error) {
	b := t.refresh.bounds(t.g)
	version, err := t.toVersion()
	if err != nil {
		return nil, nil, 0, err
	}
	p := &t.refresh.Preferences
	for _, m := range t.list {
		fresh := t.isFresh(m, version)
		switch {
		case m.terminating() || m.State == api.LifecycleStateDetaching || m.Extra:
		case m.State == api.LifecycleStateStandby:
			if !fresh && p.StandbyInstances == "Terminate" {
				old = append(old, m)
			} else if !fresh && p.StandbyInstances != "Ignore" {
				blocked = append(blocked, m)
			}
		case !fresh && m.Protected && p.ScaleInProtectedInstances != "Refresh":
			if p.ScaleInProtectedInstances != "Ignore" {
				blocked = append(blocked, m)
			}
		case !fresh && m.State == api.LifecycleStateInService:
			old = append(old, m)
		case m.pending():
			warming++
		case m.Decided.Before(t.refresh.Start): // matched from the beginning
		default:
			if warm := m.Served.Add(b.warmup); t.now.Before(warm) {
				t.at(warm)
				warming++
			}
		}
	}
	return old, blocked, warming, nil
}

// absent is how many instances the group lacks, because their successors have not been
// launched yet.
func (t *turn) absent() int {
	n := int(t.g.Desired)
	for _, m := range t.list {
		if m.counts() {
			n--
		}
	}
	return max(n, 0)
}

// toVersion is the number of the template's version that the refresh leads to.
func (t *turn) toVersion() (string, error) {
	spec, _ := t.refresh.leads(t.g).template()
	if spec == nil || t.refresh.Undone == nil && !val(t.refresh.Preferences.SkipMatching) {
		return "", nil
	}
	as, err := t.role()
	if err != nil {
		return "", err
	}
	copied := *spec
	return t.s.resolveTemplate(as, &copied)
}

// isFresh reports whether a member need not be replaced: it was launched by the refresh,
// or it matches and matching ones are skipped.
func (t *turn) isFresh(m *member, version string) bool {
	if t.refresh.Undone == nil && !m.Decided.Before(t.refresh.Start) && !m.Attached {
		return true
	}
	if t.refresh.Undone == nil && !val(t.refresh.Preferences.SkipMatching) {
		return false
	}
	to := t.refresh.leads(t.g)
	spec, over := to.template()
	if spec == nil {
		return m.Configuration != "" && m.Configuration == to.Configuration
	}
	return m.Template != nil && val(m.Template.LaunchTemplateId) == val(spec.LaunchTemplateId) && val(m.Template.Version) == version && m.overriddenBy(over)
}

// overriddenBy reports whether a member is what an override asks for.
func (m *member) overriddenBy(o *api.LaunchTemplateOverrides) bool {
	if o == nil {
		return m.Overridden == ""
	}
	return m.Overridden == val(o.InstanceType) && (val(o.ImageId) == "" || *o.ImageId == m.Image)
}

// waits reports whether the refresh stands at a checkpoint or bakes.
func (r *refresh) waits(now time.Time) bool { return now.Before(r.Until) || now.Before(r.Baked) }

// markNext marks as many outdated members as may be replaced at the same time.
func (t *turn) markNext(old []*member, warming int) error {
	r := t.refresh
	if now := t.now; now.Before(r.Until) {
		t.at(r.Until)
		return nil
	}
	list := r.Preferences.CheckpointPercentages
	if n := len(list); r.Undone == nil && n > 0 && r.Checkpoint >= n && list[n-1] < 100 {
		return t.bake() // no more was asked for
	}
	goal := r.Total
	if r.Undone == nil && r.Checkpoint < len(list) {
		goal = (r.Total*int(list[r.Checkpoint]) + 99) / 100
		if r.Total-r.Left >= goal {
			return t.stopAtCheckpoint()
		}
	}
	b := r.bounds(t.g)
	desired := int(t.g.Desired)
	room := max(desired-b.floor(desired), b.ceiling(desired)-desired, 1)
	marked := 0
	for _, m := range old {
		if m.Why != "" {
			marked++
		}
	}
	room = min(room, goal-(r.Total-r.Left)) - marked - warming - t.absent()
	for _, m := range old {
		if m.Why != "" || room < 1 {
			continue
		}
		room--
		err := t.change(m, func(tx *store.Tx, g *group, m *member) error {
			if m.Why = whyRefresh; m.State != api.LifecycleStateStandby {
				return nil
			}
			_, err := m.leave(tx, t.k, g, toTerminated, terminatingText, t.takenOut(m))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// stopAtCheckpoint waits as long as the preferences say.
func (t *turn) stopAtCheckpoint() error {
	return t.turnRefresh(func(_ *store.Tx, _ *group, r *refresh) error {
		r.Checkpoint++
		r.Until = t.now.Add(time.Duration(val(r.Preferences.CheckpointDelay)) * time.Second)
		r.Moved = r.Until
		return nil
	})
}

// bake ends a refresh that has replaced what it shall, after the bake time.
func (t *turn) bake() error {
	r := t.refresh
	for _, m := range t.list {
		if m.State != api.LifecycleStateInService && m.State != api.LifecycleStateStandby {
			return nil
		}
	}
	if wait := time.Duration(val(r.Preferences.BakeTime)) * time.Second; wait > 0 && r.Undone == nil && r.Baked.IsZero() {
		return t.turnRefresh(func(_ *store.Tx, _ *group, r *refresh) error {
			r.Status, r.Baked = "Baking", t.now.Add(wait)
			return nil
		})
	}
	if t.now.Before(r.Baked) {
		t.at(r.Baked)
		return nil
	}
	return t.turnRefresh(func(_ *store.Tx, g *group, r *refresh) error {
		r.Status, r.End, r.Reason = "Successful", t.now, ""
		if r.Undone != nil {
			r.Status, r.Reason = "RollbackSuccessful", r.Undone.Reason
		}
		if r.Total == 0 {
			r.Total = 1 // nothing was to be done, and that is done
		}
		g.source = *r.leads(g)
		return nil
	})
}

// cancelRefresh ends a refresh when what it began is over.
func (t *turn) cancelRefresh() error {
	for _, m := range t.list {
		if m.pending() || m.terminating() {
			return nil
		}
	}
	if err := t.unmark(); err != nil {
		return err
	}
	return t.turnRefresh(func(_ *store.Tx, _ *group, r *refresh) error {
		r.Status, r.End = "Cancelled", t.now
		return nil
	})
}

// marked reports whether a refresh wants to replace the member and has not begun to.
func (m *member) marked() bool {
	return m.Why == whyRefresh && m.State == api.LifecycleStateInService
}

// unmark lets the members stay that a refresh wanted to replace.
func (t *turn) unmark() error {
	for _, m := range t.list {
		if !m.marked() {
			continue
		}
		err := t.change(m, func(_ *store.Tx, _ *group, m *member) error {
			m.Why = ""
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// failOr ends the refresh with a reason, or rolls it back where it shall be.
func (t *turn) failOr(err error, why string) error {
	if err != nil {
		return err
	}
	if err := t.unmark(); err != nil {
		return err
	}
	return t.turnRefresh(func(_ *store.Tx, _ *group, r *refresh) error {
		switch {
		case r.Undone != nil:
			r.Status, r.Reason, r.End = "RollbackFailed", why, t.now
		case val(r.Preferences.AutoRollback):
			r.undo(t.now, why)
		default:
			r.Status, r.Reason, r.End = "Failed", why, t.now
		}
		return nil
	})
}

// alarmed says that one of the refresh's alarms is in ALARM.
func (t *turn) alarmed() (string, error) {
	spec := t.refresh.Preferences.AlarmSpecification
	if spec == nil || len(spec.Alarms) == 0 || t.refresh.Undone != nil {
		return "", nil
	}
	as, err := t.role()
	if err != nil {
		return "", err
	}
	out, err := wire.Call[cloudwatch.DescribeAlarmsOutput](as, t.s.cfg.Invoker, "monitoring", "DescribeAlarms",
		&cloudwatch.DescribeAlarmsInput{AlarmNames: spec.Alarms, StateValue: cloudwatch.StateValueAlarm, AlarmTypes: []cloudwatch.AlarmType{"MetricAlarm", "CompositeAlarm"}})
	if err != nil {
		return "", err
	}
	for _, a := range out.MetricAlarms {
		return fmt.Sprintf("The alarm %s is in the ALARM state.", *a.AlarmName), nil
	}
	for _, a := range out.CompositeAlarms {
		return fmt.Sprintf("The alarm %s is in the ALARM state.", *a.AlarmName), nil
	}
	return "", nil
}
