// Command codedeploy measures what CodeDeploy costs on a running server: agents that
// wait, a deployment to a large fleet, and deployments to real instances.
//
//	codedeploy -pid PID -n 20000 idle       processor time and memory of the server alone
//	codedeploy -pid PID -n 1000 rollout     how long a host's next command takes to reach it;
//	                                        with -idle N beside N hosts that have nothing to do
//	codedeploy -n 100 instances             what a deployment of 1 MB takes per instance
//
// It imports the agent's own client (internal/agent/poll), which makes up the hosts
// of the first two, and the client of internal/wire. Hosts are machines on premises
// with a session each, as AWS registers them. bench/codedeploy.sh starts a server.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/client"
)

type bench struct {
	endpoint string
	config   aws.Config
	pid, n   int
	others   int // hosts that are idle beside a rollout
	window   time.Duration
	role     string // ARN
}

func main() {
	b := &bench{endpoint: os.Getenv("AWS_ENDPOINT_URL")}
	flag.IntVar(&b.pid, "pid", 0, "the server's process")
	flag.IntVar(&b.n, "n", 100, "how many hosts")
	flag.IntVar(&b.others, "idle", 0, "how many hosts have nothing to do during a rollout")
	flag.DurationVar(&b.window, "window", time.Minute, "how long to watch idle hosts")
	flag.Parse()
	b.config = aws.Config{Region: "us-east-1", BaseEndpoint: &b.endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), "")}
	run := map[string]func(context.Context) error{"idle": b.idle, "rollout": b.rollout, "instances": b.instances}[flag.Arg(0)]
	if run == nil {
		fmt.Fprintln(os.Stderr, "usage: codedeploy [flags] idle|rollout|instances")
		os.Exit(2)
	}
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) call(ctx context.Context, m *model.Service, operation string, in, out any) error {
	c := client.Client{Model: m, Config: b.config}
	if err := c.Call(ctx, operation, in, out); err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	return nil
}

const name = "bench-codedeploy"

// setUp makes the role and the application that all measurements share.
func (b *bench) setUp(ctx context.Context) error {
	const trust = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*", "Service": ["ec2.amazonaws.com", "codedeploy.amazonaws.com"]}, "Action": "sts:AssumeRole"}]}`
	err := b.call(ctx, iam.Model(), "CreateRole", &iam.CreateRoleInput{RoleName: aws.String(name), AssumeRolePolicyDocument: aws.String(trust)}, nil)
	if err != nil && !exists(err) {
		return err
	}
	for _, policy := range []string{"AWSCodeDeployRole", "AmazonEC2RoleforAWSCodeDeploy"} {
		in := &iam.AttachRolePolicyInput{RoleName: aws.String(name), PolicyArn: aws.String("arn:aws:iam::aws:policy/service-role/" + policy)}
		if err := b.call(ctx, iam.Model(), "AttachRolePolicy", in, nil); err != nil {
			return err
		}
	}
	var role iam.GetRoleOutput
	if err := b.call(ctx, iam.Model(), "GetRole", &iam.GetRoleInput{RoleName: aws.String(name)}, &role); err != nil {
		return err
	}
	b.role = *role.Role.Arn
	if err := b.becomeUser(ctx); err != nil {
		return err
	}
	err = b.call(ctx, codedeploy.Model(), "CreateApplication", &codedeploy.CreateApplicationInput{ApplicationName: aws.String(name)}, nil)
	if err != nil && !exists(err) {
		return err
	}
	return nil
}

// becomeUser goes on as an administrator: an account's root may assume no role.
func (b *bench) becomeUser(ctx context.Context) error {
	err := b.call(ctx, iam.Model(), "CreateUser", &iam.CreateUserInput{UserName: aws.String(name)}, nil)
	if err != nil && !exists(err) {
		return err
	}
	in := &iam.AttachUserPolicyInput{UserName: aws.String(name), PolicyArn: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")}
	if err := b.call(ctx, iam.Model(), "AttachUserPolicy", in, nil); err != nil {
		return err
	}
	var key iam.CreateAccessKeyOutput
	if err := b.call(ctx, iam.Model(), "CreateAccessKey", &iam.CreateAccessKeyInput{UserName: aws.String(name)}, &key); err != nil {
		return err
	}
	b.config.Credentials = credentials.NewStaticCredentialsProvider(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey, "")
	return nil
}

// exists reports whether what was to be made is there from an earlier run.
func exists(err error) bool {
	var e *awserr.Error
	return errors.As(err, &e) && (e.Code == "EntityAlreadyExists" || e.Code == "ApplicationAlreadyExistsException" ||
		e.Code == "DeploymentGroupAlreadyExistsException" || e.Code == "BucketAlreadyOwnedByYou" || e.Code == "LimitExceeded")
}

// group makes a group that selects what has the tag, all of it at once.
func (b *bench) group(ctx context.Context, tag string, onPremises bool) error {
	in := &codedeploy.CreateDeploymentGroupInput{ApplicationName: aws.String(name), DeploymentGroupName: &tag, ServiceRoleArn: &b.role,
		DeploymentConfigName: aws.String("CodeDeployDefault.AllAtOnce")}
	if onPremises {
		in.OnPremisesInstanceTagFilters = []codedeploy.TagFilter{{Key: &tag, Type: codedeploy.TagFilterTypeKeyOnly}}
	} else {
		in.Ec2TagFilters = []codedeploy.EC2TagFilter{{Key: &tag, Type: codedeploy.EC2TagFilterTypeKeyOnly}}
	}
	err := b.call(ctx, codedeploy.Model(), "CreateDeploymentGroup", in, nil)
	if err != nil && exists(err) {
		return nil
	}
	return err
}

func (b *bench) deploy(ctx context.Context, group, key string) (string, error) {
	var out codedeploy.CreateDeploymentOutput
	err := b.call(ctx, codedeploy.Model(), "CreateDeployment", &codedeploy.CreateDeploymentInput{
		ApplicationName: aws.String(name), DeploymentGroupName: &group, FileExistsBehavior: codedeploy.FileExistsBehaviorOverwrite,
		Revision: &codedeploy.RevisionLocation{RevisionType: codedeploy.RevisionLocationTypeS3,
			S3Location: &codedeploy.S3Location{Bucket: aws.String(name), Key: &key, BundleType: codedeploy.BundleTypeZip}},
	}, &out)
	return aws.ToString(out.DeploymentId), err
}

// await waits for a deployment's end, which must be a success.
func (b *bench) await(ctx context.Context, id string) (*codedeploy.DeploymentInfo, error) {
	for {
		var out codedeploy.GetDeploymentOutput
		if err := b.call(ctx, codedeploy.Model(), "GetDeployment", &codedeploy.GetDeploymentInput{DeploymentId: &id}, &out); err != nil {
			return nil, err
		}
		d := out.DeploymentInfo
		switch {
		case d.CompleteTime == nil:
			time.Sleep(20 * time.Millisecond)
		case d.Status == codedeploy.DeploymentStatusSucceeded && *d.DeploymentOverview.Failed == 0:
			return d, nil
		default:
			return nil, fmt.Errorf("%s is %s, %d failed: %+v", id, d.Status, *d.DeploymentOverview.Failed, d.ErrorInformation)
		}
	}
}
