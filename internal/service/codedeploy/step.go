package codedeploy

import (
	"context"
	"fmt"
	"slices"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/store"
)

// The time-outs of a deployment. Those of AWS are documented; the others name
// agents that are gone sooner than a script's hour.
const (
	startTimeout      = 5 * time.Minute  // from one event's end to the next one's start (AWS)
	eventTimeout      = 70 * time.Minute // of an acknowledged event: an hour, and what an agent needs to say so (AWS)
	deploymentTimeout = 8 * time.Hour    // of a deployment in place (AWS)
	lostTimeout       = 3 * time.Minute  // without a poll: official agents back off up to 90 s
)

// step makes every transition that is due. It is called in a transaction, again
// and again; it must not care how often.
func (s *Service) step(tx *store.Tx, k store.Key) (due time.Time, ended bool, err error) {
	d, err := deployments.Get(tx, k)
	if err != nil || d.ended() {
		return due, true, err
	}
	list, err := targetsOf(tx, d.ID)
	if err != nil {
		return due, false, err
	}
	now := s.clock.Now()
	if err := s.expire(tx, k, d, list, now); err != nil {
		return due, false, err
	}
	if d.StopAsked {
		return s.stopping(tx, k, d, list, now)
	}
	h := health{Minimum: d.MinHealthy}
	for _, t := range list {
		h.count(t)
	}
	next := h.decide()
	if next.End {
		return due, true, s.conclude(tx, k, d, list, next.Succeeded)
	}
	for _, t := range list {
		if next.Start > 0 && t.Status == api.TargetStatusPending {
			next.Start--
			if err := s.start(tx, k, t, now); err != nil {
				return due, false, err
			}
		}
	}
	return nextDeadline(d, list, now), false, nil
}

func (h *health) count(t *target) {
	switch t.Status {
	case api.TargetStatusPending:
		h.Pending++
	case api.TargetStatusInProgress:
		h.InProgress++
	case api.TargetStatusSucceeded:
		h.Succeeded++
	default:
		h.Failed++
	}
}

// start begins with a pending target: its first event may be handed out.
func (s *Service) start(tx *store.Tx, k store.Key, t *target, now time.Time) error {
	t.Status = api.TargetStatusInProgress
	t.ready(now)
	emit(tx, k, t.InstanceID, "command", "a lifecycle event is ready")
	return s.putTarget(tx, k, t, "target", now)
}

// stopping ends a deployment that was asked to stop: what runs is let finish.
func (s *Service) stopping(tx *store.Tx, k store.Key, d *deployment, list []*target, now time.Time) (due time.Time, ended bool, err error) {
	running := false
	for _, t := range list {
		if t.ended() {
			continue
		}
		if t.Status == api.TargetStatusInProgress && !t.Acked.IsZero() {
			running = true
			continue
		}
		status := api.TargetStatusSkipped
		if t.current() > 0 {
			status = api.TargetStatusFailed // some events ran: the host is between two revisions
		}
		if err := s.endTarget(tx, k, d, t, status, now); err != nil {
			return due, false, err
		}
	}
	if running {
		return nextDeadline(d, list, now), false, nil
	}
	return due, true, s.finish(tx, k, d, api.DeploymentStatusStopped, cause{api.ErrorCodeManualStop, "The deployment was stopped by a user or by an associated action."})
}

