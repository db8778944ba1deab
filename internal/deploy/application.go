package deploy

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// register makes the application and its deployment group, or brings the group up
// to date. A failed deployment rolls back to the last good revision, so that the
// old version serves on.
func (r *run) register(ctx context.Context) error {
	_, err := r.deploy.CreateApplication(ctx, &codedeploy.CreateApplicationInput{ApplicationName: &r.Application})
	var exists *types.ApplicationAlreadyExistsException
	if err != nil && !errors.As(err, &exists) {
		return err
	}
	role := r.ServiceRole
	if !strings.HasPrefix(role, "arn:") {
		role = "arn:aws:iam::" + r.account + ":role/" + role
	}
	key, value, _ := strings.Cut(r.Target, "=")
	filters := []types.EC2TagFilter{{Key: &key, Value: &value, Type: types.EC2TagFilterTypeKeyAndValue}}
	rollback := &types.AutoRollbackConfiguration{Enabled: true, Events: []types.AutoRollbackEvent{types.AutoRollbackEventDeploymentFailure}}
	_, err = r.deploy.CreateDeploymentGroup(ctx, &codedeploy.CreateDeploymentGroupInput{
		ApplicationName: &r.Application, DeploymentGroupName: &r.Group, ServiceRoleArn: &role,
		Ec2TagFilters: filters, DeploymentConfigName: &r.Config, AutoRollbackConfiguration: rollback,
	})
	var groupExists *types.DeploymentGroupAlreadyExistsException
	if errors.As(err, &groupExists) {
		_, err = r.deploy.UpdateDeploymentGroup(ctx, &codedeploy.UpdateDeploymentGroupInput{
			ApplicationName: &r.Application, CurrentDeploymentGroupName: &r.Group, ServiceRoleArn: &role,
			Ec2TagFilters: filters, DeploymentConfigName: &r.Config, AutoRollbackConfiguration: rollback,
		})
	}
	var noRole *types.InvalidRoleException
	if errors.As(err, &noRole) {
		return &Failure{Step: "application", Cause: "CodeDeploy cannot use the service role " + role, Exit: ExitDenied, Err: err,
			Fix: "the role must exist, trust codedeploy.amazonaws.com and carry AWSCodeDeployRole"}
	}
	if err != nil {
		return err
	}
	r.progress.detail(r.Application + " / " + r.Group + " (instances with " + r.Target + ")")
	return nil
}
