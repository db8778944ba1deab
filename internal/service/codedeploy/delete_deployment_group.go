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
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		app, err := findApplication(tx, c, appName)
		if err != nil {
			return ignoreCode(err, "ApplicationDoesNotExistException")
		}
		g, err := findGroup(tx, app, name)
		if err != nil {
			return ignoreCode(err, "DeploymentGroupDoesNotExistException")
		}
		return deleteGroup(tx, key(c, g.ID), g)
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteDeploymentGroupOutput{HooksNotCleanedUp: []api.AutoScalingGroup{}}, nil
}

// deleteGroup deletes the row and asks its running deployment to stop.
func deleteGroup(tx *store.Tx, k store.Key, g *group) error {
	running, err := deployments.Lookup(tx, "active", g.ID)
	if err != nil {
		return err
	}
	for _, r := range running {
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
