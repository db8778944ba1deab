package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCommittedIsCurrent generates into a temporary directory and compares with
// what is committed. Another botocore than NOTICE names has another model.
func TestCommittedIsCurrent(t *testing.T) {
	const committed = "../aws/api"
	version, err := exec.Command("python3", "-c", "import botocore; print(botocore.__version__)").Output()
	if err != nil {
		t.Skip("needs python3 with botocore")
	}
	notice, err := os.ReadFile(filepath.Join(committed, "NOTICE"))
	if err != nil {
		t.Fatal(err)
	}
	if v := strings.TrimSpace(string(version)); !strings.Contains(string(notice), "version "+v+")") {
		t.Skipf("botocore is %s, not the one that NOTICE names", v)
	}
	data, err := findModels()
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	for _, name := range packages {
		if err := generate(data, ".", out, name); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		compare(t, filepath.Join(out, name), filepath.Join(committed, name))
	}
}

func compare(t *testing.T, fresh, committed string) {
	t.Helper()
	files, err := os.ReadDir(fresh)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		want, err := os.ReadFile(filepath.Join(fresh, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(committed, f.Name()))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not current: go run ./internal/awsgen", filepath.Join(committed, f.Name()))
		}
	}
}

func TestCamel(t *testing.T) {
	for value, want := range map[string]string{
		"CREATE_COMPLETE": "CreateComplete", "t2.micro": "T2Micro", "CanonicalUser": "CanonicalUser",
		"shutting-down": "ShuttingDown", "aws:kms": "AwsKms", "AES256": "Aes256", "InProgress": "InProgress",
	} {
		if got := camel(value); got != want {
			t.Errorf("%s: got %s, want %s", value, got, want)
		}
	}
}
