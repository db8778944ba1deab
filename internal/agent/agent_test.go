package agent

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/agent/command"
	"github.com/hardstand/hardstand/internal/agent/config"
	"github.com/hardstand/hardstand/internal/agent/download"
	"github.com/hardstand/hardstand/internal/agent/identity"
	"github.com/hardstand/hardstand/internal/agent/poll"
	"github.com/hardstand/hardstand/internal/agent/spec"
	"github.com/hardstand/hardstand/internal/agent/state"
	"github.com/hardstand/hardstand/internal/aws/sign"
	"github.com/hardstand/hardstand/internal/clock"
)

const hostARN = "arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0"

// commandServer is the service's end: it hands out the commands of one
// deployment after the other, and records what the agent says. The bundle is
// served from the same endpoint.
type commandServer struct {
	*httptest.Server
	mu        sync.Mutex
	commands  []poll.Command
	bundle    []byte
	ackStatus string
	onAck     func()
	lose      int // completions to answer with 500 before one is taken
	log       []string
	completed map[string]completion
	idle      chan struct{} // closed when the last command was completed
}

type completion struct {
	Status string
	poll.Diagnostics
	Payload string
}

func newCommandServer(t *testing.T, names ...string) *commandServer {
	t.Helper()
	s := &commandServer{completed: map[string]completion{}, idle: make(chan struct{})}
	for i, name := range names {
		s.commands = append(s.commands, poll.Command{HostCommandIdentifier: fmt.Sprintf("c%d", i), HostIdentifier: hostARN,
			DeploymentExecutionID: "a/b/d-" + name + "/x", CommandName: name})
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *commandServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	_, op, ok := strings.Cut(target, ".")
	if !ok {
		_, _ = w.Write(s.bundle)
		return
	}
	var in struct {
		HostCommandIdentifier, CommandStatus, DeploymentExecutionId string
		Diagnostics                                                 spec.Envelope
	}
	body, _ := io.ReadAll(r.Body)
	if json.Unmarshal(body, &in) != nil || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch op {
	case "PollHostCommand":
		s.poll(w)
	case "GetDeploymentSpecification":
		s.log = append(s.log, "spec "+in.DeploymentExecutionId)
		_ = json.NewEncoder(w).Encode(map[string]any{"DeploymentSystem": "CodeDeploy", "DeploymentSpecification": map[string]any{
			"GenericEnvelope": spec.Envelope{Format: "TEST", Payload: in.DeploymentExecutionId}}})
	case "PutHostCommandAcknowledgement":
		if s.onAck != nil {
			s.onAck()
		}
		s.log = append(s.log, "ack "+in.HostCommandIdentifier+" "+in.Diagnostics.Payload)
		fmt.Fprintf(w, `{"CommandStatus":%q}`, s.ackStatus)
	case "PutHostCommandComplete":
		s.complete(w, in.HostCommandIdentifier, completion{Status: in.CommandStatus, Payload: in.Diagnostics.Payload})
	}
}

// poll hands out the next command once the one before is complete.
func (s *commandServer) poll(w io.Writer) {
	for _, c := range s.commands {
		if _, done := s.completed[c.HostCommandIdentifier]; done {
			continue
		}
		if !slices.Contains(s.log, "out "+c.HostCommandIdentifier) {
			s.log = append(s.log, "out "+c.HostCommandIdentifier)
			_ = json.NewEncoder(w).Encode(map[string]any{"HostCommand": c})
			return
		}
		break
	}
	fmt.Fprint(w, "{}")
}

func (s *commandServer) complete(w http.ResponseWriter, id string, c completion) {
	if s.lose > 0 {
		s.lose--
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	var d struct {
		Code    int    `json:"error_code"`
		Script  string `json:"script_name"`
		Message string `json:"message"`
		Log     string `json:"log"`
	}
	_ = json.Unmarshal([]byte(c.Payload), &d)
	c.Diagnostics = poll.Diagnostics{Code: d.Code, Script: d.Script, Message: d.Message, Log: d.Log}
	s.completed[id] = c
	if len(s.completed) >= max(1, len(s.commands)) {
		close(s.idle)
	}
	fmt.Fprint(w, "{}")
}

// plainSpec stands in for the signature: package spec tests that.
type plainSpec struct{}

func (p plainSpec) Open(e *spec.Envelope) ([]byte, error) {
	parts := strings.Split(e.Payload, "/")
	id := "d-1"
	if parts[2] == "d-Bad" {
		return nil, fmt.Errorf("deployment specification: signature does not verify")
	}
	return fmt.Appendf(nil, `{"DeploymentId":%q,"DeploymentGroupId":"g","DeploymentGroupName":"n","ApplicationName":"a",
		"Revision":{"RevisionType":"S3","S3Revision":{"Bucket":"b","Key":"k","BundleType":"zip"}}}`, id), nil
}

type fixedKeys struct{}

func (fixedKeys) Get(context.Context) (sign.Credentials, error) {
	return sign.Credentials{AccessKeyID: "A", SecretAccessKey: "B"}, nil
}
func (fixedKeys) Forget() {}

func zipped(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range files {
		h := &zip.FileHeader{Name: name}
		h.SetMode(0o755)
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// newLoopFor is an agent with its memory below root.
func newLoopFor(s *commandServer, root string) *poll.Loop {
	log := slog.New(slog.DiscardHandler)
	dir := state.Dir{Root: root, Ongoing: "ongoing-deployment"}
	return &poll.Loop{
		Client:   &poll.Client{HTTP: s.Client(), Endpoint: s.URL, Region: "us-east-1", Host: hostARN, Credentials: fixedKeys{}, Clock: clock.System{}},
		Verifier: plainSpec{}, State: dir, Clock: clock.System{}, Log: log, Every: 5 * time.Millisecond, KillWait: time.Minute,
		Executor: &command.Executor{State: dir, MaxRevisions: 5, MaxSize: 1 << 20, Env: os.Environ(), Clock: clock.System{}, Log: log,
			Fetcher: &download.Client{HTTP: s.Client(), Region: "us-east-1", Endpoint: s.URL, Credentials: fixedKeys{}, Clock: clock.System{}}},
	}
}

// runAgent runs the agent until all commands are complete, then stops it.
func runAgent(t *testing.T, s *commandServer, root string) {
	t.Helper()
	loop := newLoopFor(s, root)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- loop.Run(ctx) }()
	select {
	case <-s.idle:
	case <-ctx.Done():
		t.Fatal("the commands were not completed")
	}
	cancel()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

var inPlace = []string{"ApplicationStop", "DownloadBundle", "BeforeInstall", "Install", "AfterInstall", "ApplicationStart", "ValidateService"}

func TestDeployment(t *testing.T) {
	dest := filepath.Join(t.TempDir(), "dest")
	s := newCommandServer(t, inPlace...)
	s.bundle = zipped(t, map[string]string{
		"appspec.yml": "version: 0.0\nos: linux\nfiles:\n  - {source: /page, destination: " + dest + "}\nhooks:\n  ApplicationStart:\n    - {location: s.sh}\n  ValidateService:\n    - {location: bad.sh}\n",
		"page/index":  "hello",
		"s.sh":        "#!/bin/sh\ncp " + dest + "/index " + dest + "/$LIFECYCLE_EVENT-$BUNDLE_BUCKET\n",
		"bad.sh":      "#!/bin/sh\necho no good; exit 7\n",
	})
	root := t.TempDir()
	runAgent(t, s, root)
	if data, err := os.ReadFile(filepath.Join(dest, "ApplicationStart-b")); err != nil || string(data) != "hello" {
		t.Errorf("hook result: %q, %v", data, err)
	}
	for i, name := range inPlace[:6] {
		if c := s.completed[fmt.Sprintf("c%d", i)]; c.Status != "Succeeded" || c.Code != 0 {
			t.Errorf("%s: %+v", name, c)
		}
	}
	c := s.completed["c6"]
	if c.Status != "Failed" || c.Code != 4 || c.Script != "bad.sh" || !strings.Contains(c.Message, "exit code 7") || !strings.Contains(c.Log, "[stdout]no good") {
		t.Errorf("ValidateService: %+v", c)
	}
	want := []string{`ack c0 {"IsCommandNoop":true}`, `ack c1 {"IsCommandNoop":false}`, `ack c2 {"IsCommandNoop":true}`, `ack c5 {"IsCommandNoop":false}`}
	for _, line := range want {
		if !slices.Contains(s.log, line) {
			t.Errorf("%q not said; log %q", line, s.log)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(root, "ongoing-deployment", "*")); len(left) != 0 {
		t.Errorf("still tracked: %q", left)
	}
}

// The events of one deployment share its specification; another's is asked for.
func TestSpecificationIsFetchedOnce(t *testing.T) {
	s := newCommandServer(t, "BeforeInstall", "AfterInstall", "ApplicationStart")
	for i := range s.commands[:2] {
		s.commands[i].DeploymentExecutionID = "a/b/d-first/x"
	}
	runAgent(t, s, t.TempDir())
	var asked []string
	for _, line := range s.log {
		if id, ok := strings.CutPrefix(line, "spec "); ok {
			asked = append(asked, id)
		}
	}
	if want := []string{"a/b/d-first/x", "a/b/d-ApplicationStart/x"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want)
	}
}

func TestFailures(t *testing.T) {
	tests := []struct {
		name    string
		command string
		bundle  map[string]string
		want    string
	}{
		{"bad signature", "Bad", nil, "signature does not verify"},
		{"unknown command", "UpdateDeploymentAgent", nil, "Unsupported command type: UpdateDeploymentAgent."},
		{"no appspec", "DownloadBundle", map[string]string{"x": ""}, `did not find an AppSpec file within the unpacked revision directory at revision-relative path "appspec.yml"`},
		{"only appspec.yaml", "DownloadBundle", map[string]string{"appspec.yaml": ""}, `revision-relative path "appspec.yml"`},
		{"no bundle", "DownloadBundle", nil, "not a zip archive"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			s := newCommandServer(t, tc.command)
			if tc.bundle != nil {
				s.bundle = zipped(t, tc.bundle)
			}
			runAgent(t, s, t.TempDir())
			if c := s.completed["c0"]; c.Status != "Failed" || c.Code != 5 || !strings.Contains(c.Message, tc.want) {
				t.Errorf("%+v, want message %q", c, tc.want)
			}
		})
	}
}

// The agent gives back what it does not need when it begins to wait, not between
// the events of a deployment.
func TestRestingIsForWaiting(t *testing.T) {
	s := newCommandServer(t, "ApplicationStop", "BeforeInstall")
	loop := newLoopFor(s, t.TempDir())
	rests := make(chan int, 10) // commands that were completed by then
	loop.Resting = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		rests <- len(s.completed)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- loop.Run(ctx) }()
	if at := <-rests; at != 0 {
		t.Errorf("the first rest came after %d commands", at)
	}
	for at := 0; at < 2; { // a poll between the two commands may find nothing
		select {
		case at = <-rests:
		case <-ctx.Done():
			t.Fatal("no rest after the last command")
		}
	}
	cancel()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if len(rests) > 0 {
		t.Errorf("%d more rests, without a command", len(rests))
	}
}

// An agent that is told to stop asks for nothing more, ends what it has begun, and
// says so.
func TestStopLetsACommandEnd(t *testing.T) {
	dir := t.TempDir()
	s := newCommandServer(t, "DownloadBundle", "BeforeInstall", "Install")
	s.bundle = zipped(t, map[string]string{
		"appspec.yml": "version: 0.0\nos: linux\nhooks:\n  BeforeInstall:\n    - {location: s.sh}\n",
		"s.sh":        "#!/bin/sh\ntouch " + dir + "/up\nwhile ! [ -e " + dir + "/go ]; do sleep 0.01; done\n",
	})
	loop := newLoopFor(s, t.TempDir())
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- loop.Run(ctx) }()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for up := false; !up; {
		select {
		case <-tick.C:
			_, err := os.Stat(dir + "/up")
			up = err == nil
		case <-ctx.Done():
			t.Fatal("the hook does not run")
		}
	}
	cancel()
	if err := os.WriteFile(dir+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.completed["c1"]; c.Status != "Succeeded" || len(s.completed) != 2 || slices.Contains(s.log, "out c2") {
		t.Errorf("completed %v; log %q", s.completed, s.log)
	}
}

func TestRestartFailsWhatRan(t *testing.T) {
	s := newCommandServer(t)
	root := t.TempDir()
	dir := state.Dir{Root: root, Ongoing: "ongoing-deployment"}
	if err := dir.Track("d-9", "interrupted"); err != nil {
		t.Fatal(err)
	}
	runAgent(t, s, root)
	if c := s.completed["interrupted"]; c.Status != "Failed" || c.Code != 7 || c.Message != "Failed: Failing in-progress lifecycle event after an agent restart." {
		t.Errorf("%+v", c)
	}
	if tracked, err := dir.Tracked(); err != nil || len(tracked) != 0 {
		t.Errorf("tracked %v, %v", tracked, err)
	}
}

// The service never offers again what was acknowledged: an agent that ends right
// after must know of it.
func TestCommandIsNotedBeforeItIsAcknowledged(t *testing.T) {
	s := newCommandServer(t, "BeforeInstall")
	root := t.TempDir()
	dir := state.Dir{Root: root, Ongoing: "ongoing-deployment"}
	s.onAck = func() {
		if tracked, err := dir.Tracked(); err != nil || tracked["d-1"] != "c0" {
			t.Errorf("tracked %v, %v", tracked, err)
		}
	}
	runAgent(t, s, root)
	if tracked, err := dir.Tracked(); err != nil || len(tracked) != 0 || len(s.completed) != 1 {
		t.Errorf("tracked %v, %v; completed %v", tracked, err, s.completed)
	}
}

// One that was noted but not acknowledged is offered again, while the agent still
// tries to say that it was interrupted: it is not begun.
func TestInterruptedCommandIsNotBegun(t *testing.T) {
	s := newCommandServer(t, "BeforeInstall")
	s.lose = 1
	root := t.TempDir()
	if err := (state.Dir{Root: root, Ongoing: "ongoing-deployment"}).Track("d-1", "c0"); err != nil {
		t.Fatal(err)
	}
	runAgent(t, s, root)
	if want := []string{"out c0"}; !slices.Equal(s.log, want) || s.completed["c0"].Code != 7 {
		t.Errorf("log %q, completed %+v", s.log, s.completed["c0"])
	}
}

func TestLostCompletionIsRepeated(t *testing.T) {
	s := newCommandServer(t, "BeforeInstall")
	s.lose = 1
	runAgent(t, s, t.TempDir())
	if c := s.completed["c0"]; c.Status == "" {
		t.Error("not repeated")
	}
}

func TestCommandTheServiceHasEnded(t *testing.T) {
	// A noop acknowledged as Failed is completed without being run.
	s := newCommandServer(t, "ApplicationStop")
	s.ackStatus = "Failed"
	runAgent(t, s, t.TempDir())
	if c := s.completed["c0"]; c.Message != "Succeeded: CompletedNoopCommand" {
		t.Errorf("%+v", c)
	}
}

func TestEndpoints(t *testing.T) {
	h := identity.Host{Region: "eu-west-1", Domain: "amazonaws.com"}
	env := map[string]string{}
	getenv := func(k string) string { return env[k] }
	cfg := config.Default()
	if e, over := controlEndpoint(cfg, h, getenv); e != "https://codedeploy-commands.eu-west-1.amazonaws.com" || over {
		t.Error(e, over)
	}
	cfg.EnableAuthPolicy, cfg.UseFIPS = true, true
	if e, _ := controlEndpoint(cfg, h, getenv); e != "https://codedeploy-commands-secure-fips.eu-west-1.amazonaws.com" {
		t.Error(e)
	}
	env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:4566"
	if e, over := controlEndpoint(cfg, h, getenv); e != "http://127.0.0.1:4566" || !over {
		t.Error(e, over)
	}
	cfg.ControlEndpoint = "http://x"
	if e, _ := controlEndpoint(cfg, h, getenv); e != "http://x" || s3Endpoint(cfg, getenv) != "http://127.0.0.1:4566" {
		t.Error(e, s3Endpoint(cfg, getenv))
	}
}

func TestArguments(t *testing.T) {
	for _, tc := range []struct {
		args, file, verb string
		bad              bool
	}{
		{"start", config.DefaultFile, "start", false},
		{"--config-file /x status", "/x", "status", false},
		{"--config_file=/x stop", "/x", "stop", false},
		{"", "", "", true}, {"start stop", "", "", true}, {"--frob", "", "", true}, {"-c", "", "", true},
	} {
		file, verb, err := parseArgs(strings.Fields(tc.args))
		if (err != nil) != tc.bad || file != tc.file || verb != tc.verb {
			t.Errorf("parseArgs(%q) = %q, %q, %v", tc.args, file, verb, err)
		}
	}
}
