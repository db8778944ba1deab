package sqs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/store"
)

const (
	// sweepBatch bounds what one transaction removes.
	sweepBatch = 500
	sweepEvery = time.Hour
)

// Run removes what is no longer wanted and works on message move tasks until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	swept := time.Time{}
	for {
		changed := s.cfg.DB.Changed(store.Filter{Service: "sqs"})
		if err := s.sweepGarbage(ctx); err != nil {
			return err
		}
		if now := s.cfg.Clock.Now(); now.Sub(swept) >= sweepEvery {
			if err := s.sweepExpired(ctx); err != nil {
				return err
			}
			swept = now
		}
		active, err := s.moveOn(ctx)
		if err != nil {
			return err
		}
		pause := sweepEvery
		if active {
			pause, changed = time.Second, nil // the rate of tasks is per second
		}
		select {
		case <-changed:
		case <-s.cfg.Clock.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Aging returns what removes old tasks and the names of queues that were deleted. Each
// runs until its ctx ends.
func (s *Service) Aging() []func(context.Context) error {
	return []func(context.Context) error{
		func(ctx context.Context) error { return moveTasks.Expire(ctx, s.cfg.DB, "over", keepTasks, nil) },
		func(ctx context.Context) error { return tombstones.Expire(ctx, s.cfg.DB, "at", nameIsTaken, nil) },
	}
}

// sweepGarbage removes the messages of serials that no queue has any more.
func (s *Service) sweepGarbage(ctx context.Context) error {
	for more := true; more; {
		err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
			more = false
			heaps, err := rubbish.List(tx, store.Scope{}, "", 1)
			if err != nil || len(heaps) == 0 {
				return err
			}
			more = true
			serial := heaps[0].Key.ID
			rows, err := messages.Range(tx, "ready", serial+"\x00", serial+"\x01", sweepBatch, false)
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				return rubbish.Delete(tx, heaps[0].Key)
			}
			return deleteRows(tx, messages, rows)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func deleteRows[T any](tx *store.Tx, t *store.Table[T], rows []store.Row[T]) error {
	for _, row := range rows {
		if err := t.Delete(tx, row.Key); err != nil {
			return err
		}
	}
	return nil
}

// sweepExpired removes messages past their queues' retention, and what FIFO queues
// remembered for five minutes.
func (s *Service) sweepExpired(ctx context.Context) error {
	var all []store.Row[queue]
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		all, err = queues.List(tx, store.Scope{}, "", 0)
		return err
	})
	if err != nil {
		return err
	}
	for _, row := range all {
		if err := s.drain(ctx, func(tx *store.Tx) (int, error) {
			rows, err := row.Value.expired(tx, tx.Now(), sweepBatch)
			return len(rows), errors.Join(err, deleteRows(tx, messages, rows))
		}); err != nil {
			return err
		}
	}
	return s.drain(ctx, func(tx *store.Tx) (int, error) {
		old := stamp(tx.Now().Add(-dedupWindow))
		sent, err := repeats.Range(tx, "sent", "", old, sweepBatch, false)
		if err != nil {
			return 0, err
		}
		tried, err := attempts.Range(tx, "at", "", old, sweepBatch, false)
		return len(sent) + len(tried), errors.Join(err, deleteRows(tx, repeats, sent), deleteRows(tx, attempts, tried))
	})
}

// drain repeats a transaction until it finds nothing.
func (s *Service) drain(ctx context.Context, batch func(*store.Tx) (int, error)) error {
	for n := 1; n > 0; {
		if err := s.cfg.DB.Update(ctx, func(tx *store.Tx) (err error) {
			n, err = batch(tx)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// moveOn moves one second's messages of each task; active tells that there are tasks
// left.
func (s *Service) moveOn(ctx context.Context) (active bool, err error) {
	var rows []store.Row[moveTask]
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		rows, err = moveTasks.Lookup(tx, "active", "x")
		return err
	})
	for _, row := range rows {
		var rung []string
		err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
			t, err := moveTasks.Get(tx, row.Key)
			if err != nil {
				return err
			}
			if rung, err = s.moveSome(tx, t); err != nil {
				return err
			}
			active = active || t.Status == taskRunning
			return moveTasks.Put(tx, row.Key, t)
		})
		if err != nil {
			return active, err
		}
		for _, serial := range rung {
			s.bells.ring(serial)
		}
	}
	return active, err
}

// moveSome moves as many messages as the task's rate says.
func (s *Service) moveSome(tx *store.Tx, t *moveTask) (rung []string, err error) {
	if t.Status == taskCancelling {
		t.Status = taskCancelled
		return nil, nil
	}
	k, _ := keyOf(t.Source)
	q, err := queues.Get(tx, k)
	if errors.Is(err, store.ErrNotFound) {
		t.Status, t.Failure = taskFailed, "AWS.SimpleQueueService.NonExistentQueue"
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found, err := ready(tx, k, q, t.Rate)
	if err != nil {
		return nil, err
	}
	for _, m := range found {
		to, ok := keyOf(firstOf(t.Destination, m.Source))
		target, err := queues.Get(tx, to)
		if !ok || errors.Is(err, store.ErrNotFound) {
			t.Status, t.Failure = taskFailed, "CouldNotDetermineMessageSource"
			return rung, nil
		}
		if err != nil {
			return rung, err
		}
		if err := s.transfer(tx, k, m, to, target, true); err != nil {
			return rung, err
		}
		rung = append(rung, target.Serial)
		t.Moved++
	}
	if len(found) < t.Rate {
		t.Status = taskCompleted
	}
	return rung, nil
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// sortNewest orders tasks, the last started first.
func sortNewest(rows []store.Row[moveTask]) {
	slices.SortFunc(rows, func(a, b store.Row[moveTask]) int {
		if a.Value.Started != b.Value.Started {
			return int(b.Value.Started - a.Value.Started)
		}
		return strings.Compare(b.Key.ID, a.Key.ID)
	})
}
