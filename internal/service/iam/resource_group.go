package iam

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceGroup is AWS::IAM::Group.
type resourceGroup struct{ c client }

type groupProperties struct {
	GroupName         *string
	ManagedPolicyArns []string
	Path              *string
	Policies          []inlinePolicy
}

func (p *groupProperties) grants() grants { return newGrants(p.Policies, p.ManagedPolicyArns, nil) }

func (resourceGroup) Schema() stack.Schema {
	sc := stack.SchemaOf(groupProperties{})
	sc.Attributes = []string{"Arn"}
	sc.Capability, sc.NameProperty = true, "GroupName"
	return sc
}

func (t resourceGroup) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p groupProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.CreateGroupOutput](ctx, t.c, "CreateGroup", &api.CreateGroupInput{GroupName: aws.Ptr(nameOr(p.GroupName, r, 128)), Path: p.Path})
	if err != nil {
		return stack.Result{}, err
	}
	name := *out.Group.GroupName
	started(name)
	return stack.Result{PhysicalID: name, Attributes: map[string]any{"Arn": *out.Group.Arn}}, t.c.apply(ctx, groupKind, name, grants{}, p.grants())
}

func (t resourceGroup) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	out, err := call[api.GetGroupOutput](ctx, t.c, "GetGroup", &api.GetGroupInput{GroupName: &r.PhysicalID})
	if err != nil {
		return stack.Result{}, absent(err)
	}
	return stack.Result{PhysicalID: r.PhysicalID, Attributes: map[string]any{"Arn": *out.Group.Arn}}, nil
}

func (t resourceGroup) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	p, old, err := decodeBoth[groupProperties](r)
	if err != nil {
		return stack.Result{}, err
	}
	if pathOr(p.Path) != pathOr(old.Path) {
		if err := t.c.do(ctx, "UpdateGroup", &api.UpdateGroupInput{GroupName: &r.PhysicalID, NewPath: aws.Ptr(pathOr(p.Path))}); err != nil {
			return stack.Result{}, err
		}
	}
	if err := t.c.apply(ctx, groupKind, r.PhysicalID, old.grants(), p.grants()); err != nil {
		return stack.Result{}, err
	}
	return t.Read(ctx, r)
}

func (t resourceGroup) Delete(ctx context.Context, r stack.Request) error {
	var p groupProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return err
	}
	if err := t.c.revoke(ctx, groupKind, r.PhysicalID, p.grants(), grants{}); err != nil {
		return err
	}
	return unlessGone(t.c.do(ctx, "DeleteGroup", &api.DeleteGroupInput{GroupName: &r.PhysicalID}))
}

// resourceMembership is AWS::IAM::UserToGroupAddition.
type resourceMembership struct{ c client }

type membershipProperties struct {
	GroupName string   `cfn:",required,createOnly"`
	Users     []string `cfn:",required"`
}

func (resourceMembership) Schema() stack.Schema {
	sc := stack.SchemaOf(membershipProperties{})
	sc.Capability = true
	return sc
}

func (t resourceMembership) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p membershipProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	res := stack.Result{PhysicalID: r.Name(128)}
	started(res.PhysicalID)
	return res, t.set(ctx, p.GroupName, nil, p.Users)
}

func (t resourceMembership) set(ctx context.Context, group string, old, next []string) error {
	for _, u := range next {
		if err := t.c.regroup(ctx, u, nil, []string{group}); err != nil {
			return err
		}
	}
	for _, u := range old {
		if !slices.Contains(next, u) {
			if err := t.c.regroup(ctx, u, []string{group}, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t resourceMembership) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p membershipProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.GetGroupOutput](ctx, t.c, "GetGroup", &api.GetGroupInput{GroupName: &p.GroupName})
	if err != nil {
		return stack.Result{}, absent(err)
	}
	if !slices.ContainsFunc(out.Users, func(u api.User) bool { return slices.Contains(p.Users, *u.UserName) }) {
		return stack.Result{}, stack.ErrNotFound
	}
	return stack.Result{PhysicalID: r.PhysicalID}, nil
}

func (t resourceMembership) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	p, old, err := decodeBoth[membershipProperties](r)
	if err != nil {
		return stack.Result{}, err
	}
	return stack.Result{PhysicalID: r.PhysicalID}, t.set(ctx, p.GroupName, old.Users, p.Users)
}

func (t resourceMembership) Delete(ctx context.Context, r stack.Request) error {
	var p membershipProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return err
	}
	return t.set(ctx, p.GroupName, p.Users, nil)
}
