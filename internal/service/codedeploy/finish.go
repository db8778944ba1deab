package codedeploy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// conclude ends a deployment whose targets allow no more.
func (s *Service) conclude(tx *store.Tx, k store.Key, d *deployment, list []*target, succeeded bool) error {
	if succeeded {
		return s.finish(tx, k, d, api.DeploymentStatusSucceeded, cause{})
	}
	now := s.clock.Now()
	for _, t := range list {
		if !t.ended() { // pending, or ready for traffic that does not come
			if err := s.endTarget(tx, k, d, t, api.TargetStatusSkipped, now); err != nil {
				return err
			}
		}
	}
	return s.finish(tx, k, d, api.DeploymentStatusFailed, failureCause(d, list, now))
}

// tooManyFailed is AWS's sentence for HEALTH_CONSTRAINTS.
const tooManyFailed = "The overall deployment failed because too many individual instances failed deployment, too few healthy instances are available for deployment, " +
	"or some instances in your deployment group are experiencing problems."

// failureCause is AWS's code, with the first failure beside AWS's sentence.
func failureCause(d *deployment, list []*target, now time.Time) cause {
	why := cause{api.ErrorCodeHealthConstraints, tooManyFailed}
	timedOut := !now.Before(d.deadline())
	if timedOut {
		why = cause{api.ErrorCodeTimeout, fmt.Sprintf("The deployment has timed out: it did not end within %s.", d.limit())}
	}
	failed := slices.DeleteFunc(slices.Clone(list), func(t *target) bool { return t.Status != api.TargetStatusFailed })
	if len(failed) == 0 {
		return why
	}
	first := slices.MinFunc(failed, func(a, b *target) int { return a.Updated.Compare(b.Updated) })
	why.message += " First failure: " + first.problem()
	if timedOut {
		return why
	}
	if first.Issue != "" && !slices.ContainsFunc(failed, func(t *target) bool { return t.Issue != first.Issue }) {
		return cause{first.Issue, first.problem()}
	}
	return why
}

// lastLines is how many lines of output a deployment's error carries.
const lastLines = 5

// problem names instance, event, script, exit code and the last lines.
func (t *target) problem() string {
	for _, e := range slices.Backward(t.Events) { // those before were ignored
		if e.Status != api.LifecycleEventStatusFailed {
			continue
		}
		if t.Issue != "" {
			return e.Message
		}
		text := fmt.Sprintf("instance %s, %s", t.InstanceID, e.Name)
		if e.Script != "" {
			text += ", " + e.Script
		}
		text += ": " + string(e.Code) + ": " + strings.TrimSpace(e.Message)
		lines := strings.Split(strings.TrimSpace(e.Log), "\n")
		if lines[0] != "" {
			text += "\n" + strings.Join(lines[max(0, len(lines)-lastLines):], "\n")
		}
		return text
	}
	return "instance " + t.InstanceID
}

// finish ends the deployment, with its consequences for the group: what it now
// runs, and the deployment that rolls this one back.
func (s *Service) finish(tx *store.Tx, k store.Key, d *deployment, status api.DeploymentStatus, why cause) error {
	now := s.clock.Now()
	d.Status, d.Completed, d.ErrorCode, d.ErrorMessage = status, now, why.code, why.message
	emit(tx, k, d.ID, "deployment", string(status)+" "+string(why.code))
	if err := deployments.Put(tx, k, d); err != nil {
		return err
	}
	if err := s.concludeGroup(tx, k, d, now); err != nil {
		return err
	}
	return s.notify(tx, k, d, nil, map[api.DeploymentStatus]api.TriggerEventType{
		api.DeploymentStatusSucceeded: api.TriggerEventTypeDeploymentSuccess, api.DeploymentStatusFailed: api.TriggerEventTypeDeploymentFailure,
		api.DeploymentStatusStopped: api.TriggerEventTypeDeploymentStop,
	}[status])
}

