package sqs

import (
	"context"
	"maps"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/store"
)

const maxTags = 50

func judgeTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return errValue("Too many tags added for queue: the limit is %d.", maxTags)
	}
	for k, v := range tags {
		if k == "" || len([]rune(k)) > 128 || len([]rune(v)) > 256 {
			return errValue("Tag keys must be between 1 and 128 characters in length, tag values at most 256.")
		}
	}
	return nil
}

// TagQueue adds tags.
func (s *Service) TagQueue(ctx context.Context, in *api.TagQueueInput) (*api.TagQueueOutput, error) {
	_, err := s.change(ctx, aws.Val(in.QueueUrl), "tagged", func(_ *store.Tx, _ store.Key, q *queue) error {
		all := map[string]string{}
		maps.Copy(all, q.Tags)
		maps.Copy(all, in.Tags)
		q.Tags = all
		if len(in.Tags) == 0 {
			return errMissing("Tags")
		}
		return judgeTags(all)
	})
	if err != nil {
		return nil, err
	}
	return &api.TagQueueOutput{}, nil
}

// UntagQueue removes tags.
func (s *Service) UntagQueue(ctx context.Context, in *api.UntagQueueInput) (*api.UntagQueueOutput, error) {
	_, err := s.change(ctx, aws.Val(in.QueueUrl), "untagged", func(_ *store.Tx, _ store.Key, q *queue) error {
		if len(in.TagKeys) == 0 {
			return errValue("Tag keys can't be empty.")
		}
		for _, k := range in.TagKeys {
			delete(q.Tags, k)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.UntagQueueOutput{}, nil
}

// ListQueueTags returns a queue's tags.
func (s *Service) ListQueueTags(ctx context.Context, in *api.ListQueueTagsInput) (*api.ListQueueTagsOutput, error) {
	_, q, err := s.find(ctx, *in.QueueUrl)
	if err != nil {
		return nil, err
	}
	out := &api.ListQueueTagsOutput{}
	if len(q.Tags) > 0 {
		out.Tags = q.Tags
	}
	return out, nil
}
