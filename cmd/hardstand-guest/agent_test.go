package main

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What the agent may cost.
const (
	maxStart    = 50 * time.Millisecond // from exec to its first poll
	maxResident = 15_000_000            // while it waits for commands
	maxOnDisk   = 10 << 20
)

// host is an on-premises host with the agent's program and configuration, and a
// service that holds polls open.
type host struct {
	t                    *testing.T
	dir, program, config string
	polls                chan *http.Request
	release              chan struct{}
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{t: t, dir: t.TempDir(), polls: make(chan *http.Request, 100), release: make(chan struct{})}
	h.program = filepath.Join(h.dir, "codedeploy-agent")
	buildFor(t, runtime.GOARCH, h.program)
	service := httptest.NewServer(h)
	t.Cleanup(func() { close(h.release); service.Close() })
	h.write("onpremises.yml", "---\naws_access_key_id: AKIDHOST\naws_secret_access_key: host-secret\niam_user_arn: arn:aws:iam::123456789012:user/host\nregion: us-east-1\n")
	h.config = h.write("agent.yml", fmt.Sprintf("---\n:root_dir: %[1]s/root\n:log_dir: %[1]s/log\n:pid_dir: %[1]s/pid\n:on_premises_config_file: %[1]s/onpremises.yml\n"+
		":deploy_control_endpoint: %[2]s\n:kill_agent_max_wait_time_seconds: 5\n:no_such_key: 1\n", h.dir, service.URL))
	t.Cleanup(func() { _ = h.command("stop").Run() })
	return h
}

