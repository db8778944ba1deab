package deploy

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
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
	err = r.patientWithRoles(ctx, func() error { return r.setGroup(ctx, role) })
	var noRole *types.InvalidRoleException
	if errors.As(err, &noRole) {
		return &Failure{Cause: "CodeDeploy cannot use the service role " + role, Exit: ExitDenied, Err: err,
			Fix: "the role must exist, trust codedeploy.amazonaws.com and carry AWSCodeDeployRole"}
	}
	if err != nil {
		return err
	}
	r.progress.detail(r.Application + " / " + r.Group + " (instances with " + r.Target + ")")
	return nil
}

// rolePatience is how long AWS may take to know a new role everywhere.
const rolePatience = 30 * time.Second

// patientWithRoles repeats do while CodeDeploy does not know the role yet that this
// run has made.
func (r *run) patientWithRoles(ctx context.Context, do func() error) error {
	if !r.newRoles || r.endpoint != "" {
		return do()
	}
	end := r.clock.Now().Add(rolePatience)
	return r.pace.poll(ctx, func() (bool, error) {
		var noRole *types.InvalidRoleException
		err := do()
		return err == nil, unless(errors.As(err, &noRole) && r.clock.Now().Before(end), err)
	})
}

// setGroup makes the deployment group or updates it to what the project says.
func (r *run) setGroup(ctx context.Context, role string) error {
	key, value, _ := strings.Cut(r.Target, "=")
	filters := []types.EC2TagFilter{{Key: &key, Value: &value, Type: types.EC2TagFilterTypeKeyAndValue}}
	rollback := &types.AutoRollbackConfiguration{Enabled: true, Events: []types.AutoRollbackEvent{types.AutoRollbackEventDeploymentFailure}}
	_, err := r.deploy.CreateDeploymentGroup(ctx, &codedeploy.CreateDeploymentGroupInput{
		ApplicationName: &r.Application, DeploymentGroupName: &r.Group, ServiceRoleArn: &role,
		Ec2TagFilters: filters, DeploymentConfigName: &r.Config, AutoRollbackConfiguration: rollback,
	})
	var exists *types.DeploymentGroupAlreadyExistsException
	if !errors.As(err, &exists) {
		return err
	}
	if err := r.tellOldTargets(ctx); err != nil {
		return err
	}
	_, err = r.deploy.UpdateDeploymentGroup(ctx, &codedeploy.UpdateDeploymentGroupInput{
		ApplicationName: &r.Application, CurrentDeploymentGroupName: &r.Group, ServiceRoleArn: &role,
		Ec2TagFilters: filters, DeploymentConfigName: &r.Config, AutoRollbackConfiguration: rollback,
	})
	return err
}

// tellOldTargets says so when the group that exists finds its instances by other
// tags than the project's: they get no more deployments. Looking needs a permission
// that deploying does not, so a refusal is nothing to fail for.
func (r *run) tellOldTargets(ctx context.Context) error {
	out, err := r.deploy.GetDeploymentGroup(ctx, &codedeploy.GetDeploymentGroupInput{ApplicationName: &r.Application, DeploymentGroupName: &r.Group})
	if err != nil {
		return unless(errorCode(err) == "AccessDeniedException", err)
	}
	g := out.DeploymentGroupInfo
	if g.Ec2TagSet != nil && len(g.Ec2TagSet.Ec2TagSetList) > 0 {
		return &Failure{Cause: "the deployment group " + r.Group + " exists and finds its instances by groups of tags, which are not this command's", Exit: ExitDeployment,
			Fix: "name another with --group, or remove it: `aws deploy delete-deployment-group`"}
	}
	var old []string
	for _, f := range g.Ec2TagFilters {
		if tag := aws.ToString(f.Key) + "=" + aws.ToString(f.Value); tag != r.Target {
			old = append(old, tag)
		}
	}
	if len(old) > 0 {
		r.progress.item(r.Group, "found instances by "+strings.Join(old, ", ")+" until now, and finds them by "+r.Target+" from now on", done)
	}
	return nil
}
