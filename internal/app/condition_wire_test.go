package app

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/hardstand/hardstand/internal/aws"
	iamapi "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/client"
)

// guarded is a call that carries a condition key: refused where a policy denies the
// value, done where it denies another.
type guarded struct {
	service, operation, input string
	action                    string // "" for the operation's own
	key, value                string
}

const anyType = `"ResourceType": "instance", "Tags": [{"Key": "team", "Value": "blue"}]`

var launch = `{"DryRun": true, "ImageId": "$ami", "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.nano", "SubnetId": "$subnet", "SecurityGroupIds": ["$group"],
	"KeyName": "ops", "IamInstanceProfile": {"Name": "job"}, "MetadataOptions": {"HttpTokens": "required"}, "TagSpecifications": [{` + anyType + `}],
	"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 40, "VolumeType": "gp3"}}]}`

const arnEC2 = "arn:aws:ec2:us-east-1:$account:"

// guards has the key families of each service.
var guards = []guarded{
	{"ec2", "RunInstances", launch, "", "ec2:InstanceType", "t3.nano"},
	{"ec2", "RunInstances", launch, "", "ec2:Vpc", arnEC2 + "vpc/$vpc"},
	{"ec2", "RunInstances", launch, "", "ec2:Subnet", arnEC2 + "subnet/$subnet"},
	{"ec2", "RunInstances", launch, "", "ec2:SubnetID", "$subnet"},
	{"ec2", "RunInstances", launch, "", "ec2:SecurityGroupID", "$group"},
	{"ec2", "RunInstances", launch, "", "ec2:AvailabilityZone", "us-east-1a"},
	{"ec2", "RunInstances", launch, "", "ec2:MetadataHttpTokens", "required"},
	{"ec2", "RunInstances", launch, "", "ec2:InstanceProfile", "$profile"},
	{"ec2", "RunInstances", launch, "", "ec2:KeyPairName", "ops"},
	{"ec2", "RunInstances", launch, "", "ec2:VolumeSize", "40"},
	{"ec2", "RunInstances", launch, "", "ec2:VolumeType", "gp3"},
	{"ec2", "RunInstances", launch, "", "ec2:ImageID", "$ami"},
	{"ec2", "RunInstances", launch, "", "ec2:Owner", "amazon"},
	{"ec2", "RunInstances", launch, "", "ec2:Region", "us-east-1"},
	{"ec2", "RunInstances", launch, "", "ec2:ResourceTag/team", "red"},
	{"ec2", "RunInstances", launch, "", "aws:RequestTag/team", "blue"},
	{"ec2", "RunInstances", launch, "", "aws:TagKeys", "team"},
	{"ec2", "RunInstances", launch, "ec2:CreateTags", "ec2:CreateAction", "RunInstances"},
	{"ec2", "RunInstances", launch, "iam:PassRole", "iam:PassedToService", "ec2.amazonaws.com"},
	{"ec2", "RunInstances", launch, "iam:PassRole", "aws:ResourceTag/team", "red"},
	{"ec2", "StopInstances", `{"DryRun": true, "InstanceIds": ["$instance"]}`, "", "ec2:InstanceID", "$instance"},
	{"ec2", "StopInstances", `{"DryRun": true, "InstanceIds": ["$instance"]}`, "", "aws:ResourceTag/team", "red"},
	{"ec2", "ModifyVpcAttribute", `{"VpcId": "$vpc", "EnableDnsSupport": {"Value": true}}`, "", "ec2:Attribute", "EnableDnsSupport"},
	{"ec2", "ModifyVpcAttribute", `{"VpcId": "$vpc", "EnableDnsSupport": {"Value": true}}`, "", "ec2:Attribute/EnableDnsSupport", "true"},
	{"ec2", "DescribeInstances", `{}`, "", "ec2:Region", "us-east-1"},
	{"s3", "ListObjectsV2", `{"Bucket": "hold", "Prefix": "a/", "Delimiter": "/", "MaxKeys": 7}`, "s3:ListBucket", "s3:prefix", "a/"},
	{"s3", "ListObjectsV2", `{"Bucket": "hold", "Prefix": "a/", "Delimiter": "/", "MaxKeys": 7}`, "s3:ListBucket", "s3:delimiter", "/"},
	{"s3", "ListObjectsV2", `{"Bucket": "hold", "Prefix": "a/", "Delimiter": "/", "MaxKeys": 7}`, "s3:ListBucket", "s3:max-keys", "7"},
	{"s3", "GetObjectTagging", `{"Bucket": "hold", "Key": "box"}`, "", "s3:ExistingObjectTag/team", "red"},
	{"s3", "GetObjectTagging", `{"Bucket": "hold", "Key": "box", "VersionId": "$version"}`, "s3:GetObjectVersionTagging", "s3:VersionId", "$version"},
	{"s3", "CreateMultipartUpload", `{"Bucket": "hold", "Key": "b", "ACL": "private"}`, "s3:PutObject", "s3:x-amz-acl", "private"},
	{"s3", "CreateMultipartUpload", `{"Bucket": "hold", "Key": "b", "Tagging": "a=b"}`, "s3:PutObject", "s3:RequestObjectTag/a", "b"},
	{"s3", "CreateMultipartUpload", `{"Bucket": "hold", "Key": "b"}`, "s3:PutObject", "s3:ObjectCreationOperation", "false"},
	{"s3", "CreateMultipartUpload", `{"Bucket": "hold", "Key": "b", "ObjectLockLegalHoldStatus": "ON"}`, "s3:PutObject", "s3:object-lock-legal-hold", "ON"},
	{"s3", "CopyObject", `{"Bucket": "hold", "Key": "c", "CopySource": "hold/box"}`, "s3:PutObject", "s3:x-amz-copy-source", "hold/box"},
	{"s3", "ListBuckets", `{}`, "s3:ListAllMyBuckets", "s3:authType", "REST-HEADER"},
	{"s3", "ListBuckets", `{}`, "s3:ListAllMyBuckets", "s3:signatureversion", "AWS4-HMAC-SHA256"},
	{"s3", "CreateBucket", `{"Bucket": "far", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}`, "", "s3:locationconstraint", "eu-west-1"},
	{"iam", "AttachUserPolicy", `{"UserName": "ana", "PolicyArn": "$policy"}`, "", "iam:PolicyARN", "$policy"},
	{"iam", "AttachUserPolicy", `{"UserName": "ana", "PolicyArn": "$policy"}`, "", "iam:PermissionsBoundary", "$policy"},
	{"iam", "PutRolePolicy", `{"RoleName": "job", "PolicyName": "p", "PolicyDocument": "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\"}]}"}`, "", "iam:PermissionsBoundary", "$policy"},
	{"iam", "CreateUser", `{"UserName": "new", "PermissionsBoundary": "$policy"}`, "", "iam:PermissionsBoundary", "$policy"},
	{"iam", "GetRole", `{"RoleName": "job"}`, "", "iam:ResourceTag/team", "red"},
	{"iam", "GetPolicy", `{"PolicyArn": "$policy"}`, "", "aws:ResourceTag/team", "red"},
	{"iam", "CreateServiceLinkedRole", `{"AWSServiceName": "autoscaling.amazonaws.com"}`, "", "iam:AWSServiceName", "autoscaling.amazonaws.com"},
	{"sts", "AssumeRole", `{"RoleArn": "$role", "RoleSessionName": "one", "ExternalId": "xy"}`, "", "sts:ExternalId", "xy"},
	{"sts", "AssumeRole", `{"RoleArn": "$role", "RoleSessionName": "one"}`, "", "sts:RoleSessionName", "one"},
	{"sts", "AssumeRole", `{"RoleArn": "$role", "RoleSessionName": "one"}`, "", "aws:ResourceTag/team", "red"},
	{"ssm", "GetParameter", `{"Name": "/a"}`, "", "aws:ResourceTag/team", "red"},
	{"ssm", "PutParameter", `{"Name": "/a", "Value": "b", "Overwrite": true}`, "", "ssm:Overwrite", "true"},
	{"ssm", "GetParametersByPath", `{"Path": "/a", "Recursive": true}`, "", "ssm:Recursive", "true"},
	{"sqs", "TagQueue", `{"QueueUrl": "$queue", "Tags": {"size": "big"}}`, "", "aws:RequestTag/size", "big"},
	{"sqs", "GetQueueAttributes", `{"QueueUrl": "$queue"}`, "", "aws:ResourceTag/team", "red"},
	{"sns", "Subscribe", `{"TopicArn": "$topic", "Protocol": "sqs", "Endpoint": "arn:aws:sqs:us-east-1:$account:jobs"}`, "", "sns:Protocol", "sqs"},
	{"sns", "Subscribe", `{"TopicArn": "$topic", "Protocol": "sqs", "Endpoint": "arn:aws:sqs:us-east-1:$account:jobs"}`, "", "sns:Endpoint", "arn:aws:sqs:us-east-1:$account:jobs"},
	{"logs", "PutRetentionPolicy", `{"LogGroupName": "app", "RetentionInDays": 1}`, "", "aws:ResourceTag/team", "red"},
	{"secretsmanager", "GetSecretValue", `{"SecretId": "pass", "VersionStage": "AWSCURRENT"}`, "", "secretsmanager:VersionStage", "AWSCURRENT"},
	{"secretsmanager", "GetSecretValue", `{"SecretId": "pass"}`, "", "secretsmanager:ResourceTag/team", "red"},
	{"route53", "ChangeResourceRecordSets", `{"HostedZoneId": "$zone", "ChangeBatch": {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": {"Name": "A.example.com", "Type": "A", "TTL": 1, "ResourceRecords": [{"Value": "10.0.0.1"}]}}]}}`,
		"", "route53:ChangeResourceRecordSetsNormalizedRecordNames", "a.example.com"},
	{"ecr", "TagResource", `{"ResourceArn": "arn:aws:ecr:us-east-1:$account:repository/app", "Tags": [{"Key": "a", "Value": "b"}]}`, "", "ecr:ResourceTag/team", "red"},
	{"cloudformation", "ValidateTemplate", `{"TemplateURL": "https://hold.s3.amazonaws.com/box"}`, "", "cloudformation:TemplateUrl", "https://hold.s3.amazonaws.com/box"},
	{"cloudformation", "UpdateStack", `{"StackName": "web", "UsePreviousTemplate": true, "RoleARN": "$role"}`, "", "cloudformation:RoleArn", "$role"},
	{"cloudformation", "DescribeStackEvents", `{"StackName": "web"}`, "", "aws:ResourceTag/team", "red"},
	{"codedeploy", "GetDeployment", `{"DeploymentId": "$deployment"}`, "", "aws:ResourceTag/team", "red"},
	{"codedeploy", "CreateApplication", `{"ApplicationName": "other", "Tags": [{"Key": "a", "Value": "b"}]}`, "", "aws:RequestTag/a", "b"},
}

