// Package sns is the Simple Notification Service: topics, subscriptions of queues and
// of HTTP endpoints, and the resource types AWS::SNS::Topic, Subscription, TopicPolicy
// and TopicInlinePolicy.
//
// It owns the tables sns.topic, sns.subscription, sns.delivery, sns.dedup and
// sns.signer. It imports store, policy, stack (its resource types), wire and the API's
// types. The flow enters through Wire's operations and leaves by deliveries:
//
//	Publish --> one transaction: a row of sns.delivery for each subscription whose
//	            filter policy lets the message through ---> bell
//	Run ------> what is due, subscription by subscription: SendMessage to a queue as
//	            sns.amazonaws.com, under the queue's policy; POST to an endpoint,
//	            again later when it fails, at last to the dead-letter queue
//
// A row goes when its message has arrived, so what was published survives the server.
// Messages are signed with a key of our own, whose certificate is served at the
// SigningCertURL. E-mail, text messages, functions and streams cannot be delivered to
// from here; subscribing them is refused.
package sns

import (
	"context"
	"log/slog"
	"net/http"

	api "github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// Invoker calls operations of any service as the caller in ctx.
type Invoker interface {
	Invoke(ctx context.Context, service, operation string, in any) (any, error)
}

// Config is what New needs.
type Config struct {
	DB        *store.DB
	Sealer    *store.Sealer
	Clock     clock.Clock
	Log       *slog.Logger
	Invoker   Invoker
	Authority Authority
	// Endpoint is the server's base URL: the addresses in messages begin with it.
	Endpoint string
	// Client posts to endpoints; nil is one that follows no redirections.
	Client *http.Client
}

// Service implements the operations.
type Service struct {
	cfg      Config
	sequence ids.Sequence
	bell     bell
	signer   signer
}

// New returns the service.
func New(cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Client == nil {
		cfg.Client = newClient()
	}
	return &Service{cfg: cfg, bell: newBell()}
}

// Wire lists the operations. Anonymous callers come as far as the topic's policy, and
// confirm and end subscriptions by the addresses in messages.
func (s *Service) Wire() wire.Service {
	return wire.Service{Model: api.Model(), Anonymous: true, Operations: []wire.Operation{
		wire.Op("CreateTopic", "sns:CreateTopic", s.CreateTopic, onName),
		wire.Op("DeleteTopic", "sns:DeleteTopic", s.DeleteTopic, onTopic(s, func(in *api.DeleteTopicInput) *string { return in.TopicArn })),
		wire.Op("ListTopics", "sns:ListTopics", s.ListTopics, nil),
		wire.Op("GetTopicAttributes", "sns:GetTopicAttributes", s.GetTopicAttributes,
			onTopic(s, func(in *api.GetTopicAttributesInput) *string { return in.TopicArn })),
		wire.Op("SetTopicAttributes", "sns:SetTopicAttributes", s.SetTopicAttributes,
			onTopic(s, func(in *api.SetTopicAttributesInput) *string { return in.TopicArn })),
		wire.Op("AddPermission", "sns:AddPermission", s.AddPermission,
			onTopic(s, func(in *api.AddPermissionInput) *string { return in.TopicArn })),
		wire.Op("RemovePermission", "sns:RemovePermission", s.RemovePermission,
			onTopic(s, func(in *api.RemovePermissionInput) *string { return in.TopicArn })),
		wire.Op("Publish", "sns:Publish", s.Publish, s.onPublish),
		wire.Op("PublishBatch", "sns:Publish", s.PublishBatch, onTopic(s, func(in *api.PublishBatchInput) *string { return in.TopicArn })),
		wire.Op("Subscribe", "sns:Subscribe", s.Subscribe, s.onSubscribe),
		wire.FreeOp("ConfirmSubscription", "the token is the proof", s.ConfirmSubscription),
		wire.Op("Unsubscribe", "sns:Unsubscribe", s.Unsubscribe, s.onUnsubscribe),
		wire.Op("GetSubscriptionAttributes", "sns:GetSubscriptionAttributes", s.GetSubscriptionAttributes,
			onSubscription(s, func(in *api.GetSubscriptionAttributesInput) *string { return in.SubscriptionArn })),
		wire.Op("SetSubscriptionAttributes", "sns:SetSubscriptionAttributes", s.SetSubscriptionAttributes,
			onSubscription(s, func(in *api.SetSubscriptionAttributesInput) *string { return in.SubscriptionArn })),
		wire.Op("ListSubscriptions", "sns:ListSubscriptions", s.ListSubscriptions, nil),
		wire.Op("ListSubscriptionsByTopic", "sns:ListSubscriptionsByTopic", s.ListSubscriptionsByTopic,
			onTopic(s, func(in *api.ListSubscriptionsByTopicInput) *string { return in.TopicArn })),
		wire.Op("TagResource", "sns:TagResource", s.TagResource, onTopic(s, func(in *api.TagResourceInput) *string { return in.ResourceArn })),
		wire.Op("UntagResource", "sns:UntagResource", s.UntagResource, onTopic(s, func(in *api.UntagResourceInput) *string { return in.ResourceArn })),
		wire.Op("ListTagsForResource", "sns:ListTagsForResource", s.ListTagsForResource,
			onTopic(s, func(in *api.ListTagsForResourceInput) *string { return in.ResourceArn })),
	}}
}
