package elbv2

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

const maxTags = 50

func judgeTags(tags map[string]string) error {
	own := 0
	for k := range tags {
		if !strings.HasPrefix(k, "aws:") {
			own++
		}
	}
	if own > maxTags {
		return awserr.New("TooManyTags", "The maximum number of tags has been reached")
	}
	return nil
}

// retag edits the tags of any resource.
func retag(ctx context.Context, tx *store.Tx, name string, edit func(tags *map[string]string) error) error {
	kind, _, ok := split(name)
	switch {
	case !ok:
		return invalid("'%s' is not a valid ARN", name)
	case kind == kindBalancer:
		return editTags(ctx, tx, balancers, kind, name, func(b *balancer) error { return edit(&b.Tags) })
	case kind == kindListener:
		return editTags(ctx, tx, listeners, kind, name, func(l *listener) error { return edit(&l.Tags) })
	case kind == kindGroup:
		return editTags(ctx, tx, groups, kind, name, func(g *group) error { return edit(&g.Tags) })
	case kind == kindRule:
		err := editTags(ctx, tx, rules, kind, name, func(r *rule) error { return edit(&r.Tags) })
		if !awserr.Is(err, "RuleNotFound") {
			return err
		}
		return editDefaultTags(ctx, tx, name, edit)
	}
	return notFound(kind, name)
}

func editTags[T any](ctx context.Context, tx *store.Tx, table *store.Table[T], kind, name string, edit func(*T) error) error {
	k, v, err := owned(ctx, tx, table, kind, name)
	if err != nil {
		return err
	}
	if err := edit(v); err != nil {
		return err
	}
	tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: signer, Resource: name, Kind: "tags", RequestID: aws.CallFrom(ctx).RequestID})
	return table.Put(tx, k, v)
}

func editDefaultTags(ctx context.Context, tx *store.Tx, name string, edit func(tags *map[string]string) error) error {
	k, err := openRule(name)
	if err != nil {
		return err
	}
	return editTags(ctx, tx, listeners, kindListener, listenerARN(at(k, parent(k.ID))), func(l *listener) error {
		if l.Default != arnEnd(k.ID) {
			return notFound(kindRule, name)
		}
		return edit(&l.DefaultTags)
	})
}

// AddTags adds tags to resources.
func (s *Service) AddTags(ctx context.Context, in *api.AddTagsInput) (*api.AddTagsOutput, error) {
	added, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		for _, name := range in.ResourceArns {
			err := retag(ctx, tx, name, func(tags *map[string]string) error {
				if *tags == nil {
					*tags = map[string]string{}
				}
				maps.Copy(*tags, added)
				return judgeTags(*tags)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return &api.AddTagsOutput{}, err
}

// RemoveTags removes tags from resources.
func (s *Service) RemoveTags(ctx context.Context, in *api.RemoveTagsInput) (*api.RemoveTagsOutput, error) {
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		for _, name := range in.ResourceArns {
			err := retag(ctx, tx, name, func(tags *map[string]string) error {
				for _, k := range in.TagKeys {
					delete(*tags, k)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return &api.RemoveTagsOutput{}, err
}

const maxTagged = 20

// DescribeTags lists the tags of resources.
func (s *Service) DescribeTags(ctx context.Context, in *api.DescribeTagsInput) (*api.DescribeTagsOutput, error) {
	if len(in.ResourceArns) > maxTagged {
		return nil, invalid("Cannot have more than %d resources described", maxTagged)
	}
	out := &api.DescribeTagsOutput{TagDescriptions: []api.TagDescription{}}
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		for _, name := range in.ResourceArns {
			tags, err := tagsOf(ctx, tx, name)
			if err != nil {
				return err
			}
			out.TagDescriptions = append(out.TagDescriptions, api.TagDescription{ResourceArn: &name, Tags: tagList(tags)})
		}
		return nil
	})
	return out, err
}

// tagsOf reads the tags of any resource.
func tagsOf(ctx context.Context, tx *store.Tx, name string) (map[string]string, error) {
	kind, k, ok := split(name)
	if !ok {
		return nil, invalid("'%s' is not a valid ARN", name)
	}
	switch kind {
	case kindBalancer:
		_, b, err := owned(ctx, tx, balancers, kind, name)
		return tagsIf(err, b, func(b *balancer) map[string]string { return b.Tags })
	case kindListener:
		_, l, err := owned(ctx, tx, listeners, kind, name)
		return tagsIf(err, l, func(l *listener) map[string]string { return l.Tags })
	case kindGroup:
		_, g, err := owned(ctx, tx, groups, kind, name)
		return tagsIf(err, g, func(g *group) map[string]string { return g.Tags })
	case kindRule:
		_, r, err := owned(ctx, tx, rules, kind, name)
		if !awserr.Is(err, "RuleNotFound") {
			return tagsIf(err, r, func(r *rule) map[string]string { return r.Tags })
		}
		_, l, missing := owned(ctx, tx, listeners, kindListener, listenerARN(at(k, parent(k.ID))))
		if missing == nil && l.Default == arnEnd(k.ID) {
			return l.DefaultTags, nil
		}
		return nil, err
	}
	return nil, notFound(kind, name)
}

func tagsIf[T any](err error, v *T, tags func(*T) map[string]string) (map[string]string, error) {
	if err != nil {
		return nil, err
	}
	return tags(v), nil
}

func tagList(tags map[string]string) []api.Tag {
	out := []api.Tag{}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, api.Tag{Key: &k, Value: aws.Ptr(tags[k])})
	}
	return out
}
