package codedeploy

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/agent/command"
	"github.com/hardstand/hardstand/internal/agent/poll"
	"github.com/hardstand/hardstand/internal/agent/spec"
	"github.com/hardstand/hardstand/internal/agent/state"
	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	commands "github.com/hardstand/hardstand/internal/aws/api/codedeploycommands"
	"github.com/hardstand/hardstand/internal/aws/sign"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

func hostARN(id string) *string {
	return aws.Ptr(instanceARN(store.Key{Account: account, Region: region}, id))
}

// What only looks like a host is none: a session that somebody named after an
// instance, and an identity document, which an instance shows to others to say who
// it is.
func TestOnlyTheSessionOfAnInstanceIsAHost(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp()
	for name, p := range map[string]aws.Principal{
		"a session of that name": {Type: aws.PrincipalAssumedRole, Account: account, SessionName: "i-1", ARN: "arn:aws:sts::" + account + ":assumed-role/other/i-1"},
		"an identity document":   {Type: aws.PrincipalService, Account: account, InstanceID: "i-1", ARN: "arn:aws:sts::" + account + ":instance-identity/i-1"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := aws.WithCall(t.Context(), aws.Call{Principal: p, Account: account, Region: region})
			_, err := w.server.Invoke(ctx, "codedeploy-commands", "PollHostCommand", &commands.PollHostCommandInput{HostIdentifier: hostARN("i-1")})
			wantCode(t, err, "AccessDeniedException", "")
		})
	}
}

func TestHostsCannotActForOthers(t *testing.T) {
	w := newWorld(t, "i-1", "i-2")
	w.setUp()
	command := func(id string) *string { return aws.Ptr("d-ABCDEFGHI:" + id + ":0") }
	tests := []struct {
		name, who, operation string
		in                   any
		code                 string
	}{
		{"a user polls", "deployer", "PollHostCommand", &commands.PollHostCommandInput{HostIdentifier: hostARN("i-1")}, "AccessDeniedException"},
		{"poll for another", "i-2", "PollHostCommand", &commands.PollHostCommandInput{HostIdentifier: hostARN("i-1")}, "AccessDeniedException"},
		{"specification for another", "i-2", "GetDeploymentSpecification", &commands.GetDeploymentSpecificationInput{HostIdentifier: hostARN("i-1"), DeploymentExecutionId: aws.Ptr("a/b/c/d")}, "AccessDeniedException"},
		{"unknown deployment", "i-1", "GetDeploymentSpecification", &commands.GetDeploymentSpecificationInput{HostIdentifier: hostARN("i-1"), DeploymentExecutionId: aws.Ptr("codedeploy/123456789012/us-east-1/d-ABCDEFGHI")}, "ClientException"},
		{"deployment of another region", "i-1", "GetDeploymentSpecification", &commands.GetDeploymentSpecificationInput{HostIdentifier: hostARN("i-1"), DeploymentExecutionId: aws.Ptr("codedeploy/123456789012/eu-west-1/d-ABCDEFGHI")}, "ClientException"},
		{"acknowledge another's", "i-2", "PutHostCommandAcknowledgement", &commands.PutHostCommandAcknowledgementInput{HostCommandIdentifier: command("i-1")}, "AccessDeniedException"},
		{"complete another's", "i-2", "PutHostCommandComplete", &commands.PutHostCommandCompleteInput{HostCommandIdentifier: command("i-1"), CommandStatus: commands.CommandStatusFailed}, "AccessDeniedException"},
		{"complete nothing", "i-1", "PutHostCommandComplete", &commands.PutHostCommandCompleteInput{HostCommandIdentifier: command("i-1"), CommandStatus: commands.CommandStatusFailed}, "ClientException"},
		{"complete as pending", "i-1", "PutHostCommandComplete", &commands.PutHostCommandCompleteInput{HostCommandIdentifier: command("i-1"), CommandStatus: commands.CommandStatusPending}, "ClientException"},
		{"update garbage", "i-1", "PostHostCommandUpdate", &commands.PostHostCommandUpdateInput{HostCommandIdentifier: aws.Ptr("x")}, "ClientException"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			_, err := w.server.Invoke(as(tc.who), "codedeploy-commands", tc.operation, tc.in)
			wantCode(t, err, tc.code, "")
		})
	}
}

