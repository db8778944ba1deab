package sns

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceTopicPolicy is AWS::SNS::TopicPolicy: one policy for several topics. Its
// physical id is a name that nothing else knows.
type resourceTopicPolicy struct{ s *Service }

type topicPolicyProperties struct {
	PolicyDocument json.RawMessage `cfn:",required"`
	Topics         []string        `cfn:",required"`
}

// setPolicy sets a topic's policy, "" for the one that topics begin with. Topics that
// are gone need none.
func (s *Service) setPolicy(ctx context.Context, topicName, text string) error {
	initial := text == ""
	if initial {
		k, err := openTopic(topicName)
		if err != nil {
			return err
		}
		text = defaultPolicy(k)
	}
	_, err := invoke[api.SetTopicAttributesOutput](ctx, s, "SetTopicAttributes", &api.SetTopicAttributesInput{
		TopicArn: &topicName, AttributeName: aws.Ptr(attrPolicy), AttributeValue: &text})
	if initial && awserr.Is(err, "NotFound") {
		return nil
	}
	return err
}

// Schema implements stack.Resource.
func (resourceTopicPolicy) Schema() stack.Schema {
	sc := stack.SchemaOf(topicPolicyProperties{})
	sc.Attributes = []string{"Id"}
	return sc
}

func policyResult(id string) stack.Result {
	return stack.Result{PhysicalID: id, Attributes: map[string]any{"Id": id}}
}

// Create implements stack.Resource.
func (t resourceTopicPolicy) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p topicPolicyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	id := r.Name(maxName)
	started(id)
	for _, topicName := range p.Topics {
		if err := t.s.setPolicy(ctx, topicName, string(p.PolicyDocument)); err != nil {
			return stack.Result{}, err
		}
	}
	return policyResult(id), nil
}

// Read implements stack.Resource.
func (t resourceTopicPolicy) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.Live(ctx, r)
	return policyResult(r.PhysicalID), err
}

// Update implements stack.Resource.
func (t resourceTopicPolicy) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old topicPolicyProperties
	if err := errors.Join(stack.Decode(r.Properties, &p), stack.Decode(r.OldProperties, &old)); err != nil {
		return stack.Result{}, err
	}
	now := map[string]bool{}
	for _, topicName := range p.Topics {
		now[topicName] = true
		if err := t.s.setPolicy(ctx, topicName, string(p.PolicyDocument)); err != nil {
			return stack.Result{}, err
		}
	}
	for _, topicName := range old.Topics {
		if !now[topicName] {
			if err := t.s.setPolicy(ctx, topicName, ""); err != nil {
				return stack.Result{}, err
			}
		}
	}
	return policyResult(r.PhysicalID), nil
}

// Delete implements stack.Resource.
func (t resourceTopicPolicy) Delete(ctx context.Context, r stack.Request) error {
	var p topicPolicyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return err
	}
	for _, topicName := range p.Topics {
		if err := t.s.setPolicy(ctx, topicName, ""); err != nil {
			return err
		}
	}
	return nil
}

// Live implements stack.Live: the topics that have a policy of their own.
func (t resourceTopicPolicy) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	var p topicPolicyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return nil, err
	}
	live, names := map[string]any{}, []any{}
	for _, topicName := range p.Topics {
		text, err := t.s.ownPolicy(ctx, topicName)
		if errors.Is(err, stack.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		names = append(names, topicName)
		live["PolicyDocument"] = document(text)
	}
	if len(names) == 0 {
		return nil, stack.ErrNotFound
	}
	live["Topics"] = names
	return live, nil
}

// ownPolicy is a topic's policy, unless it is the one that topics begin with.
func (s *Service) ownPolicy(ctx context.Context, topicName string) (string, error) {
	all, err := s.attributesOf(ctx, topicName)
	if err != nil {
		return "", err
	}
	if k, err := openTopic(topicName); err == nil && sameDocument(all[attrPolicy], defaultPolicy(k)) {
		return "", stack.ErrNotFound
	}
	return all[attrPolicy], nil
}

// resourceTopicInlinePolicy is AWS::SNS::TopicInlinePolicy: the policy of one topic,
// whose ARN is the physical id.
type resourceTopicInlinePolicy struct{ s *Service }

type topicInlinePolicyProperties struct {
	PolicyDocument json.RawMessage `cfn:",required"`
	TopicArn       string          `cfn:",required"` //nolint:revive // the property's name
}

// Schema implements stack.Resource.
func (resourceTopicInlinePolicy) Schema() stack.Schema {
	return stack.SchemaOf(topicInlinePolicyProperties{})
}

// Create implements stack.Resource.
func (t resourceTopicInlinePolicy) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p topicInlinePolicyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	started(p.TopicArn)
	return stack.Result{PhysicalID: p.TopicArn}, t.s.setPolicy(ctx, p.TopicArn, string(p.PolicyDocument))
}

// Read implements stack.Resource.
func (t resourceTopicInlinePolicy) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.Live(ctx, r)
	return stack.Result{PhysicalID: r.PhysicalID}, err
}

// Update implements stack.Resource.
func (t resourceTopicInlinePolicy) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	return t.Create(ctx, r, func(string) {})
}

// Delete implements stack.Resource.
func (t resourceTopicInlinePolicy) Delete(ctx context.Context, r stack.Request) error {
	return t.s.setPolicy(ctx, r.PhysicalID, "")
}

// Live implements stack.Live.
func (t resourceTopicInlinePolicy) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	text, err := t.s.ownPolicy(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	return map[string]any{"TopicArn": r.PhysicalID, "PolicyDocument": document(text)}, nil
}
