package autoscaling

import (
	"fmt"
	"slices"
	"strings"

	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/store"
)

// counts reports whether a member counts towards the desired capacity.
func (m *member) counts() bool {
	if m.Extra {
		return false
	}
	switch m.State {
	case api.LifecycleStatePending, api.LifecycleStatePendingWait, api.LifecycleStatePendingProceed, api.LifecycleStateInService:
		return true
	}
	return false
}

func (m *member) pending() bool { return strings.HasPrefix(string(m.State), "Pending") }

func (m *member) terminating() bool { return strings.HasPrefix(string(m.State), "Terminating") }

// balance compares a group with its desired capacity and decides what is launched and
// what is terminated.
func (t *turn) balance() error {
	if t.g.Status == deleteInProgress {
		return t.endAll()
	}
	plan := t.plan()
	if len(plan.launch)+len(plan.end)+len(plan.extra) == 0 {
		return t.settled()
	}
	return t.s.update(t.ctx, func(tx *store.Tx) error {
		g, err := groups.Get(tx, t.k)
		if err != nil {
			return err
		}
		if g.Desired != t.g.Desired || g.Status != "" {
			t.moved = true // decided on what is not so any more
			return nil
		}
		for _, l := range plan.launch {
			t.moved = true
			g.Replacing = max(g.Replacing-1, 0)
			if _, err := addMember(tx, t.k, g, t.source(g), l.place, l.cause); err != nil {
				return err
			}
		}
		for _, e := range plan.end {
			if err := t.endMember(tx, g, e); err != nil {
				return err
			}
		}
		for i := range plan.extra {
			if err := t.addExtra(tx, g, plan.extra[i]); err != nil {
				return err
			}
		}
		if !t.moved {
			return nil
		}
		changed(tx, t.k, "balance")
		return groups.Put(tx, t.k, g)
	})
}

// launchOf and endOf are what a plan decides of one instance.
type launchOf struct {
	place
	cause string
}

type endOf struct {
	m     *member
	cause string
}

// plan is what is to be launched and terminated now; extra are launches beyond the
// desired capacity.
type plan struct {
	launch, extra []launchOf
	end           []endOf
}

// plan decides. It reads nothing but the turn.
func (t *turn) plan() plan {
	var p plan
	counted := slices.DeleteFunc(slices.Clone(t.list), func(m *member) bool { return !m.counts() })
	n, desired := len(counted), int(t.g.Desired)
	mayLaunch := !t.g.suspended(processLaunch) && !t.waitsForRetry()
	mayEnd := !t.g.suspended(processTerminate)
	switch {
	case n < desired && mayLaunch:
		p.launch = t.launches(counted, desired-n)
	case n > desired && mayEnd:
		p.end = t.ends(counted, min(n-desired, t.spare(desired)))
	}
	if n == desired {
		p = t.replacements(counted, mayLaunch, mayEnd)
	}
	if n == desired && len(p.end)+len(p.extra) == 0 && mayLaunch && mayEnd {
		p.extra = t.rebalance(counted)
	}
	return p
}

// spare is how many may be terminated without going below the bounds of a replacement:
// a successor that is not warm yet does not stand for its predecessor.
func (t *turn) spare(desired int) int {
	b := t.bounds()
	if b == nil {
		return len(t.list)
	}
	_, _, serving := t.inFlight(b)
	n := max(serving-b.floor(desired), 0)
	for _, m := range t.list {
		if m.Unhealthy || m.pending() {
			n++
		}
	}
	return n
}

// waitsForRetry reports whether launches wait after one that failed. The group is looked
// at again then whatever it lacks: replacements beyond its size may wait too.
func (t *turn) waitsForRetry() bool {
	if !t.now.Before(t.g.Retry) {
		return false
	}
	t.at(t.g.Retry)
	return true
}

// launches are n instances in the zones that have the fewest.
func (t *turn) launches(counted []*member, n int) []launchOf {
	load := placed(counted)
	var out []launchOf
	for i := range n {
		where := t.g.pick(load)
		load[where]++
		cause := startCause(t.now, len(counted)+i)
		if i < t.g.Replacing {
			cause = fmt.Sprintf("At %s an instance was launched in response to an unhealthy instance needing to be replaced.", t.now.Format(stamp))
		}
		out = append(out, launchOf{where, cause})
	}
	return out
}

// ends are n instances to scale in.
func (t *turn) ends(counted []*member, n int) []endOf {
	var out []endOf
	left := len(counted)
	for _, m := range t.g.choose(counted, n, t.now) {
		cause := fmt.Sprintf("At %s an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity from %d to %d.  At %s instance %s was selected for termination.",
			t.now.Format(stamp), left, left-1, t.now.Format(stamp), m.Instance)
		if m.Why != "" {
			cause = t.takenOut(m)
		}
		out = append(out, endOf{m, cause})
		left--
	}
	return out
}

func (t *turn) takenOut(m *member) string {
	return fmt.Sprintf("At %s an instance was taken out of service in response to %s", t.now.Format(stamp), m.Why)
}

// endMember begins the end of a member, if it is as the plan saw it.
func (t *turn) endMember(tx *store.Tx, g *group, e endOf) error {
	m, err := members.Get(tx, memberKey(t.k, e.m))
	if isNotFound(err) || err == nil && m.State != e.m.State {
		return nil
	}
	if err != nil {
		return err
	}
	t.moved = true
	if m.Unhealthy {
		g.Replacing++
	}
	if _, err := m.leave(tx, t.k, g, toTerminated, terminatingText, e.cause); err != nil {
		return err
	}
	return putMember(tx, t.k, m)
}

func (t *turn) addExtra(tx *store.Tx, g *group, l launchOf) error {
	m, err := addMember(tx, t.k, g, t.source(g), l.place, l.cause)
	if err != nil {
		return err
	}
	t.moved, m.Extra = true, true
	return putMember(tx, t.k, m)
}

// endAll terminates what a group that is being deleted still has.
func (t *turn) endAll() error {
	for _, m := range t.list {
		if m.State == api.LifecycleStateTerminatingProceed || m.State == api.LifecycleStateTerminating && m.Ending == toTerminated {
			continue
		}
		err := t.change(m, func(tx *store.Tx, g *group, m *member) error {
			if m.Instance == "" { // nothing has been launched yet, or it is about to be known
				return nil
			}
			if m.State == api.LifecycleStateTerminatingWait {
				m.Actions = nil
				m.enter(tx, t.k, api.LifecycleStateTerminatingProceed)
				return nil
			}
			cause := fmt.Sprintf("At %s instance %s was taken out of service in response to a user request.", t.now.Format(stamp), m.Instance)
			_, err := m.leave(tx, t.k, g, toTerminated, terminatingText, cause)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// settled forgets why the capacity changed when it has been reached.
func (t *turn) settled() error {
	if len(t.g.Causes) == 0 || len(t.list) != int(t.g.Desired) {
		return nil
	}
	for _, m := range t.list {
		if m.Activity != "" || m.State != api.LifecycleStateInService {
			return nil
		}
	}
	return t.s.update(t.ctx, func(tx *store.Tx) error {
		g, err := groups.Get(tx, t.k)
		if err != nil || g.Desired != t.g.Desired {
			return err
		}
		g.Causes = nil
		return groups.Put(tx, t.k, g)
	})
}
