// Package ecr is Amazon ECR as far as stacks lean on it: repositories as records,
// with their settings, policies, lifecycle texts and tags, and the resource type
// AWS::ECR::Repository. There is no registry behind them: nothing is pushed, so
// repositories are empty, which is what the operations on images tell; those that
// would move layers, and the token for it, are not implemented.
//
// It owns the table ecr.repository. It imports store, policy, stack (its resource
// type), wire and the API's types. The flow enters through Wire's operations.
package ecr

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ecr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// Invoker calls operations of any service as the caller in ctx.
type Invoker interface {
	Invoke(ctx context.Context, service, operation string, in any) (any, error)
}

// Config is what New needs.
type Config struct {
	DB      *store.DB
	Invoker Invoker
}

// Service implements the operations.
type Service struct{ cfg Config }

// New returns the service.
func New(cfg Config) *Service { return &Service{cfg} }

const name = "ecr"

// Wire lists the operations, each judged on the repository it is about.
func (s *Service) Wire() wire.Service {
	return wire.Service{Model: api.Model(), Invalid: violated, Operations: []wire.Operation{
		wire.Op("CreateRepository", "ecr:CreateRepository", s.CreateRepository, createChecks),
		wire.Op("DescribeRepositories", "ecr:DescribeRepositories", s.DescribeRepositories, describeChecks(s)),
		wire.Op("DeleteRepository", "ecr:DeleteRepository", s.DeleteRepository, on(s, func(in *api.DeleteRepositoryInput) (*string, *string) {
			return in.RegistryId, in.RepositoryName
		})),
		wire.Op("SetRepositoryPolicy", "ecr:SetRepositoryPolicy", s.SetRepositoryPolicy, on(s, func(in *api.SetRepositoryPolicyInput) (*string, *string) {
			return in.RegistryId, in.RepositoryName
		})),
		wire.Op("GetRepositoryPolicy", "ecr:GetRepositoryPolicy", s.GetRepositoryPolicy, on(s, func(in *api.GetRepositoryPolicyInput) (*string, *string) {
			return in.RegistryId, in.RepositoryName
		})),
		wire.Op("DeleteRepositoryPolicy", "ecr:DeleteRepositoryPolicy", s.DeleteRepositoryPolicy, on(s, func(in *api.DeleteRepositoryPolicyInput) (*string, *string) {
			return in.RegistryId, in.RepositoryName
		})),
		wire.Op("PutLifecyclePolicy", "ecr:PutLifecyclePolicy", s.PutLifecyclePolicy, on(s, func(in *api.PutLifecyclePolicyInput) (*string, *string) {
			return in.RegistryId, in.RepositoryName
		})),
		wire.Op("GetLifecyclePolicy", "ecr:GetLifecyclePolicy", s.GetLifecyclePolicy, on(s, func(in *api.GetLifecyclePolicyInput) (*string, *string) {
			return in.RegistryId, in.RepositoryName
		})),
		wire.Op("DeleteLifecyclePolicy", "ecr:DeleteLifecyclePolicy", s.DeleteLifecyclePolicy, on(s, func(in *api.DeleteLifecyclePolicyInput) (*string, *string) {
			return in.RegistryId, in.RepositoryName
		})),
		wire.Op("PutImageScanningConfiguration", "ecr:PutImageScanningConfiguration", s.PutImageScanningConfiguration,
			on(s, func(in *api.PutImageScanningConfigurationInput) (*string, *string) {
				return in.RegistryId, in.RepositoryName
			})),
		wire.Op("PutImageTagMutability", "ecr:PutImageTagMutability", s.PutImageTagMutability, on(s, func(in *api.PutImageTagMutabilityInput) (*string, *string) {
			return in.RegistryId, in.RepositoryName
		})),
		wire.Op("ListImages", "ecr:ListImages", s.ListImages, on(s, func(in *api.ListImagesInput) (*string, *string) { return in.RegistryId, in.RepositoryName })),
		wire.Op("DescribeImages", "ecr:DescribeImages", s.DescribeImages, on(s, func(in *api.DescribeImagesInput) (*string, *string) {
			return in.RegistryId, in.RepositoryName
		})),
		wire.Op("BatchGetImage", "ecr:BatchGetImage", s.BatchGetImage, on(s, func(in *api.BatchGetImageInput) (*string, *string) { return in.RegistryId, in.RepositoryName })),
		wire.Op("BatchDeleteImage", "ecr:BatchDeleteImage", s.BatchDeleteImage, on(s, func(in *api.BatchDeleteImageInput) (*string, *string) {
			return in.RegistryId, in.RepositoryName
		})),
		wire.Op("DescribeRegistry", "ecr:DescribeRegistry", s.DescribeRegistry, nil),
		wire.Op("TagResource", "ecr:TagResource", s.TagResource, onARN(s, func(in *api.TagResourceInput) *string { return in.ResourceArn })),
		wire.Op("UntagResource", "ecr:UntagResource", s.UntagResource, onARN(s, func(in *api.UntagResourceInput) *string { return in.ResourceArn })),
		wire.Op("ListTagsForResource", "ecr:ListTagsForResource", s.ListTagsForResource, onARN(s, func(in *api.ListTagsForResourceInput) *string { return in.ResourceArn })),
	}}
}

func createChecks(ctx context.Context, in *api.CreateRepositoryInput) ([]aws.Check, error) {
	check := aws.Check{Resource: arnOf(keyOf(aws.CallFrom(ctx), in.RegistryId, aws.Val(in.RepositoryName)))}
	if len(in.Tags) == 0 {
		return []aws.Check{check}, nil
	}
	tagging := check
	tagging.Action = "ecr:TagResource"
	return []aws.Check{check, tagging}, nil
}

// on checks the operation's action on the repository that the input names, under
// the repository's own policy.
func on[I any](s *Service, of func(*I) (registry, repository *string)) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		registry, repository := of(in)
		return s.checks(ctx, registry, []string{aws.Val(repository)})
	}
}

func describeChecks(s *Service) func(context.Context, *api.DescribeRepositoriesInput) ([]aws.Check, error) {
	return func(ctx context.Context, in *api.DescribeRepositoriesInput) ([]aws.Check, error) {
		names := in.RepositoryNames
		if len(names) == 0 {
			names = []string{"*"}
		}
		return s.checks(ctx, in.RegistryId, names)
	}
}

func (s *Service) checks(ctx context.Context, registry *string, names []string) (list []aws.Check, err error) {
	c := aws.CallFrom(ctx)
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		for _, n := range names {
			k := keyOf(c, registry, n)
			check := aws.Check{Resource: arnOf(k), ResourceAccount: k.Account, Context: map[string][]string{}}
			if r, err := repositories.Get(tx, k); err == nil {
				check.ResourcePolicy = r.Policy
				for _, t := range r.Tags {
					check.Context["aws:ResourceTag/"+t.Key] = []string{t.Value}
					check.Context["ecr:ResourceTag/"+t.Key] = []string{t.Value}
				}
			}
			list = append(list, check)
		}
		return nil
	})
	return list, err
}

// onARN is on for an input that names the repository by its ARN.
func onARN[I any](s *Service, arn func(*I) *string) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		k, err := keyOfARN(arn(in))
		if err != nil || k.Region != aws.CallFrom(ctx).Region {
			return []aws.Check{{Resource: aws.Val(arn(in))}}, nil //nolint:nilerr // the operation says what is wrong
		}
		return s.checks(ctx, &k.Account, []string{k.ID})
	}
}
