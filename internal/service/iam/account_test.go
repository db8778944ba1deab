package iam_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/service/iam"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/store/storetest"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// TestLastUsed: a use shows at once, is written once a minute, and goes with its key.
func TestLastUsed(t *testing.T) {
	s := newSystem(t)
	ann := s.user("ann", "")
	k := must[api.CreateAccessKeyOutput](s, s.root(), "iam", "CreateAccessKey", &api.CreateAccessKeyInput{UserName: p("ann")}).AccessKey
	lastUsed := func() *api.AccessKeyLastUsed {
		return must[api.GetAccessKeyLastUsedOutput](s, s.root(), "iam", "GetAccessKeyLastUsed", &api.GetAccessKeyLastUsedInput{AccessKeyId: k.AccessKeyId}).AccessKeyLastUsed
	}
	if got := lastUsed(); got.LastUsedDate != nil || *got.ServiceName != "N/A" || *got.Region != "N/A" {
		t.Errorf("before a use: %+v", got)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.iam.Run(ctx) }()
	ann.AccessKeyID = *k.AccessKeyId
	s.iam.Used(aws.Call{Principal: ann, Service: "s3", Region: "eu-west-1"})
	s.iam.Used(aws.Call{Principal: aws.Principal{Type: aws.PrincipalUser, ExpiresAt: time.Unix(1, 0), AccessKeyID: "ASIA"}})
	if got := lastUsed(); *got.ServiceName != "s3" || *got.Region != "eu-west-1" || !got.LastUsedDate.Equal(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)) {
		t.Errorf("after a use: %+v", got)
	}
	if err := s.clock.BlockUntil(ctx, 1); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(time.Minute)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := lastUsed(); *got.ServiceName != "s3" {
		t.Errorf("written: %+v", got)
	}
	must[api.DeleteAccessKeyOutput](s, s.root(), "iam", "DeleteAccessKey", &api.DeleteAccessKeyInput{UserName: p("ann"), AccessKeyId: k.AccessKeyId})
	_, err := ask[api.GetAccessKeyLastUsedOutput](s, s.root(), "iam", "GetAccessKeyLastUsed", &api.GetAccessKeyLastUsedInput{AccessKeyId: k.AccessKeyId})
	wantError(t, err, "AccessDenied", "User: arn:aws:iam::111122223333:root is not authorized to perform iam:GetAccessKeyLastUsed on resource: access key "+*k.AccessKeyId)
}

