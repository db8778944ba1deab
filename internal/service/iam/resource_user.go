package iam

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceUser is AWS::IAM::User. A LoginProfile is an unsupported property: there
// is no console that a password would open.
type resourceUser struct{ c client }

type userProperties struct {
	Groups              []string
	ManagedPolicyArns   []string
	Path                *string
	PermissionsBoundary *string
	Policies            []inlinePolicy
	Tags                []stack.Tag
	UserName            *string
}

func (p *userProperties) grants() grants {
	return newGrants(p.Policies, p.ManagedPolicyArns, p.PermissionsBoundary)
}

func (resourceUser) Schema() stack.Schema {
	sc := stack.SchemaOf(userProperties{})
	sc.Attributes = []string{"Arn"}
	sc.Taggable, sc.Capability, sc.NameProperty = true, true, "UserName"
	return sc
}

func (t resourceUser) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p userProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.CreateUserOutput](ctx, t.c, "CreateUser", &api.CreateUserInput{UserName: aws.Ptr(nameOr(p.UserName, r, 64)), Path: p.Path,
		PermissionsBoundary: p.PermissionsBoundary, Tags: apiTags(r.TagsWith(p.Tags))})
	if err != nil {
		return stack.Result{}, err
	}
	name := *out.User.UserName
	started(name)
	res := stack.Result{PhysicalID: name, Attributes: map[string]any{"Arn": *out.User.Arn}}
	made := p.grants()
	if err := t.c.apply(ctx, userKind, name, grants{boundary: made.boundary}, made); err != nil {
		return res, err
	}
	return res, t.c.regroup(ctx, name, nil, p.Groups)
}

// regroup moves a user from the groups old to the groups next.
func (c client) regroup(ctx context.Context, user string, old, next []string) error {
	for _, g := range next {
		if !slices.Contains(old, g) {
			if err := c.do(ctx, "AddUserToGroup", &api.AddUserToGroupInput{GroupName: &g, UserName: &user}); err != nil {
				return err
			}
		}
	}
	for _, g := range old {
		if !slices.Contains(next, g) {
			if err := unlessGone(c.do(ctx, "RemoveUserFromGroup", &api.RemoveUserFromGroupInput{GroupName: &g, UserName: &user})); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t resourceUser) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	out, err := call[api.GetUserOutput](ctx, t.c, "GetUser", &api.GetUserInput{UserName: &r.PhysicalID})
	if err != nil {
		return stack.Result{}, absent(err)
	}
	return stack.Result{PhysicalID: r.PhysicalID, Attributes: map[string]any{"Arn": *out.User.Arn}}, nil
}

func (t resourceUser) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	p, old, err := decodeBoth[userProperties](r)
	if err != nil {
		return stack.Result{}, err
	}
	if pathOr(p.Path) != pathOr(old.Path) {
		if err := t.c.do(ctx, "UpdateUser", &api.UpdateUserInput{UserName: &r.PhysicalID, NewPath: aws.Ptr(pathOr(p.Path))}); err != nil {
			return stack.Result{}, err
		}
	}
	if err := t.c.apply(ctx, userKind, r.PhysicalID, old.grants(), p.grants()); err != nil {
		return stack.Result{}, err
	}
	if err := t.c.regroup(ctx, r.PhysicalID, old.Groups, p.Groups); err != nil {
		return stack.Result{}, err
	}
	if err := t.c.retag(ctx, userKind, r.PhysicalID, r, p.Tags, old.Tags); err != nil {
		return stack.Result{}, err
	}
	return t.Read(ctx, r)
}

func (t resourceUser) Delete(ctx context.Context, r stack.Request) error {
	var p userProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return err
	}
	had := p.grants()
	had.boundary = "" // goes with the user
	if err := t.c.revoke(ctx, userKind, r.PhysicalID, had, grants{}); err != nil {
		return err
	}
	if err := t.c.regroup(ctx, r.PhysicalID, p.Groups, nil); err != nil {
		return err
	}
	return unlessGone(t.c.do(ctx, "DeleteUser", &api.DeleteUserInput{UserName: &r.PhysicalID}))
}
