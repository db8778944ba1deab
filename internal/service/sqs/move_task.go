package sqs

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// moveTask is a row of sqs.move: dead letters on their way back. The key's ID is the
// task's.
type moveTask struct {
	Source, Destination string // ARNs; no destination: where each came from
	Rate                int    // messages a second
	Status              string
	Moved, Total        int64
	Failure             string `json:",omitempty"`
	Started             int64  // milliseconds
}

// The states of a task.
const (
	taskRunning    = "RUNNING"
	taskCompleted  = "COMPLETED"
	taskCancelling = "CANCELLING"
	taskCancelled  = "CANCELLED"
	taskFailed     = "FAILED"
)

var moveTasks = &store.Table[moveTask]{Name: "sqs.move", Version: 1, Indexes: []store.Index[moveTask]{
	{Name: "source", Value: func(_ store.Key, t *moveTask) []string { return []string{t.Source} }},
	{Name: "active", Value: func(_ store.Key, t *moveTask) []string {
		if t.Status == taskRunning || t.Status == taskCancelling {
			return []string{"x"}
		}
		return nil
	}},
	store.TimeIndex("over", func(t *moveTask) time.Time {
		if t.Status == taskRunning || t.Status == taskCancelling {
			return time.Time{}
		}
		return time.UnixMilli(t.Started)
	}),
}}

// keepTasks is how long a task is listed when it is over, from its beginning on.
const keepTasks = 90 * 24 * time.Hour

const maxRate = 500

// taskHandle is what a task's handle holds, in AWS's form.
type taskHandle struct {
	TaskID    string `json:"taskId"`
	SourceARN string `json:"sourceArn"`
}

func makeTaskHandle(id, source string) string {
	b, _ := json.Marshal(taskHandle{id, source}) // two strings
	return base64.StdEncoding.EncodeToString(b)
}

func openTaskHandle(handle string) (id, source string, err error) {
	var h taskHandle
	b, err := base64.StdEncoding.DecodeString(handle)
	if err != nil || json.Unmarshal(b, &h) != nil || h.TaskID == "" {
		return "", "", errParameter(handle, "TaskHandle", "Invalid TaskHandle.")
	}
	return h.TaskID, h.SourceARN, nil
}

func errNoSource() error {
	return awserr.Status(404, "ResourceNotFoundException", "The resource that you specified for the SourceArn parameter doesn't exist.")
}

// StartMessageMoveTask begins to move the messages of a dead-letter queue to where
// they came from, or to a queue given.
func (s *Service) StartMessageMoveTask(ctx context.Context, in *api.StartMessageMoveTaskInput) (*api.StartMessageMoveTaskOutput, error) {
	t := &moveTask{Source: *in.SourceArn, Destination: aws.Val(in.DestinationArn), Rate: maxRate, Status: taskRunning}
	if n := in.MaxNumberOfMessagesPerSecond; n != nil {
		if *n < 1 || *n > maxRate {
			return nil, errParameter(*n, "MaxNumberOfMessagesPerSecond", "You must enter a value that's greater than 0 and less than or equal to 500.")
		}
		t.Rate = int(*n)
	}
	k, ok := keyOf(t.Source)
	if !ok {
		return nil, errParameter(t.Source, "SourceArn", "The source queue's ARN is not valid.")
	}
	id := ids.UUID()
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		q, err := s.judgeTask(tx, k, t)
		if err != nil {
			return err
		}
		n, err := messages.Count(tx, "ready", q.Serial+"\x00", q.Serial+"\x01")
		if err != nil {
			return err
		}
		t.Total, t.Started = int64(n), tx.Now().UnixMilli()
		tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: "sqs", Resource: id, Kind: "move", Cause: "started"})
		return moveTasks.Insert(tx, store.Key{Account: k.Account, Region: k.Region, ID: id}, t)
	})
	if err != nil {
		return nil, err
	}
	return &api.StartMessageMoveTaskOutput{TaskHandle: aws.Ptr(makeTaskHandle(id, t.Source))}, nil
}

