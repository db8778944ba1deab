package identity

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws/imdsclient"
	"github.com/hardstand/hardstand/internal/clock"
)

// metadata is a small metadata service with version 2 only.
type metadata struct {
	role  string
	asked map[string]int
	now   func() time.Time
}

func (m *metadata) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.asked[r.URL.Path]++
	if r.URL.Path == "/latest/api/token" && r.Method == http.MethodPut {
		fmt.Fprint(w, "tok")
		return
	}
	if r.Header.Get("X-Aws-Ec2-Metadata-Token") != "tok" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch strings.TrimPrefix(r.URL.Path, "/latest/") {
	case "dynamic/instance-identity/document":
		fmt.Fprint(w, `{"region":"eu-west-1","accountId":"123456789012","instanceId":"i-1"}`)
	case "meta-data/iam/security-credentials/":
		if m.role == "" {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprint(w, m.role)
	case "meta-data/iam/security-credentials/web":
		fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":"ASIA","SecretAccessKey":"s","Token":"t","Expiration":%q}`,
			m.now().Add(time.Hour).Format(time.RFC3339))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func discover(t *testing.T, m *metadata, c clock.Clock, env map[string]string, file string) (Host, *Source, error) {
	t.Helper()
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	m.asked, m.now = map[string]int{}, c.Now
	return Discover(context.Background(), Options{OnPremisesFile: file, IMDS: imdsclient.NewWith(imdsclient.Options{Base: server.URL, Clock: c}), Clock: c,
		Getenv: func(k string) string { return env[k] }})
}

func TestEC2(t *testing.T) {
	c := clock.NewManual(time.Unix(1e9, 0))
	m := &metadata{role: "web"}
	h, keys, err := discover(t, m, c, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if h.ID != "arn:aws:ec2:eu-west-1:123456789012:instance/i-1" || h.Region != "eu-west-1" || h.Domain != "amazonaws.com" {
		t.Errorf("host %+v", h)
	}
	const path = "/latest/meta-data/iam/security-credentials/web"
	for range 3 {
		if k, err := keys.Get(context.Background()); err != nil || k.AccessKeyID != "ASIA" || k.SessionToken != "t" {
			t.Fatalf("%+v, %v", k, err)
		}
	}
	if m.asked[path] != 1 {
		t.Errorf("asked %d times for credentials", m.asked[path])
	}
	c.Advance(26 * time.Minute)
	if _, err := keys.Get(context.Background()); err != nil || m.asked[path] != 2 {
		t.Errorf("not renewed: %v, asked %d times", err, m.asked[path])
	}
	keys.Forget()
	if _, err := keys.Get(context.Background()); err != nil || m.asked[path] != 3 {
		t.Errorf("refused credentials kept: %v, asked %d times", err, m.asked[path])
	}
}

func TestNoRole(t *testing.T) {
	_, keys, err := discover(t, &metadata{}, clock.System{}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Get(context.Background()); err == nil || !strings.Contains(err.Error(), "the instance has no IAM role") {
		t.Errorf("error %v", err)
	}
}

func TestEnvironmentOverrides(t *testing.T) {
	m := &metadata{}
	h, _, err := discover(t, m, clock.System{}, map[string]string{"AWS_REGION": "cn-north-1", "AWS_HOST_IDENTIFIER": "arn:x"}, "")
	if err != nil || h.ID != "arn:x" || h.Domain != "amazonaws.com.cn" || m.asked["/latest/dynamic/instance-identity/document"] != 0 {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestOnPremises(t *testing.T) {
	dir := t.TempDir()
	creds := filepath.Join(dir, "creds")
	if err := os.WriteFile(creds, []byte("[other]\naws_access_key_id=X\n[default]\naws_access_key_id = A\naws_secret_access_key = B\naws_session_token = C\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, text, id, token, want string }{
		{"user", "region: r\naws_access_key_id: A\naws_secret_access_key: B\niam_user_arn: arn:aws:iam::1:user/u\n", "arn:aws:iam::1:user/u", "", ""},
		{"session", ":region: r\n:aws_credentials_file: " + creds + "\n:iam_session_arn: arn:aws:sts::1:assumed-role/r/s\n", "arn:aws:sts::1:assumed-role/r/s", "C", ""},
		{"both", "iam_user_arn: a\niam_session_arn: b\n", "", "", "On Premises config cannot contain both 'iam_user_arn' and 'iam_session_arn' keys."},
		{"no key", "region: r\niam_user_arn: a\n", "", "", "'aws_access_key_id' key is required when 'iam_user_arn' is provided."},
		{"broken", "[", "", "", "the format of the following on-premises configuration file is invalid: "},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(dir, "onpremises.yml")
			if err := os.WriteFile(file, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			h, keys, err := discover(t, &metadata{}, clock.System{}, nil, file)
			if tc.want != "" {
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("error %v, want %q", err, tc.want)
				}
				return
			}
			if err != nil || h.ID != tc.id || h.Region != "r" {
				t.Fatalf("%+v, %v", h, err)
			}
			if k, err := keys.Get(context.Background()); err != nil || k.AccessKeyID != "A" || k.SessionToken != tc.token {
				t.Errorf("%+v, %v", k, err)
			}
		})
	}
}