func TestSecureFlavourNeedsPermission(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp()
	w.denied["codedeploy-commands-secure:PollHostCommand"] = true
	c := aws.CallFrom(as("i-1"))
	c.SigningName = secureName
	_, err := w.s.PollHostCommand(aws.WithCall(context.Background(), c), &commands.PollHostCommandInput{HostIdentifier: hostARN("i-1")})
	var denied *aws.Denied
	if !errors.As(err, &denied) {
		t.Fatalf("error %v", err)
	}
	// A deployment that waits for the agent then says why it is silent.
	id := w.deploy("v1")
	w.await(id, "in progress", func(d *api.DeploymentInfo) bool { return *d.DeploymentOverview.InProgress == 1 })
	w.clock.Advance(time.Second)
	if _, err := w.s.PollHostCommand(aws.WithCall(context.Background(), c), &commands.PollHostCommandInput{HostIdentifier: hostARN("i-1")}); err == nil {
		t.Fatal("let in")
	}
	w.clock.Advance(startTimeout)
	d := w.awaitStatus(id, api.DeploymentStatusFailed)
	if d.ErrorInformation.Code != api.ErrorCodeAgentIssue || !strings.Contains(*d.ErrorInformation.Message, "was refused at") ||
		!strings.Contains(*d.ErrorInformation.Message, "codedeploy-commands-secure:PollHostCommand") {
		t.Errorf("%+v %s", d.ErrorInformation, *d.ErrorInformation.Message)
	}
}

func TestUnacknowledgedCommandIsOfferedAgain(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp()
	w.deploy("v1")
	poll := func() *commands.HostCommandInstance {
		out, err := w.s.PollHostCommand(as("i-1"), &commands.PollHostCommandInput{HostIdentifier: hostARN("i-1")})
		if err != nil {
			t.Fatal(err)
		}
		return out.HostCommand
	}
	first := poll()
	w.clock.Advance(lease)
	again := poll()
	if first == nil || again == nil || *first.HostCommandIdentifier != *again.HostCommandIdentifier {
		t.Fatalf("%+v, then %+v", first, again)
	}
	ack, err := w.s.PutHostCommandAcknowledgement(as("i-1"), &commands.PutHostCommandAcknowledgementInput{HostCommandIdentifier: first.HostCommandIdentifier})
	if err != nil || ack.CommandStatus != commands.CommandStatusInProgress {
		t.Fatalf("%+v, %v", ack, err)
	}
	// Acknowledged, it is never handed out again: the poll is held, then empty.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	go func() {
		for w.clock.BlockUntil(ctx, 1) == nil {
			w.clock.Advance(holdPoll)
		}
	}()
	if cmd := poll(); cmd != nil {
		t.Errorf("an acknowledged command was offered: %+v", cmd)
	}
	cancel()
	late, err := w.s.PutHostCommandComplete(as("i-1"), &commands.PutHostCommandCompleteInput{HostCommandIdentifier: first.HostCommandIdentifier, CommandStatus: commands.CommandStatusSucceeded})
	if err != nil || late == nil {
		t.Error(err)
	}
}

func TestOpenSSLVerifiesTheSpecification(t *testing.T) {
	w := newWorld(t)
	signed, err := w.s.signers.sign(t.Context(), region, []byte(`{"DeploymentId":"d-1"}`))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	in, ca := filepath.Join(dir, "spec.pem"), filepath.Join(dir, "ca.pem")
	if err := errors.Join(os.WriteFile(in, []byte(signed), 0o600), os.WriteFile(ca, w.ca.PEM(), 0o600)); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("openssl", "smime", "-verify", "-inform", "PEM", "-in", in, "-CAfile", ca, "-purpose", "any").CombinedOutput()
	if err != nil || !strings.Contains(string(out), `{"DeploymentId":"d-1"}`) {
		t.Errorf("%v: %s", err, out)
	}
	// A restarted server finds the sealed key again.
	again := newSigners(w.cfg)
	k, err := again.get(t.Context(), region)
	if err != nil || !k.certificate.Equal(w.s.signers.ready[region].certificate) {
		t.Errorf("after a restart: %v", err)
	}
}

