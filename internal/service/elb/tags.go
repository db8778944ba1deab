package elb

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elb"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

const maxTags = 50

// newTags puts tags over old ones. Only stacks may use AWS's own keys.
func newTags(ctx context.Context, old map[string]string, add []api.Tag) (map[string]string, error) {
	out := maps.Clone(old)
	if out == nil {
		out = map[string]string{}
	}
	seen := map[string]bool{}
	for _, t := range add {
		key := aws.Val(t.Key)
		if seen[key] {
			return nil, awserr.New("DuplicateTagKeys", "Tag key was specified more than once: %s", key)
		}
		if strings.HasPrefix(strings.ToLower(key), "aws:") && !slices.Contains(aws.CallFrom(ctx).Via, "cloudformation.amazonaws.com") {
			return nil, errValidation("aws: prefixed tag key names are not allowed for external use.")
		}
		seen[key], out[key] = true, aws.Val(t.Value)
	}
	own := 0
	for key := range out {
		if !strings.HasPrefix(key, "aws:") {
			own++
		}
	}
	if own > maxTags {
		return nil, awserr.New("TooManyTags", "The quota for the number of tags that can be assigned to a load balancer has been reached")
	}
	return out, nil
}

// AddTags adds tags to a balancer or changes them.
func (s *Service) AddTags(ctx context.Context, in *api.AddTagsInput) (*api.AddTagsOutput, error) {
	err := s.retag(ctx, in.LoadBalancerNames, func(b *balancer) (err error) {
		b.Tags, err = newTags(ctx, b.Tags, in.Tags)
		return err
	})
	return &api.AddTagsOutput{}, err
}

// RemoveTags removes tags by their keys.
func (s *Service) RemoveTags(ctx context.Context, in *api.RemoveTagsInput) (*api.RemoveTagsOutput, error) {
	err := s.retag(ctx, in.LoadBalancerNames, func(b *balancer) error {
		for _, t := range in.Tags {
			delete(b.Tags, aws.Val(t.Key))
		}
		return nil
	})
	return &api.RemoveTagsOutput{}, err
}

// retag edits the tags of the one balancer that AWS allows to be named.
func (s *Service) retag(ctx context.Context, names []string, edit func(*balancer) error) error {
	if len(names) != 1 {
		return errValidation("Exactly one load balancer name must be specified")
	}
	k := keyOf(ctx, names[0])
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		b, err := get(tx, k)
		if err != nil {
			return err
		}
		if err := edit(b); err != nil {
			return err
		}
		emit(ctx, tx, k, "tags", aws.CallFrom(ctx).Operation)
		return balancers.Put(tx, k, b)
	})
}

// DescribeTags lists the tags of balancers.
func (s *Service) DescribeTags(ctx context.Context, in *api.DescribeTagsInput) (*api.DescribeTagsOutput, error) {
	out := &api.DescribeTagsOutput{TagDescriptions: []api.TagDescription{}}
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		for _, name := range in.LoadBalancerNames {
			b, err := get(tx, keyOf(ctx, name))
			if err != nil {
				return err
			}
			d := api.TagDescription{LoadBalancerName: aws.Ptr(name), Tags: []api.Tag{}}
			for _, key := range slices.Sorted(maps.Keys(b.Tags)) {
				d.Tags = append(d.Tags, api.Tag{Key: aws.Ptr(key), Value: aws.Ptr(b.Tags[key])})
			}
			out.TagDescriptions = append(out.TagDescriptions, d)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
