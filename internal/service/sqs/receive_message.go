package sqs

import (
	"context"
	"errors"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// ReceiveMessage hands out messages and hides them. With a wait it returns as soon as
// there is one.
func (s *Service) ReceiveMessage(ctx context.Context, in *api.ReceiveMessageInput) (*api.ReceiveMessageOutput, error) {
	k, q, err := s.find(ctx, *in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if err := judgeReceive(k, in); err != nil {
		return nil, err
	}
	wait := q.seconds(attrWait)
	if in.WaitTimeSeconds != nil {
		wait = time.Duration(*in.WaitTimeSeconds) * time.Second
	}
	until := s.cfg.Clock.Now().Add(wait)
	for {
		bell := s.bells.wait(q.Serial)
		taken, next, err := s.take(ctx, k, in)
		if ctx.Err() != nil {
			return &api.ReceiveMessageOutput{}, nil // nobody reads it
		}
		if err != nil {
			return nil, err
		}
		left := until.Sub(s.cfg.Clock.Now())
		if len(taken) > 0 || left <= 0 {
			return s.receiveAnswer(k, in, taken)
		}
		if soon := next.Sub(s.cfg.Clock.Now()); !next.IsZero() && soon < left {
			left = soon
		}
		select {
		case <-bell:
		case <-s.cfg.Clock.After(left):
		case <-ctx.Done():
		}
		if k, q, err = s.find(ctx, *in.QueueUrl); err != nil && ctx.Err() == nil {
			return nil, err
		}
		if q == nil {
			return &api.ReceiveMessageOutput{}, nil
		}
	}
}

func judgeReceive(k store.Key, in *api.ReceiveMessageInput) error {
	if n := in.MaxNumberOfMessages; n != nil && (*n < 1 || *n > 10) {
		return errParameter(*n, "MaxNumberOfMessages", "Must be between 1 and 10, if provided.")
	}
	if n := in.WaitTimeSeconds; n != nil && (*n < 0 || *n > 20) {
		return errParameter(*n, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided.")
	}
	if n := in.VisibilityTimeout; n != nil && (*n < 0 || *n > int32(maxVisibility/time.Second)) {
		return errParameter(*n, "VisibilityTimeout", "Must be >= 0 and <= 43200, if provided.")
	}
	if id := in.ReceiveRequestAttemptId; id != nil {
		if !isFIFO(k.ID) {
			return errQueueType(*id, "ReceiveRequestAttemptId")
		}
		if !groupForm.MatchString(*id) {
			return errParameter(*id, "ReceiveRequestAttemptId", "ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
		}
	}
	return nil
}

// take receives what there is. next is when a hidden message comes out, the zero time
// when none is hidden.
func (s *Service) take(ctx context.Context, k store.Key, in *api.ReceiveMessageInput) (taken []*message, next time.Time, err error) {
	found, next, err := s.anyReady(ctx, k)
	if err != nil || !found && in.ReceiveRequestAttemptId == nil {
		return nil, next, err
	}
	grave := ""
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		taken, grave = nil, ""
		q, err := queues.Get(tx, k)
		if err != nil {
			return orNoQueue(err)
		}
		if taken, err = s.takeAgain(tx, k, q, in); len(taken) > 0 || err != nil {
			return err
		}
		if err := dropExpired(tx, k, q); err != nil {
			return err
		}
		most := 1
		if in.MaxNumberOfMessages != nil {
			most = int(*in.MaxNumberOfMessages)
		}
		visible, err := ready(tx, k, q, most)
		if err != nil {
			return err
		}
		if taken, grave, err = s.hide(tx, k, q, visible, in.VisibilityTimeout); err != nil {
			return err
		}
		return remember(tx, k, q, in, taken)
	})
	if grave != "" {
		s.bells.ring(grave)
	}
	return taken, next, err
}

// anyReady looks whether a message may be available, without holding up writers.
func (s *Service) anyReady(ctx context.Context, k store.Key) (found bool, next time.Time, err error) {
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		found, next = false, time.Time{}
		q, err := queues.Get(tx, k)
		if err != nil {
			return orNoQueue(err)
		}
		now := stamp(tx.Now()) + "\x01"
		for _, kind := range []string{unread, read} {
			prefix := q.Serial + "\x00" + kind + "\x00"
			n, err := messages.Range(tx, "ready", prefix, prefix+now, 1, false)
			if err != nil {
				return err
			}
			found = found || len(n) > 0
			hidden, err := messages.Range(tx, "ready", prefix+now, prefix+"~", 1, false)
			if err != nil {
				return err
			}
			if len(hidden) > 0 && (next.IsZero() || hidden[0].Value.VisibleAt.Before(next)) {
				next = hidden[0].Value.VisibleAt
			}
		}
		return nil
	})
	return found, next, err
}

