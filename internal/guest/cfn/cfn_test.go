package cfn

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/imdsclient"
)

// host is an instance of a stack: its metadata service, CloudFormation and some
// files to download, all on one server.
type host struct {
	*Helper
	url       string
	out, errs bytes.Buffer
	metadata  string
	signals   []string
	puts      []string
	auth      string
	files     map[string]string
	refuse    string
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{files: map[string]string{}}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	h.url = srv.URL
	root := guest.Root(t.TempDir())
	for p, content := range map[string]string{
		"/etc/passwd": "root:x:0:0::/root:/bin/sh\n", "/etc/group": "root:x:0:\n", "/etc/shadow": "", "/bin/keep": "",
	} {
		write(t, root.Path(p), content)
	}
	t.Setenv("HOME", t.TempDir())
	for _, v := range []string{"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL"} {
		t.Setenv(v, "")
	}
	h.Helper = &Helper{Root: root, Stdin: strings.NewReader(""), Stdout: &h.out, Stderr: &h.errs, Clock: clock.System{},
		Metadata: imdsclient.New(srv.URL), Path: root.Path("/bin") + ":/usr/bin:/bin"}
	return h
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	imds := map[string]string{
		"/latest/meta-data/instance-id":                  "i-0abc",
		"/latest/dynamic/instance-identity/document":     `{"instanceId":"i-0abc"}`,
		"/latest/dynamic/instance-identity/signature":    "c2ln\nbmF0\n",
		"/latest/meta-data/iam/security-credentials/web": `{"AccessKeyId":"ASIAROLE","SecretAccessKey":"s","Token":"t"}`,
	}
	switch answer, ok := imds[r.URL.Path]; {
	case r.URL.Path == "/latest/api/token":
		io.WriteString(w, "T")
	case ok:
		io.WriteString(w, answer)
	case r.Method == http.MethodPut:
		body, _ := io.ReadAll(r.Body)
		h.puts = append(h.puts, fmt.Sprintf("%q %s", r.Header["Content-Type"], body))
	case strings.HasPrefix(r.URL.Path, "/files/") || strings.HasPrefix(r.URL.Path, "/bucket/"):
		h.auth = r.Header.Get("Authorization")
		content, ok := h.files[r.URL.Path]
		if to, moved := strings.CutPrefix(content, "-> "); moved {
			http.Redirect(w, r, to, http.StatusFound)
		} else if !ok {
			w.WriteHeader(http.StatusNotFound)
		} else {
			io.WriteString(w, content)
		}
	default:
		h.cloudFormation(w, r)
	}
}

