package s3_test

import (
	"testing"

	"github.com/hardstand/hardstand/internal/stack/stacktest"
)

type object = map[string]any // a property with members

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
