package app

import (
	"slices"
	"testing"

	"github.com/hardstand/hardstand/internal/aws/resourceschema"
)

// taggedAnyway are types whose resources CloudFormation tags although their schemas
// do not say so: one is from before schemas did, the other's has an object without
// the member, whose default is true.
var taggedAnyway = []string{"AWS::ElasticLoadBalancing::LoadBalancer", "AWS::EC2::LaunchTemplate"}

// TestSchemas holds the resource types to AWS's schemas of them: each has one, has no
// property that AWS does not know, and leaves to it what it says.
func TestSchemas(t *testing.T) {
	for name, res := range resourceTypes() {
		if name == "AWS::CDK::Metadata" {
			continue // the CDK's own, without a schema
		}
		own, table := res.Schema(), resourceschema.Of(name)
		if table == nil {
			t.Errorf("%s: no schema: name it in internal/awsgen/resource_types.txt and run internal/awsgen -cfn-lint", name)
			continue
		}
		for _, p := range own.Properties {
			if table.Properties[p] == nil {
				t.Errorf("%s: AWS knows no property %s", name, p)
			}
		}
		for _, p := range own.CreateOnly {
			if slices.Contains(table.CreateOnly, p) {
				t.Errorf("%s: %s is create-only by AWS's schema already", name, p)
			}
		}
		for _, p := range own.Conditional {
			if slices.Contains(table.Conditional, p) {
				t.Errorf("%s: %s is conditional by AWS's schema already", name, p)
			}
		}
		if own.Taggable && (table.Tagging == nil || !table.Tagging.Taggable) && !slices.Contains(taggedAnyway, name) {
			t.Errorf("%s: is not taggable on AWS", name)
		}
	}
}
