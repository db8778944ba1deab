package codedeploy

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// ignoreCode returns err unless it carries the code.
func ignoreCode(err error, code string) error {
	if awserr.Is(err, code) {
		return nil
	}
	return err
}

// DeleteDeploymentGroup deletes a group; a deployment that runs in it is
// stopped. Deleting what does not exist succeeds, as on AWS.
func (s *Service) DeleteDeploymentGroup(ctx context.Context, in *api.DeleteDeploymentGroupInput) (*api.DeleteDeploymentGroupOutput, error) {
	c := aws.CallFrom(ctx)
	appName, err := checkApplicationName(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	name, err := checkGroupName(in.DeploymentGroupName)
	if err != nil {
		return nil, err
	}
	out := &api.DeleteDeploymentGroupOutput{HooksNotCleanedUp: []api.AutoScalingGroup{}}
	g, err := view(ctx, s, func(tx *store.Tx) (*group, error) {
		app, err := findApplication(tx, c, appName)
		if err != nil {
			return nil, ignoreCode(err, "ApplicationDoesNotExistException")
		}
		g, err := findGroup(tx, app, name)
		return g, ignoreCode(err, "DeploymentGroupDoesNotExistException")
	})
	if err != nil || g == nil {
		return out, err
	}
	k := key(c, g.ID)
	out.HooksNotCleanedUp = s.unhookAll(ctx, k, g)
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		g, err := groups.Get(tx, k)
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return deleteGroup(tx, k, g)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// deleteGroup deletes the row and asks its running deployment to stop.
func deleteGroup(tx *store.Tx, k store.Key, g *group) error {
	running, err := deployments.Lookup(tx, "active", g.ID)
	if err != nil {
		return err
	}
	scaled, err := deployments.Lookup(tx, "active", scalingOf(g.ID))
	if err != nil {
		return err
	}
	for _, r := range append(running, scaled...) {
		r.Value.StopAsked, r.Value.StopRollback = true, aws.Ptr(false)
		if err := deployments.Put(tx, r.Key, r.Value); err != nil {
			return err
		}
		emit(tx, r.Key, r.Value.ID, "stop", "deployment group deleted")
	}
	if err := forgetGroupHosts(tx, k); err != nil {
		return err
	}
	emit(tx, k, g.ID, "group", "deleted")
	return groups.Delete(tx, k)
}