func TestRotatedSigner(t *testing.T) {
	w := newWorld(t)
	content := []byte(`{"DeploymentId":"d-1"}`)
	before, err := w.s.signers.sign(t.Context(), region, content)
	if err != nil {
		t.Fatal(err)
	}
	old := w.s.signers.ready[region].certificate
	out, err := wire.Call[commands.RotateDeploymentSignerOutput](as("deployer"), w.server, "codedeploy-commands", "RotateDeploymentSigner", &commands.RotateDeploymentSignerInput{})
	if err != nil {
		t.Fatal(err)
	}
	after, err := w.s.signers.sign(t.Context(), region, content)
	if err != nil || *out.SerialNumber == old.SerialNumber.Text(16) || after == before {
		t.Errorf("rotated to %s: %v", *out.SerialNumber, err)
	}
	for _, signed := range []string{before, after} {
		if got, err := w.verifier().Open(&spec.Envelope{Format: "PKCS7/JSON", Payload: signed}); err != nil || string(got) != string(content) {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// Our agent always has a poll open: it is missed after seconds, not minutes.
func TestOurAgentIsMissedSoon(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp()
	c := aws.CallFrom(as("i-1"))
	c.UserAgent = agentProduct + "1"
	entered, release := make(chan struct{}), make(chan struct{})
	a := w.agentAs(aws.WithCall(context.Background(), c), *hostARN("i-1"), func(string, string) bool {
		close(entered)
		<-release
		return false
	})
	let := sync.OnceFunc(func() { close(release) })
	t.Cleanup(let) // before the agent is waited for
	id := w.deploy("v1")
	<-entered
	w.clock.Advance(15 * time.Second)
	d := w.awaitStatus(id, api.DeploymentStatusFailed)
	if d.ErrorInformation.Code != api.ErrorCodeAgentIssue || !strings.Contains(*d.ErrorInformation.Message, "is not responding: its last poll was at ") {
		t.Errorf("%+v %s", d.ErrorInformation, *d.ErrorInformation.Message)
	}
	let()
	a.close()
}

// FuzzHostCommands gives the readers of what agents send anything.
func FuzzHostCommands(f *testing.F) {
	f.Add("d-ABCDEFGHI:i-1:3", "codedeploy/123456789012/us-east-1/d-ABCDEFGHI", `{"error_code":4,"log":"x"}`)
	f.Add("::", "///", `{"error_code":-1e9}`)
	f.Fuzz(func(t *testing.T, command, execution, payload string) {
		if deployment, index, err := parseCommandID("i-1", &command); err == nil && (index < 0 || !deploymentPattern.MatchString(deployment)) {
			t.Errorf("%q is event %d of %q", command, index, deployment)
		}
		k := store.Key{Account: account, Region: region}
		if id, err := parseExecutionID(k, execution); err == nil && executionID(k, id) != execution {
			t.Errorf("%q is %q", execution, id)
		}
		if e := readDiagnostics(&commands.Envelope{Payload: &payload}); len(e.Log) > maxLogTail {
			t.Errorf("a log of %d bytes", len(e.Log))
		}
	})
}

// bundle is an S3 of one object.
type bundle struct{ files map[string]string }

func (b bundle) Fetch(_ context.Context, _ spec.Revision, _, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := zip.NewWriter(f)
	for name, text := range b.files {
		h := &zip.FileHeader{Name: name}
		h.SetMode(0o755)
		m, err := w.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := m.Write([]byte(text)); err != nil {
			return err
		}
	}
	return errors.Join(w.Close(), f.Close())
}

type instanceKeys string

func (k instanceKeys) Get(context.Context) (sign.Credentials, error) {
	return sign.Credentials{AccessKeyID: string(k), SecretAccessKey: "secret", SessionToken: "token"}, nil
}
func (instanceKeys) Forget() {}

func TestOurAgentOverHTTP(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp()
	dest := filepath.Join(t.TempDir(), "dest")
	dir := state.Dir{Root: t.TempDir(), Ongoing: "ongoing-deployment"}
	verifier := w.verifier()
	log := slog.New(slog.DiscardHandler)
	loop := &poll.Loop{
		Client:   &poll.Client{HTTP: &http.Client{}, Endpoint: w.serve(), Region: region, Host: *hostARN("i-1"), Credentials: instanceKeys("i-1"), Clock: clock.System{}},
		Verifier: verifier, State: dir, Clock: clock.System{}, Log: log, Every: time.Second, KillWait: time.Minute,
		Executor: &command.Executor{State: dir, MaxRevisions: 5, MaxSize: 1 << 20, Env: os.Environ(), Clock: clock.System{}, Log: log, Fetcher: bundle{map[string]string{
			"appspec.yml": "version: 0.0\nos: linux\nfiles:\n  - {source: page, destination: " + dest + "}\nhooks:\n  ApplicationStart:\n    - {location: start.sh}\n",
			"page":        "hello", "start.sh": "#!/bin/sh\necho starting; test ! -e " + dest + "/broken || exit 3\ni=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo line $i ü; done\n",
		}}},
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- loop.Run(ctx) }()
	defer func() { cancel(); <-done }()
	w.awaitStatus(w.deploy("v1"), api.DeploymentStatusSucceeded)
	if data, err := os.ReadFile(filepath.Join(dest, "page")); err != nil || string(data) != "hello" {
		t.Errorf("installed: %q, %v", data, err)
	}
	// The whole output is here, however long.
	first := must[api.ListDeploymentsOutput](w, "ListDeployments", &api.ListDeploymentsInput{}).Deployments[0]
	whole, err := wire.Call[commands.GetDeploymentLogOutput](as("deployer"), w.server, "codedeploy-commands", "GetDeploymentLog", &commands.GetDeploymentLogInput{DeploymentId: &first, TargetId: aws.Ptr("i-1")})
	if err != nil {
		t.Fatal(err)
	}
	var text string
	for _, p := range whole.Parts {
		if *p.LifecycleEventName != "ApplicationStart" {
			t.Errorf("output of %s", *p.LifecycleEventName)
		}
		text += *p.Text
	}
	if n := strings.Count(text, "\n"); n != 2003 || !strings.Contains(text, " [stdout]starting\n") || !strings.HasSuffix(text, " [stdout]line 2000 ü\n") {
		t.Errorf("%d lines of output, ending %q", n, text[max(0, len(text)-100):])
	}
	if err := os.WriteFile(filepath.Join(dest, "broken"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := w.awaitStatus(w.deploy("v2"), api.DeploymentStatusFailed)
	want := "First failure: instance i-1, ApplicationStart, start.sh: ScriptFailed: Script at specified location: start.sh failed with exit code 3\n" +
		"LifecycleEvent - ApplicationStart\nScript - start.sh\n[stdout]starting"
	if !strings.HasSuffix(*d.ErrorInformation.Message, want) {
		t.Errorf("message %s", *d.ErrorInformation.Message)
	}
}

func TestSpecificationOfAGitHubRevision(t *testing.T) {
	d := &deployment{ID: "d-ABCDEFGHI", GroupID: "g", GroupName: "n", ApplicationName: "a", FileExists: api.FileExistsBehaviorRetain,
		Revision: &api.RevisionLocation{RevisionType: api.RevisionLocationTypeGitHub,
			GitHubLocation: &api.GitHubLocation{Repository: aws.Ptr("owner/site"), CommitId: aws.Ptr("c0ffee")}}}
	document, err := json.Marshal(d.specification())
	if err != nil {
		t.Fatal(err)
	}
	got, err := spec.Parse(document)
	if err != nil || got.Revision != (spec.Revision{Type: "GitHub", Account: "owner", Repository: "site", CommitID: "c0ffee", BundleType: "tar"}) || got.FileExists != "RETAIN" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDiagnosticsAreReadLeniently(t *testing.T) {
	tests := []struct {
		payload string
		want    event
	}{
		{`{"error_code":1,"script_name":"s","message":"m","log":"l"}`, event{Code: api.LifecycleErrorCodeScriptMissing, Script: "s", Message: "m", Log: "l"}},
		{`{"error_code":7,"message":"m"}`, event{Code: api.LifecycleErrorCodeUnknownError, Message: "m"}},
		{`{"error_code":"Unknown","message":"m"}`, event{Code: api.LifecycleErrorCodeUnknownError, Message: "m"}},
		{`no json`, event{Code: api.LifecycleErrorCodeUnknownError, Message: "no json"}},
	}
	for _, tc := range tests {
		if got := readDiagnostics(&commands.Envelope{Payload: &tc.payload}); got != tc.want {
			t.Errorf("%s: %+v", tc.payload, got)
		}
	}
	if got := readDiagnostics(nil); got != (event{}) {
		t.Errorf("none: %+v", got)
	}
}
