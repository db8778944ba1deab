package cloudformation_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/api/sts"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/service/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/store/storetest"
	"github.com/hardstand/hardstand/internal/wire"
	"github.com/hardstand/hardstand/internal/wire/sigv4"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

const (
	testKey    = "AKIAIOSFODNN7EXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	testUser   = "arn:aws:iam::123456789012:user/tester"
	endpoint   = "http://127.0.0.1:4566"
)

var tester = aws.Principal{Type: aws.PrincipalUser, Account: "123456789012", ARN: testUser, UniqueID: "AIDAEXAMPLE"}

// keys knows one key.
type keys struct{}

func (keys) Lookup(_ context.Context, id, _ string) (wire.Credential, error) {
	if id != testKey {
		return wire.Credential{}, &sigv4.Failure{Kind: sigv4.UnknownKey, AccessKeyID: id}
	}
	return wire.Credential{Secret: testSecret, Principal: tester}, nil
}

// gate refuses the actions named, everything to services that no resource policy
// names, and remembers what it was asked.
type gate struct {
	mu     sync.Mutex
	denied map[string]bool
	asked  []aws.Check
}

func (g *gate) Authorize(ctx context.Context, c aws.Check) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, c)
	p := aws.CallFrom(ctx).Principal
	if g.denied[c.Action] || p.Type == aws.PrincipalService && !strings.Contains(c.ResourcePolicy, p.Service) {
		return wiretest.Denied(ctx, c)
	}
	return nil
}

func (g *gate) deny(actions ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.denied = map[string]bool{}
	for _, a := range actions {
		g.denied[a] = true
	}
}

// named is a type that needs CAPABILITY_IAM, and NAMED_IAM with a Name.
type named struct{ *stacktest.Fake }

func (n named) Schema() stack.Schema {
	s := n.Fake.Schema()
	s.Capability, s.NameProperty = true, "Name"
	return s
}

// roles knows one role.
type roles struct{}

func (roles) AssumeServiceRole(_ context.Context, roleARN, service string) (aws.Principal, error) {
	if !strings.HasSuffix(roleARN, "/stacks") && !strings.HasSuffix(roleARN, "AdministrationRole") || service != "cloudformation.amazonaws.com" {
		return aws.Principal{}, errors.New("no such role")
	}
	return aws.Principal{Type: aws.PrincipalAssumedRole, Account: "123456789012", ARN: "arn:aws:sts::123456789012:assumed-role/stacks/AWSCloudFormation"}, nil
}

// Principal knows the sessions of execution roles: their key is the account.
func (roles) Principal(_ context.Context, key, _ string) (aws.Principal, error) {
	return aws.Principal{Type: aws.PrincipalAssumedRole, Account: key, ARN: "arn:aws:sts::" + key + ":assumed-role/AWSCloudFormationStackSetExecutionRole/StackSet"}, nil
}

// lab is the service on a server with small neighbours.
type lab struct {
	t      *testing.T
	db     *store.DB
	sealer *store.Sealer
	clock  *clock.Offset
	gate   *gate
	server *wire.Server
	fake   *stacktest.Fake
	engine *stack.Engine
	ctx    context.Context
	// operations are the service's own.
	operations []wire.Operation
	// work is the service's work on stack sets; tests that need it call begin.
	work, notify func(context.Context) error
	aging        func() []func(context.Context) error

	mu      sync.Mutex
	objects map[string]string
	// defaultZones are those with a default subnet.
	defaultZones []string
	// published are the messages that topics got, by topic; alarms the states of alarms.
	published map[string][]string
	alarms    map[string]string
	// fetched, when set, runs before an object is read.
	fetched func()
	// provider, when set, gets each message that is published.
	provider func(string)
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, clock: &clock.Offset{}, gate: &gate{}, fake: stacktest.NewFake(), objects: map[string]string{}, published: map[string][]string{}, alarms: map[string]string{}}
	l.db, l.sealer = storetest.NewWithClock(t, l.clock), storetest.NewSealer(t)
	l.open()
	t.Cleanup(func() { _ = l.engine.Close() })
	l.ctx = wiretest.As(t.Context(), tester)
	return l
}

// restart is what a server does that was stopped in the middle of something.
func (l *lab) restart() {
	l.t.Helper()
	_ = l.engine.Close()
	l.open()
	if err := l.engine.Resume(l.ctx); err != nil {
		l.t.Fatal(err)
	}
}

