package sqs

import (
	"errors"

	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// bury moves a message to the dead-letter queue when it was received as often as the
// redrive policy allows. It keeps its id and, in a standard queue, its age. Where the
// dead-letter queue is gone the message stays. It returns the serial of the queue that
// has it now, "" when it stays.
func (s *Service) bury(tx *store.Tx, k store.Key, q *queue, m *message) (string, error) {
	r := q.redrive()
	if r.Target == "" || m.Received < r.Max {
		return "", nil
	}
	to, ok := keyOf(r.Target)
	if !ok {
		return "", nil
	}
	target, err := queues.Get(tx, to)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if m.Source == "" {
		m.Source = queueARN(k)
	}
	return target.Serial, s.transfer(tx, k, m, to, target, false)
}

// transfer puts a message into another queue, anew when it counts as sent to it now.
func (s *Service) transfer(tx *store.Tx, from store.Key, m *message, to store.Key, target *queue, anew bool) error {
	body, err := s.body(from, m)
	if err != nil {
		return err
	}
	if err := messages.Delete(tx, messageKey(from, m.Queue, m.Seq)); err != nil {
		return err
	}
	now := tx.Now()
	moved := *m
	moved.Queue, moved.Seq, moved.VisibleAt = target.Serial, s.sequence.Next(now), now
	if m.FIFO || anew {
		moved.Sent = now
	}
	if anew {
		moved.VisibleAt = now.Add(target.seconds(attrDelay))
		moved.ID, moved.Received, moved.Receipt, moved.Source = ids.UUID(), 0, "", ""
	}
	if err := s.setBody(to, target, &moved, body); err != nil {
		return err
	}
	return messages.Insert(tx, messageKey(to, target.Serial, moved.Seq), &moved)
}
