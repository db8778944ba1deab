package wire_test

import (
	"bytes"
	"context"
	"io"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/api/sts"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/client"
)

// TestClient lets our own client speak to the server in each protocol, signed by
// the SDK.
func TestClient(t *testing.T) {
	s := newTiny(t)
	url := s.serve(t).URL
	with := func(m *model.Service) *client.Client {
		return &client.Client{Model: m, Config: sdk.Config{Region: "eu-west-1", BaseEndpoint: &url,
			Credentials: sdk.CredentialsProviderFunc(func(context.Context) (sdk.Credentials, error) {
				return sdk.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, nil
			})}}
	}
	ctx := t.Context()
	var instances ec2.DescribeInstancesOutput
	if err := with(ec2.Model()).Call(ctx, "DescribeInstances", &ec2.DescribeInstancesInput{InstanceIds: []string{"i-7"}}, &instances); err != nil {
		t.Fatal(err)
	}
	if i := instances.Reservations[0].Instances[0]; *i.InstanceId != "i-7" || i.State.Name != ec2.InstanceStateNameRunning {
		t.Errorf("got %+v", i)
	}
	run := &ec2.RunInstancesInput{MinCount: aws.Ptr(int32(1)), MaxCount: aws.Ptr(int32(1)), KeyName: aws.Ptr("absent")}
	err := with(ec2.Model()).Call(ctx, "RunInstances", run, nil)
	if e := awserr.As(err); e == nil || e.Code != "InvalidKeyPair.NotFound" || e.Message != "The key pair 'absent' does not exist" || e.Status != 400 {
		t.Errorf("got %v", err)
	}
	if s.ran.ClientToken == nil {
		t.Error("no idempotency token was sent")
	}
	var who sts.GetCallerIdentityOutput
	if err := with(sts.Model()).Call(ctx, "GetCallerIdentity", &sts.GetCallerIdentityInput{}, &who); err != nil || *who.Arn != testUser {
		t.Errorf("got %+v, %v", who, err)
	}
	err = with(cloudformation.Model()).Call(ctx, "CreateStack", &cloudformation.CreateStackInput{StackName: aws.Ptr("taken")}, nil)
	if !awserr.Is(err, "AlreadyExistsException") {
		t.Errorf("got %v", err)
	}
	err = with(ssm.Model()).Call(ctx, "GetParameter", &ssm.GetParameterInput{Name: aws.Ptr("/none")}, nil)
	if !awserr.Is(err, "ParameterNotFound") {
		t.Errorf("got %v", err)
	}
	clientOnS3(t, with(s3.Model()))
}

func clientOnS3(t *testing.T, c *client.Client) {
	t.Helper()
	key := aws.Ptr("a//b c+d/é")
	put := &s3.PutObjectInput{Bucket: aws.Ptr("b"), Key: key, Body: bytes.NewReader([]byte("text")), ContentLength: aws.Ptr(int64(4))}
	if err := c.Call(t.Context(), "PutObject", put, &s3.PutObjectOutput{}); err != nil {
		t.Fatal(err)
	}
	var got s3.GetObjectOutput
	if err := c.Call(t.Context(), "GetObject", &s3.GetObjectInput{Bucket: aws.Ptr("b"), Key: key}, &got); err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil || string(body) != "text" || *got.ContentLength != 4 {
		t.Errorf("got %q, %v", body, err)
	}
	err = c.Call(t.Context(), "GetObject", &s3.GetObjectInput{Bucket: aws.Ptr("b"), Key: aws.Ptr("none")}, &s3.GetObjectOutput{})
	if !awserr.Is(err, "NoSuchKey") {
		t.Errorf("got %v", err)
	}
}
