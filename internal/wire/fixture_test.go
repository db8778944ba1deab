package wire_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/api/codedeploycommands"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/api/sts"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire"
	"github.com/hardstand/hardstand/internal/wire/sigv4"
)

const (
	testKey    = "AKIAIOSFODNN7EXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	testUser   = "arn:aws:iam::123456789012:user/tester"
)

// keys knows one key.
type keys struct{}

func (keys) Lookup(_ context.Context, id, _ string) (wire.Credential, error) {
	if id != testKey {
		return wire.Credential{}, &sigv4.Failure{Kind: sigv4.UnknownKey, AccessKeyID: id}
	}
	return wire.Credential{Secret: testSecret, Principal: aws.Principal{
		Type: aws.PrincipalUser, Account: "123456789012", ARN: testUser, UniqueID: "AIDAEXAMPLE"}}, nil
}

// refuser refuses the actions that a test names and everything to strangers.
type refuser struct {
	mu     sync.Mutex
	denied map[string]bool
	asked  []aws.Check
}

func (a *refuser) Authorize(ctx context.Context, c aws.Check) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, c)
	p := aws.CallFrom(ctx).Principal
	if a.denied[c.Action] || p.Type == aws.PrincipalAnonymous && !strings.HasSuffix(c.Resource, "/public") {
		return &aws.Denied{Principal: p.ARN, Action: c.Action, Resource: c.Resource,
			Reason: "no identity-based policy allows the " + c.Action + " action"}
	}
	return nil
}

// tiny holds one small service per protocol.
type tiny struct {
	server  *wire.Server
	auth    *refuser
	log     *bytes.Buffer
	mu      sync.Mutex
	objects map[string][]byte
	meta    map[string]map[string]string
	params  map[string]string
	ran     *ec2.RunInstancesInput
	stack   *cloudformation.CreateStackInput
}

func newTiny(t testing.TB) *tiny {
	t.Helper()
	s := &tiny{auth: &refuser{denied: map[string]bool{
		"ec2:DeleteTags": true, "cloudformation:DeleteStack": true, "ssm:DeleteParameter": true, "s3:DeleteBucketForever": true}}, log: &bytes.Buffer{}, objects: map[string][]byte{},
		meta: map[string]map[string]string{}, params: map[string]string{}}
	s.server = wire.NewServer(wire.Config{Credentials: keys{}, Authorizer: s.auth, Account: "123456789012",
		Region: "us-east-1", Log: slog.New(slog.NewTextHandler(&lockedWriter{w: s.log}, nil))})
	if err := s.server.Register(s.services()...); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *tiny) services() []wire.Service {
	return []wire.Service{
		{Model: ec2.Model(), Operations: []wire.Operation{
			wire.Op("RunInstances", "ec2:RunInstances", s.runInstances, nil),
			wire.Op("DescribeInstances", "ec2:DescribeInstances", s.describeInstances, nil),
			wire.Op("CreateTags", "ec2:CreateTags", s.createTags, nil),
			wire.Op("DeleteTags", "ec2:DeleteTags", never[ec2.DeleteTagsInput, ec2.DeleteTagsOutput], nil),
		}},
		{Model: cloudformation.Model(), Operations: []wire.Operation{
			wire.Op("CreateStack", "cloudformation:CreateStack", s.createStack, nil),
			wire.Op("DeleteStack", "cloudformation:DeleteStack", never[cloudformation.DeleteStackInput, cloudformation.DeleteStackOutput], nil),
			wire.Op("DescribeStacks", "cloudformation:DescribeStacks", s.describeStacks, nil),
			wire.Op("DescribeStackResource", "cloudformation:DescribeStackResource", s.describeStackResource, nil),
		}},
		{Model: sts.Model(), Operations: []wire.Operation{
			wire.FreeOp("GetCallerIdentity", "AWS asks for no permission", s.getCallerIdentity),
		}},
		{Model: iam.Model(), Operations: []wire.Operation{wire.Op("GetUser", "iam:GetUser", s.getUser, nil)}},
		{Model: ssm.Model(), Operations: []wire.Operation{
			wire.Op("PutParameter", "ssm:PutParameter", s.putParameter, nil),
			wire.Op("DeleteParameter", "ssm:DeleteParameter", never[ssm.DeleteParameterInput, ssm.DeleteParameterOutput], nil),
			wire.Op("GetParameter", "ssm:GetParameter", s.getParameter, nil),
		}},
		{Model: codedeploy.Model(), Operations: []wire.Operation{
			wire.Op("CreateApplication", "codedeploy:CreateApplication", s.createApplication, nil),
			wire.Op("ListApplications", "codedeploy:ListApplications", s.listApplications, nil),
		}},
		{Model: codedeploycommands.Model()},
		{Model: s3.Model(), Anonymous: true, Operations: []wire.Operation{
			wire.Op("ListBuckets", "s3:ListAllMyBuckets", s.listBuckets, nil),
			wire.Op("GetBucketLocation", "s3:GetBucketLocation", s.getBucketLocation, nil),
			wire.Op("PutObject", "s3:PutObject", s.putObject, nil),
			wire.Op("GetObject", "s3:GetObject", s.getObject, func(_ context.Context, in *s3.GetObjectInput) ([]aws.Check, error) {
				return []aws.Check{{Resource: "arn:aws:s3:::" + *in.Bucket + "/" + *in.Key}}, nil
			}),
			wire.Op("DeleteObject", "s3:DeleteBucketForever", never[s3.DeleteObjectInput, s3.DeleteObjectOutput], nil),
			wire.Op("HeadObject", "s3:GetObject", s.headObject, nil),
			wire.Op("ListObjectsV2", "s3:ListBucket", s.listObjects, nil),
			wire.Op("DeleteObjects", "s3:DeleteObject", s.deleteObjects, nil),
		}},
	}
}

