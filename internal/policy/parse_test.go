package policy

import (
	"errors"
	"strings"
	"testing"
)

// TestRefusals holds IAM's words for documents that it refuses.
func TestRefusals(t *testing.T) {
	stmt := func(s string) string { return `{"Version":"2012-10-17","Statement":[` + s + `]}` }
	cases := []struct {
		name string
		kind Kind
		text string
		want string // "" accepts
	}{
		{"accepted", Identity, stmt(`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`), ""},
		{"one statement without list", Identity, `{"Statement":{"Effect":"Deny","NotAction":["iam:*"],"NotResource":["arn:aws:s3:::b"]}}`, ""},
		{"not JSON", Identity, `{`, syntaxText},
		{"empty", Identity, ``, syntaxText},
		{"text behind", Identity, stmt(`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`) + "x", syntaxText},
		{"a list", Identity, `[]`, syntaxText},
		{"nested without end", Identity, strings.Repeat("[", 100000), syntaxText},
		{"no statement", Identity, `{"Version":"2012-10-17"}`, syntaxText},
		{"version", Identity, `{"Version":"2013-10-17","Statement":[]}`, "Policy document must be version 2012-10-17 or greater."},
		{"unknown element", Identity, stmt(`{"Effect":"Allow","Action":"s3:*","Resource":"*","Extra":1}`), syntaxText},
		{"element twice", Identity, stmt(`{"Effect":"Allow","Effect":"Deny","Action":"s3:*","Resource":"*"}`), syntaxText},
		{"effect", Identity, stmt(`{"Effect":"allow","Action":"s3:*","Resource":"*"}`), legacyText},
		{"no action", Identity, stmt(`{"Effect":"Allow","Resource":"*"}`), "Policy statement must contain actions."},
		{"empty actions", Identity, stmt(`{"Effect":"Allow","Action":[],"Resource":"*"}`), "Policy statement must contain actions."},
		{"action and not action", Identity, stmt(`{"Effect":"Allow","Action":"s3:*","NotAction":"s3:Get*","Resource":"*"}`), syntaxText},
		{"action without vendor", Identity, stmt(`{"Effect":"Allow","Action":"GetObject","Resource":"*"}`), vendorText},
		{"no resource", Identity, stmt(`{"Effect":"Allow","Action":"s3:*"}`), "Policy statement must contain resources."},
		{"resource not ARN", Identity, stmt(`{"Effect":"Allow","Action":"s3:*","Resource":"bucket"}`), `Resource bucket must be in ARN format or "*".`},
		{"resource short ARN", Identity, stmt(`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::"}`), ""},
		{"partition", Identity, stmt(`{"Effect":"Allow","Action":"s3:*","Resource":"arn:azure:s3:::b"}`), `Partition "azure" is not valid for resource "arn:azure:s3:::b".`},
		{"region in a bucket's ARN", Identity, stmt(`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:us-east-1::b"}`), "Resource arn:aws:s3:us-east-1::b can not contain region information."},
		{"principal in identity policy", Identity, stmt(`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}`), "Policy document should not specify a principal."},
		{"Sid form", Identity, stmt(`{"Sid":"a b","Effect":"Allow","Action":"s3:*","Resource":"*"}`), "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"},
		{"Sid twice", Identity, stmt(`{"Sid":"a","Effect":"Allow","Action":"s3:*","Resource":"*"},{"Sid":"a","Effect":"Allow","Action":"s3:*","Resource":"*"}`), "Statement IDs (SID) in a single policy must be unique."},
		{"no Sid twice", Identity, stmt(`{"Effect":"Allow","Action":"s3:*","Resource":"*"},{"Effect":"Allow","Action":"s3:*","Resource":"*"}`), ""},
		{"operator", Identity, stmt(`{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringSounds":{"aws:username":"a"}}}`), syntaxText},
		{"condition key", Identity, stmt(`{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringLike":{"username":"a"}}}`), ""},
		{"not JSON, trust", Trust, `{`, "This policy contains invalid Json"},
		{"operator, bucket", Resource, stmt(`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"StringSounds":{"aws:username":"a"}}}`), "Invalid Condition type : StringSounds."},
		{"condition key, bucket", Resource, stmt(`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"StringLike":{"username":"a"}}}`), vendorText},
		{"operator without keys", Identity, stmt(`{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"a":{}}}`), ""},
		{"action with spaces", Identity, stmt(`{"Effect":"Allow","Action":"iam: of some kind ","Resource":"*"}`), ""},
		{"vendor with a dot", Identity, stmt(`{"Effect":"Allow","Action":"s3.s:ListBucket","Resource":"*"}`), ""},
		{"empty action", Identity, stmt(`{"Effect":"Allow","NotAction":"","Resource":"*"}`), vendorText},
		{"vendor with a space", Identity, stmt(`{"Effect":"Allow","Action":"a a:ListBucket","Resource":"*"}`), "Vendor a a is not valid"},
		{"two colons", Identity, stmt(`{"Effect":"Allow","Action":"s3:List:Bucket","Resource":"*"}`), "Actions/Condition can contain only one colon."},
		{"resource before action", Identity, stmt(`{"Effect":"Allow","Action":"s:3:ListBucket","Resource":"sdfsadf"}`), `Resource sdfsadf must be in ARN format or "*".`},
		{"empty resource", Identity, stmt(`{"Effect":"Allow","Action":"s3:*","Resource":""}`), `Resource  must be in ARN format or "*".`},
		{"two parts", Identity, stmt(`{"Effect":"Allow","NotAction":"s3:*","Resource":"a:b"}`), `Partition "b" is not valid for resource "arn:b:*:*:*:*".`},
		{"eight parts", Identity, stmt(`{"Effect":"Allow","NotAction":"s3:*","Resource":"a:b:c:d:e:f:g:h"}`), `Partition "b" is not valid for resource "arn:b:c:d:e:f:g:h".`},
		{"no arn", Identity, stmt(`{"Effect":"Allow","Action":"s3:*","Resource":"aws:s3:::bucket"}`), `Partition "s3" is not valid for resource "arn:s3:::bucket:*".`},
		{"partition alone", Identity, stmt(`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws"}`), "Resource vendor must be fully qualified and cannot contain regexes."},
		{"short ARN", Identity, stmt(`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:something"}`), ""},
		{"short bucket's ARN", Identity, stmt(`{"Effect":"Allow","Resource":"arn:aws:s3::bucket"}`), legacyText},
		{"no such thing of IAM", Identity, stmt(`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:iam:::thing"}`), `IAM resource path must either be "*", root, or start with ` + iamPaths + "."},
		{"things of IAM", Identity, stmt(`{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:iam:::user/a","arn:aws:iam::*:root","arn:aws:iam::123456789012:*","arn:aws:iam::123456789012:us*","arn:aws:iam::123456789012:role/x/*"]}`), ""},
		{"opposites", Identity, stmt(`{"Effect":"Allow","NotAction":"s3:*","Resource":"*","NotResource":[]}`), syntaxText},
		{"date", Identity, stmt(`{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"DateGreaterThan":{"a":"sdfdsf"}}}`), legacyText},
		{"Sid twice before what is missing", Identity, stmt(`{"Sid":"a","Effect":"Allow","Action":"s3:*","Resource":"*"},{"Sid":"a","Effect":"Allow"}`), "Statement IDs (SID) in a single policy must be unique."},
		{"trust", Trust, stmt(`{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}`), ""},
		{"trust with resource", Trust, stmt(`{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole","Resource":"*"}`), "Has prohibited field Resource"},
		{"trust without principal", Trust, stmt(`{"Effect":"Allow","Action":"sts:AssumeRole"}`), "Missing required field Principal"},
		{"trust of another action", Trust, stmt(`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject"}`), "AssumeRole policy may only specify STS AssumeRole actions."},
		{"service principal", Trust, stmt(`{"Effect":"Allow","Principal":{"Service":"ec2"},"Action":"sts:AssumeRole"}`), `Invalid principal in policy: "SERVICE":"ec2"`},
		{"principal pattern", Resource, stmt(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/*"},"Action":"s3:*","Resource":"*"}`), `Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:user/*"`},
		{"allow with NotPrincipal", Resource, stmt(`{"Effect":"Allow","NotPrincipal":{"AWS":"*"},"Action":"s3:*","Resource":"*"}`), "Allow with NotPrincipal is not allowed."},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(c.text, c.kind)
			var bad *Malformed
			switch {
			case c.want == "" && err == nil:
			case !errors.As(err, &bad):
				t.Fatalf("got %v, want %q", err, c.want)
			case bad.Message != c.want:
				t.Fatalf("got  %q\nwant %q", bad.Message, c.want)
			}
		})
	}
}
