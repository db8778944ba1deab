package sqs

import (
	"context"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// DeleteQueue removes a queue; its name is free again after a minute. What it held is
// removed in the background.
func (s *Service) DeleteQueue(ctx context.Context, in *api.DeleteQueueInput) (*api.DeleteQueueOutput, error) {
	k, err := s.address(ctx, *in.QueueUrl)
	if err != nil {
		return nil, err
	}
	serial := ""
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		q, err := queues.Get(tx, k)
		if err != nil {
			return orNoQueue(err)
		}
		serial = q.Serial
		if err := throwAway(tx, k, q.Serial); err != nil {
			return err
		}
		if err := tombstones.Put(tx, k, &tombstone{At: tx.Now()}); err != nil {
			return err
		}
		emit(ctx, tx, k, "deleted")
		return queues.Delete(tx, k)
	})
	if err != nil {
		return nil, err
	}
	s.bells.ring(serial)
	return &api.DeleteQueueOutput{}, nil
}

// throwAway leaves the messages of a serial to the sweeper.
func throwAway(tx *store.Tx, k store.Key, serial string) error {
	return rubbish.Put(tx, store.Key{Account: k.Account, Region: k.Region, ID: serial}, &garbage{At: tx.Now()})
}

// PurgeQueue empties a queue, at most once a minute.
func (s *Service) PurgeQueue(ctx context.Context, in *api.PurgeQueueInput) (*api.PurgeQueueOutput, error) {
	purged := ""
	_, err := s.change(ctx, aws.Val(in.QueueUrl), "purged", func(tx *store.Tx, k store.Key, q *queue) error {
		if tx.Now().Before(q.Purged.Add(purgeInterval)) {
			return awserr.Status(403, "PurgeQueueInProgress", "Only one PurgeQueue operation on %s is allowed every 60 seconds.", k.ID)
		}
		if err := throwAway(tx, k, q.Serial); err != nil {
			return err
		}
		own, purges, _ := strings.Cut(q.Serial, ".")
		n, _ := strconv.Atoi(purges) // ours
		purged = q.Serial
		q.Serial, q.Purged = own+"."+strconv.Itoa(n+1), tx.Now()
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.bells.ring(purged) // who waits goes on at the bell of the new serial
	return &api.PurgeQueueOutput{}, nil
}

// change runs fn on the queue of the URL and stores the queue.
func (s *Service) change(ctx context.Context, queueURL, cause string, fn func(*store.Tx, store.Key, *queue) error) (store.Key, error) {
	k, err := s.address(ctx, queueURL)
	if err != nil {
		return k, err
	}
	return k, s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		q, err := queues.Get(tx, k)
		if err != nil {
			return orNoQueue(err)
		}
		if err := fn(tx, k, q); err != nil {
			return err
		}
		emit(ctx, tx, k, cause)
		return queues.Put(tx, k, q)
	})
}

// find returns the queue of the URL.
func (s *Service) find(ctx context.Context, queueURL string) (store.Key, *queue, error) {
	k, err := s.address(ctx, queueURL)
	if err != nil {
		return k, nil, err
	}
	var q *queue
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		q, err = queues.Get(tx, k)
		return orNoQueue(err)
	})
	return k, q, err
}
