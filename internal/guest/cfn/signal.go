package cfn

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
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
	f, err := parseFlags(args, with(connection, map[string]string{"success": "s", "exit-code": "e", "id": "i", "reason": "r", "data": "d",
		"stack": "", "resource": ""}), map[string]string{"verbose": "v", "version": "", "help": "h"})
	if err != nil {
		fmt.Fprintf(h.Stderr, "Usage: cfn-signal [options] [WaitConditionHandle URL]\ncfn-signal: error: %v\n", err)
		return 2
	}
	status, err := signalStatus(f)
	if err != nil {
		return h.fail(err)
	}
	ctx := context.Background()
	id := f.text("id")
	if id == "" {
		id = h.ownName(ctx)
	}
	switch {
	case f.text("stack") != "" || f.text("resource") != "":
		if f.text("stack") == "" || f.text("resource") == "" {
			return h.fail(said("Error: you must specify both a stack name and a logical resource id"))
		}
		err = h.signalResource(ctx, f, id, status)
	case len(f.args) == 1:
		err = h.signalHandle(ctx, f, id, status)
	default:
		return h.fail(said("Error: no stack and resource, and no WaitConditionHandle URL specified"))
	}
	if err != nil {
		return h.fail(err)
	}
	if f.has("verbose") {
		fmt.Fprintf(h.Stdout, "signaled %s as %s\n", status, id)
	}
	return 0
}

// signalStatus tells what to signal: an exit code of zero is success, any other
// is failure.
func signalStatus(f *flags) (string, error) {
	success := true
	if v, ok := f.values["success"]; ok {
		switch strings.ToLower(v) {
		case "true", "yes", "1":
		default:
			success = false
		}
	}
	if v, ok := f.values["exit-code"]; ok {
		code, err := strconv.Atoi(strings.TrimSpace(v))
		if err != nil {
			return "", said("Error: invalid exit code %q", v)
		}
		success = success && code == 0
	}
	if success {
		return "SUCCESS", nil
	}
	return "FAILURE", nil
}

// ownName is who signals: the instance's id, or the host's name off EC2.
func (h *Helper) ownName(ctx context.Context) string {
	if id, err := h.Metadata.Get(ctx, "meta-data/instance-id"); err == nil {
		return string(bytes.TrimSpace(id))
	}
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return name
}

func (h *Helper) signalResource(ctx context.Context, f *flags, id, status string) error {
	s, err := h.connect(ctx, f)
	if err != nil {
		return err
	}
	_, err = s.call(ctx, "SignalResource", url.Values{"StackName": {f.text("stack")}, "LogicalResourceId": {f.text("resource")},
		"UniqueId": {id}, "Status": {status}})
	return err
}

// signalHandle puts the signal to the presigned URL of a wait condition handle.
func (h *Helper) signalHandle(ctx context.Context, f *flags, id, status string) error {
	target := f.args[0]
	if !strings.HasPrefix(target, "http") {
		plain, err := base64.StdEncoding.DecodeString(target)
		if err != nil || !strings.HasPrefix(string(plain), "http") {
			return said("Error: invalid WaitConditionHandle URL: %s", target)
		}
		target = string(plain)
	}
	reason := f.text("reason")
	if reason == "" && status == "FAILURE" {
		reason = "Configuration failed."
	}
	body, err := json.Marshal(map[string]string{"Status": status, "Reason": reason, "UniqueId": id, "Data": f.text("data")})
	if err != nil {
		return err
	}
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

// GetMetadata is cfn-get-metadata.
func (h *Helper) GetMetadata(args []string) int {
	f, err := parseFlags(args, with(connection, map[string]string{"stack": "s", "resource": "r", "key": "k"}),
		map[string]string{"verbose": "v", "version": "", "help": "h"})
	if err != nil {
		fmt.Fprintf(h.Stderr, "Usage: cfn-get-metadata [options]\ncfn-get-metadata: error: %v\n", err)
		return 2
	}
	metadata, err := h.fetch(context.Background(), f)
	if err != nil {
		return h.fail(err)
	}
	var value any = metadata
	if key := f.text("key"); key != "" {
		for part := range strings.SplitSeq(key, ".") {
			m, _ := value.(map[string]any)
			v, ok := m[part]
			if !ok {
				return h.fail(said("Error: %s is not present in the metadata for %s", key, f.text("resource")))
			}
			value = v
		}
	}
	if text, ok := value.(string); ok {
		fmt.Fprintln(h.Stdout, text)
		return 0
	}
	enc := json.NewEncoder(h.Stdout)
	enc.SetIndent("", "    ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return h.fail(err)
	}
	return 0
}

// fetch returns the metadata of the resource that the command line names.
func (h *Helper) fetch(ctx context.Context, f *flags) (map[string]any, error) {
	if f.text("stack") == "" || f.text("resource") == "" {
		return nil, said("Error: You must specify both a stack name and logical resource id")
	}
	s, err := h.connect(ctx, f)
	if err != nil {
		return nil, err
	}
	r, err := s.describe(ctx, f.text("stack"), f.text("resource"))
	if err != nil {
		return nil, err
	}
	if r.metadata == nil {
		return nil, said("Error: %s does not specify any metadata", f.text("resource"))
	}
	return r.metadata, nil
}
