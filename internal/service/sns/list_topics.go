package sns

import (
	"context"
	"encoding/base64"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/store"
)

// pageSize is how many topics or subscriptions an answer holds.
const pageSize = 100

// after reads the token of a page.
func after(token *string) (string, error) {
	if aws.Val(token) == "" {
		return "", nil
	}
	b, err := base64.StdEncoding.DecodeString(*token)
	if err != nil {
		return "", invalid("NextToken")
	}
	return string(b), nil
}

// cut ends a page of rows, with the token of the next one.
func cut[T any](rows []store.Row[T]) ([]store.Row[T], *string) {
	if len(rows) <= pageSize {
		return rows, nil
	}
	return rows[:pageSize], aws.Ptr(base64.StdEncoding.EncodeToString([]byte(rows[pageSize-1].Key.ID)))
}

// ListTopics lists the account's topics.
func (s *Service) ListTopics(ctx context.Context, in *api.ListTopicsInput) (*api.ListTopicsOutput, error) {
	from, err := after(in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &api.ListTopicsOutput{}
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		out.Topics = nil
		c := aws.CallFrom(ctx)
		rows, err := topics.List(tx, store.Scope{Account: c.Account, Region: c.Region}, from, pageSize+1)
		rows, out.NextToken = cut(rows)
		for _, row := range rows {
			out.Topics = append(out.Topics, api.Topic{TopicArn: aws.Ptr(topicARN(row.Key))})
		}
		return err
	})
	return out, err
}

// ListSubscriptions lists the subscriptions to the account's topics.
func (s *Service) ListSubscriptions(ctx context.Context, in *api.ListSubscriptionsInput) (*api.ListSubscriptionsOutput, error) {
	from, err := after(in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &api.ListSubscriptionsOutput{}
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		c := aws.CallFrom(ctx)
		rows, err := subscriptions.List(tx, store.Scope{Account: c.Account, Region: c.Region}, from, pageSize+1)
		rows, out.NextToken = cut(rows)
		out.Subscriptions = listed(rows)
		return err
	})
	return out, err
}

// ListSubscriptionsByTopic lists the subscriptions of one topic.
func (s *Service) ListSubscriptionsByTopic(ctx context.Context, in *api.ListSubscriptionsByTopicInput) (*api.ListSubscriptionsByTopicOutput, error) {
	k, err := openTopic(*in.TopicArn)
	if err != nil {
		return nil, err
	}
	from, err := after(in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &api.ListSubscriptionsByTopicOutput{}
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		if _, err := topics.Get(tx, k); err != nil {
			return orNoTopic(err)
		}
		all, err := subscriptionsOf(tx, k)
		var rows []store.Row[subscription]
		for _, row := range all {
			if row.Key.ID > from {
				rows = append(rows, row)
			}
		}
		rows, out.NextToken = cut(rows)
		out.Subscriptions = listed(rows)
		return err
	})
	return out, err
}

func listed(rows []store.Row[subscription]) []api.Subscription {
	var out []api.Subscription
	for _, row := range rows {
		sub, name := row.Value, topicARN(row.Key)
		if sub.Pending {
			name = "PendingConfirmation"
		}
		out = append(out, api.Subscription{SubscriptionArn: &name, Owner: &sub.Owner, Protocol: &sub.Protocol, Endpoint: &sub.Endpoint,
			TopicArn: aws.Ptr(topicARN(topicOf(row.Key)))})
	}
	return out
}
