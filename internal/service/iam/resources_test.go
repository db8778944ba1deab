package iam_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
)

// props reads properties as the engine hands them over.
func props(t *testing.T, text string) map[string]any {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var out map[string]any
	if err := dec.Decode(&out); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}

func TestResourceTypesConform(t *testing.T) {
	doc := func(action string) string { return allowing(action, "*", "") }
	inline := `"Policies":[{"PolicyName":"p","PolicyDocument":` + doc("s3:*") + `}],"ManagedPolicyArns":["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]`
	changed := `"Policies":[{"PolicyName":"q","PolicyDocument":` + doc("ec2:*") + `}],"ManagedPolicyArns":["arn:aws:iam::aws:policy/AmazonS3FullAccess"]`
	for _, c := range []struct{ kind, properties, changed string }{
		{"AWS::IAM::Role", `{"AssumeRolePolicyDocument":` + trustee + `,` + inline + `}`,
			`{"AssumeRolePolicyDocument":` + s3Trust + `,"Description":"d","MaxSessionDuration":"7200","Tags":[{"Key":"a","Value":"b"}],` + changed + `}`},
		{"AWS::IAM::User", `{"Groups":["g"],` + inline + `}`, `{"Path":"/x/","Groups":["h"],` + changed + `}`},
		{"AWS::IAM::Group", `{"GroupName":"made",` + inline + `}`, `{"GroupName":"made","Path":"/x/",` + changed + `}`},
		{"AWS::IAM::UserToGroupAddition", `{"GroupName":"g","Users":["u"]}`, `{"GroupName":"g","Users":["v"]}`},
		{"AWS::IAM::InstanceProfile", `{"Roles":["r"]}`, `{"Roles":["r2"]}`},
		{"AWS::IAM::Policy", `{"PolicyName":"own","PolicyDocument":` + doc("s3:*") + `,"Roles":["r"],"Users":["u"]}`, `{"PolicyName":"other","PolicyDocument":` + doc("ec2:*") + `,"Groups":["g"],"Users":["u"]}`},
		{"AWS::IAM::ManagedPolicy", `{"PolicyDocument":` + doc("s3:*") + `,"Roles":["r"]}`, `{"PolicyDocument":` + doc("ec2:*") + `,"Users":["u"]}`},
		{"AWS::IAM::AccessKey", `{"UserName":"u"}`, `{"UserName":"u","Status":"Inactive"}`},
		{"AWS::IAM::OIDCProvider", `{"Url":"https://issuer.example","ClientIdList":["a"]}`,
			`{"Url":"https://issuer.example","ClientIdList":["b"],"ThumbprintList":["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],"Tags":[{"Key":"a","Value":"b"}]}`},
		{"AWS::IAM::ServiceLinkedRole", `{"AWSServiceName":"autoscaling.amazonaws.com","CustomSuffix":"x"}`, `{"AWSServiceName":"autoscaling.amazonaws.com","CustomSuffix":"x","Description":"d"}`},
		{"AWS::IAM::RolePolicy", `{"RoleName":"r","PolicyName":"p","PolicyDocument":` + doc("s3:*") + `}`, `{"RoleName":"r","PolicyName":"p","PolicyDocument":` + doc("ec2:*") + `}`},
		{"AWS::IAM::UserPolicy", `{"UserName":"u","PolicyName":"p","PolicyDocument":` + doc("s3:*") + `}`, `{"UserName":"u","PolicyName":"p","PolicyDocument":` + doc("ec2:*") + `}`},
		{"AWS::IAM::GroupPolicy", `{"GroupName":"g","PolicyName":"p","PolicyDocument":` + doc("s3:*") + `}`, `{"GroupName":"g","PolicyName":"p","PolicyDocument":` + doc("ec2:*") + `}`},
	} {
		t.Run(c.kind, func(t *testing.T) {
			s := newSystem(t)
			for _, name := range []string{"g", "h"} {
				must[api.CreateGroupOutput](s, s.root(), "iam", "CreateGroup", &api.CreateGroupInput{GroupName: &name})
			}
			s.user("u", "")
			s.user("v", "")
			s.role("r", trustee)
			s.role("r2", trustee)
			call := aws.CallFrom(s.root())
			call.Service = "cloudformation"
			stacktest.Conform(t, stacktest.Case{Resource: s.iam.Resources(s.server)[c.kind], Type: c.kind, Context: aws.WithCall(t.Context(), call),
				Properties: props(t, c.properties), Changed: props(t, c.changed)})
		})
	}
}

const s3Trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"codedeploy.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// TestStackActsAsItsCaller: a role in a template needs what CreateRole needs, and
// what it says is what there is.
func TestStackActsAsItsCaller(t *testing.T) {
	s := newSystem(t)
	role := s.iam.Resources(s.server)["AWS::IAM::Role"]
	properties := props(t, `{"AssumeRolePolicyDocument":`+trustee+`,"ManagedPolicyArns":["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"],"Tags":[{"Key":"Team","Value":"blue"}]}`)
	request := stack.Request{StackName: "web", LogicalID: "WebRole", Token: "t", Properties: properties, Tags: map[string]string{"aws:cloudformation:stack-name": "web"}}
	as := func(p aws.Principal) (stack.Result, error) {
		call := aws.CallFrom(s.as(p))
		call.Service, call.Token = "cloudformation", "t"
		return role.Create(aws.WithCall(t.Context(), call), request, func(string) {})
	}
	_, err := as(s.user("bare", ""))
	wantError(t, err, "AccessDenied", "")
	ann := s.user("ann", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:CreateRole","iam:AttachRolePolicy"],"Resource":"arn:aws:iam::111122223333:role/web-WebRole-*",
		"Condition":{"ForAnyValue:StringEquals":{"aws:CalledVia":"cloudformation.amazonaws.com"}}}]}`)
	res, err := as(ann)
	if err != nil || !strings.HasPrefix(res.PhysicalID, "web-WebRole-") {
		t.Fatalf("got %q, %v", res.PhysicalID, err)
	}
	got := must[api.GetRoleOutput](s, s.root(), "iam", "GetRole", &api.GetRoleInput{RoleName: &res.PhysicalID}).Role
	if *got.Arn != res.Attributes["Arn"] || !slices.ContainsFunc(got.Tags, func(x api.Tag) bool { return *x.Key == "aws:cloudformation:stack-name" }) {
		t.Errorf("role is %s with %v", *got.Arn, got.Tags)
	}
}

// A policy that is written to nothing fails with an id and cannot be deleted either,
// so that its stack ends in ROLLBACK_FAILED, as it does at AWS.
func TestPolicyOfNobody(t *testing.T) {
	s := newSystem(t)
	policy := s.iam.Resources(s.server)["AWS::IAM::Policy"]
	request := stack.Request{StackName: "web", LogicalID: "Own", Token: "t", Properties: props(t, `{"PolicyName":"own","PolicyDocument":`+allowing("s3:*", "*", "")+`}`)}
	const refused = "At least one of [Groups,Roles,Users] must be non-empty."
	var id string
	_, err := policy.Create(s.root(), request, func(made string) { id = made })
	if err == nil || err.Error() != refused || !strings.HasPrefix(id, "web-Own-") {
		t.Errorf("made %q: %v", id, err)
	}
	request.PhysicalID = id
	if err := policy.Delete(s.root(), request); err == nil || err.Error() != refused {
		t.Errorf("delete: %v", err)
	}
}