// open makes engine, service and server on what is stored.
func (l *lab) open() {
	l.t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	l.server = wire.NewServer(wire.Config{Credentials: keys{}, Authorizer: l.gate, Account: "123456789012", Region: "us-east-1", Log: log,
		Schemes: []wire.Scheme{cloudformation.IdentityScheme{Identities: identities{}}}})
	l.engine = stack.New(stack.Config{DB: l.db, Sealer: l.sealer, Clock: l.clock, Log: log, Endpoint: endpoint,
		Types:   stack.Registry{"Test::Fake::Thing": l.fake, "Test::Fake::Role": named{l.fake}},
		Outside: cloudformation.Outside{Invoker: l.server}, Alarms: cloudformation.Outside{Invoker: l.server}})
	svc := cloudformation.New(cloudformation.Config{DB: l.db, Clock: l.clock, Sealer: l.sealer, Log: log, Engine: l.engine, Invoker: l.server,
		Roles: roles{}, Sessions: roles{}, Endpoint: endpoint})
	l.work, l.notify, l.aging = svc.Run, svc.Notify, svc.Aging
	own := svc.Wire()
	l.operations = own.Operations
	if err := l.server.Register(append(l.neighbours(), own)...); err != nil {
		l.t.Fatal(err)
	}
	l.server.Mount(stack.HandlePrefix, l.engine.HandleHandler())
	l.server.Mount(cloudformation.ResponsePrefix, svc.ResponseHandler())
}

func (l *lab) neighbours() []wire.Service {
	return []wire.Service{
		{Model: s3.Model(), Operations: []wire.Operation{wire.Op("GetObject", "s3:GetObject", l.getObject, nil)}},
		{Model: ec2.Model(), Operations: []wire.Operation{
			wire.Op("DescribeKeyPairs", "ec2:DescribeKeyPairs", l.describeKeyPairs, nil),
			wire.Op("DescribeImages", "ec2:DescribeImages", l.describeImages, nil),
			wire.Op("DescribeSubnets", "ec2:DescribeSubnets", l.describeSubnets, nil),
			wire.Op("DescribeAvailabilityZones", "ec2:DescribeAvailabilityZones", l.describeZones, nil)}},
		{Model: sns.Model(), Operations: []wire.Operation{wire.Op("Publish", "sns:Publish", l.publish, nil)}},
		{Model: cloudwatch.Model(), Operations: []wire.Operation{wire.Op("DescribeAlarms", "cloudwatch:DescribeAlarms", l.describeAlarms, nil)}},
		{Model: sts.Model(), Operations: []wire.Operation{wire.Op("AssumeRole", "sts:AssumeRole", l.assumeRole, nil)}},
		{Model: ssm.Model(), Operations: []wire.Operation{
			wire.Op("GetParameters", "ssm:GetParameters", l.getParameters, nil),
			wire.Op("GetParameter", "ssm:GetParameter", l.getParameter, nil)}},
	}
}

