package imdsclient

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

// service answers IMDSv2 with the paths given.
func service(t *testing.T, paths map[string]string) *Client {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && r.URL.Path == "/latest/api/token" {
			w.Write([]byte("TOKEN"))
			return
		}
		body, ok := paths[r.URL.Path]
		switch {
		case r.Header.Get("X-aws-ec2-metadata-token") != "TOKEN":
			w.WriteHeader(http.StatusUnauthorized)
		case !ok:
			w.WriteHeader(http.StatusNotFound)
		default:
			w.Write([]byte(body))
		}
	}))
	t.Cleanup(srv.Close)
	return New(srv.URL)
}

func TestClient(t *testing.T) {
	c := service(t, map[string]string{
		"/latest/dynamic/instance-identity/document":  `{"instanceId":"i-1","region":"eu-west-1","accountId":"123456789012"}`,
		"/latest/dynamic/instance-identity/signature": "c2ln\nbmF0dXJl",
		"/latest/meta-data/iam/security-credentials/": "web\n",
		"/latest/meta-data/iam/security-credentials/web": `{"Code":"Success","AccessKeyId":"ASIA1","SecretAccessKey":"s","Token":"t",
			"Expiration":"2030-01-01T00:00:00Z"}`,
	})
	ctx := t.Context()
	id, err := c.Identity(ctx)
	if err != nil || id.InstanceID != "i-1" || id.Region != "eu-west-1" {
		t.Errorf("Identity = %+v, %v", id, err)
	}
	if _, sig, err := c.SignedDocument(ctx); err != nil || string(sig) != "c2ln\nbmF0dXJl" {
		t.Errorf("signature %q, %v", sig, err)
	}
	creds, err := c.Credentials(ctx, "")
	if err != nil || creds.AccessKeyID != "ASIA1" || creds.SessionToken != "t" || creds.Expires.Year() != 2030 {
		t.Errorf("Credentials = %+v, %v", creds, err)
	}
	if _, err := c.Get(ctx, "user-data"); !errors.Is(err, ErrNotFound) {
		t.Errorf("absent path: %v", err)
	}
}

func TestNoProfile(t *testing.T) {
	c := service(t, nil)
	if _, err := c.Credentials(t.Context(), ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("without a profile: %v", err)
	}
}

// A service that is slow to come, forgets a token or has no version 2.
func TestPatience(t *testing.T) {
	tests := []struct {
		name    string
		answers []int // of tokens and paths, in turn
		tries   int
		allowV1 bool
		want    string
	}{
		{name: "once", answers: []int{500}, want: "answered 500 to a request for a token"},
		{name: "token comes late", answers: []int{500, 500, 200, 200}, tries: 3},
		{name: "never comes", answers: []int{500, 500, 500}, tries: 3, want: "answered 500"},
		{name: "token forgotten", answers: []int{200, 401, 200, 200}, tries: 3},
		{name: "path fails", answers: []int{200, 503, 200}, tries: 2},
		{name: "refused", answers: []int{200, 403}, tries: 3, want: "403 Forbidden"},
		{name: "absent", answers: []int{200, 404}, tries: 3, want: ErrNotFound.Error()},
		{name: "version 1", answers: []int{404, 200}, allowV1: true},
		{name: "version 1 is not asked", answers: []int{404}, want: "answered 404 to a request for a token"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked := 0
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.answers[asked])
				asked++
				_, _ = w.Write([]byte("x"))
			}))
			defer srv.Close()
			c := NewWith(Options{Base: srv.URL, AllowV1: tt.allowV1, Tries: tt.tries, Clock: atOnce{}})
			body, err := c.Get(t.Context(), "meta-data/instance-id")
			if asked != len(tt.answers) || (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) || err == nil && string(body) != "x" {
				t.Errorf("asked %d times, %q, %v", asked, body, err)
			}
		})
	}
}

// atOnce does not wait between tries.
type atOnce struct{ clock.System }

func (atOnce) After(time.Duration) <-chan time.Time { return clock.System{}.After(0) }
