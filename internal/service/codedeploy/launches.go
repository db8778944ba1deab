package codedeploy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// Instances that an Auto Scaling group launches wait at CodeDeploy's hook:
//
//	Auto Scaling: Pending:Wait       an event; followScaling looks
//	a deployment of one instance     of the last successful revision, creator autoscaling
//	while it runs                    a heartbeat every five minutes
//	its end                          CONTINUE, or ABANDON: Auto Scaling terminates it
//
// Those that end wait in Terminating:Wait while ApplicationStop runs, where the
// group asks for that. Such deployments run beside the group's others.

// scaling is what a deployment to one instance of an Auto Scaling group has to
// report, and to whom.
type scaling struct {
	Group, Instance, Hook string
	// Beat is when Auto Scaling heard last; Reported that it knows the end, or waits
	// for it no longer; Tried when it could not be told.
	Beat     time.Time
	Reported bool      `json:",omitempty"`
	Tried    time.Time `json:",omitzero"`
}

const (
	beatEvery = 5 * time.Minute // AWS's interval of heartbeats
	// An end that could not be told, because the role may not, is told again so often,
	// for as long as a hook may wait without a heartbeat.
	tellEvery   = time.Minute
	longestHook = 2 * time.Hour
)

// launch reports whether the deployment is to an instance that was launched.
func (d *deployment) launch() bool {
	return d.Scaling != nil && d.Creator == api.DeploymentCreatorAutoscaling
}

func aboutScaling(k store.Key) store.Filter {
	return store.Filter{Account: k.Account, Region: k.Region, Service: "autoscaling"}
}

// followScaling deploys to instances of Auto Scaling groups as they come and go,
// until ctx ends.
func (s *Service) followScaling(ctx context.Context) error {
	for {
		moved := s.db.Changed(store.Filter{Service: "autoscaling"})
		mine := s.db.Changed(store.Filter{Service: "codedeploy", Kind: "group"})
		ended := s.db.Changed(store.Filter{Service: "codedeploy", Kind: "deployment"})
		again, err := s.lookAtScaling(ctx)
		if err != nil {
			return err
		}
		due, err := s.reportScaling(ctx)
		if err != nil {
			return err
		}
		due = sooner(due, again)
		var timer <-chan time.Time
		if !due.IsZero() {
			timer = s.clock.After(due.Sub(s.clock.Now()))
			if !s.clock.Now().Before(due) {
				continue // the clock was moved while the timer was set
			}
		}
		select {
		case <-moved:
		case <-mine:
		case <-ended:
		case <-timer:
		case <-ctx.Done():
			return nil
		}
	}
}

// sooner returns the earlier of two times, of which zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// lookAtScaling meets the hooks and instances of all groups that have some; it returns
// when to look again though nothing happens.
func (s *Service) lookAtScaling(ctx context.Context) (again time.Time, err error) {
	rows, err := view(ctx, s, func(tx *store.Tx) ([]store.Row[group], error) { return groups.Lookup(tx, "scaling", "yes") })
	if err != nil {
		return again, err
	}
	for _, r := range rows {
		g := r.Value
		_, busy := s.hooking.Load(r.Key) // an operation sees to the hooks itself
		if !busy && g.hooksDiffer() {
			if _, err := s.rehook(ctx, r.Key); err != nil && ctx.Err() == nil {
				s.log.Warn("cannot put lifecycle hooks", "group", g.Name, "error", err)
			}
		}
		list, why, err := s.describeScaling(ctx, r.Key, g.Role, g.scalingNames())
		if err != nil {
			return again, err
		}
		if why != nil {
			s.log.Warn("cannot look at Auto Scaling groups", "group", g.Name, "cause", why.message)
		}
		for _, one := range list {
			met, err := s.meet(ctx, r.Key, g, one)
			if err != nil {
				return again, err
			}
			if !met {
				again = s.clock.Now().Add(tellEvery)
			}
		}
	}
	return again, nil
}

// meet begins the deployments that the instances of one Auto Scaling group wait for;
// false when one waits for nothing and could not be told so.
func (s *Service) meet(ctx context.Context, k store.Key, g *group, a autoscaling.AutoScalingGroup) (met bool, err error) {
	met = true
	i := slices.IndexFunc(g.Scaling, func(one scalingGroup) bool { return one.Name == aws.Val(a.AutoScalingGroupName) })
	if i < 0 {
		return met, nil
	}
	for _, inst := range a.Instances {
		sc := &scaling{Group: g.Scaling[i].Name, Instance: aws.Val(inst.InstanceId)}
		creator := api.DeploymentCreatorAutoscaling
		switch inst.LifecycleState {
		case autoscaling.LifecycleStatePendingWait:
			sc.Hook = g.Scaling[i].Hook
		case autoscaling.LifecycleStateTerminatingWait:
			sc.Hook, creator = g.Scaling[i].TerminationHook, api.DeploymentCreatorAutoscalingTermination
		}
		if sc.Hook == "" {
			continue
		}
		done, err := s.deployTo(ctx, k, sc, creator)
		if err != nil {
			return met, err
		}
		met = met && done
	}
	return met, nil
}

