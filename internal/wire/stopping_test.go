package wire_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/sign"
	"github.com/hardstand/hardstand/internal/wire"
	"github.com/hardstand/hardstand/internal/wire/sigv4"
)

// TestRequestsOfAStoppedServer is what clients are told whose requests a stop has broken
// off: to come again, in every protocol, and never that their key is unknown.
func TestRequestsOfAStoppedServer(t *testing.T) {
	for _, c := range []struct {
		name, service, target, contentType, body, want string
		lookup                                         error
	}{
		{"json, lookup broken off", "ssm", "AmazonSSM.GetParameter", "application/x-amz-json-1.1", `{"Name":"a"}`,
			`"__type":"ServiceUnavailable"`, context.Canceled},
		{"json, key not found by a lookup broken off", "codedeploy-commands", "CodeDeployCommandService_v20141006.PollHostCommand", "application/x-amz-json-1.1",
			`{"HostIdentifier":"a"}`, `"__type":"ServiceUnavailable"`, &sigv4.Failure{Kind: sigv4.UnknownKey}},
		{"query", "sts", "", "application/x-www-form-urlencoded", "Action=GetCallerIdentity&Version=2011-06-15",
			"<Code>ServiceUnavailable</Code>", context.Canceled},
		{"ec2", "ec2", "", "application/x-www-form-urlencoded", "Action=DescribeInstances&Version=2016-11-15",
			"<Code>ServiceUnavailable</Code>", context.Canceled},
		{"s3", "s3", "", "", "", "<Code>ServiceUnavailable</Code>", context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTiny(t)
			server := wire.NewServer(wire.Config{Credentials: brokenOff{c.lookup}, Authorizer: s.auth, Account: "123456789012", Region: "us-east-1"})
			if err := server.Register(s.services()...); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(wire.ErrStopping)
			method := http.MethodPost
			if c.service == "s3" {
				method = http.MethodGet
			}
			r := httptest.NewRequestWithContext(ctx, method, "http://127.0.0.1/", strings.NewReader(c.body))
			if c.contentType != "" {
				r.Header.Set("Content-Type", c.contentType)
			}
			if c.target != "" {
				r.Header.Set("X-Amz-Target", c.target)
			}
			sign.Request(r, sign.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, c.service, "us-east-1", sign.Hash([]byte(c.body)), time.Now())
			w := httptest.NewRecorder()
			server.ServeHTTP(w, r)
			if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), c.want) {
				t.Errorf("answered %d %s, want 503 with %s", w.Code, w.Body, c.want)
			}
		})
	}
}

// brokenOff fails to look keys up.
type brokenOff struct{ err error }

func (b brokenOff) Lookup(context.Context, string, string) (wire.Credential, error) {
	return wire.Credential{}, b.err
}

// TestOperationOfAStoppedServer is the same for a call that had begun.
func TestOperationOfAStoppedServer(t *testing.T) {
	s := newTiny(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	const body = `{"Name":"a"}`
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AmazonSSM.GetParameter")
	sign.Request(r, sign.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, "ssm", "us-east-1", sign.Hash([]byte(body)), time.Now())
	server := wire.NewServer(wire.Config{Credentials: keys{}, Authorizer: stopper{cancel}, Account: "123456789012", Region: "us-east-1"})
	if err := server.Register(s.services()...); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "ServiceUnavailable") {
		t.Errorf("answered %d %s, want 503 ServiceUnavailable", w.Code, w.Body)
	}
}

// stopper stops the server while it authorizes.
type stopper struct{ stop context.CancelCauseFunc }

func (s stopper) Authorize(ctx context.Context, _ aws.Check) error {
	s.stop(wire.ErrStopping)
	return fmt.Errorf("read policies: %w", ctx.Err())
}
