package cfn

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/guest/awsclient"
)

// Signal is cfn-signal. Its exit code says whether the signal was taken, not
// whether it told of success.
func (h *Helper) Signal(args []string) int {
	f, code, done := h.parseArgs("cfn-signal", args, connection, []option{
		{"success", "s", "SUCCESS", "true to signal success (the default), false to signal failure"},
		{"id", "i", "ID", "The unique id to send (default: the instance's)"},
		{"exit-code", "e", "EXIT_CODE", "An exit code that tells of success or failure"},
		{"reason", "r", "REASON", "The reason, for a wait condition handle"},
		{"data", "d", "DATA", "Data, for a wait condition handle"},
		{"stack", "", "STACK_NAME", "A CloudFormation stack"},
		{"resource", "", "LOGICAL_RESOURCE_ID", "The logical id of the resource to signal"},
		{"verbose", "v", "", "Log more"},
	})
	if done {
		return code
	}
	ctx := context.Background()
	toHandle := len(f.args) > 0 && f.args[0] != ""
	switch {
	case toHandle && f.has("resource"):
		return h.fail(said("Error: Cannot specify both a WaitConditionHandle URL and a logical resource id"))
	case toHandle:
		return h.signalHandle(ctx, f)
	case !f.has("resource"):
		return h.wrong(f, "No WaitConditionHandle URL or logical resource id specified")
	case f.text("stack") == "":
		return h.wrong(f, "You must specify a stack name when signaling a resource")
	}
	if err := h.signalResource(ctx, f); err != nil {
		return h.fail(err)
	}
	return 0
}

// signalStatus tells what to signal: an exit code of zero is success, any other
// is failure.
func signalStatus(f *flags) string {
	code, err := strconv.Atoi(strings.TrimSpace(f.text("exit-code")))
	if f.text("success") == "false" || err == nil && code != 0 {
		return "FAILURE"
	}
	return "SUCCESS"
}

// sender is who signals: the id given, the instance's, or the host's name off EC2.
func (h *Helper) sender(ctx context.Context, f *flags) string {
	if f.has("id") {
		return f.text("id")
	}
	if id, err := h.Metadata.Get(ctx, "meta-data/instance-id"); err == nil {
		return string(bytes.TrimSpace(id))
	}
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return name
}

func (h *Helper) signalResource(ctx context.Context, f *flags) error {
	s, err := h.connect(ctx, f)
	if err != nil {
		return err
	}
	_, err = s.call(ctx, "SignalResource", url.Values{"StackName": {f.text("stack")}, "LogicalResourceId": {f.text("resource")},
		"UniqueId": {h.sender(ctx, f)}, "Status": {signalStatus(f)}})
	return err
}

// signalHandle puts the signal to the presigned URL of a wait condition handle.
func (h *Helper) signalHandle(ctx context.Context, f *flags) int {
	target := f.args[0]
	if !isURL(target) {
		plain, err := base64.StdEncoding.DecodeString(target)
		if err != nil || !isURL(string(plain)) {
			return h.fail(said("Error: Invalid WaitConditionHandle URL specified: %s", target))
		}
		target = string(plain)
	}
	status, reason := signalStatus(f), f.text("reason")
	if reason == "" && status == "FAILURE" {
		reason = "Configuration failed."
	}
	body, err := json.Marshal(map[string]string{"Status": status, "Reason": reason, "UniqueId": h.sender(ctx, f), "Data": f.text("data")})
	if err != nil {
		return h.fail(err)
	}
	if err := h.put(ctx, target, body); err != nil {
		var answer *awsclient.Error
		if errors.As(err, &answer) {
			err = said("HTTP Error %d : %s: %s", answer.Status, answer.Code, answer.Message)
		}
		return h.fail(said("Error signaling CloudFormation: %w", err))
	}
	fmt.Fprintf(h.Stdout, "CloudFormation signaled successfully with %s.\n", status)
	return 0
}

func isURL(s string) bool { return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://") }

func (h *Helper) put(ctx context.Context, target string, body []byte) error {
	settings, err := awsclient.Load(ctx, awsclient.Options{Region: "us-east-1", Metadata: h.Metadata})
	if err != nil {
		return err
	}
	client, err := awsclient.New(settings, h.Clock)
	if err != nil {
		return err
	}
	// The URL is signed for an empty content type.
	resp, err := client.Do(ctx, awsclient.Request{Operation: "SignalWaitCondition", Method: http.MethodPut, URL: target,
		Header: http.Header{"Content-Type": {""}}, Body: bytes.NewReader(body), Unsigned: true})
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
