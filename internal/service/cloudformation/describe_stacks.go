package cloudformation

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/store"
)

// DescribeStacks describes one stack, or all that are not deleted.
func (s *Service) DescribeStacks(ctx context.Context, in *api.DescribeStacksInput) (*api.DescribeStacksOutput, error) {
	if in.StackName != nil {
		st, err := s.find(ctx, in.StackName, noStackWithID)
		if err != nil {
			return nil, err
		}
		return &api.DescribeStacksOutput{Stacks: []api.Stack{stackView(st)}}, nil
	}
	all, err := s.all(ctx, func(st *stack.Stack) bool { return st.Status != stack.DeleteComplete })
	if err != nil {
		return nil, err
	}
	list, next, err := page(all, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeStacksOutput{NextToken: next, Stacks: []api.Stack{}}
	for _, st := range list {
		out.Stacks = append(out.Stacks, stackView(st))
	}
	return out, nil
}

// all returns the caller's stacks that are wanted, newest first.
func (s *Service) all(ctx context.Context, want func(*stack.Stack) bool) (out []*stack.Stack, err error) {
	c := aws.CallFrom(ctx)
	err = s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := stack.Stacks.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
		for _, row := range rows {
			if want(row.Value) && !forgotten(row.Value, tx.Now()) {
				out = append(out, row.Value)
			}
		}
		return err
	})
	slices.SortStableFunc(out, func(a, b *stack.Stack) int { return b.Created.Compare(a.Created) })
	return out, err
}

// ListStacks lists stacks, deleted ones too, with the statuses asked for.
func (s *Service) ListStacks(ctx context.Context, in *api.ListStacksInput) (*api.ListStacksOutput, error) {
	all, err := s.all(ctx, func(st *stack.Stack) bool {
		return len(in.StackStatusFilter) == 0 || slices.Contains(in.StackStatusFilter, api.StackStatus(st.Status))
	})
	if err != nil {
		return nil, err
	}
	list, next, err := page(all, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &api.ListStacksOutput{NextToken: next, StackSummaries: []api.StackSummary{}}
	for _, st := range list {
		out.StackSummaries = append(out.StackSummaries, api.StackSummary{
			StackId: &st.ID, StackName: &st.Name, TemplateDescription: optional(st.Current().Description), CreationTime: &st.Created,
			LastUpdatedTime: moment(st.Updated), DeletionTime: moment(st.Deleted), StackStatus: api.StackStatus(st.Status),
			StackStatusReason: optional(st.Reason), LastOperations: lastOperations(st), ParentId: optional(st.Parent), RootId: optional(st.Root),
			DriftInformation: (*api.StackDriftInformationSummary)(stackDrift(st)),
		})
	}
	return out, nil
}

func stackView(st *stack.Stack) api.Stack {
	now := st.Current()
	v := api.Stack{
		StackId: &st.ID, StackName: &st.Name, ChangeSetId: optional(st.ChangeSetID), Description: optional(now.Description), CreationTime: &st.Created,
		LastUpdatedTime: moment(st.Updated), DeletionTime: moment(st.Deleted), StackStatus: api.StackStatus(st.Status),
		StackStatusReason: optional(st.Reason), DisableRollback: aws.Ptr(st.DisableRollback), NotificationARNs: []string{},
		RoleARN: optional(st.RoleARN), ParentId: optional(st.Parent), RootId: optional(st.Root), EnableTerminationProtection: aws.Ptr(st.TerminationProtection),
		RollbackConfiguration: rollbackView(now.Rollback), Tags: tagViews(now.Tags), Parameters: parameterViews(now.Parameters),
		DriftInformation: stackDrift(st), LastOperations: lastOperations(st), DeploymentConfig: deploymentConfigView(st.Express, st.DisableRollback),
	}
	v.NotificationARNs = append(v.NotificationARNs, now.NotificationARNs...)
	if st.TimeoutInMinutes > 0 {
		v.TimeoutInMinutes = &st.TimeoutInMinutes
	}
	for _, c := range now.Capabilities {
		v.Capabilities = append(v.Capabilities, api.Capability(c))
	}
	for _, o := range st.Outputs {
		v.Outputs = append(v.Outputs, api.Output{OutputKey: aws.Ptr(o.Name), OutputValue: aws.Ptr(o.Value),
			Description: optional(o.Description), ExportName: optional(o.Export)})
	}
	return v
}

func parameterViews(values map[string]template.Value) []api.Parameter {
	var out []api.Parameter
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v := values[name]
		text := v.Text
		if v.NoEcho {
			text = "****"
		}
		out = append(out, api.Parameter{ParameterKey: aws.Ptr(name), ParameterValue: &text, ResolvedValue: optional(v.Resolved)})
	}
	return out
}

func tagViews(tags map[string]string) []api.Tag {
	out := []api.Tag{}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, api.Tag{Key: aws.Ptr(key), Value: aws.Ptr(tags[key])})
	}
	return out
}

// optional is nil for an empty text.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
