package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/hardstand/hardstand/internal/aws"
	iamapi "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/wire/client"
)

// Operations that need several permissions are refused without each of them, naming
// it, and pass with all. An operation stands for what it hands over, tags, reads or
// protects beside its own.
func TestEveryPermissionIsNeeded(t *testing.T) {
	const lock = `"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": "2099-01-01T00:00:00Z"`
	const newer = `{"Bucket": "hold", "Key": "b", `
	p := newProbe(t)
	for _, c := range []struct {
		name, service, operation, input string
		needs                           []string
	}{
		{"launch", "ec2", "RunInstances", launch, []string{"ec2:RunInstances", "ec2:CreateTags", "iam:PassRole"}},
		{"profile", "ec2", "ReplaceIamInstanceProfileAssociation", `{"AssociationId": "$profiling", "IamInstanceProfile": {"Name": "job"}}`,
			[]string{"ec2:ReplaceIamInstanceProfileAssociation", "iam:PassRole"}},
		{"tagged network", "ec2", "CreateVpc", `{"DryRun": true, "CidrBlock": "10.8.0.0/16", "TagSpecifications": [{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}]}`,
			[]string{"ec2:CreateVpc", "ec2:CreateTags"}},
		{"role into profile", "iam", "AddRoleToInstanceProfile", `{"InstanceProfileName": "job", "RoleName": "job"}`, []string{"iam:AddRoleToInstanceProfile", "iam:PassRole"}},
		{"stack with role", "cloudformation", "CreateStack", `{"StackName": "roled", "RoleARN": "$role", "TemplateBody": "{}"}`, []string{"cloudformation:CreateStack", "iam:PassRole"}},
		{"change set with role", "cloudformation", "CreateChangeSet", `{"StackName": "web", "ChangeSetName": "c", "RoleARN": "$role", "TemplateBody": "{}"}`,
			[]string{"cloudformation:CreateChangeSet", "iam:PassRole"}},
		{"deletion with role", "cloudformation", "DeleteStack", `{"StackName": "gone", "RoleARN": "$role"}`, []string{"cloudformation:DeleteStack", "iam:PassRole"}},
		{"deployment group", "codedeploy", "UpdateDeploymentGroup", `{"ApplicationName": "shop", "CurrentDeploymentGroupName": "prod", "ServiceRoleArn": "$role"}`,
			[]string{"codedeploy:UpdateDeploymentGroup", "iam:PassRole"}},
		{"object with tags", "s3", "PutObject", newer + `"Tagging": "a=b"}`, []string{"s3:PutObject", "s3:PutObjectTagging"}},
		{"object with ACL", "s3", "PutObject", newer + `"ACL": "private"}`, []string{"s3:PutObject", "s3:PutObjectAcl"}},
		{"object with retention", "s3", "PutObject", newer + lock + `}`, []string{"s3:PutObject", "s3:PutObjectRetention"}},
		{"object with hold", "s3", "PutObject", newer + `"ObjectLockLegalHoldStatus": "ON"}`, []string{"s3:PutObject", "s3:PutObjectLegalHold"}},
		{"upload with everything", "s3", "CreateMultipartUpload", newer + `"Tagging": "a=b", "ACL": "private", "ObjectLockLegalHoldStatus": "ON", ` + lock + `}`,
			[]string{"s3:PutObject", "s3:PutObjectTagging", "s3:PutObjectAcl", "s3:PutObjectRetention", "s3:PutObjectLegalHold"}},
		{"copy with its tags", "s3", "CopyObject", newer + `"CopySource": "hold/box"}`, []string{"s3:PutObject", "s3:GetObject", "s3:GetObjectTagging", "s3:PutObjectTagging"}},
		{"copy of a version", "s3", "CopyObject", newer + `"CopySource": "hold/box?versionId=$version"}`,
			[]string{"s3:PutObject", "s3:GetObjectVersion", "s3:GetObjectVersionTagging", "s3:PutObjectTagging"}},
		{"copy with other tags", "s3", "CopyObject", newer + `"CopySource": "hold/box", "TaggingDirective": "REPLACE", "Tagging": "a=b"}`,
			[]string{"s3:PutObject", "s3:GetObject", "s3:PutObjectTagging"}},
		{"copy of a part", "s3", "UploadPartCopy", `{"Bucket": "hold", "Key": "box", "UploadId": "$upload", "PartNumber": 1, "CopySource": "hold/box"}`, []string{"s3:PutObject", "s3:GetObject"}},
		{"bucket with lock", "s3", "CreateBucket", `{"Bucket": "locked-one", "ObjectLockEnabledForBucket": true, "ObjectOwnership": "ObjectWriter"}`,
			[]string{"s3:CreateBucket", "s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning", "s3:PutBucketOwnershipControls"}},
		{"attributes", "s3", "GetObjectAttributes", `{"Bucket": "hold", "Key": "box", "ObjectAttributes": ["ETag"]}`, []string{"s3:GetObject", "s3:GetObjectAttributes"}},
		{"secret with tags", "secretsmanager", "CreateSecret", `{"Name": "tagged", "SecretString": "a", "Tags": [{"Key": "a", "Value": "b"}]}`,
			[]string{"secretsmanager:CreateSecret", "secretsmanager:TagResource"}},
		{"log group with tags", "logs", "CreateLogGroup", `{"LogGroupName": "tagged", "Tags": {"a": "b"}}`, []string{"logs:CreateLogGroup", "logs:TagResource"}},
		{"repository with tags", "ecr", "CreateRepository", `{"RepositoryName": "tagged", "Tags": [{"Key": "a", "Value": "b"}]}`, []string{"ecr:CreateRepository", "ecr:TagResource"}},
		{"tagged session", "sts", "AssumeRole", `{"RoleArn": "$role", "RoleSessionName": "one", "SourceIdentity": "ana", "Tags": [{"Key": "a", "Value": "b"}]}`,
			[]string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.k.t = t
			for _, missing := range append(slices.Clone(c.needs), "") {
				statements := []string{fmt.Sprintf(`{"Effect": "Allow", "Action": ["%s"], "Resource": "*"}`, strings.Join(c.needs, `", "`))}
				if missing != "" {
					statements = append(statements, fmt.Sprintf(`{"Effect": "Deny", "Action": %q, "Resource": "*"}`, missing))
				}
				p.policy(statements...)
				err := p.call(c.service, c.operation, c.input, p.config)
				if missing != "" && !refused(err, missing) || missing == "" && refused(err, "") {
					t.Errorf("without %q: %v", missing, err)
				}
			}
		})
	}
}