// TestUsesOfReplacedKeys: neither a use that was written nor one that waits outlives
// the key.
func TestUsesOfReplacedKeys(t *testing.T) {
	db, uses := storetest.New(t), store.Table[struct{}]{Name: "iam.use", Version: 1}
	s := iam.New(iam.Config{DB: db, Sealer: storetest.NewSealer(t)})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	presets := []*iam.Key{nil, {ID: "AKIAIOSFODNN7EXAMPL2", Secret: "secret-2-secret-2"}, {ID: "AKIAIOSFODNN7EXAMPL3", Secret: "secret-3-secret-3"}}
	var latest, before iam.Key
	for i, preset := range presets {
		var err error
		if latest, err = s.EnsureRoot(t.Context(), account, preset); err != nil {
			t.Fatal(err)
		}
		for _, key := range []iam.Key{before, latest} { // the old one's last request ends late
			p := iam.Root(account)
			p.AccessKeyID = key.ID
			s.Used(aws.Call{Principal: p, Service: "s3", Region: "us-east-1"})
		}
		if err := s.Run(ended); err != nil {
			t.Fatal(err)
		}
		var rows []store.Row[struct{}]
		if err := db.View(t.Context(), func(tx *store.Tx) (err error) {
			rows, err = uses.List(tx, store.Scope{}, "", 0)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if len(rows) != 1 || rows[0].Key.ID != latest.ID {
			t.Errorf("after key %d: %+v, want %s alone", i+1, rows, latest.ID)
		}
		before = latest
	}
}

func TestCredentialReport(t *testing.T) {
	s := newSystem(t)
	s.user("ann", "")
	k := must[api.CreateAccessKeyOutput](s, s.root(), "iam", "CreateAccessKey", &api.CreateAccessKeyInput{UserName: p("ann")}).AccessKey
	s.iam.Used(aws.Call{Principal: aws.Principal{Type: aws.PrincipalUser, AccessKeyID: *k.AccessKeyId}, Service: "ec2", Region: "us-east-1"})
	get := func() (*api.GetCredentialReportOutput, error) {
		return ask[api.GetCredentialReportOutput](s, s.root(), "iam", "GetCredentialReport", &api.GetCredentialReportInput{})
	}
	_, err := get()
	wantError(t, err, "ReportNotPresent", "")
	must[api.GenerateCredentialReportOutput](s, s.root(), "iam", "GenerateCredentialReport", &api.GenerateCredentialReportInput{})
	r, err := get()
	if err != nil {
		t.Fatal(err)
	}
	want := "ann,arn:aws:iam::111122223333:user/ann,2026-03-04T05:06:07+00:00,false,N/A,N/A,N/A,false," +
		"true,2026-03-04T05:06:07+00:00,2026-03-04T05:06:07+00:00,us-east-1,ec2,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A"
	if got := strings.Split(string(r.Content), "\n"); len(got) != 3 || got[2] != want || !strings.HasPrefix(got[1], "<root_account>,arn:aws:iam::111122223333:root,2026-03-04T05:06:07+00:00,not_supported,no_information,") {
		t.Errorf("report:\n%s", r.Content)
	}
	s.clock.Advance(4 * time.Hour)
	_, err = get()
	wantError(t, err, "ReportExpired", "")
	if out := must[api.GenerateCredentialReportOutput](s, s.root(), "iam", "GenerateCredentialReport", &api.GenerateCredentialReportInput{}); out.State != "STARTED" {
		t.Errorf("state %s", out.State)
	}
}

func TestAuthorizationDetails(t *testing.T) {
	s := newSystem(t)
	s.user("ann", "")
	s.role("web", trustee)
	must[api.CreateGroupOutput](s, s.root(), "iam", "CreateGroup", &api.CreateGroupInput{GroupName: p("g")})
	must[api.AddUserToGroupOutput](s, s.root(), "iam", "AddUserToGroup", &api.AddUserToGroupInput{GroupName: p("g"), UserName: p("ann")})
	must[api.AttachGroupPolicyOutput](s, s.root(), "iam", "AttachGroupPolicy", &api.AttachGroupPolicyInput{GroupName: p("g"), PolicyArn: p("arn:aws:iam::aws:policy/PowerUserAccess")})
	must[api.CreatePolicyOutput](s, s.root(), "iam", "CreatePolicy", &api.CreatePolicyInput{PolicyName: p("own"), PolicyDocument: p(allowing("s3:*", "*", ""))})
	for _, c := range []struct {
		filter                         []api.EntityType
		users, groups, roles, policies int
	}{
		{nil, 1, 1, 1, 2},
		{[]api.EntityType{"User"}, 1, 0, 0, 0},
		{[]api.EntityType{"Role", "Group"}, 0, 1, 1, 0},
		{[]api.EntityType{"LocalManagedPolicy"}, 0, 0, 0, 1},
		{[]api.EntityType{"AWSManagedPolicy"}, 0, 0, 0, 1},
	} {
		out := must[api.GetAccountAuthorizationDetailsOutput](s, s.root(), "iam", "GetAccountAuthorizationDetails", &api.GetAccountAuthorizationDetailsInput{Filter: c.filter})
		if len(out.UserDetailList) != c.users || len(out.GroupDetailList) != c.groups || len(out.RoleDetailList) != c.roles || len(out.Policies) != c.policies {
			t.Errorf("%v: %+v", c.filter, out)
		}
		if c.users == 1 && (len(out.UserDetailList[0].GroupList) != 1 || *out.IsTruncated) {
			t.Errorf("user is %+v", out.UserDetailList[0])
		}
	}
}

// TestAWSPolicies: every document of AWS's that is here is one that can be judged.
func TestAWSPolicies(t *testing.T) {
	s := newSystem(t)
	in := &api.ListPoliciesInput{Scope: "AWS"}
	for n := 0; ; {
		out := must[api.ListPoliciesOutput](s, s.root(), "iam", "ListPolicies", in)
		n += len(out.Policies)
		for _, a := range out.Policies {
			v := must[api.GetPolicyVersionOutput](s, s.root(), "iam", "GetPolicyVersion", &api.GetPolicyVersionInput{PolicyArn: a.Arn, VersionId: a.DefaultVersionId})
			if len(*a.PolicyId) != 21 || a.CreateDate.IsZero() || *v.PolicyVersion.VersionId == "" {
				t.Errorf("%s is %+v", *a.Arn, a)
			}
			must[api.GetContextKeysForCustomPolicyOutput](s, s.root(), "iam", "GetContextKeysForCustomPolicy",
				&api.GetContextKeysForCustomPolicyInput{PolicyInputList: []string{decoded(t, *v.PolicyVersion.Document)}})
		}
		if in.Marker = out.Marker; in.Marker == nil {
			if n < 150 {
				t.Errorf("%d policies", n)
			}
			return
		}
	}
}

func TestServiceLinkedRoles(t *testing.T) {
	s := newSystem(t)
	const protected = "Cannot perform the operation on the protected role 'AWSServiceRoleForAutoScaling_x' - this role is only modifiable by AWS"
	r := must[api.CreateServiceLinkedRoleOutput](s, s.root(), "iam", "CreateServiceLinkedRole",
		&api.CreateServiceLinkedRoleInput{AWSServiceName: p("autoscaling.amazonaws.com"), CustomSuffix: p("x"), Description: p("d")}).Role
	got := must[api.GetRoleOutput](s, s.root(), "iam", "GetRole", &api.GetRoleInput{RoleName: r.RoleName}).Role
	if *r.Path != "/aws-service-role/autoscaling.amazonaws.com/" || *got.Description != "d" {
		t.Errorf("role %+v, %+v", r, got)
	}
	admin := p("arn:aws:iam::aws:policy/AdministratorAccess")
	for _, c := range []struct {
		operation     string
		in            any
		code, message string
	}{
		{"CreateServiceLinkedRole", &api.CreateServiceLinkedRoleInput{AWSServiceName: p("ecs.amazonaws.com"), CustomSuffix: p("x")}, "InvalidInput", "Custom suffix is not allowed for ecs.amazonaws.com"},
		{"CreateServiceLinkedRole", &api.CreateServiceLinkedRoleInput{AWSServiceName: p("nothing.amazonaws.com")}, "InvalidInput", ""},
		{"CreateRole", &api.CreateRoleInput{RoleName: p("fake"), Path: p("/aws-service-role/ecs.amazonaws.com/"), AssumeRolePolicyDocument: p(trustee)}, "InvalidInput", ""},
		{"AttachRolePolicy", &api.AttachRolePolicyInput{RoleName: r.RoleName, PolicyArn: admin}, "UnmodifiableEntity", protected},
		{"DetachRolePolicy", &api.DetachRolePolicyInput{RoleName: r.RoleName, PolicyArn: admin}, "UnmodifiableEntity", protected},
		{"PutRolePolicy", &api.PutRolePolicyInput{RoleName: r.RoleName, PolicyName: p("p"), PolicyDocument: p(allowing("*", "*", ""))}, "UnmodifiableEntity", protected},
		{"PutRolePermissionsBoundary", &api.PutRolePermissionsBoundaryInput{RoleName: r.RoleName, PermissionsBoundary: admin}, "UnmodifiableEntity", protected},
		{"UpdateAssumeRolePolicy", &api.UpdateAssumeRolePolicyInput{RoleName: r.RoleName, PolicyDocument: p(trustee)}, "UnmodifiableEntity", protected},
		{"DeleteRole", &api.DeleteRoleInput{RoleName: r.RoleName}, "UnmodifiableEntity", protected},
		{"UpdateRole", &api.UpdateRoleInput{RoleName: r.RoleName, Description: p("e")}, "", ""},
		{"DeleteServiceLinkedRole", &api.DeleteServiceLinkedRoleInput{RoleName: p("none")}, "NoSuchEntity", "The role with name none cannot be found."},
		{"DeleteServiceLinkedRole", &api.DeleteServiceLinkedRoleInput{RoleName: r.RoleName}, "", ""},
		{"GetRole", &api.GetRoleInput{RoleName: r.RoleName}, "NoSuchEntity", ""},
		{"GetServiceLinkedRoleDeletionStatus", &api.GetServiceLinkedRoleDeletionStatusInput{DeletionTaskId: p("task/x")}, "NoSuchEntity", ""},
	} {
		t.Run(c.operation, func(t *testing.T) {
			_, err := s.server.Invoke(s.root(), "iam", c.operation, c.in)
			wantError(t, err, c.code, c.message)
		})
	}
}

func TestOIDCProviders(t *testing.T) {
	s := newSystem(t)
	const issuer = "arn:aws:iam::111122223333:oidc-provider/issuer.example/ci"
	print := strings.Repeat("A", 40)
	for _, c := range []struct {
		operation     string
		in            any
		code, message string
	}{
		{"CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{Url: p("issuer.example")}, "ValidationError", "Invalid Open ID Connect Provider URL"},
		{"CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{Url: p("http://issuer.example")}, "ValidationError", "Invalid Open ID Connect Provider URL"},
		{"CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{Url: p("https://issuer.example/?a=b")}, "ValidationError", "Invalid Open ID Connect Provider URL"},
		{"CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{Url: p("https://issuer.example"), ThumbprintList: []string{print, print, print, print, print, print}},
			"InvalidInput", "Thumbprint list must contain fewer than 5 entries."},
		{"CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{Url: p("https://issuer.example/ci/"), ThumbprintList: []string{print}}, "", ""},
		{"CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{Url: p("https://issuer.example/ci")}, "EntityAlreadyExists", "Provider with url https://issuer.example/ci already exists."},
		{"AddClientIDToOpenIDConnectProvider", &api.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: p(issuer), ClientID: p("a")}, "", ""},
		{"AddClientIDToOpenIDConnectProvider", &api.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: p(issuer), ClientID: p("a")}, "", ""},
		{"RemoveClientIDFromOpenIDConnectProvider", &api.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: p(issuer), ClientID: p("b")}, "", ""},
		{"UpdateOpenIDConnectProviderThumbprint", &api.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: p(issuer + "x"), ThumbprintList: []string{print}},
			"NoSuchEntity", "OpenIDConnect Provider not found for arn " + issuer + "x"},
		{"GetOpenIDConnectProvider", &api.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: p("arn:aws:iam::111122223333:user/ann")}, "InvalidInput", "Invalid ARN: arn:aws:iam::111122223333:user/ann"},
		{"TagOpenIDConnectProvider", &api.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: p(issuer), Tags: []api.Tag{{Key: p("a"), Value: p("b")}}}, "", ""},
		{"DeleteOpenIDConnectProvider", &api.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: p(issuer + "x")}, "NoSuchEntity", "OpenId connect Provider " + issuer + "x cannot be found."},
	} {
		_, err := s.server.Invoke(s.root(), "iam", c.operation, c.in)
		wantError(t, err, c.code, c.message)
	}
	got := must[api.GetOpenIDConnectProviderOutput](s, s.root(), "iam", "GetOpenIDConnectProvider", &api.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: p(issuer)})
	if *got.Url != "issuer.example/ci" || len(got.ClientIDList) != 1 || got.ThumbprintList[0] != strings.ToLower(print) || len(got.Tags) != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestPoliciesGrantingServiceAccess(t *testing.T) {
	s := newSystem(t)
	s.user("ann", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":"ec2:*","Resource":"*"},{"Effect":"Deny","Action":"sqs:*","Resource":"*"}]}`)
	must[api.AttachUserPolicyOutput](s, s.root(), "iam", "AttachUserPolicy", &api.AttachUserPolicyInput{UserName: p("ann"), PolicyArn: p("arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess")})
	in := &api.ListPoliciesGrantingServiceAccessInput{Arn: p("arn:aws:iam::111122223333:user/ann"), ServiceNamespaces: []string{"ec2", "s3"}}
	out := must[api.ListPoliciesGrantingServiceAccessOutput](s, s.root(), "iam", "ListPoliciesGrantingServiceAccess", in).PoliciesGrantingServiceAccess
	if len(out) != 2 || len(out[0].Policies) != 1 || *out[0].Policies[0].PolicyName != "AmazonEC2ReadOnlyAccess" || out[0].Policies[0].PolicyType != "MANAGED" ||
		len(out[1].Policies) != 1 || *out[1].Policies[0].EntityName != "ann" || out[1].Policies[0].EntityType != "USER" {
		t.Errorf("got %+v", out)
	}
	in.Arn = p("arn:aws:iam::111122223333:user/nobody")
	_, err := ask[api.ListPoliciesGrantingServiceAccessOutput](s, s.root(), "iam", "ListPoliciesGrantingServiceAccess", in)
	wantError(t, err, "NoSuchEntity", "The user with name nobody cannot be found.")
}

// TestOldDeletionsAreForgotten: who deletes service-linked roles leaves rows, for a month.
func TestOldDeletionsAreForgotten(t *testing.T) {
	s := newSystem(t)
	ask := func(operation string, in any) (any, error) { return s.server.Invoke(s.root(), "iam", operation, in) }
	made, err := ask("CreateServiceLinkedRole", &api.CreateServiceLinkedRoleInput{AWSServiceName: aws.Ptr("ecs.amazonaws.com")})
	if err != nil {
		t.Fatal(err)
	}
	deleted, err := ask("DeleteServiceLinkedRole", &api.DeleteServiceLinkedRoleInput{RoleName: made.(*api.CreateServiceLinkedRoleOutput).Role.RoleName})
	if err != nil {
		t.Fatal(err)
	}
	look := &api.GetServiceLinkedRoleDeletionStatusInput{DeletionTaskId: deleted.(*api.DeleteServiceLinkedRoleOutput).DeletionTaskId}
	wiretest.Age(t, s.clock, s.iam.Aging(), 29*24*time.Hour)
	if _, err := ask("GetServiceLinkedRoleDeletionStatus", look); err != nil {
		t.Error(err)
	}
	wiretest.Age(t, s.clock, s.iam.Aging(), 25*time.Hour)
	_, err = ask("GetServiceLinkedRoleDeletionStatus", look)
	wantError(t, err, "NoSuchEntity", "")
}
