// Package poll is the agent's side of the host command API: it asks for
// commands, acknowledges them, has them executed and reports their end.
//
// Flow: Loop.Run (loop.go) polls and starts one goroutine per command;
// process.go takes a command from its specification to its completion;
// client.go signs and sends; backoff.go says how long to wait.
package poll

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/hardstand/hardstand/internal/agent/sentence"
	"github.com/hardstand/hardstand/internal/agent/spec"
	"github.com/hardstand/hardstand/internal/aws/sign"
	"github.com/hardstand/hardstand/internal/clock"
)

// Credentials gives the keys to sign with, and forgets refused ones.
type Credentials interface {
	Get(ctx context.Context) (sign.Credentials, error)
	Forget()
}

// Client calls the host command API.
type Client struct {
	HTTP        *http.Client
	Endpoint    string // URL
	Secure      bool   // the flavour with IAM permissions
	Region      string
	Host        string // host identifier
	Version     string // agent version
	Credentials Credentials
	Clock       clock.Clock
}

// Command is one command for this host.
type Command struct {
	HostCommandIdentifier string
	HostIdentifier        string
	DeploymentExecutionID string `json:"DeploymentExecutionId"`
	CommandName           string
	Nonce                 int64
}

// Status is the state of a command.
type Status string

// The states of a command.
const (
	Pending    Status = "Pending"
	InProgress Status = "InProgress"
	Succeeded  Status = "Succeeded"
	Failed     Status = "Failed"
)

// APIError is an answer that is not a success.
type APIError struct {
	Status  int
	Code    string
	Message string
}

func (e *APIError) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("the service answered %d", e.Status)
	}
	return e.Code + ": " + e.Message
}

// Throttled reports whether the service asks to slow down.
func (e *APIError) Throttled() bool {
	switch e.Code {
	case "ThrottlingException", "TooManyRequestsException", "Throttling", "RequestThrottled", "RequestThrottledException":
		return true
	}
	return e.Status == http.StatusTooManyRequests || strings.Contains(strings.ToLower(e.Message), "rate exceeded")
}

// final reports an answer that a repetition cannot change.
func (e *APIError) final() bool { return e.Status >= 400 && e.Status < 500 && !e.Throttled() }

// Poll asks for a command; nil means there is none. The service may hold the
// request open.
func (c *Client) Poll(ctx context.Context) (*Command, error) {
	var out struct{ HostCommand *Command }
	if err := c.call(ctx, "PollHostCommand", map[string]any{"HostIdentifier": c.Host}, &out); err != nil {
		return nil, err
	}
	cmd := out.HostCommand
	switch {
	case cmd == nil:
		return nil, nil
	case !strings.Contains(c.Host, cmd.HostIdentifier):
		return nil, sentence.Errorf("Host Identifier mismatch: %s != %s", c.Host, cmd.HostIdentifier)
	case cmd.CommandName == "":
		return nil, sentence.Errorf("Command Name missing")
	}
	return cmd, nil
}

// Specification returns the envelope that holds cmd's deployment specification.
func (c *Client) Specification(ctx context.Context, cmd *Command) (*spec.Envelope, error) {
	var out struct {
		DeploymentSystem        string
		DeploymentSpecification *struct{ GenericEnvelope *spec.Envelope }
	}
	in := map[string]any{"DeploymentExecutionId": cmd.DeploymentExecutionID, "HostIdentifier": c.Host}
	if err := c.call(ctx, "GetDeploymentSpecification", in, &out); err != nil {
		return nil, err
	}
	if out.DeploymentSystem != "CodeDeploy" {
		return nil, sentence.Errorf("Deployment System mismatch: CodeDeploy != %s", out.DeploymentSystem)
	}
	if out.DeploymentSpecification == nil {
		return nil, sentence.Errorf("Deployment Specification missing")
	}
	return out.DeploymentSpecification.GenericEnvelope, nil
}

