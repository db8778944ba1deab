package app

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/hardstand/hardstand/internal/aws"
	cfnapi "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	secretsapi "github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	stsapi "github.com/hardstand/hardstand/internal/aws/api/sts"
	"github.com/hardstand/hardstand/internal/wire/client"
)

// secure is cfg over https, trusting the server's authority.
func (p *probe) secure(cfg awssdk.Config) awssdk.Config {
	p.k.t.Helper()
	pem, err := os.ReadFile(p.k.s.Access().CABundle)
	if err != nil {
		p.k.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	cfg.BaseEndpoint = aws.Ptr(strings.Replace(p.k.s.Endpoint(), "http:", "https:", 1))
	cfg.HTTPClient = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	return cfg
}

// What describes the caller and the connection is seen by policies: its address,
// whether it came by TLS, who it is, when, and that no service stands between.
func TestCallerKeysGuard(t *testing.T) {
	p := newProbe(t)
	const list = "s3:ListAllMyBuckets"
	secure := p.secure(p.config)
	now := p.k.s.cfg.Clock.Now()
	for _, c := range []struct {
		operator, key, value string
		http, https          bool // refused
	}{
		{"Bool", "aws:SecureTransport", "false", true, false},
		{"Bool", "aws:SecureTransport", "true", false, true},
		{"StringLike", "s3:TlsVersion", "1.?", false, true},
		{"NumericLessThan", "s3:TlsVersion", "1.2", false, false},
		{"IpAddress", "aws:SourceIp", "127.0.0.0/8", true, true},
		{"NotIpAddress", "aws:SourceIp", "127.0.0.0/8", false, false},
		{"IpAddress", "aws:SourceIp", "10.0.0.0/8", false, false},
		{"Bool", "aws:ViaAWSService", "true", false, false},
		{"Bool", "aws:ViaAWSService", "false", true, true},
		{"Null", "aws:CalledVia", "false", false, false},
		{"StringEquals", "aws:username", "probe", true, true},
		{"StringEquals", "aws:PrincipalType", "User", true, true},
		{"StringEquals", "aws:PrincipalAccount", "$account", true, true},
		{"ArnEquals", "aws:PrincipalArn", "arn:aws:iam::$account:user/probe", true, true},
		{"StringEquals", "aws:RequestedRegion", "us-east-1", true, true},
		{"StringEquals", "aws:RequestedRegion", "eu-west-1", false, false},
		{"Null", "aws:PrincipalOrgID", "false", false, false}, // there is no organization
		{"Null", "aws:SourceVpc", "false", false, false},      // nor an endpoint of a VPC
		{"DateLessThan", "aws:CurrentTime", now.Add(time.Hour).Format(time.RFC3339), true, true},
		{"DateGreaterThan", "aws:CurrentTime", now.Add(time.Hour).Format(time.RFC3339), false, false},
		{"StringLike", "aws:UserAgent", "nobody's/*", false, false},
	} {
		p.policy(allowAll, deny(list, c.operator, c.key, p.k.filled(c.value)))
		for scheme, want := range map[string]bool{"http": c.http, "https": c.https} {
			cfg := map[string]awssdk.Config{"http": p.config, "https": secure}[scheme]
			err := p.call("s3", "ListBuckets", `{}`, cfg)
			if refused(err, list) != want || !want && err != nil {
				t.Errorf("%s: %s %s %s: %v", scheme, c.operator, c.key, c.value, err)
			}
		}
	}
}

// assume makes a session of the role job.
func (p *probe) assume(input string) awssdk.Config {
	p.k.t.Helper()
	in := p.k.operation("sts", "AssumeRole").New().(*stsapi.AssumeRoleInput)
	in.RoleArn, in.RoleSessionName = aws.Ptr(p.k.vars["role"]), aws.Ptr("one")
	if input != "" {
		in.Tags = []stsapi.Tag{{Key: aws.Ptr("team"), Value: &input}}
	}
	var out stsapi.AssumeRoleOutput
	c := &client.Client{Model: stsapi.Model(), Config: p.config}
	if err := c.Call(p.k.t.Context(), "AssumeRole", in, &out); err != nil {
		p.k.t.Fatal(err)
	}
	cfg := p.config
	cfg.Credentials = credentials.NewStaticCredentialsProvider(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	return cfg
}

// The tags of users, of roles and of sessions are tags of the principal; those of a
// session win over its role's.
func TestPrincipalTagsGuard(t *testing.T) {
	p := newProbe(t)
	root := p.k.s.as(p.k.s.Access())
	do := func(operation, input string) {
		t.Helper()
		if err := p.call("iam", operation, input, root); err != nil {
			t.Fatal(err)
		}
	}
	const own = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ssm:GetParameter","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team}"}}}}`
	document := strings.ReplaceAll(own, `"`, `\"`)
	document = strings.ReplaceAll(document, "${", "$${")
	p.k.vars["$"] = "$"
	p.policy(allowAll)
	do("PutRolePolicy", `{"RoleName": "job", "PolicyName": "own", "PolicyDocument": "`+document+`"}`)
	do("DeleteRolePermissionsBoundary", `{"RoleName": "job"}`)
	do("PutUserPolicy", `{"UserName": "probe", "PolicyName": "p", "PolicyDocument": "`+document+`"}`)
	get := func(name string, cfg awssdk.Config, allowed bool) {
		t.Helper()
		err := p.call("ssm", "GetParameter", `{"Name": "/a"}`, cfg)
		if allowed && err != nil || !allowed && !refused(err, "ssm:GetParameter") {
			t.Errorf("%s: %v", name, err)
		}
	}
	get("user without tag", p.config, false)
	do("TagUser", `{"UserName": "probe", "Tags": [{"Key": "team", "Value": "red"}]}`)
	get("user with tag", p.config, true)
	do("TagUser", `{"UserName": "probe", "Tags": [{"Key": "team", "Value": "blue"}]}`)
	get("user with another tag", p.config, false)
	p.policy(allowAll)
	get("role with tag", p.assume(""), true)
	get("session with another tag", p.assume("blue"), false)
	do("UntagRole", `{"RoleName": "job", "TagKeys": ["team"]}`)
	get("role without tag", p.assume(""), false)
	get("session with tag", p.assume("red"), true)
}

// What an operation does by others of its service, the caller does: no service stands
// between, and the address is the caller's.
func TestOwnServiceIsNotBetween(t *testing.T) {
	p := newProbe(t)
	for key, want := range map[string]int{"aws:ViaAWSService": 1, "aws:SecureTransport": 0} {
		p.policy(allowAll, deny("secretsmanager:GetSecretValue", "Bool", key, map[string]string{"aws:ViaAWSService": "true", "aws:SecureTransport": "false"}[key]))
		var out secretsapi.BatchGetSecretValueOutput
		c := &client.Client{Model: secretsapi.Model(), Config: p.config}
		if err := c.Call(t.Context(), "BatchGetSecretValue", &secretsapi.BatchGetSecretValueInput{SecretIdList: []string{"pass"}}, &out); err != nil {
			t.Fatal(err)
		}
		if len(out.SecretValues) != want {
			t.Errorf("without %s: %d values", key, len(out.SecretValues))
		}
	}
}

// The credentials of an instance's role say from which instance they are.
func TestInstanceKeysGuard(t *testing.T) {
	p := newProbe(t)
	got, err := instanceMetadata{p.k.s.world}.Credentials(t.Context(), p.k.vars["instance"])
	if err != nil {
		t.Fatal(err)
	}
	cfg := p.config
	cfg.Credentials = credentials.NewStaticCredentialsProvider(got.AccessKeyID, got.SecretAccessKey, got.SessionToken)
	root := p.k.s.as(p.k.s.Access())
	for _, c := range []struct {
		operator, key, value string
		allowed              bool
	}{
		{"ArnEquals", "ec2:SourceInstanceARN", arnEC2 + "instance/$instance", true},
		{"ArnEquals", "ec2:SourceInstanceARN", arnEC2 + "instance/i-0123456789abcdef0", false},
		{"StringEquals", "aws:Ec2InstanceSourceVpc", "$vpc", true},
		{"StringEquals", "aws:Ec2InstanceSourceVpc", "vpc-0123456789abcdef0", false},
		{"StringLike", "aws:Ec2InstanceSourcePrivateIPv4", "10.9.1.*", true},
		{"ArnEquals", "aws:PrincipalArn", "$role", true},
		{"StringLike", "aws:userid", "*:$instance", true},
		{"StringEquals", "aws:PrincipalType", "AssumedRole", true},
	} {
		text := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*", "Condition": {%q: {%q: %q}}}]}`,
			c.operator, c.key, p.k.filled(c.value))
		if err := p.call("iam", "PutRolePolicy", fmt.Sprintf(`{"RoleName": "job", "PolicyName": "p", "PolicyDocument": %q}`, text), root); err != nil {
			t.Fatal(err)
		}
		if err := p.call("s3", "ListBuckets", `{}`, cfg); c.allowed && err != nil || !c.allowed && !refused(err, "s3:ListAllMyBuckets") {
			t.Errorf("%s %s %s: %v", c.operator, c.key, c.value, err)
		}
	}
}

