package cloudwatch

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

const maxTags = 50

// addTags returns have with more tags.
func addTags(have map[string]string, more []api.Tag) (map[string]string, error) {
	out := maps.Clone(have)
	if out == nil {
		out = map[string]string{}
	}
	for _, t := range more {
		if strings.HasPrefix(strings.ToLower(*t.Key), "aws:") && !strings.HasPrefix(*t.Key, "aws:cloudformation:") {
			return nil, invalidValue("Tag keys that begin with aws: are reserved.")
		}
		out[*t.Key] = *t.Value
	}
	if len(out) > maxTags {
		return nil, invalidValue("A resource has at most %d tags.", maxTags)
	}
	return out, nil
}

func tagList(tags map[string]string) []api.Tag {
	out := []api.Tag{}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, api.Tag{Key: aws.Ptr(k), Value: aws.Ptr(tags[k])})
	}
	return out
}

// retag changes the tags of the alarm or dashboard that an ARN names.
func (s *Service) retag(ctx context.Context, resource string, change func(map[string]string) (map[string]string, error)) error {
	c := aws.CallFrom(ctx)
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		if name, ok := strings.CutPrefix(resource, dashboardARN(c.Account, "")); ok {
			k := dashboardKey(c, name)
			d, err := dashboards.Get(tx, k)
			if err != nil {
				return err
			}
			if d.Tags, err = change(d.Tags); err != nil {
				return err
			}
			return dashboards.Put(tx, k, d)
		}
		name, ok := strings.CutPrefix(resource, alarmARN(key(c, "")))
		if !ok {
			return invalidValue("The value %s for parameter ResourceARN is invalid.", resource)
		}
		a, err := alarms.Get(tx, key(c, name))
		if err != nil {
			return err
		}
		if a.Tags, err = change(a.Tags); err != nil {
			return err
		}
		return alarms.Put(tx, key(c, name), a)
	})
	if isNotFound(err) {
		return awserr.Status(404, "ResourceNotFoundException", "Unknown resource %s", resource)
	}
	return err
}

// TagResource tags an alarm or a dashboard.
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	return &api.TagResourceOutput{}, s.retag(ctx, *in.ResourceARN, func(tags map[string]string) (map[string]string, error) { return addTags(tags, in.Tags) })
}

// UntagResource takes tags from an alarm or a dashboard.
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	return &api.UntagResourceOutput{}, s.retag(ctx, *in.ResourceARN, func(tags map[string]string) (map[string]string, error) {
		for _, k := range in.TagKeys {
			delete(tags, k)
		}
		return tags, nil
	})
}

// ListTagsForResource returns the tags of an alarm or a dashboard.
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	var out *api.ListTagsForResourceOutput
	err := s.retag(ctx, *in.ResourceARN, func(tags map[string]string) (map[string]string, error) {
		out = &api.ListTagsForResourceOutput{Tags: tagList(tags)}
		return tags, nil
	})
	return out, err
}
