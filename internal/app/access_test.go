package app

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/hardstand/hardstand/internal/store/storetest"
)

func TestExports(t *testing.T) {
	a := Access{Endpoint: "http://127.0.0.1:1", Region: "us-east-1", AccessKeyID: "AKIA", SecretAccessKey: `a'b"$c`, CABundle: "/a b/ca.pem"}
	script := strings.Join(a.Exports(), "\n") + "\n" + `printf '%s|' "$AWS_ENDPOINT_URL" "$AWS_SECRET_ACCESS_KEY" "$AWS_CA_BUNDLE" "$AWS_DEFAULT_REGION" "$AWS_REGION" "${AWS_PROFILE-none}"`
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Env = []string{"AWS_PROFILE=work"}
	out, err := cmd.Output()
	if want := `http://127.0.0.1:1|a'b"$c|/a b/ca.pem|us-east-1|us-east-1|none|`; err != nil || string(out) != want {
		t.Errorf("%s, %v; want %s", out, err, want)
	}
}

func TestReadAccess(t *testing.T) {
	cfg := testConfig(t)
	var refusal *Refusal
	if _, err := ReadAccess(cfg.DataDir); !errors.As(err, &refusal) || !strings.Contains(refusal.Remedy, "hardstand serve") {
		t.Errorf("before the first start: %v", err)
	}
	s := start(t, cfg)
	a, err := ReadAccess(cfg.DataDir)
	if err != nil || a != s.Access() {
		t.Errorf("%+v, %v; want %+v", a, err, s.Access())
	}
	if arn, err := s.caller(a); err != nil || arn != "arn:aws:iam::123456789012:root" {
		t.Errorf("the exported key is %s's (%v)", arn, err)
	}
	kept, err := os.ReadFile(filepath.Join(cfg.DataDir, accessFile))
	if err != nil || strings.Contains(string(kept), a.SecretAccessKey) {
		t.Errorf("the key lies open in the data dir (%v)", err)
	}
	kept[len(kept)-1]++
	if err := os.WriteFile(filepath.Join(cfg.DataDir, accessFile), kept, 0o600); err != nil {
		t.Fatal(err)
	}
	if a, err := ReadAccess(cfg.DataDir); err == nil {
		t.Errorf("a forged access was read: %+v", a)
	}
}

// The key and the state outlive the server; what a restart changes is said anew.
func TestRestart(t *testing.T) {
	cfg := testConfig(t)
	first := start(t, cfg)
	id := first.runInstance()
	if err := first.finish(); err != nil {
		t.Fatal(err)
	}
	cfg.Region = "eu-west-1"
	second := start(t, cfg)
	if a, b := first.Access(), second.Access(); a.SecretAccessKey != b.SecretAccessKey || b.Region != "eu-west-1" {
		t.Errorf("access %+v, then %+v", a, b)
	}
	a := second.Access()
	a.Region = "us-east-1"
	second.access = a
	if n := second.instances(); n != 1 {
		t.Errorf("%s is not there any more", id)
	}
}

func TestPresetKey(t *testing.T) {
	cfg := testConfig(t)
	if err := start(t, cfg).finish(); err != nil {
		t.Fatal(err)
	}
	cfg.RootAccessKeyID, cfg.RootSecretAccessKey = "AKIAPRESETPRESETPRES", "a secret that was given"
	s := start(t, cfg)
	if a := s.Access(); a.AccessKeyID != cfg.RootAccessKeyID {
		t.Errorf("env would export %s", a.AccessKeyID)
	}
	if arn, err := s.caller(s.Access()); err != nil || !strings.HasSuffix(arn, ":root") {
		t.Errorf("the given key is %q's: %v", arn, err)
	}
}

// Accounts do not see each other, and their names of buckets are one space.
func TestSecondAccount(t *testing.T) {
	cfg := testConfig(t)
	s := start(t, cfg)
	other, err := CreateAccount(t.Context(), cfg.DataDir, "210987654321")
	if err != nil {
		t.Fatal(err)
	}
	if arn, err := s.caller(other); err != nil || arn != "arn:aws:iam::210987654321:root" {
		t.Errorf("the new account's key is %s's (%v)", arn, err)
	}
	s.runInstance()
	bucket := "mine"
	if _, err := s.s3().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	mine := s.access
	s.access = other
	if n := s.instances(); n != 0 {
		t.Errorf("the new account sees %d instances", n)
	}
	_, err = s.s3().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	if err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("the new account reads the first one's bucket: %v", err)
	}
	s.access = mine
	for id, want := range map[string]string{"210987654321": "409", "12": "12 digits"} {
		if _, err := CreateAccount(t.Context(), cfg.DataDir, id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("account %s: %v, want %s", id, err, want)
		}
	}
}

