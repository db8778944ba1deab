package sns

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// Subscribe makes a subscription. A queue of the caller's own account is subscribed at
// once; an endpoint, and another account's queue, gets a token to confirm it with.
func (s *Service) Subscribe(ctx context.Context, in *api.SubscribeInput) (*api.SubscribeOutput, error) {
	k, err := openTopic(*in.TopicArn)
	if err != nil {
		return nil, err
	}
	protocol, endpoint := *in.Protocol, aws.Val(in.Endpoint)
	if err := judgeEndpoint(k, protocol, endpoint); err != nil {
		return nil, err
	}
	c := aws.CallFrom(ctx)
	sub := &subscription{Protocol: protocol, Endpoint: endpoint, Owner: c.Account, Principal: c.Principal.ARN, Attributes: map[string]string{}}
	for name, value := range in.Attributes {
		if err := judgeSubscription(sub, name, value); err != nil {
			return nil, inAttributes(err)
		}
		sub.set(name, value)
	}
	if err := sub.judgeFilter(); err != nil {
		return nil, inAttributes(err)
	}
	sub.Pending = !sub.isOwnQueue(c.Account)
	key := store.Key{Account: k.Account, Region: k.Region, ID: k.ID + ":" + ids.UUID()}
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		t, err := topics.Get(tx, k)
		if err != nil {
			return orNoTopic(err)
		}
		key, err = s.insertSubscription(ctx, tx, key, t, sub)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.bell.ring()
	name := topicARN(key)
	if sub.Pending && !aws.Val(in.ReturnSubscriptionArn) {
		name = "pending confirmation"
	}
	return &api.SubscribeOutput{SubscriptionArn: &name}, nil
}

// insertSubscription stores a subscription, or finds the one of the same endpoint.
func (s *Service) insertSubscription(ctx context.Context, tx *store.Tx, key store.Key, t *topic, sub *subscription) (store.Key, error) {
	rows, err := subscriptionsOf(tx, topicOf(key))
	if err != nil {
		return key, err
	}
	for _, row := range rows {
		old := row.Value
		if old.Protocol != sub.Protocol || old.Endpoint != sub.Endpoint {
			continue
		}
		for name, value := range sub.Attributes {
			if !sameDocument(old.shown(name), value) {
				return key, invalid("Attributes Reason: Subscription already exists with different attributes")
			}
		}
		sub.Pending = old.Pending
		if old.Pending { // asked again
			return row.Key, s.queueDelivery(tx, t, row.Key, &delivery{Kind: confirmation, Token: old.Token, Message: s.invitation(tx, t, row.Key)})
		}
		return row.Key, nil
	}
	sub.Created = tx.Now()
	if sub.Pending {
		sub.Token = newToken()
		d := &delivery{Kind: confirmation, Token: sub.Token, Message: s.invitation(tx, t, key)}
		if err := s.queueDelivery(tx, t, key, d); err != nil {
			return key, err
		}
	}
	emit(ctx, tx, topicOf(key), "subscribed")
	return key, subscriptions.Insert(tx, key, sub)
}

// tokenForm is that of tokens, by which ours and other ones go.
var tokenForm = regexp.MustCompile(`^[0-9a-f]+$`)

// newToken confirms a subscription.
func newToken() string { return strings.ReplaceAll(ids.UUID()+ids.UUID()+ids.UUID(), "-", "") }

func (s *Service) invitation(tx *store.Tx, t *topic, key store.Key) message {
	return message{ID: ids.UUID(), At: tx.Now(), Version: t.signatureVersion(), Text: "You have chosen to subscribe to the topic " +
		topicARN(topicOf(key)) + ".\nTo confirm the subscription, visit the SubscribeURL included in this message."}
}

// isOwnQueue: who subscribes a queue of his own needs no confirmation.
func (sub *subscription) isOwnQueue(account string) bool {
	a, err := arn.Parse(sub.Endpoint)
	return sub.Protocol == "sqs" && err == nil && a.Account == account
}

