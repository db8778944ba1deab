package sqs

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/store"
)

// receipt is what a receipt handle holds: which message of which queue, and which
// receipt of it.
type receipt struct{ serial, seq, nonce string }

func (r receipt) String() string {
	return base64.StdEncoding.EncodeToString([]byte(r.serial + " " + r.seq + " " + r.nonce))
}

// openReceipt reads a handle of the queue's.
func openReceipt(q *queue, handle string) (receipt, error) {
	b, err := base64.StdEncoding.DecodeString(handle)
	parts := strings.Split(string(b), " ")
	if err != nil || len(parts) != 3 {
		return receipt{}, errReceiptHandle(handle)
	}
	own, _, _ := cutSerial(q.Serial)
	if of, _, _ := cutSerial(parts[0]); of != own {
		return receipt{}, errReceiptHandle(handle)
	}
	return receipt{parts[0], parts[1], parts[2]}, nil
}

// cutSerial splits a serial into the queue's own part and how often it was purged.
func cutSerial(serial string) (own, purges string, ok bool) { return strings.Cut(serial, ".") }

// received finds the message of a handle; nil when it is gone.
func received(tx *store.Tx, k store.Key, handle string) (*queue, *message, receipt, error) {
	q, err := queues.Get(tx, k)
	if err != nil {
		return nil, nil, receipt{}, orNoQueue(err)
	}
	r, err := openReceipt(q, handle)
	if err != nil {
		return nil, nil, r, err
	}
	m, err := messages.Get(tx, messageKey(k, r.serial, r.seq))
	if errors.Is(err, store.ErrNotFound) {
		return q, nil, r, nil
	}
	return q, m, r, err
}

// DeleteMessage deletes a message that was received. What is gone already is success.
func (s *Service) DeleteMessage(ctx context.Context, in *api.DeleteMessageInput) (*api.DeleteMessageOutput, error) {
	k, err := s.address(ctx, *in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if err := s.deleteMessage(ctx, k, *in.ReceiptHandle); err != nil {
		return nil, err
	}
	return &api.DeleteMessageOutput{}, nil
}

func (s *Service) deleteMessage(ctx context.Context, k store.Key, handle string) error {
	serial := ""
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		_, m, r, err := received(tx, k, handle)
		if err != nil || m == nil {
			return err
		}
		if m.FIFO && (m.Receipt != r.nonce || !m.VisibleAt.After(tx.Now())) {
			return errParameter(handle, "ReceiptHandle", "The receipt handle has expired.")
		}
		if m.FIFO {
			serial = r.serial // the next of the group may go
		}
		return messages.Delete(tx, messageKey(k, r.serial, r.seq))
	})
	if err == nil && serial != "" {
		s.bells.ring(serial)
	}
	return err
}

// maxVisibility is the longest that a message stays hidden.
const maxVisibility = 12 * time.Hour

// ChangeMessageVisibility hides a received message for another time from now on.
func (s *Service) ChangeMessageVisibility(ctx context.Context, in *api.ChangeMessageVisibilityInput) (*api.ChangeMessageVisibilityOutput, error) {
	k, err := s.address(ctx, *in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if err := s.changeVisibility(ctx, k, *in.ReceiptHandle, *in.VisibilityTimeout); err != nil {
		return nil, err
	}
	return &api.ChangeMessageVisibilityOutput{}, nil
}

func (s *Service) changeVisibility(ctx context.Context, k store.Key, handle string, seconds int32) error {
	if seconds < 0 || seconds > int32(maxVisibility/time.Second) {
		return errParameter(seconds, "VisibilityTimeout", "Must be >= 0 and <= 43200, if provided.")
	}
	serial := ""
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		_, m, r, err := received(tx, k, handle)
		if err != nil {
			return err
		}
		now := tx.Now()
		if m == nil || !m.VisibleAt.After(now) || m.FIFO && m.Receipt != r.nonce {
			return errParameter(handle, "ReceiptHandle", "Message does not exist or is not available for visibility timeout change.")
		}
		until := now.Add(time.Duration(seconds) * time.Second)
		if until.Sub(m.LastReceived) > maxVisibility {
			return errParameter(seconds, "VisibilityTimeout", "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]")
		}
		m.VisibleAt, serial = until, r.serial
		return messages.Put(tx, messageKey(k, r.serial, r.seq), m)
	})
	if err == nil {
		s.bells.ring(serial) // those who wait look anew when to wake
	}
	return err
}

// retry is how a receipt under an attempt id is found again.
func retry(k store.Key, q *queue, id *string) store.Key {
	own, _, _ := cutSerial(q.Serial)
	return store.Key{Account: k.Account, Region: k.Region, ID: own + "\x00" + aws.Val(id)}
}
