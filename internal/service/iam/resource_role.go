package iam

import (
	"context"
	"encoding/json"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceRole is AWS::IAM::Role.
type resourceRole struct{ c client }

type roleProperties struct {
	AssumeRolePolicyDocument json.RawMessage `cfn:",required"`
	Description              *string
	ManagedPolicyArns        []string
	MaxSessionDuration       *int32
	Path                     *string
	PermissionsBoundary      *string
	Policies                 []inlinePolicy
	RoleName                 *string
	Tags                     []stack.Tag
}

func (p *roleProperties) grants() grants {
	return newGrants(p.Policies, p.ManagedPolicyArns, p.PermissionsBoundary)
}

func (resourceRole) Schema() stack.Schema {
	sc := stack.SchemaOf(roleProperties{})
	sc.Attributes = []string{"Arn", "RoleId"}
	sc.Taggable, sc.Capability, sc.NameProperty = true, true, "RoleName"
	return sc
}

func (t resourceRole) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p roleProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.CreateRoleOutput](ctx, t.c, "CreateRole", &api.CreateRoleInput{RoleName: aws.Ptr(nameOr(p.RoleName, r, 64)), Path: p.Path,
		AssumeRolePolicyDocument: aws.Ptr(string(p.AssumeRolePolicyDocument)), Description: p.Description, MaxSessionDuration: p.MaxSessionDuration,
		PermissionsBoundary: p.PermissionsBoundary, Tags: apiTags(r.TagsWith(p.Tags))})
	if err != nil {
		return stack.Result{}, err
	}
	started(*out.Role.RoleName)
	made := p.grants()
	return roleResult(out.Role), t.c.apply(ctx, roleKind, *out.Role.RoleName, grants{boundary: made.boundary}, made)
}

func roleResult(r *api.Role) stack.Result {
	return stack.Result{PhysicalID: *r.RoleName, Attributes: map[string]any{"Arn": *r.Arn, "RoleId": *r.RoleId}}
}

func (t resourceRole) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	out, err := call[api.GetRoleOutput](ctx, t.c, "GetRole", &api.GetRoleInput{RoleName: &r.PhysicalID})
	if err != nil {
		return stack.Result{}, absent(err)
	}
	return roleResult(out.Role), nil
}

func (t resourceRole) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	p, old, err := decodeBoth[roleProperties](r)
	if err != nil {
		return stack.Result{}, err
	}
	name := r.PhysicalID
	if string(p.AssumeRolePolicyDocument) != string(old.AssumeRolePolicyDocument) {
		err := t.c.do(ctx, "UpdateAssumeRolePolicy", &api.UpdateAssumeRolePolicyInput{RoleName: &name, PolicyDocument: aws.Ptr(string(p.AssumeRolePolicyDocument))})
		if err != nil {
			return stack.Result{}, err
		}
	}
	if aws.Val(p.Description) != aws.Val(old.Description) || aws.Val(p.MaxSessionDuration) != aws.Val(old.MaxSessionDuration) {
		in := &api.UpdateRoleInput{RoleName: &name, Description: aws.Ptr(aws.Val(p.Description)), MaxSessionDuration: p.MaxSessionDuration}
		if in.MaxSessionDuration == nil {
			in.MaxSessionDuration = aws.Ptr(int32(defaultMaxSession))
		}
		if err := t.c.do(ctx, "UpdateRole", in); err != nil {
			return stack.Result{}, err
		}
	}
	if err := t.c.apply(ctx, roleKind, name, old.grants(), p.grants()); err != nil {
		return stack.Result{}, err
	}
	if err := t.c.retag(ctx, roleKind, name, r, p.Tags, old.Tags); err != nil {
		return stack.Result{}, err
	}
	return t.Read(ctx, r)
}

func (t resourceRole) Delete(ctx context.Context, r stack.Request) error {
	var p roleProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return err
	}
	had := p.grants()
	had.boundary = "" // goes with the role
	if err := t.c.revoke(ctx, roleKind, r.PhysicalID, had, grants{}); err != nil {
		return err
	}
	return unlessGone(t.c.do(ctx, "DeleteRole", &api.DeleteRoleInput{RoleName: &r.PhysicalID}))
}
