package codedeploy

import (
	"fmt"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/store"
)

// step makes every transition that is due. It is called in a transaction, again
// and again; it must not care how often.
func (s *Service) step(tx *store.Tx, k store.Key, r *roster) (due time.Time, ended bool, err error) {
	d, err := deployments.Get(tx, k)
	if err != nil || d.ended() {
		return due, true, err
	}
	list, err := r.read(tx, k)
	if err != nil {
		return due, false, err
	}
	now := s.clock.Now()
	if err := s.expire(tx, k, d, r, now); err != nil {
		return due, false, err
	}
	if d.StopAsked {
		if err := r.refresh(tx, k); err != nil {
			return due, false, err
		}
		return s.stopping(tx, k, d, list, now)
	}
	if d.blueGreen() {
		return s.stepBlueGreen(tx, k, d, list, now)
	}
	next, due, err := s.roll(tx, k, d, list, now)
	if err != nil || !next.End {
		return due, false, err
	}
	return due, true, s.conclude(tx, k, d, list, next.Succeeded)
}

// roll begins with as many pending targets as may begin now. The decision it
// acted on says whether the deployment to them has ended.
func (s *Service) roll(tx *store.Tx, k store.Key, d *deployment, list []*target, now time.Time) (next decision, due time.Time, err error) {
	next = allowed(d, list, now)
	due, err = s.beginSome(tx, k, d, list, next, api.TargetStatusPending, now)
	return next, due, err
}

// beginSome begins with as many targets of the status as the decision allows, and
// returns when something is due next.
func (s *Service) beginSome(tx *store.Tx, k store.Key, d *deployment, list []*target, next decision, from api.TargetStatus, now time.Time) (due time.Time, err error) {
	if next.End {
		return due, nil
	}
	begin, waits := next.Start, false
	for _, t := range list {
		if begin == 0 || t.Status != from || !next.in(t) {
			continue
		}
		busy, err := taken(tx, k, d, t)
		if err != nil {
			return due, err
		}
		if busy {
			waits = true
			continue
		}
		begin--
		if err := s.start(tx, k, d, t, now); err != nil {
			return due, err
		}
	}
	due = s.nextDeadline(k, d, list, now)
	if again := now.Add(lookEvery); waits && again.Before(due) {
		due = again
	}
	if !next.Wait.IsZero() && next.Wait.Before(due) {
		due = next.Wait
	}
	return due, nil
}

// taken reports whether another deployment of the group is at work on t's host: one
// for an instance that ends runs beside the group's own, and the events of two would
// mix there.
func taken(tx *store.Tx, k store.Key, d *deployment, t *target) (bool, error) {
	rows, err := targets.Lookup(tx, "host", joined(k.Account, k.Region, t.InstanceID))
	if err != nil {
		return false, err
	}
	for _, r := range rows {
		if r.Value.DeploymentID == d.ID {
			continue
		}
		other, err := deployments.Get(tx, store.Key{Account: k.Account, Region: k.Region, ID: r.Value.DeploymentID})
		if err != nil && !isNotFound(err) {
			return false, err
		}
		if err == nil && other.GroupID == d.GroupID && !other.ended() {
			return true, nil
		}
	}
	return false, nil
}

func (h *health) count(t *target) {
	switch t.Status {
	case api.TargetStatusPending:
		h.Pending++
	case api.TargetStatusInProgress:
		h.InProgress++
	case api.TargetStatusSucceeded, api.TargetStatusReady:
		h.Succeeded++
	default:
		h.Failed++
	}
}

// start begins with a pending target: its first event may be handed out.
func (s *Service) start(tx *store.Tx, k store.Key, d *deployment, t *target, now time.Time) error {
	again := t.Status == api.TargetStatusReady
	t.Status = api.TargetStatusInProgress
	t.ready(now)
	emit(tx, k, t.InstanceID, "command", "a lifecycle event is ready")
	if err := s.putTarget(tx, k, t, "target", now); err != nil || again {
		return err
	}
	return s.notify(tx, k, d, t, api.TriggerEventTypeInstanceStart)
}

func (d *deployment) stopCause() cause {
	if d.ReadyTimeout {
		wait, _ := d.BlueGreen.readyWait()
		return cause{api.ErrorCodeTimeout, fmt.Sprintf("The deployment was stopped because it was not continued within %s of being ready.", wait)}
	}
	if d.StopMessage != "" {
		return cause{d.StopCode, d.StopMessage}
	}
	return cause{api.ErrorCodeManualStop, "The deployment was stopped by a user or by an associated action."}
}

// stopping ends a deployment that was asked to stop: what runs is let finish.
func (s *Service) stopping(tx *store.Tx, k store.Key, d *deployment, list []*target, now time.Time) (due time.Time, ended bool, err error) {
	running := false
	for _, t := range list {
		if t.ended() {
			continue
		}
		if t.Status == api.TargetStatusInProgress && !t.Acked.IsZero() && !t.inTraffic() {
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
		return s.nextDeadline(k, d, list, now), false, nil
	}
	return due, true, s.finish(tx, k, d, api.DeploymentStatusStopped, d.stopCause())
}
