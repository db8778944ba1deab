package iam_test

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/wire/clienttest"
)

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
	clienttest.Golden(t, "testdata/clients.golden", clienttest.Python(t, "testdata/clients.py", web.URL, key.ID, key.Secret))
}

// TestCLI runs the tutorial's identities through the stock aws CLI.
func TestCLI(t *testing.T) {
	clienttest.NeedCLI(t)
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
