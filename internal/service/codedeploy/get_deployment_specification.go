package codedeploy

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/hardstand/hardstand/internal/agent/lifecycle"
	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploycommands"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// specification is the document an agent gets, in the names it reads.
type specification struct {
	DeploymentID         string `json:"DeploymentId"`
	DeploymentGroupID    string `json:"DeploymentGroupId"`
	DeploymentGroupName  string
	ApplicationName      string
	DeploymentCreator    string
	DeploymentType       string
	AppSpecFilename      string
	AgentActionOverrides agentOverrides
	Revision             revisionSpec

	// For our agent; AWS's ignore them. AWS's name for the events must not be
	// sent: agent 1.8 then looks for code that only codedeploy-local has loaded,
	// and every Install fails.
	SendLogs    bool     `json:"HardstandSendLogs"`
	EndsNoops   bool     `json:"HardstandEndsNoops"`
	KnownEvents []string `json:"HardstandLifecycleEvents"`
}

type agentOverrides struct {
	AgentOverrides struct{ FileExistsBehavior string }
}

type revisionSpec struct {
	RevisionType   string
	S3Revision     *s3Revision     `json:",omitempty"`
	GitHubRevision *gitHubRevision `json:",omitempty"`
}

type gitHubRevision struct {
	Account, Repository string
	CommitID            string `json:"CommitId"`
}

type s3Revision struct {
	Bucket, Key, BundleType string
	Version                 string `json:",omitempty"`
	ETag                    string `json:",omitempty"`
}

// GetDeploymentSpecification returns the signed description of a deployment to
// one of its targets.
func (s *Service) GetDeploymentSpecification(ctx context.Context, in *api.GetDeploymentSpecificationInput) (*api.GetDeploymentSpecificationOutput, error) {
	h, err := s.authorizeHost(ctx, "GetDeploymentSpecification")
	if err != nil {
		return nil, err
	}
	if err := h.check(in.HostIdentifier); err != nil {
		return nil, err
	}
	k, host := h.Key, h.ID
	id, err := parseExecutionID(k, aws.Val(in.DeploymentExecutionId))
	if err != nil {
		return nil, err
	}
	d, err := view(ctx, s, func(tx *store.Tx) (*deployment, error) {
		if _, err := targets.Get(tx, targetKey(k, id, host)); err != nil {
			return nil, err
		}
		return findDeployment(tx, aws.CallFrom(ctx), id)
	})
	if isNotFound(err) {
		return nil, awserr.New("ClientException", "Deployment %s has no target %s.", id, host)
	}
	if err != nil {
		return nil, err
	}
	document, err := json.Marshal(d.specification())
	if err != nil {
		return nil, err
	}
	signed, err := s.signers.sign(ctx, k.Region, document)
	if err != nil {
		return nil, err
	}
	return &api.GetDeploymentSpecificationOutput{
		DeploymentSystem: aws.Ptr("CodeDeploy"),
		DeploymentSpecification: &api.DeploymentSpecification{
			GenericEnvelope: &api.SpecificationEnvelope{Format: aws.Ptr("PKCS7/JSON"), Payload: &signed},
		},
	}, nil
}

func (d *deployment) specification() specification {
	s := specification{
		DeploymentID: d.ID, DeploymentGroupID: d.GroupID, DeploymentGroupName: d.GroupName, ApplicationName: d.ApplicationName,
		DeploymentCreator: string(d.Creator), DeploymentType: string(d.deploymentType()), AppSpecFilename: "appspec.yml",
		KnownEvents: lifecycle.Local(), SendLogs: true, EndsNoops: true, Revision: revisionSpec{RevisionType: string(d.Revision.RevisionType)},
	}
	s.AgentActionOverrides.AgentOverrides.FileExistsBehavior = string(d.FileExists)
	if l := d.Revision.S3Location; l != nil {
		s.Revision.S3Revision = &s3Revision{
			Bucket: aws.Val(l.Bucket), Key: aws.Val(l.Key), BundleType: string(l.BundleType), Version: aws.Val(l.Version), ETag: aws.Val(l.ETag),
		}
	}
	if l := d.Revision.GitHubLocation; l != nil {
		owner, name, _ := strings.Cut(aws.Val(l.Repository), "/")
		s.Revision.GitHubRevision = &gitHubRevision{Account: owner, Repository: name, CommitID: aws.Val(l.CommitId)}
	}
	return s
}
