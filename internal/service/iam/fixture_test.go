package iam_test

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/service/iam"
	"github.com/hardstand/hardstand/internal/service/sts"
	"github.com/hardstand/hardstand/internal/store/storetest"
	"github.com/hardstand/hardstand/internal/wire"
)

const (
	account = "111122223333"
	foreign = "444455556666"
	trustee = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
)

// system is IAM and STS behind a real server, with two accounts.
type system struct {
	t      testing.TB
	clock  *clock.Manual
	iam    *iam.Service
	server *wire.Server
}

func newSystem(t testing.TB) *system {
	t.Helper()
	s := &system{t: t, clock: clock.NewManual(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC))}
	s.iam, s.server = serve(t, s.clock)
	return s
}

func serve(t testing.TB, c clock.Clock) (*iam.Service, *wire.Server) {
	t.Helper()
	service := iam.New(iam.Config{DB: storetest.NewWithClock(t, c), Sealer: storetest.NewSealer(t), Clock: c})
	server := wire.NewServer(wire.Config{Credentials: service, Authorizer: service, Used: service.Used, Clock: c, Account: account, Region: "us-east-1"})
	if err := server.Register(service.Wire(), sts.New(service).Wire()); err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{account, foreign} {
		if _, err := service.EnsureRoot(t.Context(), a, nil); err != nil {
			t.Fatal(err)
		}
	}
	return service, server
}

// as is a context of a call by p.
func (s *system) as(p aws.Principal) context.Context {
	return aws.WithCall(s.t.Context(), aws.Call{Principal: p, Account: p.Account, Region: "us-east-1",
		SourceIP: netip.MustParseAddr("10.1.2.3"), UserAgent: "test"})
}

func (s *system) root() context.Context { return s.as(iam.Root(account)) }

// ask invokes an operation and returns its error.
func ask[O any](s *system, ctx context.Context, service, operation string, in any) (*O, error) {
	return wire.Call[O](ctx, s.server, service, operation, in)
}

// must invokes an operation that has to succeed.
func must[O any](s *system, ctx context.Context, service, operation string, in any) *O {
	s.t.Helper()
	out, err := ask[O](s, ctx, service, operation, in)
	if err != nil {
		s.t.Fatalf("%s: %v", operation, err)
	}
	return out
}

// user makes a user with one inline policy, or none, and returns it as a caller.
func (s *system) user(name, document string) aws.Principal {
	s.t.Helper()
	u := must[api.CreateUserOutput](s, s.root(), "iam", "CreateUser", &api.CreateUserInput{UserName: &name}).User
	if document != "" {
		must[api.PutUserPolicyOutput](s, s.root(), "iam", "PutUserPolicy", &api.PutUserPolicyInput{UserName: &name, PolicyName: aws.Ptr("inline"), PolicyDocument: &document})
	}
	return aws.Principal{Type: aws.PrincipalUser, Account: account, ARN: *u.Arn, UniqueID: *u.UserId}
}

func (s *system) role(name, trust string) *api.Role {
	s.t.Helper()
	return must[api.CreateRoleOutput](s, s.root(), "iam", "CreateRole", &api.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust}).Role
}

func allowing(action, resource, more string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action + `","Resource":"` + resource + `"` + more + `}]}`
}

// wantError checks code and message; "" for code wants success.
func wantError(t testing.TB, err error, code, message string) {
	t.Helper()
	e := awserr.As(err)
	switch {
	case code == "" && err == nil:
	case code == "":
		t.Fatalf("unexpected error: %v", err)
	case e == nil:
		t.Fatalf("got %v, want %s", err, code)
	case e.Code != code || message != "" && e.Message != message:
		t.Fatalf("got  %s: %s\nwant %s: %s", e.Code, e.Message, code, message)
	}
}

func wantDenied(t testing.TB, err error, reason string) {
	t.Helper()
	var denied *aws.Denied
	if !errors.As(err, &denied) {
		t.Fatalf("got %v, want a denial", err)
	}
	if denied.Reason != reason {
		t.Fatalf("reason %q, want %q", denied.Reason, reason)
	}
}

// decoded reads a document as IAM answers it.
func decoded(t testing.TB, document string) string {
	t.Helper()
	text, err := url.PathUnescape(document)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
