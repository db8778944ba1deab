package app

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	iamapi "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/deploy"
	"github.com/hardstand/hardstand/internal/wire/client"
)

// deployed runs deploy with somebody's keys on a project. Nothing executes on the
// fake driver, so that the best end is a deployment that finds no instances.
func (s *server) deployed(a Access, dir string, o deploy.Options) (*deploy.Failure, string) {
	s.t.Helper()
	t, ok := s.t.(*testing.T)
	if !ok {
		s.t.Fatal("not in a test")
	}
	for k, v := range map[string]string{
		"AWS_ENDPOINT_URL": s.Endpoint(), "AWS_REGION": a.Region, "AWS_ACCESS_KEY_ID": a.AccessKeyID, "AWS_SECRET_ACCESS_KEY": a.SecretAccessKey,
		"AWS_PROFILE": "", "AWS_SESSION_TOKEN": "", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(k, v)
	}
	var out bytes.Buffer
	o.Dir = dir
	_, err := deploy.Run(t.Context(), o, deploy.Settings{Out: &out, Timeout: time.Minute})
	var f *deploy.Failure
	if err != nil && !errors.As(err, &f) {
		t.Fatalf("the error is no failure: %v", err)
	}
	return f, out.String()
}

const projectSpec = "version: 0.0\nos: linux\nfiles:\n  - source: /page\n    destination: /srv\n"

// project writes a project with a template.
func project(t *testing.T, template string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	for name, text := range map[string]string{
		"template.yaml": template, "app/appspec.yml": projectSpec, "app/page": "hello", "hardstand.yaml": "target: role=web\nidentity: identity.yaml\n",
		"identity.yaml": identityTemplate,
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const identityTemplate = `
Parameters: {Bucket: {Type: String}}
Resources:
  Deployer:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: codedeploy.amazonaws.com}, Action: "sts:AssumeRole"}]}
      ManagedPolicyArns: ["arn:aws:iam::aws:policy/service-role/AWSCodeDeployRole"]
Outputs:
  ServiceRole: {Value: !GetAtt Deployer.Arn}
`

// bucketTemplate makes a bucket of a name.
func bucketTemplate(name string) string {
	return fmt.Sprintf("Resources: {Store: {Type: 'AWS::S3::Bucket', Properties: {BucketName: %s}}}\n", name)
}

// wantNoInstances fails the test unless the run got as far as the deployment.
func wantNoInstances(t *testing.T, f *deploy.Failure) {
	t.Helper()
	if f == nil || f.Exit != deploy.ExitDeployment || !strings.Contains(f.Text(), "NO_INSTANCES") {
		t.Fatalf("the run did not reach the end that it can have here: %v", f)
	}
}

func TestDeployStackStories(t *testing.T) {
	s := start(t, testConfig(t))
	taken := "taken-by-somebody"
	if _, err := s.s3().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &taken}); err != nil {
		t.Fatal(err)
	}
	dir := project(t, bucketTemplate(taken))
	write := func(template string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "template.yaml"), []byte(template), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, _ := s.deployed(s.Access(), dir, deploy.Options{WithIdentity: true})
	if f == nil || f.Exit != deploy.ExitStack || !strings.Contains(f.Cause, "Store (AWS::S3::Bucket) is CREATE_FAILED") || !strings.HasSuffix(f.State, "ROLLBACK_COMPLETE") {
		t.Fatalf("a name that is taken: %v", f)
	}
	write(bucketTemplate("free-name"))
	f, out := s.deployed(s.Access(), dir, deploy.Options{})
	wantNoInstances(t, f)
	if !strings.Contains(out, "✓ stack        shop CREATE_COMPLETE") {
		t.Errorf("what was rolled back was not made again:\n%s", out)
	}
	f, out = s.deployed(s.Access(), dir, deploy.Options{})
	wantNoInstances(t, f)
	if !strings.Contains(out, "nothing to change") {
		t.Errorf("the same again:\n%s", out)
	}
	// A template too large for a request, through the bucket.
	write("# " + strings.Repeat("x", 60000) + "\n" + strings.Replace(bucketTemplate("free-name"), "free-name", "free-name, Tags: [{Key: a, Value: b}]", 1))
	f, out = s.deployed(s.Access(), dir, deploy.Options{})
	wantNoInstances(t, f)
	if !strings.Contains(out, "✓ stack        shop UPDATE_COMPLETE") {
		t.Errorf("a large template:\n%s", out)
	}
}

