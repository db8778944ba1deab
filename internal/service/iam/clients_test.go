package iam_test

import (
	"context"
	"flag"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestBoto3 lets the stock SDK judge the wire: what it reads is compared with
// testdata/clients.golden.
func TestBoto3(t *testing.T) {
	service, server := serve(t, clock.System{})
	web := httptest.NewServer(server)
	defer web.Close()
	key, err := service.RootKey(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "python3", "testdata/clients.py", web.URL, key.ID, key.Secret)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python3 with boto3 judges the wire: %v\n%s", err, out)
	}
	compareGolden(t, "testdata/clients.golden", string(out))
}

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		g, w := "", ""
		if i < len(gotLines) {
			g = gotLines[i]
		}
		if i < len(wantLines) {
			w = wantLines[i]
		}
		if g != w {
			t.Errorf("line %d\ngot  %s\nwant %s", i+1, g, w)
		}
	}
}

// TestCLI runs the tutorial's identities through the stock aws CLI.
func TestCLI(t *testing.T) {
	service, server := serve(t, clock.System{})
	web := httptest.NewServer(server)
	defer web.Close()
	key, err := service.RootKey(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	trust := home + "/trust.json"
	if err := os.WriteFile(trust, []byte(trustee), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(want string, args ...string) {
		t.Helper()
		cmd := exec.Command("aws", append([]string{"--endpoint-url", web.URL, "--region", "eu-west-1", "--output", "text"}, args...)...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "AWS_ACCESS_KEY_ID=" + key.ID, "AWS_SECRET_ACCESS_KEY=" + key.Secret, "AWS_PAGER="}
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); got != want {
			t.Errorf("aws %s\ngot  %s (%v)\nwant %s", strings.Join(args, " "), got, err, want)
		}
	}
	run("arn:aws:iam::111122223333:root", "sts", "get-caller-identity", "--query", "Arn")
	run("arn:aws:iam::111122223333:role/web", "iam", "create-role", "--role-name", "web", "--assume-role-policy-document", "file://"+trust, "--query", "Role.Arn")
	run("ec2.amazonaws.com", "iam", "get-role", "--role-name", "web", "--query", "Role.AssumeRolePolicyDocument.Statement[0].Principal.Service")
	run("An error occurred (NoSuchEntity) when calling the AttachRolePolicy operation: Policy arn:aws:iam::aws:policy/service-role/Typo does not exist or is not attachable.",
		"iam", "attach-role-policy", "--role-name", "web", "--policy-arn", "arn:aws:iam::aws:policy/service-role/Typo")
	run("", "iam", "list-instance-profiles", "--query", "InstanceProfiles")
}