// never is an operation that the authorizer must not let happen.
func never[I, O any](context.Context, *I) (*O, error) { panic("a refused operation has run") }

func (s *tiny) runInstances(_ context.Context, in *ec2.RunInstancesInput) (*ec2.RunInstancesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ran = in
	if aws.Val(in.KeyName) == "absent" {
		return nil, awserr.New("InvalidKeyPair.NotFound", "The key pair '%s' does not exist", *in.KeyName)
	}
	return &ec2.RunInstancesOutput{ReservationId: aws.Ptr("r-1"), OwnerId: aws.Ptr("123456789012"),
		Instances: []ec2.Instance{instance("i-1")}}, nil
}

func instance(id string) ec2.Instance {
	return ec2.Instance{InstanceId: aws.Ptr(id), InstanceType: ec2.InstanceTypeT2Micro,
		State:      &ec2.InstanceState{Code: aws.Ptr(int32(16)), Name: ec2.InstanceStateNameRunning},
		LaunchTime: aws.Ptr(time.Date(2024, 2, 29, 12, 30, 0, 0, time.UTC)), PrivateIpAddress: aws.Ptr("172.31.0.4"),
		EbsOptimized:   aws.Ptr(false),
		SecurityGroups: []ec2.GroupIdentifier{{GroupId: aws.Ptr("sg-1"), GroupName: aws.Ptr("web & db")}},
		Tags:           []ec2.Tag{{Key: aws.Ptr("Name"), Value: aws.Ptr("a<b>\u00e9")}}}
}

func (s *tiny) describeInstances(_ context.Context, in *ec2.DescribeInstancesInput) (*ec2.DescribeInstancesOutput, error) {
	if len(in.InstanceIds) == 0 {
		return &ec2.DescribeInstancesOutput{}, nil
	}
	return &ec2.DescribeInstancesOutput{Reservations: []ec2.Reservation{{Instances: []ec2.Instance{instance(in.InstanceIds[0])}}}}, nil
}

