package cloudformation_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
)

func TestTypes(t *testing.T) {
	l := newLab(t)
	list := func(in *api.ListTypesInput) (names []string) {
		t.Helper()
		for _, s := range must[api.ListTypesOutput](l, "ListTypes", in).TypeSummaries {
			names = append(names, *s.TypeName)
		}
		return names
	}
	if names := list(&api.ListTypesInput{}); len(names) > 0 {
		t.Errorf("private types %v", names)
	}
	public := list(&api.ListTypesInput{Visibility: "PUBLIC", Filters: &api.TypeFilters{TypeNamePrefix: aws.Ptr("Test::")}})
	if diff := cmp.Diff([]string{"Test::Fake::Role", "Test::Fake::Thing"}, public); diff != "" {
		t.Error(diff)
	}
	if names := list(&api.ListTypesInput{Visibility: "PUBLIC", Type: "HOOK"}); len(names) > 0 {
		t.Errorf("hooks %v", names)
	}
	first := must[api.ListTypesOutput](l, "ListTypes", &api.ListTypesInput{Visibility: "PUBLIC", MaxResults: aws.Ptr[int32](1)})
	if len(first.TypeSummaries) != 1 || first.NextToken == nil {
		t.Errorf("a page of one %+v", first)
	}
	d := must[api.DescribeTypeOutput](l, "DescribeType", &api.DescribeTypeInput{Type: "RESOURCE", TypeName: aws.Ptr("Test::Fake::Thing")})
	var schema struct {
		TypeName             string
		Properties           map[string]any
		CreateOnlyProperties []string
		PrimaryIdentifier    []string
	}
	if err := json.Unmarshal([]byte(*d.Schema), &schema); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/properties/Name", "/properties/Kind"}, schema.CreateOnlyProperties); diff != "" || schema.Properties["Value"] == nil || schema.PrimaryIdentifier[0] != "/properties/Name" {
		t.Errorf("%+v %s", schema, diff)
	}
	if again := must[api.DescribeTypeOutput](l, "DescribeType", &api.DescribeTypeInput{Arn: d.Arn}); *again.TypeName != "Test::Fake::Thing" {
		t.Errorf("by ARN %+v", again)
	}
	for _, c := range []struct {
		name          string
		in            *api.DescribeTypeInput
		code, message string
	}{
		{"absent", &api.DescribeTypeInput{Type: "RESOURCE", TypeName: aws.Ptr("AWS::No::Such")}, "TypeNotFoundException", "The type 'AWS::No::Such' cannot be found."},
		{"hook", &api.DescribeTypeInput{Type: "HOOK", TypeName: aws.Ptr("Test::Fake::Thing")}, "TypeNotFoundException", ""},
		{"nothing", &api.DescribeTypeInput{}, "ValidationError", "You must specify either Type and TypeName, or Arn"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := call[api.DescribeTypeOutput](l, "DescribeType", c.in)
			wantError(t, err, c.code, c.message)
		})
	}
}
