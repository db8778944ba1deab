// Package script_test runs test/script/*.txtar: what a user types, against the real
// hardstand binary with real instances, judged by the stock aws command. Those in
// fleets take longer and run with the tag e2e.
//
// apart_test.go puts the run into namespaces of its own, server_test.go starts and
// ends servers, commands_test.go has the commands that scripts may use beyond those
// of testscript, and counts_test.go what must be left of a server: nothing.
package script_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// needs skips a test where it cannot run, with the reason; nothing is skipped on a
// machine that has what the README asks for.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	if reason := lacking(programs); reason != "" {
		t.Skip(reason)
	}
}

// lacking says what keeps scripts from running, if anything does.
func lacking(programs []string) string {
	if os.Getenv(roleVariable) != roleTests {
		return "instances need root: run the tests with sudo"
	}
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			return program + " is not on PATH (the aws command: pip install awscli)"
		}
	}
	return ""
}

var tools = []string{"aws", "curl", "zip", "ssh", "ssh-keygen", "python3"}

func TestScripts(t *testing.T) {
	needs(t, tools...)
	testscript.Run(t, testscript.Params{
		Dir: ".", Setup: setup, Cmds: commands, RequireUniqueNames: true,
	})
}

// setup gives a script its server, which it starts with serve.
func setup(env *testscript.Env) error {
	name := filepath.Base(env.WorkDir)
	s, err := newServer(name)
	if err != nil {
		return err
	}
	env.Values[serverKey{}] = s
	home := filepath.Join(env.WorkDir, ".home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	env.Setenv("HOME", home)
	env.Setenv("PATH", filepath.Dir(os.Getenv(binaryVariable))+":"+os.Getenv("PATH"))
	env.Setenv("DATA", s.data())
	env.Setenv("AWS_PAGER", "")
	env.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	env.Setenv("TUTORIAL", tutorialDir())
	env.Defer(func() {
		err := s.finish()
		if test, ok := env.T().(interface{ Failed() bool }); err != nil || testing.Verbose() || (ok && test.Failed()) {
			env.T().Log("server log of " + name + ":\n" + s.logTail())
		}
		if err != nil {
			env.T().Log("end of the server: ", err)
			env.T().FailNow()
		}
	})
	return nil
}

func tutorialDir() string {
	dir, err := filepath.Abs("../../examples/tutorial")
	if err != nil {
		panic(err) // only without a working directory
	}
	return dir
}
