package elbv2

import (
	"context"
	"slices"
	"strconv"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

const maxRules = 200

// CreateRule makes a rule of an application balancer's listener.
func (s *Service) CreateRule(ctx context.Context, in *api.CreateRuleInput) (*api.CreateRuleOutput, error) {
	conditions, err := settleConditions(in.Conditions)
	if err != nil {
		return nil, err
	}
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	r := &rule{Priority: *in.Priority, Conditions: conditions, Transforms: in.Transforms, Tags: tags, Token: aws.CallFrom(ctx).Token}
	out := &api.CreateRuleOutput{}
	err = s.changeListener(ctx, *in.ListenerArn, "rules", func(tx *store.Tx, k store.Key, l *listener) error {
		p, rows, err := rulePlace(tx, k, l)
		if err != nil {
			return err
		}
		if err := judgeTransforms(p.b, r.Transforms); err != nil {
			return err
		}
		for _, other := range rows {
			if r.Token != "" && other.Value.Token == r.Token {
				out.Rules = []api.Rule{other.Value.describe(other.Key)}
				return nil
			}
		}
		if err := judgePriority(rows, r.Priority); err != nil {
			return err
		}
		if len(rows) >= maxRules {
			return awserr.New("TooManyRules", "The maximum number of rules has been reached")
		}
		if r.Actions, err = p.settle(tx, in.Actions); err != nil {
			return err
		}
		rk := at(k, k.ID+"/"+ids.Hex(16))
		out.Rules = []api.Rule{r.describe(rk)}
		return rules.Insert(tx, rk, r)
	})
	return out, err
}

// rulePlace is where a listener's rules stand, and those that are there.
func rulePlace(tx *store.Tx, k store.Key, l *listener) (place, []store.Row[rule], error) {
	bk := at(k, parent(k.ID))
	b, err := balancers.Get(tx, bk)
	if err != nil {
		return place{}, nil, err
	}
	if b.Type == network {
		return place{}, nil, awserr.New("UnsupportedProtocol", "Rules are unsupported for Network Load Balancer listeners")
	}
	rows, err := rulesOf(tx, k)
	return place{bk, b, l.Protocol, l.Port}, rows, err
}

func judgePriority(rows []store.Row[rule], n int32) error {
	if slices.ContainsFunc(rows, func(r store.Row[rule]) bool { return r.Value.Priority == n }) {
		return awserr.New("PriorityInUse", "Priority '%d' is currently in use", n)
	}
	return nil
}

// describe is a rule as operations show it.
func (r *rule) describe(k store.Key) api.Rule {
	return api.Rule{RuleArn: aws.Ptr(ruleARN(k)), Priority: aws.Ptr(strconv.Itoa(int(r.Priority))), Conditions: r.Conditions, Actions: r.Actions,
		IsDefault: aws.Ptr(false), Transforms: r.Transforms}
}

// defaultRule is that of a listener.
func (l *listener) defaultRule(k store.Key) api.Rule {
	return api.Rule{RuleArn: aws.Ptr(ruleARN(at(k, k.ID+"/"+l.Default))), Priority: aws.Ptr("default"), Conditions: []api.RuleCondition{}, Actions: l.Actions,
		IsDefault: aws.Ptr(true)}
}

// DescribeRules describes a listener's rules, the default one last, or those named.
func (s *Service) DescribeRules(ctx context.Context, in *api.DescribeRulesInput) (*api.DescribeRulesOutput, error) {
	switch {
	case in.ListenerArn == nil && len(in.RuleArns) == 0:
		return nil, invalid("You must specify either listener rule ARNs or a listener ARN")
	case in.ListenerArn != nil && len(in.RuleArns) > 0:
		return nil, invalid("Listener rule ARNs and a listener ARN cannot be specified at the same time")
	}
	var list []api.Rule
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		if in.ListenerArn == nil {
			for _, name := range in.RuleArns {
				r, err := ruleNamed(ctx, tx, name)
				if awserr.Is(err, "RuleNotFound") {
					return oneOrMore(kindRule)
				}
				if err != nil {
					return err
				}
				list = append(list, r)
			}
			return nil
		}
		k, l, err := owned(ctx, tx, listeners, kindListener, *in.ListenerArn)
		if err != nil {
			return err
		}
		rows, err := rulesOf(tx, k)
		for _, r := range rows {
			list = append(list, r.Value.describe(r.Key))
		}
		list = append(list, l.defaultRule(k))
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.DescribeRulesOutput{}
	out.Rules, out.NextMarker, err = page(list, in.Marker, in.PageSize)
	return out, err
}

// ruleNamed finds a rule, also a default one.
func ruleNamed(ctx context.Context, tx *store.Tx, name string) (api.Rule, error) {
	k, r, err := owned(ctx, tx, rules, kindRule, name)
	if err == nil {
		return r.describe(k), nil
	}
	if !awserr.Is(err, "RuleNotFound") {
		return api.Rule{}, err
	}
	lk, l, missing := owned(ctx, tx, listeners, kindListener, listenerARN(at(k, parent(k.ID))))
	if missing == nil && l.Default == arnEnd(k.ID) {
		return l.defaultRule(lk), nil
	}
	return api.Rule{}, err
}

// judgeDefault refuses to treat a default rule like others.
func judgeDefault(ctx context.Context, tx *store.Tx, name, verb string) error {
	r, err := ruleNamed(ctx, tx, name)
	if err == nil && *r.IsDefault {
		return notPermitted("Default rule '%s' cannot be %s", name, verb)
	}
	return err
}

// ModifyRule replaces what it names of a rule.
func (s *Service) ModifyRule(ctx context.Context, in *api.ModifyRuleInput) (*api.ModifyRuleOutput, error) {
	reset := aws.Val(in.ResetTransforms)
	switch {
	case len(in.Conditions) == 0 && len(in.Actions) == 0 && len(in.Transforms) == 0 && !reset:
		return nil, invalid("Either conditions or actions must be specified")
	case reset && len(in.Transforms) > 0:
		return nil, invalid("You cannot specify both transforms and to reset them")
	}
	conditions, err := in.Conditions, error(nil)
	if len(conditions) > 0 {
		if conditions, err = settleConditions(conditions); err != nil {
			return nil, err
		}
	}
	out := &api.ModifyRuleOutput{}
	c := aws.CallFrom(ctx)
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		if err := judgeDefault(ctx, tx, *in.RuleArn, "modified"); err != nil {
			return err
		}
		k, r, err := owned(ctx, tx, rules, kindRule, *in.RuleArn)
		if err != nil {
			return err
		}
		before := forwardedTo(r.Actions)
		if err := r.modify(tx, k, in, conditions); err != nil {
			return err
		}
		if err := rules.Put(tx, k, r); err != nil {
			return err
		}
		out.Rules = []api.Rule{r.describe(k)}
		emitWork(tx, c, at(k, parent(parent(k.ID))), "rule modified")
		return forgetUnused(tx, c, k, before)
	})
	return out, err
}

