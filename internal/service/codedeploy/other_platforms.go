package codedeploy

import (
	"context"
	"regexp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// The operations of this file belong to the Lambda and ECS platforms, to
// CloudFormation's blue/green stacks and to accounts of GitHub that were
// connected in AWS's console. None of these can exist here, and so the
// operations answer what AWS answers when none does.

// checkPlatform refuses the platforms that are not built.
func checkPlatform(operation string, p api.ComputePlatform) error {
	if p != "" && p != api.ComputePlatformServer {
		return errUnbuilt(operation, "the compute platform "+string(p))
	}
	return nil
}

func errUnsupported(id string) error {
	return awserr.New("UnsupportedActionForDeploymentTypeException", "A call was submitted that is not supported for the specified deployment type: %s", id)
}

// PutLifecycleEventHookExecutionStatus is for the validation functions of Lambda
// and ECS deployments.
func (s *Service) PutLifecycleEventHookExecutionStatus(ctx context.Context, in *api.PutLifecycleEventHookExecutionStatusInput) (*api.PutLifecycleEventHookExecutionStatusOutput, error) {
	c := aws.CallFrom(ctx)
	id, err := checkDeploymentID(in.DeploymentId)
	if err != nil {
		return nil, err
	}
	switch in.Status {
	case api.LifecycleEventStatusSucceeded, api.LifecycleEventStatusFailed:
	default:
		return nil, awserr.New("InvalidLifecycleEventHookExecutionStatusException",
			"The result of a Lambda validation function that verifies a lifecycle event is invalid. It should return Succeeded or Failed.")
	}
	_, err = view(ctx, s, func(tx *store.Tx) (*deployment, error) { return findDeployment(tx, c, id) })
	if err != nil {
		return nil, err
	}
	return nil, errUnsupported(id)
}

// DeleteResourcesByExternalId deletes what a blue/green stack of CloudFormation
// made, which is nothing here.
func (s *Service) DeleteResourcesByExternalId(context.Context, *api.DeleteResourcesByExternalIdInput) (*api.DeleteResourcesByExternalIdOutput, error) {
	return &api.DeleteResourcesByExternalIdOutput{}, nil
}

var tokenNamePattern = regexp.MustCompile(`^[\w+=,.@-]{1,100}$`)

// DeleteGitHubAccountToken finds no connection to delete.
func (s *Service) DeleteGitHubAccountToken(_ context.Context, in *api.DeleteGitHubAccountTokenInput) (*api.DeleteGitHubAccountTokenOutput, error) {
	name := aws.Val(in.TokenName)
	if name == "" {
		return nil, awserr.New("GitHubAccountTokenNameRequiredException", "The call is missing a required GitHub account connection name.")
	}
	if !tokenNamePattern.MatchString(name) {
		return nil, awserr.New("InvalidGitHubAccountTokenNameException", "The format of the specified GitHub account connection name is invalid.")
	}
	return nil, awserr.New("GitHubAccountTokenDoesNotExistException", "No GitHub account connection exists with the named specified in the call.")
}

// ListGitHubAccountTokenNames lists no connections.
func (s *Service) ListGitHubAccountTokenNames(_ context.Context, in *api.ListGitHubAccountTokenNamesInput) (*api.ListGitHubAccountTokenNamesOutput, error) {
	names, next, err := page(nil, in.NextToken)
	return &api.ListGitHubAccountTokenNamesOutput{TokenNameList: names, NextToken: next}, err
}
