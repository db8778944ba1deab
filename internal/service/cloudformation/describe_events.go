package cloudformation

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

// eventChecks judges the right to see events on the stack that they belong to.
func (s *Service) eventChecks(ctx context.Context, in *api.DescribeEventsInput) ([]aws.Check, error) {
	name := aws.Val(in.StackName)
	if in.ChangeSetName != nil {
		if cs, err := s.changeSet(ctx, in.StackName, in.ChangeSetName); err == nil {
			name = cs.StackID
		}
	} else if name == "" {
		if st, err := s.operated(ctx, aws.Val(in.OperationId)); err == nil {
			name = st.ID
		}
	}
	return s.stackChecks(ctx, name), nil
}

// DescribeEvents lists the events of a stack's operations, newest first: of all, of
// one, or only failures; or what became of the creation of a change set.
func (s *Service) DescribeEvents(ctx context.Context, in *api.DescribeEventsInput) (*api.DescribeEventsOutput, error) {
	if in.ChangeSetName != nil {
		return s.changeSetEvents(ctx, in)
	}
	if in.StackName == nil && in.OperationId == nil {
		return nil, invalid("One of ChangeSetName, OperationId or StackName must be specified as input.")
	}
	st, err := s.find(ctx, in.StackName, noStack)
	if in.StackName == nil {
		st, err = s.operated(ctx, *in.OperationId)
	}
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

// operated finds the stack that one of its last operations is known by.
func (s *Service) operated(ctx context.Context, operationID string) (st *stack.Stack, err error) {
	c := aws.CallFrom(ctx)
	err = s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := stack.Stacks.Lookup(tx, "operation", operationID)
		for _, row := range rows {
			if row.Key.Account == c.Account && row.Key.Region == c.Region {
				st = row.Value
			}
		}
		return err
	})
	if err == nil && st == nil {
		err = invalid("Operation [%s] does not exist", operationID)
	}
	return st, err
}

func operationEvent(st *stack.Stack, ev stack.Event) api.OperationEvent {
	kind := api.EventTypeStackEvent
	if strings.HasSuffix(ev.Status, "_FAILED") && ev.PhysicalID != st.ID {
		kind = api.EventTypeProvisioningError
	}
	v := api.OperationEvent{
		EventId: aws.Ptr(ev.ID), StackId: &st.ID, OperationId: optional(ev.Operation), EventType: kind, LogicalResourceId: aws.Ptr(ev.LogicalID),
		PhysicalResourceId: optional(ev.PhysicalID), ResourceType: aws.Ptr(ev.Type), Timestamp: aws.Ptr(ev.Time),
		ResourceStatus: api.ResourceStatus(ev.Status), ResourceStatusReason: optional(ev.Reason),
		ResourceProperties: optional(ev.Properties), ClientRequestToken: optional(ev.Token),
	}
	if ev.PhysicalID == st.ID {
		v.OperationType = operationType(ev.Call)
	}
	return v
}

// operationType is what DescribeEvents calls the operation of a request.
func operationType(operation string) api.OperationType {
	switch operation {
	case "CreateStack":
		return api.OperationTypeCreateStack
	case "UpdateStack":
		return api.OperationTypeUpdateStack
	case "DeleteStack":
		return api.OperationTypeDeleteStack
	case "RollbackStack":
		return api.OperationTypeRollback
	case "ContinueUpdateRollback":
		return api.OperationTypeContinueRollback
	case "CreateChangeSet":
		return api.OperationTypeCreateChangeset
	}
	return ""
}

// lastOperations are those that a stack shows: the last one.
func lastOperations(st *stack.Stack) []api.OperationEntry {
	kind := operationType(st.Call())
	if st.OperationID == "" || kind == "" {
		return nil
	}
	return []api.OperationEntry{{OperationType: kind, OperationId: &st.OperationID}}
}

// changeSetEvents says how the creation of a change set ended. It is done when the
// call that asks for it answers.
func (s *Service) changeSetEvents(ctx context.Context, in *api.DescribeEventsInput) (*api.DescribeEventsOutput, error) {
	cs, err := s.changeSet(ctx, in.StackName, in.ChangeSetName)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeEventsOutput{OperationEvents: []api.OperationEvent{}}
	status := api.BeaconStackOperationStatusSucceeded
	if cs.Status == "FAILED" {
		status = api.BeaconStackOperationStatusFailed
	}
	if in.Filters != nil && aws.Val(in.Filters.FailedEvents) && cs.Status != "FAILED" {
		return out, nil
	}
	id := cs.ID[strings.LastIndex(cs.ID, "/")+1:]
	out.OperationEvents = append(out.OperationEvents, api.OperationEvent{EventId: &id, StackId: &cs.StackID, OperationId: &id, EventType: api.EventTypeStackEvent,
		OperationType: api.OperationTypeCreateChangeset, OperationStatus: status, Timestamp: &cs.Created, StartTime: &cs.Created, EndTime: &cs.Created,
		ResourceStatusReason: optional(cs.Reason)})
	for _, bad := range cs.Invalid {
		out.OperationEvents = append(out.OperationEvents, api.OperationEvent{EventId: aws.Ptr(ids.UUID()), StackId: &cs.StackID, OperationId: &id,
			EventType: api.EventTypeValidationError, OperationType: api.OperationTypeCreateChangeset, LogicalResourceId: aws.Ptr(bad.LogicalID),
			ResourceType: aws.Ptr(bad.Type), Timestamp: &cs.Created, ValidationFailureMode: api.HookFailureModeFail, ValidationName: aws.Ptr("PROPERTY_VALIDATION"),
			ValidationStatus: api.ValidationStatusFailed, ValidationStatusReason: aws.Ptr(bad.Message), ValidationPath: aws.Ptr(bad.Path)})
	}
	return out, nil
}