// judgeEndpoint refuses what cannot be delivered to.
func judgeEndpoint(k store.Key, protocol, endpoint string) error {
	fifo := strings.HasSuffix(k.ID, fifoSuffix)
	switch protocol {
	case "sqs":
		a, err := arn.Parse(endpoint)
		if err != nil || a.Service != "sqs" || a.Account == "" || a.Region == "" {
			return invalid("SQS endpoint ARN")
		}
		if !fifo && strings.HasSuffix(a.Resource, fifoSuffix) {
			return invalid("Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics")
		}
		return nil
	case "http", "https":
		if fifo {
			return invalid("Protocol Reason: FIFO topics deliver to SQS queues only")
		}
		u, err := url.Parse(endpoint)
		if !strings.HasPrefix(endpoint, protocol+"://") {
			return invalid("Endpoint must match the specified protocol")
		}
		if err != nil || u.Host == "" || u.User != nil {
			return invalid("Endpoint")
		}
		return nil
	case "email", "email-json", "sms", "lambda", "firehose", "application":
		return invalid("Protocol Reason: hardstand cannot deliver by %s; it delivers by sqs, http and https", protocol)
	}
	return invalid("Amazon SNS does not support this protocol string: %s", protocol)
}

// inAttributes words an attribute's error as Subscribe does.
func inAttributes(err error) error {
	const front, more = "Invalid parameter: ", "Attributes Reason: "
	text, ok := strings.CutPrefix(messageOf(err), front)
	if !ok || strings.HasPrefix(text, more) || text == "AttributeName" {
		return err
	}
	return invalid("%s%s", more, text)
}

// ConfirmSubscription ends the wait of a subscription whose token the caller shows.
func (s *Service) ConfirmSubscription(ctx context.Context, in *api.ConfirmSubscriptionInput) (*api.ConfirmSubscriptionOutput, error) {
	k, err := openTopic(*in.TopicArn)
	switch {
	case err != nil:
		return nil, invalid("Topic")
	case !tokenForm.MatchString(*in.Token):
		return nil, awserr.New("InvalidParameter", "Invalid token")
	}
	signed := aws.CallFrom(ctx).Principal.Type != aws.PrincipalAnonymous
	guard := signed && strings.EqualFold(aws.Val(in.AuthenticateOnUnsubscribe), "true")
	var key store.Key
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		rows, err := subscriptions.Lookup(tx, "token", *in.Token)
		switch {
		case err != nil:
			return err
		case len(rows) != 1:
			return invalid("Token")
		case topicOf(rows[0].Key) != k:
			return invalid("Topic")
		}
		key = rows[0].Key
		sub := rows[0].Value
		sub.Pending, sub.Authenticated = false, signed
		sub.Guarded = sub.Guarded || guard
		emit(ctx, tx, k, "subscription confirmed")
		return subscriptions.Put(tx, key, sub)
	})
	if err != nil {
		return nil, err
	}
	return &api.ConfirmSubscriptionOutput{SubscriptionArn: aws.Ptr(topicARN(key))}, nil
}

// Unsubscribe ends a subscription. One that is gone already is success.
func (s *Service) Unsubscribe(ctx context.Context, in *api.UnsubscribeInput) (*api.UnsubscribeOutput, error) {
	k, err := openSubscription(*in.SubscriptionArn)
	if err != nil {
		return nil, err
	}
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		_, err := subscriptions.Get(tx, k)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := dropSubscription(tx, k); err != nil {
			return err
		}
		t, err := topics.Get(tx, topicOf(k))
		if err != nil {
			return orNoTopic(err)
		}
		t.Deleted++
		emit(ctx, tx, topicOf(k), "unsubscribed")
		return topics.Put(tx, topicOf(k), t)
	})
	if err != nil {
		return nil, err
	}
	return &api.UnsubscribeOutput{}, nil
}

// dropSubscription removes a subscription with what was on its way to it.
func dropSubscription(tx *store.Tx, k store.Key) error {
	prefix := k.Account + "\x00" + k.Region + "\x00" + k.ID + "\x00"
	rows, err := deliveries.Range(tx, "subscription", prefix, prefix+"~", 0, false)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := deliveries.Delete(tx, row.Key); err != nil {
			return err
		}
	}
	return subscriptions.Delete(tx, k)
}
