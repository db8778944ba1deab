package cloudformation_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/service/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/store/storetest"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

const (
	pairOfThings = "Resources: {A: {Type: 'Test::Fake::Thing'}, B: {Type: 'Test::Fake::Thing'}}"
	singleThing  = "Resources: {A: {Type: 'Test::Fake::Thing'}}"
)

// rows counts what stacks and stack sets leave.
func (l *lab) rows(gone string) string {
	l.t.Helper()
	events, err := l.db.Events(l.ctx, 0, store.Filter{Service: "cloudformation", Resource: gone, Kind: "stack-event"}, 1)
	if err != nil {
		l.t.Fatal(err)
	}
	return fmt.Sprintf("%d stacks, %d resources, %d change sets, %d detections, %d sets, %d operations, %d events",
		storetest.Count(l.t, l.db, stack.Stacks), storetest.Count(l.t, l.db, stack.Members), storetest.Count(l.t, l.db, cloudformation.ChangeSets),
		storetest.Count(l.t, l.db, cloudformation.Detections), storetest.Count(l.t, l.db, cloudformation.StackSets),
		storetest.Count(l.t, l.db, cloudformation.SetOperations), len(events))
}

// TestWhatIsDeletedIsForgotten: 90 days after their end nothing is left of stacks, of
// resources of stacks that live, and of stack sets.
func TestWhatIsDeletedIsForgotten(t *testing.T) {
	l := newLab(t)
	stop := l.begin()
	gone := l.create("gone", pairOfThings, nil)
	must[api.CreateChangeSetOutput](l, "CreateChangeSet", &api.CreateChangeSetInput{StackName: gone.StackName, ChangeSetName: aws.Ptr("c"), TemplateBody: aws.Ptr(singleThing)})
	must[api.DetectStackDriftOutput](l, "DetectStackDrift", &api.DetectStackDriftInput{StackName: gone.StackName})
	must[api.DeleteStackOutput](l, "DeleteStack", &api.DeleteStackInput{StackName: gone.StackName})
	l.wantStatus(l.rest(*gone.StackId), "DELETE_COMPLETE")
	stays := l.create("stays", pairOfThings, nil)
	must[api.UpdateStackOutput](l, "UpdateStack", &api.UpdateStackInput{StackName: stays.StackName, TemplateBody: aws.Ptr(singleThing)})
	l.wantStatus(l.rest(*stays.StackId), "UPDATE_COMPLETE")
	set := l.newSet("fleet")
	l.wantOperation(set, l.addInstances("fleet", nil), "SUCCEEDED")
	l.deleteInstances("fleet", "SUCCEEDED")
	must[api.DeleteStackSetOutput](l, "DeleteStackSet", &api.DeleteStackSetInput{StackSetName: aws.Ptr("fleet")})
	stop()
	if got, want := l.rows(*gone.StackId), "4 stacks, 6 resources, 1 change sets, 1 detections, 1 sets, 2 operations, 1 events"; got != want {
		t.Fatalf("before: %s, want %s", got, want)
	}

	for _, work := range l.aging() {
		wiretest.Run(t, work, context.Canceled)
	}
	l.clock.Advance(89 * 24 * time.Hour)
	must[api.DescribeStackEventsOutput](l, "DescribeStackEvents", &api.DescribeStackEventsInput{StackName: gone.StackId})
	l.clock.Advance(25 * time.Hour)
	const want = "1 stacks, 1 resources, 0 change sets, 0 detections, 0 sets, 0 operations, 0 events"
	for deadline := time.After(20 * time.Second); l.rows(*gone.StackId) != want; {
		select {
		case <-time.After(5 * time.Millisecond): // rows are removed without an event
		case <-deadline:
			t.Fatalf("after 90 days: %s, want %s", l.rows(*gone.StackId), want)
		}
	}
	if n := len(must[api.DescribeStackEventsOutput](l, "DescribeStackEvents", &api.DescribeStackEventsInput{StackName: stays.StackName}).StackEvents); n == 0 {
		t.Error("a stack that lives has lost its events")
	}
}
