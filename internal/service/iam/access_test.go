package iam_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	stsapi "github.com/hardstand/hardstand/internal/aws/api/sts"
	"github.com/hardstand/hardstand/internal/service/iam"
	"github.com/hardstand/hardstand/internal/wire/sigv4"
)

func wantKind(t *testing.T, err error, kind sigv4.Kind) {
	t.Helper()
	var f *sigv4.Failure
	if !errors.As(err, &f) || f.Kind != kind {
		t.Fatalf("got %v, want kind %d", err, kind)
	}
}

func (s *system) trusting(principal string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + principal + `,"Action":["sts:AssumeRole","sts:TagSession"]}]}`
}

// assume calls AssumeRole and looks the session up as a request would.
func (s *system) assume(ctx context.Context, in *stsapi.AssumeRoleInput) (aws.Principal, *stsapi.Credentials, error) {
	if in.RoleSessionName == nil {
		in.RoleSessionName = p("s1")
	}
	out, err := ask[stsapi.AssumeRoleOutput](s, ctx, "sts", "AssumeRole", in)
	if err != nil {
		return aws.Principal{}, nil, err
	}
	c, err := s.iam.Lookup(s.t.Context(), *out.Credentials.AccessKeyId, *out.Credentials.SessionToken)
	if err != nil {
		s.t.Fatal(err)
	}
	if c.Secret != *out.Credentials.SecretAccessKey {
		s.t.Fatal("another secret was looked up")
	}
	return c.Principal, out.Credentials, nil
}

func TestLongTermKeys(t *testing.T) {
	s := newSystem(t)
	s.user("ann", "")
	k := must[api.CreateAccessKeyOutput](s, s.root(), "iam", "CreateAccessKey", &api.CreateAccessKeyInput{UserName: p("ann")}).AccessKey
	c, err := s.iam.Lookup(t.Context(), *k.AccessKeyId, "")
	if err != nil || c.Secret != *k.SecretAccessKey || c.Principal.ARN != "arn:aws:iam::111122223333:user/ann" {
		t.Fatalf("got %+v, %v", c.Principal, err)
	}
	_, err = s.iam.Lookup(t.Context(), *k.AccessKeyId, "token")
	wantKind(t, err, sigv4.InvalidToken)
	_, err = s.iam.Lookup(t.Context(), "AKIANOBODY", "")
	wantKind(t, err, sigv4.UnknownKey)
	status := func(to api.StatusType) {
		must[api.UpdateAccessKeyOutput](s, s.root(), "iam", "UpdateAccessKey", &api.UpdateAccessKeyInput{UserName: p("ann"), AccessKeyId: k.AccessKeyId, Status: to})
	}
	status("Inactive")
	_, err = s.iam.Lookup(t.Context(), *k.AccessKeyId, "")
	wantKind(t, err, sigv4.UnknownKey)
	status("Active")
	must[api.UpdateUserOutput](s, s.root(), "iam", "UpdateUser", &api.UpdateUserInput{UserName: p("ann"), NewUserName: p("anna")})
	if c, err = s.iam.Lookup(t.Context(), *k.AccessKeyId, ""); err != nil || c.Principal.ARN != "arn:aws:iam::111122223333:user/anna" {
		t.Fatalf("after the renaming: %+v, %v", c.Principal, err)
	}
	must[api.DeleteAccessKeyOutput](s, s.root(), "iam", "DeleteAccessKey", &api.DeleteAccessKeyInput{UserName: p("anna"), AccessKeyId: k.AccessKeyId})
	_, err = s.iam.Lookup(t.Context(), *k.AccessKeyId, "")
	wantKind(t, err, sigv4.UnknownKey)
}

