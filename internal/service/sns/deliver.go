package sns

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	apisqs "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// bell wakes the worker after a commit that has something for it.
type bell struct{ ch chan struct{} }

func newBell() bell { return bell{make(chan struct{}, 1)} }

func (b bell) ring() {
	select {
	case b.ch <- struct{}{}:
	default: // it rings already
	}
}

const (
	// atOnce is how many subscriptions are delivered to at the same time.
	atOnce = 32
	// duePage is how many deliveries are looked at at once.
	duePage    = 500
	duePages   = 20
	sweepEvery = time.Hour
)

// Run delivers what is due until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	busy := &busySet{at: map[store.Key]bool{}}
	for {
		next, err := s.start(ctx, busy, &running)
		if err == nil {
			err = s.forget(ctx)
		}
		if err != nil {
			return err
		}
		select {
		case <-s.bell.ch:
		case <-s.cfg.Clock.After(next):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// busySet are the subscriptions that are being delivered to.
type busySet struct {
	mu sync.Mutex
	at map[store.Key]bool
}

// take claims a subscription unless it is busy or too many are.
func (b *busySet) take(k store.Key) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at[k] || len(b.at) >= atOnce {
		return false
	}
	b.at[k] = true
	return true
}

func (b *busySet) release(k store.Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.at, k)
}

// start begins to deliver to each subscription that has something due and is not busy.
// It returns how long nothing more is due.
func (s *Service) start(ctx context.Context, busy *busySet, running *sync.WaitGroup) (time.Duration, error) {
	var due, later []store.Row[delivery]
	now := s.cfg.Clock.Now()
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		if due, err = dueBy(tx, stamp(now)+"\x01"); err != nil {
			return err
		}
		later, err = deliveries.Range(tx, "due", stamp(now)+"\x01", "", 1, false)
		return err
	})
	if err != nil {
		return 0, err
	}
	bySubscription := map[store.Key][]store.Row[delivery]{}
	for _, row := range due {
		k := subscriptionKey(row.Key, row.Value)
		bySubscription[k] = append(bySubscription[k], row)
	}
	for k, rows := range bySubscription {
		if !busy.take(k) {
			continue
		}
		running.Go(func() {
			s.deliverAll(ctx, k, rows)
			busy.release(k)
			s.bell.ring() // more may be due by now
		})
	}
	if len(later) == 0 {
		return sweepEvery, nil
	}
	return later[0].Value.Next.Sub(now), nil
}

// deliverAll delivers to one subscription, in order, as far as it goes.
func (s *Service) deliverAll(ctx context.Context, k store.Key, rows []store.Row[delivery]) {
	for _, row := range rows {
		if ctx.Err() != nil {
			return
		}
		if err := s.deliverOne(ctx, k, row); err != nil && ctx.Err() == nil {
			s.cfg.Log.Error("deliver a message", slog.String("subscription", topicARN(k)), slog.String("error", err.Error()))
			select { // what went wrong may stay wrong: the subscription is not due again at once
			case <-s.cfg.Clock.After(queuePause):
			case <-ctx.Done():
			}
			return
		}
	}
}

// dueBy are the deliveries that are due, the longest first. It looks past a page, so
// that one subscription that is slow does not hide the others.
func dueBy(tx *store.Tx, end string) ([]store.Row[delivery], error) {
	var all []store.Row[delivery]
	from := ""
	for range duePages {
		rows, err := deliveries.Range(tx, "due", from, end, duePage, false)
		all = append(all, rows...)
		if err != nil || len(rows) < duePage {
			return all, err
		}
		last := rows[len(rows)-1].Value
		from = stamp(last.Next) + "\x00" + last.Seq + "\x00"
	}
	return all, nil
}

// outcome is how a delivery went.
type outcome int

const (
	arrived outcome = iota
	failed          // may go better later
	refused         // will not
)

// load reads a delivery with what it needs; a delivery of nil needs nothing any more.
func (s *Service) load(ctx context.Context, k, at store.Key) (d *delivery, sub *subscription, t *topic, err error) {
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		// Who delivered before may have had it already.
		if d, err = deliveries.Get(tx, at); err != nil || d.Next.After(tx.Now()) {
			d = nil
			return ignoreGone(err)
		}
		if sub, err = subscriptions.Get(tx, k); err != nil {
			return err
		}
		t, err = topics.Get(tx, topicOf(k))
		return err
	})
	return d, sub, t, err
}

// deliverOne tries a delivery and stores how it went: it is gone, due later, or with
// the dead letters.
func (s *Service) deliverOne(ctx context.Context, k store.Key, row store.Row[delivery]) error {
	d, sub, t, err := s.load(ctx, k, row.Key)
	if errors.Is(err, store.ErrNotFound) {
		return s.done(ctx, row.Key)
	}
	if err != nil || d == nil {
		return err
	}
	kept := *d // what stays sealed on disk
	if d.Message, err = s.open(d); err != nil {
		return err
	}
	went, err := s.attempt(ctx, k, sub, t, d)
	if err != nil || ctx.Err() != nil {
		return err
	}
	pause, again := s.pause(sub, t, d)
	switch {
	case went == failed && again:
		kept.Attempts++
		return s.later(ctx, row.Key, &kept, pause)
	case went != arrived && d.Kind == notification:
		buried, err := s.bury(ctx, k, sub, d)
		if err != nil {
			return err
		}
		if buried == failed { // the dead letters can be reached later, perhaps
			return s.later(ctx, row.Key, &kept, queuePause)
		}
	}
	return s.done(ctx, row.Key)
}