// probe is a user whose one policy tests write.
type probe struct {
	k      *keySurvey
	models map[string]*model.Service
	config awssdk.Config
}

func newProbe(t *testing.T) *probe {
	k := &keySurvey{t: t, s: start(t, testConfig(t)), vars: map[string]string{}}
	k.readWorld("testdata/conditions/world.txt")
	k.vars["zone"] = strings.TrimPrefix(k.vars["zone"], "/hostedzone/")
	p := &probe{k, map[string]*model.Service{}, k.s.as(k.s.user("probe", `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}]}`))}
	for _, service := range k.s.world.wire.Services() {
		p.models[service.Model.Name] = service.Model
	}
	return p
}

// policy replaces the probe's policy: whatever is not denied is allowed.
func (p *probe) policy(statements ...string) {
	p.k.t.Helper()
	text := `{"Version": "2012-10-17", "Statement": [` + strings.Join(statements, ",") + `]}`
	c := &client.Client{Model: iamapi.Model(), Config: p.k.s.as(p.k.s.Access())}
	in := &iamapi.PutUserPolicyInput{UserName: aws.Ptr("probe"), PolicyName: aws.Ptr("p"), PolicyDocument: &text}
	if err := c.Call(p.k.t.Context(), "PutUserPolicy", in, nil); err != nil {
		p.k.t.Fatal(err)
	}
}

