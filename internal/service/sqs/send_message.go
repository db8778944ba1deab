package sqs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// SendMessage adds a message to a queue.
func (s *Service) SendMessage(ctx context.Context, in *api.SendMessageInput) (*api.SendMessageOutput, error) {
	k, err := s.address(ctx, *in.QueueUrl)
	if err != nil {
		return nil, err
	}
	d, err := newDraft(ctx, &api.SendMessageBatchRequestEntry{MessageBody: in.MessageBody, DelaySeconds: in.DelaySeconds,
		MessageAttributes: in.MessageAttributes, MessageSystemAttributes: in.MessageSystemAttributes,
		MessageDeduplicationId: in.MessageDeduplicationId, MessageGroupId: in.MessageGroupId})
	if err != nil {
		return nil, s.unless(ctx, k, err)
	}
	var q *queue
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		if q, err = queues.Get(tx, k); err != nil {
			return orNoQueue(err)
		}
		return s.enqueue(tx, k, q, d)
	})
	if err != nil {
		return nil, err
	}
	s.bells.ring(q.Serial)
	m := d.message
	return &api.SendMessageOutput{MessageId: &m.ID, MD5OfMessageBody: aws.Ptr(digest(d.body)), MD5OfMessageAttributes: digestAttributes(m.Attributes),
		MD5OfMessageSystemAttributes: m.digestTrace(), SequenceNumber: m.sequenceNumber()}, nil
}

// unless returns that the queue does not exist, where it does not: AWS finds that
// before anything wrong with the message.
func (s *Service) unless(ctx context.Context, k store.Key, err error) error {
	missing := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		_, err := queues.Get(tx, k)
		return orNoQueue(err)
	})
	if missing != nil {
		return missing
	}
	return err
}

// draft is a message on its way into a queue.
type draft struct {
	message *message
	body    string
	delay   *int32
}

var groupForm = regexp.MustCompile("^[0-9A-Za-z!\"#$%&'()*+,./:;<=>?@\\[\\\\\\]^_`{|}~-]{1,128}$")

// newDraft judges what can be judged without the queue.
func newDraft(ctx context.Context, in *api.SendMessageBatchRequestEntry) (*draft, error) {
	body := aws.Val(in.MessageBody)
	if body == "" {
		return nil, errMissing("MessageBody")
	}
	if bad, found := badCharacter(body); found {
		return nil, awserr.New("InvalidMessageContents", "Invalid characters found. Valid unicode characters are %s (found #x%X)", allowedCharacters, bad)
	}
	attributes, err := readAttributes(in.MessageAttributes)
	if err != nil {
		return nil, err
	}
	trace, err := readTrace(in.MessageSystemAttributes)
	if err != nil {
		return nil, err
	}
	if in.DelaySeconds != nil && (*in.DelaySeconds < 0 || *in.DelaySeconds > 900) {
		return nil, errParameter(*in.DelaySeconds, "DelaySeconds", "DelaySeconds must be >= 0 and <= 900.")
	}
	for name, id := range map[string]*string{"MessageGroupId": in.MessageGroupId, "MessageDeduplicationId": in.MessageDeduplicationId} {
		if id != nil && !groupForm.MatchString(*id) {
			return nil, errParameter(*id, name, name+" can only include alphanumeric and punctuation characters. 1 to 128 in length.")
		}
	}
	c := aws.CallFrom(ctx)
	sender := c.Principal.UniqueID
	if sender == "" {
		sender = c.Principal.Account
	}
	return &draft{body: body, delay: in.DelaySeconds, message: &message{ID: ids.UUID(), Attributes: attributes, Trace: trace, Sender: sender,
		Group: aws.Val(in.MessageGroupId), Dedup: aws.Val(in.MessageDeduplicationId)}}, nil
}

// size is the message's, attributes included.
func (d *draft) size() int {
	n := len(d.body)
	for name, a := range d.message.Attributes {
		n += a.size(name)
	}
	return n
}

// enqueue stores a draft in the queue, or finds that it is there.
func (s *Service) enqueue(tx *store.Tx, k store.Key, q *queue, d *draft) error {
	if most := q.number(attrMaxSize); d.size() > most {
		return errValue("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", most)
	}
	m, now := d.message, tx.Now()
	delay := q.seconds(attrDelay)
	if isFIFO(k.ID) {
		if err := q.judgeFIFO(d); err != nil {
			return err
		}
		if again, err := s.repeated(tx, k, q, m, now); again || err != nil {
			return err
		}
		m.FIFO = true
	} else {
		if m.Dedup != "" {
			return errQueueType(m.Dedup, "MessageDeduplicationId")
		}
		if d.delay != nil {
			delay = time.Duration(*d.delay) * time.Second
		}
	}
	if m.Seq == "" {
		m.Seq = s.sequence.Next(now)
	}
	m.Queue, m.Sent, m.VisibleAt = q.Serial, now, now.Add(delay)
	if err := s.setBody(k, q, m, d.body); err != nil {
		return err
	}
	return messages.Insert(tx, messageKey(k, q.Serial, m.Seq), m)
}

var errNoDedup = errValue("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")

func (q *queue) judgeFIFO(d *draft) error {
	m := d.message
	switch {
	case d.delay != nil && *d.delay != 0:
		return errQueueType(*d.delay, "DelaySeconds")
	case m.Group == "":
		return errMissing("MessageGroupId")
	case m.Dedup == "" && q.attribute(attrContentDedup) != "true":
		return errNoDedup
	case m.Dedup == "":
		sum := sha256.Sum256([]byte(d.body))
		m.Dedup = hex.EncodeToString(sum[:])
	}
	return nil
}

// repeated looks for the message among those of the last minutes. One that was sent
// before gets the id that it was given then.
func (s *Service) repeated(tx *store.Tx, k store.Key, q *queue, m *message, now time.Time) (bool, error) {
	own, _, _ := cutSerial(q.Serial)
	scope := ""
	if q.attribute(attrScope) == "messageGroup" {
		scope = m.Group
	}
	at := store.Key{Account: k.Account, Region: k.Region, ID: own + "\x00" + scope + "\x00" + m.Dedup}
	old, err := repeats.Get(tx, at)
	switch {
	case err == nil && now.Before(old.Sent.Add(dedupWindow)):
		m.ID, m.Seq, m.FIFO = old.ID, old.Seq, true
		return true, nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return false, err
	}
	m.Seq = s.sequence.Next(now)
	return false, repeats.Put(tx, at, &repeat{ID: m.ID, Seq: m.Seq, Sent: now})
}

func (m *message) sequenceNumber() *string {
	if !m.FIFO {
		return nil
	}
	return &m.Seq
}

// setBody keeps the body, sealed where the queue encrypts.
func (s *Service) setBody(k store.Key, q *queue, m *message, body string) error {
	m.Body, m.Sealed = body, nil
	if !q.encrypts() {
		return nil
	}
	sealed, err := s.cfg.Sealer.Seal(messages.Name, sealedRow(k, m), []byte(body))
	if err != nil {
		return fmt.Errorf("seal a message: %w", err)
	}
	m.Body, m.Sealed = "", sealed
	return nil
}

func (s *Service) body(k store.Key, m *message) (string, error) {
	if m.Sealed == nil {
		return m.Body, nil
	}
	plain, err := s.cfg.Sealer.Open(messages.Name, sealedRow(k, m), m.Sealed)
	if err != nil {
		return "", fmt.Errorf("open a message: %w", err)
	}
	return string(plain), nil
}

// sealedRow does not name the queue: dead letters move.
func sealedRow(k store.Key, m *message) string { return k.Account + "/" + k.Region + "/" + m.ID }