// Acknowledge tells the service that the command arrived, and whether there is
// anything to do for it.
func (c *Client) Acknowledge(ctx context.Context, cmd *Command, noop bool) (Status, error) {
	var out struct{ CommandStatus Status }
	in := map[string]any{
		"HostCommandIdentifier": cmd.HostCommandIdentifier,
		"Diagnostics":           spec.Envelope{Format: "JSON", Payload: fmt.Sprintf(`{"IsCommandNoop":%t}`, noop)},
	}
	err := c.call(ctx, "PutHostCommandAcknowledgement", in, &out)
	return out.CommandStatus, err
}

// Complete reports the end of a command.
func (c *Client) Complete(ctx context.Context, id string, status Status, d Diagnostics) error {
	in := map[string]any{
		"HostCommandIdentifier": id, "CommandStatus": status,
		"Diagnostics": spec.Envelope{Format: "JSON", Payload: d.payload()},
	}
	return c.call(ctx, "PutHostCommandComplete", in, nil)
}

// product begins our User-Agent. hardstand's service knows by it that this agent
// always has a poll open, and soon misses one that is gone.
const product = "hardstand-agent/"

// LogFormat is the format of the envelope that carries output of scripts. It is
// an extension of hardstand's service, which asks for it in the specification;
// AWS's never gets one.
const LogFormat = "TEXT/LOG"

// SendLog tells the service what a script has written since.
func (c *Client) SendLog(ctx context.Context, id, text string) error {
	return c.call(ctx, "PostHostCommandUpdate", map[string]any{
		"HostCommandIdentifier": id, "Diagnostics": spec.Envelope{Format: LogFormat, Payload: text},
	}, nil)
}

// maxAnswer bounds an answer; a specification is a few kilobytes.
const maxAnswer = 4 << 20

func (c *Client) call(ctx context.Context, op string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.Endpoint, "/")+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	prefix, service := "CodeDeployCommandService_v20141006", "codedeploy-commands"
	if c.Secure {
		prefix, service = "CodeDeployCommandService", "codedeploy-commands-secure"
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", prefix+"."+op)
	req.Header.Set("X-Amz-Codedeploy-Agent-Version", c.Version)
	req.Header.Set("User-Agent", product+c.Version)
	keys, err := c.Credentials.Get(ctx)
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	sign.Request(req, keys, service, c.Region, sign.Hash(body), c.Clock.Now())
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %w", op, c.refused(resp, answer))
	}
	if out == nil || len(bytes.TrimSpace(answer)) == 0 {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s: answer is not what was expected: %w", op, err)
	}
	return nil
}

// refused reads an error answer. __type may carry a namespace before # and a URL
// after a colon.
func (c *Client) refused(resp *http.Response, body []byte) error {
	var doc struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(body, &doc) // an answer that is no JSON leaves the status
	code := doc.Type
	if code == "" {
		code = resp.Header.Get("X-Amzn-Errortype")
	}
	code = code[strings.LastIndexByte(code, '#')+1:]
	code, _, _ = strings.Cut(code, ":")
	switch code {
	case "ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidSignatureException", "InvalidClientTokenId":
		c.Credentials.Forget()
	}
	return &APIError{resp.StatusCode, code, doc.Message}
}

// Diagnostics is what the service is told about the end of a command.
type Diagnostics struct {
	Code    int
	Script  string
	Message string
	Log     string
}

// maxPayload is the model's limit.
const maxPayload = 8192

// payload halves the longest of the texts until the document fits: of the log the
// end counts, of the others the beginning.
func (d Diagnostics) payload() string {
	for {
		text, err := json.Marshal(struct {
			Code    int    `json:"error_code"`
			Script  string `json:"script_name"`
			Message string `json:"message"`
			Log     string `json:"log"`
		}{d.Code, d.Script, d.Message, d.Log})
		if err == nil && len(text) <= maxPayload {
			return string(text)
		}
		switch longest := max(len(d.Script), len(d.Message), len(d.Log)); longest {
		case len(d.Log):
			d.Log = strings.ToValidUTF8(d.Log[(longest+1)/2:], "")
		case len(d.Message):
			d.Message = strings.ToValidUTF8(d.Message[:longest/2], "")
		default:
			d.Script = strings.ToValidUTF8(d.Script[:longest/2], "")
		}
	}
}
