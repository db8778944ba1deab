package codedeploy

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	maxTags     = 50 // of a resource
	maxTagKey   = 128
	maxTagValue = 256
)

// addTags returns old with the tags given.
func addTags(old map[string]string, add []api.Tag) (map[string]string, error) {
	out := maps.Clone(old)
	if out == nil && len(add) > 0 {
		out = map[string]string{}
	}
	for _, t := range add {
		k := aws.Val(t.Key)
		if k == "" || len(k) > maxTagKey || len(aws.Val(t.Value)) > maxTagValue {
			return nil, awserr.New("InvalidTagsToAddException", "The specified tags are not valid: a key has 1 to 128 characters, a value at most 256.")
		}
		out[k] = aws.Val(t.Value)
	}
	if len(out) > maxTags {
		return nil, awserr.New("InvalidTagsToAddException", "The specified tags are not valid: a resource has at most %d.", maxTags)
	}
	return out, nil
}

// tagged is a resource with tags: put stores it with others.
type tagged struct {
	tags map[string]string
	put  func(tags map[string]string) error
}

// findTagged finds the application or deployment group of an ARN.
func findTagged(tx *store.Tx, c aws.Call, resource *string) (tagged, error) {
	if aws.Val(resource) == "" {
		return tagged{}, awserr.New("ResourceArnRequiredException", "The ARN of a resource is required, but was not found.")
	}
	a, err := arn.Parse(*resource)
	if err != nil {
		return tagged{}, awserr.New("InvalidArnException", "The specified ARN is not in a valid format.")
	}
	kind, name, _ := strings.Cut(a.Resource, ":")
	if a.Service != "codedeploy" || a.Account != c.Account || a.Region != c.Region || kind != "application" && kind != "deploymentgroup" {
		return tagged{}, awserr.New("ArnNotSupportedException", "The specified ARN is not supported. For example, it might be an ARN for a resource that is not expected.")
	}
	appName, groupName, _ := strings.Cut(name, "/")
	app, err := findApplication(tx, c, appName)
	if err != nil {
		return tagged{}, err
	}
	if kind == "application" {
		return tagged{app.Tags, func(t map[string]string) error {
			app.Tags = t
			return applications.Put(tx, key(c, app.ID), app)
		}}, nil
	}
	g, err := findGroup(tx, app, groupName)
	if err != nil {
		return tagged{}, err
	}
	return tagged{g.Tags, func(t map[string]string) error {
		g.Tags = t
		return groups.Put(tx, key(c, g.ID), g)
	}}, nil
}

// TagResource adds or replaces tags.
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	c := aws.CallFrom(ctx)
	if len(in.Tags) == 0 {
		return nil, errTagRequired
	}
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		r, err := findTagged(tx, c, in.ResourceArn)
		if err != nil {
			return err
		}
		tags, err := addTags(r.tags, in.Tags)
		if err != nil {
			return err
		}
		return r.put(tags)
	})
	if err != nil {
		return nil, err
	}
	return &api.TagResourceOutput{}, nil
}

// UntagResource removes tags.
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	c := aws.CallFrom(ctx)
	if len(in.TagKeys) == 0 {
		return nil, errTagRequired
	}
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		r, err := findTagged(tx, c, in.ResourceArn)
		if err != nil {
			return err
		}
		tags := maps.Clone(r.tags)
		for _, k := range in.TagKeys {
			delete(tags, k)
		}
		return r.put(tags)
	})
	if err != nil {
		return nil, err
	}
	return &api.UntagResourceOutput{}, nil
}

// ListTagsForResource returns all tags of a resource.
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	c := aws.CallFrom(ctx)
	if aws.Val(in.NextToken) != "" {
		return nil, errInvalidNextToken // one answer has them all, and no token
	}
	return view(ctx, s, func(tx *store.Tx) (*api.ListTagsForResourceOutput, error) {
		r, err := findTagged(tx, c, in.ResourceArn)
		if err != nil {
			return nil, err
		}
		out := &api.ListTagsForResourceOutput{Tags: []api.Tag{}}
		for _, k := range slices.Sorted(maps.Keys(r.tags)) {
			out.Tags = append(out.Tags, api.Tag{Key: aws.Ptr(k), Value: aws.Ptr(r.tags[k])})
		}
		return out, nil
	})
}
