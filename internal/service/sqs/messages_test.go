package sqs_test

import (
	"context"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

func TestVisibility(t *testing.T) {
	l := newLab(t, gate{})
	u := l.queue("q", nil)
	l.send(u, "a")
	l.Clock.Advance(time.Millisecond)
	l.send(u, "b")
	if got := bodies(l.receive(u, 1)) + "," + bodies(l.receive(u, 10)) + "," + bodies(l.receive(u, 10)); got != "a,b," {
		t.Errorf("received %q", got)
	}
	if got := l.counts(u); got != "0/0/2" {
		t.Errorf("counts %s", got)
	}
	l.Clock.Advance(30 * time.Second)
	again := l.receive(u, 10)
	if bodies(again) != "a b" || again[0].Attributes["ApproximateReceiveCount"] != "2" {
		t.Errorf("after the time-out %q %v", bodies(again), again[0].Attributes)
	}
	wiretest.Must[api.ChangeMessageVisibilityOutput](l, "ChangeMessageVisibility", &api.ChangeMessageVisibilityInput{
		QueueUrl: u, ReceiptHandle: again[1].ReceiptHandle, VisibilityTimeout: aws.Ptr[int32](0)})
	l.delete(u, again[0])
	if got := bodies(l.receive(u, 10)); got != "b" || l.counts(u) != "0/0/1" {
		t.Errorf("then %q, %s", got, l.counts(u))
	}
}

func TestDelayAndRetention(t *testing.T) {
	l := newLab(t, gate{})
	u := l.queue("q", attrs{"DelaySeconds": "5", "MessageRetentionPeriod": "60"})
	l.send(u, "late")
	wiretest.Must[api.SendMessageOutput](l, "SendMessage", &api.SendMessageInput{QueueUrl: u, MessageBody: aws.Ptr("now"), DelaySeconds: aws.Ptr[int32](0)})
	if got := bodies(l.receive(u, 10)); got != "now" || l.counts(u) != "0/1/1" {
		t.Errorf("at once %q, %s", got, l.counts(u))
	}
	l.Clock.Advance(5 * time.Second)
	if got := bodies(l.receive(u, 10)); got != "late" {
		t.Errorf("after the delay %q", got)
	}
	l.Clock.Advance(55 * time.Second)
	if got := l.receive(u, 10); len(got) != 0 || l.counts(u) != "0/0/0" {
		t.Errorf("after the retention %v, %s", got, l.counts(u))
	}
}

// A message that arrives wakes who waits, and so does one that comes out of hiding.
func TestLongPoll(t *testing.T) {
	l := newLab(t, gate{})
	u := l.queue("q", attrs{"ReceiveMessageWaitTimeSeconds": "20", "VisibilityTimeout": "3"})
	wait := func() <-chan []api.Message {
		got := make(chan []api.Message, 1)
		go func() {
			out, _ := wiretest.Call[api.ReceiveMessageOutput](l, "ReceiveMessage", &api.ReceiveMessageInput{QueueUrl: u})
			got <- out.Messages
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := l.Clock.BlockUntil(ctx, 1); err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := wait()
	l.send(u, "a")
	if got := bodies(<-first); got != "a" {
		t.Errorf("woken with %q", got)
	}
	l.Clock.Advance(time.Second) // what the first wait hangs on stays
	out := make(chan []api.Message, 1)
	go func() {
		o, _ := wiretest.Call[api.ReceiveMessageOutput](l, "ReceiveMessage", &api.ReceiveMessageInput{QueueUrl: u})
		out <- o.Messages
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := l.Clock.BlockUntil(ctx, 2); err != nil {
		t.Fatal(err)
	}
	l.Clock.Advance(2 * time.Second)
	if got := bodies(<-out); got != "a" {
		t.Errorf("out of hiding: %q", got)
	}
}

func TestFIFO(t *testing.T) {
	l := newLab(t, gate{})
	u := l.queue("q.fifo", attrs{"FifoQueue": "true", "ContentBasedDeduplication": "true"})
	first := l.sendTo(u, "g", "1")
	l.sendTo(u, "h", "2")
	l.sendTo(u, "g", "3")
	if again := l.sendTo(u, "g", "1"); *again.MessageId != *first.MessageId || *again.SequenceNumber != *first.SequenceNumber {
		t.Error("a message sent twice is two")
	}
	head := l.receive(u, 1)
	if got := bodies(head) + "," + bodies(l.receive(u, 10)); got != "1,2" {
		t.Errorf("received %q: a group goes on before its first is done", got)
	}
	l.delete(u, head[0])
	if got := bodies(l.receive(u, 10)); got != "3" {
		t.Errorf("then %q", got)
	}
	l.Clock.Advance(5 * time.Minute)
	if again := l.sendTo(u, "g", "1"); *again.MessageId == *first.MessageId {
		t.Error("remembered longer than five minutes")
	}
	if got := bodies(l.receive(u, 10)); got != "2 3 1" {
		t.Errorf("order %q", got)
	}
}

func TestReceiveAttempt(t *testing.T) {
	l := newLab(t, gate{})
	u := l.queue("q.fifo", attrs{"FifoQueue": "true", "ContentBasedDeduplication": "true"})
	l.sendTo(u, "g", "1")
	in := &api.ReceiveMessageInput{QueueUrl: u, ReceiveRequestAttemptId: aws.Ptr("try")}
	a, b := wiretest.Must[api.ReceiveMessageOutput](l, "ReceiveMessage", in), wiretest.Must[api.ReceiveMessageOutput](l, "ReceiveMessage", in)
	if len(b.Messages) != 1 || *a.Messages[0].ReceiptHandle != *b.Messages[0].ReceiptHandle {
		t.Errorf("the attempt repeated got %v", b.Messages)
	}
}

func TestDeadLettersGoAndReturn(t *testing.T) {
	l := newLab(t, gate{})
	dead := l.queue("dead", nil)
	const deadARN = "arn:aws:sqs:us-east-1:123456789012:dead"
	u := l.queue("q", attrs{"VisibilityTimeout": "0", "RedrivePolicy": `{"deadLetterTargetArn":"` + deadARN + `","maxReceiveCount":"2"}`})
	l.send(u, "bad")
	for range 2 {
		if got := bodies(l.receive(u, 1)); got != "bad" {
			t.Fatalf("received %q", got)
		}
	}
	if got := l.receive(u, 1); len(got) != 0 {
		t.Errorf("a third time: %v", got)
	}
	if l.counts(dead) != "1/0/0" {
		t.Fatalf("dead letters %s", l.counts(dead))
	}
	run(t, l)
	task := wiretest.Must[api.StartMessageMoveTaskOutput](l, "StartMessageMoveTask", &api.StartMessageMoveTaskInput{SourceArn: aws.Ptr(deadARN)})
	got := bodies(wiretest.Must[api.ReceiveMessageOutput](l, "ReceiveMessage", &api.ReceiveMessageInput{QueueUrl: u, WaitTimeSeconds: aws.Ptr[int32](20)}).Messages)
	list := wiretest.Must[api.ListMessageMoveTasksOutput](l, "ListMessageMoveTasks", &api.ListMessageMoveTasksInput{SourceArn: aws.Ptr(deadARN)}).Results
	if got != "bad" || len(list) != 1 || *list[0].Status != "COMPLETED" || *list[0].ApproximateNumberOfMessagesMoved != 1 {
		t.Errorf("moved back %q; %d tasks", got, len(list))
	}
	if _, err := wiretest.Call[api.CancelMessageMoveTaskOutput](l, "CancelMessageMoveTask", &api.CancelMessageMoveTaskInput{TaskHandle: task.TaskHandle}); !awserr.Is(err, "UnsupportedOperation") {
		t.Errorf("cancel a task that is done: %v", err)
	}
}

// run works in the background until the test ends.
func run(t *testing.T, l *lab) { wiretest.Run(t, l.svc.Run, context.Canceled) }

// What was answered is there after a restart.
func TestRestart(t *testing.T) {
	l := newLab(t, gate{})
	u := l.queue("q", nil)
	l.send(u, "kept")
	got := l.receive(u, 1)
	l.restart()
	if l.counts(u) != "0/0/1" {
		t.Errorf("counts %s", l.counts(u))
	}
	l.delete(u, got[0])
	if l.counts(u) != "0/0/0" {
		t.Errorf("counts %s", l.counts(u))
	}
}

// Who waits while the queue is purged gets what is sent afterwards, at once.
func TestLongPollSurvivesPurge(t *testing.T) {
	l := newLab(t, gate{})
	u := l.queue("q", attrs{"ReceiveMessageWaitTimeSeconds": "20"})
	got := make(chan []api.Message, 1)
	go func() {
		out, _ := wiretest.Call[api.ReceiveMessageOutput](l, "ReceiveMessage", &api.ReceiveMessageInput{QueueUrl: u})
		got <- out.Messages
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := l.Clock.BlockUntil(ctx, 1); err != nil {
		t.Fatal(err)
	}
	wiretest.Must[api.PurgeQueueOutput](l, "PurgeQueue", &api.PurgeQueueInput{QueueUrl: u})
	l.send(u, "a")
	select {
	case list := <-got:
		if bodies(list) != "a" {
			t.Errorf("received %q", bodies(list))
		}
	case <-ctx.Done():
		t.Error("the message does not wake who waits")
	}
}

func TestPurgeAndDelete(t *testing.T) {
	l := newLab(t, gate{})
	u := l.queue("q", nil)
	l.send(u, "a")
	wiretest.Must[api.PurgeQueueOutput](l, "PurgeQueue", &api.PurgeQueueInput{QueueUrl: u})
	if l.counts(u) != "0/0/0" {
		t.Errorf("counts %s", l.counts(u))
	}
	if _, err := wiretest.Call[api.PurgeQueueOutput](l, "PurgeQueue", &api.PurgeQueueInput{QueueUrl: u}); !awserr.Is(err, "PurgeQueueInProgress") {
		t.Errorf("purged twice: %v", err)
	}
	wiretest.Must[api.DeleteQueueOutput](l, "DeleteQueue", &api.DeleteQueueInput{QueueUrl: u})
	in := &api.CreateQueueInput{QueueName: aws.Ptr("q")}
	if _, err := wiretest.Call[api.CreateQueueOutput](l, "CreateQueue", in); !awserr.Is(err, "QueueDeletedRecently") {
		t.Errorf("the name at once: %v", err)
	}
	l.Clock.Advance(time.Minute)
	l.queue("q", nil)
}

func BenchmarkSendReceiveDelete(b *testing.B) {
	l := newLab(b, gate{})
	u := l.queue("q", nil)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.send(u, "a message of a usual kind")
			for _, m := range l.receive(u, 1) {
				l.delete(u, m)
			}
		}
	})
}
