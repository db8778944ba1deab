package sqs

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/wire"
)

// Resources returns the resource types that templates may use.
func (s *Service) Resources() stack.Registry {
	return stack.Registry{
		"AWS::SQS::Queue":             resourceQueue{s},
		"AWS::SQS::QueuePolicy":       resourceQueuePolicy{s},
		"AWS::SQS::QueueInlinePolicy": resourceQueueInlinePolicy{s},
	}
}

// resourceQueue is AWS::SQS::Queue. Its physical id is the URL.
type resourceQueue struct{ s *Service }

// queueProperties have the attributes' names; queueAttributes pairs the two.
type queueProperties struct {
	QueueName                     *string
	FifoQueue                     *bool
	ContentBasedDeduplication     *bool
	DeduplicationScope            *string
	DelaySeconds                  *int
	FifoThroughputLimit           *string
	KmsDataKeyReusePeriodSeconds  *int
	KmsMasterKeyId                *string //nolint:revive // the property's name
	MaximumMessageSize            *int
	MessageRetentionPeriod        *int
	ReceiveMessageWaitTimeSeconds *int
	RedriveAllowPolicy            json.RawMessage
	RedrivePolicy                 json.RawMessage
	SqsManagedSseEnabled          *bool
	Tags                          []stack.Tag
	VisibilityTimeout             *int
}

// Schema implements stack.Resource.
func (resourceQueue) Schema() stack.Schema {
	sc := stack.SchemaOf(queueProperties{})
	sc.Attributes, sc.Taggable, sc.NameProperty = []string{"Arn", "QueueName", "QueueUrl"}, true, "QueueName"
	return sc
}

// attributes are the properties that are attributes, as text.
func (p *queueProperties) attributes() map[string]string {
	out := map[string]string{}
	v := reflect.ValueOf(*p)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if _, ok := rules[name]; !ok || v.Field(i).IsZero() {
			continue
		}
		switch f := v.Field(i).Interface().(type) {
		case *bool:
			out[name] = strconv.FormatBool(*f)
		case *int:
			out[name] = strconv.Itoa(*f)
		case *string:
			out[name] = *f
		case json.RawMessage:
			out[name] = string(f)
		}
	}
	if out[attrFIFO] == "false" { // the service knows only true
		delete(out, attrFIFO)
	}
	return out
}

func typed(all map[string]string) map[api.QueueAttributeName]string {
	out := make(map[api.QueueAttributeName]string, len(all))
	for name, value := range all {
		out[api.QueueAttributeName(name)] = value
	}
	return out
}

func tagMap(tags []stack.Tag) map[string]string {
	out := map[string]string{}
	for _, t := range tags {
		out[t.Key] = t.Value
	}
	return out
}

const maxName = 80

// Create implements stack.Resource.
func (t resourceQueue) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p queueProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	name := r.Name(maxName)
	if aws.Val(p.FifoQueue) {
		name = r.Name(maxName-len(".fifo")) + ".fifo"
	}
	if p.QueueName != nil {
		name = *p.QueueName
	}
	in := &api.CreateQueueInput{QueueName: &name, Attributes: typed(p.attributes())}
	if tags := tagMap(r.TagsWith(p.Tags)); len(tags) > 0 {
		in.Tags = tags
	}
	out, err := t.make(ctx, in)
	if err != nil {
		return stack.Result{}, err
	}
	started(*out.QueueUrl)
	return t.result(ctx, *out.QueueUrl)
}

// make creates the queue. A name that was a queue's a moment ago is waited for, as
// CloudFormation does.
func (t resourceQueue) make(ctx context.Context, in *api.CreateQueueInput) (*api.CreateQueueOutput, error) {
	for {
		out, err := wire.Call[api.CreateQueueOutput](ctx, t.s.cfg.Invoker, "sqs", "CreateQueue", in)
		if !awserr.Is(err, "QueueDeletedRecently") {
			return out, err
		}
		if err := clock.Sleep(ctx, t.s.cfg.Clock, nameIsTaken/12); err != nil {
			return nil, err
		}
	}
}

func (t resourceQueue) result(ctx context.Context, queueURL string) (stack.Result, error) {
	k, err := t.s.address(ctx, queueURL)
	return stack.Result{PhysicalID: queueURL, Attributes: map[string]any{"Arn": queueARN(k), "QueueName": k.ID, "QueueUrl": queueURL}}, err
}

