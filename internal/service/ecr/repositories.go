package ecr

import (
	"context"
	"errors"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ecr"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/pages"
	"github.com/hardstand/hardstand/internal/store"
)

// CreateRepository makes a repository.
func (s *Service) CreateRepository(ctx context.Context, in *api.CreateRepositoryInput) (*api.CreateRepositoryOutput, error) {
	c := aws.CallFrom(ctx)
	k := keyOf(c, in.RegistryId, aws.Val(in.RepositoryName))
	switch {
	case !validName.MatchString(k.ID):
		return nil, errName()
	case k.Account != c.Account:
		return nil, invalid("registryId", "a repository is made in the registry of the caller's own account")
	case in.EncryptionConfiguration != nil && (in.EncryptionConfiguration.EncryptionType != "AES256" || in.EncryptionConfiguration.KmsKey != nil):
		return nil, awserr.Status(501, "NotImplemented", "hardstand does not implement KMS keys: the encryption of a repository is AES256.")
	}
	r := &repository{Token: c.Token, ScanOnPush: in.ImageScanningConfiguration != nil && aws.Val(in.ImageScanningConfiguration.ScanOnPush)}
	if err := r.mutability(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters); err != nil {
		return nil, err
	}
	if err := r.tag(in.Tags); err != nil {
		return nil, err
	}
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		have, err := repositories.Get(tx, k)
		if err == nil && c.Token != "" && have.Token == c.Token {
			r = have
			return nil // a creation repeated after a crash
		}
		if err == nil {
			return awserr.New("RepositoryAlreadyExistsException", "The repository with name '%s' already exists in the registry with id '%s'", k.ID, k.Account)
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		r.Created = tx.Now()
		emit(tx, k)
		return repositories.Insert(tx, k, r)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateRepositoryOutput{Repository: r.api(k)}, nil
}

// DescribeRepositories describes repositories, those that are named or all.
func (s *Service) DescribeRepositories(ctx context.Context, in *api.DescribeRepositoriesInput) (*api.DescribeRepositoriesOutput, error) {
	if len(in.RepositoryNames) > 0 && (in.MaxResults != nil || in.NextToken != nil) {
		return nil, invalid("maxResults", "pages are not given of repositories that are named")
	}
	c := aws.CallFrom(ctx)
	out := &api.DescribeRepositoriesOutput{Repositories: []api.Repository{}}
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		for _, n := range in.RepositoryNames {
			k := keyOf(c, in.RegistryId, n)
			r, err := get(tx, k)
			if err != nil {
				return err
			}
			out.Repositories = append(out.Repositories, *r.api(k))
		}
		if len(in.RepositoryNames) > 0 {
			return nil
		}
		rows, err := repositories.List(tx, store.Scope{Account: keyOf(c, in.RegistryId, "").Account, Region: c.Region}, "", 0)
		if err != nil {
			return err
		}
		page, next, ok := pages.Cut(rows, in.NextToken, pages.Limit(in.MaxResults, 100))
		if !ok {
			return invalid("nextToken", "Invalid token")
		}
		out.NextToken = next
		for _, row := range page {
			out.Repositories = append(out.Repositories, *row.Value.api(row.Key))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DeleteRepository removes a repository, which is always empty.
func (s *Service) DeleteRepository(ctx context.Context, in *api.DeleteRepositoryInput) (*api.DeleteRepositoryOutput, error) {
	k := keyOf(aws.CallFrom(ctx), in.RegistryId, aws.Val(in.RepositoryName))
	var r *repository
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) (err error) {
		if r, err = get(tx, k); err != nil {
			return err
		}
		emit(tx, k)
		return repositories.Delete(tx, k)
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteRepositoryOutput{Repository: r.api(k)}, nil
}

// PutImageScanningConfiguration says whether images are to be scanned.
func (s *Service) PutImageScanningConfiguration(ctx context.Context, in *api.PutImageScanningConfigurationInput) (*api.PutImageScanningConfigurationOutput, error) {
	k := keyOf(aws.CallFrom(ctx), in.RegistryId, aws.Val(in.RepositoryName))
	scan := aws.Val(in.ImageScanningConfiguration.ScanOnPush)
	if err := s.change(ctx, k, func(r *repository) error { r.ScanOnPush = scan; return nil }); err != nil {
		return nil, err
	}
	return &api.PutImageScanningConfigurationOutput{RegistryId: &k.Account, RepositoryName: &k.ID,
		ImageScanningConfiguration: &api.ImageScanningConfiguration{ScanOnPush: &scan}}, nil
}

// PutImageTagMutability says whether tags may move.
func (s *Service) PutImageTagMutability(ctx context.Context, in *api.PutImageTagMutabilityInput) (*api.PutImageTagMutabilityOutput, error) {
	k := keyOf(aws.CallFrom(ctx), in.RegistryId, aws.Val(in.RepositoryName))
	err := s.change(ctx, k, func(r *repository) error {
		return r.mutability(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters)
	})
	if err != nil {
		return nil, err
	}
	return &api.PutImageTagMutabilityOutput{RegistryId: &k.Account, RepositoryName: &k.ID, ImageTagMutability: in.ImageTagMutability,
		ImageTagMutabilityExclusionFilters: in.ImageTagMutabilityExclusionFilters}, nil
}

// DescribeRegistry describes the account's registry, which replicates nothing.
func (s *Service) DescribeRegistry(ctx context.Context, _ *api.DescribeRegistryInput) (*api.DescribeRegistryOutput, error) {
	return &api.DescribeRegistryOutput{RegistryId: aws.Ptr(aws.CallFrom(ctx).Account),
		ReplicationConfiguration: &api.ReplicationConfiguration{Rules: []api.ReplicationRule{}}}, nil
}

func (r *repository) tag(tags []api.Tag) error {
	for _, t := range tags {
		key, value := aws.Val(t.Key), aws.Val(t.Value)
		if i := slices.IndexFunc(r.Tags, func(have tag) bool { return have.Key == key }); i >= 0 {
			r.Tags[i].Value = value
			continue
		}
		r.Tags = append(r.Tags, tag{key, value})
	}
	if len(r.Tags) > maxTags {
		return awserr.New("TooManyTagsException", "The number of tags exceeds the limit of %d tags per repository.", maxTags)
	}
	return nil
}
