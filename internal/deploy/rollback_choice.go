package deploy

import (
	"context"
	"path"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// choose finds the deployment whose revision is to be deployed again.
func (b *backing) choose(ctx context.Context) error {
	if b.done {
		b.progress.detail("the last successful one, by CodeDeploy")
		return nil
	}
	group, err := b.deploymentGroup(ctx)
	if err != nil {
		return err
	}
	if group == nil {
		return b.nothingDeployed()
	}
	running, err := b.runningDeployment(ctx)
	if err != nil {
		return err
	}
	if running != nil {
		return b.refuseRunning(running)
	}
	if group.LastAttemptedDeployment == nil {
		return b.nothingDeployed()
	}
	last, err := b.deploymentInfo(ctx, group.LastAttemptedDeployment.DeploymentId)
	if err != nil {
		return err
	}
	var g groupState
	if err := g.lastAttempt(ctx, b.run, last); err != nil {
		return err
	}
	good, err := b.successes(ctx)
	if err != nil {
		return err
	}
	if b.chosen, err = b.choice(g.attempted, good); err != nil {
		return err
	}
	b.progress.detail(candidate(b.chosen))
	return nil
}

// choice takes what was asked for, or else the newest revision that succeeded and is
// another than the current one, which is what somebody wanted last: when that has
// failed, it is what the instances ran before.
func (b *backing) choice(current *types.DeploymentInfo, good []types.DeploymentInfo) (*types.DeploymentInfo, error) {
	switch {
	case b.To != "":
		return b.byDeployment(good)
	case b.Revision != "":
		return b.byRevision(good)
	}
	others := distinct(slices.DeleteFunc(slices.Clone(good), func(d types.DeploymentInfo) bool {
		return revisionID(d.Revision) == revisionID(current.Revision)
	}))
	if len(others) == 0 {
		return nil, &Failure{Exit: ExitDeployment, State: "nothing was changed",
			Cause: "there is nothing to go back to: no other revision than " + revisionName(current.Revision) + " has succeeded in " + b.Application + " / " + b.Group,
			Fix:   "correct the application, then run " + b.command("deploy")}
	}
	if goesBack(current) && current.Status == types.DeploymentStatusSucceeded {
		return nil, b.ambiguous("the last deployment, "+aws.ToString(current.DeploymentId)+", has gone back already: it is not clear where to go from there", others)
	}
	return &others[0], nil
}

func (b *backing) byDeployment(good []types.DeploymentInfo) (*types.DeploymentInfo, error) {
	for n := range good {
		if aws.ToString(good[n].DeploymentId) == b.To {
			return &good[n], nil
		}
	}
	return nil, b.notAmong("no successful deployment of "+b.Application+" / "+b.Group+" is "+b.To, good)
}

func (b *backing) byRevision(good []types.DeploymentInfo) (*types.DeploymentInfo, error) {
	found := distinct(slices.DeleteFunc(slices.Clone(good), func(d types.DeploymentInfo) bool { return !named(d.Revision, b.Revision) }))
	switch len(found) {
	case 0:
		return nil, b.notAmong("no successful deployment of "+b.Application+" / "+b.Group+" had the revision "+b.Revision, good)
	case 1:
		return &found[0], nil
	}
	return nil, b.ambiguous("the revision "+b.Revision+" has meant more than one archive", found)
}

// named reports whether a person may mean the revision by name: all of it, its key,
// the file of its key, or its commit.
func named(l *types.RevisionLocation, name string) bool {
	switch {
	case l == nil:
		return false
	case l.S3Location != nil:
		key := aws.ToString(l.S3Location.Key)
		return slices.Contains([]string{revisionName(l), "s3://" + aws.ToString(l.S3Location.Bucket) + "/" + key, key, path.Base(key)}, name)
	case l.GitHubLocation != nil:
		return name == aws.ToString(l.GitHubLocation.CommitId) || name == revisionName(l)
	}
	return false
}

func (b *backing) ambiguous(cause string, list []types.DeploymentInfo) error {
	return &Failure{Exit: ExitDeployment, Cause: cause, Evidence: candidates(list), State: "nothing was changed",
		Fix: "say which with --to DEPLOYMENT-ID"}
}

func (b *backing) notAmong(cause string, good []types.DeploymentInfo) error {
	f := &Failure{Exit: ExitDeployment, Cause: cause, Evidence: candidates(distinct(good)), State: "nothing was changed"}
	if len(good) > 0 {
		f.Fix = "say which of these with --to DEPLOYMENT-ID"
	}
	return f
}

// maxCandidates is how many a refusal lists.
const maxCandidates = 10

func candidates(list []types.DeploymentInfo) []string {
	var lines []string
	for n := range list[:min(len(list), maxCandidates)] {
		lines = append(lines, candidate(&list[n]))
	}
	return lines
}

func candidate(d *types.DeploymentInfo) string {
	text := aws.ToString(d.DeploymentId) + " " + revisionName(d.Revision)
	if d.CreateTime != nil {
		text += " of " + d.CreateTime.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	return text
}

// distinct keeps of each revision the newest deployment.
func distinct(list []types.DeploymentInfo) []types.DeploymentInfo {
	var out []types.DeploymentInfo
	seen := map[string]bool{}
	for _, d := range list {
		if id := revisionID(d.Revision); !seen[id] {
			seen[id] = true
			out = append(out, d)
		}
	}
	return out
}

// maxDeployments is how many deployments one call describes.
const maxDeployments = 25

// successes returns the group's successful deployments, newest first: in which order
// AWS lists them is not said.
func (r *run) successes(ctx context.Context) ([]types.DeploymentInfo, error) {
	var list []types.DeploymentInfo
	pages := codedeploy.NewListDeploymentsPaginator(r.deploy, &codedeploy.ListDeploymentsInput{
		ApplicationName: &r.Application, DeploymentGroupName: &r.Group, IncludeOnlyStatuses: []types.DeploymentStatus{types.DeploymentStatusSucceeded},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for ids := range slices.Chunk(page.Deployments, maxDeployments) {
			out, err := r.deploy.BatchGetDeployments(ctx, &codedeploy.BatchGetDeploymentsInput{DeploymentIds: ids})
			if err != nil {
				return nil, err
			}
			list = append(list, out.DeploymentsInfo...)
		}
	}
	slices.SortStableFunc(list, func(a, b types.DeploymentInfo) int { return aws.ToTime(b.CreateTime).Compare(aws.ToTime(a.CreateTime)) })
	return list, nil
}
