// Package sqs is the Simple Queue Service: standard and FIFO queues, their
// messages, dead letters and the tasks that bring these back, and the resource
// types AWS::SQS::Queue and AWS::SQS::QueuePolicy.
//
// It owns the tables sqs.queue, sqs.message, sqs.dedup, sqs.attempt, sqs.move and
// sqs.garbage. It imports store, policy, stack (its resource types), wire and the
// API's types. The flow enters through Wire's operations, in JSON and in the query
// protocol that old SDKs speak; every send, receipt and deletion is one transaction
// of the store, so what was answered survives the server.
//
//	SendMessage ----> row of sqs.message, hidden until its delay is over ---> ring
//	ReceiveMessage -> the first rows that are not hidden; hides them for the
//	                  visibility timeout; without any it waits for the bell or for
//	                  the first row to come out of hiding
//	DeleteMessage --> removes the row
//	Run ------------> removes what purged and deleted queues held, what is past its
//	                  retention, and works on message move tasks
//
// A queue's policy is judged by the same authorizer as a bucket's: other accounts,
// and services that act on their own account, need it.
package sqs

import (
	"context"
	"log/slog"

	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// Invoker calls operations of any service as the caller in ctx.
type Invoker interface {
	Invoke(ctx context.Context, service, operation string, in any) (any, error)
}

// Config is what New needs.
type Config struct {
	DB      *store.DB
	Sealer  *store.Sealer
	Clock   clock.Clock
	Log     *slog.Logger
	Invoker Invoker
	// Endpoint is the server's base URL: queue URLs begin with it.
	Endpoint string
}

// Service implements the operations.
type Service struct {
	cfg      Config
	bells    bells
	sequence ids.Sequence
}

// New returns the service.
func New(cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{cfg: cfg}
}

// Wire lists the operations. Anonymous callers come as far as the queue's policy.
func (s *Service) Wire() wire.Service {
	return wire.Service{Model: api.Model(), Anonymous: true, Address: "QueueUrl", Invalid: invalidInput, Operations: []wire.Operation{
		wire.Op("CreateQueue", "sqs:CreateQueue", s.CreateQueue, onName),
		wire.Op("GetQueueUrl", "sqs:GetQueueUrl", s.GetQueueUrl, s.onQueueURL),
		wire.Op("ListQueues", "sqs:ListQueues", s.ListQueues, nil),
		wire.Op("GetQueueAttributes", "sqs:GetQueueAttributes", s.GetQueueAttributes,
			onQueue(s, shared, func(in *api.GetQueueAttributesInput) *string { return in.QueueUrl })),
		wire.Op("SetQueueAttributes", "sqs:SetQueueAttributes", s.SetQueueAttributes,
			onQueue(s, owners, func(in *api.SetQueueAttributesInput) *string { return in.QueueUrl })),
		wire.Op("DeleteQueue", "sqs:DeleteQueue", s.DeleteQueue,
			onQueue(s, owners, func(in *api.DeleteQueueInput) *string { return in.QueueUrl })),
		wire.Op("PurgeQueue", "sqs:PurgeQueue", s.PurgeQueue,
			onQueue(s, shared, func(in *api.PurgeQueueInput) *string { return in.QueueUrl })),
		wire.Op("SendMessage", "sqs:SendMessage", s.SendMessage,
			onQueue(s, shared, func(in *api.SendMessageInput) *string { return in.QueueUrl })),
		wire.Op("SendMessageBatch", "sqs:SendMessage", s.SendMessageBatch,
			onQueue(s, shared, func(in *api.SendMessageBatchInput) *string { return in.QueueUrl })),
		wire.Op("ReceiveMessage", "sqs:ReceiveMessage", s.ReceiveMessage,
			onQueue(s, shared, func(in *api.ReceiveMessageInput) *string { return in.QueueUrl })),
		wire.Op("DeleteMessage", "sqs:DeleteMessage", s.DeleteMessage,
			onQueue(s, shared, func(in *api.DeleteMessageInput) *string { return in.QueueUrl })),
		wire.Op("DeleteMessageBatch", "sqs:DeleteMessage", s.DeleteMessageBatch,
			onQueue(s, shared, func(in *api.DeleteMessageBatchInput) *string { return in.QueueUrl })),
		wire.Op("ChangeMessageVisibility", "sqs:ChangeMessageVisibility", s.ChangeMessageVisibility,
			onQueue(s, shared, func(in *api.ChangeMessageVisibilityInput) *string { return in.QueueUrl })),
		wire.Op("ChangeMessageVisibilityBatch", "sqs:ChangeMessageVisibility", s.ChangeMessageVisibilityBatch,
			onQueue(s, shared, func(in *api.ChangeMessageVisibilityBatchInput) *string { return in.QueueUrl })),
		wire.Op("ListDeadLetterSourceQueues", "sqs:ListDeadLetterSourceQueues", s.ListDeadLetterSourceQueues,
			onQueue(s, shared, func(in *api.ListDeadLetterSourceQueuesInput) *string { return in.QueueUrl })),
		wire.Op("StartMessageMoveTask", "sqs:StartMessageMoveTask", s.StartMessageMoveTask, s.onMove),
		wire.Op("ListMessageMoveTasks", "sqs:ListMessageMoveTasks", s.ListMessageMoveTasks, s.onSource),
		wire.Op("CancelMessageMoveTask", "sqs:CancelMessageMoveTask", s.CancelMessageMoveTask, s.onHandle),
		wire.Op("AddPermission", "sqs:AddPermission", s.AddPermission,
			onQueue(s, owners, func(in *api.AddPermissionInput) *string { return in.QueueUrl })),
		wire.Op("RemovePermission", "sqs:RemovePermission", s.RemovePermission,
			onQueue(s, owners, func(in *api.RemovePermissionInput) *string { return in.QueueUrl })),
		wire.Op("TagQueue", "sqs:TagQueue", s.TagQueue,
			onQueue(s, owners, func(in *api.TagQueueInput) *string { return in.QueueUrl })),
		wire.Op("UntagQueue", "sqs:UntagQueue", s.UntagQueue,
			onQueue(s, owners, func(in *api.UntagQueueInput) *string { return in.QueueUrl })),
		wire.Op("ListQueueTags", "sqs:ListQueueTags", s.ListQueueTags,
			onQueue(s, owners, func(in *api.ListQueueTagsInput) *string { return in.QueueUrl })),
	}}
}
