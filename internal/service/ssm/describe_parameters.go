package ssm

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

const defaultDescribed = 50

// DescribeParameters lists parameters without their values.
func (s *Service) DescribeParameters(ctx context.Context, in *api.DescribeParametersInput) (*api.DescribeParametersOutput, error) {
	c := aws.CallFrom(ctx)
	match, err := matcher(in)
	if err != nil {
		return nil, err
	}
	rows, err := s.list(ctx, c)
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(r store.Row[parameter]) bool { return aws.Val(in.Shared) || !match(r.Value) })
	limit := defaultDescribed
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	rows, next, err := paginate(rows, in.NextToken, limit)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeParametersOutput{Parameters: []api.ParameterMetadata{}, NextToken: next}
	for _, r := range rows {
		p := r.Value
		m := api.ParameterMetadata{Name: &p.Name, ARN: aws.Ptr(parameterARN(c, p.Name)), Type: api.ParameterType(p.Type),
			LastModifiedDate: aws.Ptr(p.last().Modified), LastModifiedUser: aws.Ptr(p.last().By), Version: aws.Ptr(p.last().Number),
			Tier: api.ParameterTier(p.Tier), DataType: &p.DataType, Policies: []api.ParameterInlinePolicy{}}
		if p.Description != "" {
			m.Description = &p.Description
		}
		if p.AllowedPattern != "" {
			m.AllowedPattern = &p.AllowedPattern
		}
		if p.Type == string(api.ParameterTypeSecureString) {
			m.KeyId = aws.Ptr(defaultKey)
		}
		out.Parameters = append(out.Parameters, m)
	}
	return out, nil
}

// matcher makes one test of the two kinds of filters.
func matcher(in *api.DescribeParametersInput) (func(*parameter) bool, error) {
	filters := slices.Clone(in.ParameterFilters)
	for _, f := range in.Filters {
		filters = append(filters, api.ParameterStringFilter{Key: aws.Ptr(string(f.Key)), Option: aws.Ptr("BeginsWith"), Values: f.Values})
	}
	var tests []func(*parameter) bool
	for _, f := range filters {
		test, err := matcherOf(f)
		if err != nil {
			return nil, err
		}
		tests = append(tests, test)
	}
	return func(p *parameter) bool {
		return !slices.ContainsFunc(tests, func(t func(*parameter) bool) bool { return !t(p) })
	}, nil
}

func matcherOf(f api.ParameterStringFilter) (func(*parameter) bool, error) {
	field, err := fieldOf(aws.Val(f.Key))
	if err != nil {
		return nil, err
	}
	option := aws.Val(f.Option)
	if aws.Val(f.Key) == "Path" {
		return func(p *parameter) bool {
			return slices.ContainsFunc(f.Values, func(v string) bool {
				rest, ok := strings.CutPrefix(p.Name, strings.TrimSuffix(v, "/")+"/")
				return ok && (option == "Recursive" || !strings.Contains(rest, "/"))
			})
		}, nil
	}
	var compare func(have, want string) bool
	switch option {
	case "", "Equals":
		compare = func(have, want string) bool { return have == want }
	case "BeginsWith":
		compare = strings.HasPrefix
	case "Contains":
		compare = strings.Contains
	default:
		return nil, awserr.New("InvalidFilterOption", "The filter option %s is not valid.", option)
	}
	return func(p *parameter) bool {
		have, ok := field(p)
		return ok && (len(f.Values) == 0 || slices.ContainsFunc(f.Values, func(v string) bool { return compare(have, v) }))
	}, nil
}

func fieldOf(name string) (func(*parameter) (string, bool), error) {
	if tag, ok := strings.CutPrefix(name, "tag:"); ok {
		return func(p *parameter) (string, bool) { v, ok := p.Tags[tag]; return v, ok }, nil
	}
	switch name {
	case "Name", "Path":
		return func(p *parameter) (string, bool) { return p.Name, true }, nil
	case "Type":
		return func(p *parameter) (string, bool) { return p.Type, true }, nil
	case "Tier":
		return func(p *parameter) (string, bool) { return p.Tier, true }, nil
	case "DataType":
		return func(p *parameter) (string, bool) { return p.DataType, true }, nil
	}
	return nil, awserr.New("InvalidFilterKey", "The following filter key is not valid: %s", name)
}

// edit changes the tags of a parameter.
func (s *Service) edit(ctx context.Context, kind api.ResourceTypeForTagging, id *string, change func(map[string]string)) error {
	if kind != "Parameter" {
		return awserr.New("InvalidResourceType", "hardstand has resources of type Parameter only.")
	}
	k := key(aws.CallFrom(ctx), aws.Val(id))
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		p, err := parameters.Get(tx, k)
		if err != nil {
			return err
		}
		if p.Tags == nil {
			p.Tags = map[string]string{}
		}
		change(p.Tags)
		return parameters.Put(tx, k, p)
	})
	return orNoResource(err, aws.Val(id))
}

func orNoResource(err error, id string) error {
	if e := awserr.As(orNoParameter(err, id)); e != nil && e.Code == "ParameterNotFound" {
		return awserr.New("InvalidResourceId", "The resource ID %s is not valid. Verify that you entered the correct ID and try again.", id)
	}
	return err
}

// AddTagsToResource tags a parameter.
func (s *Service) AddTagsToResource(ctx context.Context, in *api.AddTagsToResourceInput) (*api.AddTagsToResourceOutput, error) {
	return &api.AddTagsToResourceOutput{}, s.edit(ctx, in.ResourceType, in.ResourceId, func(tags map[string]string) {
		for _, t := range in.Tags {
			tags[aws.Val(t.Key)] = aws.Val(t.Value)
		}
	})
}

// RemoveTagsFromResource takes tags from a parameter.
func (s *Service) RemoveTagsFromResource(ctx context.Context, in *api.RemoveTagsFromResourceInput) (*api.RemoveTagsFromResourceOutput, error) {
	return &api.RemoveTagsFromResourceOutput{}, s.edit(ctx, in.ResourceType, in.ResourceId, func(tags map[string]string) {
		for _, k := range in.TagKeys {
			delete(tags, k)
		}
	})
}

// ListTagsForResource returns the tags of a parameter.
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	var out *api.ListTagsForResourceOutput
	err := s.edit(ctx, in.ResourceType, in.ResourceId, func(tags map[string]string) {
		out = &api.ListTagsForResourceOutput{TagList: tagList(tags)}
	})
	return out, err
}