func (s *Service) judgeTask(tx *store.Tx, k store.Key, t *moveTask) (*queue, error) {
	q, err := queues.Get(tx, k)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoSource()
	}
	if err != nil {
		return nil, err
	}
	sources, err := queues.Lookup(tx, "target", t.Source)
	if err != nil {
		return nil, err
	}
	if len(sources) == 0 {
		return nil, errValue("Source queue must be configured as a Dead Letter Queue.")
	}
	if t.Destination != "" {
		to, ok := keyOf(t.Destination)
		if _, err := queues.Get(tx, to); !ok || errors.Is(err, store.ErrNotFound) {
			return nil, awserr.Status(404, "ResourceNotFoundException", "The resource that you specified for the DestinationArn parameter doesn't exist.")
		} else if err != nil {
			return nil, err
		}
		if to == k {
			return nil, errValue("Source queue arn and destination queue arn cannot be the same.")
		}
	}
	tasks, err := moveTasks.Lookup(tx, "source", t.Source)
	for _, row := range tasks {
		if row.Value.Status == taskRunning || row.Value.Status == taskCancelling {
			return nil, awserr.New("UnsupportedOperation", "There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
		}
	}
	return q, err
}

// ListMessageMoveTasks lists a source's tasks, the newest first.
func (s *Service) ListMessageMoveTasks(ctx context.Context, in *api.ListMessageMoveTasksInput) (*api.ListMessageMoveTasksOutput, error) {
	most := 1
	if n := in.MaxResults; n != nil {
		if *n < 1 || *n > 10 {
			return nil, errParameter(*n, "MaxResults", "The value must be between 1 and 10.")
		}
		most = int(*n)
	}
	k, ok := keyOf(*in.SourceArn)
	if !ok {
		return nil, errNoSource()
	}
	out := &api.ListMessageMoveTasksOutput{}
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		out.Results = nil
		if _, err := queues.Get(tx, k); errors.Is(err, store.ErrNotFound) {
			return errNoSource()
		}
		rows, err := moveTasks.Lookup(tx, "source", *in.SourceArn)
		sortNewest(rows)
		for _, row := range rows[:min(most, len(rows))] {
			out.Results = append(out.Results, describeTask(row))
		}
		return err
	})
	return out, err
}

func describeTask(row store.Row[moveTask]) api.ListMessageMoveTasksResultEntry {
	t := row.Value
	e := api.ListMessageMoveTasksResultEntry{Status: &t.Status, SourceArn: &t.Source, StartedTimestamp: &t.Started,
		ApproximateNumberOfMessagesMoved: &t.Moved, ApproximateNumberOfMessagesToMove: &t.Total}
	if t.Status == taskRunning {
		e.TaskHandle = aws.Ptr(makeTaskHandle(row.Key.ID, t.Source))
	}
	if t.Destination != "" {
		e.DestinationArn = &t.Destination
	}
	if t.Rate != maxRate {
		e.MaxNumberOfMessagesPerSecond = aws.Ptr(int32(t.Rate)) //nolint:gosec // at most 500
	}
	if t.Failure != "" {
		e.FailureReason = &t.Failure
	}
	return e
}

// CancelMessageMoveTask ends a task that runs. What it moved stays moved.
func (s *Service) CancelMessageMoveTask(ctx context.Context, in *api.CancelMessageMoveTaskInput) (*api.CancelMessageMoveTaskOutput, error) {
	id, source, err := openTaskHandle(*in.TaskHandle)
	if err != nil {
		return nil, err
	}
	k, ok := keyOf(source)
	if !ok {
		return nil, errNoSource()
	}
	out := &api.CancelMessageMoveTaskOutput{}
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		at := store.Key{Account: k.Account, Region: k.Region, ID: id}
		t, err := moveTasks.Get(tx, at)
		if errors.Is(err, store.ErrNotFound) || err == nil && t.Source != source {
			return awserr.Status(404, "ResourceNotFoundException", "Task does not exist.")
		}
		if err != nil {
			return err
		}
		if t.Status != taskRunning {
			return awserr.New("UnsupportedOperation", "Only tasks in RUNNING status can be cancelled.")
		}
		t.Status = taskCancelling
		out.ApproximateNumberOfMessagesMoved = &t.Moved
		tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: "sqs", Resource: id, Kind: "move", Cause: "cancelling"})
		return moveTasks.Put(tx, at, t)
	})
	return out, err
}
