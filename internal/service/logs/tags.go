package logs

import (
	"context"
	"maps"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

const maxTags = 50

func judgeTags(tags map[string]string) error {
	for k := range tags {
		if strings.HasPrefix(strings.ToLower(k), "aws:") && !strings.HasPrefix(k, "aws:cloudformation:") {
			return invalid("aws: prefixed tag key names are not allowed for external use.")
		}
	}
	return nil
}

func addTags(g *group, tags map[string]string) error {
	if err := judgeTags(tags); err != nil {
		return err
	}
	if g.Tags == nil {
		g.Tags = map[string]string{}
	}
	maps.Copy(g.Tags, tags)
	if len(g.Tags) > maxTags {
		return awserr.New("TooManyTagsException", "The maximum number of tags that can be applied to a resource is %d.", maxTags).
			With("resourceName", g.Name)
	}
	return nil
}

func removeTags(g *group, keys []string) {
	for _, k := range keys {
		delete(g.Tags, k)
	}
}

func (s *Service) tags(ctx context.Context, name string, notFound error) (map[string]string, error) {
	tags := map[string]string{}
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		g, err := groups.Get(tx, key(aws.CallFrom(ctx), name))
		if err == nil {
			maps.Copy(tags, g.Tags)
		}
		return or(err, notFound)
	})
	return tags, err
}

// tagged is the group that an ARN names.
func tagged(ctx context.Context, a *string) (string, error) {
	if !strings.HasPrefix(*a, "arn:") {
		return "", invalid("The specified resource ARN is invalid.")
	}
	name, err := groupOf(aws.CallFrom(ctx), *a)
	if err != nil {
		return "", errNoResource
	}
	return name, nil
}

// TagResource tags a group.
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	name, err := tagged(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &api.TagResourceOutput{}, s.change(ctx, name, "tags", errNoResource, func(g *group) error { return addTags(g, in.Tags) })
}

// UntagResource takes tags from a group.
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	name, err := tagged(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &api.UntagResourceOutput{}, s.change(ctx, name, "tags", errNoResource, func(g *group) error { removeTags(g, in.TagKeys); return nil })
}

// ListTagsForResource returns a group's tags.
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	name, err := tagged(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags, err := s.tags(ctx, name, errNoResource)
	return &api.ListTagsForResourceOutput{Tags: tags}, err
}

// TagLogGroup is the older TagResource.
func (s *Service) TagLogGroup(ctx context.Context, in *api.TagLogGroupInput) (*api.TagLogGroupOutput, error) {
	return &api.TagLogGroupOutput{}, s.change(ctx, *in.LogGroupName, "tags", errNoGroup, func(g *group) error { return addTags(g, in.Tags) })
}

// UntagLogGroup is the older UntagResource.
func (s *Service) UntagLogGroup(ctx context.Context, in *api.UntagLogGroupInput) (*api.UntagLogGroupOutput, error) {
	return &api.UntagLogGroupOutput{}, s.change(ctx, *in.LogGroupName, "tags", errNoGroup, func(g *group) error { removeTags(g, in.Tags); return nil })
}

// ListTagsLogGroup is the older ListTagsForResource.
func (s *Service) ListTagsLogGroup(ctx context.Context, in *api.ListTagsLogGroupInput) (*api.ListTagsLogGroupOutput, error) {
	tags, err := s.tags(ctx, *in.LogGroupName, errNoGroup)
	return &api.ListTagsLogGroupOutput{Tags: tags}, err
}