// Orders are the data dir's owner's only, and only fresh ones.
func TestOrders(t *testing.T) {
	s := start(t, testConfig(t))
	for _, c := range []struct{ name, body string }{{"nothing", ""}, {"noise", strings.Repeat("x", 100)}, {"too much", strings.Repeat("x", 1<<20)}} {
		if code, text := s.post(adminPath, c.body); code < 400 || code >= 500 {
			t.Errorf("%s: %d %s", c.name, code, text)
		}
	}
	for name, o := range map[string]string{
		"old":     `{"Kind":"create-account","Account":"210987654321","Given":"2001-01-01T00:00:00Z"}`,
		"unknown": `{"Kind":"halt","Given":"` + s.cfg.Clock.Now().Format("2006-01-02T15:04:05Z07:00") + `"}`,
	} {
		sealed, err := s.sealer.Seal(adminTable, "order", []byte(o))
		if err != nil {
			t.Fatal(err)
		}
		if code, text := s.post(adminPath, string(sealed)); code != 403 && code != 400 {
			t.Errorf("%s order: %d %s", name, code, text)
		}
	}
}

func TestNobodyAnswers(t *testing.T) {
	cfg := testConfig(t)
	if err := start(t, cfg).finish(); err != nil {
		t.Fatal(err)
	}
	var refusal *Refusal
	if _, err := CreateAccount(context.Background(), cfg.DataDir, "210987654321"); !errors.As(err, &refusal) || !strings.Contains(refusal.Cause, "no server answers") {
		t.Errorf("%v", err)
	}
}

// What a policy does not allow is refused, or with --iam audit done.
func TestAuditOnly(t *testing.T) {
	for mode, refused := range map[string]bool{"enforce": true, "audit": false} {
		cfg := testConfig(t)
		cfg.IAM = mode
		s := start(t, cfg)
		nobody := s.user("nobody", `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}]}`)
		c := s3.NewFromConfig(s.as(nobody), func(o *s3.Options) { o.UsePathStyle = true })
		if _, err := c.ListBuckets(t.Context(), nil); (err != nil) != refused {
			t.Errorf("%s: %v", mode, err)
		}
		if text := strings.Join(s.Banner(), "\n"); strings.Contains(text, "AUDIT ONLY") == refused {
			t.Errorf("%s: the banner:\n%s", mode, text)
		}
	}
}

func TestPostgreSQL(t *testing.T) {
	cfg := testConfig(t)
	cfg.Database = storetest.Postgres(t)
	cfg.AllowReset = true
	s := start(t, cfg)
	s.runInstance()
	if err := s.finish(); err != nil {
		t.Fatal(err)
	}
	s = start(t, cfg)
	if n := s.instances(); n != 1 {
		t.Errorf("%d instances after a restart", n)
	}
	if err := RequestReset(t.Context(), cfg.DataDir); err != nil {
		t.Fatal(err)
	}
	if n := s.instances(); n != 0 {
		t.Errorf("%d instances after a reset", n)
	}
}

func TestJudgeCLI(t *testing.T) {
	for text, old := range map[string]bool{
		"aws-cli/1.28.9 Python/3": true, "aws-cli/1.29.0 Python/3": false, "aws-cli/2.9.19 Python/3": true, "aws-cli/2.12.7": true,
		"aws-cli/2.13.0": false, "aws-cli/2.31.4": false, "aws-cli/3.0.0": false, "something else": false, "": false,
	} {
		if got := judgeCLI("/usr/bin/aws", text); (got != "") != old {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestCLIWarning(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "aws"), []byte("#!/bin/sh\necho aws-cli/2.9.19 Python/3.11.2\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if w := CLIWarning("/nowhere:" + dir); !strings.Contains(w, dir+"/aws is aws-cli 2.9") || !strings.Contains(w, "AWS_ENDPOINT_URL") {
		t.Errorf("%q", w)
	}
	if w := CLIWarning("/nowhere"); w != "" {
		t.Errorf("without a CLI: %q", w)
	}
}
