package ssm

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/pages"
	"github.com/hardstand/hardstand/internal/store"
)

const defaultDescribed = 10

var keysDescribed = []string{"Path", "Name", "Type", "KeyId", "Tier"}

// DescribeParameters lists parameters without their values.
func (s *Service) DescribeParameters(ctx context.Context, in *api.DescribeParametersInput) (*api.DescribeParametersOutput, error) {
	match, err := described(in)
	if err != nil {
		return nil, err
	}
	list, err := s.list(ctx)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(p *parameter) bool { return aws.Val(in.Shared) || !match(p) })
	list, next, ok := pages.Cut(list, in.NextToken, pages.Limit(in.MaxResults, defaultDescribed))
	if !ok {
		return nil, errToken
	}
	out := &api.DescribeParametersOutput{Parameters: []api.ParameterMetadata{}, NextToken: next}
	for _, p := range list {
		out.Parameters = append(out.Parameters, api.ParameterMetadata{Name: &p.Name, ARN: aws.Ptr(parameterARN(aws.CallFrom(ctx), p.Name)),
			Type: api.ParameterType(p.Type), KeyId: keyOf(p.Type), LastModifiedDate: aws.Ptr(p.last().Modified), LastModifiedUser: aws.Ptr(p.last().By),
			Description: orNil(p.Description), AllowedPattern: orNil(p.AllowedPattern), Version: aws.Ptr(p.last().Number),
			Tier: api.ParameterTier(p.Tier), DataType: &p.DataType, Policies: policyViews(p.Policies)})
	}
	return out, nil
}

// described is the test that either kind of filters makes; the older kind looks at
// the beginning.
func described(in *api.DescribeParametersInput) (test, error) {
	if len(in.Filters) > 0 && len(in.ParameterFilters) > 0 {
		return nil, invalid("You can use either Filters or ParameterFilters in a single request.")
	}
	filters := in.ParameterFilters
	for _, f := range in.Filters {
		filters = append(filters, api.ParameterStringFilter{Key: aws.Ptr(string(f.Key)), Option: aws.Ptr("BeginsWith"), Values: f.Values})
	}
	return matcher(filters, append(keysDescribed, dataTypeKey(filters)...), true)
}

// dataTypeKey allows the key DataType, of which AWS's message about keys is silent.
func dataTypeKey(filters []api.ParameterStringFilter) []string {
	if slices.ContainsFunc(filters, func(f api.ParameterStringFilter) bool { return aws.Val(f.Key) == "DataType" }) {
		return []string{"DataType"}
	}
	return nil
}

func judgeTagged(kind api.ResourceTypeForTagging) error {
	if kind != "Parameter" {
		return awserr.New("InvalidResourceType", "hardstand has resources of type Parameter only.")
	}
	return nil
}

// edit changes the tags of a parameter.
func (s *Service) edit(ctx context.Context, kind api.ResourceTypeForTagging, id *string, change func(map[string]string)) error {
	if err := judgeTagged(kind); err != nil {
		return err
	}
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		k, p, err := find(tx, aws.CallFrom(ctx), aws.Val(id))
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
	if err := judgeTagged(in.ResourceType); err != nil {
		return nil, err
	}
	out := &api.ListTagsForResourceOutput{}
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		_, p, err := find(tx, aws.CallFrom(ctx), aws.Val(in.ResourceId))
		if err == nil {
			out.TagList = tagList(p.Tags)
		}
		return err
	})
	if err != nil {
		return nil, orNoResource(err, aws.Val(in.ResourceId))
	}
	return out, nil
}