// deployTo begins the deployment to one instance, once. A group without a successful
// revision has nothing to deploy: the instance goes on, unless Auto Scaling could not
// be told (false).
func (s *Service) deployTo(ctx context.Context, k store.Key, sc *scaling, creator api.DeploymentCreator) (done bool, err error) {
	now := s.clock.Now()
	// Alarms do not stop it: Auto Scaling would launch the next instance at once.
	d := &deployment{ID: ids.Deployment(), Created: now, Status: api.DeploymentStatusCreated, Creator: creator, Scaling: sc, OverrideAlarms: true,
		Config: oneAtATime, Token: joined("scaling", k.ID, sc.Instance, string(creator))}
	sc.Beat = now
	nothing, role := false, ""
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		nothing = false
		if rows, err := deployments.Lookup(tx, "token", d.Token); err != nil || len(rows) > 0 {
			return err
		}
		g, err := groups.Get(tx, k)
		if err != nil {
			return err
		}
		if role = g.Role; g.LastSuccessful == nil {
			nothing = true
			return nil
		}
		app, err := applications.Get(tx, store.Key{Account: k.Account, Region: k.Region, ID: g.ApplicationID})
		if err != nil {
			return err
		}
		d.Revision, d.FileExists = g.LastSuccessful.Revision, g.LastSuccessful.FileExists
		return s.insertDeployment(tx, store.Key{Account: k.Account, Region: k.Region, ID: d.ID}, d, app, g, now)
	})
	if isNotFound(err) {
		return true, nil // the group was deleted meanwhile
	}
	if nothing {
		return s.endAction(ctx, k, role, sc, true)
	}
	return true, err
}

// reportScaling tells Auto Scaling what became of the deployments it waits for, and
// that the others go on; it returns when the next heartbeat is due.
func (s *Service) reportScaling(ctx context.Context) (due time.Time, err error) {
	rows, err := view(ctx, s, func(tx *store.Tx) ([]store.Row[deployment], error) {
		return deployments.Lookup(tx, "scaling", "unreported")
	})
	if err != nil {
		return due, err
	}
	for _, r := range rows {
		next, err := s.report(ctx, r.Key, r.Value)
		if err != nil {
			return due, err
		}
		due = sooner(due, next)
	}
	return due, nil
}

// report tells Auto Scaling of one deployment, when that is due; it returns when it is
// again.
func (s *Service) report(ctx context.Context, k store.Key, d *deployment) (next time.Time, err error) {
	now, sc := s.clock.Now(), *d.Scaling
	next = sc.Beat.Add(beatEvery)
	if d.ended() {
		next = sc.Tried.Add(tellEvery)
	}
	if now.Before(next) {
		return next, nil
	}
	if d.ended() {
		ok := d.Status == api.DeploymentStatusSucceeded || !d.launch()
		sc.Reported, err = s.endAction(ctx, k, d.Role, d.Scaling, ok)
		if sc.Tried, next = now, now.Add(tellEvery); sc.Reported || !next.Before(d.Completed.Add(longestHook)) {
			sc.Reported, next = true, time.Time{}
		}
	} else {
		err = s.beat(ctx, k, d)
		sc.Beat, next = now, now.Add(beatEvery)
	}
	if err != nil {
		return next, err
	}
	return next, s.db.Update(ctx, func(tx *store.Tx) error {
		d, err := deployments.Get(tx, k)
		if err != nil {
			return err
		}
		d.Scaling = &sc
		return deployments.Put(tx, k, d)
	})
}

// endAction ends an instance's wait at the hook; told is false where the role may not.
// That the instance does not wait any more is none of CodeDeploy's business.
func (s *Service) endAction(ctx context.Context, k store.Key, role string, sc *scaling, ok bool) (told bool, err error) {
	ctx, why := s.asRole(ctx, k, role, "CompleteLifecycleAction")
	if why != nil {
		s.log.Warn("cannot end a lifecycle action", "group", sc.Group, "instance", sc.Instance, "cause", why.message)
		return false, nil
	}
	result := "ABANDON"
	if ok {
		result = "CONTINUE"
	}
	_, err = wire.Call[autoscaling.CompleteLifecycleActionOutput](ctx, s.invoker, "autoscaling", "CompleteLifecycleAction", &autoscaling.CompleteLifecycleActionInput{
		AutoScalingGroupName: &sc.Group, LifecycleHookName: &sc.Hook, InstanceId: &sc.Instance, LifecycleActionResult: &result})
	return !isRefused(err), s.scalingTold(err, sc)
}

