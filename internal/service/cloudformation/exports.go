package cloudformation

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

// ListExports lists the exports of the caller's account and region.
func (s *Service) ListExports(ctx context.Context, in *api.ListExportsInput) (*api.ListExportsOutput, error) {
	c := aws.CallFrom(ctx)
	var rows []store.Row[stack.Export]
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		rows, err = stack.Exports.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	list, next, err := page(rows, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &api.ListExportsOutput{NextToken: next, Exports: []api.Export{}}
	for _, row := range list {
		out.Exports = append(out.Exports, api.Export{Name: &row.Value.Name, Value: &row.Value.Value, ExportingStackId: &row.Value.StackID})
	}
	return out, nil
}

// ListImports lists the stacks that use an export.
func (s *Service) ListImports(ctx context.Context, in *api.ListImportsInput) (*api.ListImportsOutput, error) {
	c := aws.CallFrom(ctx)
	var names []string
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		names, err = stack.ImportersOf(tx, c.Account, c.Region, aws.Val(in.ExportName))
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, invalid("Export '%s' is not imported by any stack.", aws.Val(in.ExportName))
	}
	list, next, err := page(names, in.NextToken)
	return &api.ListImportsOutput{Imports: list, NextToken: next}, err
}
