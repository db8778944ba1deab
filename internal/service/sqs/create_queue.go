package sqs

import (
	"context"
	"errors"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// CreateQueue makes a queue. One that exists is returned unless an attribute given
// differs from what it has.
func (s *Service) CreateQueue(ctx context.Context, in *api.CreateQueueInput) (*api.CreateQueueOutput, error) {
	k := ownKey(ctx, *in.QueueName)
	given := plain(in.Attributes)
	if err := judgeName(k.ID, given); err != nil {
		return nil, err
	}
	if err := judge(k, given, true); err != nil {
		return nil, err
	}
	if err := judgeTags(in.Tags); err != nil {
		return nil, err
	}
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		q, err := queues.Get(tx, k)
		switch {
		case err == nil:
			return q.same(aws.CallFrom(ctx).Token, given)
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		if err := judgeRedrive(tx, k, given); err != nil {
			return err
		}
		return s.insertQueue(ctx, tx, k, given, in.Tags)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateQueueOutput{QueueUrl: aws.Ptr(s.url(k))}, nil
}

func judgeName(name string, given map[string]string) error {
	switch {
	case given[attrFIFO] == "true" && !fifoNameForm.MatchString(name):
		return errValue("The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length")
	case given[attrFIFO] == "" && isFIFO(name), !isFIFO(name) && !nameForm.MatchString(name):
		return errValue("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	return nil
}

// same tells whether a queue that exists is the one that is to be made.
func (q *queue) same(token string, given map[string]string) error {
	if token != "" && token == q.Token {
		return nil
	}
	if token != "" {
		return awserr.New("QueueNameExists", "A queue already exists with the same name.")
	}
	for name, value := range given {
		if q.attribute(name) != value {
			return awserr.New("QueueNameExists", "A queue already exists with the same name and a different value for attribute %s", name)
		}
	}
	return nil
}

func (s *Service) insertQueue(ctx context.Context, tx *store.Tx, k store.Key, given, tags map[string]string) error {
	now := tx.Now()
	switch t, err := tombstones.Get(tx, k); {
	case err == nil && now.Before(t.At.Add(nameIsTaken)):
		return awserr.New("QueueDeletedRecently", "You must wait 60 seconds after deleting a queue before you can create another with the same name.")
	case err == nil:
		if err := tombstones.Delete(tx, k); err != nil {
			return err
		}
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	q := &queue{Serial: ids.Upper(16) + ".0", Attributes: map[string]string{}, Tags: tags, Created: now, Modified: now, Token: aws.CallFrom(ctx).Token}
	q.set(given)
	emit(ctx, tx, k, "created")
	return queues.Insert(tx, k, q)
}

func emit(ctx context.Context, tx *store.Tx, k store.Key, cause string) {
	tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: "sqs", Resource: k.ID, Kind: "queue",
		Cause: cause, RequestID: aws.CallFrom(ctx).RequestID})
}

// plain are attributes with the names' type gone.
func plain(in map[api.QueueAttributeName]string) map[string]string {
	out := make(map[string]string, len(in))
	for name, value := range in {
		out[string(name)] = value
	}
	return out
}