func (h *host) cloudFormation(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	h.auth = r.Header.Get("Authorization")
	if h.refuse != "" {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"Error":{"Code":"ValidationError","Message":%q}}`, h.refuse)
		return
	}
	switch q.Get("Action") {
	case "SignalResource":
		h.signals = append(h.signals, q.Get("StackName")+" "+q.Get("LogicalResourceId")+" "+q.Get("UniqueId")+" "+q.Get("Status"))
		io.WriteString(w, `{"SignalResourceResponse":{"ResponseMetadata":{"RequestId":"r"}}}`)
	case "DescribeStackResource":
		metadata, _ := json.Marshal(h.metadata)
		fmt.Fprintf(w, `{"DescribeStackResourceResponse":{"DescribeStackResourceResult":{"StackResourceDetail":{"PhysicalResourceId":"i-0abc","Metadata":%s}}}}`, metadata)
	}
}

func (h *host) run(t *testing.T, line string, code int, want string) {
	t.Helper()
	h.out.Reset()
	h.errs.Reset()
	words := strings.Fields(strings.ReplaceAll(line, "URL", h.url))
	run := map[string]func([]string) int{"cfn-signal": h.Signal, "cfn-init": h.Init, "cfn-get-metadata": h.GetMetadata, "cfn-hup": h.Hup}[words[0]]
	got := run(words[1:])
	printed := h.out.String() + h.errs.String()
	if got != code || !strings.Contains(printed, want) {
		t.Errorf("%s: exit %d, want %d, and %q in\n%s", line, got, code, want, printed)
	}
}

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
	h.run(t, "cfn-signal -e 0 --role web"+at, 0, "")
	if !strings.HasPrefix(h.auth, "AWS4-HMAC-SHA256 Credential=ASIAROLE/") || !strings.Contains(h.auth, "/eu-west-1/cloudformation/") {
		t.Errorf("Authorization %q", h.auth)
	}
	h.run(t, "cfn-signal -e 0 --access-key AKIAX --secret-key s"+at, 0, "")
	if !strings.Contains(h.auth, "AKIAX") {
		t.Errorf("Authorization %q", h.auth)
	}
	h.run(t, "cfn-signal -e 0 --stack s", 1, "both a stack name and a logical resource id")
	h.run(t, "cfn-signal -e 0", 1, "WaitConditionHandle")
	h.run(t, "cfn-signal -e x"+at, 1, "invalid exit code")
	h.run(t, "cfn-signal --odd"+at, 2, "no such option: --odd")
	h.refuse = "Resource R is in CREATE_COMPLETE state and cannot be signaled"
	h.run(t, "cfn-signal -e 0"+at, 1, "ValidationError: Resource R is in CREATE_COMPLETE state")
}

func TestSignalHandle(t *testing.T) {
	h := newHost(t)
	h.run(t, "cfn-signal -e 1 -d data URL/handle?X=1", 0, "")
	want := `[""] {"Data":"data","Reason":"Configuration failed.","Status":"FAILURE","UniqueId":"i-0abc"}`
	if len(h.puts) != 1 || h.puts[0] != want {
		t.Errorf("put %q", h.puts)
	}
	h.run(t, "cfn-signal -r done "+base64.StdEncoding.EncodeToString([]byte(h.url+"/handle")), 0, "")
	if len(h.puts) != 2 || !strings.Contains(h.puts[1], `"Reason":"done","Status":"SUCCESS"`) {
		t.Errorf("put %q", h.puts)
	}
	h.run(t, "cfn-signal -e 0 nonsense", 1, "invalid WaitConditionHandle URL")
}

func TestGetMetadata(t *testing.T) {
	h := newHost(t)
	h.metadata = `{"a":{"b":["x"],"c":"text"}}`
	h.run(t, "cfn-get-metadata -s s -r R -u URL", 0, `"b": [`)
	h.run(t, "cfn-get-metadata -s s -r R -u URL -k a.c", 0, "text\n")
	h.run(t, "cfn-get-metadata -s s -r R -u URL -k a.z", 1, "Error: a.z is not present in the metadata for R")
	h.run(t, "cfn-get-metadata -s s", 1, "both a stack name and logical resource id")
	h.metadata = ""
	h.run(t, "cfn-get-metadata -s s -r R -u URL", 1, "Error: R does not specify any metadata")
}

func TestInit(t *testing.T) {
	h := newHost(t)
	h.files["/files/app.tgz"] = tgz(t, map[string]string{"app/run": "go"})
	h.files["/files/plain"] = "downloaded"
	h.files["/files/moved"] = "-> /files/plain"
	h.files["/bucket/secret"] = "secret"
	write(t, h.Root.Path("/bin/systemctl"), "#!/bin/sh\necho $@ >>"+h.Root.Path("/calls")+"\n[ $1 != is-active ]\n")
	write(t, h.Root.Path("/bin/yum"), "#!/bin/sh\necho yum $@ >>"+h.Root.Path("/calls")+"\n")
	write(t, h.Root.Path("/etc/app.conf"), "old")
	h.metadata = strings.ReplaceAll(strings.ReplaceAll(`{
	"AWS::CloudFormation::Authentication": {"s3": {"type": "S3", "roleName": "web", "buckets": ["bucket"]}},
	"AWS::CloudFormation::Init": {
	 "configSets": {"default": ["one", {"ConfigSet": "more"}], "more": ["two"]},
	 "one": {
	  "packages": {"yum": {"httpd": [], "php": ["5.3"]}, "zypper": {"x": []}},
	  "groups": {"web": {"gid": "501"}},
	  "users": {"app": {"groups": ["web"], "homeDir": "/opt/app"}},
	  "sources": {"/srv/site": "URL/files/app.tgz"},
	  "files": {
	   "/etc/app.conf": {"content": {"port": 80}, "mode": "000600", "owner": "root", "group": "root"},
	   "/etc/b64": {"content": "aGVsbG8=", "encoding": "base64"},
	   "/etc/link": {"content": "/etc/b64", "mode": "120644"},
	   "/etc/tpl": {"content": "{{name}} {{{raw}}} {{!no}}{{x.y}}", "context": {"name": "a<b", "raw": "<", "x": {"y": "deep"}}},
	   "/etc/dl": {"source": "URL/files/moved"},
	   "/etc/secret": {"source": "URL/bucket/secret"}
	  },
	  "commands": {
	   "2": {"command": ["/bin/sh", "-c", "echo $X-$HOME >>ROOT/order"], "env": {"X": "two"}},
	   "1": {"command": "pwd >>ROOT/order", "cwd": "/usr"},
	   "3": {"command": "echo never >>ROOT/order", "test": "false"},
	   "4": {"command": "false", "ignoreErrors": "true"}
	  },
	  "services": {"sysvinit": {"httpd": {"enabled": "true", "ensureRunning": "true", "files": ["/etc/app.conf"]},
	                            "other": {"ensureRunning": true}, "off": {"enabled": false}}}
	 },
	 "two": {"commands": {"x": {"command": "echo set two >>ROOT/order"}}}
	}}`, "URL", h.url), "ROOT", string(h.Root))
	h.run(t, "cfn-init -v -s s -r R --region eu-west-1 -u URL", 0, "Unsupported package manager: zypper")
	for p, want := range map[string]string{
		"/etc/app.conf": "{\n    \"port\": 80\n}", "/etc/app.conf.bak": "old", "/etc/b64": "hello", "/etc/tpl": "a&lt;b < deep",
		"/etc/dl": "downloaded", "/etc/secret": "secret", "/srv/site/app/run": "go",
		"/order": "/usr\ntwo-\nset two\n",
		"/calls": "yum -y install httpd php-5.3\nenable httpd\nis-active --quiet httpd\nrestart httpd\ndisable off\nis-active --quiet other\nstart other\n",
	} {
		if b, err := os.ReadFile(h.Root.Path(p)); err != nil || string(b) != want {
			t.Errorf("%s = %q, %v", p, b, err)
		}
	}
	if target, err := os.Readlink(h.Root.Path("/etc/link")); err != nil || target != "/etc/b64" {
		t.Errorf("link to %q, %v", target, err)
	}
	if info, err := os.Stat(h.Root.Path("/etc/app.conf")); err != nil || info.Mode() != 0o600 {
		t.Errorf("app.conf: %v, %v", info, err)
	}
	passwd, _ := os.ReadFile(h.Root.Path("/etc/passwd"))
	if !strings.Contains(string(passwd), "app:x:999:999::/opt/app:/sbin/nologin") {
		t.Errorf("passwd %q", passwd)
	}
	for _, log := range []string{initLog, commandLog} {
		if info, err := os.Stat(h.Root.Path(log)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", log, err)
		}
	}
}

func TestInitErrors(t *testing.T) {
	tests := []struct {
		name, init, args, want string
		code                   int
	}{
		{"failing command", `{"config":{"commands":{"a":{"command":"echo why; exit 3"}}}}`, "", "Error occurred during build: Command a failed", 1},
		{"relative file", `{"config":{"files":{"x":{"content":"y"}}}}`, "", "File specified with non-absolute path: x", 1},
		{"no content", `{"config":{"files":{"/x":{}}}}`, "", "File specified without source or content", 1},
		{"circular", `{"configSets":{"default":[{"ConfigSet":"a"}],"a":[{"ConfigSet":"default"}]}}`, "", "Circular dependency", 1},
		{"unknown set", `{"configSets":{"default":["x"]},"x":{}}`, "-c other", "No such ConfigSet: other", 1},
		{"unknown config", `{"configSets":{"default":["y"]},"x":{}}`, "", "Could not find config y", 1},
		{"not an archive", `{"config":{"sources":{"/srv":"URL/files/odd"}}}`, "", "Unsupported source file (not zip or tarball)", 1},
		{"absent download", `{"config":{"files":{"/x":{"source":"URL/files/gone"}}}}`, "", "404", 1},
		{"section in context", `{"config":{"files":{"/x":{"content":"{{#a}}","context":{}}}}}`, "", "supports variables only", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t)
			h.files["/files/odd"] = "neither"
			h.metadata = strings.ReplaceAll(`{"AWS::CloudFormation::Init":`+tt.init+`}`, "URL", h.url)
			h.run(t, "cfn-init -s s -r R -u URL "+tt.args, tt.code, tt.want)
		})
	}
	h := newHost(t)
	h.metadata = `{"Other": 1}`
	h.run(t, "cfn-init -s s -r R -u URL", 0, "Could not find 'AWS::CloudFormation::Init' key in metadata for R.")
	h.metadata = ""
	h.run(t, "cfn-init -s s -r R -u URL", 1, "Error: R does not specify any metadata")
}

func tgz(t *testing.T, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, content)
	}
	w.Close()
	z.Close()
	return b.String()
}

// Members that lead out of the target are refused, in whatever way they do.
func TestArchiveEscapes(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	evil := filepath.Join(t.TempDir(), "evil.tgz")
	write(t, evil, tgz(t, map[string]string{"../out": "x"}))
	f, err := os.Open(evil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	x := extraction{root: root}
	if err := x.unpack(f, 0); err == nil {
		t.Error("../out was written")
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, _ := z.Create("top/a/b")
	io.WriteString(w, "in zip")
	z.Close()
	r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if err := (&extraction{root: root, strip: true}).zip(r); err != nil {
		t.Fatal(err)
	}
	if content, err := root.ReadFile("a/b"); err != nil || string(content) != "in zip" {
		t.Errorf("a/b = %q, %v", content, err)
	}
}

func TestHup(t *testing.T) {
	h := newHost(t)
	write(t, h.Root.Path("/etc/cfn/cfn-hup.conf"), "[main]\nstack=s\nregion=eu-west-1\ninterval=1\nurl="+h.url+"\n")
	write(t, h.Root.Path("/etc/cfn/hooks.d/a.conf"), "[a]\ntriggers=post.update\npath=Resources.R.Metadata.x\nrunas=root\n"+
		"action=echo $CFN_OLD_METADATA $CFN_NEW_METADATA >>"+h.Root.Path("/ran")+"\n")
	cfg, err := h.readHup(hupConfigDir)
	if err != nil {
		t.Fatal(err)
	}
	log, err := h.openHupLog()
	if err == nil {
		defer log.Close()
	}
	for _, metadata := range []string{`{"x":1}`, `{"x":1}`, `{"x":2,"y":1}`, `{"x":2,"y":2}`} {
		h.metadata = metadata
		if err := h.hupRound(t.Context(), cfg, log); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(h.Root.Path("/ran")); err != nil || string(b) != "1 2\n" {
		t.Errorf("hook ran with %q, %v", b, err)
	}
	write(t, h.Root.Path("/etc/cfn/cfn-hup.conf"), "[main]\nregion=x\n")
	h.run(t, "cfn-hup --no-daemon", 1, "must have a [main] section with stack")
}
