package iam_test

import (
	"strings"
	"testing"

	api "github.com/hardstand/hardstand/internal/aws/api/iam"
)

// TestTagRules: users and roles compare keys without case, everything else as they
// are, and what is wrong is said as IAM says it.
func TestTagRules(t *testing.T) {
	s := newSystem(t)
	twice := []api.Tag{{Key: p("a"), Value: p("1")}, {Key: p("A"), Value: p("2")}}
	same := []api.Tag{{Key: p("a"), Value: p("1")}, {Key: p("a"), Value: p("2")}}
	const folded = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
	document := p(allowing("s3:*", "*", ""))
	many := make([]api.Tag, 51)
	for i := range many {
		many[i] = api.Tag{Key: p(strings.Repeat("k", i+1)), Value: p("")}
	}
	for _, c := range []struct {
		name, operation string
		in              any
		code, message   string
	}{
		{"user", "CreateUser", &api.CreateUserInput{UserName: p("u"), Tags: twice}, "InvalidInput", folded},
		{"role", "CreateRole", &api.CreateRoleInput{RoleName: p("r"), AssumeRolePolicyDocument: p(trustee), Tags: twice}, "InvalidInput", folded},
		{"policy, same key", "CreatePolicy", &api.CreatePolicyInput{PolicyName: p("p"), PolicyDocument: document, Tags: same}, "InvalidInput", "Duplicate tag keys found."},
		{"policy", "CreatePolicy", &api.CreatePolicyInput{PolicyName: p("p"), PolicyDocument: document, Tags: twice}, "", ""},
		{"policy loses one of two", "UntagPolicy", &api.UntagPolicyInput{PolicyArn: p("arn:aws:iam::111122223333:policy/p"), TagKeys: []string{"a"}}, "", ""},
		{"many", "CreateUser", &api.CreateUserInput{UserName: p("u"), Tags: many}, "ValidationError",
			"1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50"},
		{"long key", "CreateUser", &api.CreateUserInput{UserName: p("u"), Tags: []api.Tag{{Key: p(strings.Repeat("k", 129)), Value: p("")}}}, "ValidationError",
			"1 validation error detected: Value at 'tags.1.member.key' failed to satisfy constraint: Member must have length less than or equal to 128"},
		{"long key to remove", "UntagPolicy", &api.UntagPolicyInput{PolicyArn: p("arn:aws:iam::111122223333:policy/p"), TagKeys: []string{strings.Repeat("k", 129)}}, "ValidationError",
			"1 validation error detected: Value at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 128, " +
				`Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+, Member must not be null]`},
		{"thumbprint", "CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{Url: p("https://issuer.example"), ThumbprintList: []string{"a"}}, "ValidationError",
			"1 validation error detected: Value at 'thumbprintList' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 40, Member must have length greater than or equal to 40]"},
		{"version of no policy", "GetPolicyVersion", &api.GetPolicyVersionInput{PolicyArn: p("arn:aws:iam::111122223333:policy/none"), VersionId: p("v1")}, "NoSuchEntity",
			"Policy arn:aws:iam::111122223333:policy/none version v1 does not exist or is not attachable."},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.server.Invoke(s.root(), "iam", c.operation, c.in)
			wantError(t, err, c.code, c.message)
		})
	}
	got := must[api.GetPolicyOutput](s, s.root(), "iam", "GetPolicy", &api.GetPolicyInput{PolicyArn: p("arn:aws:iam::111122223333:policy/p")}).Policy
	if len(got.Tags) != 1 || *got.Tags[0].Key != "A" {
		t.Errorf("tags %+v", got.Tags)
	}
}

// TestPagesOfPolicies: versions and holders are paged as everything else.
func TestPagesOfPolicies(t *testing.T) {
	s := newSystem(t)
	const own = "arn:aws:iam::111122223333:policy/own"
	must[api.CreatePolicyOutput](s, s.root(), "iam", "CreatePolicy", &api.CreatePolicyInput{PolicyName: p("own"), PolicyDocument: p(allowing("s3:*", "*", ""))})
	for range 4 {
		must[api.CreatePolicyVersionOutput](s, s.root(), "iam", "CreatePolicyVersion", &api.CreatePolicyVersionInput{PolicyArn: p(own), PolicyDocument: p(allowing("s3:*", "*", ""))})
	}
	var versions, holders string
	two := int32(2)
	for in := (&api.ListPolicyVersionsInput{PolicyArn: p(own), MaxItems: &two}); ; {
		out := must[api.ListPolicyVersionsOutput](s, s.root(), "iam", "ListPolicyVersions", in)
		for _, v := range out.Versions {
			versions += *v.VersionId
		}
		if in.Marker = out.Marker; !*out.IsTruncated {
			break
		}
	}
	for _, u := range []string{"c", "a", "b"} {
		s.user(u, "")
		must[api.AttachUserPolicyOutput](s, s.root(), "iam", "AttachUserPolicy", &api.AttachUserPolicyInput{UserName: &u, PolicyArn: p(own)})
	}
	must[api.PutUserPermissionsBoundaryOutput](s, s.root(), "iam", "PutUserPermissionsBoundary", &api.PutUserPermissionsBoundaryInput{UserName: p("b"), PermissionsBoundary: p(own)})
	for in := (&api.ListEntitiesForPolicyInput{PolicyArn: p(own), MaxItems: &two}); ; {
		out := must[api.ListEntitiesForPolicyOutput](s, s.root(), "iam", "ListEntitiesForPolicy", in)
		for _, u := range out.PolicyUsers {
			holders += *u.UserName
		}
		if in.Marker = out.Marker; !*out.IsTruncated {
			break
		}
	}
	if versions != "v5v4v3v2v1" || holders != "abc" {
		t.Errorf("versions %s, holders %s", versions, holders)
	}
}
