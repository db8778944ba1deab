package cloudwatch

import (
	"context"

	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceCompositeAlarm is AWS::CloudWatch::CompositeAlarm. Ref and the physical
// id are the name.
type resourceCompositeAlarm struct{ inv Invoker }

type compositeProperties struct {
	AlarmName               *string
	AlarmRule               string `cfn:",required"`
	AlarmDescription        *string
	ActionsEnabled          *bool
	AlarmActions            []string
	OKActions               []string
	InsufficientDataActions []string
	Tags                    []stack.Tag
}

// Schema implements stack.Resource.
func (resourceCompositeAlarm) Schema() stack.Schema {
	sc := stack.SchemaOf(compositeProperties{})
	sc.Attributes, sc.Taggable, sc.NameProperty = []string{"Arn"}, true, "AlarmName"
	return sc
}

func (p *compositeProperties) input(name string) *api.PutCompositeAlarmInput {
	return &api.PutCompositeAlarmInput{AlarmName: &name, AlarmRule: &p.AlarmRule, AlarmDescription: p.AlarmDescription, ActionsEnabled: p.ActionsEnabled,
		AlarmActions: p.AlarmActions, OKActions: p.OKActions, InsufficientDataActions: p.InsufficientDataActions}
}

// Create implements stack.Resource.
func (t resourceCompositeAlarm) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p compositeProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	name := newName(r, p.AlarmName)
	in := p.input(name)
	in.Tags = apiTags(r.TagsWith(p.Tags))
	if _, err := invoke[api.PutCompositeAlarmOutput](ctx, t.inv, "PutCompositeAlarm", in); err != nil {
		return stack.Result{}, err
	}
	started(name)
	return alarmResult(r, name), nil
}

func (t resourceCompositeAlarm) find(ctx context.Context, name string) (*api.CompositeAlarm, error) {
	_, _, c, err := find(ctx, t.inv, name)
	if err == nil && c == nil {
		err = stack.ErrNotFound
	}
	return c, err
}

// Read implements stack.Resource.
func (t resourceCompositeAlarm) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	if _, err := t.find(ctx, r.PhysicalID); err != nil {
		return stack.Result{}, err
	}
	return alarmResult(r, r.PhysicalID), nil
}

// Live implements stack.Live.
func (t resourceCompositeAlarm) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	c, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	tags, err := liveTags(ctx, t.inv, c.AlarmArn)
	if err != nil {
		return nil, err
	}
	live := map[string]any{"AlarmName": *c.AlarmName, "AlarmRule": *c.AlarmRule, "ActionsEnabled": *c.ActionsEnabled, "AlarmDescription": nil, "Tags": tags,
		"AlarmActions": texts(c.AlarmActions), "OKActions": texts(c.OKActions), "InsufficientDataActions": texts(c.InsufficientDataActions)}
	if c.AlarmDescription != nil {
		live["AlarmDescription"] = *c.AlarmDescription
	}
	return live, nil
}

// Update implements stack.Resource.
func (t resourceCompositeAlarm) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old compositeProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	if _, err := invoke[api.PutCompositeAlarmOutput](ctx, t.inv, "PutCompositeAlarm", p.input(r.PhysicalID)); err != nil {
		return stack.Result{}, err
	}
	res := alarmResult(r, r.PhysicalID)
	return res, retag(ctx, t.inv, res.Attributes["Arn"].(string), r, p.Tags, old.Tags)
}

// Delete implements stack.Resource.
func (t resourceCompositeAlarm) Delete(ctx context.Context, r stack.Request) error {
	return deleteAlarm(ctx, t.inv, r)
}
