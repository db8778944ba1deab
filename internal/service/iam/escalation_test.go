package iam_test

import (
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/wire"
)

// TestEscalation: none of the ways in which somebody who may do much gives himself
// the rest is open without its own permission, and each is open with it.
func TestEscalation(t *testing.T) {
	const admin = "arn:aws:iam::aws:policy/AdministratorAccess"
	const own = "arn:aws:iam::111122223333:policy/own"
	everything := allowing("*", "*", "")
	for _, c := range []struct {
		action string
		in     any
	}{
		{"CreatePolicyVersion", &api.CreatePolicyVersionInput{PolicyArn: p(own), PolicyDocument: &everything, SetAsDefault: aws.Ptr(true)}},
		{"SetDefaultPolicyVersion", &api.SetDefaultPolicyVersionInput{PolicyArn: p(own), VersionId: p("v2")}},
		{"AttachUserPolicy", &api.AttachUserPolicyInput{UserName: p("mallory"), PolicyArn: p(admin)}},
		{"AttachGroupPolicy", &api.AttachGroupPolicyInput{GroupName: p("crew"), PolicyArn: p(admin)}},
		{"AttachRolePolicy", &api.AttachRolePolicyInput{RoleName: p("worker"), PolicyArn: p(admin)}},
		{"PutUserPolicy", &api.PutUserPolicyInput{UserName: p("mallory"), PolicyName: p("x"), PolicyDocument: &everything}},
		{"PutGroupPolicy", &api.PutGroupPolicyInput{GroupName: p("crew"), PolicyName: p("x"), PolicyDocument: &everything}},
		{"PutRolePolicy", &api.PutRolePolicyInput{RoleName: p("worker"), PolicyName: p("x"), PolicyDocument: &everything}},
		{"AddUserToGroup", &api.AddUserToGroupInput{GroupName: p("admins"), UserName: p("mallory")}},
		{"CreateAccessKey", &api.CreateAccessKeyInput{UserName: p("boss")}},
		{"UpdateAssumeRolePolicy", &api.UpdateAssumeRolePolicyInput{RoleName: p("worker"), PolicyDocument: p(trustee)}},
		{"DeleteUserPermissionsBoundary", &api.DeleteUserPermissionsBoundaryInput{UserName: p("mallory")}},
		{"PutUserPermissionsBoundary", &api.PutUserPermissionsBoundaryInput{UserName: p("mallory"), PermissionsBoundary: p(admin)}},
		{"DetachUserPolicy", &api.DetachUserPolicyInput{UserName: p("mallory"), PolicyArn: p("arn:aws:iam::aws:policy/PowerUserAccess")}},
		{"UpdateUser", &api.UpdateUserInput{UserName: p("mallory"), NewUserName: p("boss2")}},
		{"CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{Url: p("https://mine.example")}},
	} {
		t.Run(c.action, func(t *testing.T) {
			s := newSystem(t)
			mallory := s.escalationWorld(own, "NotAction", "iam:"+c.action)
			_, err := s.server.Invoke(s.as(mallory), "iam", c.action, c.in)
			wantError(t, err, "AccessDenied", "")
			if !strings.Contains(err.Error(), "is not authorized to perform: iam:"+c.action+" on resource: arn:aws:iam::111122223333:") {
				t.Errorf("refused as %v", err)
			}
			s = newSystem(t)
			mallory = s.escalationWorld(own, "Action", "iam:"+c.action)
			if _, err := s.server.Invoke(s.as(mallory), "iam", c.action, c.in); err != nil {
				t.Errorf("with the permission: %v", err)
			}
		})
	}
}

// escalationWorld has users, groups, a role and a policy to abuse; it returns the user
// mallory, whose one statement allows Action or NotAction as given.
func (s *system) escalationWorld(own, element, action string) aws.Principal {
	s.t.Helper()
	root := s.root()
	document := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","` + element + `":"` + action + `","Resource":"*"}]}`
	mallory := s.user("mallory", document)
	s.user("boss", allowing("*", "*", ""))
	s.role("worker", trustee)
	for _, g := range []string{"crew", "admins"} {
		must[api.CreateGroupOutput](s, root, "iam", "CreateGroup", &api.CreateGroupInput{GroupName: &g})
	}
	must[api.CreatePolicyOutput](s, root, "iam", "CreatePolicy", &api.CreatePolicyInput{PolicyName: p("own"), PolicyDocument: p(allowing("s3:*", "*", ""))})
	must[api.CreatePolicyVersionOutput](s, root, "iam", "CreatePolicyVersion", &api.CreatePolicyVersionInput{PolicyArn: &own, PolicyDocument: p(allowing("*", "*", ""))})
	power := p("arn:aws:iam::aws:policy/PowerUserAccess")
	must[api.AttachUserPolicyOutput](s, root, "iam", "AttachUserPolicy", &api.AttachUserPolicyInput{UserName: p("mallory"), PolicyArn: power})
	must[api.PutUserPermissionsBoundaryOutput](s, root, "iam", "PutUserPermissionsBoundary", &api.PutUserPermissionsBoundaryInput{UserName: p("mallory"), PermissionsBoundary: p("arn:aws:iam::aws:policy/AdministratorAccess")})
	return mallory
}

// TestPassRoleIsAsked: whoever puts a role into an instance profile hands it to EC2.
func TestPassRoleIsAsked(t *testing.T) {
	s := newSystem(t)
	mallory := s.user("mallory", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":"iam:PassRole","Resource":"*"}]}`)
	s.role("boss", trustee)
	must[api.CreateInstanceProfileOutput](s, s.root(), "iam", "CreateInstanceProfile", &api.CreateInstanceProfileInput{InstanceProfileName: p("mine")})
	_, err := wire.Call[api.AddRoleToInstanceProfileOutput](s.as(mallory), s.server, "iam", "AddRoleToInstanceProfile", &api.AddRoleToInstanceProfileInput{InstanceProfileName: p("mine"), RoleName: p("boss")})
	wantError(t, err, "AccessDenied", "User: "+mallory.ARN+" is not authorized to perform: iam:PassRole on resource: arn:aws:iam::111122223333:role/boss because no identity-based policy allows the iam:PassRole action")
}
