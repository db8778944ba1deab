package autoscaling

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/store"
)

func describeTag(groupName string, t tag) api.TagDescription {
	return api.TagDescription{ResourceId: &groupName, ResourceType: ptr(groupResource), Key: &t.Key, Value: &t.Value, PropagateAtLaunch: &t.Propagate}
}

// taggedGroup is the group that a tag of a request belongs to.
func taggedGroup(tx *store.Tx, c aws.Call, t api.Tag) (store.Key, *group, error) {
	k := key(c, val(t.ResourceId))
	switch {
	case t.ResourceId == nil:
		return k, nil, invalid("Tag resource id must not be empty")
	case val(t.ResourceType) != groupResource:
		return k, nil, invalid("Unsupported resource type: %s", val(t.ResourceType))
	}
	g, err := groups.Get(tx, k)
	if isNotFound(err) {
		return k, nil, invalid("AutoScalingGroup not found - AutoScaling Group %s not found", k.ID)
	}
	return k, g, err
}

// CreateOrUpdateTags tags groups. Instances that run keep the tags they have.
func (s *Service) CreateOrUpdateTags(ctx context.Context, in *api.CreateOrUpdateTagsInput) (*api.CreateOrUpdateTagsOutput, error) {
	c := aws.CallFrom(ctx)
	return &api.CreateOrUpdateTagsOutput{}, s.update(ctx, func(tx *store.Tx) error {
		for _, t := range in.Tags {
			k, g, err := taggedGroup(tx, c, t)
			if err != nil {
				return err
			}
			if g.Tags, err = groupTags(c, g.Name, g.Tags, []api.Tag{t}); err != nil {
				return err
			}
			if err := groups.Put(tx, k, g); err != nil {
				return err
			}
		}
		return nil
	})
}

// DeleteTags takes tags from groups, where they have the value given.
func (s *Service) DeleteTags(ctx context.Context, in *api.DeleteTagsInput) (*api.DeleteTagsOutput, error) {
	c := aws.CallFrom(ctx)
	return &api.DeleteTagsOutput{}, s.update(ctx, func(tx *store.Tx) error {
		for _, t := range in.Tags {
			k, g, err := taggedGroup(tx, c, t)
			if err != nil {
				return err
			}
			g.Tags = slices.DeleteFunc(g.Tags, func(h tag) bool { return h.Key == val(t.Key) && (t.Value == nil || *t.Value == h.Value) })
			if err := groups.Put(tx, k, g); err != nil {
				return err
			}
		}
		return nil
	})
}

// DescribeTags lists the tags of all groups that satisfy the filters.
func (s *Service) DescribeTags(ctx context.Context, in *api.DescribeTagsInput) (*api.DescribeTagsOutput, error) {
	for _, f := range in.Filters {
		if !slices.Contains([]string{"auto-scaling-group", "key", "value", "propagate-at-launch"}, val(f.Name)) {
			return nil, invalid("Filter type %s is not correct. Allowed Filter types are: auto-scaling-group key value propagate-at-launch", val(f.Name))
		}
	}
	c := aws.CallFrom(ctx)
	out := &api.DescribeTagsOutput{Tags: []api.TagDescription{}}
	return out, s.view(ctx, func(tx *store.Tx) error {
		rows, err := groups.List(tx, scope(key(c, "")), "", 0)
		if err != nil {
			return err
		}
		for _, r := range rows {
			for _, t := range r.Value.Tags {
				if d := describeTag(r.Value.Name, t); tagMatches(in.Filters, &d) {
					out.Tags = append(out.Tags, d)
				}
			}
		}
		out.Tags, out.NextToken, err = page(out.Tags, in.NextToken, in.MaxRecords, maxPageSize, func(d api.TagDescription) string { return *d.ResourceId + "\x00" + *d.Key })
		return err
	})
}

func tagMatches(filters []api.Filter, d *api.TagDescription) bool {
	for _, f := range filters {
		value := map[string]string{"auto-scaling-group": *d.ResourceId, "key": *d.Key, "value": *d.Value, "propagate-at-launch": "false"}[*f.Name]
		if *f.Name == "propagate-at-launch" && *d.PropagateAtLaunch {
			value = "true"
		}
		if !slices.ContainsFunc(f.Values, func(v string) bool {
			return v == value || *f.Name == "propagate-at-launch" && strings.EqualFold(v, value)
		}) {
			return false
		}
	}
	return true
}