func (s *Service) attributesOf(ctx context.Context, queueURL string) (map[api.QueueAttributeName]string, error) {
	out, err := wire.Call[api.GetQueueAttributesOutput](ctx, s.cfg.Invoker, "sqs", "GetQueueAttributes",
		&api.GetQueueAttributesInput{QueueUrl: &queueURL, AttributeNames: []api.QueueAttributeName{api.QueueAttributeNameAll}})
	if awserr.Is(err, "QueueDoesNotExist") {
		return nil, stack.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return out.Attributes, nil
}

// Read implements stack.Resource.
func (t resourceQueue) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	if _, err := t.s.attributesOf(ctx, r.PhysicalID); err != nil {
		return stack.Result{}, err
	}
	return t.result(ctx, r.PhysicalID)
}

// Update implements stack.Resource. A property that is gone gets its default back.
func (t resourceQueue) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old queueProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	want := p.attributes()
	for name := range old.attributes() {
		if _, ok := want[name]; !ok {
			want[name] = rules[name].usual
		}
	}
	delete(want, attrFIFO)
	if want[attrKMSReuse] == "" {
		delete(want, attrKMSReuse)
	}
	if len(want) > 0 {
		_, err := wire.Call[api.SetQueueAttributesOutput](ctx, t.s.cfg.Invoker, "sqs", "SetQueueAttributes",
			&api.SetQueueAttributesInput{QueueUrl: &r.PhysicalID, Attributes: typed(want)})
		if err != nil {
			return stack.Result{}, err
		}
	}
	if err := t.retag(ctx, r.PhysicalID, r.TagsBefore(old.Tags), r.TagsWith(p.Tags)); err != nil {
		return stack.Result{}, err
	}
	return t.result(ctx, r.PhysicalID)
}

func (t resourceQueue) retag(ctx context.Context, queueURL string, old, want []stack.Tag) error {
	if gone := stack.TagsGone(old, want); len(gone) > 0 {
		_, err := wire.Call[api.UntagQueueOutput](ctx, t.s.cfg.Invoker, "sqs", "UntagQueue", &api.UntagQueueInput{QueueUrl: &queueURL, TagKeys: gone})
		if err != nil {
			return err
		}
	}
	if len(want) == 0 || slices.Equal(old, want) {
		return nil
	}
	_, err := wire.Call[api.TagQueueOutput](ctx, t.s.cfg.Invoker, "sqs", "TagQueue", &api.TagQueueInput{QueueUrl: &queueURL, Tags: tagMap(want)})
	return err
}

// Delete implements stack.Resource.
func (t resourceQueue) Delete(ctx context.Context, r stack.Request) error {
	_, err := wire.Call[api.DeleteQueueOutput](ctx, t.s.cfg.Invoker, "sqs", "DeleteQueue", &api.DeleteQueueInput{QueueUrl: &r.PhysicalID})
	if awserr.Is(err, "QueueDoesNotExist") {
		return nil
	}
	return err
}

// Live implements stack.Live.
func (t resourceQueue) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	all, err := t.s.attributesOf(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	listed, err := wire.Call[api.ListQueueTagsOutput](ctx, t.s.cfg.Invoker, "sqs", "ListQueueTags", &api.ListQueueTagsInput{QueueUrl: &r.PhysicalID})
	if err != nil {
		return nil, err
	}
	k, err := t.s.address(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	live := map[string]any{"QueueName": k.ID, attrFIFO: strconv.FormatBool(isFIFO(k.ID))}
	for name, v := range all {
		live[string(name)] = v
	}
	for _, name := range []string{attrRedrive, attrRedriveAllow} {
		live[name] = document(live[name])
	}
	tags := []any{}
	for _, key := range slices.Sorted(maps.Keys(listed.Tags)) {
		tags = append(tags, map[string]any{"Key": key, "Value": listed.Tags[key]})
	}
	live["Tags"] = tags
	return live, nil
}

// document is JSON text as templates have it.
func document(text any) any {
	s, ok := text.(string)
	var doc any
	if !ok || json.Unmarshal([]byte(s), &doc) != nil {
		return nil
	}
	return doc
}