// Another account is let in by the bucket's policy, which sees who comes, and by its
// own, which sees whose bucket it is.
func TestOtherAccountsGuard(t *testing.T) {
	p := newProbe(t)
	other, err := CreateAccount(t.Context(), p.k.s.cfg.DataDir, "210987654321")
	if err != nil {
		t.Fatal(err)
	}
	iam := &client.Client{Model: iamapi.Model(), Config: p.k.s.as(other)}
	var key iamapi.CreateAccessKeyOutput
	for operation, in := range map[string]any{"CreateUser": &iamapi.CreateUserInput{UserName: aws.Ptr("eve"), Tags: []iamapi.Tag{{Key: aws.Ptr("team"), Value: aws.Ptr("red")}}}} {
		if err := iam.Call(t.Context(), operation, in, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := iam.Call(t.Context(), "CreateAccessKey", &iamapi.CreateAccessKeyInput{UserName: aws.Ptr("eve")}, &key); err != nil {
		t.Fatal(err)
	}
	eve := p.config
	eve.Credentials = credentials.NewStaticCredentialsProvider(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey, "")
	root := p.k.s.as(p.k.s.Access())
	for _, c := range []struct {
		name, own, bucket string // conditions of the two policies
		allowed           bool
	}{
		{"both", ``, ``, true},
		{"by the caller's account", ``, `"StringEquals": {"aws:PrincipalAccount": "210987654321"}`, true},
		{"by another account", ``, `"StringEquals": {"aws:PrincipalAccount": "111111111111"}`, false},
		{"by the caller's tag", ``, `"StringEquals": {"aws:PrincipalTag/team": "red"}`, true},
		{"by another tag", ``, `"StringEquals": {"aws:PrincipalTag/team": "blue"}`, false},
		{"in the owner's account", `"StringEquals": {"s3:ResourceAccount": "$account", "aws:ResourceAccount": "$account"}`, ``, true},
		{"in the own account only", `"StringEquals": {"aws:ResourceAccount": "210987654321"}`, ``, false},
		{"by prefix", ``, `"StringEquals": {"s3:prefix": "a"}`, true},
		{"by another prefix", ``, `"StringEquals": {"s3:prefix": "b"}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.k.t = t
			own := p.k.filled(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*", "Condition": {` + c.own + `}}]}`)
			if err := iam.Call(t.Context(), "PutUserPolicy", &iamapi.PutUserPolicyInput{UserName: aws.Ptr("eve"), PolicyName: aws.Ptr("p"), PolicyDocument: &own}, nil); err != nil {
				t.Fatal(err)
			}
			bucket := `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::210987654321:user/eve"},
				"Action": "s3:ListBucket", "Resource": "arn:aws:s3:::hold", "Condition": {` + c.bucket + `}}]}`
			if err := p.call("s3", "PutBucketPolicy", fmt.Sprintf(`{"Bucket": "hold", "Policy": %q}`, strings.Join(strings.Fields(bucket), " ")), root); err != nil {
				t.Fatal(err)
			}
			err := p.call("s3", "ListObjectsV2", `{"Bucket": "hold", "Prefix": "a"}`, eve)
			if c.allowed && err != nil || !c.allowed && !refused(err, "s3:ListBucket") {
				t.Error(err)
			}
		})
	}
}