func (s *tiny) createTags(context.Context, *ec2.CreateTagsInput) (*ec2.CreateTagsOutput, error) {
	return &ec2.CreateTagsOutput{}, nil
}

func (s *tiny) createStack(ctx context.Context, in *cloudformation.CreateStackInput) (*cloudformation.CreateStackOutput, error) {
	s.mu.Lock()
	s.stack = in
	s.mu.Unlock()
	switch *in.StackName {
	case "taken":
		return nil, awserr.New("AlreadyExistsException", "Stack [%s] already exists", *in.StackName)
	case "broken":
		return nil, io.ErrUnexpectedEOF
	case "panicking":
		panic("out of cheese")
	case "nested":
		_, err := wire.Call[ec2.RunInstancesOutput](ctx, s.server, "ec2", "RunInstances",
			&ec2.RunInstancesInput{MinCount: aws.Ptr(int32(1)), MaxCount: aws.Ptr(int32(1))})
		if err != nil {
			return nil, err
		}
	}
	return &cloudformation.CreateStackOutput{StackId: aws.Ptr("arn:aws:cloudformation:" + aws.CallFrom(ctx).Region + ":123456789012:stack/" + *in.StackName + "/1")}, nil
}

func (s *tiny) describeStacks(_ context.Context, in *cloudformation.DescribeStacksInput) (*cloudformation.DescribeStacksOutput, error) {
	if in.StackName == nil {
		return &cloudformation.DescribeStacksOutput{}, nil
	}
	return nil, awserr.New("ValidationError", "Stack with id %s does not exist", *in.StackName)
}

func (s *tiny) describeStackResource(_ context.Context, in *cloudformation.DescribeStackResourceInput) (*cloudformation.DescribeStackResourceOutput, error) {
	return &cloudformation.DescribeStackResourceOutput{StackResourceDetail: &cloudformation.StackResourceDetail{
		StackName: in.StackName, LogicalResourceId: in.LogicalResourceId, Metadata: aws.Ptr(`{"a":"b"}`),
		LastUpdatedTimestamp: aws.Ptr(time.UnixMilli(1700000000250))}}, nil
}

func (s *tiny) getCallerIdentity(ctx context.Context, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
	p := aws.CallFrom(ctx).Principal
	return &sts.GetCallerIdentityOutput{Account: &p.Account, Arn: &p.ARN, UserId: &p.UniqueID}, nil
}

func (s *tiny) getUser(_ context.Context, in *iam.GetUserInput) (*iam.GetUserOutput, error) {
	return nil, awserr.New("NoSuchEntity", "The user with name %s cannot be found.", aws.Val(in.UserName))
}

func (s *tiny) putParameter(_ context.Context, in *ssm.PutParameterInput) (*ssm.PutParameterOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.params[*in.Name] = *in.Value
	return &ssm.PutParameterOutput{Version: aws.Ptr(int64(1)), Tier: ssm.ParameterTierStandard}, nil
}

func (s *tiny) getParameter(_ context.Context, in *ssm.GetParameterInput) (*ssm.GetParameterOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.params[*in.Name]
	if !ok {
		return nil, awserr.New("ParameterNotFound", "Parameter %s not found.", *in.Name)
	}
	return &ssm.GetParameterOutput{Parameter: &ssm.Parameter{Name: in.Name, Value: &v, Type: ssm.ParameterTypeString,
		LastModifiedDate: aws.Ptr(time.UnixMilli(1700000000250))}}, nil
}

func (s *tiny) createApplication(_ context.Context, in *codedeploy.CreateApplicationInput) (*codedeploy.CreateApplicationOutput, error) {
	return &codedeploy.CreateApplicationOutput{ApplicationId: aws.Ptr("id-of-" + *in.ApplicationName)}, nil
}

