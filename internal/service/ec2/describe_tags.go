package ec2

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

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
	page, next, err := paginate(out.Tags, func(i api.TagDescription) string { return *i.ResourceId + " " + *i.Key }, in.NextToken, in.MaxResults)
	out.Tags, out.NextToken = page, next
	return out, err
}

func eachTagged(tx *store.Tx, c aws.Call, f func(kind, id string, tags map[string]string)) error {
	return errors.Join(
		eachRow(tx, c, &instances, func(id string, r *instance) {
			f("instance", id, r.Tags)
			if r.State != stateTerminated {
				f("volume", r.Root.ID, r.Root.Tags)
				f("network-interface", r.NIC.ID, r.NIC.Tags)
			}
		}),
		eachRow(tx, c, &interfaces, func(id string, r *networkInterface) { f("network-interface", id, r.NIC.Tags) }),
		eachRow(tx, c, &securityGroups, func(id string, r *securityGroup) {
			f("security-group", id, r.Tags)
			for _, rule := range r.Rules {
				f("security-group-rule", rule.ID, rule.Tags)
			}
		}),
		eachRow(tx, c, &keyPairs, func(id string, r *keyPair) { f("key-pair", id, r.Tags) }),
		eachRow(tx, c, &addresses, func(id string, r *address) { f("elastic-ip", id, r.Tags) }),
		eachRow(tx, c, &natGateways, func(id string, r *natGateway) { f("natgateway", id, r.Tags) }),
		eachRow(tx, c, &gateways, func(id string, r *gateway) { f("internet-gateway", id, r.Tags) }),
		eachRow(tx, c, &launchTemplates, func(id string, r *launchTemplate) { f("launch-template", id, r.Tags) }),
		eachRow(tx, c, &vpcs, func(_ string, r *vpc) {
			for _, id := range slices.Sorted(maps.Keys(r.Tags)) {
				prefix, _, _ := strings.Cut(id, "-")
				f(taggables[prefix].kind, id, r.Tags[id])
			}
		}),
	)
}

func eachRow[T any](tx *store.Tx, c aws.Call, table *store.Table[T], f func(id string, r *T)) error {
	rows, err := table.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
	for _, r := range rows {
		f(r.Key.ID, r.Value)
	}
	return err
}
