package sqs

import (
	"context"
	"errors"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/store"
)

// reach tells whether a queue's policy may open an operation to other accounts.
type reach bool

const (
	shared reach = true
	owners reach = false
)

// onQueue checks the operation's action on the queue of the URL, under its policy.
func onQueue[I any](s *Service, r reach, url func(*I) *string) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		k, err := s.address(ctx, aws.Val(url(in)))
		if err != nil {
			return nil, err
		}
		check, err := s.checkOf(ctx, k, r)
		return []aws.Check{check}, err
	}
}

// checkOf is the check on a queue, whether it exists or not. What other accounts
// can never do is judged without the policy.
func (s *Service) checkOf(ctx context.Context, k store.Key, r reach) (aws.Check, error) {
	check := aws.Check{Resource: queueARN(k), ResourceAccount: k.Account}
	if r == owners && aws.CallFrom(ctx).Principal.Account != k.Account {
		return check, nil
	}
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		q, err := queues.Get(tx, k)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		check.ResourcePolicy = q.Attributes[attrPolicy]
		check.Context = tagKeys(q)
		return nil
	})
	return check, err
}

// tagKeys are the condition keys of a queue's tags.
func tagKeys(q *queue) map[string][]string {
	keys := make(map[string][]string, len(q.Tags))
	for k, v := range q.Tags {
		keys["aws:ResourceTag/"+k] = []string{v}
	}
	return keys
}

// onName is for the queue that is to be made.
func onName(ctx context.Context, in *api.CreateQueueInput) ([]aws.Check, error) {
	return []aws.Check{{Resource: queueARN(ownKey(ctx, aws.Val(in.QueueName)))}}, nil
}

// onQueueURL is for a queue that is asked for by name.
func (s *Service) onQueueURL(ctx context.Context, in *api.GetQueueUrlInput) ([]aws.Check, error) {
	check, err := s.checkOf(ctx, namedKey(ctx, in), shared)
	return []aws.Check{check}, err
}

// onMove: a task receives and deletes at its source and sends to its destination.
func (s *Service) onMove(ctx context.Context, in *api.StartMessageMoveTaskInput) ([]aws.Check, error) {
	source, err := s.identityCheck(ctx, aws.Val(in.SourceArn))
	if err != nil {
		return nil, err
	}
	checks := []aws.Check{source}
	for _, action := range []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"} {
		source.Action = action
		checks = append(checks, source)
	}
	if in.DestinationArn != nil {
		destination, err := s.identityCheck(ctx, *in.DestinationArn)
		if err != nil {
			return nil, err
		}
		destination.Action = "sqs:SendMessage"
		checks = append(checks, destination)
	}
	return checks, nil
}

// identityCheck is the check on the queue of an ARN where its policy does not count,
// with its tags.
func (s *Service) identityCheck(ctx context.Context, queue string) (aws.Check, error) {
	check := aws.Check{Resource: queue}
	k, ok := keyOf(queue)
	if !ok || k.Account != aws.CallFrom(ctx).Account {
		return check, nil
	}
	found, err := s.checkOf(ctx, k, owners)
	check.Context = found.Context
	return check, err
}

func (s *Service) onSource(ctx context.Context, in *api.ListMessageMoveTasksInput) ([]aws.Check, error) {
	check, err := s.identityCheck(ctx, aws.Val(in.SourceArn))
	return []aws.Check{check}, err
}

// onHandle: the handle of a task names its source.
func (s *Service) onHandle(ctx context.Context, in *api.CancelMessageMoveTaskInput) ([]aws.Check, error) {
	_, source, err := openTaskHandle(aws.Val(in.TaskHandle))
	if err != nil {
		return nil, err
	}
	check, err := s.identityCheck(ctx, source)
	return []aws.Check{check}, err
}
