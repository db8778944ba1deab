package cloudformation

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// What an account that belongs to no organization is told: there are none here.

func noOrganization() error {
	return awserr.New("InvalidOperationException", "Your account is not a member of an organization.")
}

// ActivateOrganizationsAccess needs an organization.
func (s *Service) ActivateOrganizationsAccess(context.Context, *api.ActivateOrganizationsAccessInput) (*api.ActivateOrganizationsAccessOutput, error) {
	return nil, noOrganization()
}

// DeactivateOrganizationsAccess needs an organization.
func (s *Service) DeactivateOrganizationsAccess(context.Context, *api.DeactivateOrganizationsAccessInput) (*api.DeactivateOrganizationsAccessOutput, error) {
	return nil, noOrganization()
}

// DescribeOrganizationsAccess says that no organization has been given access.
func (s *Service) DescribeOrganizationsAccess(_ context.Context, in *api.DescribeOrganizationsAccessInput) (*api.DescribeOrganizationsAccessOutput, error) {
	if err := asSelf(in.CallAs); err != nil {
		return nil, err
	}
	return &api.DescribeOrganizationsAccessOutput{Status: api.OrganizationStatusDisabled}, nil
}

// ListStackSetAutoDeploymentTargets lists organizational units, of which sets here
// have none.
func (s *Service) ListStackSetAutoDeploymentTargets(ctx context.Context, in *api.ListStackSetAutoDeploymentTargetsInput) (*api.ListStackSetAutoDeploymentTargetsOutput, error) {
	if err := asSelf(in.CallAs); err != nil {
		return nil, err
	}
	if _, err := s.set(ctx, in.StackSetName); err != nil {
		return nil, err
	}
	if aws.Val(in.NextToken) != "" {
		return nil, invalid("The token %s is not valid.", *in.NextToken)
	}
	return &api.ListStackSetAutoDeploymentTargetsOutput{Summaries: []api.StackSetAutoDeploymentTargetSummary{}}, nil
}
