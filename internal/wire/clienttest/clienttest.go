// Package clienttest lets stock clients, boto3 and the aws CLI, judge services in
// tests: it finds them, skips with the reason where they are not installed, runs them
// and compares what they saw with golden files.
//
// It owns the flag -update and imports nothing of hardstand.
package clienttest

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

// NeedBoto3 skips t on a machine whose python3 has no boto3.
func NeedBoto3(t testing.TB) {
	t.Helper()
	if err := exec.Command("python3", "-c", "import boto3").Run(); err != nil {
		t.Skip("needs python3 with boto3: pip install boto3")
	}
}

// NeedCLI skips t on a machine without an aws command.
func NeedCLI(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("needs the aws CLI, 1.29, 2.13 or newer")
	}
}

// Python runs a script that uses boto3 and returns what it printed.
func Python(t testing.TB, script string, args ...string) []byte {
	t.Helper()
	NeedBoto3(t)
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "python3", append([]string{script}, args...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", script, err, out, stderr.Bytes())
	}
	return out
}

// Golden compares got with a file, line by line, and writes the file with -update.
func Golden(t testing.TB, file string, got []byte) {
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
