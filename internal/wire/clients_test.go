package wire_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/wire/clienttest"
)

// TestBoto3 lets AWS's own client library speak to the server, one small service
// per protocol, and compares what it understood.
func TestBoto3(t *testing.T) {
	s := newTiny(t)
	srv := s.serve(t)
	got := clienttest.Python(t, "testdata/clients.py", srv.URL)
	clienttest.Golden(t, "testdata/boto3.golden", got)
	s.checkInputs(t)
}

// checkInputs looks at what reached the handlers and the log.
func (s *tiny) checkInputs(t *testing.T) {
	t.Helper()
	if n := aws.Val(s.ran.MinCount); n != 1 || s.ran.ImageId != nil {
		t.Errorf("the last RunInstances is not the one that CreateStack made: %+v", s.ran)
	}
	log := s.log.String()
	for _, want := range []string{"operation=CreateStack", "via=[cloudformation.amazonaws.com]", "code=DryRunOperation",
		"code=UnauthorizedOperation", "principal=" + testUser, "out of cheese", "unexpected EOF"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	for _, secret := range []string{"sg-1", testSecret, "<ok>", "some text"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q of a body", secret)
		}
	}
}

// TestCLI runs the aws command where it differs from boto3: its own S3 transfers,
// from a pipe and in parts of its choosing.
func TestCLI(t *testing.T) {
	clienttest.NeedCLI(t)
	s := newTiny(t)
	url := s.serve(t).URL
	aws := func(stdin string, args ...string) string {
		t.Helper()
		cmd := exec.Command("aws", append([]string{"--endpoint-url", url, "--region", "us-east-1"}, args...)...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "AWS_MAX_ATTEMPTS=1",
			"AWS_ACCESS_KEY_ID=" + testKey, "AWS_SECRET_ACCESS_KEY=" + testSecret}
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("aws %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	aws("from a pipe", "s3", "cp", "-", "s3://bucket/dir/file")
	if got := string(s.objects["bucket/dir/file"]); got != "from a pipe" {
		t.Errorf("the object holds %q", got)
	}
	if got := aws("", "s3", "ls", "s3://bucket", "--recursive"); !strings.Contains(got, "dir/file") {
		t.Errorf("ls says %q", got)
	}
	got := aws("", "ec2", "describe-instances", "--instance-ids", "i-5", "--query", "Reservations[].Instances[].State.Name", "--output", "text")
	if strings.TrimSpace(got) != "running" {
		t.Errorf("describe-instances says %q", got)
	}
}
