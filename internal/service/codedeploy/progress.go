package codedeploy

import (
	"time"

	"github.com/hardstand/hardstand/internal/agent/lifecycle"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/store"
)

// current returns the index of the first event that has not ended, len(Events)
// when all have.
func (t *target) current() int {
	for i := range t.Events {
		switch t.Events[i].Status {
		case api.LifecycleEventStatusPending, api.LifecycleEventStatusInProgress:
			return i
		}
	}
	return len(t.Events)
}

// ready lets the current event be handed out from now on.
func (t *target) ready(now time.Time) {
	t.Ready, t.Acked, t.Longest = now, time.Time{}, 0
}

// began is since when an agent could have polled for the target.
func (t *target) began() time.Time { return later(t.Ready, t.Acked) }

// fail ends the current event as failed, for a reason that no agent reported.
func (t *target) fail(code api.LifecycleErrorCode, message string, now time.Time) {
	i := t.current()
	if i == len(t.Events) {
		return
	}
	e := &t.Events[i]
	if e.Start.IsZero() {
		e.Start = now
	}
	e.Status, e.End, e.Code, e.Message = api.LifecycleEventStatusFailed, now, code, message
}

// putTarget stores t and tells the deployment's worker and watchers.
func (s *Service) putTarget(tx *store.Tx, k store.Key, t *target, kind string, now time.Time) error {
	t.Updated = now
	emit(tx, k, t.DeploymentID, kind, t.InstanceID+" "+string(t.Status))
	return targets.Put(tx, targetKey(k, t.DeploymentID, t.InstanceID), t)
}

// endTarget ends a target: what has not run is skipped, and the host's health
// is noted.
func (s *Service) endTarget(tx *store.Tx, k store.Key, d *deployment, t *target, status api.TargetStatus, now time.Time) error {
	t.Status = status
	for i := t.current(); i < len(t.Events); i++ {
		if t.Events[i].Status == api.LifecycleEventStatusPending || t.Events[i].Status == api.LifecycleEventStatusInProgress {
			t.Events[i].Status = api.LifecycleEventStatusSkipped
		}
	}
	if status != api.TargetStatusSkipped && t.Label != api.TargetLabelBlue && !d.goesBack() { // then it was installed to
		hk := hostKey(k, d.GroupID, t.InstanceID)
		h, err := hosts.Get(tx, hk)
		if isNotFound(err) {
			h, err = &host{}, nil
		}
		if err != nil {
			return err
		}
		h.Failed, h.Ports = status == api.TargetStatusFailed, nil
		if h.Failed {
			h.Ports = t.Ports
		}
		if !h.Failed {
			h.Deployment, h.Revision = d.ID, revisionID(d.Revision)
		}
		if err := hosts.Put(tx, hk, h); err != nil {
			return err
		}
	}
	if err := s.putTarget(tx, k, t, "target", now); err != nil {
		return err
	}
	switch status {
	case api.TargetStatusSucceeded:
		return s.notify(tx, k, d, t, api.TriggerEventTypeInstanceSuccess)
	case api.TargetStatusFailed:
		return s.notify(tx, k, d, t, api.TriggerEventTypeInstanceFailure)
	}
	return nil
}

// complete ends the current event as the agent reported it, and goes on to the
// next one at once, in the same transaction, so that the agent's next poll finds
// it; who completed wakes a poll that is held already.
func (s *Service) complete(tx *store.Tx, k store.Key, d *deployment, t *target, result event, now time.Time) error {
	i := t.current()
	e := &t.Events[i]
	if e.Start.IsZero() {
		e.Start = now
	}
	e.Status, e.End, e.Code, e.Script, e.Message, e.Log = result.Status, now, result.Code, result.Script, result.Message, result.Log
	if e.Status == api.LifecycleEventStatusFailed && !(d.IgnoreStopFailures && lifecycle.FailureIgnorable(e.Name)) {
		return s.endTarget(tx, k, d, t, api.TargetStatusFailed, now)
	}
	if i+1 == len(t.Events) {
		return s.endTarget(tx, k, d, t, api.TargetStatusSucceeded, now)
	}
	if d.StopAsked {
		return s.endTarget(tx, k, d, t, api.TargetStatusFailed, now)
	}
	if d.BlueGreen.holds(t) {
		t.Status = api.TargetStatusReady
		if err := s.putTarget(tx, k, t, "target", now); err != nil {
			return err
		}
		return s.notify(tx, k, d, t, api.TriggerEventTypeInstanceReady)
	}
	t.ready(now)
	if t.inTraffic() {
		return s.putTarget(tx, k, t, "target", now) // the worker's to do
	}
	return s.putTarget(tx, k, t, "event", now)
}
