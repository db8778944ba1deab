package iam

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceInstanceProfile is AWS::IAM::InstanceProfile.
type resourceInstanceProfile struct{ c client }

type instanceProfileProperties struct {
	InstanceProfileName *string
	Path                *string
	Roles               []string `cfn:",required"`
}

// role returns the one role that a profile can hold.
func (p *instanceProfileProperties) role() (string, error) {
	switch len(p.Roles) {
	case 0:
		return "", nil
	case 1:
		return p.Roles[0], nil
	}
	return "", &stack.PropertyError{Message: "Property validation failure: [Length of value for property {/Roles} must be at most 1]"}
}

func (resourceInstanceProfile) Schema() stack.Schema {
	sc := stack.SchemaOf(instanceProfileProperties{})
	sc.Attributes = []string{"Arn"}
	sc.Capability, sc.NameProperty = true, "InstanceProfileName"
	return sc
}

func (t resourceInstanceProfile) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p instanceProfileProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	role, err := p.role()
	if err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.CreateInstanceProfileOutput](ctx, t.c, "CreateInstanceProfile",
		&api.CreateInstanceProfileInput{InstanceProfileName: aws.Ptr(nameOr(p.InstanceProfileName, r, 128)), Path: p.Path})
	if err != nil {
		return stack.Result{}, err
	}
	name := *out.InstanceProfile.InstanceProfileName
	started(name)
	return stack.Result{PhysicalID: name, Attributes: map[string]any{"Arn": *out.InstanceProfile.Arn}}, t.hold(ctx, name, role)
}

// hold puts the role in; a repeated creation may find it there.
func (t resourceInstanceProfile) hold(ctx context.Context, name, role string) error {
	if role == "" {
		return nil
	}
	err := t.c.do(ctx, "AddRoleToInstanceProfile", &api.AddRoleToInstanceProfileInput{InstanceProfileName: &name, RoleName: &role})
	if !awserr.Is(err, "LimitExceeded") {
		return err
	}
	out, readErr := call[api.GetInstanceProfileOutput](ctx, t.c, "GetInstanceProfile", &api.GetInstanceProfileInput{InstanceProfileName: &name})
	if readErr == nil && len(out.InstanceProfile.Roles) == 1 && *out.InstanceProfile.Roles[0].RoleName == role {
		return nil
	}
	return err
}

func (t resourceInstanceProfile) release(ctx context.Context, name, role string) error {
	if role == "" {
		return nil
	}
	return unlessGone(t.c.do(ctx, "RemoveRoleFromInstanceProfile", &api.RemoveRoleFromInstanceProfileInput{InstanceProfileName: &name, RoleName: &role}))
}

func (t resourceInstanceProfile) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	out, err := call[api.GetInstanceProfileOutput](ctx, t.c, "GetInstanceProfile", &api.GetInstanceProfileInput{InstanceProfileName: &r.PhysicalID})
	if err != nil {
		return stack.Result{}, absent(err)
	}
	return stack.Result{PhysicalID: r.PhysicalID, Attributes: map[string]any{"Arn": *out.InstanceProfile.Arn}}, nil
}

func (t resourceInstanceProfile) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	p, old, err := decodeBoth[instanceProfileProperties](r)
	if err != nil {
		return stack.Result{}, err
	}
	role, err := p.role()
	if err != nil {
		return stack.Result{}, err
	}
	if had, _ := old.role(); had != role {
		if err := t.release(ctx, r.PhysicalID, had); err != nil {
			return stack.Result{}, err
		}
		if err := t.hold(ctx, r.PhysicalID, role); err != nil {
			return stack.Result{}, err
		}
	}
	return t.Read(ctx, r)
}

func (t resourceInstanceProfile) Delete(ctx context.Context, r stack.Request) error {
	var p instanceProfileProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return err
	}
	role, err := p.role()
	if err != nil {
		return err
	}
	if err := t.release(ctx, r.PhysicalID, role); err != nil {
		return err
	}
	return unlessGone(t.c.do(ctx, "DeleteInstanceProfile", &api.DeleteInstanceProfileInput{InstanceProfileName: &r.PhysicalID}))
}