// TestDeployRemove: what deploy made is gone afterwards, somebody else's archive is
// not, and a second removal finds nothing to do.
func TestDeployRemove(t *testing.T) {
	s := start(t, testConfig(t))
	dir := project(t, bucketTemplate("of-the-stack"))
	f, _ := s.deployed(s.Access(), dir, deploy.Options{WithIdentity: true})
	wantNoInstances(t, f)
	bucket := "hardstand-deploy-" + s.Access().Account + "-" + s.Access().Region
	if _, err := s.s3().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: awssdk.String("other/archive.zip")}); err != nil {
		t.Fatal(err)
	}
	remove := func() string {
		t.Helper()
		var out bytes.Buffer
		if err := deploy.Remove(t.Context(), deploy.Options{Dir: dir, WithIdentity: true}, deploy.Settings{Out: &out, Timeout: time.Minute}); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		return out.String()
	}
	if out := remove(); !strings.Contains(out, "✓ identity     shop-identity") || !strings.Contains(out, "1 in s3://"+bucket+"/app/") {
		t.Errorf("the removal says\n%s", out)
	}
	left, err := s.s3().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil || len(left.Contents) != 1 {
		t.Errorf("left in the bucket: %v, %v", left, err)
	}
	stacks, err := cloudformation.NewFromConfig(s.as(s.Access())).DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{})
	if err != nil || len(stacks.Stacks) != 0 {
		t.Errorf("left stacks: %v, %v", stacks, err)
	}
	if out := remove(); !strings.Contains(out, "there is no stack shop") {
		t.Errorf("the second removal says\n%s", out)
	}
}

func TestDeployInvalidTemplate(t *testing.T) {
	s := start(t, testConfig(t))
	for _, c := range []struct{ name, template, want string }{
		{"an unknown type", "Resources: {X: {Type: 'AWS::Made::Up'}}\n", "Unrecognized resource types: [AWS::Made::Up]"},
		{"no template", "- 1\n", "ValidationError"},
	} {
		f, _ := s.deployed(s.Access(), project(t, c.template), deploy.Options{ServiceRole: "r"})
		if f == nil || (f.Exit != deploy.ExitCheck && f.Exit != deploy.ExitStack) || !strings.Contains(f.Text(), c.want) {
			t.Errorf("%s: %v", c.name, f)
		}
	}
}

// The SDK corrects a clock that differs from the server's.
func TestDeployClockSkew(t *testing.T) {
	cfg := testConfig(t)
	cfg.AllowReset = true
	s := start(t, cfg)
	if code, text := s.post(clockPath, `{"advance": "3h"}`); code != 200 {
		t.Fatal(text)
	}
	f, _ := s.deployed(s.Access(), project(t, bucketTemplate("free-name")), deploy.Options{WithIdentity: true})
	wantNoInstances(t, f)
}

// The policy that docs/deploy.md gives is enough, and what it leaves out is refused.
func TestDeployAsLeastPrivileged(t *testing.T) {
	s := start(t, testConfig(t))
	build := s.user("build", policyOf(t, "Permissions"))
	group := "Resources: {Group: {Type: 'AWS::EC2::SecurityGroup', Properties: {GroupDescription: web, SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 0.0.0.0/0}]}}}\n"
	dir := project(t, group)
	names := deploy.Options{Stack: "tutorial", Application: "myApp"}
	f, _ := s.deployed(build, dir, names)
	if f == nil || f.Exit != deploy.ExitCheck {
		t.Errorf("before the administrator has made the roles: %v", f)
	}
	withIdentity := names
	withIdentity.WithIdentity = true
	if f, _ = s.deployed(build, dir, withIdentity); f == nil || f.Exit != deploy.ExitDenied || f.Step != "identity" {
		t.Errorf("the build user makes roles: %v", f)
	}
	f, _ = s.deployed(s.Access(), dir, withIdentity)
	wantNoInstances(t, f)
	// From nothing again, but for the roles.
	if _, err := cloudformation.NewFromConfig(s.as(s.Access())).DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: &names.Stack}); err != nil {
		t.Fatal(err)
	}
	f, _ = s.deployed(build, dir, names)
	wantNoInstances(t, f)
	f, _ = s.deployed(build, project(t, bucketTemplate("not-granted")), names)
	if f == nil || f.Exit != deploy.ExitStack || !strings.Contains(f.Text(), "s3:CreateBucket") || !strings.Contains(f.Fix, "grant the caller") {
		t.Errorf("a template that makes what was not granted: %v", f)
	}
	if f, _ = s.deployed(build, dir, deploy.Options{Stack: "other", Application: "myApp", ServiceRole: "r"}); f == nil || f.Exit != deploy.ExitDenied {
		t.Errorf("another stack: %v", f)
	}
}

// user makes a user with a policy and returns its keys.
func (s *server) user(name, policy string) Access {
	s.t.Helper()
	c := &client.Client{Model: iamapi.Model(), Config: s.as(s.Access())}
	call := func(operation string, in, out any) {
		s.t.Helper()
		if err := c.Call(s.t.Context(), operation, in, out); err != nil {
			s.t.Fatal(err)
		}
	}
	var made iamapi.CreatePolicyOutput
	var key iamapi.CreateAccessKeyOutput
	call("CreateUser", &iamapi.CreateUserInput{UserName: &name}, nil)
	call("CreatePolicy", &iamapi.CreatePolicyInput{PolicyName: &name, PolicyDocument: &policy}, &made)
	call("AttachUserPolicy", &iamapi.AttachUserPolicyInput{UserName: &name, PolicyArn: made.Policy.Arn}, nil)
	call("CreateAccessKey", &iamapi.CreateAccessKeyInput{UserName: &name}, &key)
	a := s.Access()
	a.AccessKeyID, a.SecretAccessKey = awssdk.ToString(key.AccessKey.AccessKeyId), awssdk.ToString(key.AccessKey.SecretAccessKey)
	return a
}
