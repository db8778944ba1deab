package iam

import (
	"context"
	"encoding/json"

	"github.com/hardstand/hardstand/internal/stack"
)

// resourceInlinePolicy is AWS::IAM::RolePolicy, UserPolicy or GroupPolicy: one inline
// policy of one holder. Its physical id is "policy|holder".
type resourceInlinePolicy struct {
	c    client
	kind string
}

type rolePolicyProperties struct {
	PolicyDocument json.RawMessage `cfn:",required"`
	PolicyName     string          `cfn:",required"`
	RoleName       string          `cfn:",required"`
}

type userPolicyProperties struct {
	PolicyDocument json.RawMessage `cfn:",required"`
	PolicyName     string          `cfn:",required"`
	UserName       string          `cfn:",required"`
}

type groupPolicyProperties struct {
	GroupName      string          `cfn:",required"`
	PolicyDocument json.RawMessage `cfn:",required"`
	PolicyName     string          `cfn:",required"`
}

func (t resourceInlinePolicy) Schema() stack.Schema {
	sc := stack.SchemaOf(map[string]any{roleKind: rolePolicyProperties{}, userKind: userPolicyProperties{}, groupKind: groupPolicyProperties{}}[t.kind])
	sc.Capability = true
	return sc
}

// decode returns the policy, and whose it is.
func (t resourceInlinePolicy) decode(properties map[string]any) (inlinePolicy, holder, error) {
	switch t.kind {
	case roleKind:
		var p rolePolicyProperties
		err := stack.Decode(properties, &p)
		return inlinePolicy{p.PolicyName, p.PolicyDocument}, holder{t.kind, p.RoleName}, err
	case userKind:
		var p userPolicyProperties
		err := stack.Decode(properties, &p)
		return inlinePolicy{p.PolicyName, p.PolicyDocument}, holder{t.kind, p.UserName}, err
	}
	var p groupPolicyProperties
	err := stack.Decode(properties, &p)
	return inlinePolicy{p.PolicyName, p.PolicyDocument}, holder{t.kind, p.GroupName}, err
}

func (t resourceInlinePolicy) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	p, h, err := t.decode(r.Properties)
	if err != nil {
		return stack.Result{}, err
	}
	res := stack.Result{PhysicalID: p.PolicyName + "|" + h.name}
	started(res.PhysicalID)
	return res, t.c.put(ctx, h.kind, h.name, p.PolicyName, string(p.PolicyDocument))
}

func (t resourceInlinePolicy) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	p, h, err := t.decode(r.Properties)
	if err == nil {
		_, err = t.c.inline(ctx, h, p.PolicyName)
	}
	return stack.Result{PhysicalID: r.PhysicalID}, absent(err)
}

// Live implements stack.Live.
func (t resourceInlinePolicy) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	p, h, err := t.decode(r.Properties)
	if err != nil {
		return nil, err
	}
	text, err := t.c.inline(ctx, h, p.PolicyName)
	if err != nil {
		return nil, absent(err)
	}
	doc, err := document(text)
	return map[string]any{"PolicyDocument": doc, "PolicyName": p.PolicyName, title(t.kind) + "Name": h.name}, err
}

func (t resourceInlinePolicy) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	p, h, err := t.decode(r.Properties)
	if err == nil {
		err = t.c.put(ctx, h.kind, h.name, p.PolicyName, string(p.PolicyDocument))
	}
	return stack.Result{PhysicalID: r.PhysicalID}, err
}

func (t resourceInlinePolicy) Delete(ctx context.Context, r stack.Request) error {
	p, h, err := t.decode(r.Properties)
	if err != nil {
		return err
	}
	return unlessGone(t.c.delete(ctx, h.kind, h.name, p.PolicyName))
}
