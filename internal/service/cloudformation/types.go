package cloudformation

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// typeARN is how the registry names a public type.
func typeARN(region, name string) string {
	return "arn:aws:cloudformation:" + region + "::type/resource/" + strings.ReplaceAll(name, "::", "-")
}

// ListTypes lists the resource types that templates may use, all of them public.
// Nothing can be registered here, so that there are no private ones, which are what
// the operation lists by default.
func (s *Service) ListTypes(ctx context.Context, in *api.ListTypesInput) (*api.ListTypesOutput, error) {
	filters := in.Filters
	if filters == nil {
		filters = &api.TypeFilters{}
	}
	var names []string
	public := in.Visibility == api.VisibilityPublic || filters.Category == api.CategoryAwsTypes
	mutable := in.ProvisioningType == "" || in.ProvisioningType == api.ProvisioningTypeFullyMutable
	if public && mutable && (in.Type == "" || in.Type == api.RegistryTypeResource) && in.DeprecatedStatus != api.DeprecatedStatusDeprecated &&
		filters.PublisherId == nil && (filters.Category == "" || filters.Category == api.CategoryAwsTypes) {
		for _, name := range slices.Sorted(maps.Keys(s.engine.Types())) {
			if strings.HasPrefix(name, aws.Val(filters.TypeNamePrefix)) {
				names = append(names, name)
			}
		}
	}
	list, next, err := pageOf(names, in.NextToken, in.MaxResults)
	out := &api.ListTypesOutput{NextToken: next, TypeSummaries: []api.TypeSummary{}}
	for _, name := range list {
		out.TypeSummaries = append(out.TypeSummaries, api.TypeSummary{Type: api.RegistryTypeResource, TypeName: &name,
			TypeArn: aws.Ptr(typeARN(aws.CallFrom(ctx).Region, name)), IsActivated: aws.Ptr(true)})
	}
	return out, err
}

// DescribeType describes a resource type: what templates may say of it here.
func (s *Service) DescribeType(ctx context.Context, in *api.DescribeTypeInput) (*api.DescribeTypeOutput, error) {
	region := aws.CallFrom(ctx).Region
	name := aws.Val(in.TypeName)
	if in.Arn != nil {
		for known := range s.engine.Types() {
			if typeARN(region, known) == *in.Arn {
				name = known
			}
		}
		if name == "" {
			name = *in.Arn
		}
	}
	if name == "" || in.Arn == nil && in.Type == "" {
		return nil, invalid("You must specify either Type and TypeName, or Arn")
	}
	if err := notBuilt(map[string]bool{"VersionId": in.VersionId != nil, "PublisherId": in.PublisherId != nil, "PublicVersionNumber": in.PublicVersionNumber != nil}); err != nil {
		return nil, err
	}
	if _, ok := s.engine.Types()[name]; !ok || in.Type != "" && in.Type != api.RegistryTypeResource {
		return nil, awserr.Status(http.StatusNotFound, "TypeNotFoundException", "The type '%s' cannot be found.", name)
	}
	schema, err := s.typeSchema(name, s.engine.Schema(name))
	if err != nil {
		return nil, err
	}
	return &api.DescribeTypeOutput{Arn: aws.Ptr(typeARN(region, name)), Type: api.RegistryTypeResource, TypeName: &name, Schema: &schema,
		ProvisioningType: api.ProvisioningTypeFullyMutable, DeprecatedStatus: api.DeprecatedStatusLive, Visibility: api.VisibilityPublic,
		IsActivated: aws.Ptr(true)}, nil
}

// typeSchema is a type's schema in the registry's form, without the types of its
// properties.
func (s *Service) typeSchema(name string, sc stack.Schema) (string, error) {
	pointers := func(names []string) []string {
		out := []string{}
		for _, n := range names {
			if !strings.HasSuffix(n, "*") {
				out = append(out, "/properties/"+strings.ReplaceAll(n, ".", "/"))
			}
		}
		return out
	}
	properties := map[string]any{}
	for _, p := range append(slices.Clone(sc.Properties), sc.Attributes...) {
		if top, _, _ := strings.Cut(p, "."); top != "*" {
			properties[top] = map[string]any{}
		}
	}
	schema := map[string]any{"typeName": name, "properties": properties, "additionalProperties": false, "required": append([]string{}, sc.Required...),
		"createOnlyProperties": pointers(sc.CreateOnly), "readOnlyProperties": pointers(sc.Attributes), "taggable": sc.Taggable}
	if id := s.identifierOf(name); id != "" {
		schema["primaryIdentifier"] = []string{"/properties/" + id}
	}
	text, err := json.Marshal(schema)
	if err != nil {
		return "", fmt.Errorf("encode the schema of %s: %w", name, err)
	}
	return string(text), nil
}
