package logs

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/store"
)

// What cannot be made here is listed truthfully: there is none of it.

// DescribeSubscriptionFilters finds none.
func (s *Service) DescribeSubscriptionFilters(ctx context.Context, in *api.DescribeSubscriptionFiltersInput) (*api.DescribeSubscriptionFiltersOutput, error) {
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		_, err := groups.Get(tx, key(aws.CallFrom(ctx), *in.LogGroupName))
		return or(err, errNoGroup)
	})
	return &api.DescribeSubscriptionFiltersOutput{SubscriptionFilters: []api.SubscriptionFilter{}}, err
}

// DescribeDestinations finds none.
func (s *Service) DescribeDestinations(context.Context, *api.DescribeDestinationsInput) (*api.DescribeDestinationsOutput, error) {
	return &api.DescribeDestinationsOutput{Destinations: []api.Destination{}}, nil
}

// DescribeExportTasks finds none.
func (s *Service) DescribeExportTasks(context.Context, *api.DescribeExportTasksInput) (*api.DescribeExportTasksOutput, error) {
	return &api.DescribeExportTasksOutput{ExportTasks: []api.ExportTask{}}, nil
}

// DescribeQueries finds none.
func (s *Service) DescribeQueries(context.Context, *api.DescribeQueriesInput) (*api.DescribeQueriesOutput, error) {
	return &api.DescribeQueriesOutput{Queries: []api.QueryInfo{}}, nil
}

// DescribeAccountPolicies finds none.
func (s *Service) DescribeAccountPolicies(context.Context, *api.DescribeAccountPoliciesInput) (*api.DescribeAccountPoliciesOutput, error) {
	return &api.DescribeAccountPoliciesOutput{AccountPolicies: []api.AccountPolicy{}}, nil
}

// DescribeIndexPolicies finds none.
func (s *Service) DescribeIndexPolicies(ctx context.Context, in *api.DescribeIndexPoliciesInput) (*api.DescribeIndexPoliciesOutput, error) {
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		for _, id := range in.LogGroupIdentifiers {
			name, err := groupOf(aws.CallFrom(ctx), id)
			if err != nil {
				return err
			}
			if _, err := groups.Get(tx, key(aws.CallFrom(ctx), name)); err != nil {
				return or(err, errNoGroup)
			}
		}
		return nil
	})
	return &api.DescribeIndexPoliciesOutput{IndexPolicies: []api.IndexPolicy{}}, err
}
