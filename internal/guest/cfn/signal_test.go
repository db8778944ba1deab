package cfn

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSignal(t *testing.T) {
	h := newHost(t)
	const at = " --stack s --resource R --region eu-west-1 --url URL"
	tests := []struct{ line, want string }{
		{"cfn-signal -e 0" + at, "s R i-0abc SUCCESS"},
		{"cfn-signal -e 3" + at, "s R i-0abc FAILURE"},
		{"cfn-signal --exit-code=1" + at, "s R i-0abc FAILURE"},
		{"cfn-signal -s true -i me" + at, "s R me SUCCESS"},
		{"cfn-signal --success false" + at, "s R i-0abc FAILURE"},
		{"cfn-signal" + at, "s R i-0abc SUCCESS"},
		{"cfn-signal -e0 -s false" + at, "s R i-0abc FAILURE"},
		{"cfn-signal -ve 0 --exit 0" + at, "s R i-0abc SUCCESS"},
	}
	for _, tt := range tests {
		h.signals = nil
		h.run(t, tt.line, 0, "")
		if got := strings.Join(h.signals, ","); got != tt.want {
			t.Errorf("%s: signalled %q, want %q", tt.line, got, tt.want)
		}
	}
	doc := base64.StdEncoding.EncodeToString([]byte(`{"instanceId":"i-0abc"}`))
	if h.auth != "CFN_V1 "+doc+":c2lnbmF0" {
		t.Errorf("Authorization %q", h.auth)
	}
	if log, err := os.ReadFile(h.Root.Path(wireLog)); err != nil || !strings.Contains(string(log), "Action=SignalResource") ||
		!strings.Contains(string(log), "[DEBUG] Response: 200 OK\n") || strings.Contains(string(log), doc) {
		t.Errorf("wire log %q, %v", log, err)
	}
	h.run(t, "cfn-signal -e 0 --role web"+at, 0, "")
	if !strings.HasPrefix(h.auth, "AWS4-HMAC-SHA256 Credential=ASIAROLE/") || !strings.Contains(h.auth, "/eu-west-1/cloudformation/") {
		t.Errorf("Authorization %q", h.auth)
	}
	h.run(t, "cfn-signal -e 0 --access-key AKIAX --secret-key s"+at, 0, "")
	if !strings.Contains(h.auth, "AKIAX") {
		t.Errorf("Authorization %q", h.auth)
	}
	for _, tt := range []struct {
		line string
		code int
		want string
	}{
		{"cfn-signal -e 0 --stack s", 1, "Error: No WaitConditionHandle URL or logical resource id specified"},
		{"cfn-signal -e 0 --resource R", 1, "Error: You must specify a stack name when signaling a resource\nUsage: cfn-signal"},
		{"cfn-signal -e 0", 1, "Error: No WaitConditionHandle URL or logical resource id specified"},
		{"cfn-signal http://x" + at, 1, "Error: Cannot specify both a WaitConditionHandle URL and a logical resource id"},
		{"cfn-signal -e x" + at, 2, "cfn-signal: error: option -e: invalid integer value: 'x'"},
		{"cfn-signal --success=maybe" + at, 2, "error: option --success: invalid choice: 'maybe' (choose from 'true', 'false')"},
		{"cfn-signal --odd" + at, 2, "no such option: --odd"},
		{"cfn-signal --re" + at, 2, "ambiguous option: --re (--reason, --region, --resource?)"},
		{"cfn-signal --stack", 2, "--stack option requires 1 argument"},
		{"cfn-signal --access-key AKIAX" + at, 1, "must be given together"},
		{"cfn-signal --help", 0, "-e, --exit-code=EXIT_CODE"},
		{"cfn-signal --version", 0, version},
	} {
		h.run(t, tt.line, tt.code, tt.want)
	}
	h.refuse = "Resource R is in CREATE_COMPLETE state and cannot be signaled"
	h.run(t, "cfn-signal -e 0"+at, 1, "ValidationError: Resource R is in CREATE_COMPLETE state")
}

func TestSignalHandle(t *testing.T) {
	h := newHost(t)
	h.run(t, "cfn-signal -e 1 -d data URL/handle?X=1", 0, "CloudFormation signaled successfully with FAILURE.\n")
	want := `[""] {"Data":"data","Reason":"Configuration failed.","Status":"FAILURE","UniqueId":"i-0abc"}`
	if len(h.puts) != 1 || h.puts[0] != want {
		t.Errorf("put %q", h.puts)
	}
	h.run(t, "cfn-signal -r done "+base64.StdEncoding.EncodeToString([]byte(h.url+"/handle")), 0, "")
	if len(h.puts) != 2 || !strings.Contains(h.puts[1], `"Reason":"done","Status":"SUCCESS"`) {
		t.Errorf("put %q", h.puts)
	}
	h.run(t, "cfn-signal -e 0 nonsense", 1, "Error: Invalid WaitConditionHandle URL specified: nonsense")
}

func TestGetMetadata(t *testing.T) {
	h := newHost(t)
	h.metadata = `{"a":{"b":["x"],"c":"text"},"d.e":"dotted","n":1.50}`
	h.run(t, "cfn-get-metadata -s s -r R -u URL", 0, `"b": [`)
	h.run(t, "cfn-get-metadata -s s -r R -u URL -k a.c", 0, "text\n")
	h.run(t, "cfn-get-metadata -s s -r R -u URL -k a.z", 1, "Error: a.z is not present in the metadata for R")
	h.run(t, `cfn-get-metadata -s s -r R -u URL -k d\.e`, 0, "dotted\n")
	h.run(t, "cfn-get-metadata -s s", 1, "both a stack name and logical resource id")
	h.metadata = ""
	h.run(t, "cfn-get-metadata -s s -r R -u URL", 1, "Error: R does not specify any metadata")
}

// A file of credentials is used only when nobody else can read it.
func TestCredentialFile(t *testing.T) {
	h := newHost(t)
	file := filepath.Join(t.TempDir(), "keys")
	write(t, file, "AWSAccessKeyId=AKIAFILE\nAWSSecretKey=s\n")
	line := "cfn-signal --stack s --resource R --url URL -f " + file
	h.run(t, line, 1, "Error retrieving credentials from file:\n\tCredential file cannot be accessible by group or other. Please chmod 600")
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	h.run(t, line, 0, "")
	if !strings.Contains(h.auth, "Credential=AKIAFILE/") {
		t.Errorf("Authorization %q", h.auth)
	}
	h.run(t, "cfn-signal --stack s --resource R --url URL -f /absent", 1, "Credential file was not found at /absent")
}
