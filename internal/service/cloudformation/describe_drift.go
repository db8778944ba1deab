package cloudformation

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
)

// DescribeStackResourceDrifts shows what the last detections found, of the
// resources that could be checked.
func (s *Service) DescribeStackResourceDrifts(ctx context.Context, in *api.DescribeStackResourceDriftsInput) (*api.DescribeStackResourceDriftsOutput, error) {
	st, err := s.find(ctx, in.StackName, noStack)
	if err != nil {
		return nil, err
	}
	list, err := s.members(ctx, st)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(m *stack.Member) bool {
		if m.Drift == nil {
			return true
		}
		status := api.StackResourceDriftStatus(m.Drift.Status)
		if len(in.StackResourceDriftStatusFilters) > 0 {
			return !slices.Contains(in.StackResourceDriftStatusFilters, status)
		}
		return m.Drift.Status == stack.NotChecked
	})
	list, next, err := pageOf(list, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeStackResourceDriftsOutput{NextToken: next, StackResourceDrifts: []api.StackResourceDrift{}}
	for _, m := range list {
		out.StackResourceDrifts = append(out.StackResourceDrifts, *driftView(st, m))
	}
	return out, nil
}

func driftView(st *stack.Stack, m *stack.Member) *api.StackResourceDrift {
	d := m.Drift
	v := &api.StackResourceDrift{StackId: &st.ID, LogicalResourceId: &m.LogicalID, PhysicalResourceId: optional(m.PhysicalID), ResourceType: &m.Type,
		StackResourceDriftStatus: api.StackResourceDriftStatus(d.Status), Timestamp: &d.Checked,
		ExpectedProperties: optional(d.Expected), ActualProperties: optional(d.Actual), PropertyDifferences: []api.PropertyDifference{}}
	for _, x := range d.Differences {
		v.PropertyDifferences = append(v.PropertyDifferences, api.PropertyDifference{PropertyPath: aws.Ptr(x.Path),
			ExpectedValue: aws.Ptr(x.Expected), ActualValue: aws.Ptr(x.Actual), DifferenceType: api.DifferenceType(x.Kind)})
	}
	return v
}

// stackDrift is what a stack's last detection said; none has been made of most.
func stackDrift(st *stack.Stack) *api.StackDriftInformation {
	if st.Drift == "" {
		return &api.StackDriftInformation{StackDriftStatus: api.StackDriftStatusNotChecked}
	}
	return &api.StackDriftInformation{StackDriftStatus: api.StackDriftStatus(st.Drift), LastCheckTimestamp: moment(st.DriftChecked)}
}

func memberDrift(m *stack.Member) *api.StackResourceDriftInformation {
	if m.Drift == nil {
		return &api.StackResourceDriftInformation{StackResourceDriftStatus: api.StackResourceDriftStatusNotChecked}
	}
	return &api.StackResourceDriftInformation{StackResourceDriftStatus: api.StackResourceDriftStatus(m.Drift.Status), LastCheckTimestamp: moment(m.Drift.Checked)}
}
