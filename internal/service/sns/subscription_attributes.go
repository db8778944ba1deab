package sns

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/store"
)

// Attributes of subscriptions.
const (
	attrRaw         = "RawMessageDelivery"
	attrFilter      = "FilterPolicy"
	attrFilterScope = "FilterPolicyScope"
	attrRedrive     = "RedrivePolicy"
)

// The scopes of filter policies.
const (
	scopeAttributes = "MessageAttributes"
	scopeBody       = "MessageBody"
)

// judgeSubscription holds a subscription's attribute to what it may be; filter policies
// are judged with their scope, by judgeFilter.
func judgeSubscription(sub *subscription, name, value string) error {
	switch name {
	case attrRaw:
		if value != "true" && value != "false" {
			return invalid("RawMessageDelivery: Invalid value [%s]. Must be true or false.", value)
		}
	case attrFilter:
	case attrFilterScope:
		if value != scopeAttributes && value != scopeBody {
			return invalid("FilterPolicyScope: Invalid value [%s]. Please use either MessageBody or MessageAttributes", value)
		}
	case attrRedrive:
		return sub.judgeRedrive(value)
	case attrDelivery:
		if sub.Protocol == "sqs" && value != "" {
			return invalid("DeliveryPolicy: is only supported for http and https")
		}
		_, err := parseRetry(value, "healthyRetryPolicy")
		return err
	case "SubscriptionRoleArn":
		return invalid("SubscriptionRoleArn: is only supported for firehose")
	case "ReplayPolicy":
		return errNotImplemented("replays of archived messages")
	default:
		return invalid("AttributeName")
	}
	return nil
}

func (sub *subscription) judgeRedrive(text string) error {
	if text == "" {
		return nil
	}
	target, ok := deadLetters(text)
	if !ok {
		return invalid("RedrivePolicy: failed to parse JSON")
	}
	if a, err := arn.Parse(target); err != nil || a.Service != "sqs" {
		return invalid("RedrivePolicy: deadLetterTargetArn is an invalid arn")
	}
	if strings.HasSuffix(sub.Endpoint, ".fifo") && !strings.HasSuffix(target, ".fifo") {
		return invalid("RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.")
	}
	return nil
}

// deadLetters is the ARN of a redrive policy's queue, "" without a policy.
func deadLetters(text string) (string, bool) {
	var doc struct {
		Target string `json:"deadLetterTargetArn"`
	}
	if text == "" {
		return "", true
	}
	err := json.Unmarshal([]byte(text), &doc)
	return doc.Target, err == nil
}

// set takes an attribute over that was found good.
func (sub *subscription) set(name, value string) {
	if value == "" || name == attrFilter && strings.TrimSpace(value) == "{}" {
		delete(sub.Attributes, name)
		return
	}
	sub.Attributes[name] = value
}

func (sub *subscription) judgeFilter() error {
	_, err := parseFilter(sub.Attributes[attrFilter], sub.scope())
	return err
}

func (sub *subscription) scope() string {
	if s := sub.Attributes[attrFilterScope]; s != "" {
		return s
	}
	return scopeAttributes
}

// shown is an attribute as it is or as it is usual.
func (sub *subscription) shown(name string) string {
	switch v := sub.Attributes[name]; {
	case v != "":
		return v
	case name == attrRaw:
		return "false"
	case name == attrFilterScope:
		return scopeAttributes
	}
	return ""
}

// raw: the message goes as it is, without an envelope.
func (sub *subscription) raw() bool { return sub.Attributes[attrRaw] == "true" }

// GetSubscriptionAttributes returns a subscription's attributes.
func (s *Service) GetSubscriptionAttributes(ctx context.Context, in *api.GetSubscriptionAttributesInput) (*api.GetSubscriptionAttributesOutput, error) {
	k, err := openSubscription(*in.SubscriptionArn)
	if err != nil {
		return nil, err
	}
	out := &api.GetSubscriptionAttributesOutput{}
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		sub, err := subscriptions.Get(tx, k)
		if err != nil {
			return orNoSubscription(err)
		}
		t, err := topics.Get(tx, topicOf(k))
		if err != nil {
			return orNoTopic(err)
		}
		out.Attributes = sub.describe(k, t)
		return nil
	})
	return out, err
}

func (sub *subscription) describe(k store.Key, t *topic) map[string]string {
	out := map[string]string{"SubscriptionArn": topicARN(k), "TopicArn": topicARN(topicOf(k)), "Owner": sub.Owner, "Protocol": sub.Protocol,
		"Endpoint": sub.Endpoint, "PendingConfirmation": strconv.FormatBool(sub.Pending), attrRaw: "false",
		"ConfirmationWasAuthenticated": strconv.FormatBool(sub.Authenticated || sub.isOwnQueue(sub.Owner)), "SubscriptionPrincipal": sub.Principal}
	for name, value := range sub.Attributes {
		out[name] = value
	}
	if out[attrFilter] != "" {
		out[attrFilterScope] = sub.scope()
	}
	if sub.Protocol != "sqs" {
		out["EffectiveDeliveryPolicy"] = sub.retries(t).effective("healthyRetryPolicy")
	}
	return out
}

// retries is the subscription's own policy, else the topic's.
func (sub *subscription) retries(t *topic) retryPolicy {
	if own := sub.Attributes[attrDelivery]; own != "" {
		r, _ := parseRetry(own, "healthyRetryPolicy") // judged when it was set
		return r
	}
	r, _ := parseRetry(t.Attributes[attrDelivery], "http", "defaultHealthyRetryPolicy")
	return r
}

// SetSubscriptionAttributes changes one attribute.
func (s *Service) SetSubscriptionAttributes(ctx context.Context, in *api.SetSubscriptionAttributesInput) (*api.SetSubscriptionAttributesOutput, error) {
	k, err := openSubscription(*in.SubscriptionArn)
	if err != nil {
		return nil, err
	}
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		sub, err := subscriptions.Get(tx, k)
		if err != nil {
			return orNoSubscription(err)
		}
		name, value := *in.AttributeName, aws.Val(in.AttributeValue)
		if err := judgeSubscription(sub, name, value); err != nil {
			return err
		}
		sub.set(name, value)
		if err := sub.judgeFilter(); err != nil {
			return err
		}
		emit(ctx, tx, topicOf(k), "subscription changed")
		return subscriptions.Put(tx, k, sub)
	})
	if err != nil {
		return nil, err
	}
	return &api.SetSubscriptionAttributesOutput{}, nil
}
