package codedeploy

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/store"
)

func (a *application) view() api.ApplicationInfo {
	return api.ApplicationInfo{
		ApplicationId: &a.ID, ApplicationName: &a.Name, CreateTime: &a.Created,
		LinkedToGitHub: aws.Ptr(false), ComputePlatform: api.ComputePlatformServer,
	}
}

// GetApplication describes one application.
func (s *Service) GetApplication(ctx context.Context, in *api.GetApplicationInput) (*api.GetApplicationOutput, error) {
	c := aws.CallFrom(ctx)
	name, err := checkApplicationName(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	return view(ctx, s, func(tx *store.Tx) (*api.GetApplicationOutput, error) {
		a, err := findApplication(tx, c, name)
		if err != nil {
			return nil, err
		}
		info := a.view()
		return &api.GetApplicationOutput{Application: &info}, nil
	})
}

// BatchGetApplications describes applications; all of them must exist.
func (s *Service) BatchGetApplications(ctx context.Context, in *api.BatchGetApplicationsInput) (*api.BatchGetApplicationsOutput, error) {
	c := aws.CallFrom(ctx)
	if len(in.ApplicationNames) == 0 {
		return nil, errApplicationNameRequired
	}
	if err := checkBatch(len(in.ApplicationNames), maxNames); err != nil {
		return nil, err
	}
	for i := range in.ApplicationNames {
		if _, err := checkApplicationName(&in.ApplicationNames[i]); err != nil {
			return nil, err
		}
	}
	return view(ctx, s, func(tx *store.Tx) (*api.BatchGetApplicationsOutput, error) {
		out := &api.BatchGetApplicationsOutput{ApplicationsInfo: []api.ApplicationInfo{}}
		for _, name := range in.ApplicationNames {
			a, err := findApplication(tx, c, name)
			if err != nil {
				return nil, err
			}
			out.ApplicationsInfo = append(out.ApplicationsInfo, a.view())
		}
		return out, nil
	})
}

// ListApplications returns the names of the caller's applications.
func (s *Service) ListApplications(ctx context.Context, in *api.ListApplicationsInput) (*api.ListApplicationsOutput, error) {
	c := aws.CallFrom(ctx)
	return view(ctx, s, func(tx *store.Tx) (*api.ListApplicationsOutput, error) {
		rows, err := applicationsOf(tx, c, 0)
		if err != nil {
			return nil, err
		}
		names := make([]string, len(rows))
		for i, r := range rows {
			names[i] = r.Value.Name
		}
		list, next, err := page(names, in.NextToken)
		return &api.ListApplicationsOutput{Applications: list, NextToken: next}, err
	})
}
