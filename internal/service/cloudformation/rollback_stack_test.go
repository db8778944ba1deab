package cloudformation_test

import (
	"context"
	"errors"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
)

const twoThings = `
Parameters: {V: {Type: String, Default: one}}
Resources:
  A: {Type: 'Test::Fake::Thing', Properties: {Value: !Ref V}}
  B: {Type: 'Test::Fake::Thing', DependsOn: A, Properties: {Value: !Ref V}}`

// fail lets one method of one resource fail until it is mended.
func (l *lab) fail(method, id string) (mend func()) {
	l.fake.Before = func(_ context.Context, m string, r stack.Request) error {
		if m == method && r.LogicalID == id {
			return errors.New("no")
		}
		return nil
	}
	return func() { l.fake.Before = nil }
}

func TestRollbackStack(t *testing.T) {
	l := newLab(t)
	s := l.create("r", twoThings, nil)
	_, err := call[api.RollbackStackOutput](l, "RollbackStack", &api.RollbackStackInput{StackName: s.StackName})
	wantError(t, err, "ValidationError", "Stack:"+*s.StackId+" is in CREATE_COMPLETE state and can not be rolled back.")
	mend := l.fail("Update", "B")
	update := func(value string, keep bool) error {
		_, err := call[api.UpdateStackOutput](l, "UpdateStack", &api.UpdateStackInput{StackName: s.StackName, UsePreviousTemplate: aws.Ptr(true),
			DisableRollback: &keep, Parameters: []api.Parameter{{ParameterKey: aws.Ptr("V"), ParameterValue: &value}}})
		return err
	}
	if err := update("two", true); err != nil {
		t.Fatal(err)
	}
	failed := l.rest(*s.StackId)
	l.wantStatus(failed, "UPDATE_FAILED")
	if got := *failed.Parameters[0].ParameterValue; got != "two" {
		t.Errorf("parameter shown: %s", got)
	}
	wantError(t, update("two", false), "ValidationError", "Stack:"+*s.StackId+" is in UPDATE_FAILED state and can not be updated.")
	if err := update("two", true); err != nil {
		t.Fatalf("the same again: %v", err)
	}
	l.wantStatus(l.rest(*s.StackId), "UPDATE_FAILED")
	mend()
	out := must[api.RollbackStackOutput](l, "RollbackStack", &api.RollbackStackInput{StackName: s.StackName})
	if aws.Val(out.OperationId) == "" {
		t.Error("no operation id")
	}
	events := must[api.DescribeEventsOutput](l, "DescribeEvents", &api.DescribeEventsInput{StackName: s.StackName, OperationId: out.OperationId})
	if n := len(events.OperationEvents); n == 0 || events.OperationEvents[n-1].ResourceStatus != "UPDATE_ROLLBACK_IN_PROGRESS" {
		t.Errorf("events of the rollback: %+v", events.OperationEvents)
	}
	all := must[api.DescribeEventsOutput](l, "DescribeEvents", &api.DescribeEventsInput{StackName: s.StackName, Filters: &api.EventFilter{FailedEvents: aws.Ptr(true)}})
	if len(all.OperationEvents) != 4 { // B and the stack, twice
		t.Errorf("failed events: %+v", all.OperationEvents)
	}
	back := l.rest(*s.StackId)
	l.wantStatus(back, "UPDATE_ROLLBACK_COMPLETE")
	if got := *back.Parameters[0].ParameterValue; got != "one" {
		t.Errorf("parameter after the rollback: %s", got)
	}
}

func TestContinueUpdateRollback(t *testing.T) {
	l := newLab(t)
	s := l.create("c", twoThings, nil)
	in := &api.ContinueUpdateRollbackInput{StackName: s.StackName, ResourcesToSkip: []string{"B"}}
	_, err := call[api.ContinueUpdateRollbackOutput](l, "ContinueUpdateRollback", in)
	wantError(t, err, "ValidationError", "Stack:"+*s.StackId+" is in CREATE_COMPLETE state and can not continue update rollback.")
	l.fail("Update", "B")
	must[api.UpdateStackOutput](l, "UpdateStack", &api.UpdateStackInput{StackName: s.StackName, UsePreviousTemplate: aws.Ptr(true),
		Parameters: []api.Parameter{{ParameterKey: aws.Ptr("V"), ParameterValue: aws.Ptr("two")}}})
	l.wantStatus(l.rest(*s.StackId), "UPDATE_ROLLBACK_FAILED")
	must[api.ContinueUpdateRollbackOutput](l, "ContinueUpdateRollback", in)
	l.wantStatus(l.rest(*s.StackId), "UPDATE_ROLLBACK_COMPLETE")
}

func TestForceDelete(t *testing.T) {
	l := newLab(t)
	s := l.create("f", twoThings, nil)
	l.fail("Delete", "B")
	force := &api.DeleteStackInput{StackName: s.StackName, DeletionMode: api.DeletionModeForceDeleteStack}
	_, err := call[api.DeleteStackOutput](l, "DeleteStack", force)
	wantError(t, err, "ValidationError", "")
	must[api.DeleteStackOutput](l, "DeleteStack", &api.DeleteStackInput{StackName: s.StackName})
	l.wantStatus(l.rest(*s.StackId), "DELETE_FAILED")
	must[api.DeleteStackOutput](l, "DeleteStack", force)
	l.wantStatus(l.rest(*s.StackId), "DELETE_COMPLETE")
}