// dropExpired removes some of the messages that are past the queue's retention.
func dropExpired(tx *store.Tx, k store.Key, q *queue) error {
	rows, err := q.expired(tx, tx.Now(), sweepBatch)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := messages.Delete(tx, row.Key); err != nil {
			return err
		}
	}
	return nil
}

// hide counts the receipt of messages and hides them. One that was received too often
// goes to the dead-letter queue instead; grave is that one's serial then.
func (s *Service) hide(tx *store.Tx, k store.Key, q *queue, found []*message, seconds *int32) (taken []*message, grave string, err error) {
	now, timeout := tx.Now(), q.seconds(attrVisibility)
	if seconds != nil {
		timeout = time.Duration(*seconds) * time.Second
	}
	for _, m := range found {
		serial, err := s.bury(tx, k, q, m)
		if err != nil {
			return nil, "", err
		}
		if serial != "" {
			grave = serial
			continue
		}
		m.Received++
		if m.Received == 1 {
			m.FirstReceived = now
		}
		m.LastReceived, m.VisibleAt, m.Receipt = now, now.Add(timeout), ids.Upper(12)
		if err := messages.Put(tx, messageKey(k, m.Queue, m.Seq), m); err != nil {
			return nil, "", err
		}
		taken = append(taken, m)
	}
	return taken, grave, nil
}

// takeAgain repeats a receipt whose answer got lost: within five minutes the same
// attempt id gets the same messages, while they are hidden.
func (s *Service) takeAgain(tx *store.Tx, k store.Key, q *queue, in *api.ReceiveMessageInput) ([]*message, error) {
	if in.ReceiveRequestAttemptId == nil {
		return nil, nil
	}
	a, err := attempts.Get(tx, retry(k, q, in.ReceiveRequestAttemptId))
	if errors.Is(err, store.ErrNotFound) || err == nil && !tx.Now().Before(a.At.Add(dedupWindow)) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	timeout := q.seconds(attrVisibility)
	if in.VisibilityTimeout != nil {
		timeout = time.Duration(*in.VisibilityTimeout) * time.Second
	}
	var taken []*message
	for i, seq := range a.Seqs {
		m, err := messages.Get(tx, messageKey(k, q.Serial, seq))
		if errors.Is(err, store.ErrNotFound) || err == nil && (m.Receipt != a.Receipts[i] || !m.VisibleAt.After(tx.Now())) {
			return nil, nil // one was deleted or changed: the attempt is over
		}
		if err != nil {
			return nil, err
		}
		m.VisibleAt = tx.Now().Add(timeout)
		if err := messages.Put(tx, messageKey(k, m.Queue, m.Seq), m); err != nil {
			return nil, err
		}
		taken = append(taken, m)
	}
	return taken, nil
}

func remember(tx *store.Tx, k store.Key, q *queue, in *api.ReceiveMessageInput, taken []*message) error {
	if in.ReceiveRequestAttemptId == nil || len(taken) == 0 {
		return nil
	}
	a := &attempt{At: tx.Now()}
	for _, m := range taken {
		a.Seqs, a.Receipts = append(a.Seqs, m.Seq), append(a.Receipts, m.Receipt)
	}
	return attempts.Put(tx, retry(k, q, in.ReceiveRequestAttemptId), a)
}

func (s *Service) receiveAnswer(k store.Key, in *api.ReceiveMessageInput, taken []*message) (*api.ReceiveMessageOutput, error) {
	out := &api.ReceiveMessageOutput{}
	for _, m := range taken {
		body, err := s.body(k, m)
		if err != nil {
			return nil, err
		}
		shown := m.shown(in.MessageAttributeNames)
		out.Messages = append(out.Messages, api.Message{MessageId: &m.ID, ReceiptHandle: aws.Ptr(receipt{m.Queue, m.Seq, m.Receipt}.String()),
			Body: &body, MD5OfBody: aws.Ptr(digest(body)), Attributes: m.system(in), MD5OfMessageAttributes: digestAttributes(shown), MessageAttributes: values(shown)})
	}
	return out, nil
}
