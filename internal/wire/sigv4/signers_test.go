package sigv4

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/wire/clienttest"
)

const (
	testKey    = "AKIAEXAMPLEEXAMPLE00"
	testSecret = "test/secret+with=signs"
)

// awkward are S3 keys that only verify when the path is neither normalised nor
// escaped twice.
var awkward = []string{"plain", "a//b", "a/./b", "a/../b", "with space", "a+b", "a%2Fb", "a%252Fb", "ünï/çødé/日本", "tilde~(paren)!*'", "q?x=y&z", "semi;colon=,@:$", "trailing/"}

// verified sends signed requests through net/http, as a server sees them.
type verified struct {
	*httptest.Server
	mu   sync.Mutex
	errs []error
	body []string
	rule Rules
	// payload is the latest X-Amz-Content-Sha256.
	payload string
}

func newVerified(t *testing.T, service string) *verified {
	v := &verified{rule: RulesFor(service)}
	v.Server = httptest.NewServer(http.HandlerFunc(v.serve))
	t.Cleanup(v.Close)
	return v
}

func (v *verified) serve(w http.ResponseWriter, r *http.Request) {
	body, err := v.verify(r)
	v.mu.Lock()
	v.errs, v.body = append(v.errs, err), append(v.body, body)
	v.payload = r.Header.Get("X-Amz-Content-Sha256")
	v.mu.Unlock()
	if err != nil {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	w.Header().Set("ETag", `"0"`)
}

func (v *verified) verify(r *http.Request) (string, error) {
	s, err := Parse(r)
	if err != nil {
		return "", err
	}
	if s == nil {
		return "", fmt.Errorf("%s %s is not signed", r.Method, r.RequestURI)
	}
	c := Check{Rules: v.rule, Secret: testSecret}
	if !v.rule.S3 {
		if c.Body, err = io.ReadAll(r.Body); err != nil {
			return "", err
		}
	}
	body, err := Verifier{Clock: clock.System{}}.Verify(r, s, c)
	if err != nil {
		return "", err
	}
	all, err := io.ReadAll(body)
	return string(all), err
}

// last returns what the server made of the latest request.
func (v *verified) last(t *testing.T) (string, error) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.errs) == 0 {
		t.Fatal("no request arrived")
	}
	return v.body[len(v.body)-1], v.errs[len(v.errs)-1]
}

func keyPath(key string) string { return escape(key, true) }

