package codedeploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/agent/spec"
	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	commands "github.com/hardstand/hardstand/internal/aws/api/codedeploycommands"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/store/storetest"
	"github.com/hardstand/hardstand/internal/wire"
	"github.com/hardstand/hardstand/internal/wire/tlsca"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

const (
	account = "123456789012"
	region  = "us-east-1"
	roleARN = "arn:aws:iam::123456789012:role/CodeDeployServiceRole"
)

// limit is how long anything may take.
const limit = 30 * time.Second

// world is a service with what it needs around it: a wire server, two machines
// of EC2 that tests change, roles, and a clock that tests move.
type world struct {
	t      testing.TB
	s      *Service
	db     *store.DB
	cfg    Config
	clock  *clock.Manual
	server *wire.Server
	ca     *tlsca.CA

	mu          sync.Mutex
	machines    []ec2.Instance
	noRole      error
	denied      map[string]bool // actions refused, "*" for all
	terminated  []string
	alarms      map[string]cloudwatch.StateValue
	published   []sns.PublishInput
	lb          balancerFake
	scaling     map[string]*scalingFake // by name
	launchFails string                  // why Auto Scaling's last activity failed
	told        []string                // to Auto Scaling, of lifecycle actions
	stop        func()
}

func newWorld(t testing.TB, instances ...string) *world {
	t.Helper()
	w := &world{t: t, clock: clock.NewManual(time.Now()), denied: map[string]bool{}, alarms: map[string]cloudwatch.StateValue{}, scaling: map[string]*scalingFake{}}
	w.db = storetest.NewWithClock(t, w.clock)
	var err error
	if w.ca, err = tlsca.Open(t.TempDir(), clock.System{}); err != nil {
		t.Fatal(err)
	}
	w.cfg = Config{DB: w.db, Sealer: storetest.NewSealer(t), Clock: w.clock, Log: slog.New(slog.DiscardHandler), Invoker: w, Roles: w, Authorizer: w, Authority: w.ca}
	for _, id := range instances {
		w.setState(id, "running")
	}
	w.start()
	return w
}

// start runs a new service on the world's database, as a server that restarts.
func (w *world) start() {
	w.s = New(w.cfg)
	w.server = wire.NewServer(wire.Config{Credentials: w, Authorizer: w, Clock: clock.System{}, Account: account, Region: region})
	err := w.server.Register(w.s.Wire(), w.s.CommandsWire(), wire.Service{Model: ec2.Model(), Operations: []wire.Operation{
		wire.Op("DescribeInstances", "ec2:DescribeInstances", w.describeInstances, nil),
		wire.Op("TerminateInstances", "ec2:TerminateInstances", w.terminateInstances, nil),
	}}, wire.Service{Model: cloudwatch.Model(), Operations: []wire.Operation{
		wire.Op("DescribeAlarms", "cloudwatch:DescribeAlarms", w.describeAlarms, nil),
	}}, wire.Service{Model: sns.Model(), Operations: []wire.Operation{
		wire.Op("Publish", "sns:Publish", w.publish, nil),
	}}, w.targetGroupService(), w.classicService(), w.scalingService())
	if err != nil {
		w.t.Fatal(err)
	}
	w.stop = wiretest.Run(w.t, w.s.Run, nil)
}

// setState makes an instance tagged app=web, or changes its state.
func (w *world) setState(id, state string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.machines = slices.DeleteFunc(w.machines, func(i ec2.Instance) bool { return *i.InstanceId == id })
	w.machines = append(w.machines, ec2.Instance{
		InstanceId: &id, State: &ec2.InstanceState{Name: ec2.InstanceStateName(state)},
		Tags:               []ec2.Tag{{Key: aws.Ptr("app"), Value: aws.Ptr("web")}},
		IamInstanceProfile: &ec2.IamInstanceProfile{},
	})
}

func (w *world) describeInstances(context.Context, *ec2.DescribeInstancesInput) (*ec2.DescribeInstancesOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return &ec2.DescribeInstancesOutput{Reservations: []ec2.Reservation{{Instances: slices.Clone(w.machines)}}}, nil
}

// Invoke implements Invoker by the wire server.
func (w *world) Invoke(ctx context.Context, service, operation string, in any) (any, error) {
	return w.server.Invoke(ctx, service, operation, in)
}

// AssumeServiceRole implements Roles.
func (w *world) AssumeServiceRole(_ context.Context, role, _ string) (aws.Principal, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return aws.Principal{Type: aws.PrincipalAssumedRole, Account: account, ARN: "arn:aws:sts::" + account + ":assumed-role/CodeDeployServiceRole/codedeploy", RoleARN: role}, w.noRole
}

// Authorize implements wire.Authorizer.
func (w *world) Authorize(ctx context.Context, c aws.Check) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.denied[c.Action] || w.denied["*"] {
		return wiretest.Denied(ctx, c)
	}
	return nil
}

