package cfn

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws/imdsclient"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
)

// host is an instance of a stack: its metadata service, CloudFormation and some
// files to download, all on one server.
type host struct {
	*Helper
	url       string
	out, errs bytes.Buffer
	metadata  string
	status    string
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
	case strings.HasPrefix(r.URL.Path, "/files/") || strings.HasPrefix(r.URL.Path, "/basic/") || strings.HasPrefix(r.URL.Path, "/bucket/"):
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
		fmt.Fprintf(w, `{"DescribeStackResourceResponse":{"DescribeStackResourceResult":{"StackResourceDetail":{"PhysicalResourceId":"i-0abc","ResourceStatus":%q,"Metadata":%s}}}}`, h.status, metadata)
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