func TestSDKSigner(t *testing.T) {
	s3 := newVerified(t, "s3")
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	creds := sdk.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret, SessionToken: "a/session+token=="}
	for _, key := range awkward {
		t.Run(key, func(t *testing.T) {
			body := "content of " + key
			sum := sha256.Sum256([]byte(body))
			r, err := http.NewRequest(http.MethodPut, s3.URL+"/bucket/"+keyPath(key)+"?x-id=PutObject&b=+&a=%20&a-b=1&a=2", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			hash := hex.EncodeToString(sum[:])
			r.Header.Set("X-Amz-Content-Sha256", hash)
			r.Header.Set("X-Amz-Meta-Note", "two  spaces ")
			if err := signer.SignHTTP(context.Background(), creds, r, hash, "s3", "eu-west-1", time.Now()); err != nil {
				t.Fatal(err)
			}
			do(t, r)
			if got, err := s3.last(t); err != nil || got != body {
				t.Fatalf("body %q, error %v", got, err)
			}
			get, err := http.NewRequest(http.MethodGet, s3.URL+"/bucket/"+keyPath(key)+"?X-Amz-Expires=60", nil)
			if err != nil {
				t.Fatal(err)
			}
			presigned, _, err := signer.PresignHTTP(context.Background(), creds, get, unsignedPayload, "s3", "eu-west-1", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			get, err = http.NewRequest(http.MethodGet, presigned, nil)
			if err != nil {
				t.Fatal(err)
			}
			do(t, get)
			if _, err := s3.last(t); err != nil {
				t.Fatalf("presigned: %v", err)
			}
		})
	}
}

func do(t *testing.T, r *http.Request) {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// botoCase is one entry of testdata/sign.py's input.
type botoCase struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Service string            `json:"service"`
	Region  string            `json:"region"`
	Mode    string            `json:"mode"`
	Expires int64             `json:"expires"`
	Key     string            `json:"key"`
	Secret  string            `json:"secret"`
	Token   string            `json:"token,omitempty"`
}

func TestBotocoreSigner(t *testing.T) {
	clienttest.NeedBoto3(t)
	s3, other := newVerified(t, "s3"), newVerified(t, "ec2")
	var cases []botoCase
	add := func(c botoCase) {
		c.Region, c.Key, c.Secret = "us-east-1", testKey, testSecret
		cases = append(cases, c)
	}
	for _, key := range awkward {
		u := s3.URL + "/bucket/" + keyPath(key)
		add(botoCase{Method: "PUT", URL: u, Body: "hello", Service: "s3", Mode: "s3", Headers: map[string]string{"x-amz-meta-a": "b"}})
		add(botoCase{Method: "GET", URL: u, Service: "s3", Mode: "s3query", Expires: 60, Token: "tok/en+=="})
		add(botoCase{Method: "GET", URL: u + "?versionId=7&response-content-type=text%2Fplain", Service: "s3", Mode: "v2query", Expires: 60, Token: "tok/en+=="})
		add(botoCase{Method: "PUT", URL: u, Service: "s3", Mode: "v2query", Expires: 60, Headers: map[string]string{"Content-Type": "text/plain", "x-amz-meta-b": "c"}})
	}
	add(botoCase{Method: "POST", URL: other.URL + "/", Body: "Action=DescribeInstances&Version=2016-11-15", Service: "ec2", Mode: "header",
		Headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}, Token: "t"})
	add(botoCase{Method: "GET", URL: other.URL + "/a/b%20c/%C3%BC/?Action=X&a=b%2Bc&a=%20", Service: "ec2", Mode: "header"})
	add(botoCase{Method: "GET", URL: other.URL + "/?Action=GetCallerIdentity&Version=2011-06-15", Service: "sts", Mode: "query", Expires: 60, Token: "t/+="})
	signedByBoto(t, cases, func(c botoCase, u string, headers map[string]string) {
		r, err := http.NewRequest(c.Method, u, strings.NewReader(c.Body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range headers {
			r.Header.Set(name, value)
		}
		do(t, r)
		server := s3
		if c.Service != "s3" {
			server = other
		}
		if got, err := server.last(t); err != nil || got != c.Body {
			t.Errorf("%s %s %s: body %q, error %v", c.Mode, c.Method, u, got, err)
		}
	})
}

func signedByBoto(t *testing.T, cases []botoCase, send func(botoCase, string, map[string]string)) {
	t.Helper()
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("python3", "testdata/sign.py")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python3 with botocore signs for this test: %v", err)
	}
	var results []struct {
		URL     string
		Headers map[string]string
	}
	if err := json.Unmarshal(out, &results); err != nil || len(results) != len(cases) {
		t.Fatalf("%d of %d signed: %v", len(results), len(cases), err)
	}
	for i, r := range results {
		send(cases[i], r.URL, r.Headers)
	}
}

// TestCLI lets the stock aws CLI sign, over plain HTTP.
func TestCLI(t *testing.T) {
	clienttest.NeedCLI(t)
	s3, other := newVerified(t, "s3"), newVerified(t, "ec2")
	dir := t.TempDir()
	file := filepath.Join(dir, "file with space.txt")
	if err := os.WriteFile(file, []byte("from the CLI"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(endpoint string, args ...string) string {
		cmd := exec.Command("aws", append([]string{"--endpoint-url", endpoint, "--region", "eu-central-1"}, args...)...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "AWS_ACCESS_KEY_ID=" + testKey, "AWS_SECRET_ACCESS_KEY=" + testSecret, "AWS_EC2_METADATA_DISABLED=true"}
		out, _ := cmd.CombinedOutput() // the server answers no valid XML; only the signature counts
		return strings.TrimSpace(string(out))
	}
	run(s3.URL, "s3", "cp", file, "s3://bucket/a+b c/%2F/ü.txt")
	if got, err := s3.last(t); err != nil || got != "from the CLI" {
		t.Errorf("s3 cp: body %q, error %v", got, err)
	}
	tls := newVerified(t, "s3")
	tls.Server.Close()
	tls.Server = httptest.NewTLSServer(http.HandlerFunc(tls.serve))
	run(tls.URL, "--no-verify-ssl", "s3", "cp", file, "s3://bucket/trailer")
	if got, err := tls.last(t); err != nil || got != "from the CLI" {
		t.Errorf("s3 cp over TLS, with a trailing checksum: body %q, error %v", got, err)
	}
	if got := tls.payload; got != streamingUnsigned {
		t.Errorf("s3 cp over TLS sent %q; this test is here for the trailer form", got)
	}
	run(other.URL, "ec2", "describe-instances", "--filters", "Name=tag:Name,Values=ä b+c")
	if _, err := other.last(t); err != nil {
		t.Errorf("ec2: %v", err)
	}
	for _, region := range []string{"eu-central-1", "us-east-1"} {
		link := run(s3.URL, "--region", region, "s3", "presign", "s3://bucket/with space+plus.txt")
		if _, err := url.Parse(link); err != nil {
			t.Fatalf("presign printed %q", link)
		}
		r, err := http.NewRequest(http.MethodGet, link, nil)
		if err != nil {
			t.Fatal(err)
		}
		do(t, r)
		if _, err := s3.last(t); err != nil {
			t.Errorf("presign in %s: %s: %v", region, link, err)
		}
	}
}
