package codedeploy

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/agent/spec"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
)

// flavour is what tells the official agents apart on the wire. The signatures
// are made here, from the list of headers that each agent signs, and not by the
// code that our own agent signs with.
type flavour struct {
	name, prefix, service, version string
	hash                           bool // sends X-Amz-Content-Sha256
	noop                           bool // reads the appspec to say so
	twice                          bool // repeats a failed completion
}

var flavours = []flavour{
	{"1.8.1", "CodeDeployCommandService_v20141006", "codedeploy-commands", "OFFICIAL_1.8.1-9_deb", true, true, true},
	{"1.8.1 with enable_auth_policy", "CodeDeployCommandService", "codedeploy-commands-secure", "OFFICIAL_1.8.1-9_deb", true, true, true},
	{"1.8.1 with use_mock_command_service", "ApolloDeployControlService_mock", "codedeploy-commands", "OFFICIAL_1.8.1-9_deb", true, true, true},
	{"2.1.0", "CodeDeployCommandService_v20141006", "codedeploy-commands", "2.1.0", false, false, false},
	{"2.1.0 with enable_auth_policy", "CodeDeployCommandService", "codedeploy-commands-secure", "2.1.0", false, false, false},
}

// recorder sends the requests of an official agent to a server.
type recorder struct {
	flavour
	t              *testing.T
	endpoint, host string // host is the access key id too
}

// answer is a reply; doc is nil unless the body is a JSON object.
type answer struct {
	status int
	body   string
	doc    map[string]any
}

func (r *recorder) request(ctx context.Context, op, body string) *http.Request {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.endpoint+"/", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	now := time.Now().UTC()
	signed := map[string]string{
		"content-type": "application/x-amz-json-1.1", "host": req.URL.Host, "x-amz-codedeploy-agent-version": r.version,
		"x-amz-date": now.Format("20060102T150405Z"), "x-amz-target": r.prefix + "." + op, "x-amz-security-token": "token",
	}
	hash := sha256.Sum256([]byte(body))
	if r.hash {
		signed["x-amz-content-sha256"] = hex.EncodeToString(hash[:])
	}
	var names []string
	for name, v := range signed {
		names = append(names, name)
		if name != "host" {
			req.Header.Set(name, v)
		}
	}
	slices.Sort(names)
	canonical := "POST\n/\n\n"
	for _, n := range names {
		canonical += n + ":" + signed[n] + "\n"
	}
	canonical += "\n" + strings.Join(names, ";") + "\n" + hex.EncodeToString(hash[:])
	digest := sha256.Sum256([]byte(canonical))
	scope := now.Format("20060102") + "/" + region + "/" + r.service + "/aws4_request"
	key := []byte("AWS4secret")
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	signature := mac(key, "AWS4-HMAC-SHA256\n"+signed["x-amz-date"]+"\n"+scope+"\n"+hex.EncodeToString(digest[:]))
	req.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%x", r.host, scope, strings.Join(names, ";"), signature))
	req.Header.Set("Accept-Encoding", "")
	return req
}

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

func (r *recorder) send(ctx context.Context, op string, in map[string]any) answer {
	r.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		r.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r.request(ctx, op, string(body)))
	if err != nil {
		if ctx.Err() == nil {
			r.t.Error(err)
		}
		return answer{}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Error(err)
	}
	a := answer{status: resp.StatusCode, body: string(text)}
	if a.status == http.StatusTooManyRequests || a.status >= 500 {
		r.t.Errorf("%s answered %d, which makes agents stay away", op, a.status)
	}
	if json.Unmarshal(text, &a.doc) != nil {
		r.t.Errorf("%s answered %q, which is no JSON object: agents 2.x take that for an error", op, text)
	}
	return a
}

// ok sends a request that must succeed.
func (r *recorder) ok(op string, in map[string]any) map[string]any {
	r.t.Helper()
	a := r.send(r.t.Context(), op, in)
	if a.status != http.StatusOK {
		r.t.Fatalf("%s: %d %s", op, a.status, a.body)
	}
	return a.doc
}

// poll returns the command that the host is given, checked as both agents do.
func (r *recorder) poll() (id, name, execution string) {
	r.t.Helper()
	cmd, _ := r.ok("PollHostCommand", map[string]any{"HostIdentifier": *hostARN(r.host)})["HostCommand"].(map[string]any)
	for _, member := range []string{"HostCommandIdentifier", "HostIdentifier", "DeploymentExecutionId", "CommandName"} {
		if text, _ := cmd[member].(string); text == "" {
			r.t.Fatalf("HostCommand %v lacks %s", cmd, member)
		}
	}
	if !strings.Contains(*hostARN(r.host), cmd["HostIdentifier"].(string)) || strings.Count(cmd["DeploymentExecutionId"].(string), "/") < 3 {
		r.t.Fatalf("HostCommand %v", cmd)
	}
	if nonce, ok := cmd["Nonce"].(float64); !ok || nonce != float64(int64(nonce)) {
		r.t.Fatalf("Nonce %v is no integer", cmd["Nonce"])
	}
	return cmd["HostCommandIdentifier"].(string), cmd["CommandName"].(string), cmd["DeploymentExecutionId"].(string)
}

