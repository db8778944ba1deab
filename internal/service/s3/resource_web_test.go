package s3_test

import (
	"testing"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
)

type object = map[string]any // a property with members

// TestOwnershipRules gives a bucket's template more rules than a bucket has, and none.
func TestOwnershipRules(t *testing.T) {
	s := newSystem(t)
	one := object{"ObjectOwnership": "ObjectWriter"}
	for name, rules := range map[string][]any{"two-rules": {one, one}, "no-rules": {}} {
		_, err := s.service.Resources(s.server)["AWS::S3::Bucket"].Create(as(t, "AKIAROOT"), stack.Request{
			Region: "us-east-1", Properties: object{"BucketName": name, "OwnershipControls": object{"Rules": rules}},
		}, func(string) {})
		if !awserr.Is(err, "MalformedXML") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWebResources holds the properties for browsers to the engine's contract, drift
// included.
func TestWebResources(t *testing.T) {
	s := newSystem(t)
	types := s.service.Resources(s.server)
	stacktest.Conform(t, stacktest.Case{
		Resource: types["AWS::S3::Bucket"], Type: "AWS::S3::Bucket", Context: as(t, "AKIAROOT"),
		Properties: object{
			"CorsConfiguration": object{"CorsRules": []any{object{"Id": "one", "AllowedMethods": []any{"GET", "PUT"}, "AllowedOrigins": []any{"*"},
				"AllowedHeaders": []any{"x-*"}, "ExposedHeaders": []any{"ETag"}, "MaxAge": "3000"}}},
			"WebsiteConfiguration": object{"IndexDocument": "i", "ErrorDocument": "e", "RoutingRules": []any{object{
				"RedirectRule": object{"HostName": "h", "HttpRedirectCode": "302", "Protocol": "https"}, "RoutingRuleCondition": object{"KeyPrefixEquals": "x"}}}},
		},
		Changed: object{"WebsiteConfiguration": object{"RedirectAllRequestsTo": object{"HostName": "www.example.com", "Protocol": "https"}}},
	})
}
