package kms

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// Resources returns the types that templates may name under a false condition.
func (s *Service) Resources() stack.Registry {
	return stack.Registry{
		"AWS::KMS::Key": refused{stack.Schema{
			Properties: []string{"BypassPolicyLockoutSafetyCheck", "Description", "Enabled", "EnableKeyRotation", "KeyPolicy", "KeySpec", "KeyUsage",
				"MultiRegion", "Origin", "PendingWindowInDays", "RotationPeriodInDays", "Tags"},
			Attributes: []string{"Arn", "KeyId"},
		}},
		"AWS::KMS::Alias": refused{stack.Schema{
			Properties: []string{"AliasName", "TargetKeyId"}, Required: []string{"AliasName", "TargetKeyId"},
		}},
	}
}

// refused is a type that is known and cannot be made.
type refused struct{ schema stack.Schema }

func (r refused) Schema() stack.Schema { return r.schema }

func (r refused) Create(_ context.Context, req stack.Request, _ func(string)) (stack.Result, error) {
	return stack.Result{}, awserr.Status(501, "NotImplemented",
		"hardstand does not implement KMS: %s cannot be made. What is kept is sealed with the server's own key.", req.Type)
}

func (r refused) Read(context.Context, stack.Request) (stack.Result, error) {
	return stack.Result{}, stack.ErrNotFound
}

func (r refused) Update(ctx context.Context, req stack.Request) (stack.Result, error) {
	return r.Create(ctx, req, nil)
}

func (r refused) Delete(context.Context, stack.Request) error { return nil }
