package cloudformation_test

import (
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
)

func TestEventsOfOneOperation(t *testing.T) {
	l := newLab(t)
	s := l.create("web", simple, nil)
	first := s.LastOperations[0]
	cs := must[api.CreateChangeSetOutput](l, "CreateChangeSet", &api.CreateChangeSetInput{StackName: s.StackId, ChangeSetName: aws.Ptr("c"), TemplateBody: aws.Ptr(simple)})
	l.mustDelete("web")
	l.rest(*s.StackId)
	events := func(in *api.DescribeEventsInput) []api.OperationEvent {
		t.Helper()
		return must[api.DescribeEventsOutput](l, "DescribeEvents", in).OperationEvents
	}
	if all := events(&api.DescribeEventsInput{StackName: s.StackId}); len(all) != 9 {
		t.Errorf("%d events in all", len(all))
	}
	made := events(&api.DescribeEventsInput{OperationId: first.OperationId})
	if len(made) != 5 || made[0].OperationType != "CREATE_STACK" || made[0].ResourceStatus != "CREATE_COMPLETE" || first.OperationType != "CREATE_STACK" {
		t.Errorf("events of the creation %+v", made)
	}
	set := events(&api.DescribeEventsInput{ChangeSetName: cs.Id})
	if len(set) != 1 || set[0].OperationType != "CREATE_CHANGESET" || set[0].OperationStatus != "FAILED" {
		t.Errorf("events of the change set %+v", set)
	}
	for _, c := range []struct {
		name          string
		in            *api.DescribeEventsInput
		code, message string
	}{
		{"nothing", &api.DescribeEventsInput{}, "ValidationError", "One of ChangeSetName, OperationId or StackName must be specified as input."},
		{"no operation", &api.DescribeEventsInput{OperationId: aws.Ptr("x")}, "ValidationError", ""},
		{"no stack", &api.DescribeEventsInput{StackName: aws.Ptr("x")}, "ValidationError", "Stack [x] does not exist"},
		{"no change set", &api.DescribeEventsInput{StackName: s.StackId, ChangeSetName: aws.Ptr("x")}, "ChangeSetNotFound", ""},
	} {
		_, err := call[api.DescribeEventsOutput](l, "DescribeEvents", c.in)
		wantError(t, err, c.code, c.message)
	}
}