func (s *tiny) listApplications(context.Context, *codedeploy.ListApplicationsInput) (*codedeploy.ListApplicationsOutput, error) {
	return &codedeploy.ListApplicationsOutput{}, nil
}

func (s *tiny) listBuckets(context.Context, *s3.ListBucketsInput) (*s3.ListBucketsOutput, error) {
	return &s3.ListBucketsOutput{Owner: &s3.Owner{ID: aws.Ptr("o")}, Buckets: []s3.Bucket{{Name: aws.Ptr("b.1"),
		CreationDate: aws.Ptr(time.Unix(1700000000, 0))}}}, nil
}

func (s *tiny) getBucketLocation(_ context.Context, in *s3.GetBucketLocationInput) (*s3.GetBucketLocationOutput, error) {
	if *in.Bucket == "us" {
		return &s3.GetBucketLocationOutput{}, nil
	}
	return &s3.GetBucketLocationOutput{LocationConstraint: "eu-west-1"}, nil
}

func (s *tiny) putObject(_ context.Context, in *s3.PutObjectInput) (*s3.PutObjectOutput, error) {
	body, err := io.ReadAll(in.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[*in.Bucket+"/"+*in.Key] = body
	s.meta[*in.Bucket+"/"+*in.Key] = in.Metadata
	return &s3.PutObjectOutput{ETag: aws.Ptr(`"etag"`)}, nil
}

func (s *tiny) getObject(_ context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, ok := s.objects[*in.Bucket+"/"+*in.Key]
	if !ok {
		return nil, awserr.New("NoSuchKey", "The specified key does not exist.").With("Key", *in.Key)
	}
	out := &s3.GetObjectOutput{Body: io.NopCloser(bytes.NewReader(body)), ContentLength: aws.Ptr(int64(len(body))),
		ETag: aws.Ptr(`"etag"`), LastModified: aws.Ptr(time.Unix(1700000000, 0)), Metadata: s.meta[*in.Bucket+"/"+*in.Key]}
	if in.Range != nil {
		out.Body = io.NopCloser(bytes.NewReader(body[:1]))
		out.ContentLength, out.ContentRange = aws.Ptr(int64(1)), aws.Ptr("bytes 0-0/9")
	}
	return out, nil
}

func (s *tiny) headObject(_ context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, ok := s.objects[*in.Bucket+"/"+*in.Key]
	if !ok {
		return nil, awserr.Status(404, "NoSuchKey", "The specified key does not exist.")
	}
	return &s3.HeadObjectOutput{ContentLength: aws.Ptr(int64(len(body))), Metadata: s.meta[*in.Bucket+"/"+*in.Key]}, nil
}

func (s *tiny) listObjects(_ context.Context, in *s3.ListObjectsV2Input) (*s3.ListObjectsV2Output, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &s3.ListObjectsV2Output{Name: in.Bucket, Prefix: in.Prefix, IsTruncated: aws.Ptr(false)}
	for k, v := range s.objects {
		if rest, ok := strings.CutPrefix(k, *in.Bucket+"/"); ok {
			out.Contents = append(out.Contents, s3.Object{Key: &rest, Size: aws.Ptr(int64(len(v))), LastModified: aws.Ptr(time.Unix(1700000000, 0))})
		}
	}
	out.KeyCount = aws.Ptr(int32(len(out.Contents)))
	return out, nil
}

func (s *tiny) deleteObjects(_ context.Context, in *s3.DeleteObjectsInput) (*s3.DeleteObjectsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &s3.DeleteObjectsOutput{}
	for _, o := range in.Delete.Objects {
		delete(s.objects, *in.Bucket+"/"+*o.Key)
		out.Deleted = append(out.Deleted, s3.DeletedObject{Key: o.Key})
	}
	return out, nil
}

// serve starts the tiny services on a loopback port.
func (s *tiny) serve(t testing.TB) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(s.server)
	t.Cleanup(srv.Close)
	return srv
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
