package deploy

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// groupState is what happened last in a deployment group.
type groupState struct {
	info *types.DeploymentGroupInfo // nil: there is no such group
	// attempted is what somebody wanted last, whether it runs or has ended; rollback
	// what CodeDeploy deployed because that failed.
	attempted, rollback *types.DeploymentInfo
	successful          *types.DeploymentInfo
	// Why the group, or one of its deployments, is not known.
	groupUnread, deploymentUnread, runningUnread string
}

func (g *groupState) unread() string {
	if g.groupUnread != "" {
		return g.groupUnread
	}
	return g.deploymentUnread
}

// deploymentGroup returns the project's group, or nil when there is none.
func (r *run) deploymentGroup(ctx context.Context) (*types.DeploymentGroupInfo, error) {
	out, err := r.deploy.GetDeploymentGroup(ctx, &codedeploy.GetDeploymentGroupInput{ApplicationName: &r.Application, DeploymentGroupName: &r.Group})
	if isNoGroup(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return out.DeploymentGroupInfo, nil
}

func isNoGroup(err error) bool {
	switch errorCode(err) {
	case "ApplicationDoesNotExistException", "DeploymentGroupDoesNotExistException":
		return true
	}
	return false
}

func (r *run) deploymentInfo(ctx context.Context, id *string) (*types.DeploymentInfo, error) {
	out, err := r.deploy.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: id})
	if err != nil {
		return nil, err
	}
	return out.DeploymentInfo, nil
}

var moving = []types.DeploymentStatus{
	types.DeploymentStatusCreated, types.DeploymentStatusQueued, types.DeploymentStatusInProgress, types.DeploymentStatusBaking, types.DeploymentStatusReady,
}

// runningDeployment returns the deployment that runs in the group, nil for none.
// Those that Auto Scaling starts for a new instance run beside it and do not count.
func (r *run) runningDeployment(ctx context.Context) (*types.DeploymentInfo, error) {
	pages := codedeploy.NewListDeploymentsPaginator(r.deploy, &codedeploy.ListDeploymentsInput{
		ApplicationName: &r.Application, DeploymentGroupName: &r.Group, IncludeOnlyStatuses: moving,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, id := range page.Deployments {
			d, err := r.deploymentInfo(ctx, &id)
			if err != nil {
				return nil, err
			}
			if d.Creator != types.DeploymentCreatorAutoscaling && slices.Contains(moving, d.Status) {
				return d, nil
			}
		}
	}
	return nil, nil
}

// cause returns the deployment that d rolls back, nil when d is no rollback of
// CodeDeploy's.
func (r *run) cause(ctx context.Context, d *types.DeploymentInfo) (*types.DeploymentInfo, error) {
	if d.RollbackInfo == nil || aws.ToString(d.RollbackInfo.RollbackTriggeringDeploymentId) == "" {
		return nil, nil
	}
	return r.deploymentInfo(ctx, d.RollbackInfo.RollbackTriggeringDeploymentId)
}

// lastAttempt tells the last deployment that somebody wanted from CodeDeploy's
// rollback of it.
func (g *groupState) lastAttempt(ctx context.Context, r *run, last *types.DeploymentInfo) error {
	wanted, err := r.cause(ctx, last)
	if err != nil {
		return err
	}
	if g.attempted = last; wanted != nil {
		g.attempted, g.rollback = wanted, last
	}
	return nil
}

// revisionName is a revision as a person tells it from another.
func revisionName(l *types.RevisionLocation) string {
	switch {
	case l == nil:
		return ""
	case l.S3Location != nil:
		name := "s3://" + aws.ToString(l.S3Location.Bucket) + "/" + aws.ToString(l.S3Location.Key)
		if v := aws.ToString(l.S3Location.Version); v != "" {
			name += " version " + v
		}
		return name
	case l.GitHubLocation != nil:
		return "github.com/" + aws.ToString(l.GitHubLocation.Repository) + " " + aws.ToString(l.GitHubLocation.CommitId)
	}
	return string(l.RevisionType)
}

// revisionID is what two deployments of the same revision have in common: the same
// key may have held other bytes.
func revisionID(l *types.RevisionLocation) string {
	if l != nil && l.S3Location != nil {
		return revisionName(l) + " " + aws.ToString(l.S3Location.ETag)
	}
	return revisionName(l)
}