// buildFor builds the program as `make agent` does.
func buildFor(t *testing.T, arch, to string) {
	t.Helper()
	build := exec.Command("go", "build", "-tags", "nethttpomithttp2", "-trimpath", "-ldflags", "-s -w", "-o", to, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
}

// The agent of either architecture is one static file.
func TestAgentBuilds(t *testing.T) {
	for arch, want := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		path := filepath.Join(t.TempDir(), arch)
		buildFor(t, arch, path)
		f, err := elf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		libraries, err := f.ImportedLibraries()
		if err != nil || len(libraries) > 0 || f.Machine != want || f.Section(".interp") != nil {
			t.Errorf("%s: %v, needs %q and %v (%v)", arch, f.Machine, libraries, f.Section(".interp"), err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(path); err != nil || info.Size() > maxOnDisk {
			t.Errorf("%s: %d bytes, more than %d (%v)", arch, info.Size(), maxOnDisk, err)
		}
	}
}

func (h *host) write(name, text string) string {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	h.polls <- r
	select {
	case <-h.release:
	case <-r.Context().Done():
	}
	_, _ = io.WriteString(w, "{}")
}

func (h *host) command(verb string) *exec.Cmd {
	cmd := exec.Command(h.program, verb, "--config-file", h.config)
	cmd.Env = append(os.Environ(), "AWS_SECRET_ACCESS_KEY=users-secret")
	return cmd
}

// says runs a command and compares its exit status and what it prints.
func (h *host) says(verb string, code int, want string) {
	h.t.Helper()
	cmd := h.command(verb)
	cmd.WaitDelay = 10 * time.Second // an agent that keeps the outputs open would be waited for
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	want = strings.NewReplacer("<pid>", h.pid(), "DIR", h.dir).Replace(want)
	if string(out) != want || cmd.ProcessState.ExitCode() != code {
		h.t.Errorf("%s prints %q and exits with %d, want %q and %d", verb, out, cmd.ProcessState.ExitCode(), want, code)
	}
}

func (h *host) pid() string {
	text, _ := os.ReadFile(filepath.Join(h.dir, "pid", "codedeploy-agent.pid"))
	return strings.TrimSpace(string(text))
}

// polled waits for the agent's next poll.
func (h *host) polled() *http.Request {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	select {
	case r := <-h.polls:
		return r
	case <-ctx.Done():
		h.t.Fatal("the agent does not poll")
	}
	return nil
}

// The commands of the official agent: their words, their exit codes, the pid file.
func TestAgentCommands(t *testing.T) {
	h := newHost(t)
	h.says("status", 3, "error: No AWS CodeDeploy agent running\n")
	h.says("stop", 0, "")
	h.says("start", 0, "Starting codedeploy-agent: DIR/pid/codedeploy-agent.pid\n")
	first := h.polled()
	if got := first.Header.Get("X-Amz-Target"); got != "CodeDeployCommandService_v20141006.PollHostCommand" {
		t.Errorf("target %q", got)
	}
	if got := first.Header.Get("Authorization"); !strings.HasPrefix(got, "AWS4-HMAC-SHA256 Credential=AKIDHOST/") || !strings.Contains(got, "/us-east-1/codedeploy-commands/aws4_request") {
		t.Errorf("authorization %q", got)
	}
	h.says("status", 0, "The AWS CodeDeploy agent is running as PID <pid>\n")
	h.says("start", 0, "The AWS CodeDeploy agent is running as PID <pid>\n")
	h.says("run", 1, "codedeploy-agent: another agent runs already\n")
	if env, err := os.ReadFile("/proc/" + h.pid() + "/environ"); err != nil || strings.Contains(string(env), "secret") {
		t.Errorf("/proc shows %q, %v", env, err)
	}
	before := h.pid()
	h.says("restart", 0, "Stopping codedeploy-agent:\nStarting codedeploy-agent: DIR/pid/codedeploy-agent.pid\n")
	if now := h.pid(); now == before || now == "" {
		t.Errorf("restarted from %q to %q", before, now)
	}
	h.says("stop", 0, "Stopping codedeploy-agent:\n")
	h.says("status", 3, "error: No AWS CodeDeploy agent running\n")
	// A pid of somebody else, as a reboot leaves it, is nobody's agent.
	h.write("pid/codedeploy-agent.pid", strconv.Itoa(os.Getpid()))
	h.says("status", 3, "error: No AWS CodeDeploy agent running\n")
	log, err := os.ReadFile(filepath.Join(h.dir, "log", "codedeploy-agent.log"))
	if err != nil || !strings.Contains(string(log), `configuration key without effect key=no_such_key`) || strings.Contains(string(log), "secret") {
		t.Errorf("log %v\n%s", err, log)
	}
	if version, err := os.ReadFile(filepath.Join(h.dir, ".version")); err != nil || !strings.HasPrefix(string(version), "agent_version: OFFICIAL_") {
		t.Errorf(".version %q, %v", version, err)
	}
}

// Who starts the agent reads what its configuration asks for in vain.
func TestAgentWarns(t *testing.T) {
	h := newHost(t)
	text, err := os.ReadFile(h.config)
	if err != nil {
		t.Fatal(err)
	}
	h.write("agent.yml", string(text)+":restrict_log_dir_permissions: yes\n:log_aws_wire: true\n:enable_command_port: false\n")
	const without = ": asks for what this agent does not have\n"
	h.says("start", 0, "codedeploy-agent: warning: :log_aws_wire"+without+"codedeploy-agent: warning: :restrict_log_dir_permissions"+without+
		"Starting codedeploy-agent: DIR/pid/codedeploy-agent.pid\n")
	log, err := os.ReadFile(filepath.Join(h.dir, "log", "codedeploy-agent.log"))
	if err != nil || !strings.Contains(string(log), "does not have key=restrict_log_dir_permissions") {
		t.Errorf("log %v\n%s", err, log)
	}
}

func TestAgentThatCannotStart(t *testing.T) {
	h := newHost(t)
	h.write("agent.yml", ":max_revisions: none\n")
	h.says("start", 1, "codedeploy-agent: agent configuration DIR/agent.yml: :max_revisions: invalid max_revisions \"none\": it must be a number of at least 1\n")
	h.write("agent.yml", ":root_dir: /dev/null/x\n:log_dir: /dev/null/x\n:pid_dir: "+h.dir+"/pid\n")
	h.says("start", 1, "codedeploy-agent: make log directory: mkdir /dev/null: not a directory\ncodedeploy-agent: cannot start: the agent ended at once; see /dev/null/x/codedeploy-agent.log\n")
}

// What a waiting agent costs. Other tests keep the machine busy: the best of
// several starts counts.
func TestAgentCost(t *testing.T) {
	h := newHost(t)
	best, resident := time.Hour, 0
	for range 20 {
		began := time.Now()
		cmd := h.command("run")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		h.polled()
		best = min(best, time.Since(began))
		resident = max(resident, residentBytes(t, cmd.Process.Pid))
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%v to the first poll, %d bytes resident", best, resident)
	if best > maxStart {
		t.Errorf("%v from start to the first poll, more than %v", best, maxStart)
	}
	if resident > maxResident {
		t.Errorf("%d bytes resident, more than %d", resident, maxResident)
	}
}

// residentBytes is VmRSS of a process, of which the pages of the program's file
// are a part.
func residentBytes(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}
