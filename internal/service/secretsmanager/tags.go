package secretsmanager

import (
	"context"
	"slices"

	api "github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	"github.com/hardstand/hardstand/internal/store"
)

// TagResource tags a secret.
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	_, _, err := s.change(ctx, in.SecretId, func(_ *store.Tx, _ store.Key, sec *secret) error {
		if sec.tag(in.Tags); len(sec.Tags) > maxTags {
			return errTooManyTags()
		}
		return nil
	})
	return &api.TagResourceOutput{}, err
}

// UntagResource takes tags from a secret.
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	_, _, err := s.change(ctx, in.SecretId, func(_ *store.Tx, _ store.Key, sec *secret) error {
		sec.Tags = slices.DeleteFunc(sec.Tags, func(t tag) bool { return slices.Contains(in.TagKeys, t.Key) })
		return nil
	})
	return &api.UntagResourceOutput{}, err
}
