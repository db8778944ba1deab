package app

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func resettable(t *testing.T) *server {
	cfg := testConfig(t)
	cfg.AllowReset = true
	return start(t, cfg)
}

func TestReset(t *testing.T) {
	s := resettable(t)
	bucket, key := "goods", "a/b"
	if _, err := s.s3().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.s3().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader("x")}); err != nil {
		t.Fatal(err)
	}
	s.runInstance()
	other, err := CreateAccount(t.Context(), s.cfg.DataDir, "210987654321")
	if err != nil {
		t.Fatal(err)
	}
	before := s.Access()
	if err := RequestReset(t.Context(), s.cfg.DataDir); err != nil {
		t.Fatal(err)
	}
	if n := s.instances(); n != 0 {
		t.Errorf("%d instances are left", n)
	}
	if out, err := s.s3().ListBuckets(t.Context(), nil); err != nil || len(out.Buckets) != 0 {
		t.Errorf("buckets are left: %v", err)
	}
	if left := filesBelow(t, filepath.Join(s.cfg.DataDir, "blobs")); left != 0 {
		t.Errorf("%d objects are left", left)
	}
	if arn, err := s.caller(before); err != nil || arn != "arn:aws:iam::123456789012:root" {
		t.Errorf("the key that shells have is %q's: %v", arn, err)
	}
	if arn, err := s.caller(other); err == nil {
		t.Errorf("another account's key is still %s's", arn)
	}
	if a, err := ReadAccess(s.cfg.DataDir); err != nil || a != before {
		t.Errorf("env would print %+v, %v", a, err)
	}
	// The new world works, and so does the next reset.
	s.runInstance()
	if err := RequestReset(t.Context(), s.cfg.DataDir); err != nil {
		t.Fatal(err)
	}
}

func filesBelow(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestResetNotAllowed(t *testing.T) {
	s := start(t, testConfig(t))
	var refusal *Refusal
	if err := RequestReset(t.Context(), s.cfg.DataDir); !errors.As(err, &refusal) || !strings.Contains(refusal.Remedy, "--allow-reset") {
		t.Errorf("%v", err)
	}
}

// slowUpload sends the head of an upload and no more, and returns when the server
// waits for its body.
func (s *server) slowUpload() net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	head := "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n"
	if _, err := io.WriteString(conn, head); err != nil {
		s.t.Fatal(err)
	}
	const goOn = "HTTP/1.1 100 Continue\r\n\r\n"
	answer := make([]byte, len(goOn))
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != goOn {
		s.t.Fatalf("%q, %v", answer, err)
	}
	return conn
}

// A request that waits for its client holds up neither a reset nor a stop.
func TestResetInterrupts(t *testing.T) {
	s := resettable(t)
	conn := s.slowUpload()
	if err := RequestReset(t.Context(), s.cfg.DataDir); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if answer, err := io.ReadAll(conn); err != nil {
		t.Errorf("the request was not ended: %q, %v", answer, err)
	}
	s.slowUpload()
	began := time.Now()
	if err := s.finish(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop took %v", took)
	}
}

// What fails in the background ends the server, also after a reset.
func TestBackgroundFailure(t *testing.T) {
	s := resettable(t)
	if err := RequestReset(t.Context(), s.cfg.DataDir); err != nil {
		t.Fatal(err)
	}
	s.current().background(t.Context(), "test", func(context.Context) error { return errors.New("broken") })
	if err := s.endedWithin(10 * time.Second); err == nil || err.Error() != "run test: broken" {
		t.Errorf("Run returned %v", err)
	}
}

// A reset that cannot be finished ends the server: half a world is none.
func TestResetFails(t *testing.T) {
	s := resettable(t)
	s.world.onClose(func() error { return errors.New("stuck") })
	if code, text := s.post(resetPath, ""); code != 500 || !strings.Contains(text, "close: stuck") {
		t.Errorf("%d %s", code, text)
	}
	if err := s.endedWithin(10 * time.Second); err == nil || !strings.Contains(err.Error(), "reset: close: stuck") {
		t.Errorf("Run returned %v", err)
	}
}

// Instances outlive the server unless it was told to take them along.
func TestStopInstances(t *testing.T) {
	cfg := testConfig(t)
	s := start(t, cfg)
	s.runInstance()
	if err := s.finish(); err != nil {
		t.Fatal(err)
	}
	cfg.StopInstances = true
	s = start(t, cfg)
	if idle, err := s.world.ec2.Idle(context.Background()); err != nil || idle {
		t.Errorf("the instance did not outlive its server (%v)", err)
	}
	if err := s.finish(); err != nil {
		t.Fatal(err)
	}
	s = start(t, cfg)
	if idle, err := s.world.ec2.Idle(context.Background()); err != nil || !idle {
		t.Errorf("the instance outlived --stop-instances (%v)", err)
	}
}

func TestIdentityKeyIsKept(t *testing.T) {
	cfg := testConfig(t)
	s := start(t, cfg)
	cert, key, err := s.identitySigner()
	if err != nil || key == nil {
		t.Fatal(err)
	}
	token, err := s.tokenKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.finish(); err != nil {
		t.Fatal(err)
	}
	s = start(t, cfg)
	again, _, err := s.identitySigner()
	if err != nil || !again.Equal(cert) {
		t.Errorf("another certificate after a restart: %v", err)
	}
	if same, err := s.tokenKey(); err != nil || string(same) != string(token) {
		t.Errorf("another token key after a restart: %v", err)
	}
}
