package ec2

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	ssmapi "github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/store/storetest"
	"github.com/hardstand/hardstand/internal/wire"
	"github.com/hardstand/hardstand/internal/wire/sigv4"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

const (
	testAccount = "123456789012"
	testRegion  = "us-east-1"
	testKey     = "AKIAIOSFODNN7EXAMPLE"
	testSecret  = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	testUser    = "arn:aws:iam::123456789012:user/tester"
	testImage   = "ami-0123456789abcdef0"
	testTimeout = 20 * time.Second
)

var testEpoch = time.Date(2024, 2, 29, 12, 30, 0, 0, time.UTC)

// world is the service on a store, with machines and a network that keep what they
// are told, behind a real wire.Server.
type world struct {
	t        testing.TB
	db       *store.DB
	clock    *clock.Manual
	machines *machines
	net      *wires
	auth     *judge
	profiles profileTable
	svc      *Service
	server   *wire.Server
	sealer   *store.Sealer
	ctx      context.Context
	// stopping is closed when the worker that runs has been told to stop.
	stopping <-chan struct{}
}

// newWorld has no running worker; see run.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{
		t: t, clock: clock.NewManual(testEpoch), machines: newMachines(), net: newWires(), auth: &judge{},
		profiles: profileTable{"web": {ARN: "arn:aws:iam::123456789012:instance-profile/web", ID: "AIPAWEB", Name: "web", RoleARN: "arn:aws:iam::123456789012:role/web", RoleID: "AROAWEB"},
			"empty": {ARN: "arn:aws:iam::123456789012:instance-profile/empty", ID: "AIPAEMPTY", Name: "empty"}},
	}
	w.db, w.sealer = storetest.NewWithClock(t, w.clock), storetest.NewSealer(t)
	w.restart()
	w.ctx = aws.WithCall(t.Context(), aws.Call{
		Principal: aws.Principal{Type: aws.PrincipalUser, Account: testAccount, ARN: testUser, UniqueID: "AIDATESTER"},
		Account:   testAccount, Region: testRegion,
	})
	return w
}

// restart makes the service anew on the same store, machines and network, as a
// server that starts again does.
func (w *world) restart() {
	w.t.Helper()
	w.server = wire.NewServer(wire.Config{Credentials: oneKey{}, Authorizer: w.auth, Account: testAccount, Region: testRegion, Clock: clock.System{}})
	w.svc = New(Config{
		DB: w.db, Sealer: w.sealer, Clock: w.clock, Log: slog.New(slog.DiscardHandler), Instances: w.machines, Network: w.net,
		Profiles: w.profiles, Invoker: w.server, PublicCIDR: netip.MustParsePrefix("198.18.0.0/15"),
	})
	if err := w.server.Register(w.svc.Wire(), parameters()); err != nil {
		w.t.Fatal(err)
	}
}

// run starts the worker. The function it returns stops it and waits; the end of the
// test does so too.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	svc := w.svc
	w.stopping = ctx.Done()
	go func() { done <- svc.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

// do performs an operation as a client would, and fails the test when it fails.
func do[O any](w *world, operation string, in any) *O {
	w.t.Helper()
	out, err := wire.Call[O](w.ctx, w.server, "ec2", operation, in)
	if err != nil {
		w.t.Fatalf("%s: %v", operation, err)
	}
	return out
}

// refused performs an operation that has to fail and returns its error.
func refused(w *world, operation string, in any) string {
	w.t.Helper()
	_, err := w.server.Invoke(w.ctx, "ec2", operation, in)
	if err == nil {
		w.t.Fatalf("%s succeeded", operation)
	}
	return err.Error()
}

// launch runs one instance after edit has changed the request, and returns its id.
func (w *world) launch(edit func(*api.RunInstancesInput)) string {
	w.t.Helper()
	in := &api.RunInstancesInput{ImageId: aws.Ptr(testImage), MinCount: aws.Ptr[int32](1), MaxCount: aws.Ptr[int32](1), InstanceType: "t3.micro"}
	if edit != nil {
		edit(in)
	}
	return *do[api.RunInstancesOutput](w, "RunInstances", in).Instances[0].InstanceId
}

// running launches an instance and waits until it runs.
func (w *world) running(edit func(*api.RunInstancesInput)) string {
	w.t.Helper()
	id := w.launch(edit)
	w.await(id, stateRunning)
	return id
}

func (w *world) await(id, state string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, testTimeout)
	defer cancel()
	last := ""
	err := w.svc.await(ctx, key(aws.CallFrom(ctx), id), func(r *instance) (bool, error) {
		last = r.State
		return r.State == state, nil
	})
	if err != nil {
		w.t.Fatalf("%s is %s, not %s: %v", id, last, state, err)
	}
}

