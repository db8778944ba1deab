package secretsmanager

import (
	"context"
	"encoding/json"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/wire"
)

// resourcePolicy is AWS::SecretsManager::ResourcePolicy. Its physical id is the
// secret's ARN: a secret has one policy.
type resourcePolicy struct{ s *Service }

type policyProperties struct {
	SecretId          string          `cfn:",required"` //nolint:revive // the property's name
	ResourcePolicy    json.RawMessage `cfn:",required"`
	BlockPublicPolicy *bool
}

func (resourcePolicy) Schema() stack.Schema {
	sc := stack.SchemaOf(policyProperties{})
	sc.Attributes = []string{"Id"}
	return sc
}

func (t resourcePolicy) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p policyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	res, err := t.put(ctx, p)
	if err == nil {
		started(res.PhysicalID)
	}
	return res, err
}

func (t resourcePolicy) put(ctx context.Context, p policyProperties) (stack.Result, error) {
	out, err := wire.Call[api.PutResourcePolicyOutput](ctx, t.s.cfg.Invoker, name, "PutResourcePolicy", &api.PutResourcePolicyInput{
		SecretId: &p.SecretId, ResourcePolicy: aws.Ptr(string(p.ResourcePolicy)), BlockPublicPolicy: p.BlockPublicPolicy})
	if err != nil {
		return stack.Result{}, err
	}
	return secretResult(*out.ARN), nil
}

func (t resourcePolicy) get(ctx context.Context, id string) (*api.GetResourcePolicyOutput, error) {
	out, err := wire.Call[api.GetResourcePolicyOutput](ctx, t.s.cfg.Invoker, name, "GetResourcePolicy", &api.GetResourcePolicyInput{SecretId: &id})
	if awserr.Is(err, "ResourceNotFoundException", "InvalidRequestException") || err == nil && out.ResourcePolicy == nil {
		return nil, stack.ErrNotFound
	}
	return out, err
}

func (t resourcePolicy) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	out, err := t.get(ctx, r.PhysicalID)
	if err != nil {
		return stack.Result{}, err
	}
	return secretResult(*out.ARN), nil
}

func (t resourcePolicy) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p policyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	return t.put(ctx, p)
}

func (t resourcePolicy) Delete(ctx context.Context, r stack.Request) error {
	_, err := wire.Call[api.DeleteResourcePolicyOutput](ctx, t.s.cfg.Invoker, name, "DeleteResourcePolicy",
		&api.DeleteResourcePolicyInput{SecretId: &r.PhysicalID})
	if awserr.Is(err, "ResourceNotFoundException", "InvalidRequestException") {
		return nil // gone with its secret
	}
	return err
}

// Live implements stack.Live.
func (t resourcePolicy) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	out, err := t.get(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	var document any
	if err := json.Unmarshal([]byte(*out.ResourcePolicy), &document); err != nil {
		return nil, err
	}
	return map[string]any{"ResourcePolicy": document}, nil
}