// scalingTold lets errors pass that are the server's own.
func (s *Service) scalingTold(err error, sc *scaling) error {
	if err == nil || awserr.As(err) == nil && !isDenied(err) {
		return err
	}
	s.log.Info("a lifecycle action does not take the report", "group", sc.Group, "instance", sc.Instance, "error", err)
	return nil
}

func (s *Service) beat(ctx context.Context, k store.Key, d *deployment) error {
	ctx, why := s.asRole(ctx, k, d.Role, "RecordLifecycleActionHeartbeat")
	if why != nil {
		return nil
	}
	_, err := wire.Call[autoscaling.RecordLifecycleActionHeartbeatOutput](ctx, s.invoker, "autoscaling", "RecordLifecycleActionHeartbeat",
		&autoscaling.RecordLifecycleActionHeartbeatInput{AutoScalingGroupName: &d.Scaling.Group, LifecycleHookName: &d.Scaling.Hook, InstanceId: &d.Scaling.Instance})
	return s.scalingTold(err, d.Scaling)
}

// updateOutdated deploys the group's revision to instances that were launched while
// it was being deployed, and got the one before it. d has just ended well.
func (s *Service) updateOutdated(tx *store.Tx, k store.Key, d *deployment, g *group, now time.Time) error {
	if g.Outdated == api.OutdatedInstancesStrategyIgnore || len(g.Scaling) == 0 || g.LastSuccessful == nil || d.Creator == api.DeploymentCreatorCodeDeployAutoUpdate {
		return nil
	}
	outdated, err := s.launchedOutdated(tx, k, d, g)
	if err != nil || !outdated {
		return err
	}
	if running, err := deployments.Lookup(tx, "active", g.ID); err != nil || len(running) > 0 {
		return err
	}
	app, err := applications.Get(tx, store.Key{Account: k.Account, Region: k.Region, ID: g.ApplicationID})
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	root := store.Key{Account: k.Account, Region: k.Region, ID: g.LastSuccessful.ID}
	u := &deployment{ID: ids.Deployment(), Created: now, Status: api.DeploymentStatusCreated, Creator: api.DeploymentCreatorCodeDeployAutoUpdate,
		Revision: g.LastSuccessful.Revision, FileExists: g.LastSuccessful.FileExists, Config: g.Config, OutdatedOnly: true,
		UpdateOf: root.ID, Description: fmt.Sprintf("Update of instances that were launched during deployment %s", root.ID)}
	if err := s.insertDeployment(tx, store.Key{Account: k.Account, Region: k.Region, ID: u.ID}, u, app, g, now); err != nil {
		return err
	}
	r, err := deployments.Get(tx, root)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	r.Updates = append(r.Updates, u.ID)
	return deployments.Put(tx, root, r)
}

// launchedOutdated reports whether instances that were launched during the group's
// last deployment, which d was or ran beside, have another revision than the group.
func (s *Service) launchedOutdated(tx *store.Tx, k store.Key, d *deployment, g *group) (bool, error) {
	if d.Scaling != nil {
		return d.outdated(tx, k, g)
	}
	// A launch that ended meanwhile may have begun before d.
	rows, err := deployments.Range(tx, "group", joined(g.ID, d.Created.Add(-deploymentTimeout).UTC().Format(sortable)), g.ID+"\x01", 0, false)
	for _, r := range rows {
		if l := r.Value; err == nil && !l.Completed.Before(d.Created) {
			if outdated, err := l.outdated(tx, k, g); outdated || err != nil {
				return outdated, err
			}
		}
	}
	return false, err
}

// outdated reports whether the instance that d was the launch of, and that is still
// there, has another revision than its group.
func (d *deployment) outdated(tx *store.Tx, k store.Key, g *group) (bool, error) {
	if !d.launch() || d.Status != api.DeploymentStatusSucceeded {
		return false, nil
	}
	h, err := hosts.Get(tx, hostKey(k, g.ID, d.Scaling.Instance))
	if isNotFound(err) {
		return false, nil
	}
	return err == nil && !h.Failed && h.Revision != revisionID(g.LastSuccessful.Revision), err
}
