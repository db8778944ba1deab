package autoscaling

import (
	"fmt"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	resultContinue = "CONTINUE"
	resultAbandon  = "ABANDON"

	// defaultBeat is the heartbeat timeout of hooks in seconds; an instance waits at
	// most maxBeats of them, and never longer than maxWait.
	defaultBeat = 3600
	maxBeats    = 100
	maxWait     = 48 * 60 * 60
)

// globalTimeout is how long an instance waits for a hook at the longest, in seconds.
func (h *hook) globalTimeout() int32 { return min(maxBeats*h.Beat, maxWait) }

// wait puts a member into the wait state of a transition, with an action for each of
// its hooks, and tells their targets; without hooks it proceeds.
func (m *member) wait(tx *store.Tx, k store.Key, g *group, all []*hook, transition string) error {
	waiting, proceed := api.LifecycleStatePendingWait, api.LifecycleStatePendingProceed
	if transition == terminating {
		waiting, proceed = api.LifecycleStateTerminatingWait, api.LifecycleStateTerminatingProceed
	}
	now := tx.Now().UTC()
	m.Actions = nil
	for _, h := range all {
		if h.Transition != transition || g.Status == deleteInProgress {
			continue
		}
		p := pendingAction{Hook: h.Name, Token: ids.UUID(), Beat: h.Beat, Default: h.Default,
			Deadline: now.Add(time.Duration(h.Beat) * time.Second), Limit: now.Add(time.Duration(h.globalTimeout()) * time.Second)}
		m.Actions = append(m.Actions, p)
		if err := tellHook(tx, k, h, m, &p); err != nil {
			return err
		}
	}
	if len(m.Actions) == 0 {
		m.enter(tx, k, proceed)
		return nil
	}
	m.enter(tx, k, waiting)
	return progress(tx, k, m, func(a *activity) { a.Status, a.Progress = "MidLifecycleAction", 60 })
}

// awaitActions lets a member go on when its actions are complete, or their time is over.
// One that waits to come into service and has ended meanwhile has nothing to wait for.
func (t *turn) awaitActions(m *member) error {
	if state := t.ec2State(m); m.State == api.LifecycleStatePendingWait && !alive(state) {
		return t.diedOnTheWay(m, "the instance is "+state)
	}
	if until, abandoned := m.verdict(t.now); !until.IsZero() && abandoned == nil {
		t.at(until)
		return nil
	}
	return t.change(m, func(tx *store.Tx, g *group, m *member) error {
		until, abandoned := m.verdict(t.now)
		if !until.IsZero() && abandoned == nil {
			return nil // a heartbeat has come since
		}
		m.Actions = nil
		if m.State == api.LifecycleStateTerminatingWait {
			m.enter(tx, t.k, api.LifecycleStateTerminatingProceed)
			return progress(tx, t.k, m, func(a *activity) { a.Status, a.Progress = "InProgress", 80 })
		}
		if abandoned != nil {
			return m.giveUp(tx, t.k, g, abandoned.abandonment())
		}
		m.enter(tx, t.k, api.LifecycleStatePendingProceed)
		return progress(tx, t.k, m, func(a *activity) { a.Status, a.Progress = preInService, 80 })
	})
}

// verdict gives the actions whose time is over their default results. It returns until
// when the first of the others waits, zero when none does, and the action that abandons.
func (m *member) verdict(now time.Time) (until time.Time, abandoned *pendingAction) {
	for i := range m.Actions {
		a := &m.Actions[i]
		if a.Result == "" && !now.Before(a.ends()) {
			a.Result, a.Expired = a.Default, true
		}
		switch a.Result {
		case "":
			if end := a.ends(); until.IsZero() || end.Before(until) {
				until = end
			}
		case resultAbandon:
			abandoned = a
		}
	}
	return until, abandoned
}

// ends is when an action is over without a word.
func (a *pendingAction) ends() time.Time {
	if a.Limit.Before(a.Deadline) {
		return a.Limit
	}
	return a.Deadline
}

// abandonment says why a launch was abandoned.
func (a *pendingAction) abandonment() string {
	why := "Lifecycle Action Completed with ABANDON Result"
	if a.Expired {
		why = "Heartbeat Timeout"
	}
	return fmt.Sprintf("Instance failed to complete user's Lifecycle Action: Lifecycle Action with token %s was abandoned: %s", a.Token, why)
}
