package sns

import (
	"context"
	"errors"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/store"
)

// checkTopic is the check on a topic under its policy, whether it exists or not.
func (s *Service) checkTopic(ctx context.Context, k store.Key) (aws.Check, error) {
	check := aws.Check{Resource: topicARN(k), ResourceAccount: k.Account, Context: map[string][]string{}}
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		t, err := topics.Get(tx, k)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		check.ResourcePolicy, check.Context = t.policy(k), tagKeys(t)
		return nil
	})
	// Services tell for which account they act, and the policy that every topic begins
	// with lets those of its own account in. S3 does not; it needs a policy.
	if p := aws.CallFrom(ctx).Principal; p.Type == aws.PrincipalService && p.Service != "s3.amazonaws.com" {
		check.Context["aws:SourceOwner"] = []string{p.Account}
	}
	return check, err
}

// onTopic checks the operation's action on the topic of the ARN.
func onTopic[I any](s *Service, topic func(*I) *string) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		k, err := openTopic(aws.Val(topic(in)))
		if err != nil {
			return nil, err
		}
		check, err := s.checkTopic(ctx, k)
		return []aws.Check{check}, err
	}
}

// onSubscription checks the operation's action on a subscription. Who subscribed owns
// it.
func onSubscription[I any](s *Service, subscription func(*I) *string) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		k, err := openSubscription(aws.Val(subscription(in)))
		if err != nil {
			return nil, err
		}
		check, _, err := s.checkSubscription(ctx, k)
		return []aws.Check{check}, err
	}
}

func (s *Service) checkSubscription(ctx context.Context, k store.Key) (aws.Check, *subscription, error) {
	check := aws.Check{Resource: topicARN(topicOf(k)), ResourceAccount: k.Account}
	var found *subscription
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		sub, err := subscriptions.Get(tx, k)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if t, err := topics.Get(tx, topicOf(k)); err == nil {
			check.Context = tagKeys(t)
		}
		found, check.ResourceAccount = sub, sub.Owner
		if sub.Owner != k.Account && aws.CallFrom(ctx).Principal.Account == k.Account {
			check.ResourceAccount = k.Account // the topic's owner may, too
		}
		return nil
	})
	return check, found, err
}

func (s *Service) onPublish(ctx context.Context, in *api.PublishInput) ([]aws.Check, error) {
	k, err := targetOf(in)
	if err != nil {
		return nil, err
	}
	check, err := s.checkTopic(ctx, k)
	return []aws.Check{check}, err
}

func (s *Service) onSubscribe(ctx context.Context, in *api.SubscribeInput) ([]aws.Check, error) {
	k, err := openTopic(aws.Val(in.TopicArn))
	if err != nil {
		return nil, err
	}
	check, err := s.checkTopic(ctx, k)
	check.Context["sns:Protocol"] = []string{aws.Val(in.Protocol)}
	check.Context["sns:Endpoint"] = []string{aws.Val(in.Endpoint)}
	return []aws.Check{check}, err
}

// openToHolders is a policy for who holds the address that a message named.
const openToHolders = `{"Statement":{"Effect":"Allow","Principal":"*","Action":"sns:Unsubscribe","Resource":"*"}}`

// onUnsubscribe: an unsigned call ends a subscription by the address in its messages,
// unless it was confirmed on condition that only signed calls do.
func (s *Service) onUnsubscribe(ctx context.Context, in *api.UnsubscribeInput) ([]aws.Check, error) {
	k, err := openSubscription(aws.Val(in.SubscriptionArn))
	if err != nil {
		return nil, err
	}
	check, sub, err := s.checkSubscription(ctx, k)
	if aws.CallFrom(ctx).Principal.Type == aws.PrincipalAnonymous && sub != nil && !sub.Guarded {
		check.ResourcePolicy = openToHolders
	}
	return []aws.Check{check}, err
}

// onName is for the topic that is to be made.
func onName(ctx context.Context, in *api.CreateTopicInput) ([]aws.Check, error) {
	return []aws.Check{{Resource: topicARN(ownKey(ctx, aws.Val(in.Name)))}}, nil
}

// ownKey is a topic of the caller's account.
func ownKey(ctx context.Context, name string) store.Key {
	c := aws.CallFrom(ctx)
	return store.Key{Account: c.Account, Region: c.Region, ID: name}
}
