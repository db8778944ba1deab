package ecr

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ecr"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/store"
)

// withResource gives the statements of a repository's policy the resource that they
// have without saying it: the repository.
func withResource(text, arn string) (string, error) {
	var doc map[string]any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return "", err
	}
	if doc == nil {
		return "", errors.New("the policy is null")
	}
	list, ok := doc["Statement"].([]any)
	if !ok {
		list = []any{doc["Statement"]}
	}
	for _, item := range list {
		if st, ok := item.(map[string]any); ok && st["Resource"] == nil && st["NotResource"] == nil {
			st["Resource"] = arn
		}
	}
	doc["Statement"] = list
	out, err := json.Marshal(doc)
	return string(out), err
}

// SetRepositoryPolicy gives a repository its policy.
func (s *Service) SetRepositoryPolicy(ctx context.Context, in *api.SetRepositoryPolicyInput) (*api.SetRepositoryPolicyOutput, error) {
	k := keyOf(aws.CallFrom(ctx), in.RegistryId, aws.Val(in.RepositoryName))
	whole, err := withResource(aws.Val(in.PolicyText), arnOf(k))
	if err == nil {
		_, err = policy.Parse(whole, policy.Resource)
	}
	if err != nil {
		return nil, invalid("PolicyText", "Invalid repository policy provided")
	}
	err = s.change(ctx, k, func(r *repository) error {
		r.PolicyText, r.Policy = aws.Val(in.PolicyText), whole
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.SetRepositoryPolicyOutput{RegistryId: &k.Account, RepositoryName: &k.ID, PolicyText: in.PolicyText}, nil
}

func errNoPolicy(k store.Key) *awserr.Error {
	return awserr.New("RepositoryPolicyNotFoundException", "Repository policy does not exist for the repository with name '%s' in the registry with id '%s'", k.ID, k.Account)
}

// GetRepositoryPolicy returns the policy as it was set.
func (s *Service) GetRepositoryPolicy(ctx context.Context, in *api.GetRepositoryPolicyInput) (*api.GetRepositoryPolicyOutput, error) {
	k, r, err := s.read(ctx, in.RegistryId, in.RepositoryName)
	switch {
	case err != nil:
		return nil, err
	case r.Policy == "":
		return nil, errNoPolicy(k)
	}
	return &api.GetRepositoryPolicyOutput{RegistryId: &k.Account, RepositoryName: &k.ID, PolicyText: &r.PolicyText}, nil
}

// DeleteRepositoryPolicy takes the policy away.
func (s *Service) DeleteRepositoryPolicy(ctx context.Context, in *api.DeleteRepositoryPolicyInput) (*api.DeleteRepositoryPolicyOutput, error) {
	k := keyOf(aws.CallFrom(ctx), in.RegistryId, aws.Val(in.RepositoryName))
	var was string
	err := s.change(ctx, k, func(r *repository) error {
		if was = r.PolicyText; r.Policy == "" {
			return errNoPolicy(k)
		}
		r.Policy, r.PolicyText = "", ""
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteRepositoryPolicyOutput{RegistryId: &k.Account, RepositoryName: &k.ID, PolicyText: &was}, nil
}

// lifecycle is as much of a lifecycle policy as its checks need.
type lifecycle struct {
	Rules []struct {
		RulePriority *int `json:"rulePriority"`
		Selection    *struct {
			TagStatus   string `json:"tagStatus"`
			CountType   string `json:"countType"`
			CountNumber *int   `json:"countNumber"`
		} `json:"selection"`
		Action *struct {
			Type string `json:"type"`
		} `json:"action"`
	} `json:"rules"`
}

// judgeLifecycle holds a lifecycle text to the form that ECR documents. Its rules
// are not run: there are no images to expire.
func judgeLifecycle(text string) error {
	var l lifecycle
	err := json.Unmarshal([]byte(text), &l)
	if err == nil && len(l.Rules) == 0 {
		err = errors.New("object has missing required properties ([\"rules\"])")
	}
	priorities := map[int]bool{}
	for _, r := range l.Rules {
		switch {
		case r.RulePriority == nil || r.Selection == nil || r.Action == nil:
			err = errors.New("a rule needs rulePriority, selection and action")
		case priorities[*r.RulePriority]:
			err = errors.New("rule priorities must be unique")
		case r.Selection.CountNumber == nil || r.Selection.CountType == "" || r.Selection.TagStatus == "":
			err = errors.New("a selection needs tagStatus, countType and countNumber")
		default:
			priorities[*r.RulePriority] = true
		}
	}
	if err != nil {
		return invalid("LifecyclePolicyText", "Lifecycle policy validation failure: %s", err)
	}
	return nil
}

func errNoLifecycle(k store.Key) *awserr.Error {
	return awserr.New("LifecyclePolicyNotFoundException", "Lifecycle policy does not exist for the repository with name '%s' in the registry with id '%s'", k.ID, k.Account)
}

// PutLifecyclePolicy keeps a lifecycle text.
func (s *Service) PutLifecyclePolicy(ctx context.Context, in *api.PutLifecyclePolicyInput) (*api.PutLifecyclePolicyOutput, error) {
	k := keyOf(aws.CallFrom(ctx), in.RegistryId, aws.Val(in.RepositoryName))
	if err := judgeLifecycle(aws.Val(in.LifecyclePolicyText)); err != nil {
		return nil, err
	}
	if err := s.change(ctx, k, func(r *repository) error { r.Lifecycle = *in.LifecyclePolicyText; return nil }); err != nil {
		return nil, err
	}
	return &api.PutLifecyclePolicyOutput{RegistryId: &k.Account, RepositoryName: &k.ID, LifecyclePolicyText: in.LifecyclePolicyText}, nil
}

// GetLifecyclePolicy returns the lifecycle text.
func (s *Service) GetLifecyclePolicy(ctx context.Context, in *api.GetLifecyclePolicyInput) (*api.GetLifecyclePolicyOutput, error) {
	k, r, err := s.read(ctx, in.RegistryId, in.RepositoryName)
	switch {
	case err != nil:
		return nil, err
	case r.Lifecycle == "":
		return nil, errNoLifecycle(k)
	}
	return &api.GetLifecyclePolicyOutput{RegistryId: &k.Account, RepositoryName: &k.ID, LifecyclePolicyText: &r.Lifecycle}, nil
}

// DeleteLifecyclePolicy takes the lifecycle text away.
func (s *Service) DeleteLifecyclePolicy(ctx context.Context, in *api.DeleteLifecyclePolicyInput) (*api.DeleteLifecyclePolicyOutput, error) {
	k := keyOf(aws.CallFrom(ctx), in.RegistryId, aws.Val(in.RepositoryName))
	var was string
	err := s.change(ctx, k, func(r *repository) error {
		if was = r.Lifecycle; was == "" {
			return errNoLifecycle(k)
		}
		r.Lifecycle = ""
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteLifecyclePolicyOutput{RegistryId: &k.Account, RepositoryName: &k.ID, LifecyclePolicyText: &was}, nil
}
