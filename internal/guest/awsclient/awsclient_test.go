package awsclient

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws/imdsclient"
	"github.com/hardstand/hardstand/internal/aws/sign"
)

// home gives the test a home of its own with the files given, no AWS variables,
// and a metadata service with the paths given.
func home(t *testing.T, files, metadata map[string]string) Options {
	t.Helper()
	for _, v := range []string{"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID",
		"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE", "AWS_EC2_METADATA_DISABLED",
		"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(v, "")
	}
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	if err := os.Mkdir(filepath.Join(dir, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, ".aws", name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			io.WriteString(w, "T")
			return
		}
		body, ok := metadata[strings.TrimPrefix(r.URL.Path, "/latest/")]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		io.WriteString(w, body)
	}))
	t.Cleanup(srv.Close)
	return Options{Metadata: imdsclient.New(srv.URL)}
}

const (
	credentialsFile = "[default]\naws_access_key_id=AKIAFILE\naws_secret_access_key = s\n[p]\naws_access_key_id=AKIAP\naws_secret_access_key=s\n"
	configFile      = "[default]\nregion = eu-west-3\ns3 =\n  signature_version = s3v4\n[profile p]\nregion = eu-south-1\nendpoint_url = http://p/\n[profile r]\nrole_arn = x\n"
)

var roleMetadata = map[string]string{
	"dynamic/instance-identity/document":      `{"region":"ap-south-1"}`,
	"meta-data/iam/security-credentials/":     "role",
	"meta-data/iam/security-credentials/role": `{"AccessKeyId":"ASIAROLE","SecretAccessKey":"s","Token":"t","Expiration":"2030-01-01T00:00:00Z"}`,
}

func TestPrecedence(t *testing.T) {
	both := map[string]string{"credentials": credentialsFile, "config": configFile}
	tests := []struct {
		name        string
		files       map[string]string
		env         map[string]string
		change      func(*Options)
		key, region string
		endpoint    string
		wantErr     string
	}{
		{name: "metadata", key: "ASIAROLE", region: "ap-south-1"},
		{name: "files", files: both, key: "AKIAFILE", region: "eu-west-3"},
		{name: "environment", files: both, env: map[string]string{"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-west-2",
			"AWS_ENDPOINT_URL": "http://e/"}, key: "AKIAENV", region: "us-west-2", endpoint: "http://e"},
		{name: "half a key", env: map[string]string{"AWS_ACCESS_KEY_ID": "AKIAENV"}, key: "ASIAROLE", region: "ap-south-1"},
		{name: "profile by name", files: both, env: map[string]string{"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s"},
			change: func(o *Options) { o.Profile = "p" }, key: "AKIAP", region: "eu-south-1", endpoint: "http://p"},
		{name: "options", files: both, change: func(o *Options) { o.Region, o.Endpoint = "me-south-1", "http://o" }, key: "AKIAFILE", region: "me-south-1", endpoint: "http://o"},
		{name: "keys", files: both, change: func(o *Options) { o.Keys = sign.Credentials{AccessKeyID: "AKIAKEYS", SecretAccessKey: "s"} }, key: "AKIAKEYS", region: "eu-west-3"},
		{name: "role", files: both, change: func(o *Options) { o.Role = "role" }, key: "ASIAROLE", region: "eu-west-3"},
		{name: "unknown profile", files: both, change: func(o *Options) { o.Profile = "absent" }, wantErr: "could not be found"},
		{name: "assumed role", files: both, change: func(o *Options) { o.Profile = "r" }, wantErr: "does not support"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := home(t, tt.files, roleMetadata)
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			if tt.change != nil {
				tt.change(&o)
			}
			s, err := Load(t.Context(), o)
			var creds sign.Credentials
			if err == nil {
				creds, err = s.Credentials(t.Context(), time.Unix(1.7e9, 0))
			}
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("error %v, want %q", err, tt.wantErr)
				}
				return
			}
			if err != nil || creds.AccessKeyID != tt.key || s.Region != tt.region || s.Endpoint("s3") != tt.endpoint {
				t.Errorf("key %s, region %s, endpoint %q, %v", creds.AccessKeyID, s.Region, s.Endpoint("s3"), err)
			}
		})
	}
}

func TestNoProfileSaysSo(t *testing.T) {
	s, err := Load(t.Context(), home(t, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Credentials(t.Context(), time.Now())
	if !errors.Is(err, ErrNoCredentials) || !strings.Contains(err.Error(), "no instance profile") {
		t.Errorf("%v", err)
	}
}

// at once does not wait between tries.
type atOnce struct{}

func (atOnce) Now() time.Time { return time.Unix(1.7e9, 0) }

func (atOnce) After(time.Duration) <-chan time.Time {
	ch := make(chan time.Time, 1)
	ch <- time.Time{}
	return ch
}

func TestRetriesAndErrors(t *testing.T) {
	tests := []struct {
		name    string
		answers []int
		body    string
		calls   int
		want    string
	}{
		{"good", []int{200}, "", 1, ""},
		{"passing", []int{500, 503, 200}, "", 3, ""},
		{"throttled", []int{400, 200}, `{"__type":"com.x#ThrottlingException"}`, 2, ""},
		{"never", []int{500, 500, 500, 500}, "<Error><Code>InternalError</Code><Message>m</Message></Error>", 4, "(InternalError) when calling the Op operation: m"},
		{"not implemented", []int{501}, `{"__type":"NotImplemented","message":"hardstand does not"}`, 1, "(NotImplemented) when calling the Op operation: hardstand does not"},
		{"query", []int{403}, "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>", 1, "(AccessDenied)"},
		{"ec2", []int{403}, "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>", 1, "(UnauthorizedOperation)"},
		{"bare", []int{404}, "", 1, "(404) when calling the Op operation: Not Found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := home(t, map[string]string{"credentials": credentialsFile, "config": configFile}, nil)
			calls := 0
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if string(body) != "payload" || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIAFILE/") {
					t.Errorf("try %d: body %q, Authorization %q", calls, body, r.Header.Get("Authorization"))
				}
				w.WriteHeader(tt.answers[calls])
				calls++
				io.WriteString(w, tt.body)
			}))
			defer srv.Close()
			s, err := Load(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			c, err := New(s, atOnce{})
			if err != nil {
				t.Fatal(err)
			}
			resp, err := c.Do(context.Background(), Request{Service: "s3", Operation: "Op", Method: http.MethodPut, URL: srv.URL, Body: strings.NewReader("payload")})
			if err == nil {
				resp.Body.Close()
			}
			if calls != tt.calls || (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%d calls, %v", calls, err)
			}
		})
	}
}
