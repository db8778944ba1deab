package sns

import (
	"context"
	"maps"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

const maxTags = 50

func readTags(list []api.Tag) (map[string]string, error) {
	out := map[string]string{}
	for _, t := range list {
		if _, twice := out[aws.Val(t.Key)]; twice {
			return nil, invalid("Duplicated keys are not allowed.")
		}
		out[aws.Val(t.Key)] = aws.Val(t.Value)
	}
	return out, judgeTags(out)
}

func judgeTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return awserr.New("TagLimitExceeded", "Could not complete request: tag quota of per resource exceeded")
	}
	return nil
}

// TagResource adds tags to a topic.
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	given, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	err = s.retag(ctx, *in.ResourceArn, func(tags map[string]string) { maps.Copy(tags, given) })
	if err != nil {
		return nil, err
	}
	return &api.TagResourceOutput{}, nil
}

// UntagResource removes tags from a topic.
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	err := s.retag(ctx, *in.ResourceArn, func(tags map[string]string) {
		for _, k := range in.TagKeys {
			delete(tags, k)
		}
	})
	if err != nil {
		return nil, err
	}
	return &api.UntagResourceOutput{}, nil
}

func (s *Service) retag(ctx context.Context, resource string, edit func(map[string]string)) error {
	k, err := openTopic(resource)
	if err != nil {
		return err
	}
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		t, err := topics.Get(tx, k)
		if err != nil {
			return orNoResource(err)
		}
		if t.Tags == nil {
			t.Tags = map[string]string{}
		}
		edit(t.Tags)
		if err := judgeTags(t.Tags); err != nil {
			return err
		}
		emit(ctx, tx, k, "tagged")
		return topics.Put(tx, k, t)
	})
}

// ListTagsForResource returns a topic's tags.
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	k, err := openTopic(*in.ResourceArn)
	if err != nil {
		return nil, err
	}
	out := &api.ListTagsForResourceOutput{}
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		t, err := topics.Get(tx, k)
		if err != nil {
			return orNoResource(err)
		}
		out.Tags = tagList(t.Tags)
		return nil
	})
	return out, err
}

func tagList(tags map[string]string) []api.Tag {
	out := []api.Tag{}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, api.Tag{Key: aws.Ptr(k), Value: aws.Ptr(tags[k])})
	}
	return out
}
