package sns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/store"
)

// Attributes of topics that are named in more than one place.
const (
	attrPolicy       = "Policy"
	attrDisplayName  = "DisplayName"
	attrDelivery     = "DeliveryPolicy"
	attrFIFO         = "FifoTopic"
	attrContentDedup = "ContentBasedDeduplication"
	attrScope        = "FifoThroughputScope"
	attrKMSKey       = "KmsMasterKeyId"
	attrSignature    = "SignatureVersion"
	attrTracing      = "TracingConfig"
)

// ownKMSKey is AWS's own key for topics; here messages are sealed with the server's.
const ownKMSKey = "alias/aws/sns"

// isFeedback recognises the attributes that have deliveries logged to CloudWatch.
func isFeedback(name string) bool {
	return strings.HasSuffix(name, "FeedbackRoleArn") || strings.HasSuffix(name, "FeedbackSampleRate")
}

// judgeAttribute holds a topic's attribute to what it may be.
func judgeAttribute(k store.Key, name, value string, creating bool) error {
	fifo := strings.HasSuffix(k.ID, fifoSuffix)
	wrong := func(reason string) error { return invalid("Attributes Reason: %s: %s", name, reason) }
	switch name {
	case attrDisplayName:
		if len(value) > 100 {
			return invalid("DisplayName")
		}
	case attrPolicy:
		return judgePolicy(value)
	case attrDelivery:
		_, err := parseRetry(value, "http", "defaultHealthyRetryPolicy")
		return err
	case attrFIFO:
		if !creating {
			return invalid("AttributeName")
		}
	case attrContentDedup, attrScope:
		if !fifo {
			return invalid("%s Reason: is only supported for FIFO topics", name)
		}
		allowed := []string{"true", "false"}
		if name == attrScope {
			allowed = []string{"Topic", "MessageGroup"}
		}
		if !slices.Contains(allowed, value) {
			return wrong("Invalid value [" + value + "]. Must be " + strings.Join(allowed, " or ") + ".")
		}
	case attrSignature:
		if value != "1" && value != "2" {
			return wrong("Invalid value [" + value + "]. Must be 1 or 2.")
		}
	case attrTracing:
		if value != "PassThrough" {
			return errNotImplemented("active tracing of topics")
		}
	case attrKMSKey:
		if value != "" && value != ownKMSKey && !strings.HasSuffix(value, ":"+ownKMSKey) {
			return errNotImplemented("encryption of topics with KMS keys other than " + ownKMSKey)
		}
	case "ArchivePolicy":
		return errNotImplemented("archives of topics")
	default:
		if isFeedback(name) {
			return errNotImplemented("logs of deliveries")
		}
		return invalid("AttributeName")
	}
	return nil
}

func judgePolicy(text string) error {
	doc, err := policy.Parse(text, policy.Resource)
	if m := new(policy.Malformed); errors.As(err, &m) {
		return invalid("Policy Error: %s", m.Message)
	}
	if err != nil {
		return err
	}
	for i := range doc.Statements {
		for _, a := range slices.Concat(doc.Statements[i].Actions, doc.Statements[i].NotActions) {
			if a != "*" && !strings.HasPrefix(strings.ToLower(a), "sns:") {
				return invalid("Policy statement action out of service scope!")
			}
		}
	}
	return nil
}

// policy is the topic's policy. Without another one its account's services may use it.
func (t *topic) policy(k store.Key) string {
	if p := t.Attributes[attrPolicy]; p != "" {
		return p
	}
	return defaultPolicy(k)
}

func defaultPolicy(k store.Key) string {
	return fmt.Sprintf(`{"Version":"2008-10-17","Id":"__default_policy_ID","Statement":[{"Sid":"__default_statement_ID","Effect":"Allow",`+
		`"Principal":{"AWS":"*"},"Action":["SNS:GetTopicAttributes","SNS:SetTopicAttributes","SNS:AddPermission","SNS:RemovePermission",`+
		`"SNS:DeleteTopic","SNS:Subscribe","SNS:ListSubscriptionsByTopic","SNS:Publish"],"Resource":"%s",`+
		`"Condition":{"StringEquals":{"AWS:SourceOwner":"%s"}}}]}`, topicARN(k), k.Account)
}

// GetTopicAttributes returns a topic's attributes.
func (s *Service) GetTopicAttributes(ctx context.Context, in *api.GetTopicAttributesInput) (*api.GetTopicAttributesOutput, error) {
	k, err := openTopic(*in.TopicArn)
	if err != nil {
		return nil, err
	}
	out := &api.GetTopicAttributesOutput{}
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		t, err := topics.Get(tx, k)
		if err != nil {
			return orNoTopic(err)
		}
		rows, err := subscriptionsOf(tx, k)
		pending := 0
		for _, row := range rows {
			if row.Value.Pending {
				pending++
			}
		}
		out.Attributes = t.describe(k, len(rows)-pending, pending)
		return err
	})
	return out, err
}

func (t *topic) describe(k store.Key, confirmed, pending int) map[string]string {
	out := map[string]string{"TopicArn": topicARN(k), "Owner": k.Account, attrDisplayName: "", attrPolicy: t.policy(k),
		"SubscriptionsConfirmed": fmt.Sprint(confirmed), "SubscriptionsPending": fmt.Sprint(pending),
		"SubscriptionsDeleted": fmt.Sprint(t.Deleted)}
	if strings.HasSuffix(k.ID, fifoSuffix) {
		out[attrContentDedup], out[attrScope] = "false", "Topic"
	}
	for name, value := range t.Attributes {
		out[name] = value
	}
	r, _ := parseRetry(t.Attributes[attrDelivery], "http", "defaultHealthyRetryPolicy") // judged when it was set
	out["EffectiveDeliveryPolicy"] = r.effective("http", "defaultHealthyRetryPolicy")
	return out
}

// change runs fn on the topic and stores it.
func (s *Service) change(ctx context.Context, k store.Key, cause string, fn func(*store.Tx, *topic) error) error {
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		t, err := topics.Get(tx, k)
		if err != nil {
			return orNoTopic(err)
		}
		if err := fn(tx, t); err != nil {
			return err
		}
		emit(ctx, tx, k, cause)
		return topics.Put(tx, k, t)
	})
}

func emit(ctx context.Context, tx *store.Tx, k store.Key, cause string) {
	tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: "sns", Resource: k.ID, Kind: "topic",
		Cause: cause, RequestID: aws.CallFrom(ctx).RequestID})
}

// SetTopicAttributes changes one attribute.
func (s *Service) SetTopicAttributes(ctx context.Context, in *api.SetTopicAttributesInput) (*api.SetTopicAttributesOutput, error) {
	k, err := openTopic(*in.TopicArn)
	if err != nil {
		return nil, err
	}
	name, value := *in.AttributeName, aws.Val(in.AttributeValue)
	err = s.change(ctx, k, "attributes set", func(_ *store.Tx, t *topic) error {
		removable := name == attrDelivery || name == attrKMSKey || name == attrDisplayName
		if value == "" && removable {
			delete(t.Attributes, name)
			return nil
		}
		if err := judgeAttribute(k, name, value, false); err != nil {
			return err
		}
		t.Attributes[name] = value
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.SetTopicAttributesOutput{}, nil
}

// sameDocument compares JSON texts by meaning, others by their letters.
func sameDocument(a, b string) bool {
	var x, y any
	if a == b || json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return a == b
	}
	left, _ := json.Marshal(x) // what was just read
	right, _ := json.Marshal(y)
	return string(left) == string(right)
}
