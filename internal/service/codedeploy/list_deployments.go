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
		from := joined(c.Account, c.Region, "")
		rows, err := deployments.Range(tx, "created", from, joined(c.Account, c.Region)+"\x01", 0, true)
		if err != nil {
			return nil, err
		}
		var keys, list []string
		for _, r := range rows {
			if listed(in, r.Value, groupID) {
				keys = append(keys, joined(r.Value.Created.UTC().Format(sortable), r.Value.ID))
				list = append(list, r.Value.ID)
			}
		}
		start, end, next, err := cut(keys, in.NextToken, true)
		return &api.ListDeploymentsOutput{Deployments: append([]string{}, list[start:end]...), NextToken: next}, err
	})
}

func checkListing(in *api.ListDeploymentsInput) error {
	if aws.Val(in.ApplicationName) != "" && aws.Val(in.DeploymentGroupName) == "" {
		return errGroupNameRequired
	}
	if aws.Val(in.ApplicationName) == "" && aws.Val(in.DeploymentGroupName) != "" {
		return errApplicationNameRequired
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

func listed(in *api.ListDeploymentsInput, d *deployment, groupID string) bool {
	if groupID != "" && d.GroupID != groupID {
		return false
	}
	if len(in.IncludeOnlyStatuses) > 0 && !slices.Contains(in.IncludeOnlyStatuses, d.Status) {
		return false
	}
	r := in.CreateTimeRange
	return r == nil || (r.Start == nil || !d.Created.Before(*r.Start)) && (r.End == nil || !d.Created.After(*r.End))
}
