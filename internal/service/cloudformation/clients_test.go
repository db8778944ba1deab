package cloudformation_test

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/wire/clienttest"
)

// TestBoto3 lets AWS's own client library, with its waiters and paginators, live
// through the life of two stacks, and compares what it understood.
func TestBoto3(t *testing.T) {
	srv := httptest.NewServer(newLab(t).server)
	t.Cleanup(srv.Close)
	clienttest.Golden(t, "testdata/boto3.golden", clienttest.Python(t, "testdata/clients.py", srv.URL))
}

// TestDeployCommand runs aws cloudformation deploy, which makes and executes change
// sets and knows "no changes" by AWS's text.
func TestDeployCommand(t *testing.T) {
	clienttest.NeedCLI(t)
	l := newLab(t)
	srv := httptest.NewServer(l.server)
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	file := dir + "/template.yaml"
	deploy := func(body string, args ...string) string {
		t.Helper()
		if err := os.WriteFile(file, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("aws", append([]string{"--endpoint-url", srv.URL, "--region", "us-east-1", "cloudformation", "deploy",
			"--stack-name", "cli", "--template-file", file}, args...)...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "AWS_ACCESS_KEY_ID=" + testKey, "AWS_SECRET_ACCESS_KEY=" + testSecret}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("aws cloudformation deploy: %v\n%s", err, out)
		}
		return string(out)
	}
	for _, c := range []struct{ name, body, says string }{
		{"create", simple, "Successfully created/updated stack - cli"},
		{"update", strings.Replace(simple, "one", "two", 1), "Successfully created/updated stack - cli"},
		{"nothing new", strings.Replace(simple, "one", "two", 1), "No changes to deploy. Stack cli is up to date"},
	} {
		if out := deploy(c.body, "--no-fail-on-empty-changeset"); !strings.Contains(out, c.says) {
			t.Errorf("%s: %s", c.name, out)
		}
	}
	if got := l.fake.Items()["fake-A-1"].Value; got != "two" {
		t.Errorf("value %q", got)
	}
}
