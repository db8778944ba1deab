package iam_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	stsapi "github.com/hardstand/hardstand/internal/aws/api/sts"
	"github.com/hardstand/hardstand/internal/wire/sigv4"
)

func (s *system) session(c *stsapi.Credentials) aws.Principal {
	s.t.Helper()
	found, err := s.iam.Lookup(s.t.Context(), *c.AccessKeyId, *c.SessionToken)
	if err != nil {
		s.t.Fatal(err)
	}
	return found.Principal
}

// TestChaining: a session hands on its transitive tags and its source identity, and
// the next role must let them in.
func TestChaining(t *testing.T) {
	s := newSystem(t)
	open := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}]}`
	ann := s.user("ann", allowing("sts:*", "*", ""))
	first, second := s.role("first", open), s.role("second", open)
	closed := s.role("closed", strings.ReplaceAll(open, `"sts:TagSession",`, ""))
	nameless := s.role("nameless", strings.ReplaceAll(open, `,"sts:SetSourceIdentity"`, ""))
	must[api.PutRolePolicyOutput](s, s.root(), "iam", "PutRolePolicy", &api.PutRolePolicyInput{RoleName: first.RoleName, PolicyName: p("p"), PolicyDocument: p(allowing("sts:*", "*", ""))})
	tags := func(kv ...string) (out []stsapi.Tag) {
		for i := 0; i < len(kv); i += 2 {
			out = append(out, stsapi.Tag{Key: &kv[i], Value: &kv[i+1]})
		}
		return out
	}
	for _, c := range []struct {
		name          string
		in            stsapi.AssumeRoleInput
		code, message string
	}{
		{"same key twice", stsapi.AssumeRoleInput{Tags: tags("a", "1", "A", "2")}, "InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive."},
		{"transitive and not passed", stsapi.AssumeRoleInput{Tags: tags("a", "1"), TransitiveTagKeys: []string{"b"}}, "InvalidParameterValue", "The specified transitive tag key must be included in the requested tags."},
		{"source identity", stsapi.AssumeRoleInput{SourceIdentity: p("a b")}, "ValidationError", ""},
		{"contexts", stsapi.AssumeRoleInput{ProvidedContexts: []stsapi.ProvidedContext{{ProviderArn: p("arn:aws:iam::aws:contextProvider/IdentityCenter"), ContextAssertion: p("text")}}}, "NotImplemented", ""},
		{"device", stsapi.AssumeRoleInput{SerialNumber: p("arn:aws:iam::111122223333:mfa/x"), TokenCode: p("123456")}, "AccessDenied", ""},
		{"large", stsapi.AssumeRoleInput{Policy: p(allowing("s3:Get*", "*", "")), Tags: tags("a", strings.Repeat("x", 256), "b", strings.Repeat("x", 256), "c", strings.Repeat("x", 256), "d", strings.Repeat("x", 256),
			"e", strings.Repeat("x", 256), "f", strings.Repeat("x", 256), "g", strings.Repeat("x", 256), "h", strings.Repeat("x", 256), "i", strings.Repeat("x", 256), "j", strings.Repeat("x", 256),
			"k", strings.Repeat("x", 256), "l", strings.Repeat("x", 256), "m", strings.Repeat("x", 256), "n", strings.Repeat("x", 256), "o", strings.Repeat("x", 256), "p", strings.Repeat("x", 256))}, "PackedPolicyTooLarge", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.in.RoleArn = first.Arn
			_, _, err := s.assume(s.as(ann), &c.in)
			wantError(t, err, c.code, c.message)
		})
	}
	one, _, err := s.assume(s.as(ann), &stsapi.AssumeRoleInput{RoleArn: first.Arn, Tags: tags("Team", "blue", "Own", "1"), TransitiveTagKeys: []string{"Team"}, SourceIdentity: p("ann")})
	if err != nil {
		t.Fatal(err)
	}
	two, _, err := s.assume(s.as(one), &stsapi.AssumeRoleInput{RoleArn: second.Arn, Tags: tags("More", "2")})
	if err != nil {
		t.Fatal(err)
	}
	if two.SessionTags["Team"] != "blue" || two.SessionTags["More"] != "2" || two.SessionTags["Own"] != "" || two.SourceIdentity != "ann" {
		t.Errorf("second session %+v", two)
	}
	_, _, err = s.assume(s.as(one), &stsapi.AssumeRoleInput{RoleArn: second.Arn, Tags: tags("team", "red")})
	wantError(t, err, "InvalidParameterValue", "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
	_, _, err = s.assume(s.as(one), &stsapi.AssumeRoleInput{RoleArn: second.Arn, SourceIdentity: p("bob")})
	wantError(t, err, "AccessDenied", "The source identity of a session cannot be changed by role chaining.")
	_, _, err = s.assume(s.as(one), &stsapi.AssumeRoleInput{RoleArn: closed.Arn})
	wantError(t, err, "AccessDenied", "User: "+one.ARN+" is not authorized to perform: sts:TagSession on resource: "+*closed.Arn+" because no role trust policy allows the sts:TagSession action")
	_, _, err = s.assume(s.as(one), &stsapi.AssumeRoleInput{RoleArn: nameless.Arn})
	wantError(t, err, "AccessDenied", "User: "+one.ARN+" is not authorized to perform: sts:SetSourceIdentity on resource: "+*nameless.Arn+" because no role trust policy allows the sts:SetSourceIdentity action")
}

// TestFederatedUsers may do what both their maker and their policies allow.
func TestFederatedUsers(t *testing.T) {
	s := newSystem(t)
	ann := s.user("ann", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","sts:GetFederationToken","iam:*"],"Resource":"*"}]}`)
	bare := s.user("bare", "")
	ask1 := func(who aws.Principal, in *stsapi.GetFederationTokenInput) (*stsapi.GetFederationTokenOutput, error) {
		in.Name = p("fred")
		return ask[stsapi.GetFederationTokenOutput](s, s.as(who), "sts", "GetFederationToken", in)
	}
	wide := p(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","ec2:*","iam:*"],"Resource":"*"}]}`)
	out, err := ask1(ann, &stsapi.GetFederationTokenInput{Policy: wide, DurationSeconds: aws.Ptr(int32(900))})
	if err != nil {
		t.Fatal(err)
	}
	fred := s.session(out.Credentials)
	if *out.FederatedUser.Arn != "arn:aws:sts::111122223333:federated-user/fred" || *out.FederatedUser.FederatedUserId != "111122223333:fred" || fred.ARN != *out.FederatedUser.Arn {
		t.Errorf("got %+v, %+v", out.FederatedUser, fred)
	}
	for action, ok := range map[string]bool{"s3:GetObject": true, "s3:PutObject": false, "ec2:RunInstances": false} {
		if err := s.iam.Authorize(s.as(fred), aws.Check{Action: action, Resource: "*"}); ok != (err == nil) {
			t.Errorf("%s: %v", action, err)
		}
	}
	unlimited, err := ask1(ann, &stsapi.GetFederationTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.iam.Authorize(s.as(s.session(unlimited.Credentials)), aws.Check{Action: "s3:GetObject", Resource: "*"}); err == nil {
		t.Error("a session without policies may do something")
	}
	byRoot, err := ask1(aws.Principal{Type: aws.PrincipalRoot, Account: account, ARN: "arn:aws:iam::111122223333:root", UniqueID: account}, &stsapi.GetFederationTokenInput{Policy: wide})
	if err != nil {
		t.Fatal(err)
	}
	for action, ok := range map[string]bool{"ec2:RunInstances": true, "s3:PutObject": false} {
		if err := s.iam.Authorize(s.as(s.session(byRoot.Credentials)), aws.Check{Action: action, Resource: "*"}); ok != (err == nil) {
			t.Errorf("root's: %s: %v", action, err)
		}
	}
	_, err = ask1(bare, &stsapi.GetFederationTokenInput{})
	wantError(t, err, "AccessDenied", "User: "+bare.ARN+" is not authorized to perform: sts:GetFederationToken on resource: arn:aws:sts::111122223333:federated-user/fred because no identity-based policy allows the sts:GetFederationToken action")
	_, err = ask1(fred, &stsapi.GetFederationTokenInput{})
	wantError(t, err, "AccessDenied", "Cannot call GetFederationToken with session credentials")
	_, err = ask1(ann, &stsapi.GetFederationTokenInput{Policy: p("{")})
	wantError(t, err, "MalformedPolicyDocument", "")
	_, _, err = s.assume(s.as(fred), &stsapi.AssumeRoleInput{RoleArn: p("arn:aws:iam::111122223333:role/r")})
	wantError(t, err, "AccessDenied", "Cannot call AssumeRole with federation credentials")

	// Neither these nor a user's own sessions reach IAM; and all end with the user.
	own := must[stsapi.GetSessionTokenOutput](s, s.as(ann), "sts", "GetSessionToken", &stsapi.GetSessionTokenInput{})
	for _, who := range []aws.Principal{fred, s.session(own.Credentials)} {
		_, err := ask[api.ListUsersOutput](s, s.as(who), "iam", "ListUsers", &api.ListUsersInput{})
		wantError(t, err, "InvalidClientTokenId", "The security token included in the request is invalid.")
	}
	must[api.DeleteUserPolicyOutput](s, s.root(), "iam", "DeleteUserPolicy", &api.DeleteUserPolicyInput{UserName: p("ann"), PolicyName: p("inline")})
	must[api.DeleteUserOutput](s, s.root(), "iam", "DeleteUser", &api.DeleteUserInput{UserName: p("ann")})
	for _, c := range []*stsapi.Credentials{out.Credentials, own.Credentials} {
		_, err := s.iam.Lookup(t.Context(), *c.AccessKeyId, *c.SessionToken)
		wantKind(t, err, sigv4.UnknownKey)
	}
}

// TestDecodeAuthorizationMessage: EC2's denial is sealed, and whoever may decode it
// reads which statement decided.
func TestDecodeAuthorizationMessage(t *testing.T) {
	s := newSystem(t)
	ann := s.user("ann", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
		{"Sid":"NoRun","Effect":"Deny","Action":"ec2:Run*","Resource":"*","Condition":{"StringEquals":{"ec2:InstanceType":"t3.large"}}}]}`)
	call := aws.CallFrom(s.as(ann))
	call.Service = "ec2"
	err := s.iam.Authorize(aws.WithCall(t.Context(), call), aws.Check{Action: "ec2:RunInstances", Resource: "arn:aws:ec2:us-east-1:111122223333:instance/*",
		Context: map[string][]string{"ec2:InstanceType": {"t3.large"}}})
	var denied *aws.Denied
	if !errors.As(err, &denied) || denied.Encoded == "" || strings.Contains(denied.Encoded, "NoRun") {
		t.Fatalf("got %+v", err)
	}
	decode := func(who aws.Principal, message string) (*stsapi.DecodeAuthorizationMessageOutput, error) {
		return ask[stsapi.DecodeAuthorizationMessageOutput](s, s.as(who), "sts", "DecodeAuthorizationMessage", &stsapi.DecodeAuthorizationMessageInput{EncodedMessage: &message})
	}
	out, err := decode(ann, denied.Encoded)
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Allowed, ExplicitDeny bool
		MatchedStatements     struct {
			Items []struct{ StatementID, Effect string }
		}
		Context struct {
			Principal        struct{ ID, Name, ARN string }
			Action, Resource string
			Conditions       struct{ Items []struct{ Key string } }
		}
	}
	if err := json.Unmarshal([]byte(*out.DecodedMessage), &m); err != nil {
		t.Fatal(err)
	}
	if m.Allowed || !m.ExplicitDeny || len(m.MatchedStatements.Items) != 1 || m.MatchedStatements.Items[0].StatementID != "NoRun" || m.MatchedStatements.Items[0].Effect != "DENY" ||
		m.Context.Principal.ID != ann.UniqueID || m.Context.Principal.Name != "ann" || m.Context.Action != "ec2:RunInstances" || len(m.Context.Conditions.Items) < 5 {
		t.Errorf("decoded %s", *out.DecodedMessage)
	}
	_, err = decode(ann, denied.Encoded+"AAAA")
	wantError(t, err, "InvalidAuthorizationMessageException", "")
	_, err = decode(s.user("bare", ""), denied.Encoded)
	wantError(t, err, "AccessDenied", "")
	_, err = decode(aws.Principal{Type: aws.PrincipalRoot, Account: foreign, ARN: "arn:aws:iam::" + foreign + ":root", UniqueID: foreign}, denied.Encoded)
	wantError(t, err, "InvalidAuthorizationMessageException", "")
}