func (w *world) instance(id string) api.Instance {
	w.t.Helper()
	return do[api.DescribeInstancesOutput](w, "DescribeInstances", &api.DescribeInstancesInput{InstanceIds: []string{id}}).Reservations[0].Instances[0]
}

func (w *world) row(id string) *instance {
	w.t.Helper()
	r, err := w.svc.load(w.ctx, key(aws.CallFrom(w.ctx), id))
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// userData is what the instance's row holds, opened.
func (w *world) userData(id string) string {
	w.t.Helper()
	plain, err := w.svc.userData(w.row(id))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(plain)
}

// shrink makes the public range smaller.
func (w *world) shrink(cidr string) { w.svc.publicCIDR = netip.MustParsePrefix(cidr) }

// eventually waits until a condition that is no event holds; changed says when to
// look again.
func (w *world) eventually(what string, changed func() <-chan struct{}, holds func() bool) {
	w.t.Helper()
	late := time.After(testTimeout)
	for {
		ch := changed()
		if holds() {
			return
		}
		select {
		case <-ch:
		case <-late:
			w.t.Fatalf("%s did not happen", what)
		}
	}
}

// oneKey knows one access key.
type oneKey struct{}

func (oneKey) Lookup(_ context.Context, id, _ string) (wire.Credential, error) {
	if id != testKey {
		return wire.Credential{}, &sigv4.Failure{Kind: sigv4.UnknownKey, AccessKeyID: id}
	}
	return wire.Credential{Secret: testSecret, Principal: aws.Principal{Type: aws.PrincipalUser, Account: testAccount, ARN: testUser, UniqueID: "AIDATESTER"}}, nil
}

// judge allows everything until deny is set, and remembers what it was asked.
type judge struct {
	mu         sync.Mutex
	deny       bool
	denyAction string // an action that is denied
	asked      []aws.Check
}

func (j *judge) Authorize(ctx context.Context, c aws.Check) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.asked = append(j.asked, c)
	if j.deny || c.Action == j.denyAction && c.Action != "" {
		return wiretest.Denied(ctx, c)
	}
	return nil
}

func (j *judge) setDeny(all bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.deny = all
}

func (j *judge) setDenyAction(action string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.denyAction = action
}

// take returns what was asked since the last take.
func (j *judge) take() []aws.Check {
	j.mu.Lock()
	defer j.mu.Unlock()
	asked := j.asked
	j.asked = nil
	return asked
}

type profileTable map[string]Profile

func (p profileTable) InstanceProfile(_ context.Context, _, name string) (Profile, error) {
	if found, ok := p[name]; ok {
		return found, nil
	}
	return Profile{}, fmt.Errorf("look for %s: %w", name, ErrNoProfile)
}

// parameters is as much of Systems Manager as a key pair's private half needs.
func parameters() wire.Service {
	var mu sync.Mutex
	values := map[string]string{}
	absent := awserr.New("ParameterNotFound", "Parameter not found.")
	put := func(_ context.Context, in *ssmapi.PutParameterInput) (*ssmapi.PutParameterOutput, error) {
		mu.Lock()
		defer mu.Unlock()
		values[*in.Name] = *in.Value
		return &ssmapi.PutParameterOutput{}, nil
	}
	get := func(_ context.Context, in *ssmapi.GetParameterInput) (*ssmapi.GetParameterOutput, error) {
		mu.Lock()
		defer mu.Unlock()
		if _, ok := values[*in.Name]; !ok {
			return nil, absent
		}
		return &ssmapi.GetParameterOutput{Parameter: &ssmapi.Parameter{Name: in.Name}}, nil
	}
	remove := func(_ context.Context, in *ssmapi.DeleteParameterInput) (*ssmapi.DeleteParameterOutput, error) {
		mu.Lock()
		defer mu.Unlock()
		if _, ok := values[*in.Name]; !ok {
			return nil, absent
		}
		delete(values, *in.Name)
		return &ssmapi.DeleteParameterOutput{}, nil
	}
	return wire.Service{Model: ssmapi.Model(), Operations: []wire.Operation{
		wire.Op("PutParameter", "ssm:PutParameter", put, nil), wire.Op("GetParameter", "ssm:GetParameter", get, nil),
		wire.Op("DeleteParameter", "ssm:DeleteParameter", remove, nil),
	}}
}

var errBroken = errors.New("the machine room is on fire")
