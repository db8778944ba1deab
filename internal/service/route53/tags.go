package route53

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/route53"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// maxTags is how many tags a zone may have.
const maxTags = 10

// zoneOnly refuses the tags of health checks, of which there are none.
func zoneOnly(kind api.TagResourceType, id string) error {
	if kind == "healthcheck" {
		return awserr.Status(404, "NoSuchHealthCheck", "No health check exists with the specified ID: %s", id)
	}
	return nil
}

// ChangeTagsForResource tags a zone and takes tags away.
func (s *Service) ChangeTagsForResource(ctx context.Context, in *api.ChangeTagsForResourceInput) (*api.ChangeTagsForResourceOutput, error) {
	if err := zoneOnly(in.ResourceType, aws.Val(in.ResourceId)); err != nil {
		return nil, err
	}
	if len(in.AddTags)+len(in.RemoveTagKeys) == 0 {
		return nil, invalidInput("At least one tag must be added or removed.")
	}
	err := s.editZone(ctx, in.ResourceId, func(_ *store.Tx, _ store.Key, z *zone) error {
		z.Tags = slices.DeleteFunc(z.Tags, func(t tag) bool { return slices.Contains(in.RemoveTagKeys, t.Key) })
		for _, t := range in.AddTags {
			key, value := aws.Val(t.Key), aws.Val(t.Value)
			if i := slices.IndexFunc(z.Tags, func(have tag) bool { return have.Key == key }); i >= 0 {
				z.Tags[i].Value = value
				continue
			}
			z.Tags = append(z.Tags, tag{key, value})
		}
		if len(z.Tags) > maxTags {
			return invalidInput("A hosted zone can have at most %d tags.", maxTags)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.ChangeTagsForResourceOutput{}, nil
}

func (s *Service) tagSet(ctx context.Context, kind api.TagResourceType, id string) (*api.ResourceTagSet, error) {
	if err := zoneOnly(kind, id); err != nil {
		return nil, err
	}
	k, z, err := s.zone(ctx, &id)
	if err != nil {
		return nil, err
	}
	set := &api.ResourceTagSet{ResourceType: "hostedzone", ResourceId: &k.ID, Tags: []api.Tag{}}
	for _, t := range z.Tags {
		set.Tags = append(set.Tags, api.Tag{Key: &t.Key, Value: &t.Value})
	}
	return set, nil
}

// ListTagsForResource returns a zone's tags.
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	set, err := s.tagSet(ctx, in.ResourceType, aws.Val(in.ResourceId))
	return &api.ListTagsForResourceOutput{ResourceTagSet: set}, err
}

// ListTagsForResources returns the tags of several zones.
func (s *Service) ListTagsForResources(ctx context.Context, in *api.ListTagsForResourcesInput) (*api.ListTagsForResourcesOutput, error) {
	out := &api.ListTagsForResourcesOutput{ResourceTagSets: []api.ResourceTagSet{}}
	for _, id := range in.ResourceIds {
		set, err := s.tagSet(ctx, in.ResourceType, id)
		if err != nil {
			return nil, err
		}
		out.ResourceTagSets = append(out.ResourceTagSets, *set)
	}
	return out, nil
}
