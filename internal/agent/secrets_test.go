package agent

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// programVariable makes the test binary one of the programs.
const programVariable = "HARDSTAND_TEST_PROGRAM"

func TestMain(m *testing.M) {
	switch os.Getenv(programVariable) {
	case "local":
		os.Exit(LocalMain(os.Args[1:]))
	case "agent":
		os.Exit(Main(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// program is the command of one of the programs, called by its name.
func program(t *testing.T, which, name string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Args[0] = name
	cmd.Env = append(os.Environ(), programVariable+"="+which)
	return cmd
}

// A hook that runs as root may look at the agent in /proc: it finds no credentials,
// in the arguments or in the environment, which the agent itself still has.
func TestHooksFindNoCredentialsInProc(t *testing.T) {
	dir, dest := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		"appspec.yml": "version: 0.0\nos: linux\nhooks:\n  ApplicationStart: [{location: s}]\n",
		"s":           "#!/bin/sh\np=$PPID\nwhile [ $p -gt 1 ] && grep -aq codedeploy-local /proc/$p/cmdline; do cat /proc/$p/cmdline /proc/$p/environ >> " + dest + "/seen; p=$(awk '/^PPid/ {print $2}' /proc/$p/status); done\nenv >> " + dest + "/seen\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := program(t, "local", "codedeploy-local", "-l", dir, "-c", localConfig(t), "--github-token", "tok-secret")
	cmd.Env = append(cmd.Env, "AWS_ACCESS_KEY_ID=AKIDSECRET", "AWS_SECRET_ACCESS_KEY=key-secret", "AWS_REGION=eu-west-1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	seen, err := os.ReadFile(filepath.Join(dest, "seen"))
	if err != nil || !strings.Contains(string(seen), "AWS_REGION=eu-west-1") || !strings.Contains(string(seen), "-l\x00"+dir) {
		t.Fatalf("the hook saw %q, %v", seen, err)
	}
	for _, secret := range []string{"tok-secret", "AKIDSECRET", "key-secret"} {
		if strings.Contains(string(seen), secret) {
			t.Errorf("%s is there to see", secret)
		}
	}
}

func TestSplitToken(t *testing.T) {
	for given, want := range map[string]string{
		"-l x --github-token t -t zip": "-l x -t zip|t", "--github-token=t": "|t", "--github-token": "--github-token|", "-l x": "-l x|",
	} {
		rest, token := splitToken(strings.Fields(given))
		if got := strings.Join(rest, " ") + "|" + token; got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}
