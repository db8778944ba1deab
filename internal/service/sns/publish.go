package sns

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// maxBytes is the longest message, attributes included.
const maxBytes = 256 << 10

// targetOf is the topic that is published to.
func targetOf(in *api.PublishInput) (store.Key, error) {
	switch {
	case in.PhoneNumber != nil:
		return store.Key{}, errNotImplemented("text messages to phone numbers")
	case in.TopicArn != nil && in.TargetArn != nil:
		return store.Key{}, invalid("TopicArn or TargetArn Reason: exactly one of them is allowed")
	case in.TopicArn != nil:
		return openARN("TopicArn", *in.TopicArn, 0)
	case in.TargetArn != nil:
		k, err := openARN("TargetArn", *in.TargetArn, 0)
		if err == nil && strings.HasPrefix(k.ID, "endpoint/") { // of mobile devices, which cannot be made here
			err = invalid("TargetArn Reason: No endpoint found for the target arn specified")
		}
		return k, err
	}
	return store.Key{}, invalid("TopicArn or TargetArn Reason: no value for required parameter")
}

// Publish sends a message to a topic's subscriptions.
func (s *Service) Publish(ctx context.Context, in *api.PublishInput) (*api.PublishOutput, error) {
	k, err := targetOf(in)
	if err != nil {
		return nil, err
	}
	d, err := newDraft(&api.PublishBatchRequestEntry{Message: in.Message, Subject: in.Subject, MessageStructure: in.MessageStructure,
		MessageAttributes: in.MessageAttributes, MessageDeduplicationId: in.MessageDeduplicationId, MessageGroupId: in.MessageGroupId})
	if err != nil {
		return nil, err
	}
	if d.size > maxBytes {
		return nil, invalid("Message too long")
	}
	var id, number *string
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		t, err := topics.Get(tx, k)
		if err != nil {
			return orNoTopic(err)
		}
		id, number, err = s.publish(tx, k, t, d)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.bell.ring()
	return &api.PublishOutput{MessageId: id, SequenceNumber: number}, nil
}

// draft is a message that is to be published.
type draft struct {
	text         map[string]string // by protocol; "default" is for all others
	subject      *string
	attributes   map[string]attribute
	group, dedup *string
	size         int
}

func (d *draft) textFor(protocol string) string {
	if text, ok := d.text[protocol]; ok {
		return text
	}
	return d.text["default"]
}

var (
	subjectForm = regexp.MustCompile(`^[\x21-\x7e][\x20-\x7e]{0,99}$`)
	groupForm   = regexp.MustCompile("^[0-9A-Za-z!\"#$%&'()*+,./:;<=>?@\\[\\\\\\]^_`{|}~-]{1,128}$")
)

// newDraft judges what can be judged without the topic.
func newDraft(in *api.PublishBatchRequestEntry) (*draft, error) {
	d := &draft{text: map[string]string{"default": aws.Val(in.Message)}, subject: in.Subject, group: in.MessageGroupId, dedup: in.MessageDeduplicationId}
	switch structure := aws.Val(in.MessageStructure); {
	case aws.Val(in.Message) == "":
		return nil, invalid("Empty message")
	case structure == "json":
		var byProtocol map[string]any
		if err := json.Unmarshal([]byte(*in.Message), &byProtocol); err != nil {
			return nil, invalid("Message Structure - JSON message body failed to parse")
		}
		if _, ok := byProtocol["default"].(string); !ok {
			return nil, invalid("Message Structure - No default entry in JSON message body")
		}
		for protocol, v := range byProtocol {
			if text, ok := v.(string); ok {
				d.text[protocol] = text
			}
		}
	case structure != "":
		return nil, invalid("MessageStructure")
	}
	if in.Subject != nil && !subjectForm.MatchString(*in.Subject) {
		return nil, invalid("Subject")
	}
	var err error
	if d.attributes, err = readAttributes(in.MessageAttributes); err != nil {
		return nil, err
	}
	d.size = len(aws.Val(in.Message))
	for name, a := range d.attributes {
		d.size += len(name) + len(a.Type) + len(a.Text) + len(a.Binary)
	}
	return d, nil
}