// concludeGroup notes in the group how the deployment ended.
func (s *Service) concludeGroup(tx *store.Tx, k store.Key, d *deployment, now time.Time) error {
	status := d.Status
	gk := store.Key{Account: k.Account, Region: k.Region, ID: d.GroupID}
	g, err := groups.Get(tx, gk)
	if isNotFound(err) {
		return forgetGroupHosts(tx, gk)
	}
	if err != nil {
		return err
	}
	if d.Scaling != nil {
		if status == api.DeploymentStatusSucceeded {
			return s.updateOutdated(tx, k, d, g, now)
		}
		return nil
	}
	last := &lastDeployment{ID: d.ID, Status: status, Created: d.Created, Ended: now, Revision: d.Revision, FileExists: d.FileExists}
	g.LastAttempted = last
	if status == api.DeploymentStatusSucceeded && !(d.goesBack() && g.LastSuccessful == nil) {
		g.LastSuccessful = last
	}
	if err := groups.Put(tx, gk, g); err != nil {
		return err
	}
	switch {
	case status == api.DeploymentStatusSucceeded:
		return s.updateOutdated(tx, k, d, g, now)
	case d.wantsRollback():
		return s.rollBack(tx, k, d, g, now)
	}
	return nil
}

// wantsRollback reports whether the end of d calls for going back. A rollback is
// not itself rolled back.
func (d *deployment) wantsRollback() bool {
	if d.Creator == api.DeploymentCreatorCodeDeployRollback {
		return false
	}
	when := api.AutoRollbackEventDeploymentFailure
	if d.Status == api.DeploymentStatusStopped {
		if d.StopRollback != nil {
			return *d.StopRollback
		}
		when = api.AutoRollbackEventDeploymentStopOnRequest
		if d.StopMessage != "" {
			when = api.AutoRollbackEventDeploymentStopOnAlarm
		}
	}
	return d.Rollback != nil && aws.Val(d.Rollback.Enabled) && slices.Contains(d.Rollback.Events, when)
}

// rollBack deploys the group's last successful revision again.
func (s *Service) rollBack(tx *store.Tx, k store.Key, d *deployment, g *group, now time.Time) error {
	good := g.LastSuccessful
	app, err := applications.Get(tx, store.Key{Account: k.Account, Region: k.Region, ID: d.ApplicationID})
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case d.blueGreen() && !d.BlueGreen.Released:
		d.RollbackMessage = "No rollback: no traffic was taken from the original instances."
		return deployments.Put(tx, k, d)
	case d.blueGreen():
		if good == nil { // the original instances run what CodeDeploy does not know
			good = &lastDeployment{Revision: d.Revision, FileExists: d.FileExists}
		}
	case good == nil:
		d.RollbackMessage = "No rollback: the deployment group has no earlier successful deployment."
		return deployments.Put(tx, k, d)
	}
	r := &deployment{
		ID: ids.Deployment(), Created: now, Status: api.DeploymentStatusCreated, Creator: api.DeploymentCreatorCodeDeployRollback,
		Revision: good.Revision, FileExists: good.FileExists, Config: d.Config, IgnoreStopFailures: d.IgnoreStopFailures,
		RollbackOf: d.ID, Balancer: d.Balancer, Description: "Rollback of deployment " + d.ID + " to the revision of " + good.ID,
	}
	if d.blueGreen() {
		r.BlueGreen, r.Config = &blueGreen{Back: true}, allAtOnce
		r.Description = "Rollback of deployment " + d.ID + " to its original instances"
	}
	r.RollbackMessage = fmt.Sprintf("Deployment %s is triggered to roll back deployment %s.", r.ID, d.ID)
	rk := store.Key{Account: k.Account, Region: k.Region, ID: r.ID}
	if err := s.insertDeployment(tx, rk, r, app, g, now); err != nil {
		return err
	}
	d.RollbackID, d.RollbackMessage = r.ID, fmt.Sprintf("Deployment %s terminated. Automatic rollback is triggered with a DeploymentId %s.", d.ID, r.ID)
	return deployments.Put(tx, k, d)
}