// specification fetches and opens the specification, as 2.x does: the signature
// must hold and the signer's certificate must be inside.
func (r *recorder) specification(w *world, execution string) *spec.Spec {
	r.t.Helper()
	doc := r.ok("GetDeploymentSpecification", map[string]any{"DeploymentExecutionId": execution, "HostIdentifier": *hostARN(r.host)})
	if doc["DeploymentSystem"] != "CodeDeploy" {
		r.t.Fatalf("DeploymentSystem %v", doc["DeploymentSystem"])
	}
	env, _ := doc["DeploymentSpecification"].(map[string]any)["GenericEnvelope"].(map[string]any)
	if env["Format"] != "PKCS7/JSON" || !strings.HasPrefix(env["Payload"].(string), "-----BEGIN PKCS7-----\n") {
		r.t.Fatalf("envelope %v", env)
	}
	content, err := w.verifier().Open(&spec.Envelope{Format: env["Format"].(string), Payload: env["Payload"].(string)})
	if err != nil {
		r.t.Fatal(err)
	}
	// 1.8 as a daemon cannot read a list of events: its Install would fail.
	if bytes.Contains(content, []byte("AllPossibleLifecycleEvents")) {
		r.t.Fatalf("the specification lists events by AWS's name: %s", content)
	}
	s, err := spec.Parse(content)
	if err != nil {
		r.t.Fatal(err)
	}
	if len(s.KnownEvents) == 0 {
		r.t.Fatalf("our agent is not told the events: %s", content)
	}
	return s
}

func (r *recorder) acknowledge(id string, noop bool) string {
	r.t.Helper()
	status, _ := r.ok("PutHostCommandAcknowledgement", map[string]any{"HostCommandIdentifier": id,
		"Diagnostics": map[string]any{"Format": "JSON", "Payload": fmt.Sprintf(`{"IsCommandNoop":%t}`, noop)}})["CommandStatus"].(string)
	return status
}

func (r *recorder) complete(id, status string, code int, message, log string) answer {
	r.t.Helper()
	payload, err := json.Marshal(map[string]any{"error_code": code, "script_name": "", "message": message, "log": log})
	if err != nil {
		r.t.Fatal(err)
	}
	return r.send(r.t.Context(), "PutHostCommandComplete", map[string]any{"HostCommandIdentifier": id, "CommandStatus": status,
		"Diagnostics": map[string]any{"Format": "JSON", "Payload": string(payload)}})
}

// run takes one command through its life.
func (r *recorder) run(w *world) (id, name string) {
	r.t.Helper()
	id, name, execution := r.poll()
	if s := r.specification(w, execution); s.Revision.Key != "v1" {
		r.t.Fatalf("specification %+v", s)
	}
	noop := r.noop && name != "DownloadBundle" && name != "Install"
	if status := r.acknowledge(id, noop); status != "InProgress" {
		r.t.Fatalf("acknowledgement of %s answered %q: the agent would not run it", name, status)
	}
	if a := r.complete(id, "Succeeded", 0, "Succeeded: ", ""); a.status != http.StatusOK {
		r.t.Fatalf("completion: %+v", a)
	}
	return id, name
}

func recorders(t *testing.T, run func(t *testing.T, w *world, r *recorder)) {
	for _, f := range flavours {
		t.Run(f.name, func(t *testing.T) {
			w := newWorld(t, "i-1")
			w.setUp()
			run(t, w, &recorder{flavour: f, t: t, endpoint: w.serve(), host: "i-1"})
		})
	}
}

func TestOfficialAgentsDeploy(t *testing.T) {
	recorders(t, func(t *testing.T, w *world, r *recorder) {
		id := w.deploy("v1")
		var ran []string
		for range 7 {
			_, name := r.run(w)
			ran = append(ran, name)
		}
		w.awaitStatus(id, api.DeploymentStatusSucceeded)
		if want := []string{"ApplicationStop", "DownloadBundle", "BeforeInstall", "Install", "AfterInstall", "ApplicationStart", "ValidateService"}; !slices.Equal(ran, want) {
			t.Errorf("ran %q", ran)
		}
	})
}

