package app

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	ec2api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/wire/client"
)

// server is a System that runs.
type server struct {
	*System
	t     testing.TB
	stop  context.CancelFunc
	ended chan error
	over  bool
}

// testConfig is a server that needs no root, with records for instances.
func testConfig(t testing.TB) Config {
	return Config{Listen: "127.0.0.1:0", DataDir: filepath.Join(t.TempDir(), "data"), Instances: InstancesFake, Log: slog.New(slog.DiscardHandler)}
}

// start opens cfg and runs it until the test is over.
func start(t testing.TB, cfg Config) *server {
	t.Helper()
	sys, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &server{System: sys, t: t, stop: stop, ended: make(chan error, 1)}
	go func() { s.ended <- sys.Run(ctx) }()
	t.Cleanup(func() {
		if err := s.finish(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// finish stops the server and returns what Run and Close say; the second time it
// does nothing.
func (s *server) finish() error {
	if s.over {
		return nil
	}
	s.over = true
	s.stop()
	err := <-s.ended
	if cerr := s.Close(); err == nil {
		err = cerr
	}
	return err
}

// endedWithin waits for Run to end by itself.
func (s *server) endedWithin(limit time.Duration) error {
	s.t.Helper()
	select {
	case err := <-s.ended:
		s.over = true
		if cerr := s.Close(); cerr != nil {
			s.t.Log(cerr)
		}
		return err
	case <-time.After(limit):
		s.t.Fatal("the server runs on")
		return nil
	}
}

// as is the SDK's configuration for somebody's keys.
func (s *server) as(a Access) awssdk.Config {
	return awssdk.Config{
		Region: a.Region, BaseEndpoint: awssdk.String(s.Endpoint()),
		Credentials:      credentials.NewStaticCredentialsProvider(a.AccessKeyID, a.SecretAccessKey, ""),
		RetryMaxAttempts: 1,
	}
}

func (s *server) ec2() *client.Client {
	return &client.Client{Model: ec2api.Model(), Config: s.as(s.Access())}
}

func (s *server) s3() *s3.Client {
	return s3.NewFromConfig(s.as(s.Access()), func(o *s3.Options) { o.UsePathStyle = true })
}

// caller returns who the keys belong to.
func (s *server) caller(a Access) (string, error) {
	out, err := sts.NewFromConfig(s.as(a)).GetCallerIdentity(s.t.Context(), nil)
	if err != nil {
		return "", err
	}
	return *out.Arn, nil
}

// post sends a body to a path of the server's own.
func (s *server) post(path, body string, header ...string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.Endpoint()+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return s.do(req)
}

func (s *server) get(path string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.Endpoint()+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.do(req)
}

func (s *server) do(req *http.Request) (int, string) {
	s.t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// decoded is a JSON object.
func decoded(t testing.TB, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.NewDecoder(bytes.NewReader([]byte(text))).Decode(&m); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return m
}

// runInstance makes an instance, which the fake driver runs at once.
func (s *server) runInstance() string {
	s.t.Helper()
	one := int32(1)
	var out ec2api.RunInstancesOutput
	in := &ec2api.RunInstancesInput{ImageId: awssdk.String("ami-12345678"), MinCount: &one, MaxCount: &one}
	if err := s.ec2().Call(s.t.Context(), "RunInstances", in, &out); err != nil {
		s.t.Fatal(err)
	}
	return *out.Instances[0].InstanceId
}

func (s *server) instances() int {
	s.t.Helper()
	var out ec2api.DescribeInstancesOutput
	if err := s.ec2().Call(s.t.Context(), "DescribeInstances", &ec2api.DescribeInstancesInput{}, &out); err != nil {
		s.t.Fatal(err)
	}
	return len(out.Reservations)
}
