package sns

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/wire"
)

// Resources returns the resource types that templates may use.
func (s *Service) Resources() stack.Registry {
	return stack.Registry{
		"AWS::SNS::Topic":             resourceTopic{s},
		"AWS::SNS::Subscription":      resourceSubscription{s},
		"AWS::SNS::TopicPolicy":       resourceTopicPolicy{s},
		"AWS::SNS::TopicInlinePolicy": resourceTopicInlinePolicy{s},
	}
}

func invoke[O any](ctx context.Context, s *Service, operation string, in any) (*O, error) {
	return wire.Call[O](ctx, s.cfg.Invoker, "sns", operation, in)
}

// resourceTopic is AWS::SNS::Topic. Its physical id is the ARN.
type resourceTopic struct{ s *Service }

type topicProperties struct {
	TopicName                 *string
	FifoTopic                 *bool
	ContentBasedDeduplication *bool
	DisplayName               *string
	FifoThroughputScope       *string
	KmsMasterKeyId            *string //nolint:revive // the property's name
	SignatureVersion          *string
	Subscription              []topicSubscription
	Tags                      []stack.Tag
	TracingConfig             *string
}

type topicSubscription struct {
	Endpoint string `cfn:",required"`
	Protocol string `cfn:",required"`
}

// Schema implements stack.Resource.
func (resourceTopic) Schema() stack.Schema {
	sc := stack.SchemaOf(topicProperties{})
	sc.Attributes, sc.Taggable, sc.NameProperty = []string{"TopicArn", "TopicName"}, true, "TopicName"
	return sc
}

// attributes are the properties that are attributes and may change.
func (p *topicProperties) attributes() map[string]string {
	out := map[string]string{}
	for name, v := range map[string]*string{attrDisplayName: p.DisplayName, attrScope: p.FifoThroughputScope, attrKMSKey: p.KmsMasterKeyId,
		attrSignature: p.SignatureVersion, attrTracing: p.TracingConfig} {
		if v != nil {
			out[name] = *v
		}
	}
	if p.ContentBasedDeduplication != nil {
		out[attrContentDedup] = strconv.FormatBool(*p.ContentBasedDeduplication)
	}
	return out
}

const maxName = 256

// Create implements stack.Resource.
func (t resourceTopic) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p topicProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	in := &api.CreateTopicInput{Name: aws.Ptr(r.Name(maxName)), Attributes: p.attributes(), Tags: []api.Tag{}}
	if aws.Val(p.FifoTopic) {
		in.Attributes[attrFIFO] = "true"
		in.Name = aws.Ptr(r.Name(maxName-len(fifoSuffix)) + fifoSuffix)
	}
	if p.TopicName != nil {
		in.Name = p.TopicName
	}
	in.Tags = apiTags(r.TagsWith(p.Tags))
	out, err := invoke[api.CreateTopicOutput](ctx, t.s, "CreateTopic", in)
	if err != nil {
		return stack.Result{}, err
	}
	started(*out.TopicArn)
	for _, sub := range p.Subscription {
		if err := t.subscribe(ctx, *out.TopicArn, sub); err != nil {
			return stack.Result{}, err
		}
	}
	return topicResult(*out.TopicArn)
}

func (t resourceTopic) subscribe(ctx context.Context, topicName string, sub topicSubscription) error {
	_, err := invoke[api.SubscribeOutput](ctx, t.s, "Subscribe", &api.SubscribeInput{TopicArn: &topicName, Protocol: &sub.Protocol, Endpoint: &sub.Endpoint})
	return err
}

func topicResult(topicName string) (stack.Result, error) {
	k, err := openTopic(topicName)
	return stack.Result{PhysicalID: topicName, Attributes: map[string]any{"TopicArn": topicName, "TopicName": k.ID}}, err
}

// orNotThere is what Read says of what is gone, or else err.
func orNotThere(err error) error {
	if awserr.Is(err, "NotFound") {
		return stack.ErrNotFound
	}
	return err
}

func (s *Service) attributesOf(ctx context.Context, topicName string) (map[string]string, error) {
	out, err := invoke[api.GetTopicAttributesOutput](ctx, s, "GetTopicAttributes", &api.GetTopicAttributesInput{TopicArn: &topicName})
	if err != nil {
		return nil, orNotThere(err)
	}
	return out.Attributes, nil
}

// Read implements stack.Resource.
func (t resourceTopic) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	if _, err := t.s.attributesOf(ctx, r.PhysicalID); err != nil {
		return stack.Result{}, err
	}
	return topicResult(r.PhysicalID)
}

// usual are what attributes go back to when their properties are gone.
var usual = map[string]string{attrContentDedup: "false", attrScope: "Topic", attrSignature: "1", attrTracing: "PassThrough"}

