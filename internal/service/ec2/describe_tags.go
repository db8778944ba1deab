package ec2

import (
	"context"
	"fmt"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/store"
)

// DescribeTags lists tags of all kinds of resources.
func (s *Service) DescribeTags(ctx context.Context, in *api.DescribeTagsInput) (*api.DescribeTagsOutput, error) {
	if err := checkFilters(in.Filters, "key", "value", "resource-id", "resource-type"); err != nil {
		return nil, err
	}
	c := aws.CallFrom(ctx)
	out := &api.DescribeTagsOutput{Tags: []api.TagDescription{}}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		return eachTagged(tx, c, func(kind, id string, tags map[string]string) {
			for _, t := range apiTags(tags) {
				f := fields{"key": {*t.Key}, "value": {*t.Value}, "resource-id": {id}, "resource-type": {kind}, "tag:" + *t.Key: {*t.Value}}
				if f.matches(in.Filters) {
					out.Tags = append(out.Tags, api.TagDescription{Key: t.Key, Value: t.Value, ResourceId: aws.Ptr(id), ResourceType: api.ResourceType(kind)})
				}
			}
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list tags: %w", err)
	}
	page, next, err := paginate(out.Tags, in.NextToken, in.MaxResults)
	out.Tags, out.NextToken = page, next
	return out, err
}

func eachTagged(tx *store.Tx, c aws.Call, f func(kind, id string, tags map[string]string)) error {
	sc := store.Scope{Account: c.Account, Region: c.Region}
	is, err := instances.List(tx, sc, "", 0)
	if err != nil {
		return err
	}
	for _, r := range is {
		f("instance", r.Key.ID, r.Value.Tags)
		if r.Value.State != stateTerminated {
			f("volume", r.Value.Root.ID, r.Value.Root.Tags)
			f("network-interface", r.Value.NIC.ID, r.Value.NIC.Tags)
		}
	}
	gs, err := securityGroups.List(tx, sc, "", 0)
	if err != nil {
		return err
	}
	for _, r := range gs {
		f("security-group", r.Key.ID, r.Value.Tags)
		for _, rule := range r.Value.Rules {
			f("security-group-rule", rule.ID, rule.Tags)
		}
	}
	ks, err := keyPairs.List(tx, sc, "", 0)
	if err != nil {
		return err
	}
	for _, r := range ks {
		f("key-pair", r.Key.ID, r.Value.Tags)
	}
	as, err := addresses.List(tx, sc, "", 0)
	if err != nil {
		return err
	}
	for _, r := range as {
		f("elastic-ip", r.Key.ID, r.Value.Tags)
	}
	vs, err := vpcs.List(tx, sc, "", 0)
	if err != nil {
		return err
	}
	for _, r := range vs {
		for id, tags := range r.Value.Tags {
			t, err := taggableOf(id)
			if err != nil {
				return err
			}
			f(t.kind, id, tags)
		}
	}
	return nil
}
