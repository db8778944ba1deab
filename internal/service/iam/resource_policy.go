package iam

import (
	"context"
	"encoding/json"
	"slices"

	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourcePolicy is AWS::IAM::Policy: one inline policy written to users, groups
// and roles.
type resourcePolicy struct{ c client }

type policyProperties struct {
	PolicyDocument json.RawMessage `cfn:",required"`
	PolicyName     string          `cfn:",required"`
	Groups         []string
	Roles          []string
	Users          []string
}

// holder is one entity that the policy is written to.
type holder struct{ kind, name string }

func (p *policyProperties) holders() []holder {
	var out []holder
	for kind, names := range map[string][]string{userKind: p.Users, groupKind: p.Groups, roleKind: p.Roles} {
		for _, n := range names {
			out = append(out, holder{kind, n})
		}
	}
	return out
}

func (p *policyProperties) check() error {
	if len(p.holders()) == 0 {
		return &stack.PropertyError{Message: "At least one of [Groups,Roles,Users] must be non-empty."}
	}
	return nil
}

func (resourcePolicy) Schema() stack.Schema {
	sc := stack.SchemaOf(policyProperties{})
	sc.Attributes = []string{"Id"}
	sc.Capability = true
	return sc
}

func (t resourcePolicy) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p policyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	id := r.Name(128)
	started(id)
	if err := p.check(); err != nil {
		return stack.Result{}, err
	}
	return policyResult(id), t.write(ctx, p)
}

func policyResult(id string) stack.Result {
	return stack.Result{PhysicalID: id, Attributes: map[string]any{"Id": id}}
}

func (t resourcePolicy) write(ctx context.Context, p policyProperties) error {
	for _, h := range p.holders() {
		if err := t.c.put(ctx, h.kind, h.name, p.PolicyName, string(p.PolicyDocument)); err != nil {
			return err
		}
	}
	return nil
}

func (t resourcePolicy) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p policyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	for _, h := range p.holders() {
		var err error
		switch h.kind {
		case userKind:
			err = t.c.do(ctx, "GetUserPolicy", &api.GetUserPolicyInput{UserName: &h.name, PolicyName: &p.PolicyName})
		case groupKind:
			err = t.c.do(ctx, "GetGroupPolicy", &api.GetGroupPolicyInput{GroupName: &h.name, PolicyName: &p.PolicyName})
		default:
			err = t.c.do(ctx, "GetRolePolicy", &api.GetRolePolicyInput{RoleName: &h.name, PolicyName: &p.PolicyName})
		}
		if err != nil {
			return stack.Result{}, absent(err)
		}
	}
	return policyResult(r.PhysicalID), nil
}

func (t resourcePolicy) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	p, old, err := decodeBoth[policyProperties](r)
	if err != nil {
		return stack.Result{}, err
	}
	if err := p.check(); err != nil {
		return stack.Result{}, err
	}
	if err := t.write(ctx, p); err != nil {
		return stack.Result{}, err
	}
	keep := p.holders()
	if p.PolicyName != old.PolicyName {
		keep = nil
	}
	return policyResult(r.PhysicalID), t.remove(ctx, old, keep)
}

// remove deletes the policy from its holders, except from those to keep.
func (t resourcePolicy) remove(ctx context.Context, p policyProperties, keep []holder) error {
	for _, h := range p.holders() {
		if slices.Contains(keep, h) {
			continue
		}
		if err := unlessGone(t.c.delete(ctx, h.kind, h.name, p.PolicyName)); err != nil {
			return err
		}
	}
	return nil
}

func (t resourcePolicy) Delete(ctx context.Context, r stack.Request) error {
	var p policyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return err
	}
	if err := p.check(); err != nil { // AWS deletes no more than it creates
		return err
	}
	return t.remove(ctx, p, nil)
}
