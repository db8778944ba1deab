package script_test

import (
	"context"
	"fmt"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
)

// The names of what identities makes.
const (
	archives    = "myapp-archives"
	webRole     = "web"
	serviceRole = "CodeDeployServiceRole"
)

// identities makes the bucket of the archives, the instances' role in its profile,
// and CodeDeploy's service role.
func (s *serverUnderTest) identities(ctx context.Context) error {
	if err := s.client(s3.Model()).Call(ctx, "CreateBucket", &s3.CreateBucketInput{Bucket: aws.Ptr(archives)}, &s3.CreateBucketOutput{}); err != nil {
		return err
	}
	c := s.client(iam.Model())
	managed := "arn:aws:iam::aws:policy/service-role/"
	for _, step := range []struct {
		operation string
		in, out   any
	}{
		{"CreateRole", roleFor(webRole, "ec2"), &iam.CreateRoleOutput{}},
		{"PutRolePolicy", &iam.PutRolePolicyInput{RoleName: aws.Ptr(webRole), PolicyName: aws.Ptr("read-archives"), PolicyDocument: aws.Ptr(
			`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*"}]}`)}, nil},
		{"CreateInstanceProfile", &iam.CreateInstanceProfileInput{InstanceProfileName: aws.Ptr(webRole)}, &iam.CreateInstanceProfileOutput{}},
		{"AddRoleToInstanceProfile", &iam.AddRoleToInstanceProfileInput{InstanceProfileName: aws.Ptr(webRole), RoleName: aws.Ptr(webRole)}, nil},
		{"CreateRole", roleFor(serviceRole, "codedeploy"), &iam.CreateRoleOutput{}},
		{"AttachRolePolicy", &iam.AttachRolePolicyInput{RoleName: aws.Ptr(serviceRole), PolicyArn: aws.Ptr(managed + "AWSCodeDeployRole")}, nil},
	} {
		if err := c.Call(ctx, step.operation, step.in, step.out); err != nil {
			return fmt.Errorf("%s: %w", step.operation, err)
		}
	}
	return nil
}

func roleFor(name, service string) *iam.CreateRoleInput {
	return &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.Ptr(fmt.Sprintf(
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "%s.amazonaws.com"}, "Action": "sts:AssumeRole"}]}`, service))}
}