// publish stores a delivery for each subscription that wants the message.
func (s *Service) publish(tx *store.Tx, k store.Key, t *topic, d *draft) (id, number *string, err error) {
	now := tx.Now()
	m := message{ID: ids.UUID(), Subject: d.subject, Attributes: d.attributes, At: now, Version: t.signatureVersion()}
	if err := s.judgeGroup(k, t, d, &m); err != nil {
		return nil, nil, err
	}
	if t.Attributes[attrFIFO] == "true" {
		again, err := s.repeated(tx, k, t, &m, now)
		if again || err != nil {
			return &m.ID, &m.Sequence, err
		}
		number = &m.Sequence
	}
	rows, err := subscriptionsOf(tx, k)
	if err != nil {
		return nil, nil, err
	}
	for _, row := range rows {
		sub := row.Value
		m.Text = d.textFor(sub.Protocol)
		if sub.Pending || !sub.wants(m.Text, d.attributes) {
			continue
		}
		if err := s.queueDelivery(tx, t, row.Key, &delivery{Kind: notification, Message: m}); err != nil {
			return nil, nil, err
		}
	}
	return &m.ID, number, nil
}

// queueDelivery stores a delivery that is due at once.
func (s *Service) queueDelivery(tx *store.Tx, t *topic, sub store.Key, d *delivery) error {
	now := tx.Now()
	d.Seq, d.Subscription, d.Next = s.sequence.Next(now), sub.ID, now
	if t.Attributes[attrKMSKey] != "" {
		if err := s.seal(d); err != nil {
			return err
		}
	}
	return deliveries.Insert(tx, store.Key{Account: sub.Account, Region: sub.Region, ID: sub.ID + "/" + d.Seq}, d)
}

// seal keeps the message of a delivery sealed.
func (s *Service) seal(d *delivery) error {
	plain, err := json.Marshal(d.Message)
	if err != nil {
		return err
	}
	d.Message = message{}
	d.Sealed, err = s.cfg.Sealer.Seal(deliveries.Name, d.Seq, plain)
	return err
}

// open returns the message of a delivery.
func (s *Service) open(d *delivery) (message, error) {
	if d.Sealed == nil {
		return d.Message, nil
	}
	var m message
	plain, err := s.cfg.Sealer.Open(deliveries.Name, d.Seq, d.Sealed)
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(plain, &m)
}

func (s *Service) judgeGroup(k store.Key, t *topic, d *draft, m *message) error {
	m.Group, m.Dedup = aws.Val(d.group), aws.Val(d.dedup)
	for name, id := range map[string]*string{"MessageGroupId": d.group, "MessageDeduplicationId": d.dedup} {
		if id != nil && !groupForm.MatchString(*id) {
			return invalid("%s Reason: %s can only include alphanumeric and punctuation characters, 1 to 128 in length", name, name)
		}
	}
	if !strings.HasSuffix(k.ID, fifoSuffix) {
		if d.dedup != nil {
			return invalid("MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type")
		}
		return nil
	}
	switch {
	case m.Group == "":
		return invalid("The MessageGroupId parameter is required for FIFO topics")
	case m.Dedup == "" && t.Attributes[attrContentDedup] != "true":
		return invalid("The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	case m.Dedup == "":
		sum := sha256.Sum256([]byte(d.text["default"]))
		m.Dedup = hex.EncodeToString(sum[:])
	}
	return nil
}

// repeated looks for the message among those of the last minutes.
func (s *Service) repeated(tx *store.Tx, k store.Key, t *topic, m *message, now time.Time) (bool, error) {
	scope := ""
	if t.Attributes[attrScope] == "MessageGroup" {
		scope = m.Group
	}
	at := store.Key{Account: k.Account, Region: k.Region, ID: k.ID + "\x00" + t.Serial + "\x00" + scope + "\x00" + m.Dedup}
	old, err := repeats.Get(tx, at)
	switch {
	case err == nil && now.Before(old.At.Add(dedupWindow)):
		m.ID, m.Sequence = old.ID, old.Sequence
		return true, nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return false, err
	}
	m.Sequence = s.sequence.Next(now)
	return false, repeats.Put(tx, at, &repeat{ID: m.ID, Sequence: m.Sequence, At: now})
}

func (t *topic) signatureVersion() string {
	if v := t.Attributes[attrSignature]; v != "" {
		return v
	}
	return "1"
}