func (r *rule) modify(tx *store.Tx, k store.Key, in *api.ModifyRuleInput, conditions []api.RuleCondition) error {
	lk := at(k, parent(k.ID))
	l, err := listeners.Get(tx, lk)
	if err != nil {
		return err
	}
	p, _, err := rulePlace(tx, lk, l)
	if err != nil {
		return err
	}
	if len(conditions) > 0 {
		r.Conditions = conditions
	}
	if len(in.Actions) > 0 {
		if r.Actions, err = p.settle(tx, in.Actions); err != nil {
			return err
		}
	}
	if aws.Val(in.ResetTransforms) {
		r.Transforms = nil
	}
	if len(in.Transforms) > 0 {
		r.Transforms = in.Transforms
	}
	return judgeTransforms(p.b, r.Transforms)
}

// DeleteRule removes a rule.
func (s *Service) DeleteRule(ctx context.Context, in *api.DeleteRuleInput) (*api.DeleteRuleOutput, error) {
	c := aws.CallFrom(ctx)
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		if err := judgeDefault(ctx, tx, *in.RuleArn, "deleted"); err != nil {
			return err
		}
		k, r, err := owned(ctx, tx, rules, kindRule, *in.RuleArn)
		if err != nil {
			return err
		}
		if err := rules.Delete(tx, k); err != nil {
			return err
		}
		emitWork(tx, c, at(k, parent(parent(k.ID))), "rule deleted")
		return forgetUnused(tx, c, k, forwardedTo(r.Actions))
	})
	return &api.DeleteRuleOutput{}, err
}

// SetRulePriorities gives rules other places, all at once.
func (s *Service) SetRulePriorities(ctx context.Context, in *api.SetRulePrioritiesInput) (*api.SetRulePrioritiesOutput, error) {
	wanted := map[int32]bool{}
	named := map[string]bool{}
	for _, p := range in.RulePriorities {
		switch {
		case p.RuleArn == nil || p.Priority == nil:
			return nil, invalid("A rule ARN and a priority must be specified")
		case wanted[*p.Priority]:
			return nil, invalid("Priority '%d' was provided multiple times", *p.Priority)
		case named[*p.RuleArn]:
			return nil, invalid("Rule '%s' was provided multiple times", *p.RuleArn)
		}
		wanted[*p.Priority], named[*p.RuleArn] = true, true
	}
	out := &api.SetRulePrioritiesOutput{}
	c := aws.CallFrom(ctx)
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		for _, p := range in.RulePriorities {
			if err := judgeDefault(ctx, tx, *p.RuleArn, "given a priority"); err != nil {
				return err
			}
			k, r, err := owned(ctx, tx, rules, kindRule, *p.RuleArn)
			if err != nil {
				return err
			}
			rows, err := rulesOf(tx, at(k, parent(k.ID)))
			if err != nil {
				return err
			}
			rows = slices.DeleteFunc(rows, func(o store.Row[rule]) bool { return named[ruleARN(o.Key)] })
			if err := judgePriority(rows, *p.Priority); err != nil {
				return err
			}
			r.Priority = *p.Priority
			if err := rules.Put(tx, k, r); err != nil {
				return err
			}
			out.Rules = append(out.Rules, r.describe(k))
			emitWork(tx, c, at(k, parent(parent(k.ID))), "priorities")
		}
		return nil
	})
	return out, err
}