// Lookup implements wire.Credentials: the access key id of an instance is its
// id.
func (w *world) Lookup(_ context.Context, id, _ string) (wire.Credential, error) {
	return wire.Credential{Secret: "secret", Principal: hostPrincipal(id)}, nil
}

func hostPrincipal(id string) aws.Principal {
	return aws.Principal{Type: aws.PrincipalAssumedRole, Account: account, InstanceID: id, SessionName: id,
		ARN: "arn:aws:sts::" + account + ":assumed-role/web/" + id}
}

// as returns a context in which the user, or the instance id, calls.
func as(who string) context.Context {
	p := aws.Principal{Type: aws.PrincipalUser, Account: account, ARN: "arn:aws:iam::" + account + ":user/" + who}
	if who[:2] == "i-" {
		p = hostPrincipal(who)
	}
	return aws.WithCall(context.Background(), aws.Call{Principal: p, Account: account, Region: region})
}

// call invokes an operation as the deploying user.
func call[O any](w *world, operation string, in any) (*O, error) {
	return wire.Call[O](as("deployer"), w.server, "codedeploy", operation, in)
}

func must[O any](w *world, operation string, in any) *O {
	w.t.Helper()
	out, err := call[O](w, operation, in)
	if err != nil {
		w.t.Fatalf("%s: %v", operation, err)
	}
	return out
}

// setUp makes the application a with the group g of instances tagged app=web.
func (w *world) setUp(change ...func(*api.CreateDeploymentGroupInput)) {
	w.t.Helper()
	must[api.CreateApplicationOutput](w, "CreateApplication", &api.CreateApplicationInput{ApplicationName: aws.Ptr("a")})
	in := &api.CreateDeploymentGroupInput{
		ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g"), ServiceRoleArn: aws.Ptr(roleARN),
		Ec2TagFilters: []api.EC2TagFilter{{Key: aws.Ptr("app"), Value: aws.Ptr("web"), Type: api.EC2TagFilterTypeKeyAndValue}},
	}
	for _, c := range change {
		c(in)
	}
	must[api.CreateDeploymentGroupOutput](w, "CreateDeploymentGroup", in)
}

func revisionOf(key string) *api.RevisionLocation {
	return &api.RevisionLocation{RevisionType: api.RevisionLocationTypeS3,
		S3Location: &api.S3Location{Bucket: aws.Ptr("b"), Key: &key, BundleType: api.BundleTypeZip}}
}

func (w *world) deploy(key string, change ...func(*api.CreateDeploymentInput)) string {
	w.t.Helper()
	in := &api.CreateDeploymentInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g"), Revision: revisionOf(key)}
	for _, c := range change {
		c(in)
	}
	return *must[api.CreateDeploymentOutput](w, "CreateDeployment", in).DeploymentId
}

func (w *world) get(id string) *api.DeploymentInfo {
	w.t.Helper()
	return must[api.GetDeploymentOutput](w, "GetDeployment", &api.GetDeploymentInput{DeploymentId: &id}).DeploymentInfo
}

// await waits until the deployment satisfies the condition.
func (w *world) await(id string, what string, ok func(*api.DeploymentInfo) bool) *api.DeploymentInfo {
	w.t.Helper()
	timeout := time.After(limit)
	for {
		changed := w.db.Changed(store.Filter{Service: "codedeploy"})
		d := w.get(id)
		if ok(d) {
			return d
		}
		select {
		case <-changed:
		case <-timeout:
			why := ""
			if d.ErrorInformation != nil {
				why = *d.ErrorInformation.Message
			}
			w.t.Fatalf("deployment %s is %s %q, want %s", id, d.Status, why, what)
		}
	}
}

func (w *world) awaitStatus(id string, want api.DeploymentStatus) *api.DeploymentInfo {
	w.t.Helper()
	d := w.await(id, "an end", func(d *api.DeploymentInfo) bool {
		return d.Status == api.DeploymentStatusSucceeded || d.Status == api.DeploymentStatusFailed || d.Status == api.DeploymentStatusStopped
	})
	if d.Status != want {
		w.t.Fatalf("deployment %s is %s (%+v), want %s", id, d.Status, d.ErrorInformation, want)
	}
	return d
}

// events returns "Name Status" of a target's events that are not Succeeded.
func (w *world) target(id, instance string) *api.InstanceTarget {
	w.t.Helper()
	return must[api.GetDeploymentTargetOutput](w, "GetDeploymentTarget",
		&api.GetDeploymentTargetInput{DeploymentId: &id, TargetId: &instance}).DeploymentTarget.InstanceTarget
}

func eventStatus(t *api.InstanceTarget, name string) api.LifecycleEventStatus {
	for _, e := range t.LifecycleEvents {
		if *e.LifecycleEventName == name {
			return e.Status
		}
	}
	return "absent"
}

