package codedeploy

import (
	"fmt"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/store"
)

// The time-outs of a deployment. Those of AWS are documented; the others name
// agents that are gone sooner than a script's hour.
const (
	startTimeout      = 5 * time.Minute  // from one event's end to the next one's start (AWS)
	launchTimeout     = time.Hour        // the same for the first event of an instance that an Auto Scaling group launched (AWS)
	eventTimeout      = 70 * time.Minute // of an acknowledged event: an hour, and what an agent needs to say so (AWS)
	reportTimeout     = time.Minute      // for an agent to say that time was over, where it told how long that is
	deploymentTimeout = 8 * time.Hour    // of a deployment in place (AWS)
	blueGreenTimeout  = 48 * time.Hour   // of one with a replacement environment, its waits apart
	lostTimeout       = 3 * time.Minute  // without a poll: official agents back off up to 90 s
	lostOurs          = 10 * time.Second // the same for our agent, which always has a poll open
	lookEvery         = 5 * time.Second  // at agents whose silence means something that soon
)

// expire fails what has waited or run too long.
func (s *Service) expire(tx *store.Tx, k store.Key, d *deployment, r *roster, now time.Time) error {
	list := r.list
	if s.anyDue(k, d, list, now) {
		if err := r.refresh(tx, k); err != nil {
			return err
		}
	}
	if !now.Before(d.deadline()) {
		d.StopAsked = false // the time-out is the cause, whatever was asked
		for _, t := range list {
			if !t.ended() {
				t.fail(api.LifecycleErrorCodeUnknownError, fmt.Sprintf("The deployment did not end within %s.", d.limit()), now)
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
		code := api.LifecycleErrorCodeScriptTimedOut
		if t.Issue = issue; issue != "" {
			code = api.LifecycleErrorCodeUnknownError
		}
		t.fail(code, message, now)
		if err := s.endTarget(tx, k, d, t, api.TargetStatusFailed, now); err != nil {
			return err
		}
	}
	return nil
}

// anyDue reports whether anything may be overdue. A target's limit only moves on:
// where an older state of it is not overdue, the present one is not.
func (s *Service) anyDue(k store.Key, d *deployment, list []*target, now time.Time) bool {
	if !now.Before(d.deadline()) {
		return true
	}
	for _, t := range list {
		if t.Status != api.TargetStatusInProgress {
			continue
		}
		last, limit := s.polls.seen(store.Key{Account: k.Account, Region: k.Region, ID: t.InstanceID}, now)
		if !now.Before(t.limit(last, limit)) {
			return true
		}
	}
	return false
}

// overdue says what is wrong with a target's current event, "" for nothing.
// issue names who is to blame when it is not the application.
func (s *Service) overdue(tx *store.Tx, k store.Key, t *target, now time.Time) (message string, issue api.ErrorCode, err error) {
	if t.inTraffic() {
		return "", "", nil // shiftTraffic watches the time
	}
	name := t.Events[t.current()].Name
	host := store.Key{Account: k.Account, Region: k.Region, ID: t.InstanceID}
	last, limit := s.polls.seen(host, now)
	if now.Before(t.limit(last, limit)) {
		return "", "", nil // the usual case, without a look at the rows
	}
	known, err := agents.Get(tx, host)
	if err != nil && !isNotFound(err) {
		return "", "", err
	}
	lost := !last.IsZero() && !now.Before(later(last, t.began()).Add(limit))
	switch {
	case !t.Acked.IsZero() && !now.Before(t.Acked.Add(t.eventTimeout())):
		return fmt.Sprintf("%s on instance %s did not end within %s.", name, t.InstanceID, t.eventTimeout()), "", nil
	case lost:
		return fmt.Sprintf("The CodeDeploy agent on instance %s is not responding: its last poll %s, %s did not %s. "+
			"Is the instance running, and codedeploy-agent in it (codedeploy-agent status)?",
			t.InstanceID, s.polls.lastPoll(host, now), name, verb(t)), api.ErrorCodeAgentIssue, nil
	case t.Acked.IsZero() && !now.Before(t.Ready.Add(t.startTimeout())):
		lastPoll := ""
		if !last.IsZero() {
			lastPoll = s.polls.lastPoll(host, now)
		}
		return silent(t, name, known, lastPoll, s.polls.offers(host, commandID(t))), api.ErrorCodeAgentIssue, nil
	}
	return "", "", nil
}

// startTimeout is how long the agent may take to begin with the current event.
func (t *target) startTimeout() time.Duration {
	if t.Patient && t.current() == 0 {
		return launchTimeout
	}
	return startTimeout
}

// eventTimeout is how long the current event may take since it was acknowledged.
func (t *target) eventTimeout() time.Duration {
	if t.Longest > 0 {
		return min(t.Longest+reportTimeout, eventTimeout)
	}
	return eventTimeout
}

// limit is the first time at which something can be wrong with a target whose
// agent was alive at last.
func (t *target) limit(last time.Time, silence time.Duration) time.Time {
	if t.inTraffic() {
		return t.Ready.Add(trafficTimeout)
	}
	due := t.Ready.Add(t.startTimeout())
	if !t.Acked.IsZero() {
		due = t.Acked.Add(t.eventTimeout())
	}
	if lost := later(last, t.began()).Add(silence); lost.Before(due) {
		return lost
	}
	return due
}

// limit is how long the deployment may take.
func (d *deployment) limit() time.Duration {
	if d.blueGreen() {
		return blueGreenTimeout
	}
	return deploymentTimeout
}

func (d *deployment) deadline() time.Time { return later(d.Created, d.Started).Add(d.limit()) }

func verb(t *target) string {
	if t.Acked.IsZero() {
		return "start"
	}
	return "end"
}

// silent describes an agent that did not take its event in time.
func silent(t *target, name string, a *agent, lastPoll string, offers int) string {
	head := fmt.Sprintf("%s on instance %s did not start within %s. ", name, t.InstanceID, t.startTimeout())
	switch {
	case a != nil && a.Refused != "" && !a.RefusedAt.Before(t.Ready):
		return head + "Its CodeDeploy agent was refused at " + a.RefusedAt.UTC().Format(time.RFC3339) + ": " + a.Refused
	case lastPoll == "" && !t.Profile:
		return head + "No CodeDeploy agent has ever polled from it. The instance has no IAM instance profile, without which its agent has no credentials."
	case lastPoll == "":
		return head + "No CodeDeploy agent has ever polled from it. Is codedeploy-agent installed and running there? Its user data and console output may tell."
	case offers > 0:
		return head + fmt.Sprintf("Its CodeDeploy agent took the command %d times and never acknowledged it; see the agent's log there.", offers)
	}
	return head + "The last poll of its CodeDeploy agent " + lastPoll + "."
}

// nextDeadline returns the first time at which something can become due.
func (s *Service) nextDeadline(k store.Key, d *deployment, list []*target, now time.Time) time.Time {
	first := d.deadline()
	for _, t := range list {
		if t.Status != api.TargetStatusInProgress {
			continue
		}
		last, limit := s.polls.seen(store.Key{Account: k.Account, Region: k.Region, ID: t.InstanceID}, now)
		at := t.limit(last, limit)
		if !t.inTraffic() && (limit == lostOurs || last.IsZero()) {
			at = now.Add(lookEvery) // its poll may end at any time, or begin
		}
		if at.Before(first) {
			first = at
		}
	}
	return later(first, now.Add(time.Millisecond))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
