package ec2

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/wire/clienttest"
)

// resourceID is an id of EC2, its kind captured.
var resourceID = regexp.MustCompile(`\b([a-z]{1,8})-[0-9a-f]{17}\b`)

// TestBoto3 has AWS's own client library go through the life of an instance, and
// compares what it understood. An id in its output is replaced by its kind.
func TestBoto3(t *testing.T) {
	w := newWorld(t)
	w.run()
	srv := httptest.NewServer(w.server)
	t.Cleanup(srv.Close)
	got := clienttest.Python(t, "testdata/clients.py", srv.URL)
	clienttest.Golden(t, "testdata/boto3.golden", resourceID.ReplaceAll(got, []byte("$1-*")))
}

// TestCLI runs the aws command where it shapes the request itself: user data from
// text, tags and rules in shorthand, the group of a rule by name, waiters.
func TestCLI(t *testing.T) {
	clienttest.NeedCLI(t)
	w := newWorld(t)
	w.run()
	srv := httptest.NewServer(w.server)
	t.Cleanup(srv.Close)
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("aws", append([]string{"--endpoint-url", srv.URL, "--region", testRegion, "--output", "text", "ec2"}, args...)...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "AWS_MAX_ATTEMPTS=1", "AWS_ACCESS_KEY_ID=" + testKey, "AWS_SECRET_ACCESS_KEY=" + testSecret}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("aws ec2 %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	sg := run("create-security-group", "--group-name", "web", "--description", "d", "--query", "GroupId")
	run("authorize-security-group-ingress", "--group-name", "web", "--protocol", "tcp", "--port", "8000-8080", "--cidr", "0.0.0.0/0")
	run("authorize-security-group-ingress", "--group-id", sg, "--protocol", "all", "--source-group", sg)
	id := run("run-instances", "--image-id", testImage, "--instance-type", "t3.micro", "--security-groups", "web", "--user-data", "#!/bin/sh\necho hi",
		"--tag-specifications", "ResourceType=instance,Tags=[{Key=Name,Value=web}]", "--iam-instance-profile", "Name=web", "--query", "Instances[0].InstanceId")
	run("wait", "instance-running", "--instance-ids", id)
	r := w.row(id)
	if w.userData(id) != "#!/bin/sh\necho hi" || r.Tags["Name"] != "web" || r.Profile == nil || r.NIC.Groups[0] != sg {
		t.Errorf("launched %+v", r)
	}
	if g, _ := w.net.group(sg); len(g.Ingress) != 2 || g.Ingress[0].To != 8080 || g.Ingress[1].Group != sg {
		t.Errorf("the network enforces %+v", g.Ingress)
	}
	if got := run("get-console-output", "--instance-id", id, "--query", "Output"); got != "console of "+id {
		t.Errorf("console %q", got)
	}
	run("terminate-instances", "--instance-ids", id)
	w.await(id, stateTerminated)
	run("delete-security-group", "--group-id", sg)
}
