package deploy

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// release deploys the revision and follows it to its end.
func (r *run) release(ctx context.Context) error {
	out, err := r.deploy.CreateDeployment(ctx, &codedeploy.CreateDeploymentInput{
		ApplicationName: &r.Application, DeploymentGroupName: &r.Group, DeploymentConfigName: &r.Config,
		Description: aws.String("hardstand deploy"), FileExistsBehavior: types.FileExistsBehaviorOverwrite,
		Revision: &types.RevisionLocation{RevisionType: types.RevisionLocationTypeS3, S3Location: &types.S3Location{
			Bucket: &r.bucket, Key: &r.key, BundleType: types.BundleTypeZip, ETag: &r.etag,
		}},
	})
	if err != nil {
		return &Failure{Step: "deployment", Cause: "the deployment could not be started", Exit: ExitDeployment, Err: err}
	}
	r.deployment = aws.ToString(out.DeploymentId)
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

// targets returns the instances of a deployment; none before it has begun.
func (r *run) targets(ctx context.Context, id string) ([]types.InstanceTarget, error) {
	ids, err := r.deploy.ListDeploymentTargets(ctx, &codedeploy.ListDeploymentTargetsInput{DeploymentId: &id})
	if errorCode(err) == "DeploymentNotStartedException" {
		return nil, nil
	}
	if err != nil || len(ids.TargetIds) == 0 {
		return nil, err
	}
	out, err := r.deploy.BatchGetDeploymentTargets(ctx, &codedeploy.BatchGetDeploymentTargetsInput{
		DeploymentId: &id, TargetIds: ids.TargetIds[:min(len(ids.TargetIds), maxTargets)],
	})
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

// maxTargets is how many targets one call describes.
const maxTargets = 25

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

// deploymentFailed tells which instance failed first, at which event and script,
// with its last lines; then it waits for the rollback, if there is one, and says
// what serves now.
func (r *run) deploymentFailed(ctx context.Context, info *types.DeploymentInfo) error {
	f := &Failure{Step: "deployment", Exit: ExitDeployment, Cause: fmt.Sprintf("the deployment %s ended as %s", r.deployment, info.Status)}
	code := ""
	if e := info.ErrorInformation; e != nil {
		code = string(e.Code)
		f.Evidence = append(f.Evidence, string(e.Code)+": "+aws.ToString(e.Message))
		f.Fix = errorFix(code)
	}
	if targets, err := r.targets(ctx, r.deployment); err == nil {
		blame(f, targets)
	}
	f.State = r.awaitRollback(ctx, info)
	return f
}

// blame takes cause, evidence and remedy from the first failed lifecycle event.
func blame(f *Failure, targets []types.InstanceTarget) {
	for _, t := range targets {
		for _, e := range t.LifecycleEvents {
			if e.Status != types.LifecycleEventStatusFailed || e.Diagnostics == nil {
				continue
			}
			d := e.Diagnostics
			f.Cause = fmt.Sprintf("%s failed on %s", aws.ToString(e.LifecycleEventName), aws.ToString(t.TargetId))
			if s := aws.ToString(d.ScriptName); s != "" {
				f.Cause += " in " + s
			}
			f.Evidence = append([]string{string(d.ErrorCode) + ": " + aws.ToString(d.Message)}, tail(aws.ToString(d.LogTail), consoleLines)...)
			f.Fix = scriptFix(string(d.ErrorCode), aws.ToString(d.ScriptName))
			return
		}
	}
}

func scriptFix(code, script string) string {
	switch code {
	case "ScriptMissing":
		return "the appspec file names " + script + ", which the archive does not hold: correct one of them"
	case "ScriptNotExecutable":
		return "make " + script + " executable"
	case "ScriptTimedOut":
		return "find out what " + script + " waits for, or give it a longer timeout in the appspec file; a server that it starts must not keep its output open (>/dev/null 2>&1 &)"
	case "ScriptFailed":
		return "correct " + script + " (its last lines are above), then run `hardstand deploy` again"
	}
	return "correct what the message names, then run `hardstand deploy` again"
}

func errorFix(code string) string {
	switch code {
	case "NO_INSTANCES":
		return "no running instance carries the tag: compare --target with the tags in the template"
	case "AGENT_ISSUE":
		return "look whether user data installed the CodeDeploy agent, and whether the instance profile lets it read the archive: `aws ec2 get-console-output`"
	case "IAM_ROLE_MISSING", "IAM_ROLE_PERMISSIONS":
		return "the service role must trust codedeploy.amazonaws.com and carry AWSCodeDeployRole"
	case "REVISION_MISSING":
		return "the instance profile must allow s3:Get* and s3:List* on the bucket of the archive"
	}
	return ""
}

// awaitRollback follows the rollback that CodeDeploy started, and says what stands.
func (r *run) awaitRollback(ctx context.Context, info *types.DeploymentInfo) string {
	id := ""
	err := r.pace.poll(ctx, func() (bool, error) {
		out, err := r.deploy.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: info.DeploymentId})
		if err != nil {
			return false, err
		}
		rb := out.DeploymentInfo.RollbackInfo
		if rb == nil {
			return true, nil
		}
		id = aws.ToString(rb.RollbackDeploymentId)
		return id != "" || aws.ToString(rb.RollbackMessage) != "", nil
	})
	if err != nil || id == "" {
		return "nothing was rolled back: there is no earlier successful deployment"
	}
	r.progress.detail("rolling back: " + id)
	back, err := r.follow(ctx, id)
	if err != nil {
		return "the rollback " + id + " is under way"
	}
	if back.Status != types.DeploymentStatusSucceeded {
		return "the rollback " + id + " ended as " + string(back.Status)
	}
	text := "the previous revision is back (" + id + ")"
	if url, err := r.expandURL(); err == nil && url != "" && probe(ctx, url) == nil {
		text += " and serves at " + url
	}
	return text
}
