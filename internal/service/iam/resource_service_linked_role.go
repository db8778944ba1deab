package iam

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceServiceLinkedRole is AWS::IAM::ServiceLinkedRole.
type resourceServiceLinkedRole struct{ c client }

type serviceLinkedRoleProperties struct {
	AWSServiceName string `cfn:",required"`
	CustomSuffix   *string
	Description    *string
}

func (resourceServiceLinkedRole) Schema() stack.Schema {
	sc := stack.SchemaOf(serviceLinkedRoleProperties{})
	sc.Attributes = []string{"RoleName"}
	sc.Capability = true
	return sc
}

func (t resourceServiceLinkedRole) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p serviceLinkedRoleProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.CreateServiceLinkedRoleOutput](ctx, t.c, "CreateServiceLinkedRole",
		&api.CreateServiceLinkedRoleInput{AWSServiceName: &p.AWSServiceName, CustomSuffix: p.CustomSuffix, Description: p.Description})
	if err != nil {
		return stack.Result{}, err
	}
	started(*out.Role.RoleName)
	return linkedResult(*out.Role.RoleName), nil
}

func linkedResult(name string) stack.Result {
	return stack.Result{PhysicalID: name, Attributes: map[string]any{"RoleName": name}}
}

func (t resourceServiceLinkedRole) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	err := t.c.do(ctx, "GetRole", &api.GetRoleInput{RoleName: &r.PhysicalID})
	return linkedResult(r.PhysicalID), absent(err)
}

// Live implements stack.Live.
func (t resourceServiceLinkedRole) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	out, err := call[api.GetRoleOutput](ctx, t.c, "GetRole", &api.GetRoleInput{RoleName: &r.PhysicalID})
	if err != nil {
		return nil, absent(err)
	}
	return map[string]any{"AWSServiceName": r.Properties["AWSServiceName"], "CustomSuffix": r.Properties["CustomSuffix"], "Description": orNil(out.Role.Description)}, nil
}

func (t resourceServiceLinkedRole) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	p, _, err := decodeBoth[serviceLinkedRoleProperties](r)
	if err != nil {
		return stack.Result{}, err
	}
	if err := t.c.do(ctx, "UpdateRole", &api.UpdateRoleInput{RoleName: &r.PhysicalID, Description: aws.Ptr(aws.Val(p.Description))}); err != nil {
		return stack.Result{}, err
	}
	return t.Read(ctx, r)
}

func (t resourceServiceLinkedRole) Delete(ctx context.Context, r stack.Request) error {
	return unlessGone(t.c.do(ctx, "DeleteServiceLinkedRole", &api.DeleteServiceLinkedRoleInput{RoleName: &r.PhysicalID}))
}