// An object that is public to who comes from a page is so for nobody else.
func TestRefererGuards(t *testing.T) {
	p := newProbe(t)
	root := p.k.s.as(p.k.s.Access())
	const policy = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::pages/*",
		"Condition": {"StringLike": {"aws:Referer": "https://www.example.com/*"}}}]}`
	for _, c := range []struct{ operation, input string }{
		{"CreateBucket", `{"Bucket": "pages"}`}, {"DeletePublicAccessBlock", `{"Bucket": "pages"}`}, {"PutObject", `{"Bucket": "pages", "Key": "a"}`},
		{"PutBucketPolicy", fmt.Sprintf(`{"Bucket": "pages", "Policy": %q}`, strings.Join(strings.Fields(policy), " "))},
	} {
		if err := p.call("s3", c.operation, c.input, root); err != nil {
			t.Fatal(err)
		}
	}
	for referer, want := range map[string]int{"https://www.example.com/a": 200, "https://www.example.org/a": 403, "": 403} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.k.s.Endpoint()+"/pages/a", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Referer", referer)
		if code, text := p.k.s.do(req); code != want {
			t.Errorf("from %q: %d %s", referer, code, text)
		}
	}
}

// A stack's calls are the caller's by way of CloudFormation, and policies tell them
// from the caller's own.
func TestCalledViaGuards(t *testing.T) {
	p := newProbe(t)
	const template = `{"Resources": {"A": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/made", "Type": "String", "Value": "a"}}}}`
	for _, c := range []struct {
		name, operator, key, value string
		own, stack                 bool // refused
	}{
		{"only through CloudFormation", "StringNotEqualsIfExists", "aws:CalledViaFirst", "cloudformation.amazonaws.com", true, false},
		{"never through CloudFormation", "ForAnyValue:StringEquals", "aws:CalledVia", "cloudformation.amazonaws.com", false, true},
		{"never through the last", "StringEquals", "aws:CalledViaLast", "cloudformation.amazonaws.com", false, true},
		{"never through services", "Bool", "aws:ViaAWSService", "true", false, true},
		{"only through services", "Bool", "aws:ViaAWSService", "false", true, false},
		{"by the caller's address", "IpAddress", "aws:SourceIp", "127.0.0.1", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.k.t = t
			p.policy(allowAll, deny("ssm:PutParameter", c.operator, c.key, c.value))
			err := p.call("ssm", "PutParameter", `{"Name": "/own", "Value": "a", "Type": "String", "Overwrite": true}`, p.config)
			if refused(err, "ssm:PutParameter") != c.own {
				t.Errorf("own call: %v", err)
			}
			name := strings.ReplaceAll(c.name, " ", "-")
			name = strings.ReplaceAll(name, "'", "")
			status := p.stack(name, template)
			if want := map[bool]string{true: "ROLLBACK_COMPLETE", false: "CREATE_COMPLETE"}[c.stack]; status != want {
				t.Errorf("the stack is %s, want %s", status, want)
			}
		})
	}
}

// stack makes a stack as the probe, waits for its end, says how it went and deletes it.
func (p *probe) stack(name, template string) string {
	p.k.t.Helper()
	c := &client.Client{Model: cfnapi.Model(), Config: p.config}
	if err := c.Call(p.k.t.Context(), "CreateStack", &cfnapi.CreateStackInput{StackName: &name, TemplateBody: &template}, nil); err != nil {
		p.k.t.Fatal(err)
	}
	status := p.ended(c, name)
	if status == "CREATE_COMPLETE" {
		if err := c.Call(p.k.t.Context(), "DeleteStack", &cfnapi.DeleteStackInput{StackName: &name}, nil); err != nil {
			p.k.t.Fatal(err)
		}
		p.ended(c, name)
	}
	return status
}

// ended waits until nothing is in progress on the stack.
func (p *probe) ended(c *client.Client, name string) string {
	p.k.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		var out cfnapi.DescribeStacksOutput
		err := c.Call(p.k.t.Context(), "DescribeStacks", &cfnapi.DescribeStacksInput{StackName: &name}, &out)
		if err != nil && strings.Contains(err.Error(), "does not exist") {
			return "DELETE_COMPLETE"
		}
		if err != nil {
			p.k.t.Fatal(err)
		}
		if status := string(out.Stacks[0].StackStatus); !strings.HasSuffix(status, "IN_PROGRESS") {
			return status
		}
	}
	p.k.t.Fatal("the stack goes on and on")
	return ""
}
