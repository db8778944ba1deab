package iam_test

import (
	"context"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	stsapi "github.com/hardstand/hardstand/internal/aws/api/sts"
)

// step is one call of a story with the error it must give.
type step struct {
	op            string
	in            any
	code, message string
}

func (s *system) tell(t *testing.T, ctx context.Context, steps []step) {
	t.Helper()
	for i, st := range steps {
		_, err := s.server.Invoke(ctx, "iam", st.op, st.in)
		t.Run(fmt.Sprintf("%02d %s", i, st.op), func(t *testing.T) { wantError(t, err, st.code, st.message) })
	}
}

func p(s string) *string { return &s }

func TestUserStory(t *testing.T) {
	s := newSystem(t)
	doc := allowing("s3:*", "*", "")
	s.tell(t, s.root(), []step{
		{"GetUser", &api.GetUserInput{UserName: p("ann")}, "NoSuchEntity", "The user with name ann cannot be found."},
		{"CreateUser", &api.CreateUserInput{UserName: p("ann"), Path: p("/team/")}, "", ""},
		{"CreateUser", &api.CreateUserInput{UserName: p("Ann")}, "EntityAlreadyExists", "User with name Ann already exists."},
		{"CreateUser", &api.CreateUserInput{UserName: p("a b")}, "ValidationError", ""},
		{"CreateUser", &api.CreateUserInput{UserName: p("bob"), PermissionsBoundary: p("arn:aws:iam::111122223333:policy/none")}, "NoSuchEntity", "Scope ARN: arn:aws:iam::111122223333:policy/none does not exist or is not attachable."},
		{"TagUser", &api.TagUserInput{UserName: p("ann"), Tags: []api.Tag{{Key: p("a"), Value: p("1")}, {Key: p("A"), Value: p("2")}}}, "InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive."},
		{"TagUser", &api.TagUserInput{UserName: p("ann"), Tags: []api.Tag{{Key: p("aws:x"), Value: p("1")}}}, "InvalidInput", ""},
		{"TagUser", &api.TagUserInput{UserName: p("ann"), Tags: []api.Tag{{Key: p("a"), Value: p("1")}}}, "", ""},
		{"UntagUser", &api.UntagUserInput{UserName: p("ann"), TagKeys: []string{"A"}}, "", ""},
		{"PutUserPolicy", &api.PutUserPolicyInput{UserName: p("ann"), PolicyName: p("p"), PolicyDocument: p("{")}, "MalformedPolicyDocument", "Syntax errors in policy."},
		{"PutUserPolicy", &api.PutUserPolicyInput{UserName: p("ann"), PolicyName: p("p"), PolicyDocument: p(allowing("s3:*", "arn:aws:s3:::"+strings.Repeat("x", 2048), ""))}, "LimitExceeded", "Maximum policy size of 2048 bytes exceeded for user ann"},
		{"PutUserPolicy", &api.PutUserPolicyInput{UserName: p("ann"), PolicyName: p("p"), PolicyDocument: &doc}, "", ""},
		{"GetUserPolicy", &api.GetUserPolicyInput{UserName: p("ann"), PolicyName: p("q")}, "NoSuchEntity", "The user policy with name q cannot be found."},
		{"DeleteUserPolicy", &api.DeleteUserPolicyInput{UserName: p("ann"), PolicyName: p("q")}, "NoSuchEntity", "The user policy with name q cannot be found."},
		{"AttachUserPolicy", &api.AttachUserPolicyInput{UserName: p("ann"), PolicyArn: p("arn:aws:iam::aws:policy/NoSuchPolicy")}, "NoSuchEntity", "Policy arn:aws:iam::aws:policy/NoSuchPolicy does not exist or is not attachable."},
		{"AttachUserPolicy", &api.AttachUserPolicyInput{UserName: p("ann"), PolicyArn: p("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")}, "", ""},
		{"DetachUserPolicy", &api.DetachUserPolicyInput{UserName: p("ann"), PolicyArn: p("arn:aws:iam::aws:policy/AmazonS3FullAccess")}, "NoSuchEntity", "Policy arn:aws:iam::aws:policy/AmazonS3FullAccess was not found."},
		{"CreateGroup", &api.CreateGroupInput{GroupName: p("g")}, "", ""},
		{"AddUserToGroup", &api.AddUserToGroupInput{GroupName: p("g"), UserName: p("ann")}, "", ""},
		{"AddUserToGroup", &api.AddUserToGroupInput{GroupName: p("h"), UserName: p("ann")}, "NoSuchEntity", "The group with name h cannot be found."},
		{"DeleteGroup", &api.DeleteGroupInput{GroupName: p("g")}, "DeleteConflict", "Cannot delete entity, must remove users from group first."},
		{"UpdateUser", &api.UpdateUserInput{UserName: p("ann"), NewUserName: p("anna")}, "", ""},
		{"CreateAccessKey", &api.CreateAccessKeyInput{UserName: p("anna")}, "", ""},
		{"CreateAccessKey", &api.CreateAccessKeyInput{UserName: p("anna")}, "", ""},
		{"CreateAccessKey", &api.CreateAccessKeyInput{UserName: p("anna")}, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2"},
		{"DeleteAccessKey", &api.DeleteAccessKeyInput{UserName: p("anna"), AccessKeyId: p("AKIAAAAAAAAAAAAAAAAA")}, "NoSuchEntity", "The Access Key with id AKIAAAAAAAAAAAAAAAAA cannot be found."},
		{"DeleteUser", &api.DeleteUserInput{UserName: p("anna")}, "DeleteConflict", "Cannot delete entity, must detach all policies first."},
		{"DetachUserPolicy", &api.DetachUserPolicyInput{UserName: p("anna"), PolicyArn: p("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")}, "", ""},
		{"DeleteUser", &api.DeleteUserInput{UserName: p("anna")}, "DeleteConflict", "Cannot delete entity, must delete policies first."},
		{"DeleteUserPolicy", &api.DeleteUserPolicyInput{UserName: p("anna"), PolicyName: p("p")}, "", ""},
		{"DeleteUser", &api.DeleteUserInput{UserName: p("anna")}, "DeleteConflict", "Cannot delete entity, must delete access keys first."},
	})
	for _, k := range must[api.ListAccessKeysOutput](s, s.root(), "iam", "ListAccessKeys", &api.ListAccessKeysInput{UserName: p("anna")}).AccessKeyMetadata {
		must[api.DeleteAccessKeyOutput](s, s.root(), "iam", "DeleteAccessKey", &api.DeleteAccessKeyInput{UserName: p("anna"), AccessKeyId: k.AccessKeyId})
	}
	s.tell(t, s.root(), []step{
		{"DeleteUser", &api.DeleteUserInput{UserName: p("anna")}, "DeleteConflict", "Cannot delete entity, must remove users from group first."},
		{"RemoveUserFromGroup", &api.RemoveUserFromGroupInput{GroupName: p("g"), UserName: p("anna")}, "", ""},
		{"DeleteUser", &api.DeleteUserInput{UserName: p("anna")}, "", ""},
		{"DeleteUser", &api.DeleteUserInput{UserName: p("anna")}, "NoSuchEntity", "The user with name anna cannot be found."},
		{"DeleteGroup", &api.DeleteGroupInput{GroupName: p("g")}, "", ""},
	})
}

func TestRoleStory(t *testing.T) {
	s := newSystem(t)
	const s3read = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
	s.tell(t, s.root(), []step{
		{"CreateRole", &api.CreateRoleInput{RoleName: p("r"), AssumeRolePolicyDocument: p(allowing("sts:AssumeRole", "*", ""))}, "MalformedPolicyDocument", "Missing required field Principal"},
		{"CreateRole", &api.CreateRoleInput{RoleName: p("r"), AssumeRolePolicyDocument: p(strings.Replace(trustee, `"Service":"ec2.amazonaws.com"`, `"AWS":"arn:aws:iam::111122223333:user/nobody"`, 1))}, "MalformedPolicyDocument", `Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:user/nobody"`},
		{"CreateRole", &api.CreateRoleInput{RoleName: p("r"), AssumeRolePolicyDocument: p(trustee)}, "", ""},
		{"CreateRole", &api.CreateRoleInput{RoleName: p("R"), AssumeRolePolicyDocument: p(trustee)}, "EntityAlreadyExists", "Role with name R already exists."},
		{"CreateRole", &api.CreateRoleInput{RoleName: p("q"), AssumeRolePolicyDocument: p(trustee), MaxSessionDuration: aws.Ptr(int32(60))}, "ValidationError", ""},
		{"UpdateAssumeRolePolicy", &api.UpdateAssumeRolePolicyInput{RoleName: p("r"), PolicyDocument: p(`{}`)}, "MalformedPolicyDocument", "Syntax errors in policy."},
		{"UpdateRole", &api.UpdateRoleInput{RoleName: p("r"), Description: p("d"), MaxSessionDuration: aws.Ptr(int32(7200))}, "", ""},
		{"PutRolePolicy", &api.PutRolePolicyInput{RoleName: p("x"), PolicyName: p("p"), PolicyDocument: p(allowing("s3:*", "*", ""))}, "NoSuchEntity", "The role with name x cannot be found."},
		{"AttachRolePolicy", &api.AttachRolePolicyInput{RoleName: p("r"), PolicyArn: p(s3read)}, "", ""},
		{"AttachRolePolicy", &api.AttachRolePolicyInput{RoleName: p("r"), PolicyArn: p(s3read)}, "", ""},
		{"CreateInstanceProfile", &api.CreateInstanceProfileInput{InstanceProfileName: p("ip")}, "", ""},
		{"CreateInstanceProfile", &api.CreateInstanceProfileInput{InstanceProfileName: p("ip")}, "EntityAlreadyExists", "Instance Profile ip already exists."},
		{"AddRoleToInstanceProfile", &api.AddRoleToInstanceProfileInput{InstanceProfileName: p("none"), RoleName: p("r")}, "NoSuchEntity", "Instance Profile none cannot be found."},
		{"AddRoleToInstanceProfile", &api.AddRoleToInstanceProfileInput{InstanceProfileName: p("ip"), RoleName: p("none")}, "NoSuchEntity", "The role with name none cannot be found."},
		{"AddRoleToInstanceProfile", &api.AddRoleToInstanceProfileInput{InstanceProfileName: p("ip"), RoleName: p("r")}, "", ""},
		{"AddRoleToInstanceProfile", &api.AddRoleToInstanceProfileInput{InstanceProfileName: p("ip"), RoleName: p("r")}, "LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"},
		{"DeleteRole", &api.DeleteRoleInput{RoleName: p("r")}, "DeleteConflict", "Cannot delete entity, must detach all policies first."},
		{"DetachRolePolicy", &api.DetachRolePolicyInput{RoleName: p("r"), PolicyArn: p(s3read)}, "", ""},
		{"DeleteRole", &api.DeleteRoleInput{RoleName: p("r")}, "DeleteConflict", "Cannot delete entity, must remove roles from instance profile first."},
		{"DeleteInstanceProfile", &api.DeleteInstanceProfileInput{InstanceProfileName: p("ip")}, "DeleteConflict", "Cannot delete entity, must remove roles from instance profile first."},
		{"RemoveRoleFromInstanceProfile", &api.RemoveRoleFromInstanceProfileInput{InstanceProfileName: p("ip"), RoleName: p("x")}, "NoSuchEntity", ""},
		{"RemoveRoleFromInstanceProfile", &api.RemoveRoleFromInstanceProfileInput{InstanceProfileName: p("ip"), RoleName: p("r")}, "", ""},
		{"DeleteInstanceProfile", &api.DeleteInstanceProfileInput{InstanceProfileName: p("ip")}, "", ""},
		{"DeleteRole", &api.DeleteRoleInput{RoleName: p("r")}, "", ""},
		{"GetRole", &api.GetRoleInput{RoleName: p("r")}, "NoSuchEntity", "The role with name r cannot be found."},
	})
}

func TestManagedPolicyStory(t *testing.T) {
	s := newSystem(t)
	const own, admin = "arn:aws:iam::111122223333:policy/team/own", "arn:aws:iam::aws:policy/AdministratorAccess"
	s.user("ann", "")
	doc := p(allowing("s3:*", "*", ""))
	s.tell(t, s.root(), []step{
		{"CreatePolicy", &api.CreatePolicyInput{PolicyName: p("own"), Path: p("/team/"), PolicyDocument: p(`{"Statement":[]}`)}, "MalformedPolicyDocument", "Policy document must be version 2012-10-17 or greater."},
		{"CreatePolicy", &api.CreatePolicyInput{PolicyName: p("own"), Path: p("/team/"), PolicyDocument: doc}, "", ""},
		{"CreatePolicy", &api.CreatePolicyInput{PolicyName: p("own"), PolicyDocument: doc}, "EntityAlreadyExists", "A policy called own already exists. Duplicate names are not allowed."},
		{"GetPolicy", &api.GetPolicyInput{PolicyArn: p("arn:aws:iam::111122223333:policy/own")}, "NoSuchEntity", "Policy arn:aws:iam::111122223333:policy/own was not found."},
		{"GetPolicy", &api.GetPolicyInput{PolicyArn: p("not-an-arn-but-long-enough")}, "ValidationError", "ARN not-an-arn-but-long-enough is not valid."},
		{"GetPolicy", &api.GetPolicyInput{PolicyArn: p(admin)}, "", ""},
		{"DeletePolicy", &api.DeletePolicyInput{PolicyArn: p(admin)}, "InvalidInput", ""},
		{"CreatePolicyVersion", &api.CreatePolicyVersionInput{PolicyArn: p(admin), PolicyDocument: doc}, "InvalidInput", ""},
		{"CreatePolicyVersion", &api.CreatePolicyVersionInput{PolicyArn: p(own), PolicyDocument: doc, SetAsDefault: aws.Ptr(true)}, "", ""},
		{"DeletePolicyVersion", &api.DeletePolicyVersionInput{PolicyArn: p(own), VersionId: p("v2")}, "DeleteConflict", "Cannot delete the default version of a policy."},
		{"SetDefaultPolicyVersion", &api.SetDefaultPolicyVersionInput{PolicyArn: p(own), VersionId: p("v9")}, "NoSuchEntity", "Policy " + own + " version v9 does not exist or is not attachable."},
		{"CreatePolicyVersion", &api.CreatePolicyVersionInput{PolicyArn: p(own), PolicyDocument: doc}, "", ""},
		{"CreatePolicyVersion", &api.CreatePolicyVersionInput{PolicyArn: p(own), PolicyDocument: doc}, "", ""},
		{"CreatePolicyVersion", &api.CreatePolicyVersionInput{PolicyArn: p(own), PolicyDocument: doc}, "", ""},
		{"CreatePolicyVersion", &api.CreatePolicyVersionInput{PolicyArn: p(own), PolicyDocument: doc}, "LimitExceeded", ""},
		{"AttachUserPolicy", &api.AttachUserPolicyInput{UserName: p("ann"), PolicyArn: p(own)}, "", ""},
		{"DeletePolicy", &api.DeletePolicyInput{PolicyArn: p(own)}, "DeleteConflict", "Cannot delete a policy attached to entities."},
		{"DetachUserPolicy", &api.DetachUserPolicyInput{UserName: p("ann"), PolicyArn: p(own)}, "", ""},
		{"DeletePolicy", &api.DeletePolicyInput{PolicyArn: p(own)}, "DeleteConflict", ""},
	})
	for _, v := range []string{"v1", "v3", "v4", "v5"} {
		must[api.DeletePolicyVersionOutput](s, s.root(), "iam", "DeletePolicyVersion", &api.DeletePolicyVersionInput{PolicyArn: p(own), VersionId: &v})
	}
	must[api.DeletePolicyOutput](s, s.root(), "iam", "DeletePolicy", &api.DeletePolicyInput{PolicyArn: p(own)})
}

func TestDocumentsAreEncoded(t *testing.T) {
	s := newSystem(t)
	s.role("r", trustee)
	got := must[api.GetRoleOutput](s, s.root(), "iam", "GetRole", &api.GetRoleInput{RoleName: p("r")}).Role
	plain, err := url.PathUnescape(*got.AssumeRolePolicyDocument)
	if err != nil || plain != trustee || strings.ContainsAny(*got.AssumeRolePolicyDocument, `{"+ `) {
		t.Errorf("got %s", *got.AssumeRolePolicyDocument)
	}
}

func TestPages(t *testing.T) {
	s := newSystem(t)
	for _, name := range []string{"c", "A", "b", "e", "D"} {
		s.user(name, "")
	}
	var got []string
	in := &api.ListUsersInput{MaxItems: aws.Ptr(int32(2))}
	for {
		out := must[api.ListUsersOutput](s, s.root(), "iam", "ListUsers", in)
		for _, u := range out.Users {
			got = append(got, *u.UserName)
		}
		if in.Marker = out.Marker; !*out.IsTruncated {
			break
		}
	}
	if !reflect.DeepEqual(got, []string{"A", "b", "c", "D", "e"}) {
		t.Errorf("listed %v", got)
	}
	_, err := ask[api.ListUsersOutput](s, s.root(), "iam", "ListUsers", &api.ListUsersInput{Marker: p("?")})
	wantError(t, err, "InvalidInput", "Invalid Marker.")
}

// TestEveryOperationAsks proves that each operation is denied to a user without
// policies, in AWS's words and under its own action.
func TestEveryOperationAsks(t *testing.T) {
	s := newSystem(t)
	bare := s.user("bare", "")
	s.user("u", "")
	for _, op := range s.iam.Wire().Operations {
		t.Run(op.Name, func(t *testing.T) {
			in := op.New()
			fill(in)
			_, err := s.server.Invoke(s.as(bare), "iam", op.Name, in)
			wantError(t, err, "AccessDenied", "")
			prefix := "User: " + bare.ARN + " is not authorized to perform: iam:" + op.Name
			if !strings.Contains(err.Error(), prefix) || !strings.HasSuffix(err.Error(), " because no identity-based policy allows the iam:"+op.Name+" action") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// fill gives an input values that pass validation.
func fill(in any) {
	values := map[string]string{"PolicyDocument": "{}", "AssumeRolePolicyDocument": "{}", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess", "VersionId": "v1",
		"PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess", "AccessKeyId": "AKIAAAAAAAAAAAAAAAAA", "UserName": "u", "PolicySourceArn": "arn:aws:iam::111122223333:user/u", "AccountAlias": "alias", "Description": "d",
		"OpenIDConnectProviderArn": "arn:aws:iam::111122223333:oidc-provider/issuer.example", "Url": "https://issuer.example", "ClientID": "c", "SerialNumber": "arn:aws:iam::111122223333:mfa/u",
		"SSHPublicKeyId": "APKAAAAAAAAAAAAAAAAAAA", "CertificateId": "AAAAAAAAAAAAAAAAAAAAAAAAAAAA", "ServiceSpecificCredentialId": "ACCAAAAAAAAAAAAAAAAAA",
		"CertificateBody": "c", "PrivateKey": "k", "CertificateChain": "c",
		"SAMLProviderArn": "arn:aws:iam::111122223333:saml-provider/u", "Arn": "arn:aws:iam::111122223333:user/u", "AWSServiceName": "autoscaling.amazonaws.com",
		"DeletionTaskId": "task/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling/1"}
	v := reflect.ValueOf(in).Elem()
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		switch f.Interface().(type) {
		case *string:
			if strings.HasSuffix(name, "Name") {
				f.Set(reflect.ValueOf(p("u")))
			}
			if value, ok := values[name]; ok {
				f.Set(reflect.ValueOf(&value))
			}
		case []string:
			list := []string{"s3:GetObject"}
			switch name {
			case "ThumbprintList":
				list = []string{strings.Repeat("a", 40)}
			case "ServiceNamespaces":
				list = []string{"s3"}
			}
			f.Set(reflect.ValueOf(list))
		case api.EncodingType:
			f.Set(reflect.ValueOf(api.EncodingTypeSsh))
		case []api.Tag:
			f.Set(reflect.ValueOf([]api.Tag{{Key: p("a"), Value: p("b")}}))
		case api.StatusType:
			f.Set(reflect.ValueOf(api.StatusTypeActive))
		}
	}
}

func TestCallerIdentity(t *testing.T) {
	s := newSystem(t)
	ann := s.user("ann", `{"Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`)
	out := must[stsapi.GetCallerIdentityOutput](s, s.as(ann), "sts", "GetCallerIdentity", &stsapi.GetCallerIdentityInput{})
	if *out.Arn != "arn:aws:iam::111122223333:user/ann" || *out.Account != account || *out.UserId != ann.UniqueID {
		t.Errorf("got %s %s %s", *out.Arn, *out.Account, *out.UserId)
	}
	root := must[api.GetUserOutput](s, s.root(), "iam", "GetUser", &api.GetUserInput{}).User
	if *root.Arn != "arn:aws:iam::111122223333:root" || *root.UserId != account {
		t.Errorf("root is %s %s", *root.Arn, *root.UserId)
	}
}
