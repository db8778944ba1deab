package cloudformation

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

// DescribeEvents lists the events of a stack's operations, newest first: of all, of
// one, or only failures.
func (s *Service) DescribeEvents(ctx context.Context, in *api.DescribeEventsInput) (*api.DescribeEventsOutput, error) {
	if err := notBuilt(map[string]bool{"ChangeSetName": in.ChangeSetName != nil}); err != nil {
		return nil, err
	}
	if in.StackName == nil {
		return nil, invalid("StackName is a required parameter.")
	}
	st, err := s.find(ctx, in.StackName, noStack)
	if err != nil {
		return nil, err
	}
	var events []stack.Event
	err = s.db.View(ctx, func(tx *store.Tx) error {
		events, err = stack.EventsOf(tx, st)
		return err
	})
	if err != nil {
		return nil, err
	}
	onlyFailed := in.Filters != nil && aws.Val(in.Filters.FailedEvents)
	events = slices.DeleteFunc(events, func(ev stack.Event) bool {
		return in.OperationId != nil && ev.Operation != *in.OperationId || onlyFailed && !strings.HasSuffix(ev.Status, "_FAILED")
	})
	slices.Reverse(events)
	list, next, err := page(events, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeEventsOutput{NextToken: next, OperationEvents: []api.OperationEvent{}}
	for _, ev := range list {
		out.OperationEvents = append(out.OperationEvents, operationEvent(st, ev))
	}
	return out, nil
}

func operationEvent(st *stack.Stack, ev stack.Event) api.OperationEvent {
	kind := api.EventTypeStackEvent
	if strings.HasSuffix(ev.Status, "_FAILED") && ev.PhysicalID != st.ID {
		kind = api.EventTypeProvisioningError
	}
	return api.OperationEvent{
		EventId: aws.Ptr(ev.ID), StackId: &st.ID, OperationId: optional(ev.Operation), EventType: kind, LogicalResourceId: aws.Ptr(ev.LogicalID),
		PhysicalResourceId: optional(ev.PhysicalID), ResourceType: aws.Ptr(ev.Type), Timestamp: aws.Ptr(ev.Time),
		ResourceStatus: api.ResourceStatus(ev.Status), ResourceStatusReason: optional(ev.Reason),
		ResourceProperties: optional(ev.Properties), ClientRequestToken: optional(ev.Token),
	}
}
