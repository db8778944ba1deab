package cloudformation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

// members returns a stack's resources.
func (s *Service) members(ctx context.Context, st *stack.Stack) (list []*stack.Member, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		list, err = stack.MembersOf(tx, st.ID)
		return err
	})
	return list, err
}

// DescribeStackResource describes one resource, with its metadata, which cfn-init
// reads.
func (s *Service) DescribeStackResource(ctx context.Context, in *api.DescribeStackResourceInput) (*api.DescribeStackResourceOutput, error) {
	st, err := s.find(ctx, in.StackName, noQuotedStack)
	if err != nil {
		return nil, err
	}
	list, err := s.members(ctx, st)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(m *stack.Member) bool { return m.LogicalID == aws.Val(in.LogicalResourceId) })
	if i < 0 {
		return nil, invalid("Resource %s does not exist for stack %s", aws.Val(in.LogicalResourceId), aws.Val(in.StackName))
	}
	m := list[i]
	v := &api.StackResourceDetail{
		StackName: &st.Name, StackId: &st.ID, LogicalResourceId: &m.LogicalID, PhysicalResourceId: optional(m.Shown()),
		ResourceType: &m.Type, LastUpdatedTimestamp: &m.Changed, ResourceStatus: api.ResourceStatus(m.Status),
		ResourceStatusReason: optional(m.Reason), Metadata: aws.Ptr("{}"),
		DriftInformation: memberDrift(m),
	}
	metadata, err := s.engine.Metadata(m)
	if err != nil {
		return nil, err
	}
	if metadata != nil {
		text, err := json.Marshal(metadata)
		if err != nil {
			return nil, fmt.Errorf("encode metadata: %w", err)
		}
		v.Metadata = aws.Ptr(string(text))
	}
	return &api.DescribeStackResourceOutput{StackResourceDetail: v}, nil
}

// maxDescribed is how many resources DescribeStackResources shows.
const maxDescribed = 100

// DescribeStackResources describes the resources of a stack, named itself or by
// the physical id of one of them.
func (s *Service) DescribeStackResources(ctx context.Context, in *api.DescribeStackResourcesInput) (*api.DescribeStackResourcesOutput, error) {
	if (in.StackName == nil) == (in.PhysicalResourceId == nil) {
		return nil, invalid("You must specify either StackName or PhysicalResourceId, but not both.")
	}
	name := in.StackName
	if name == nil {
		var err error
		if name, err = s.stackOf(ctx, *in.PhysicalResourceId); err != nil {
			return nil, err
		}
	}
	st, err := s.find(ctx, name, noStackWithID)
	if err != nil {
		return nil, err
	}
	list, err := s.members(ctx, st)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeStackResourcesOutput{StackResources: []api.StackResource{}}
	for _, m := range list {
		if in.LogicalResourceId != nil && *in.LogicalResourceId != m.LogicalID || len(out.StackResources) == maxDescribed {
			continue
		}
		out.StackResources = append(out.StackResources, api.StackResource{
			StackName: &st.Name, StackId: &st.ID, LogicalResourceId: &m.LogicalID, PhysicalResourceId: optional(m.Shown()),
			ResourceType: &m.Type, Timestamp: &m.Changed, ResourceStatus: api.ResourceStatus(m.Status), ResourceStatusReason: optional(m.Reason),
			DriftInformation: memberDrift(m),
		})
	}
	if in.LogicalResourceId != nil && len(out.StackResources) == 0 {
		return nil, invalid("Resource %s does not exist for stack %s", *in.LogicalResourceId, st.Name)
	}
	return out, nil
}

// stackOf returns the ARN of the stack that a physical id belongs to.
func (s *Service) stackOf(ctx context.Context, physicalID string) (*string, error) {
	c := aws.CallFrom(ctx)
	var id *string
	err := s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := stack.Members.Lookup(tx, "physical", stack.PhysicalIndex(c.Account, c.Region, physicalID))
		if len(rows) > 0 {
			id = &rows[0].Value.StackID
		}
		return err
	})
	if err == nil && id == nil {
		return nil, invalid("Stack for %s does not exist", physicalID)
	}
	return id, err
}

// ListStackResources lists the resources of a stack.
func (s *Service) ListStackResources(ctx context.Context, in *api.ListStackResourcesInput) (*api.ListStackResourcesOutput, error) {
	st, err := s.find(ctx, in.StackName, noStackWithID)
	if err != nil {
		return nil, err
	}
	all, err := s.members(ctx, st)
	if err != nil {
		return nil, err
	}
	list, next, err := page(all, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &api.ListStackResourcesOutput{NextToken: next, StackResourceSummaries: []api.StackResourceSummary{}}
	for _, m := range list {
		out.StackResourceSummaries = append(out.StackResourceSummaries, api.StackResourceSummary{
			LogicalResourceId: &m.LogicalID, PhysicalResourceId: optional(m.Shown()), ResourceType: &m.Type,
			LastUpdatedTimestamp: &m.Changed, ResourceStatus: api.ResourceStatus(m.Status), ResourceStatusReason: optional(m.Reason),
			DriftInformation: (*api.StackResourceDriftInformationSummary)(memberDrift(m)),
		})
	}
	return out, nil
}

// DescribeStackEvents lists the events of a stack, newest first.
func (s *Service) DescribeStackEvents(ctx context.Context, in *api.DescribeStackEventsInput) (*api.DescribeStackEventsOutput, error) {
	if in.StackName == nil {
		return nil, invalid("StackName is a required parameter.")
	}
	st, err := s.find(ctx, in.StackName, noStack)
	if err != nil {
		return nil, err
	}
	before, err := offset(in.NextToken)
	if err != nil {
		return nil, err
	}
	var list []stack.Event
	err = s.db.View(ctx, func(tx *store.Tx) error {
		list, err = stack.EventsBefore(tx, st, before, pageSize+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	var next *string
	if len(list) > pageSize {
		list = list[:pageSize]
		next = nextToken(list[pageSize-1].Seq)
	}
	out := &api.DescribeStackEventsOutput{NextToken: next, StackEvents: []api.StackEvent{}}
	for _, ev := range list {
		out.StackEvents = append(out.StackEvents, api.StackEvent{
			StackId: &st.ID, StackName: &st.Name, EventId: aws.Ptr(ev.ID), OperationId: optional(ev.Operation), LogicalResourceId: aws.Ptr(ev.LogicalID),
			PhysicalResourceId: aws.Ptr(ev.PhysicalID), ResourceType: aws.Ptr(ev.Type), Timestamp: aws.Ptr(ev.Time),
			ResourceStatus: api.ResourceStatus(ev.Status), ResourceStatusReason: optional(ev.Reason),
			ResourceProperties: optional(ev.Properties), ClientRequestToken: optional(ev.Token),
		})
	}
	return out, nil
}

// SignalResource tells the engine that a resource is ready, or has failed.
func (s *Service) SignalResource(ctx context.Context, in *api.SignalResourceInput) (*api.SignalResourceOutput, error) {
	st, err := s.find(ctx, in.StackName, noQuotedStack)
	if err != nil {
		return nil, err
	}
	err = s.engine.SignalResource(ctx, st, aws.Val(in.LogicalResourceId), aws.Val(in.UniqueId), string(in.Status))
	if errors.Is(err, store.ErrNotFound) {
		return nil, invalid("Resource %s does not exist for stack %s", aws.Val(in.LogicalResourceId), st.Name)
	}
	return &api.SignalResourceOutput{}, asAWS(err)
}
