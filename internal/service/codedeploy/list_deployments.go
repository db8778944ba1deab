package codedeploy

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// ListDeployments returns deployment ids, newest first.
func (s *Service) ListDeployments(ctx context.Context, in *api.ListDeploymentsInput) (*api.ListDeploymentsOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkListing(in); err != nil {
		return nil, err
	}
	return view(ctx, s, func(tx *store.Tx) (*api.ListDeploymentsOutput, error) {
		groupID, err := listedGroup(tx, c, in)
		if err != nil {
			return nil, err
		}
		rows, err := deploymentsOf(tx, c, groupID)
		if err != nil {
			return nil, err
		}
		var keys, list []string
		for _, r := range rows {
			if listed(in, r.Value) {
				keys = append(keys, joined(r.Value.Created.UTC().Format(sortable), r.Value.ID))
				list = append(list, r.Value.ID)
			}
		}
		start, end, next, err := cut(keys, in.NextToken, true)
		return &api.ListDeploymentsOutput{Deployments: append([]string{}, list[start:end]...), NextToken: next}, err
	})
}

// deploymentsOf returns the deployments of a group, "" for all of the caller's, newest
// first.
func deploymentsOf(tx *store.Tx, c aws.Call, groupID string) ([]store.Row[deployment], error) {
	if groupID != "" {
		return deployments.Range(tx, "group", joined(groupID, ""), groupID+"\x01", 0, true)
	}
	return deployments.Range(tx, "created", joined(c.Account, c.Region, ""), joined(c.Account, c.Region)+"\x01", 0, true)
}

func checkListing(in *api.ListDeploymentsInput) error {
	if aws.Val(in.ApplicationName) != "" && aws.Val(in.DeploymentGroupName) == "" {
		return errGroupNameRequired
	}
	if aws.Val(in.ApplicationName) == "" && aws.Val(in.DeploymentGroupName) != "" {
		return errApplicationNameRequired
	}
	if aws.Val(in.ApplicationName) != "" {
		if _, err := checkApplicationName(in.ApplicationName); err != nil {
			return err
		}
		if _, err := checkGroupName(in.DeploymentGroupName); err != nil {
			return err
		}
	}
	if in.ExternalId != nil {
		return errUnbuilt("ListDeployments", "externalId")
	}
	for _, st := range in.IncludeOnlyStatuses {
		switch st {
		case api.DeploymentStatusCreated, api.DeploymentStatusQueued, api.DeploymentStatusInProgress, api.DeploymentStatusBaking,
			api.DeploymentStatusSucceeded, api.DeploymentStatusFailed, api.DeploymentStatusStopped, api.DeploymentStatusReady:
		default:
			return awserr.New("InvalidDeploymentStatusException", "The specified deployment status doesn't exist or cannot be determined: %s", st)
		}
	}
	if r := in.CreateTimeRange; r != nil && r.Start != nil && r.End != nil && r.Start.After(*r.End) {
		return awserr.New("InvalidTimeRangeException", "The specified time range was specified in an invalid format.")
	}
	return nil
}

// listedGroup resolves the group asked for, "" for all.
func listedGroup(tx *store.Tx, c aws.Call, in *api.ListDeploymentsInput) (string, error) {
	if aws.Val(in.ApplicationName) == "" {
		return "", nil
	}
	a, err := findApplication(tx, c, *in.ApplicationName)
	if err != nil {
		return "", err
	}
	g, err := findGroup(tx, a, *in.DeploymentGroupName)
	if err != nil {
		return "", err
	}
	return g.ID, nil
}

func listed(in *api.ListDeploymentsInput, d *deployment) bool {
	if len(in.IncludeOnlyStatuses) > 0 && !slices.Contains(in.IncludeOnlyStatuses, d.Status) {
		return false
	}
	r := in.CreateTimeRange
	return r == nil || (r.Start == nil || !d.Created.Before(*r.Start)) && (r.End == nil || !d.Created.After(*r.End))
}
