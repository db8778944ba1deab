package elbv2

import (
	"context"
	"strconv"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceListenerRule is AWS::ElasticLoadBalancingV2::ListenerRule. Its physical id is
// the ARN.
type resourceListenerRule struct{ s *Service }

type ruleProperties struct {
	Actions     []api.Action        `cfn:",required"`
	Conditions  []api.RuleCondition `cfn:",required"`
	ListenerArn string              `cfn:",required"`
	Priority    int32               `cfn:",required"`
	Transforms  []api.RuleTransform
}

// Schema implements stack.Resource.
func (resourceListenerRule) Schema() stack.Schema {
	sc := stack.SchemaOf(ruleProperties{})
	sc.Attributes = []string{"IsDefault", "RuleArn"}
	return sc
}

func ruleResult(name string) stack.Result {
	return stack.Result{PhysicalID: name, Attributes: map[string]any{"RuleArn": name, "IsDefault": false}}
}

// Create implements stack.Resource.
func (t resourceListenerRule) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p ruleProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	out, err := invoke[api.CreateRuleOutput](ctx, t.s, "CreateRule", &api.CreateRuleInput{ListenerArn: &p.ListenerArn, Conditions: p.Conditions, Priority: &p.Priority,
		Actions: p.Actions, Transforms: p.Transforms})
	if err != nil {
		return stack.Result{}, err
	}
	started(*out.Rules[0].RuleArn)
	return ruleResult(*out.Rules[0].RuleArn), nil
}

func (t resourceListenerRule) describe(ctx context.Context, name string) (*api.Rule, error) {
	out, err := invoke[api.DescribeRulesOutput](ctx, t.s, "DescribeRules", &api.DescribeRulesInput{RuleArns: []string{name}})
	if err != nil {
		return nil, orNotThere(err)
	}
	return &out.Rules[0], nil
}

// Read implements stack.Resource.
func (t resourceListenerRule) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.describe(ctx, r.PhysicalID)
	return ruleResult(r.PhysicalID), err
}

// Update implements stack.Resource.
func (t resourceListenerRule) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old ruleProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	in := &api.ModifyRuleInput{RuleArn: &r.PhysicalID, Conditions: p.Conditions, Actions: p.Actions, Transforms: p.Transforms}
	if len(p.Transforms) == 0 && len(old.Transforms) > 0 {
		in.ResetTransforms = aws.Ptr(true)
	}
	if _, err := invoke[api.ModifyRuleOutput](ctx, t.s, "ModifyRule", in); err != nil {
		return stack.Result{}, err
	}
	if p.Priority == old.Priority {
		return ruleResult(r.PhysicalID), nil
	}
	_, err := invoke[api.SetRulePrioritiesOutput](ctx, t.s, "SetRulePriorities",
		&api.SetRulePrioritiesInput{RulePriorities: []api.RulePriorityPair{{RuleArn: &r.PhysicalID, Priority: &p.Priority}}})
	return ruleResult(r.PhysicalID), err
}

// Delete implements stack.Resource.
func (t resourceListenerRule) Delete(ctx context.Context, r stack.Request) error {
	_, err := invoke[api.DeleteRuleOutput](ctx, t.s, "DeleteRule", &api.DeleteRuleInput{RuleArn: &r.PhysicalID})
	return orGone(err)
}

// Live implements stack.Live.
func (t resourceListenerRule) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	found, err := t.describe(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	live, _ := generic(found).(map[string]any)
	live["ListenerArn"] = r.Properties["ListenerArn"] // it never changes
	if n, err := strconv.Atoi(aws.Val(found.Priority)); err == nil {
		live["Priority"] = float64(n)
	}
	return live, nil
}
