package secretsmanager_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/service/secretsmanager"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/store/storetest"
	"github.com/hardstand/hardstand/internal/wire"
)

// gate lets through what it names, without names everything; a resource's policy
// decides as well.
type gate struct{ only []string }

func (g gate) Authorize(ctx context.Context, c aws.Check) error {
	if g.only == nil || slices.Contains(g.only, c.Action+" "+c.Resource) {
		return nil
	}
	call := aws.CallFrom(ctx)
	if c.ResourcePolicy != "" {
		doc, err := policy.Parse(c.ResourcePolicy, policy.Resource)
		if err != nil {
			return err
		}
		res := policy.Evaluate(policy.Request{Principal: call.Principal, Action: c.Action, Resource: c.Resource, Account: c.ResourceAccount,
			Context: policy.NewContext(c.Context)}, policy.Set{Resource: &policy.Source{Name: "resource", Document: doc}})
		if res.Decision == policy.Allowed {
			return nil
		}
	}
	return &aws.Denied{Principal: call.Principal.ARN, Action: c.Action, Resource: c.Resource,
		Reason: "no identity-based policy allows the " + c.Action + " action"}
}

type lab struct {
	t      *testing.T
	db     *store.DB
	clock  *clock.Manual
	sealer *store.Sealer
	server *wire.Server
	svc    *secretsmanager.Service
	ctx    context.Context
}

const account = "123456789012"

func newLab(t *testing.T, g gate) *lab {
	t.Helper()
	l := &lab{clock: clock.NewManual(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)), sealer: storetest.NewSealer(t)}
	l.db = storetest.NewWithClock(t, l.clock)
	return newLabOn(t, g, l)
}

// newLabOn is another server on the state of a lab.
func newLabOn(t *testing.T, g gate, on *lab) *lab {
	t.Helper()
	l := &lab{t: t, clock: on.clock, db: on.db, sealer: on.sealer}
	l.server = wire.NewServer(wire.Config{Authorizer: g, Account: account, Region: "us-east-1"})
	l.svc = secretsmanager.New(secretsmanager.Config{DB: l.db, Sealer: l.sealer, Invoker: l.server})
	if err := l.server.Register(l.svc.Wire()); err != nil {
		t.Fatal(err)
	}
	l.ctx = aws.WithCall(t.Context(), aws.Call{Account: account, Region: "us-east-1",
		Principal: aws.Principal{Type: aws.PrincipalUser, Account: account, ARN: "arn:aws:iam::123456789012:user/u", UniqueID: "AIDAU"}})
	return l
}

func call[O any](l *lab, operation string, in any) (*O, error) {
	return wire.Call[O](l.ctx, l.server, "secretsmanager", operation, in)
}

func must[O any](l *lab, operation string, in any) *O {
	l.t.Helper()
	out, err := call[O](l, operation, in)
	if err != nil {
		l.t.Fatalf("%s: %v", operation, err)
	}
	return out
}

func token() *string { return aws.Ptr(ids.UUID()) }

func (l *lab) create(name, text string) *api.CreateSecretOutput {
	l.t.Helper()
	return must[api.CreateSecretOutput](l, "CreateSecret", &api.CreateSecretInput{Name: &name, SecretString: &text, ClientRequestToken: token()})
}

func (l *lab) put(name, text string, stages ...string) *api.PutSecretValueOutput {
	l.t.Helper()
	return must[api.PutSecretValueOutput](l, "PutSecretValue",
		&api.PutSecretValueInput{SecretId: &name, SecretString: &text, ClientRequestToken: token(), VersionStages: stages})
}

func (l *lab) value(in *api.GetSecretValueInput) string {
	l.t.Helper()
	return aws.Val(must[api.GetSecretValueOutput](l, "GetSecretValue", in).SecretString)
}