const allowAll = `{"Effect": "Allow", "Action": "*", "Resource": "*"}`

func deny(action, operator, key, value string) string {
	return fmt.Sprintf(`{"Effect": "Deny", "Action": %q, "Resource": "*", "Condition": {%q: {%q: %q}}}`, action, operator, key, value)
}

// call calls as the probe, or with other credentials.
func (p *probe) call(service, operation, input string, cfg awssdk.Config) error {
	p.k.t.Helper()
	op := p.k.operation(service, operation)
	in, out := op.New(), op.NewOutput()
	if err := json.Unmarshal([]byte(p.k.filled(input)), in); err != nil {
		p.k.t.Fatalf("%s: %v", input, err)
	}
	c := &client.Client{Model: p.models[service], Config: cfg}
	return c.Call(p.k.t.Context(), operation, in, out)
}

// refused reports whether err denies the action.
func refused(err error, action string) bool {
	return err != nil && strings.Contains(err.Error(), "not authorized to perform: "+action)
}

// Each key is seen by policies on the wire: they refuse its value and no other.
func TestConditionKeysGuard(t *testing.T) {
	p := newProbe(t)
	for _, g := range guards {
		t.Run(g.operation+" "+g.key, func(t *testing.T) {
			action := g.action
			if action == "" {
				action = g.service + ":" + g.operation
			}
			p.policy(allowAll, deny(action, "ForAnyValue:StringEquals", g.key, p.k.filled(g.value)))
			if err := p.call(g.service, g.operation, g.input, p.config); !refused(err, action) {
				t.Errorf("%s=%s is denied, yet %v", g.key, p.k.filled(g.value), err)
			}
			p.policy(allowAll, deny(action, "ForAnyValue:StringEquals", g.key, "another"))
			if err := p.call(g.service, g.operation, g.input, p.config); refused(err, "") || err != nil && strings.Contains(err.Error(), "Denied") {
				t.Errorf("another %s is denied, yet %v", g.key, err)
			}
		})
	}
}