func (l *lab) getObject(_ context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	if l.fetched != nil {
		l.fetched()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	text, ok := l.objects[*in.Bucket+"/"+*in.Key]
	if !ok {
		return nil, awserr.Status(404, "NoSuchKey", "The specified key does not exist.")
	}
	return &s3.GetObjectOutput{Body: io.NopCloser(bytes.NewReader([]byte(text)))}, nil
}

// assumeRole knows the execution role of one account.
func (l *lab) assumeRole(_ context.Context, in *sts.AssumeRoleInput) (*sts.AssumeRoleOutput, error) {
	if *in.RoleArn != "arn:aws:iam::123456789012:role/AWSCloudFormationStackSetExecutionRole" {
		return nil, awserr.Status(403, "AccessDenied", "not for you")
	}
	return &sts.AssumeRoleOutput{Credentials: &sts.Credentials{AccessKeyId: aws.Ptr("123456789012"), SessionToken: aws.Ptr("t"),
		SecretAccessKey: aws.Ptr("s"), Expiration: aws.Ptr(l.clock.Now())}}, nil
}

func (l *lab) describeKeyPairs(_ context.Context, in *ec2.DescribeKeyPairsInput) (*ec2.DescribeKeyPairsOutput, error) {
	if in.KeyNames[0] != "mykey" {
		return nil, awserr.New("InvalidKeyPair.NotFound", "The key pair '%s' does not exist", in.KeyNames[0])
	}
	return &ec2.DescribeKeyPairsOutput{}, nil
}

func (l *lab) describeImages(context.Context, *ec2.DescribeImagesInput) (*ec2.DescribeImagesOutput, error) {
	return &ec2.DescribeImagesOutput{}, nil
}

func (l *lab) describeZones(context.Context, *ec2.DescribeAvailabilityZonesInput) (*ec2.DescribeAvailabilityZonesOutput, error) {
	return &ec2.DescribeAvailabilityZonesOutput{AvailabilityZones: []ec2.AvailabilityZone{{ZoneName: aws.Ptr("us-east-1b")}, {ZoneName: aws.Ptr("us-east-1a")}}}, nil
}

// describeSubnets knows the default subnets of zones.
func (l *lab) describeSubnets(context.Context, *ec2.DescribeSubnetsInput) (*ec2.DescribeSubnetsOutput, error) {
	out := &ec2.DescribeSubnetsOutput{}
	for _, zone := range l.defaultZones {
		out.Subnets = append(out.Subnets, ec2.Subnet{AvailabilityZone: &zone})
	}
	return out, nil
}

// getParameters knows an image, and who asks.
func (l *lab) getParameters(ctx context.Context, in *ssm.GetParametersInput) (*ssm.GetParametersOutput, error) {
	out := &ssm.GetParametersOutput{}
	for _, n := range in.Names {
		if n == "/who" {
			out.Parameters = append(out.Parameters, ssm.Parameter{Name: aws.Ptr(n), Value: aws.Ptr(aws.CallFrom(ctx).Principal.ARN), Type: "String"})
		}
		if n == "/image" {
			out.Parameters = append(out.Parameters, ssm.Parameter{Name: aws.Ptr(n), Value: aws.Ptr("ami-1"), Type: "String"})
		}
	}
	return out, nil
}

func (l *lab) getParameter(_ context.Context, in *ssm.GetParameterInput) (*ssm.GetParameterOutput, error) {
	return &ssm.GetParameterOutput{Parameter: &ssm.Parameter{Name: in.Name, Value: aws.Ptr("value of " + *in.Name), Type: "String"}}, nil
}

// identities takes every document whose signature is "good".
type identities struct{}

func (identities) VerifyIdentity(_ context.Context, document, signature []byte) (string, string, error) {
	if string(signature) != "good" {
		return "", "", errors.New("bad signature")
	}
	return "123456789012", string(document), nil
}

func call[O any](l *lab, operation string, in any) (*O, error) {
	return wire.Call[O](l.ctx, l.server, "cloudformation", operation, in)
}

func must[O any](l *lab, operation string, in any) *O {
	l.t.Helper()
	out, err := call[O](l, operation, in)
	if err != nil {
		l.t.Fatalf("%s: %v", operation, err)
	}
	return out
}

// create makes a stack and waits for it to rest.
func (l *lab) create(name, body string, change func(*api.CreateStackInput)) *api.Stack {
	l.t.Helper()
	in := &api.CreateStackInput{StackName: &name, TemplateBody: &body}
	if change != nil {
		change(in)
	}
	out := must[api.CreateStackOutput](l, "CreateStack", in)
	return l.rest(*out.StackId)
}

func (l *lab) rest(id string) *api.Stack {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.ctx, 20*time.Second)
	defer cancel()
	if _, err := l.engine.Wait(ctx, store.Key{Account: "123456789012", Region: "us-east-1", ID: id}); err != nil {
		l.t.Fatal(err)
	}
	return &must[api.DescribeStacksOutput](l, "DescribeStacks", &api.DescribeStacksInput{StackName: &id}).Stacks[0]
}

func (l *lab) wantStatus(s *api.Stack, want api.StackStatus) {
	l.t.Helper()
	if s.StackStatus != want {
		events := must[api.DescribeStackEventsOutput](l, "DescribeStackEvents", &api.DescribeStackEventsInput{StackName: s.StackId})
		for _, ev := range slices.Backward(events.StackEvents) {
			l.t.Logf("%s %s %s", aws.Val(ev.LogicalResourceId), ev.ResourceStatus, aws.Val(ev.ResourceStatusReason))
		}
		l.t.Fatalf("stack is %s (%s), want %s", s.StackStatus, aws.Val(s.StackStatusReason), want)
	}
}

// wantError checks code and message; "" for the message takes any.
func wantError(t *testing.T, err error, code, message string) {
	t.Helper()
	e := awserr.As(err)
	if e == nil || e.Code != code || message != "" && e.Message != message {
		t.Errorf("got  %v\nwant %s: %s", err, code, message)
	}
}