func ignoreGone(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// later makes a delivery due again after a pause, unless it is gone.
func (s *Service) later(ctx context.Context, k store.Key, d *delivery, pause time.Duration) error {
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		if _, err := deliveries.Get(tx, k); err != nil {
			return ignoreGone(err)
		}
		d.Next = tx.Now().Add(pause)
		return deliveries.Put(tx, k, d)
	})
}

// done removes a delivery.
func (s *Service) done(ctx context.Context, k store.Key) error {
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error { return ignoreGone(deliveries.Delete(tx, k)) })
}

// Queues are tried for as long as AWS does when they fail for reasons of the service.
const (
	queuePause    = 20 * time.Second
	queueAttempts = 100_015
)

func (s *Service) pause(sub *subscription, t *topic, d *delivery) (time.Duration, bool) {
	if sub.Protocol == "sqs" {
		return queuePause, d.Attempts < queueAttempts
	}
	return sub.retries(t).after(d.Attempts + 1)
}

func (s *Service) attempt(ctx context.Context, k store.Key, sub *subscription, t *topic, d *delivery) (outcome, error) {
	raw := sub.raw() && d.Kind == notification
	body := []byte(d.Message.Text)
	if !raw {
		var err error
		if body, err = s.wrap(ctx, k, d); err != nil {
			return failed, err
		}
	}
	if sub.Protocol == "sqs" {
		return s.send(ctx, k, sub.Endpoint, body, raw, d), nil
	}
	return s.post(ctx, k, sub, sub.retries(t).contentType, body, raw, d), nil
}

// send sends a message to a queue, for the topic: the queue's policy must let it.
func (s *Service) send(ctx context.Context, k store.Key, queue string, body []byte, raw bool, d *delivery) outcome {
	a, err := arn.Parse(queue)
	if err != nil {
		return refused
	}
	topicKey := topicOf(k)
	call := aws.AsService("sns.amazonaws.com", topicARN(topicKey), topicKey.Account, a.Region)
	in := &apisqs.SendMessageInput{QueueUrl: aws.Ptr(s.cfg.Endpoint + "/" + a.Account + "/" + a.Resource), MessageBody: aws.Ptr(string(body))}
	if raw {
		in.MessageAttributes = queueAttributes(d.Message.Attributes)
	}
	if m := d.Message; m.Group != "" {
		in.MessageGroupId = &m.Group
		if strings.HasSuffix(a.Resource, fifoSuffix) && m.Dedup != "" {
			in.MessageDeduplicationId = &m.Dedup
		}
	}
	_, err = wire.Call[apisqs.SendMessageOutput](aws.WithCall(ctx, call), s.cfg.Invoker, "sqs", "SendMessage", in)
	switch e := awserr.As(err); {
	case err == nil:
		return arrived
	case e == nil || e.HTTPStatus() >= http.StatusInternalServerError:
		return failed
	}
	s.cfg.Log.Warn("a queue refuses a message", slog.String("topic", topicARN(topicKey)), slog.String("queue", queue), slog.String("error", err.Error()))
	return refused
}

func queueAttributes(all map[string]attribute) map[string]apisqs.MessageAttributeValue {
	out := map[string]apisqs.MessageAttributeValue{}
	for name, a := range all {
		v := apisqs.MessageAttributeValue{DataType: &a.Type}
		if strings.HasPrefix(a.Type, "Binary") {
			v.BinaryValue = a.Binary
		} else {
			v.StringValue = &a.Text
		}
		out[name] = v
	}
	return out
}

// bury sends a message that could not be delivered to the subscription's dead-letter
// queue, where it has one.
func (s *Service) bury(ctx context.Context, k store.Key, sub *subscription, d *delivery) (outcome, error) {
	target, _ := deadLetters(sub.Attributes[attrRedrive])
	if target == "" {
		return refused, nil
	}
	body := []byte(d.Message.Text)
	if !sub.raw() {
		var err error
		if body, err = s.wrap(ctx, k, d); err != nil {
			return failed, err
		}
	}
	return s.send(ctx, k, target, body, sub.raw(), d), nil
}

// forget removes what FIFO topics remembered for five minutes.
func (s *Service) forget(ctx context.Context) error {
	var old []store.Row[repeat]
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		old, err = repeats.Range(tx, "at", "", stamp(tx.Now().Add(-dedupWindow)), duePage, false)
		return err
	})
	if err != nil || len(old) == 0 {
		return err
	}
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		for _, row := range old {
			if err := repeats.Delete(tx, row.Key); err != nil {
				return err
			}
		}
		return nil
	})
}