func TestOfficialAgentsFail(t *testing.T) {
	recorders(t, func(t *testing.T, w *world, r *recorder) {
		id := w.deploy("v1")
		r.run(w)
		command, name, _ := r.poll()
		r.acknowledge(command, false)
		if a := r.complete(command, "Failed", 4, "the first", "[stdout]out\n"); a.status != http.StatusOK {
			t.Errorf("completion %+v", a)
		}
		if r.twice {
			if a := r.complete(command, "Failed", 5, "the first", ""); a.status != http.StatusOK {
				t.Errorf("second completion %+v", a)
			}
		}
		// What was reported stays, whatever comes later.
		if a := r.complete(command, "Succeeded", 0, "Succeeded", ""); a.status != http.StatusOK {
			t.Errorf("third completion %+v", a)
		}
		w.awaitStatus(id, api.DeploymentStatusFailed)
		for _, e := range w.target(id, "i-1").LifecycleEvents {
			if *e.LifecycleEventName == name && (e.Diagnostics.ErrorCode != api.LifecycleErrorCodeScriptFailed || *e.Diagnostics.LogTail != "[stdout]out\n") {
				t.Errorf("diagnostics %+v", e.Diagnostics)
			}
		}
		if status := r.acknowledge(command, false); status != "Failed" {
			t.Errorf("late acknowledgement answered %q: the agent would run the command", status)
		}
	})
}

// A bad appspec makes 1.8.1 report a failure of a command it never acknowledged.
func TestCompletionWithoutAcknowledgement(t *testing.T) {
	recorders(t, func(t *testing.T, w *world, r *recorder) {
		id := w.deploy("v1")
		command, _, _ := r.poll()
		if a := r.complete(command, "Failed", 5, "bad appspec", ""); a.status != http.StatusOK {
			t.Errorf("completion %+v", a)
		}
		d := w.awaitStatus(id, api.DeploymentStatusFailed)
		if !strings.Contains(*d.ErrorInformation.Message, "ApplicationStop: UnknownError: bad appspec") {
			t.Errorf("message %s", *d.ErrorInformation.Message)
		}
	})
}

// Agents poll while a command runs, and are not given it again.
func TestPollWhileACommandRuns(t *testing.T) {
	recorders(t, func(t *testing.T, w *world, r *recorder) {
		w.deploy("v1")
		command, _, _ := r.poll()
		r.acknowledge(command, false)
		polled := make(chan answer, 1)
		go func() {
			polled <- r.send(t.Context(), "PollHostCommand", map[string]any{"HostIdentifier": *hostARN("i-1")})
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		// Three waits: the worker's, the first poll's that was answered, and this.
		if err := w.clock.BlockUntil(ctx, 3); err != nil {
			t.Fatal(err)
		}
		r.complete(command, "Succeeded", 0, "Succeeded", "")
		a := <-polled // the held poll gets what comes next, at once
		cmd, _ := a.doc["HostCommand"].(map[string]any)
		if cmd["CommandName"] != "DownloadBundle" {
			t.Errorf("the held poll answered %s", a.body)
		}
	})
}

// At its start an agent fails what it ran when it ended, for deployments that
// nobody may remember. 2.x asks again at each start until it hears 200.
func TestCompletionsAfterARestart(t *testing.T) {
	recorders(t, func(t *testing.T, w *world, r *recorder) {
		id := w.deploy("v1")
		command, _, _ := r.poll()
		r.acknowledge(command, false)
		const message = "Failed: Failing in-progress lifecycle event after an agent restart."
		for _, c := range []string{command, command, "d-ABCDEFGHI:i-1:3", "of another service"} {
			if a := r.complete(c, "Failed", 7, message, ""); a.status != http.StatusOK {
				t.Errorf("%s: %+v", c, a)
			}
		}
		w.awaitStatus(id, api.DeploymentStatusFailed)
		if got := *w.target(id, "i-1").LifecycleEvents[0].Diagnostics.Message; got != message {
			t.Errorf("message %q", got)
		}
	})
}

// Errors carry their code in the body, where 2.x looks for it.
func TestErrorsOfTheHostAPI(t *testing.T) {
	recorders(t, func(t *testing.T, w *world, r *recorder) {
		w.setState("i-2", "running")
		for name, tc := range map[string]struct{ op, member, value, want string }{
			"for another host":     {"PollHostCommand", "HostIdentifier", *hostARN("i-2"), "AccessDeniedException"},
			"another's command":    {"PutHostCommandAcknowledgement", "HostCommandIdentifier", "d-ABCDEFGHI:i-2:0", "AccessDeniedException"},
			"an unknown command":   {"PutHostCommandAcknowledgement", "HostCommandIdentifier", "d-ABCDEFGHI:i-1:0", "ClientException"},
			"an unknown operation": {"PullHostCommand", "HostIdentifier", *hostARN("i-1"), "UnknownOperationException"},
		} {
			a := r.send(t.Context(), tc.op, map[string]any{tc.member: tc.value})
			code, _ := a.doc["__type"].(string)
			if a.status/100 != 4 || code[strings.LastIndexByte(code, '#')+1:] != tc.want {
				t.Errorf("%s: %d %s, want %s", name, a.status, a.body, tc.want)
			}
		}
		req := r.request(t.Context(), "PollHostCommand", `{}`)
		req.Body = io.NopCloser(bytes.NewReader([]byte(`{"HostIdentifier":"x"}`)))
		req.ContentLength = 22
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode/100 != 4 {
			t.Errorf("a body that was changed after signing: %s", resp.Status)
		}
	})
}
