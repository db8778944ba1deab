package codedeploy

import (
	"cmp"
	"context"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// CreateDeployment commits the deployment as Created and answers; the engine
// takes it from there.
func (s *Service) CreateDeployment(ctx context.Context, in *api.CreateDeploymentInput) (*api.CreateDeploymentOutput, error) {
	c := aws.CallFrom(ctx)
	appName, err := checkApplicationName(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	groupName, err := s.checkPlace(ctx, c, appName, in.DeploymentGroupName)
	if err != nil {
		return nil, err
	}
	if err := checkDeployment(in); err != nil {
		return nil, err
	}
	d := &deployment{
		ID: ids.Deployment(), Created: s.clock.Now(), Status: api.DeploymentStatusCreated, Creator: api.DeploymentCreatorUser,
		Revision: in.Revision, Description: aws.Val(in.Description), FileExists: in.FileExistsBehavior,
		IgnoreStopFailures: aws.Val(in.IgnoreApplicationStopFailures), OutdatedOnly: aws.Val(in.UpdateOutdatedInstancesOnly),
	}
	if c.Token != "" {
		// A stack may deploy again with the token it made the group with.
		d.Token = joined(c.Token, revisionID(in.Revision))
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		if d.Token != "" {
			if rows, err := deployments.Lookup(tx, "token", d.Token); err != nil || len(rows) > 0 {
				if len(rows) > 0 {
					d = rows[0].Value
				}
				return err
			}
		}
		return s.placeDeployment(tx, c, d, in, appName, groupName)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateDeploymentOutput{DeploymentId: &d.ID}, nil
}

// checkPlace returns the name of the group that is to be deployed to. Where it is to
// be looked for is complained of before what is to be deployed.
func (s *Service) checkPlace(ctx context.Context, c aws.Call, application string, group *string) (string, error) {
	return view(ctx, s, func(tx *store.Tx) (string, error) {
		app, err := findApplication(tx, c, application)
		if err != nil {
			return "", err
		}
		name, err := checkGroupName(group)
		if err != nil {
			return "", err
		}
		_, err = findGroup(tx, app, name)
		return name, err
	})
}

// placeDeployment resolves the names in the request and stores d.
func (s *Service) placeDeployment(tx *store.Tx, c aws.Call, d *deployment, in *api.CreateDeploymentInput, appName, groupName string) error {
	app, err := findApplication(tx, c, appName)
	if err != nil {
		return err
	}
	g, err := findGroup(tx, app, groupName)
	if err != nil {
		return err
	}
	d.Config = cmp.Or(aws.Val(in.DeploymentConfigName), g.Config)
	if _, err := findConfig(tx, c, d.Config); err != nil {
		return err
	}
	if err := d.chooseStyle(in.TargetInstances, g); err != nil {
		return err
	}
	d.Alarms, d.OverrideAlarms = in.OverrideAlarmConfiguration, in.OverrideAlarmConfiguration != nil
	d.Rollback = g.Rollback
	if in.AutoRollbackConfiguration != nil {
		d.Rollback = in.AutoRollbackConfiguration
	}
	return s.insertDeployment(tx, key(c, d.ID), d, app, g, d.Created)
}

// insertDeployment stores d as the one running deployment of g.
func (s *Service) insertDeployment(tx *store.Tx, k store.Key, d *deployment, app *application, g *group, now time.Time) error {
	running, err := deployments.Lookup(tx, "active", g.ID)
	if err != nil {
		return err
	}
	if len(running) > 0 && d.Scaling == nil {
		return awserr.New("DeploymentLimitExceededException",
			"The Deployment Group '%s' already has an active Deployment '%s'", g.Name, running[0].Value.ID)
	}
	d.ApplicationID, d.ApplicationName, d.GroupID, d.GroupName, d.Role = app.ID, app.Name, g.ID, g.Name, g.Role
	if d.FileExists == "" {
		d.FileExists = api.FileExistsBehaviorDisallow
	}
	if g.LastSuccessful != nil {
		d.Previous = g.LastSuccessful.Revision
	}
	if err := register(tx, k, app.ID, d.Revision, "", now, true); err != nil {
		return err
	}
	d.Balancer = g.balancer()
	if d.Triggers = g.Triggers; !d.OverrideAlarms {
		d.Alarms = g.Alarms
	}
	emit(tx, k, d.ID, "deployment", string(d.Status))
	if err := deployments.Insert(tx, k, d); err != nil {
		return err
	}
	return s.notify(tx, k, d, nil, api.TriggerEventTypeDeploymentStart)
}

func checkDeployment(in *api.CreateDeploymentInput) error {
	if err := checkRevision(in.Revision); err != nil {
		return err
	}
	if len(aws.Val(in.Description)) > 256 {
		return awserr.New("DescriptionTooLongException", "The description is too long.")
	}
	switch in.FileExistsBehavior {
	case "", api.FileExistsBehaviorDisallow, api.FileExistsBehaviorOverwrite, api.FileExistsBehaviorRetain:
	default:
		return awserr.New("InvalidFileExistsBehaviorException", "The fileExistsBehavior %s is invalid. Valid values include \"DISALLOW,\" \"OVERWRITE,\" and \"RETAIN.\"", in.FileExistsBehavior)
	}
	if in.DeploymentConfigName != nil {
		if _, err := checkConfigName(in.DeploymentConfigName); err != nil {
			return err
		}
	}
	if err := checkAlarms(in.OverrideAlarmConfiguration); err != nil {
		return err
	}
	return checkRollback(in.AutoRollbackConfiguration)
}
