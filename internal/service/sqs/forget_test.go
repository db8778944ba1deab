package sqs_test

import (
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/service/sqs"
	"github.com/hardstand/hardstand/internal/store/storetest"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// TestOldTasksAndNamesAreForgotten: queues that come and go, and tasks, leave nothing for ever.
func TestOldTasksAndNamesAreForgotten(t *testing.T) {
	l := newLab(t, gate{})
	dead := l.queue("dead", nil)
	const deadARN = "arn:aws:sqs:us-east-1:" + account + ":dead"
	l.queue("main", attrs{"RedrivePolicy": `{"deadLetterTargetArn":"` + deadARN + `","maxReceiveCount":1}`})
	task := wiretest.Must[api.StartMessageMoveTaskOutput](l, "StartMessageMoveTask", &api.StartMessageMoveTaskInput{SourceArn: aws.Ptr(deadARN)})
	wiretest.Age(t, l.Clock, l.svc.Aging(), 100*24*time.Hour)
	if n := storetest.Count(t, l.DB, sqs.MoveTasks); n != 1 {
		t.Errorf("%d tasks while one runs", n)
	}
	wiretest.Must[api.CancelMessageMoveTaskOutput](l, "CancelMessageMoveTask", &api.CancelMessageMoveTaskInput{TaskHandle: task.TaskHandle})
	wiretest.Settle(t, l.Clock, l.svc.Run)
	wiretest.Must[api.DeleteQueueOutput](l, "DeleteQueue", &api.DeleteQueueInput{QueueUrl: dead})
	if n := storetest.Count(t, l.DB, sqs.Tombstones); n != 1 {
		t.Errorf("%d names of deleted queues", n)
	}
	wiretest.Age(t, l.Clock, l.svc.Aging(), 61*time.Second)
	if tasks, names := storetest.Count(t, l.DB, sqs.MoveTasks), storetest.Count(t, l.DB, sqs.Tombstones); tasks+names != 0 {
		t.Errorf("%d tasks, %d names are left", tasks, names)
	}
}
