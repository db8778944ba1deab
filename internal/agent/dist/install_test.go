package dist

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// host is a directory with the programs the script finds, each of which writes
// down how it was called, and a bucket to fetch from.
type host struct {
	t           *testing.T
	dir, script string
	url         string
	dist        *Dist
}

func newHost(t *testing.T, programs ...string) *host {
	t.Helper()
	d := newDist("")
	h := &host{t: t, dir: t.TempDir(), dist: d}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, ok := strings.CutPrefix(r.URL.Path, "/aws-codedeploy-eu-west-1/")
		if !ok || !strings.HasPrefix(key, "latest/codedeploy-agent") {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(body(t, d, key))
	}))
	t.Cleanup(srv.Close)
	h.url = srv.URL
	for _, real := range []string{"sh", "cat", "curl", "mktemp", "rm", "sha256sum"} {
		path, err := exec.LookPath(real)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(h.dir, real)); err != nil {
			t.Fatal(err)
		}
	}
	h.program("id", "echo 0")
	h.program("uname", "echo x86_64")
	for _, name := range programs {
		h.program(name, `echo "${0##*/} $*" >> `+h.dir+`/calls`)
	}
	h.script = string(body(t, d, "latest/install"))
	return h
}

func (h *host) program(name, line string) {
	h.t.Helper()
	_ = os.Remove(filepath.Join(h.dir, name)) // a link to the real one
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte("#!/bin/sh\n"+line+"\n"), 0o755); err != nil {
		h.t.Fatal(err)
	}
}

// run runs the script, with the guest binary of an instance at the host's own
// place, and returns what was called.
func (h *host) run(args ...string) (calls, output string, err error) {
	h.t.Helper()
	script := strings.ReplaceAll(h.script, "/usr/lib/hardstand/", h.dir+"/")
	path := filepath.Join(h.t.TempDir(), "install")
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		h.t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = []string{"PATH=" + h.dir, "AWS_REGION=eu-west-1", "AWS_ENDPOINT_URL=" + h.url, "TMPDIR=" + h.t.TempDir()}
	out, err := cmd.CombinedOutput()
	b, _ := os.ReadFile(filepath.Join(h.dir, "calls"))
	return string(b), string(out), err
}

func TestInstall(t *testing.T) {
	for _, c := range []struct {
		name     string
		programs []string
		args     string
		calls    string // with TMP for the temporary directory
		fails    string
	}{
		{name: "instance", programs: []string{"hardstand-guest", "dpkg"}, args: "auto",
			calls: "hardstand-guest yum -y install codedeploy-agent\nhardstand-guest service codedeploy-agent start\n"},
		{name: "instance, sanity check", programs: []string{"hardstand-guest"}, args: "--sanity-check auto",
			calls: "hardstand-guest yum -y install codedeploy-agent\nhardstand-guest service codedeploy-agent start\nhardstand-guest service codedeploy-agent status\n"},
		{name: "instance, named package", programs: []string{"hardstand-guest"}, args: "-v latest/codedeploy-agent_all.deb auto",
			calls: "hardstand-guest yum -y install codedeploy-agent\nhardstand-guest service codedeploy-agent start\n"},
		{name: "debian", programs: []string{"dpkg"}, args: "auto", calls: "dpkg -i TMP/codedeploy-agent_all.deb\n"},
		{name: "red hat", programs: []string{"rpm", "yum"}, args: "auto", calls: "yum -y localinstall TMP/codedeploy-agent.noarch.rpm\n"},
		{name: "rpm alone", programs: []string{"rpm"}, args: "rpm", calls: "rpm -U --force TMP/codedeploy-agent.noarch.rpm\n"},
		{name: "nothing to install with", args: "auto", fails: "no package manager"},
		{name: "no type", fails: "package-type"},
		{name: "unknown argument", args: "auto --frobnicate", fails: "unknown argument: --frobnicate"},
		{name: "unknown version", programs: []string{"dpkg"}, args: "auto -v releases/codedeploy-agent-1.0.deb", fails: "one version"},
		{name: "package of another kind", programs: []string{"dpkg"}, args: "deb -v latest/codedeploy-agent.noarch.rpm", fails: "not a package for deb"},
		{name: "help", args: "--help"},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls, out, err := newHost(t, c.programs...).run(strings.Fields(c.args)...)
			if i := strings.Index(calls, "/codedeploy-agent"); i >= 0 {
				at := strings.LastIndexByte(calls[:i], ' ')
				calls = calls[:at+1] + "TMP" + calls[i:]
			}
			if (err != nil) != (c.fails != "") || !strings.Contains(out, c.fails) {
				t.Errorf("%v\n%s", err, out)
			}
			if calls != c.calls {
				t.Errorf("called\n%s, want\n%s", calls, c.calls)
			}
		})
	}
}

// Another machine gets its own packages, and one that the bucket has none for is
// told so.
func TestInstallOnOtherMachines(t *testing.T) {
	for uname, want := range map[string]string{"aarch64": "dpkg -i TMP/codedeploy-agent_arm64.deb\n", "riscv64": ""} {
		h := newHost(t, "dpkg")
		h.program("uname", "echo "+uname)
		calls, out, err := h.run("auto")
		if i := strings.Index(calls, "/codedeploy-agent"); i >= 0 {
			calls = "dpkg -i TMP" + calls[i:]
		}
		if calls != want || (err != nil) != (want == "") || want == "" && !strings.Contains(out, "the bucket has no package for riscv64") {
			t.Errorf("%s: %v\n%s\ncalled %s", uname, err, out, calls)
		}
	}
}

// Without an endpoint in the environment the bucket has AWS's host name, of the
// region.
func TestInstallFromAVirtualHost(t *testing.T) {
	h := newHost(t, "dpkg")
	h.program("curl", `for last; do :; done; echo "$last" >> `+h.dir+`/calls; exit 22`)
	if err := os.Remove(filepath.Join(h.dir, "calls")); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	h.url = ""
	calls, out, err := h.run("auto")
	if want := "https://aws-codedeploy-eu-west-1.s3.eu-west-1.amazonaws.com/latest/codedeploy-agent_all.deb\n"; err == nil || calls != want || !strings.Contains(out, "cannot fetch https://aws-codedeploy-eu-west-1.s3") {
		t.Errorf("asked for %s, %v\n%s", calls, err, out)
	}
}

func TestInstallRefusesForeignPackage(t *testing.T) {
	h := newHost(t, "dpkg")
	sum := h.dist.made.Files[debFile].SHA256
	h.script = strings.Replace(h.script, sum, strings.Repeat("0", 64), 1)
	calls, out, err := h.run("auto")
	if err == nil || calls != "" || !strings.Contains(out, "not the package this script was made for") {
		t.Errorf("%v\n%s\ncalled %s", err, out, calls)
	}
}

func TestInstallNeedsRoot(t *testing.T) {
	h := newHost(t, "dpkg")
	h.program("id", "echo 1000")
	if calls, out, err := h.run("auto"); err == nil || calls != "" || !strings.Contains(out, "must run as root") {
		t.Errorf("%v\n%s\ncalled %s", err, out, calls)
	}
}

func BenchmarkBuild(b *testing.B) {
	binary := make([]byte, 7<<20)
	for i := range binary {
		binary[i] = byte(i * i >> 7)
	}
	for b.Loop() {
		d := New(Config{Version: version, Programs: []Program{{Arch: "amd64", Read: func() ([]byte, error) { return binary, nil }}}})
		if _, err := d.Digests(); err != nil {
			b.Fatal(fmt.Errorf("build: %w", err))
		}
	}
}
