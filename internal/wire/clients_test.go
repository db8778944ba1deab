package wire_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
)

var update = flag.Bool("update", false, "rewrite golden files")

// TestBoto3 lets AWS's own client library speak to the server, one small service
// per protocol, and compares what it understood.
func TestBoto3(t *testing.T) {
	s := newTiny(t)
	srv := s.serve(t)
	var stderr bytes.Buffer
	cmd := exec.Command("python3", "testdata/clients.py", srv.URL)
	cmd.Stderr = &stderr
	got, err := cmd.Output()
	if err != nil {
		t.Fatalf("clients.py: %v\n%s\n%s", err, got, stderr.Bytes())
	}
	golden(t, "testdata/boto3.golden", got)
	s.checkInputs(t)
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
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