func TestRootKeys(t *testing.T) {
	s := newSystem(t)
	ctx := t.Context()
	first, err := s.iam.RootKey(ctx, account)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.iam.EnsureRoot(ctx, account, nil); err != nil || again != first {
		t.Fatalf("the second start made %v, %v", again, err)
	}
	preset := iam.Key{ID: "test", Secret: "secret"}
	if got, err := s.iam.EnsureRoot(ctx, account, &preset); err != nil || got != preset {
		t.Fatalf("preset: %v, %v", got, err)
	}
	if c, err := s.iam.Lookup(ctx, "test", ""); err != nil || c.Principal.Type != aws.PrincipalRoot || c.Secret != "secret" {
		t.Fatalf("preset: %+v, %v", c, err)
	}
	_, err = s.iam.Lookup(ctx, first.ID, "")
	wantKind(t, err, sigv4.UnknownKey)
	for name, bad := range map[string]func() error{
		"account exists":        func() error { _, err := s.iam.CreateAccount(ctx, foreign); return err },
		"account form":          func() error { _, err := s.iam.CreateAccount(ctx, "12"); return err },
		"preset without secret": func() error { _, err := s.iam.EnsureRoot(ctx, account, &iam.Key{ID: "abc"}); return err },
		"preset of another":     func() error { _, err := s.iam.EnsureRoot(ctx, foreign, &preset); return err },
		"no such account":       func() error { _, err := s.iam.RootKey(ctx, "000000000000"); return err },
	} {
		if bad() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestAssumeRole(t *testing.T) {
	s := newSystem(t)
	const arn = "arn:aws:iam::111122223333:role/r"
	ann, bob := s.user("ann", ""), s.user("bob", allowing("sts:AssumeRole", "*", ""))
	s.role("r", s.trusting(`{"AWS":"arn:aws:iam::111122223333:user/ann"}`))
	s.role("account", s.trusting(`{"AWS":"111122223333"}`))
	s.role("external", strings.Replace(s.trusting(`{"AWS":"arn:aws:iam::111122223333:user/ann"}`), `"Action"`, `"Condition":{"StringEquals":{"sts:ExternalId":"42"}},"Action"`, 1))
	denied := func(role string) string {
		return "User: arn:aws:iam::111122223333:user/bob is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/" + role + " because no role trust policy allows the sts:AssumeRole action"
	}
	for _, c := range []struct {
		name          string
		who           aws.Principal
		in            stsapi.AssumeRoleInput
		code, message string
	}{
		{"named", ann, stsapi.AssumeRoleInput{RoleArn: p(arn)}, "", ""},
		{"not named", bob, stsapi.AssumeRoleInput{RoleArn: p(arn)}, "AccessDenied", denied("r")},
		{"no such role", bob, stsapi.AssumeRoleInput{RoleArn: p(arn + "x")}, "AccessDenied", denied("rx")},
		{"account named, allowed", bob, stsapi.AssumeRoleInput{RoleArn: p("arn:aws:iam::111122223333:role/account")}, "", ""},
		{"account named, not allowed", ann, stsapi.AssumeRoleInput{RoleArn: p("arn:aws:iam::111122223333:role/account")}, "AccessDenied", ""},
		{"root", iam.Root(account), stsapi.AssumeRoleInput{RoleArn: p("arn:aws:iam::111122223333:role/account")}, "AccessDenied", "Roles may not be assumed by root accounts."},
		{"external id missing", ann, stsapi.AssumeRoleInput{RoleArn: p("arn:aws:iam::111122223333:role/external")}, "AccessDenied", ""},
		{"external id", ann, stsapi.AssumeRoleInput{RoleArn: p("arn:aws:iam::111122223333:role/external"), ExternalId: p("42")}, "", ""},
		{"too long", ann, stsapi.AssumeRoleInput{RoleArn: p(arn), DurationSeconds: aws.Ptr(int32(7200))}, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."},
		{"no ARN", ann, stsapi.AssumeRoleInput{RoleArn: p("arn:aws:iam::111122223333:user/r")}, "ValidationError", "arn:aws:iam::111122223333:user/r is invalid"},
		{"session name", ann, stsapi.AssumeRoleInput{RoleArn: p(arn), RoleSessionName: p("a b")}, "ValidationError", ""},
		{"session policy", ann, stsapi.AssumeRoleInput{RoleArn: p(arn), Policy: p("{}")}, "MalformedPolicyDocument", "Syntax errors in policy."},
		{"session policy ARN", ann, stsapi.AssumeRoleInput{RoleArn: p(arn), PolicyArns: []stsapi.PolicyDescriptorType{{Arn: p("arn:aws:iam::aws:policy/None")}}}, "ValidationError", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, err := s.assume(s.as(c.who), &c.in)
			wantError(t, err, c.code, c.message)
			if err == nil && (got.ARN != "arn:aws:sts::111122223333:assumed-role/"+strings.TrimPrefix(*c.in.RoleArn, "arn:aws:iam::111122223333:role/")+"/s1" || got.Type != aws.PrincipalAssumedRole) {
				t.Errorf("session is %+v", got)
			}
		})
	}
}

func TestSessionsEnd(t *testing.T) {
	s := newSystem(t)
	ann := s.user("ann", "")
	r := s.role("r", s.trusting(`{"AWS":"arn:aws:iam::111122223333:user/ann"}`))
	get := aws.Check{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k"}
	put := func(document string) {
		must[api.PutRolePolicyOutput](s, s.root(), "iam", "PutRolePolicy", &api.PutRolePolicyInput{RoleName: r.RoleName, PolicyName: p("p"), PolicyDocument: &document})
	}
	put(allowing("s3:*", "*", ""))
	who, c, err := s.assume(s.as(ann), &stsapi.AssumeRoleInput{RoleArn: r.Arn})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.iam.Authorize(s.as(who), get); err != nil {
		t.Fatal(err)
	}
	put(allowing("ec2:*", "*", ""))
	wantDenied(t, s.iam.Authorize(s.as(who), get), "no identity-based policy allows the s3:GetObject action")
	put(allowing("s3:*", "*", ""))

	other, err := s.iam.SelfSession(s.as(ann), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.iam.Lookup(t.Context(), *c.AccessKeyId, other.Token)
	wantKind(t, err, sigv4.InvalidToken)
	_, err = s.iam.Lookup(t.Context(), *c.AccessKeyId, "")
	wantKind(t, err, sigv4.UnknownKey)
	_, err = s.iam.Lookup(t.Context(), *c.AccessKeyId, (*c.SessionToken)[:40])
	wantKind(t, err, sigv4.InvalidToken)

	s.clock.Advance(59 * time.Minute)
	if _, err := s.iam.Lookup(t.Context(), *c.AccessKeyId, *c.SessionToken); err != nil {
		t.Fatal(err)
	}
	must[api.DeleteRolePolicyOutput](s, s.root(), "iam", "DeleteRolePolicy", &api.DeleteRolePolicyInput{RoleName: r.RoleName, PolicyName: p("p")})
	must[api.DeleteRoleOutput](s, s.root(), "iam", "DeleteRole", &api.DeleteRoleInput{RoleName: r.RoleName})
	s.role("r", s.trusting(`{"AWS":"arn:aws:iam::111122223333:user/ann"}`))
	put(allowing("s3:*", "*", ""))
	_, err = s.iam.Lookup(t.Context(), *c.AccessKeyId, *c.SessionToken)
	wantKind(t, err, sigv4.UnknownKey) // the new role is another one
	wantDenied(t, s.iam.Authorize(s.as(who), get), "no identity-based policy allows the s3:GetObject action")
	s.clock.Advance(time.Minute)
	_, err = s.iam.Lookup(t.Context(), *c.AccessKeyId, *c.SessionToken)
	wantKind(t, err, sigv4.ExpiredToken)
}

func TestSessionPoliciesAndChaining(t *testing.T) {
	s := newSystem(t)
	ann := s.user("ann", "")
	r := s.role("r", s.trusting(`{"AWS":["arn:aws:iam::111122223333:user/ann","111122223333"]}`))
	must[api.UpdateRoleOutput](s, s.root(), "iam", "UpdateRole", &api.UpdateRoleInput{RoleName: r.RoleName, MaxSessionDuration: aws.Ptr(int32(43200))})
	must[api.PutRolePolicyOutput](s, s.root(), "iam", "PutRolePolicy", &api.PutRolePolicyInput{RoleName: r.RoleName, PolicyName: p("p"), PolicyDocument: p(allowing("*", "*", ""))})
	limited, _, err := s.assume(s.as(ann), &stsapi.AssumeRoleInput{RoleArn: r.Arn, Policy: p(allowing("s3:Get*", "*", "")),
		PolicyArns: []stsapi.PolicyDescriptorType{{Arn: p("arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore")}}, Tags: []stsapi.Tag{{Key: p("Team"), Value: p("blue")}}})
	if err != nil {
		t.Fatal(err)
	}
	for action, ok := range map[string]bool{"s3:GetObject": true, "s3:PutObject": false, "ssm:GetDocument": true, "iam:GetUser": false} {
		err := s.iam.Authorize(s.as(limited), aws.Check{Action: action, Resource: "*"})
		if ok != (err == nil) {
			t.Errorf("%s: %v", action, err)
		}
		if !ok {
			wantDenied(t, err, "no session policy allows the "+action+" action")
		}
	}
	full, _, err := s.assume(s.as(ann), &stsapi.AssumeRoleInput{RoleArn: r.Arn, RoleSessionName: p("full"), DurationSeconds: aws.Ptr(int32(43200))})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = s.assume(s.as(full), &stsapi.AssumeRoleInput{RoleArn: r.Arn, DurationSeconds: aws.Ptr(int32(3601))})
	wantError(t, err, "ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	if _, _, err = s.assume(s.as(full), &stsapi.AssumeRoleInput{RoleArn: r.Arn}); err != nil {
		t.Errorf("chaining within the hour: %v", err)
	}
	_, err = ask[stsapi.GetSessionTokenOutput](s, s.as(full), "sts", "GetSessionToken", &stsapi.GetSessionTokenInput{})
	wantError(t, err, "AccessDenied", "Cannot call GetSessionToken with session credentials")
}

func TestCrossAccount(t *testing.T) {
	s := newSystem(t)
	r := s.role("r", s.trusting(`{"AWS":"444455556666"}`))
	stranger := iam.Root(foreign)
	ctx := s.as(stranger)
	must[api.CreateUserOutput](s, ctx, "iam", "CreateUser", &api.CreateUserInput{UserName: p("eve")})
	u := must[api.GetUserOutput](s, ctx, "iam", "GetUser", &api.GetUserInput{UserName: p("eve")}).User
	eve := aws.Principal{Type: aws.PrincipalUser, Account: foreign, ARN: *u.Arn, UniqueID: *u.UserId}
	_, _, err := s.assume(s.as(eve), &stsapi.AssumeRoleInput{RoleArn: r.Arn})
	wantError(t, err, "AccessDenied", "")
	must[api.PutUserPolicyOutput](s, ctx, "iam", "PutUserPolicy", &api.PutUserPolicyInput{UserName: p("eve"), PolicyName: p("p"), PolicyDocument: p(allowing("sts:AssumeRole", *r.Arn, ""))})
	got, _, err := s.assume(s.as(eve), &stsapi.AssumeRoleInput{RoleArn: r.Arn})
	if err != nil || got.Account != account {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := ask[api.GetRoleOutput](s, ctx, "iam", "GetRole", &api.GetRoleInput{RoleName: p("r")}); err == nil {
		t.Error("a foreign account sees the role")
	}
}

// TestTrustRemembersWhom: a user made again under the same name is not trusted.
func TestTrustRemembersWhom(t *testing.T) {
	s := newSystem(t)
	ann := s.user("ann", "")
	r := s.role("r", s.trusting(`{"AWS":"arn:aws:iam::111122223333:user/ann"}`))
	must[api.DeleteUserOutput](s, s.root(), "iam", "DeleteUser", &api.DeleteUserInput{UserName: p("ann")})
	again := s.user("ann", "")
	_, _, err := s.assume(s.as(again), &stsapi.AssumeRoleInput{RoleArn: r.Arn})
	wantError(t, err, "AccessDenied", "")
	shown := must[api.GetRoleOutput](s, s.root(), "iam", "GetRole", &api.GetRoleInput{RoleName: p("r")}).Role
	if !strings.Contains(*shown.AssumeRolePolicyDocument, ann.UniqueID) {
		t.Errorf("shows %s, want the unique id", *shown.AssumeRolePolicyDocument)
	}
}

func TestSessionForServices(t *testing.T) {
	s := newSystem(t)
	r := s.role("web", trustee)
	must[api.AttachRolePolicyOutput](s, s.root(), "iam", "AttachRolePolicy", &api.AttachRolePolicyInput{RoleName: p("web"), PolicyArn: p("arn:aws:iam::aws:policy/service-role/AmazonEC2RoleforAWSCodeDeploy")})
	must[api.CreateInstanceProfileOutput](s, s.root(), "iam", "CreateInstanceProfile", &api.CreateInstanceProfileInput{InstanceProfileName: p("ip")})
	must[api.AddRoleToInstanceProfileOutput](s, s.root(), "iam", "AddRoleToInstanceProfile", &api.AddRoleToInstanceProfileInput{InstanceProfileName: p("ip"), RoleName: p("web")})
	held, err := s.iam.InstanceProfile(t.Context(), account, "ip")
	if err != nil || held.RoleARN != *r.Arn || held.RoleID != *r.RoleId {
		t.Fatalf("profile holds %+v, %v", held, err)
	}
	req := aws.SessionRequest{RoleARN: held.RoleARN, Name: "i-0123456789abcdef0", Service: "ec2.amazonaws.com", InstanceID: "i-0123456789abcdef0", Duration: 6 * time.Hour}
	session, err := s.iam.SessionFor(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.iam.Lookup(t.Context(), session.AccessKeyID, session.Token)
	if err != nil || c.Principal.ARN != "arn:aws:sts::111122223333:assumed-role/web/i-0123456789abcdef0" || c.Principal.InstanceID != req.InstanceID {
		t.Fatalf("got %+v, %v", c.Principal, err)
	}
	if err := s.iam.Authorize(s.as(c.Principal), aws.Check{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k"}); err != nil {
		t.Error(err)
	}
	wantDenied(t, s.iam.Authorize(s.as(c.Principal), aws.Check{Action: "s3:PutObject", Resource: "arn:aws:s3:::b/k"}), "no identity-based policy allows the s3:PutObject action")
	req.Service = "codedeploy.amazonaws.com"
	if _, err := s.iam.SessionFor(t.Context(), req); !errors.Is(err, iam.ErrNotAssumable) || !strings.Contains(err.Error(), "does not allow codedeploy.amazonaws.com") {
		t.Errorf("another service: %v", err)
	}
	req.RoleARN = *s.role("regional", strings.Replace(trustee, "ec2.amazonaws.com", "codedeploy.us-east-1.amazonaws.com", 1)).Arn
	if _, err := s.iam.SessionFor(s.root(), req); err != nil {
		t.Errorf("by the region's name: %v", err)
	}
	req.RoleARN += "x"
	if _, err := s.iam.SessionFor(t.Context(), req); !errors.Is(err, iam.ErrNotAssumable) {
		t.Errorf("no role: %v", err)
	}
}

// A role of one account cannot be handed to a service by another, not even by
// root there, and a service that works for the other account does not get it: the
// trust policy names the service alone.
func TestRolesStayInTheirAccount(t *testing.T) {
	s := newSystem(t)
	r := *s.role("web", trustee).Arn
	for _, c := range []struct {
		name   string
		who    aws.Principal
		reason string
	}{
		{"own root", iam.Root(account), ""},
		{"own user", s.user("ann", allowing("iam:PassRole", "*", "")), ""},
		{"foreign root", iam.Root(foreign), "no resource-based policy allows the iam:PassRole action"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := s.iam.Authorize(s.as(c.who), aws.PassRole(r, "ec2.amazonaws.com"))
			if c.reason != "" {
				wantDenied(t, err, c.reason)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	req := aws.SessionRequest{RoleARN: r, Name: "s1", Service: "ec2.amazonaws.com", Duration: time.Hour}
	if _, err := s.iam.SessionFor(s.root(), req); err != nil {
		t.Errorf("for its own account: %v", err)
	}
	if _, err := s.iam.SessionFor(s.as(iam.Root(foreign)), req); !errors.Is(err, iam.ErrNotAssumable) {
		t.Errorf("for another account: %v", err)
	}
}

func TestPoliciesThatBear(t *testing.T) {
	s := newSystem(t)
	ann := s.user("ann", "")
	check := aws.Check{Action: "ec2:RunInstances", Resource: "arn:aws:ec2:us-east-1:111122223333:instance/*"}
	implicit := "no identity-based policy allows the ec2:RunInstances action"
	root := s.root()
	wantDenied(t, s.iam.Authorize(s.as(ann), check), implicit)

	must[api.CreateGroupOutput](s, root, "iam", "CreateGroup", &api.CreateGroupInput{GroupName: p("g")})
	must[api.PutGroupPolicyOutput](s, root, "iam", "PutGroupPolicy", &api.PutGroupPolicyInput{GroupName: p("g"), PolicyName: p("p"), PolicyDocument: p(allowing("ec2:*", "*", ""))})
	must[api.AddUserToGroupOutput](s, root, "iam", "AddUserToGroup", &api.AddUserToGroupInput{GroupName: p("g"), UserName: p("ann")})
	if err := s.iam.Authorize(s.as(ann), check); err != nil {
		t.Errorf("by group: %v", err)
	}
	must[api.PutUserPermissionsBoundaryOutput](s, root, "iam", "PutUserPermissionsBoundary", &api.PutUserPermissionsBoundaryInput{UserName: p("ann"), PermissionsBoundary: p("arn:aws:iam::aws:policy/AmazonS3FullAccess")})
	wantDenied(t, s.iam.Authorize(s.as(ann), check), "no permissions boundary allows the ec2:RunInstances action")
	must[api.DeleteUserPermissionsBoundaryOutput](s, root, "iam", "DeleteUserPermissionsBoundary", &api.DeleteUserPermissionsBoundaryInput{UserName: p("ann")})
	must[api.PutUserPolicyOutput](s, root, "iam", "PutUserPolicy", &api.PutUserPolicyInput{UserName: p("ann"), PolicyName: p("no"), PolicyDocument: p(strings.Replace(allowing("ec2:Run*", "*", ""), "Allow", "Deny", 1))})
	wantDenied(t, s.iam.Authorize(s.as(ann), check), "with an explicit deny in an identity-based policy")

	if err := s.iam.Authorize(root, check); err != nil {
		t.Errorf("root: %v", err)
	}
	locked := aws.Check{Action: "s3:DeleteBucketPolicy", Resource: "arn:aws:s3:::b", ResourceAccount: account,
		ResourcePolicy: `{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}}`}
	if err := s.iam.Authorize(root, locked); err != nil {
		t.Errorf("root unlocks its bucket: %v", err)
	}
	locked.Action = "s3:ListBucket"
	wantDenied(t, s.iam.Authorize(root, locked), "with an explicit deny in a resource-based policy")
	anonymous := aws.WithCall(t.Context(), aws.Call{Principal: aws.Principal{Type: aws.PrincipalAnonymous}})
	wantDenied(t, s.iam.Authorize(anonymous, check), "no resource-based policy allows the ec2:RunInstances action")
	open := aws.Check{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", ResourceAccount: account,
		ResourcePolicy: `{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}`}
	if err := s.iam.Authorize(anonymous, open); err != nil {
		t.Errorf("anonymous, public bucket: %v", err)
	}
}

func TestPassRole(t *testing.T) {
	s := newSystem(t)
	r := s.role("r", trustee)
	ann := s.user("ann", allowing("iam:PassRole", *r.Arn, `,"Condition":{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}`))
	if err := s.iam.Authorize(s.as(ann), aws.PassRole(*r.Arn, "ec2.amazonaws.com")); err != nil {
		t.Error(err)
	}
	wantDenied(t, s.iam.Authorize(s.as(ann), aws.PassRole(*r.Arn, "codedeploy.amazonaws.com")), "no identity-based policy allows the iam:PassRole action")
	bob := s.user("bob", allowing("iam:AddRoleToInstanceProfile", "*", ""))
	must[api.CreateInstanceProfileOutput](s, s.root(), "iam", "CreateInstanceProfile", &api.CreateInstanceProfileInput{InstanceProfileName: p("ip")})
	_, err := ask[api.AddRoleToInstanceProfileOutput](s, s.as(bob), "iam", "AddRoleToInstanceProfile", &api.AddRoleToInstanceProfileInput{InstanceProfileName: p("ip"), RoleName: p("r")})
	wantError(t, err, "AccessDenied", "User: arn:aws:iam::111122223333:user/bob is not authorized to perform: iam:PassRole on resource: arn:aws:iam::111122223333:role/r because no identity-based policy allows the iam:PassRole action")
}

// TestConditionKeys holds what is true of a call, key by key.
func TestConditionKeys(t *testing.T) {
	s := newSystem(t)
	ann := s.user("ann", "")
	must[api.TagUserOutput](s, s.root(), "iam", "TagUser", &api.TagUserInput{UserName: p("ann"), Tags: []api.Tag{{Key: p("Team"), Value: p("blue")}}})
	r := s.role("r", s.trusting(`{"AWS":"arn:aws:iam::111122223333:user/ann"}`))
	session, _, err := s.assume(s.as(ann), &stsapi.AssumeRoleInput{RoleArn: r.Arn, Tags: []stsapi.Tag{{Key: p("Cost"), Value: p("7")}}})
	if err != nil {
		t.Fatal(err)
	}
	direct := aws.Call{Principal: ann, Account: account, Region: "eu-west-1", SourceIP: netip.MustParseAddr("10.1.2.3"), UserAgent: "cli/2", Secure: true}
	via := direct.WithVia("cloudformation.amazonaws.com")
	role := direct
	role.Principal = session
	for _, c := range []struct {
		name, condition string
		call            aws.Call
		want            bool
	}{
		{"user name", `"StringEquals":{"aws:username":"ann"}`, direct, true},
		{"user name of a role", `"Null":{"aws:username":"true"}`, role, true},
		{"principal ARN", `"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/ann"}`, direct, true},
		{"principal ARN of a session is its role's", `"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/r"}`, role, true},
		{"account", `"StringEquals":{"aws:PrincipalAccount":"111122223333"}`, direct, true},
		{"type", `"StringEquals":{"aws:PrincipalType":"User"}`, direct, true},
		{"type of a session", `"StringEquals":{"aws:PrincipalType":"AssumedRole"}`, role, true},
		{"userid", `"StringEquals":{"aws:userid":"` + session.UniqueID + `"}`, role, true},
		{"tag", `"StringEquals":{"aws:PrincipalTag/Team":"blue"}`, direct, true},
		{"session tag", `"StringEquals":{"aws:PrincipalTag/Cost":"7"}`, role, true},
		{"source address", `"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}`, direct, true},
		{"source address through a service", `"Null":{"aws:SourceIp":"true"}`, via, true},
		{"TLS", `"Bool":{"aws:SecureTransport":"true"}`, direct, true},
		{"time", `"DateEquals":{"aws:CurrentTime":"2026-03-04T05:06:07Z"}`, direct, true},
		{"epoch", `"NumericEquals":{"aws:EpochTime":"1772600767"}`, direct, true},
		{"region", `"StringEquals":{"aws:RequestedRegion":"eu-west-1"}`, direct, true},
		{"agent", `"StringLike":{"aws:UserAgent":"cli/*"}`, direct, true},
		{"via", `"ForAnyValue:StringEquals":{"aws:CalledVia":["cloudformation.amazonaws.com"]}`, via, true},
		{"via first", `"StringEquals":{"aws:CalledViaFirst":"cloudformation.amazonaws.com"}`, via, true},
		{"via service", `"Bool":{"aws:ViaAWSService":"true"}`, via, true},
		{"not via service", `"Bool":{"aws:ViaAWSService":"true"}`, direct, false},
		{"token time", `"DateLessThanEquals":{"aws:TokenIssueTime":"2026-03-04T05:06:07Z"}`, role, true},
		{"token time of a long-term key", `"Null":{"aws:TokenIssueTime":"true"}`, direct, true},
		{"resource account", `"StringEquals":{"aws:ResourceAccount":"111122223333"}`, direct, true},
		{"of the check", `"StringEquals":{"s3:prefix":"a/"}`, direct, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			document := allowing("s3:ListBucket", "*", `,"Condition":{`+c.condition+`}`)
			must[api.PutUserPolicyOutput](s, s.root(), "iam", "PutUserPolicy", &api.PutUserPolicyInput{UserName: p("ann"), PolicyName: p("p"), PolicyDocument: &document})
			must[api.PutRolePolicyOutput](s, s.root(), "iam", "PutRolePolicy", &api.PutRolePolicyInput{RoleName: p("r"), PolicyName: p("p"), PolicyDocument: &document})
			err := s.iam.Authorize(aws.WithCall(t.Context(), c.call), aws.Check{Action: "s3:ListBucket", Resource: "arn:aws:s3:::b", Context: map[string][]string{"s3:prefix": {"a/"}}})
			if (err == nil) != c.want {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestTokenMakesOnce: a create repeated with the stack engine's token returns
// what the first made.
func TestTokenMakesOnce(t *testing.T) {
	s := newSystem(t)
	call := aws.CallFrom(s.root())
	call.Token = "stack/role/1"
	ctx := aws.WithCall(t.Context(), call)
	for _, c := range []struct {
		op string
		in func() any
		id func(any) string
	}{
		{"CreateRole", func() any { return &api.CreateRoleInput{RoleName: p("r"), AssumeRolePolicyDocument: p(trustee)} }, func(o any) string { return *o.(*api.CreateRoleOutput).Role.RoleId }},
		{"CreateInstanceProfile", func() any { return &api.CreateInstanceProfileInput{InstanceProfileName: p("i")} }, func(o any) string { return *o.(*api.CreateInstanceProfileOutput).InstanceProfile.InstanceProfileId }},
		{"CreatePolicy", func() any {
			return &api.CreatePolicyInput{PolicyName: p("p"), PolicyDocument: p(allowing("s3:*", "*", ""))}
		}, func(o any) string { return *o.(*api.CreatePolicyOutput).Policy.PolicyId }},
		{"CreateAccessKey", func() any { return &api.CreateAccessKeyInput{} }, func(o any) string {
			k := o.(*api.CreateAccessKeyOutput).AccessKey
			return *k.AccessKeyId + *k.SecretAccessKey
		}},
	} {
		t.Run(c.op, func(t *testing.T) {
			first, err := s.server.Invoke(ctx, "iam", c.op, c.in())
			if err != nil {
				t.Fatal(err)
			}
			second, err := s.server.Invoke(ctx, "iam", c.op, c.in())
			if err != nil || c.id(first) != c.id(second) {
				t.Errorf("second made another, %v", err)
			}
		})
	}
}

func BenchmarkAuthorize(b *testing.B) {
	s := newSystem(b)
	ctx := s.as(s.user("ann", allowing("s3:*", "*", "")))
	for b.Loop() {
		if err := s.iam.Authorize(ctx, aws.Check{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k"}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	s := newSystem(b)
	s.user("ann", "")
	k := must[api.CreateAccessKeyOutput](s, s.root(), "iam", "CreateAccessKey", &api.CreateAccessKeyInput{UserName: p("ann")}).AccessKey
	for b.Loop() {
		if _, err := s.iam.Lookup(b.Context(), *k.AccessKeyId, ""); err != nil {
			b.Fatal(err)
		}
	}
}

// TestManagedPoliciesLimit: AWS's policies allow what they say and nothing else.
func TestManagedPoliciesLimit(t *testing.T) {
	s := newSystem(t)
	ann := s.user("ann", "")
	for _, c := range []struct{ policy, allows, leaves string }{
		{"AdministratorAccess", "iam:CreateUser", ""},
		{"AmazonS3FullAccess", "s3:DeleteBucket", "ec2:RunInstances"},
		{"AmazonS3ReadOnlyAccess", "s3:ListBucket", "s3:PutObject"},
		{"AmazonSSMManagedInstanceCore", "ssm:GetParameters", "ssm:PutParameter"},
		{"service-role/AmazonEC2RoleforAWSCodeDeploy", "s3:GetObjectVersion", "s3:ListAllMyBuckets"},
		{"service-role/AWSCodeDeployRole", "ec2:DescribeInstances", "ec2:RunInstances"},
	} {
		t.Run(c.policy, func(t *testing.T) {
			arn := p("arn:aws:iam::aws:policy/" + c.policy)
			must[api.AttachUserPolicyOutput](s, s.root(), "iam", "AttachUserPolicy", &api.AttachUserPolicyInput{UserName: p("ann"), PolicyArn: arn})
			if err := s.iam.Authorize(s.as(ann), aws.Check{Action: c.allows, Resource: "*"}); err != nil {
				t.Error(err)
			}
			if c.leaves != "" {
				wantDenied(t, s.iam.Authorize(s.as(ann), aws.Check{Action: c.leaves, Resource: "*"}), "no identity-based policy allows the "+c.leaves+" action")
			}
			must[api.DetachUserPolicyOutput](s, s.root(), "iam", "DetachUserPolicy", &api.DetachUserPolicyInput{UserName: p("ann"), PolicyArn: arn})
		})
	}
}

// BenchmarkAuthorizeTen is a caller with ten policies, of which the last allows.
func BenchmarkAuthorizeTen(b *testing.B) {
	s := newSystem(b)
	ann := s.user("ann", allowing("ec2:Describe*", "*", `,"Condition":{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}`))
	for i := range 9 {
		text := allowing("s3:Get*", fmt.Sprintf("arn:aws:s3:::b%d/${aws:username}/*", i), "")
		must[api.PutUserPolicyOutput](s, s.root(), "iam", "PutUserPolicy",
			&api.PutUserPolicyInput{UserName: p("ann"), PolicyName: p(fmt.Sprintf("p%d", i)), PolicyDocument: &text})
	}
	ctx := s.as(ann)
	for b.Loop() {
		if err := s.iam.Authorize(ctx, aws.Check{Action: "s3:GetObject", Resource: "arn:aws:s3:::b8/ann/k"}); err != nil {
			b.Fatal(err)
		}
	}
}
