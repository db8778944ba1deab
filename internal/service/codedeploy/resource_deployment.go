package codedeploy

import (
	"context"
	"fmt"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/store"
)

// deploymentProperties is the property Deployment of a deployment group.
type deploymentProperties struct {
	Description                   *string
	IgnoreApplicationStopFailures *bool
	Revision                      struct {
		RevisionType *string
		S3Location   *struct {
			Bucket        string `cfn:",required"`
			Key           string `cfn:",required"`
			BundleType    *string
			ETag, Version *string
		}
		GitHubLocation *struct {
			CommitId   string `cfn:",required"`
			Repository string `cfn:",required"`
		}
	} `cfn:",required"`
}

func (p *deploymentProperties) location() *api.RevisionLocation {
	out := &api.RevisionLocation{RevisionType: api.RevisionLocationType(aws.Val(p.Revision.RevisionType))}
	if l := p.Revision.S3Location; l != nil {
		if out.RevisionType == "" {
			out.RevisionType = api.RevisionLocationTypeS3
		}
		out.S3Location = &api.S3Location{Bucket: &l.Bucket, Key: &l.Key, BundleType: bundleType(l.BundleType), ETag: l.ETag, Version: l.Version}
	}
	if l := p.Revision.GitHubLocation; l != nil {
		if out.RevisionType == "" {
			out.RevisionType = api.RevisionLocationTypeGitHub
		}
		out.GitHubLocation = &api.GitHubLocation{CommitId: &l.CommitId, Repository: &l.Repository}
	}
	return out
}

// bundleType takes "Zip" too, which CloudFormation's examples write.
func bundleType(t *string) api.BundleType {
	if aws.Val(t) == "" {
		return api.BundleTypeZip
	}
	return api.BundleType(strings.ToLower(*t))
}

// deploy deploys to the group and returns when the deployment has succeeded.
func (t resourceDeploymentGroup) deploy(ctx context.Context, application, group string, p *deploymentProperties) error {
	if p == nil {
		return nil
	}
	made, err := invoke[api.CreateDeploymentOutput](ctx, t.inv, "CreateDeployment", &api.CreateDeploymentInput{
		ApplicationName: &application, DeploymentGroupName: &group, Revision: p.location(), Description: p.Description,
		IgnoreApplicationStopFailures: p.IgnoreApplicationStopFailures,
	})
	if err != nil {
		return err
	}
	c := aws.CallFrom(ctx)
	filter := store.Filter{Account: c.Account, Region: c.Region, Service: "codedeploy", Resource: *made.DeploymentId, Kind: "deployment"}
	for {
		changed := t.db.Changed(filter)
		got, err := invoke[api.GetDeploymentOutput](ctx, t.inv, "GetDeployment", &api.GetDeploymentInput{DeploymentId: made.DeploymentId})
		if err != nil {
			return err
		}
		switch d := got.DeploymentInfo; d.Status {
		case api.DeploymentStatusSucceeded:
			return nil
		case api.DeploymentStatusFailed, api.DeploymentStatusStopped:
			return fmt.Errorf("deployment %s of revision %s: %s: %s: %s", *d.DeploymentId, revisionName(d.Revision), d.Status,
				d.ErrorInformation.Code, aws.Val(d.ErrorInformation.Message))
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// revisionName is the location as people write it.
func revisionName(r *api.RevisionLocation) string {
	if l := r.S3Location; l != nil {
		return "s3://" + aws.Val(l.Bucket) + "/" + aws.Val(l.Key)
	}
	if l := r.GitHubLocation; l != nil {
		return aws.Val(l.Repository) + "@" + aws.Val(l.CommitId)
	}
	return string(r.RevisionType)
}
