package iam

import (
	"context"
	"errors"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

// resourceAccessKey is AWS::IAM::AccessKey. The stack keeps the secret as an
// attribute, sealed, for whoever may read the stack's outputs.
type resourceAccessKey struct {
	c client
	s *Service
}

type accessKeyProperties struct {
	Serial   *int32
	Status   *string
	UserName string `cfn:",required"`
}

func (resourceAccessKey) Schema() stack.Schema {
	sc := stack.SchemaOf(accessKeyProperties{})
	sc.Attributes = []string{"SecretAccessKey"}
	sc.Capability = true
	return sc
}

func (t resourceAccessKey) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p accessKeyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.CreateAccessKeyOutput](ctx, t.c, "CreateAccessKey", &api.CreateAccessKeyInput{UserName: &p.UserName})
	if err != nil {
		return stack.Result{}, err
	}
	id := *out.AccessKey.AccessKeyId
	started(id)
	res := stack.Result{PhysicalID: id, Attributes: map[string]any{"SecretAccessKey": *out.AccessKey.SecretAccessKey}}
	if aws.Val(p.Status) == "Inactive" {
		return res, t.status(ctx, id, p)
	}
	return res, nil
}

func (t resourceAccessKey) status(ctx context.Context, id string, p accessKeyProperties) error {
	status := api.StatusType(aws.Val(p.Status))
	if status == "" {
		status = api.StatusTypeActive
	}
	return t.c.do(ctx, "UpdateAccessKey", &api.UpdateAccessKeyInput{UserName: &p.UserName, AccessKeyId: &id, Status: status})
}

func (t resourceAccessKey) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p accessKeyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.ListAccessKeysOutput](ctx, t.c, "ListAccessKeys", &api.ListAccessKeysInput{UserName: &p.UserName})
	if err != nil {
		return stack.Result{}, absent(err)
	}
	for _, k := range out.AccessKeyMetadata {
		if *k.AccessKeyId == r.PhysicalID {
			return t.result(ctx, r.PhysicalID)
		}
	}
	return stack.Result{}, stack.ErrNotFound
}

// result reads the secret from the row: the stack that made the key has been
// given it once already.
func (t resourceAccessKey) result(ctx context.Context, id string) (stack.Result, error) {
	return view(ctx, t.s, func(tx *store.Tx) (stack.Result, error) {
		k, err := keys.Get(tx, keyRow(id))
		if errors.Is(err, store.ErrNotFound) {
			return stack.Result{}, stack.ErrNotFound
		}
		if err != nil {
			return stack.Result{}, err
		}
		secret, err := t.s.unseal(id, k)
		return stack.Result{PhysicalID: id, Attributes: map[string]any{"SecretAccessKey": secret}}, err
	})
}

func (t resourceAccessKey) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p accessKeyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := t.status(ctx, r.PhysicalID, p); err != nil {
		return stack.Result{}, err
	}
	return t.Read(ctx, r)
}

func (t resourceAccessKey) Delete(ctx context.Context, r stack.Request) error {
	var p accessKeyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return err
	}
	return unlessGone(t.c.do(ctx, "DeleteAccessKey", &api.DeleteAccessKeyInput{UserName: &p.UserName, AccessKeyId: &r.PhysicalID}))
}
