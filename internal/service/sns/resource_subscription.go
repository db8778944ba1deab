package sns

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceSubscription is AWS::SNS::Subscription. Its physical id is the ARN.
type resourceSubscription struct{ s *Service }

type subscriptionProperties struct {
	TopicArn           string `cfn:",required"` //nolint:revive // the property's name
	Protocol           string `cfn:",required"`
	Endpoint           *string
	DeliveryPolicy     json.RawMessage
	FilterPolicy       json.RawMessage
	FilterPolicyScope  *string
	RawMessageDelivery *bool
	RedrivePolicy      json.RawMessage
	Region             *string
}

// Schema implements stack.Resource.
func (resourceSubscription) Schema() stack.Schema {
	sc := stack.SchemaOf(subscriptionProperties{})
	sc.Attributes = []string{"Arn"}
	return sc
}

func (p *subscriptionProperties) attributes() map[string]string {
	out := map[string]string{}
	for name, v := range map[string]json.RawMessage{attrDelivery: p.DeliveryPolicy, attrFilter: p.FilterPolicy, attrRedrive: p.RedrivePolicy} {
		if v != nil {
			out[name] = string(v)
		}
	}
	if p.FilterPolicyScope != nil {
		out[attrFilterScope] = *p.FilterPolicyScope
	}
	if p.RawMessageDelivery != nil {
		out[attrRaw] = strconv.FormatBool(*p.RawMessageDelivery)
	}
	return out
}

// decode reads properties. The region is where the topic is.
func (subscriptionProperties) decode(props map[string]any) (*subscriptionProperties, error) {
	p := &subscriptionProperties{}
	if err := stack.Decode(props, p); err != nil {
		return nil, err
	}
	if k, err := openTopic(p.TopicArn); err == nil && p.Region != nil && *p.Region != k.Region {
		return nil, &stack.PropertyError{Message: "Region must be the region of the topic, " + k.Region}
	}
	return p, nil
}

func subscriptionResult(id string) stack.Result {
	return stack.Result{PhysicalID: id, Attributes: map[string]any{"Arn": id}}
}

// Create implements stack.Resource.
func (t resourceSubscription) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	p, err := subscriptionProperties{}.decode(r.Properties)
	if err != nil {
		return stack.Result{}, err
	}
	out, err := invoke[api.SubscribeOutput](ctx, t.s, "Subscribe", &api.SubscribeInput{TopicArn: &p.TopicArn, Protocol: &p.Protocol,
		Endpoint: p.Endpoint, Attributes: p.attributes(), ReturnSubscriptionArn: aws.Ptr(true)})
	if err != nil {
		return stack.Result{}, err
	}
	started(*out.SubscriptionArn)
	return subscriptionResult(*out.SubscriptionArn), nil
}

func (t resourceSubscription) get(ctx context.Context, id string) (map[string]string, error) {
	out, err := invoke[api.GetSubscriptionAttributesOutput](ctx, t.s, "GetSubscriptionAttributes", &api.GetSubscriptionAttributesInput{SubscriptionArn: &id})
	if err != nil {
		return nil, orNotThere(err)
	}
	return out.Attributes, nil
}

// Read implements stack.Resource.
func (t resourceSubscription) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.get(ctx, r.PhysicalID)
	return subscriptionResult(r.PhysicalID), err
}

// Update implements stack.Resource. The scope of a filter changes before or after the
// filter, whichever fits: a filter on bodies may not suit attributes.
func (t resourceSubscription) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	p, err := subscriptionProperties{}.decode(r.Properties)
	if err != nil {
		return stack.Result{}, err
	}
	old, err := subscriptionProperties{}.decode(r.OldProperties)
	if err != nil {
		return stack.Result{}, err
	}
	want, had := p.attributes(), old.attributes()
	for name := range had {
		if _, ok := want[name]; !ok {
			want[name] = map[string]string{attrRaw: "false", attrFilterScope: scopeAttributes}[name]
		}
	}
	names := slices.Sorted(maps.Keys(want))
	if want[attrFilterScope] == scopeBody {
		slices.Reverse(names) // the wider scope first
	}
	for _, name := range names {
		if value, ok := had[name]; ok && value == want[name] {
			continue
		}
		in := &api.SetSubscriptionAttributesInput{SubscriptionArn: &r.PhysicalID, AttributeName: &name, AttributeValue: aws.Ptr(want[name])}
		if _, err := invoke[api.SetSubscriptionAttributesOutput](ctx, t.s, "SetSubscriptionAttributes", in); err != nil {
			return stack.Result{}, err
		}
	}
	return subscriptionResult(r.PhysicalID), nil
}

// Delete implements stack.Resource.
func (t resourceSubscription) Delete(ctx context.Context, r stack.Request) error {
	_, err := invoke[api.UnsubscribeOutput](ctx, t.s, "Unsubscribe", &api.UnsubscribeInput{SubscriptionArn: &r.PhysicalID})
	return err
}

// Live implements stack.Live.
func (t resourceSubscription) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	all, err := t.get(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	live := map[string]any{attrFilterScope: scopeAttributes}
	for name, v := range all {
		live[name] = v
	}
	for _, name := range []string{attrDelivery, attrFilter, attrRedrive} {
		live[name] = document(all[name])
	}
	if k, err := openSubscription(r.PhysicalID); err == nil {
		live["Region"] = k.Region
	}
	return live, nil
}
