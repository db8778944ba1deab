package sqs

import (
	"context"
	"encoding/json"
	"errors"

	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/wire"
)

// resourceQueuePolicy is AWS::SQS::QueuePolicy: one policy for several queues. Its
// physical id is a name that nothing else knows.
type resourceQueuePolicy struct{ s *Service }

type queuePolicyProperties struct {
	PolicyDocument json.RawMessage `cfn:",required"`
	Queues         []string        `cfn:",required"`
}

// setPolicy sets the policy of a queue, "" to remove it. Queues that are gone have
// none.
func (s *Service) setPolicy(ctx context.Context, queueURL, text string) error {
	_, err := wire.Call[api.SetQueueAttributesOutput](ctx, s.cfg.Invoker, "sqs", "SetQueueAttributes", &api.SetQueueAttributesInput{
		QueueUrl: &queueURL, Attributes: map[api.QueueAttributeName]string{attrPolicy: text}})
	if text == "" && awserr.Is(err, "QueueDoesNotExist") {
		return nil
	}
	return err
}

// Schema implements stack.Resource.
func (resourceQueuePolicy) Schema() stack.Schema {
	sc := stack.SchemaOf(queuePolicyProperties{})
	sc.Attributes = []string{"Id"}
	return sc
}

func policyResult(id string) stack.Result {
	return stack.Result{PhysicalID: id, Attributes: map[string]any{"Id": id}}
}

// Create implements stack.Resource.
func (t resourceQueuePolicy) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p queuePolicyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	id := r.Name(maxName)
	started(id)
	for _, queueURL := range p.Queues {
		if err := t.s.setPolicy(ctx, queueURL, string(p.PolicyDocument)); err != nil {
			return stack.Result{}, err
		}
	}
	return policyResult(id), nil
}

// Read implements stack.Resource. The policy is there when its first queue has one.
func (t resourceQueuePolicy) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.Live(ctx, r)
	return policyResult(r.PhysicalID), err
}

// Update implements stack.Resource.
func (t resourceQueuePolicy) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old queuePolicyProperties
	if err := errors.Join(stack.Decode(r.Properties, &p), stack.Decode(r.OldProperties, &old)); err != nil {
		return stack.Result{}, err
	}
	now := map[string]bool{}
	for _, queueURL := range p.Queues {
		now[queueURL] = true
		if err := t.s.setPolicy(ctx, queueURL, string(p.PolicyDocument)); err != nil {
			return stack.Result{}, err
		}
	}
	for _, queueURL := range old.Queues {
		if !now[queueURL] {
			if err := t.s.setPolicy(ctx, queueURL, ""); err != nil {
				return stack.Result{}, err
			}
		}
	}
	return policyResult(r.PhysicalID), nil
}

// Delete implements stack.Resource.
func (t resourceQueuePolicy) Delete(ctx context.Context, r stack.Request) error {
	var p queuePolicyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return err
	}
	for _, queueURL := range p.Queues {
		if err := t.s.setPolicy(ctx, queueURL, ""); err != nil {
			return err
		}
	}
	return nil
}

// Live implements stack.Live.
func (t resourceQueuePolicy) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	var p queuePolicyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return nil, err
	}
	live := map[string]any{}
	queues := []any{}
	for _, queueURL := range p.Queues {
		all, err := t.s.attributesOf(ctx, queueURL)
		if errors.Is(err, stack.ErrNotFound) || err == nil && all[attrPolicy] == "" {
			continue
		}
		if err != nil {
			return nil, err
		}
		queues = append(queues, queueURL)
		live["PolicyDocument"] = document(all[attrPolicy])
	}
	if len(queues) == 0 {
		return nil, stack.ErrNotFound
	}
	live["Queues"] = queues
	return live, nil
}

// resourceQueueInlinePolicy is AWS::SQS::QueueInlinePolicy: the policy of one queue,
// whose URL is the physical id.
type resourceQueueInlinePolicy struct{ s *Service }

type queueInlinePolicyProperties struct {
	PolicyDocument json.RawMessage `cfn:",required"`
	Queue          string          `cfn:",required"`
}

// Schema implements stack.Resource.
func (resourceQueueInlinePolicy) Schema() stack.Schema {
	return stack.SchemaOf(queueInlinePolicyProperties{})
}

// Create implements stack.Resource.
func (t resourceQueueInlinePolicy) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p queueInlinePolicyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	started(p.Queue)
	return stack.Result{PhysicalID: p.Queue}, t.s.setPolicy(ctx, p.Queue, string(p.PolicyDocument))
}

// Read implements stack.Resource.
func (t resourceQueueInlinePolicy) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.Live(ctx, r)
	return stack.Result{PhysicalID: r.PhysicalID}, err
}

// Update implements stack.Resource.
func (t resourceQueueInlinePolicy) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	return t.Create(ctx, r, func(string) {})
}

// Delete implements stack.Resource.
func (t resourceQueueInlinePolicy) Delete(ctx context.Context, r stack.Request) error {
	return t.s.setPolicy(ctx, r.PhysicalID, "")
}

// Live implements stack.Live.
func (t resourceQueueInlinePolicy) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	all, err := t.s.attributesOf(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	if all[attrPolicy] == "" {
		return nil, stack.ErrNotFound
	}
	return map[string]any{"Queue": r.PhysicalID, "PolicyDocument": document(all[attrPolicy])}, nil
}