// expire fails what has waited or run too long.
func (s *Service) expire(tx *store.Tx, k store.Key, d *deployment, list []*target, now time.Time) error {
	if !now.Before(d.Started.Add(deploymentTimeout)) {
		d.StopAsked = false // the time-out is the cause, whatever was asked
		for _, t := range list {
			if !t.ended() {
				t.fail(api.LifecycleErrorCodeUnknownError, fmt.Sprintf("The deployment did not end within %s.", deploymentTimeout), now)
				if err := s.endTarget(tx, k, d, t, api.TargetStatusFailed, now); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for _, t := range list {
		if t.Status != api.TargetStatusInProgress {
			continue
		}
		message, issue, err := s.overdue(tx, k, t, now)
		if err != nil {
			return err
		}
		if message == "" {
			continue
		}
		t.AgentIssue = issue
		code := api.LifecycleErrorCodeUnknownError
		if !issue {
			code = api.LifecycleErrorCodeScriptTimedOut
		}
		t.fail(code, message, now)
		if err := s.endTarget(tx, k, d, t, api.TargetStatusFailed, now); err != nil {
			return err
		}
	}
	return nil
}

// overdue says what is wrong with a target's current event, "" for nothing.
// issue tells that the agent is to blame.
func (s *Service) overdue(tx *store.Tx, k store.Key, t *target, now time.Time) (message string, issue bool, err error) {
	name := t.Events[t.current()].Name
	known, last, err := s.lastSeen(tx, k, t.InstanceID)
	if err != nil {
		return "", false, err
	}
	lost := !last.IsZero() && !now.Before(later(last, t.began()).Add(lostTimeout))
	switch {
	case !t.Acked.IsZero() && !now.Before(t.Acked.Add(eventTimeout)):
		return fmt.Sprintf("%s on instance %s did not end within %s.", name, t.InstanceID, eventTimeout), false, nil
	case lost:
		return fmt.Sprintf("The CodeDeploy agent on instance %s is not responding: its last poll was at %s, %s did not %s. "+
			"Is the instance running, and codedeploy-agent in it (codedeploy-agent status)?",
			t.InstanceID, last.UTC().Format(time.RFC3339), name, verb(t)), true, nil
	case t.Acked.IsZero() && !now.Before(t.Ready.Add(startTimeout)):
		return silent(t, name, known, last), true, nil
	}
	return "", false, nil
}

func verb(t *target) string {
	if t.Acked.IsZero() {
		return "start"
	}
	return "end"
}

// silent describes an agent that did not take its event in time.
func silent(t *target, name string, a *agent, last time.Time) string {
	head := fmt.Sprintf("%s on instance %s did not start within %s. ", name, t.InstanceID, startTimeout)
	switch {
	case a != nil && a.Refused != "" && !a.RefusedAt.Before(t.Ready):
		return head + "Its CodeDeploy agent was refused at " + a.RefusedAt.UTC().Format(time.RFC3339) + ": " + a.Refused
	case last.IsZero() && !t.Profile:
		return head + "No CodeDeploy agent has ever polled from it. The instance has no IAM instance profile, without which its agent has no credentials."
	case last.IsZero():
		return head + "No CodeDeploy agent has ever polled from it. Is codedeploy-agent installed and running there? Its user data and console output may tell."
	case t.Offers > 0:
		return head + fmt.Sprintf("Its CodeDeploy agent took the command %d times and never acknowledged it; see the agent's log there.", t.Offers)
	}
	return head + "Its CodeDeploy agent last polled at " + last.UTC().Format(time.RFC3339) + "."
}

// nextDeadline returns the first time at which something can become due.
// Whether an agent is lost is looked at now and then.
func nextDeadline(d *deployment, list []*target, now time.Time) time.Time {
	first := d.Started.Add(deploymentTimeout)
	for _, t := range list {
		if t.Status != api.TargetStatusInProgress {
			continue
		}
		due := t.Ready.Add(startTimeout)
		if !t.Acked.IsZero() {
			due = t.Acked.Add(eventTimeout)
		}
		for _, at := range []time.Time{due, now.Add(lostTimeout / 2)} {
			if at.Before(first) {
				first = at
			}
		}
	}
	return first
}

// failStopped fails the targets whose instances have stopped or are gone: no
// agent will say so.
func (s *Service) failStopped(ctx context.Context, k store.Key) {
	active, role, err := s.activeTargets(ctx, k)
	if err != nil || len(active) == 0 {
		return // the next step meets the same error and reports it
	}
	found, why, err := s.describe(ctx, k, role, nil)
	if err != nil || why != nil {
		s.log.Warn("cannot look at the instances of a running deployment", "deployment", k.ID, "error", err, "cause", why)
		return
	}
	states := map[string]string{}
	for _, m := range found {
		states[m.ID] = m.State
	}
	dead := slices.DeleteFunc(active, func(id string) bool { return states[id] == "running" || states[id] == "pending" })
	if len(dead) == 0 {
		return
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		d, err := deployments.Get(tx, k)
		if err != nil || d.ended() {
			return err
		}
		for _, id := range dead {
			if err := s.failDead(tx, k, d, id, states[id]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.log.Error("fail targets whose instances are gone", "deployment", k.ID, "error", err)
	}
}

func (s *Service) failDead(tx *store.Tx, k store.Key, d *deployment, id, state string) error {
	t, err := targets.Get(tx, targetKey(k, d.ID, id))
	if err != nil || t.ended() {
		return err
	}
	if state == "" {
		state = "terminated"
	}
	now := s.clock.Now()
	t.AgentIssue = true
	t.fail(api.LifecycleErrorCodeUnknownError, fmt.Sprintf("Instance %s is %s: nothing can be deployed to it.", id, state), now)
	return s.endTarget(tx, k, d, t, api.TargetStatusFailed, now)
}

// activeTargets returns the instances that the deployment still waits for.
func (s *Service) activeTargets(ctx context.Context, k store.Key) (active []string, role string, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		d, err := deployments.Get(tx, k)
		if err != nil {
			return err
		}
		role = d.Role
		list, err := targetsOf(tx, d.ID)
		for _, t := range list {
			if !t.ended() {
				active = append(active, t.InstanceID)
			}
		}
		return err
	})
	return active, role, err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
