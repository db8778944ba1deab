package ecr

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ecr"
	"github.com/hardstand/hardstand/internal/store"
)

const maxTags = 50

// keyOfARN is the repository that an ARN names.
func keyOfARN(arn *string) (store.Key, error) {
	parts := strings.SplitN(aws.Val(arn), ":", 6)
	if len(parts) == 6 && parts[2] == name {
		if repositoryName, ok := strings.CutPrefix(parts[5], "repository/"); ok {
			return store.Key{Account: parts[4], Region: parts[3], ID: repositoryName}, nil
		}
	}
	return store.Key{}, invalid("resourceArn", "Invalid ARN")
}

// TagResource tags a repository.
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	k, err := keyOfARN(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &api.TagResourceOutput{}, s.change(ctx, k, func(r *repository) error { return r.tag(in.Tags) })
}

// UntagResource takes tags from a repository.
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	k, err := keyOfARN(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &api.UntagResourceOutput{}, s.change(ctx, k, func(r *repository) error {
		r.Tags = slices.DeleteFunc(r.Tags, func(t tag) bool { return slices.Contains(in.TagKeys, t.Key) })
		return nil
	})
}

// ListTagsForResource returns a repository's tags.
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	k, err := keyOfARN(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	out := &api.ListTagsForResourceOutput{Tags: []api.Tag{}}
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		r, err := get(tx, k)
		if err != nil {
			return err
		}
		for _, t := range r.Tags {
			out.Tags = append(out.Tags, api.Tag{Key: &t.Key, Value: &t.Value})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
