package secretsmanager_test

import (
	"context"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/service/secretsmanager"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// gate is wiretest.Gate, and a resource's policy decides as well.
type gate wiretest.Gate

func (g gate) Authorize(ctx context.Context, c aws.Check) error {
	denied := wiretest.Gate(g).Authorize(ctx, c)
	if denied != nil && c.ResourcePolicy != "" {
		doc, err := policy.Parse(c.ResourcePolicy, policy.Resource)
		if err != nil {
			return err
		}
		res := policy.Evaluate(policy.Request{Principal: aws.CallFrom(ctx).Principal, Action: c.Action, Resource: c.Resource, Account: c.ResourceAccount,
			Context: policy.NewContext(c.Context)}, policy.Set{Resource: &policy.Source{Name: "resource", Document: doc}})
		if res.Decision == policy.Allowed {
			return nil
		}
	}
	return denied
}

type lab struct {
	*wiretest.Lab
	svc *secretsmanager.Service
}

func newLab(t *testing.T, g gate) *lab {
	t.Helper()
	return serve(wiretest.New(t, time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), g))
}

// newLabOn is another server on the state of a lab.
func newLabOn(t *testing.T, g gate, on *lab) *lab {
	t.Helper()
	return serve(wiretest.On(t, on.Lab, g))
}

func serve(on *wiretest.Lab) *lab {
	on.T.Helper()
	l := &lab{Lab: on, svc: secretsmanager.New(secretsmanager.Config{DB: on.DB, Sealer: on.Sealer, Invoker: on.Server})}
	l.Register(l.svc.Wire())
	return l
}

func token() *string { return aws.Ptr(ids.UUID()) }

func (l *lab) create(name, text string) *api.CreateSecretOutput {
	l.T.Helper()
	return wiretest.Must[api.CreateSecretOutput](l, "CreateSecret", &api.CreateSecretInput{Name: &name, SecretString: &text, ClientRequestToken: token()})
}

func (l *lab) put(name, text string, stages ...string) *api.PutSecretValueOutput {
	l.T.Helper()
	return wiretest.Must[api.PutSecretValueOutput](l, "PutSecretValue",
		&api.PutSecretValueInput{SecretId: &name, SecretString: &text, ClientRequestToken: token(), VersionStages: stages})
}

func (l *lab) value(in *api.GetSecretValueInput) string {
	l.T.Helper()
	return aws.Val(wiretest.Must[api.GetSecretValueOutput](l, "GetSecretValue", in).SecretString)
}