// Update implements stack.Resource.
func (t resourceTopic) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old topicProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	want, had := p.attributes(), old.attributes()
	for name := range had {
		if _, ok := want[name]; !ok {
			want[name] = usual[name]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if value, ok := had[name]; ok && value == want[name] {
			continue
		}
		in := &api.SetTopicAttributesInput{TopicArn: &r.PhysicalID, AttributeName: &name, AttributeValue: aws.Ptr(want[name])}
		if _, err := invoke[api.SetTopicAttributesOutput](ctx, t.s, "SetTopicAttributes", in); err != nil {
			return stack.Result{}, err
		}
	}
	if err := t.resubscribe(ctx, r.PhysicalID, old.Subscription, p.Subscription); err != nil {
		return stack.Result{}, err
	}
	if err := t.retag(ctx, r, p.Tags, old.Tags); err != nil {
		return stack.Result{}, err
	}
	return topicResult(r.PhysicalID)
}

// resubscribe brings the topic's own list of subscriptions up to date.
func (t resourceTopic) resubscribe(ctx context.Context, topicName string, old, want []topicSubscription) error {
	for _, sub := range want {
		if !slices.Contains(old, sub) {
			if err := t.subscribe(ctx, topicName, sub); err != nil {
				return err
			}
		}
	}
	there, err := t.s.subscribers(ctx, topicName)
	if err != nil {
		return err
	}
	for _, sub := range there {
		own := topicSubscription{Endpoint: aws.Val(sub.Endpoint), Protocol: aws.Val(sub.Protocol)}
		if !slices.Contains(old, own) || slices.Contains(want, own) || aws.Val(sub.SubscriptionArn) == "PendingConfirmation" {
			continue
		}
		if _, err := invoke[api.UnsubscribeOutput](ctx, t.s, "Unsubscribe", &api.UnsubscribeInput{SubscriptionArn: sub.SubscriptionArn}); err != nil {
			return err
		}
	}
	return nil
}

// subscribers are all subscriptions of a topic.
func (s *Service) subscribers(ctx context.Context, topicName string) ([]api.Subscription, error) {
	var all []api.Subscription
	in := &api.ListSubscriptionsByTopicInput{TopicArn: &topicName}
	for {
		out, err := invoke[api.ListSubscriptionsByTopicOutput](ctx, s, "ListSubscriptionsByTopic", in)
		if err != nil {
			return nil, err
		}
		all = append(all, out.Subscriptions...)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return all, nil
		}
	}
}

func (t resourceTopic) retag(ctx context.Context, r stack.Request, own, old []stack.Tag) error {
	now := r.TagsWith(own)
	if gone := stack.TagsGone(r.TagsBefore(old), now); len(gone) > 0 {
		if _, err := invoke[api.UntagResourceOutput](ctx, t.s, "UntagResource", &api.UntagResourceInput{ResourceArn: &r.PhysicalID, TagKeys: gone}); err != nil {
			return err
		}
	}
	if len(now) == 0 {
		return nil
	}
	_, err := invoke[api.TagResourceOutput](ctx, t.s, "TagResource", &api.TagResourceInput{ResourceArn: &r.PhysicalID, Tags: apiTags(now)})
	return err
}

func apiTags(tags []stack.Tag) (out []api.Tag) {
	for _, tag := range tags {
		out = append(out, api.Tag{Key: &tag.Key, Value: &tag.Value})
	}
	return out
}

// Delete implements stack.Resource.
func (t resourceTopic) Delete(ctx context.Context, r stack.Request) error {
	_, err := invoke[api.DeleteTopicOutput](ctx, t.s, "DeleteTopic", &api.DeleteTopicInput{TopicArn: &r.PhysicalID})
	return err
}

// Live implements stack.Live.
func (t resourceTopic) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	all, err := t.s.attributesOf(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	k, err := openTopic(r.PhysicalID)
	if err != nil {
		return nil, err
	}
	live := map[string]any{"TopicName": k.ID, attrFIFO: "false"}
	for name, v := range usual {
		live[name] = v
	}
	for name, v := range all {
		live[name] = v
	}
	there, err := t.s.subscribers(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, sub := range there {
		list = append(list, map[string]any{"Endpoint": aws.Val(sub.Endpoint), "Protocol": aws.Val(sub.Protocol)})
	}
	live["Subscription"] = list
	tagged, err := invoke[api.ListTagsForResourceOutput](ctx, t.s, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceArn: &r.PhysicalID})
	if err != nil {
		return nil, err
	}
	tags := []any{}
	for _, tag := range tagged.Tags {
		tags = append(tags, map[string]any{"Key": aws.Val(tag.Key), "Value": aws.Val(tag.Value)})
	}
	live["Tags"] = tags
	return live, nil
}

// document is JSON text as templates have it.
func document(text string) any {
	var doc any
	if json.Unmarshal([]byte(text), &doc) != nil {
		return nil
	}
	return doc
}
