package app

import (
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws/resourceschema"
	"github.com/hardstand/hardstand/internal/stack"
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

// attributesOut are what AWS's schemas say is read-only and that no type here has: of
// features that are not offered, or none that Fn::GetAtt is documented to give.
var attributesOut = map[string][]string{
	"AWS::EC2::Instance":         {"State"},
	"AWS::EC2::NatGateway":       {"AutoProvisionZones", "AutoScalingIps", "RouteTableId"}, // regional gateways
	"AWS::EC2::NetworkInterface": {"PublicIpDnsNameOptions"},
	"AWS::EC2::Subnet":           {"BlockPublicAccessStates"},
	"AWS::EC2::VPCCidrBlock":     {"IpSource", "Ipv6AddressAttribute"},
}

// TestAttributes demands each attribute that AWS's schema of a type gives.
func TestAttributes(t *testing.T) {
	types := stack.Registry(resourceTypes())
	for name := range types {
		table := resourceschema.Of(name)
		if table == nil {
			continue
		}
		own := types.Schema(name)
		for _, path := range table.ReadOnly {
			attribute := strings.ReplaceAll(path, "/", ".")
			// What a property is made of is an attribute only of buckets, whose tables are out.
			if name == "AWS::S3::Bucket" && strings.HasPrefix(attribute, "Metadata") || strings.Contains(attribute, "*") {
				continue
			}
			if own.HasAttribute(attribute) == slices.Contains(attributesOut[name], attribute) {
				t.Errorf("%s: attribute %s: have it or name it in attributesOut, not both", name, attribute)
			}
		}
	}
}
