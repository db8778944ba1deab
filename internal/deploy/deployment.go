package deploy

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// deploymentSpec is a deployment as it is to be. Without config it is the group's.
type deploymentSpec struct {
	revision    *types.RevisionLocation
	config      *string
	description string
	// patient: a deployment that runs in the group is waited for.
	patient bool
}

// release deploys the project's archive.
func (r *run) release(ctx context.Context) error {
	return r.releaseRevision(ctx, deploymentSpec{
		revision: &types.RevisionLocation{RevisionType: types.RevisionLocationTypeS3, S3Location: &types.S3Location{
			Bucket: &r.bucket, Key: &r.key, BundleType: types.BundleTypeZip, ETag: &r.etag,
		}},
		config: &r.Config, description: "hardstand deploy", patient: true,
	})
}

// releaseRevision deploys a revision and follows it to its end.
func (r *run) releaseRevision(ctx context.Context, spec deploymentSpec) error {
	if err := r.createDeployment(ctx, spec); err != nil {
		return err
	}
	r.progress.detail(r.deployment)
	info, err := r.follow(ctx, r.deployment)
	if err != nil {
		return err
	}
	if info.Status != types.DeploymentStatusSucceeded {
		return r.deploymentFailed(ctx, info)
	}
	r.progress.detail(r.deployment + " " + string(info.Status))
	return nil
}

// createDeployment starts the deployment; CodeDeploy has one at a time in a group.
func (r *run) createDeployment(ctx context.Context, spec deploymentSpec) error {
	return r.pace.poll(ctx, func() (bool, error) {
		out, err := r.deploy.CreateDeployment(ctx, &codedeploy.CreateDeploymentInput{
			ApplicationName: &r.Application, DeploymentGroupName: &r.Group, DeploymentConfigName: spec.config,
			Description: &spec.description, FileExistsBehavior: types.FileExistsBehaviorOverwrite, Revision: spec.revision,
		})
		var busy *types.DeploymentLimitExceededException
		if spec.patient && errors.As(err, &busy) && strings.Contains(busy.ErrorMessage(), "already has an active Deployment") {
			r.progress.detail("waiting: " + busy.ErrorMessage())
			return false, nil
		}
		if err != nil {
			return false, &Failure{Cause: "the deployment could not be started", Exit: ExitDeployment, Err: err}
		}
		r.deployment = aws.ToString(out.DeploymentId)
		return true, nil
	})
}

var resting = []types.DeploymentStatus{types.DeploymentStatusSucceeded, types.DeploymentStatusFailed, types.DeploymentStatusStopped}

// follow shows a deployment's lifecycle events until it rests.
func (r *run) follow(ctx context.Context, id string) (*types.DeploymentInfo, error) {
	var info *types.DeploymentInfo
	err := r.pace.poll(ctx, func() (bool, error) {
		out, err := r.deploy.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: &id})
		if err != nil {
			return false, err
		}
		info = out.DeploymentInfo
		targets, err := r.targets(ctx, id)
		if err != nil {
			return false, err
		}
		for _, t := range targets {
			r.showTarget(t)
		}
		return slices.Contains(resting, info.Status), nil
	})
	return info, err
}

// maxTargets is how many targets one call describes.
const maxTargets = 25

// targets returns the instances of a deployment; none before it has begun.
func (r *run) targets(ctx context.Context, id string) ([]types.InstanceTarget, error) {
	var list []types.InstanceTarget
	in := &codedeploy.ListDeploymentTargetsInput{DeploymentId: &id}
	for {
		page, err := r.deploy.ListDeploymentTargets(ctx, in)
		if errorCode(err) == "DeploymentNotStartedException" {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for ids := range slices.Chunk(page.TargetIds, maxTargets) {
			some, err := r.describeTargets(ctx, id, ids)
			if err != nil {
				return nil, err
			}
			list = append(list, some...)
		}
		if page.NextToken == nil {
			return list, nil
		}
		in.NextToken = page.NextToken
	}
}

func (r *run) describeTargets(ctx context.Context, id string, ids []string) ([]types.InstanceTarget, error) {
	out, err := r.deploy.BatchGetDeploymentTargets(ctx, &codedeploy.BatchGetDeploymentTargetsInput{DeploymentId: &id, TargetIds: ids})
	if err != nil {
		return nil, err
	}
	var list []types.InstanceTarget
	for _, t := range out.DeploymentTargets {
		if t.InstanceTarget != nil {
			list = append(list, *t.InstanceTarget)
		}
	}
	return list, nil
}

func (r *run) showTarget(t types.InstanceTarget) {
	text, st := string(t.Status), running
	for _, e := range t.LifecycleEvents {
		if e.Status == types.LifecycleEventStatusInProgress || e.Status == types.LifecycleEventStatusFailed {
			text = aws.ToString(e.LifecycleEventName) + " " + string(e.Status)
		}
	}
	switch t.Status {
	case types.TargetStatusSucceeded, types.TargetStatusSkipped:
		st = done
	case types.TargetStatusFailed, types.TargetStatusUnknown:
		st = failed
	}
	r.progress.item(aws.ToString(t.TargetId), text, st)
}
