package s3_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/blob/blobtest"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/service/s3"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/store/storetest"
	"github.com/hardstand/hardstand/internal/wire"
	"github.com/hardstand/hardstand/internal/wire/sigv4"
)

const (
	account = "123456789012"
	other   = "210987654321"
)

// people are the callers of the tests, by access key; each key's secret is the
// key in lower case. Root needs no policy.
var people = map[string]aws.Principal{
	"AKIAROOT": {Type: aws.PrincipalRoot, Account: account, ARN: "arn:aws:iam::" + account + ":root", UniqueID: account},
	"AKIAUSER": {Type: aws.PrincipalUser, Account: account, ARN: "arn:aws:iam::" + account + ":user/deploy", UniqueID: "AIDADEPLOY"},
	"AKIANONE": {Type: aws.PrincipalUser, Account: account, ARN: "arn:aws:iam::" + account + ":user/nobody", UniqueID: "AIDANOBODY"},
	"AKIAELSE": {Type: aws.PrincipalRoot, Account: other, ARN: "arn:aws:iam::" + other + ":root", UniqueID: other},
}

// iam knows people's keys and decides by their policies, as the real service
// does with the same evaluation.
type iam struct {
	mu       sync.Mutex
	policies map[string]*policy.Document // by ARN
	asked    []aws.Check
}

func (i *iam) Lookup(_ context.Context, id, _ string) (wire.Credential, error) {
	p, ok := people[id]
	if !ok {
		return wire.Credential{}, &sigv4.Failure{Kind: sigv4.UnknownKey, AccessKeyID: id}
	}
	return wire.Credential{Secret: string(bytes.ToLower([]byte(id))), Principal: p}, nil
}

func (i *iam) Authorize(ctx context.Context, c aws.Check) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked = append(i.asked, c)
	who := aws.CallFrom(ctx).Principal
	var set policy.Set
	doc := i.policies[who.ARN]
	if who.Type == aws.PrincipalRoot {
		doc = allowAll
	}
	if doc != nil {
		set.Identity = []policy.Source{{Name: "own", Document: doc}}
	}
	if c.ResourcePolicy != "" {
		d, err := policy.Parse(c.ResourcePolicy, policy.Resource)
		if err != nil {
			return err
		}
		set.Resource = &policy.Source{Name: "bucket", Document: d}
	}
	r := policy.Evaluate(policy.Request{
		Principal: who, Action: c.Action, Resource: c.Resource, Account: c.ResourceAccount, Context: policy.NewContext(c.Context),
	}, set)
	if r.Decision == policy.Allowed {
		return nil
	}
	return &aws.Denied{Principal: who.ARN, Action: c.Action, Resource: c.Resource, Reason: r.Reason(c.Action), Explicit: r.Decision == policy.ExplicitDeny}
}

var allowAll = mustPolicy(`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)

func mustPolicy(text string) *policy.Document {
	d, err := policy.Parse(text, policy.Identity)
	if err != nil {
		panic(err)
	}
	return d
}

// agentBucket is a published bucket.
type agentBucket struct{}

func (agentBucket) Region(name string) (string, bool) {
	region, ok := strings.CutPrefix(name, "aws-codedeploy-")
	return region, ok
}

func (agentBucket) Objects(string) ([]s3.PublishedObject, error) {
	return []s3.PublishedObject{
		{Key: "latest/LATEST_VERSION", ContentType: "application/json", Size: 2, ETag: "99914b932bd37a50b983c5e7c90ae93b",
			Read: func() ([]byte, error) { return []byte("{}"), nil }},
		{Key: "latest/install", ContentType: "text/x-sh", Size: 10, ETag: "3e2b31c72181b87149ff995e7202c0e3",
			Read: func() ([]byte, error) { return []byte("#!/bin/sh\n"), nil }},
	}, nil
}

// system is S3 behind a real server.
type system struct {
	service *s3.Service
	server  *wire.Server
	url     string
	iam     *iam
	db      *store.DB
	blobs   *blobtest.Memory
}

func newSystem(t *testing.T) *system {
	t.Helper()
	return newSystemAt(t, clock.System{})
}

// newSystemAt is newSystem on a clock of the test's.
func newSystemAt(t *testing.T, now clock.Clock) *system {
	t.Helper()
	s := &system{
		iam: &iam{policies: map[string]*policy.Document{}}, db: storetest.New(t), blobs: blobtest.NewMemory(),
	}
	log := slog.New(slog.DiscardHandler)
	keeper, err := store.OpenSealer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s.service = s3.New(s3.Config{
		Store: s.db, Blobs: s.blobs, Clock: now, Authorizer: s.iam, Keeper: keeper, Published: agentBucket{}, Log: log,
	})
	s.server = wire.NewServer(wire.Config{Credentials: s.iam, Authorizer: s.iam, Clock: clock.System{}, Log: log, Account: account, Region: "us-east-1"})
	if err := s.server.Register(s.service.Wire()); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.server)
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

// as returns a context in which the key's owner calls.
func as(t *testing.T, key string) context.Context {
	t.Helper()
	p := people[key]
	if p.Type == "" {
		p.Type = aws.PrincipalAnonymous
	}
	return aws.WithCall(t.Context(), aws.Call{Principal: p, Account: p.Account, Region: "us-east-1", RequestID: "req"})
}

// call invokes an operation in process, with validation and authorization.
func call[O any](t *testing.T, s *system, key, operation string, in any) (*O, error) {
	t.Helper()
	return wire.Call[O](as(t, key), s.server, "s3", operation, in)
}

// must is call for what has to succeed.
func must[O any](t *testing.T, s *system, operation string, in any) *O {
	t.Helper()
	out, err := call[O](t, s, "AKIAROOT", operation, in)
	if err != nil {
		t.Fatalf("%s: %v", operation, err)
	}
	return out
}

// run runs a client against the server as root and returns its output.
func (s *system) run(t *testing.T, name string, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return bytes.HasPrefix([]byte(v), []byte("AWS_")) })
	cmd.Env = append(cmd.Env, "AWS_ACCESS_KEY_ID=AKIAROOT", "AWS_SECRET_ACCESS_KEY=akiaroot", "AWS_REGION=us-east-1",
		"AWS_ENDPOINT_URL="+s.url, "AWS_CONFIG_FILE=/nonexistent", "AWS_SHARED_CREDENTIALS_FILE=/nonexistent", "AWS_EC2_METADATA_DISABLED=true")
	return cmd.CombinedOutput()
}
