package sqs

import (
	"context"
	"strconv"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/store"
)

// GetQueueAttributes returns the attributes named, or all. The counts are exact.
func (s *Service) GetQueueAttributes(ctx context.Context, in *api.GetQueueAttributesInput) (*api.GetQueueAttributesOutput, error) {
	k, err := s.address(ctx, *in.QueueUrl)
	if err != nil {
		return nil, err
	}
	out := &api.GetQueueAttributesOutput{}
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		out.Attributes = nil
		q, err := queues.Get(tx, k)
		if err != nil || len(in.AttributeNames) == 0 {
			return orNoQueue(err)
		}
		all := q.describe(k)
		if err := countMessages(tx, q, all); err != nil {
			return err
		}
		out.Attributes = chosen(all, in.AttributeNames)
		return nil
	})
	return out, err
}

// chosen are the attributes that names ask for.
func chosen(all map[string]string, names []api.QueueAttributeName) map[api.QueueAttributeName]string {
	out := map[api.QueueAttributeName]string{}
	for _, name := range names {
		if name == api.QueueAttributeNameAll {
			for n, v := range all {
				out[api.QueueAttributeName(n)] = v
			}
		} else if v, ok := all[string(name)]; ok {
			out[name] = v
		}
	}
	return out
}

// countMessages adds the numbers of messages by their state. What is past its
// retention counts no more.
func countMessages(tx *store.Tx, q *queue, into map[string]string) error {
	now := tx.Now()
	expired, err := q.expired(tx, now, 0)
	if err != nil {
		return err
	}
	gone := map[string]int{}
	for _, row := range expired {
		gone[row.Value.state(now)]++
	}
	for _, c := range []struct{ name, kind, from, to string }{
		{countVisible, unread, "", stamp(now) + "\x01"},
		{countVisible, read, "", stamp(now) + "\x01"},
		{countDelayed, unread, stamp(now) + "\x01", "~"},
		{countInFlight, read, stamp(now) + "\x01", "~"},
	} {
		prefix := q.Serial + "\x00" + c.kind + "\x00"
		n, err := messages.Count(tx, "ready", prefix+c.from, prefix+c.to)
		if err != nil {
			return err
		}
		have, _ := strconv.Atoi(into[c.name])
		into[c.name] = strconv.Itoa(have + n)
	}
	for name, n := range gone {
		have, _ := strconv.Atoi(into[name])
		into[name] = strconv.Itoa(max(0, have-n))
	}
	return nil
}

const (
	countVisible  = "ApproximateNumberOfMessages"
	countDelayed  = "ApproximateNumberOfMessagesDelayed"
	countInFlight = "ApproximateNumberOfMessagesNotVisible"
)

// state is the name of the count that a message belongs to.
func (m *message) state(now time.Time) string {
	switch {
	case !m.VisibleAt.After(now):
		return countVisible
	case m.Received == 0:
		return countDelayed
	}
	return countInFlight
}

// expired are messages past the queue's retention, at most limit.
func (q *queue) expired(tx *store.Tx, now time.Time, limit int) ([]store.Row[message], error) {
	prefix := q.Serial + "\x00"
	return messages.Range(tx, "sent", prefix, prefix+stamp(now.Add(-q.seconds(attrRetention)))+"\x01", limit, false)
}

// SetQueueAttributes changes attributes.
func (s *Service) SetQueueAttributes(ctx context.Context, in *api.SetQueueAttributesInput) (*api.SetQueueAttributesOutput, error) {
	given := plain(in.Attributes)
	_, err := s.change(ctx, aws.Val(in.QueueUrl), "attributes set", func(tx *store.Tx, k store.Key, q *queue) error {
		if len(given) == 0 {
			return errMissing("Attribute.Name")
		}
		if err := judge(k, given, false); err != nil {
			return err
		}
		if err := judgeRedrive(tx, k, given); err != nil {
			return err
		}
		q.set(given)
		q.Modified = tx.Now()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.SetQueueAttributesOutput{}, nil
}