// host is an agent that does nothing but answer; fail says for which events of
// which revision it reports a failure.
type hostAgent struct {
	w     *world
	id    string // host identifier
	fail  func(key, event string) bool
	mu    sync.Mutex
	ran   []string
	close func()
}

// agent starts an agent in the instance.
func (w *world) agent(id string, fail func(key, event string) bool) *hostAgent {
	w.t.Helper()
	return w.agentAs(as(id), instanceARN(store.Key{Account: account, Region: region}, id), fail)
}

// agentAs starts an agent that signs as the caller in ctx.
func (w *world) agentAs(ctx context.Context, id string, fail func(key, event string) bool) *hostAgent {
	if fail == nil {
		fail = func(string, string) bool { return false }
	}
	ctx, cancel := context.WithCancel(ctx)
	h := &hostAgent{w: w, id: id, fail: fail}
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.run(ctx)
	}()
	h.close = func() { cancel(); <-done }
	w.t.Cleanup(h.close)
	return h
}

// verifier trusts the world's authority.
func (w *world) verifier() *spec.Verifier {
	file := filepath.Join(w.t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, w.ca.PEM(), 0o600); err != nil {
		w.t.Error(err)
	}
	v, err := spec.NewVerifier([]string{file}, false, clock.System{}, func(string) {})
	if err != nil {
		w.t.Error(err)
	}
	return v
}

func (h *hostAgent) run(ctx context.Context) {
	verifier := h.w.verifier()
	for ctx.Err() == nil {
		if err := h.once(ctx, verifier); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrClosed) {
			h.w.t.Errorf("agent %s: %v", h.id, err)
			return
		}
	}
}

func (h *hostAgent) once(ctx context.Context, verifier *spec.Verifier) error {
	self := &h.id
	polled, err := wire.Call[commands.PollHostCommandOutput](ctx, h.w.server, "codedeploy-commands", "PollHostCommand", &commands.PollHostCommandInput{HostIdentifier: self})
	if err != nil || polled.HostCommand == nil {
		return err
	}
	cmd := polled.HostCommand
	if !strings.Contains(h.id, *cmd.HostIdentifier) { // as AWS's agents look
		return fmt.Errorf("command for %s", *cmd.HostIdentifier)
	}
	got, err := wire.Call[commands.GetDeploymentSpecificationOutput](ctx, h.w.server, "codedeploy-commands", "GetDeploymentSpecification",
		&commands.GetDeploymentSpecificationInput{DeploymentExecutionId: cmd.DeploymentExecutionId, HostIdentifier: self})
	if err != nil {
		return err
	}
	env := got.DeploymentSpecification.GenericEnvelope
	content, err := verifier.Open(&spec.Envelope{Format: *env.Format, Payload: *env.Payload})
	if err != nil {
		return err
	}
	sp, err := spec.Parse(content)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.ran = append(h.ran, sp.Revision.Key+" "+*cmd.CommandName)
	h.mu.Unlock()
	_, err = wire.Call[commands.PutHostCommandAcknowledgementOutput](ctx, h.w.server, "codedeploy-commands", "PutHostCommandAcknowledgement",
		&commands.PutHostCommandAcknowledgementInput{HostCommandIdentifier: cmd.HostCommandIdentifier})
	if err != nil {
		return err
	}
	status, payload := commands.CommandStatusSucceeded, `{"error_code":0,"script_name":"","message":"Succeeded","log":""}`
	if h.fail(sp.Revision.Key, *cmd.CommandName) {
		status = commands.CommandStatusFailed
		payload = `{"error_code":4,"script_name":"s.sh","message":"Script at specified location: s.sh failed with exit code 3","log":"[stdout]one\n[stderr]two\n"}`
	}
	for range 2 { // official agents repeat a failure
		_, err = wire.Call[commands.PutHostCommandCompleteOutput](ctx, h.w.server, "codedeploy-commands", "PutHostCommandComplete", &commands.PutHostCommandCompleteInput{
			HostCommandIdentifier: cmd.HostCommandIdentifier, CommandStatus: status,
			Diagnostics: &commands.Envelope{Format: aws.Ptr("JSON"), Payload: &payload},
		})
		if err != nil || status == commands.CommandStatusSucceeded {
			return err
		}
	}
	return nil
}

// serve gives the world an HTTP endpoint.
func (w *world) serve() string {
	srv := httptest.NewServer(w.server)
	w.t.Cleanup(srv.Close)
	return srv.URL
}

func wantCode(t testing.TB, err error, code, message string) {
	t.Helper()
	e := awserr.As(err)
	if e == nil || e.Code != code || message != "" && e.Message != message {
		t.Errorf("error %v\nwant  %s: %s", err, code, message)
	}
}
