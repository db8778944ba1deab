package download

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/agent/spec"
	"github.com/hardstand/hardstand/internal/aws/sign"
	"github.com/hardstand/hardstand/internal/clock"
)

type keys struct{}

func (keys) Get(context.Context) (sign.Credentials, error) {
	return sign.Credentials{AccessKeyID: "A", SecretAccessKey: "B", SessionToken: "T"}, nil
}

func TestS3(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/s3/aws4_request") || r.Header.Get("X-Amz-Security-Token") != "T" {
			t.Errorf("not signed: %v", r.Header)
		}
		switch r.URL.EscapedPath() {
		case "/b/a%20key":
			w.Header().Set("ETag", `"abc"`)
			fmt.Fprint(w, "bundle "+r.URL.Query().Get("versionId"))
		case "/b/short":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "cut")
		default:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`)
		}
	}))
	defer server.Close()
	tests := []struct {
		name, want string
		rev        spec.Revision
	}{
		{"good", "", spec.Revision{Type: "S3", Bucket: "b", Key: "a key", ETag: `"abc"`, Version: "v"}},
		{"etag", `Expected deployment artifact bundle etag x but was actually "abc"`, spec.Revision{Type: "S3", Bucket: "b", Key: "a key", ETag: "x"}},
		{"denied", "download s3://b/secret: AccessDenied: Access Denied (the instance's role needs s3:GetObject on it)", spec.Revision{Type: "S3", Bucket: "b", Key: "secret"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			c := &Client{HTTP: server.Client(), Region: "eu-west-1", Domain: "amazonaws.com", Endpoint: server.URL, Credentials: keys{}, Clock: clock.System{}}
			path := filepath.Join(t.TempDir(), "bundle")
			err := c.Fetch(context.Background(), tc.rev, "", path)
			if tc.want != "" {
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("error %v, want %q", err, tc.want)
				}
				return
			}
			if data, _ := os.ReadFile(path); err != nil || string(data) != "bundle v" {
				t.Errorf("%q, %v", data, err)
			}
		})
	}
}

func TestObjectURL(t *testing.T) {
	tests := []struct{ endpoint, bucket, want string }{
		{"", "b", "https://b.s3.eu-west-1.amazonaws.com/dir/a%20key%2B"},
		{"", "b.c", "https://s3.eu-west-1.amazonaws.com/b.c/dir/a%20key%2B"},
		{"http://127.0.0.1:4566/", "b", "http://127.0.0.1:4566/b/dir/a%20key%2B"},
	}
	for _, tc := range tests {
		c := &Client{Region: "eu-west-1", Domain: "amazonaws.com", Endpoint: tc.endpoint}
		u, err := c.objectURL(spec.Revision{Bucket: tc.bucket, Key: "dir/a key+"})
		if err != nil || u.String() != tc.want {
			t.Errorf("%v, %v, want %s", u, err, tc.want)
		}
	}
}

func TestGitHub(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/repos/a/r/tarball/c0ffee" || r.Header.Get("Authorization") != "token secret" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprint(w, "archive")
	}))
	defer server.Close()
	c := &Client{HTTP: server.Client(), GitHub: server.URL, Clock: clock.System{}}
	path := filepath.Join(t.TempDir(), "bundle")
	rev := spec.Revision{Type: "GitHub", Account: "a", Repository: "r", CommitID: "c0ffee", BundleType: "tar"}
	if err := c.Fetch(context.Background(), rev, "secret", path); err != nil {
		t.Fatal(err)
	}
	rev.CommitID = "none"
	if err := c.Fetch(context.Background(), rev, "secret", path); err == nil || !strings.Contains(err.Error(), "GitHub answered 404") {
		t.Errorf("error %v", err)
	}
}
