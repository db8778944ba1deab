package secretsmanager

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/store"
)

// parsePolicy parses a secret's policy, refusing what is malformed in the
// service's words.
func parsePolicy(text string) (*policy.Document, error) {
	malformed := func(what string) error {
		return awserr.New("MalformedPolicyDocumentException", "This resource policy contains %s.", what)
	}
	if !json.Valid([]byte(text)) {
		return nil, malformed("invalid Json")
	}
	doc, err := policy.Parse(text, policy.Resource)
	var m *policy.Malformed
	switch {
	case errors.As(err, &m) && strings.HasPrefix(m.Message, "Invalid principal"):
		return nil, malformed("an unsupported principal")
	case errors.As(err, &m):
		return nil, malformed("a syntax error")
	}
	return doc, err
}

// PutResourcePolicy gives a secret its policy.
func (s *Service) PutResourcePolicy(ctx context.Context, in *api.PutResourcePolicyInput) (*api.PutResourcePolicyOutput, error) {
	doc, err := parsePolicy(aws.Val(in.ResourcePolicy))
	if err != nil {
		return nil, err
	}
	out := &api.PutResourcePolicyOutput{}
	out.ARN, out.Name, err = s.change(ctx, in.SecretId, func(_ *store.Tx, _ store.Key, sec *secret) error {
		if aws.Val(in.BlockPublicPolicy) && doc.Public() {
			return awserr.New("PublicPolicyException", "You can't attach a resource-based policy that allows broad access to the secret.")
		}
		sec.Policy = *in.ResourcePolicy
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// GetResourcePolicy returns the policy, where there is one.
func (s *Service) GetResourcePolicy(ctx context.Context, in *api.GetResourcePolicyInput) (*api.GetResourcePolicyOutput, error) {
	out := &api.GetResourcePolicyOutput{}
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		k, sec, err := needLive(tx, aws.CallFrom(ctx), in.SecretId)
		if err != nil {
			return err
		}
		out.ARN, out.Name = aws.Ptr(arnOf(k, sec.Suffix)), &k.ID
		if sec.Policy != "" {
			out.ResourcePolicy = &sec.Policy
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DeleteResourcePolicy takes the policy away; having none is no error.
func (s *Service) DeleteResourcePolicy(ctx context.Context, in *api.DeleteResourcePolicyInput) (*api.DeleteResourcePolicyOutput, error) {
	arn, secretName, err := s.change(ctx, in.SecretId, func(_ *store.Tx, _ store.Key, sec *secret) error {
		sec.Policy = ""
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteResourcePolicyOutput{ARN: arn, Name: secretName}, nil
}

// ValidateResourcePolicy tells what would be wrong with a policy.
func (s *Service) ValidateResourcePolicy(ctx context.Context, in *api.ValidateResourcePolicyInput) (*api.ValidateResourcePolicyOutput, error) {
	if in.SecretId != nil {
		err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
			_, _, err := needLive(tx, aws.CallFrom(ctx), in.SecretId)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	doc, err := parsePolicy(aws.Val(in.ResourcePolicy))
	if err != nil {
		return nil, err
	}
	out := &api.ValidateResourcePolicyOutput{PolicyValidationPassed: aws.Ptr(true), ValidationErrors: []api.ValidationErrorsEntry{}}
	if doc.Public() {
		out.PolicyValidationPassed = aws.Ptr(false)
		out.ValidationErrors = append(out.ValidationErrors, api.ValidationErrorsEntry{CheckName: aws.Ptr("PUBLIC_POLICY"),
			ErrorMessage: aws.Ptr("This resource policy grants broad access to your secret.")})
	}
	return out, nil
}
