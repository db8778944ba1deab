package pkgshim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/control"
)

const agentRPM = "this stands for the bytes of the package"

type image struct {
	*Shim
	out, errs bytes.Buffer
	asked     []string
	handed    []string
}

func newImage(t *testing.T) *image {
	t.Helper()
	root := guest.Root(t.TempDir())
	im := &image{}
	im.Shim = &Shim{Root: root, Stdout: &im.out, Stderr: &im.errs,
		Do: func(r control.Request) (control.Reply, error) {
			im.asked = append(im.asked, string(r.Action)+" "+r.Unit)
			return control.Reply{}, nil
		},
		Handover: func(program string, argv []string) error {
			im.handed = append([]string{program}, argv...)
			return errors.New("handed over")
		},
		Fetch: func(context.Context, string) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(agentRPM)), nil
		}}
	sum := sha256.Sum256([]byte(agentRPM))
	im.write(t, "/usr/lib/hardstand/digests.json",
		`{"`+hex.EncodeToString(sum[:])+`":{"package":"codedeploy-agent","version":"1.8.1-hs","file":"codedeploy-agent.noarch.rpm"}}`)
	im.write(t, "/usr/bin/wget", "")
	im.write(t, "/usr/bin/pip3", "")
	return im
}

func (im *image) write(t *testing.T, p, content string) string {
	t.Helper()
	full := im.Root.Path(p)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	return full
}

func (im *image) run(line string) (int, string) {
	im.out.Reset()
	im.errs.Reset()
	words := strings.Fields(line)
	code := im.Run(words[0], words[1:])
	return code, im.out.String() + im.errs.String()
}

func TestManagers(t *testing.T) {
	im := newImage(t)
	rpm := im.write(t, "/tmp/codedeploy-agent.noarch.rpm", agentRPM)
	bad := im.write(t, "/tmp/other.rpm", "other")
	tests := []struct {
		line string
		code int
		want string
	}{
		{"yum -y update", 0, "nothing to update"},
		{"yum update -y aws-cfn-bootstrap", 0, "provided by hardstand"},
		{"yum install -y ruby wget aws-cli", 0, "Package wget already installed"},
		{"yum -y install ruby2.0", 0, "does not need Ruby"},
		{"dnf -y install wget-nope", 1, "cannot install wget-nope: it is not in this image"},
		{"yum install -y httpd wget", 1, "remedy: install httpd on the host"},
		{"yum clean all", 0, ""},
		{"yum -y groupinstall Web", 1, "not supported"},
		{"yum", 1, "some command"},
		{"apt-get -y update", 0, "nothing to update"},
		{"apt-get -y -o Dpkg::Use-Pty=0 install ruby wget awscli python3-pip", 0, "wget is already the newest version"},
		{"apt-get install -y nginx", 100, "E: cannot install nginx"},
		{"apt update", 0, ""},
		{"rpm -q codedeploy-agent", 1, "package codedeploy-agent is not installed"},
		{"dpkg -s codedeploy-agent", 1, "not installed"},
		{"yum -y localinstall " + bad, 1, "is not that of one of hardstand's own packages"},
		{"yum -y install " + rpm, 0, "Complete!"},
		{"rpm -q codedeploy-agent", 0, "codedeploy-agent-1.8.1-hs"},
		{"yum list installed codedeploy-agent", 0, "1.8.1-hs"},
		{"yum -y remove codedeploy-agent", 0, "removed"},
		{"yum -y remove codedeploy-agent", 0, "not installed, so not removed"},
		{"rpm -ivh " + rpm, 0, "Installed:"},
		{"rpm -Uvh https://aws-codedeploy-eu-west-1.s3.eu-west-1.amazonaws.com/latest/codedeploy-agent.noarch.rpm", 0, "Installed:"},
		{"dpkg -i " + rpm, 0, "Setting up codedeploy-agent 1.8.1-hs"},
		{"gdebi -n " + rpm, 0, "Setting up"},
		{"gdebi -n -o Dpkg::Options::=--force-confdef " + rpm, 0, "Setting up"},
		{"dpkg --print-architecture", 0, ""},
		{"rpm -e codedeploy-agent", 0, "removed"},
		{"yum -y remove wget", 1, "it is a part of the image"},
		{"yum -y install /tmp/absent.rpm", 1, "no such file"},
	}
	for _, tt := range tests {
		code, printed := im.run(tt.line)
		if code != tt.code || !strings.Contains(printed, tt.want) {
			t.Errorf("%s: exit %d, want %d, and %q in\n%s", tt.line, code, tt.code, tt.want, printed)
		}
	}
}

// Everything that the official package places must be where scripts look for it.
func TestAgentIsPlaced(t *testing.T) {
	im := newImage(t)
	rpm := im.write(t, "/tmp/codedeploy-agent.noarch.rpm", agentRPM)
	conf := im.write(t, "/etc/codedeploy-agent/conf/codedeployagent.yml", ":verbose: true\n")
	if code, printed := im.run("yum -y install " + rpm); code != 0 {
		t.Fatal(printed)
	}
	if target, err := os.Readlink(im.Root.Path(agentProgram)); err != nil || target != guest.Binary {
		t.Errorf("program leads to %q, %v", target, err)
	}
	if b, _ := os.ReadFile(conf); string(b) != ":verbose: true\n" {
		t.Errorf("configuration was replaced by %q", b)
	}
	for _, p := range []string{"/etc/init.d/codedeploy-agent", "/opt/codedeploy-agent/deployment-root",
		"/etc/systemd/system/multi-user.target.wants/codedeploy-agent.service"} {
		if !im.Root.Exists(p) {
			t.Errorf("no %s", p)
		}
	}
	if b, _ := os.ReadFile(im.Root.Path(agentVersionFile)); string(b) != "agent_version: 1.8.1-hs\n" {
		t.Errorf(".version %q", b)
	}
	if got := strings.Join(im.asked, ","); got != "restart codedeploy-agent.service" {
		t.Errorf("PID 1 was asked for %q", got)
	}
}

// The tutorial's lines, under the shell options that stop at the first failure.
func TestUnderBashE(t *testing.T) {
	im := newImage(t)
	lines := []string{"yum -y update", "yum update -y aws-cfn-bootstrap", "yum install -y ruby wget aws-cli",
		"apt-get -y update", "apt-get -y install ruby wget awscli"}
	script := "#!/bin/bash -xe\n"
	for _, line := range lines {
		code, _ := im.run(line)
		script += "(exit " + string(rune('0'+code)) + ")\n"
	}
	script += "echo all\n"
	out, err := exec.Command("/bin/bash", "-xec", script).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "all") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestImageWithDatabase(t *testing.T) {
	im := newImage(t)
	im.write(t, "/var/lib/dpkg/status", "Package: x\n")
	im.write(t, "/usr/bin/apt-get", "")
	if code, _ := im.run("apt-get -y install nginx"); code != 126 || strings.Join(im.handed, " ") != "/usr/bin/apt-get"+" apt-get -y install nginx" {
		t.Errorf("exit %d, handed over %q", code, im.handed)
	}
	im.handed = nil
	if code, printed := im.run("apt-get -y install awscli"); code != 0 || im.handed != nil {
		t.Errorf("ours only: exit %d, handed over %q\n%s", code, im.handed, printed)
	}
	im.run("apt-get -y install nginx awscli")
	if got := strings.Join(im.handed, " "); !strings.HasSuffix(got, "apt-get -y install nginx") {
		t.Errorf("mixed: handed over %q", got)
	}
}

func TestTableRows(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range Table() {
		if (row.Class == Present) != (len(row.Evidence) > 0) || (row.Class != Present) != (row.Note != "") {
			t.Errorf("%v: evidence %v, note %q", row.Names, row.Evidence, row.Note)
		}
		for _, n := range row.Names {
			if seen[n] {
				t.Errorf("%s has two rows", n)
			}
			seen[n] = true
		}
	}
}

// The helper scripts need no pip; everything else does.
func TestPip(t *testing.T) {
	const helpers = "https://s3.amazonaws.com/cloudformation-examples/aws-cfn-bootstrap-py3-latest.tar.gz"
	for _, tt := range []struct {
		line, real string
		code       int
		want, ran  string
	}{
		{line: "pip3 install " + helpers, want: "provided by hardstand"},
		{line: "easy_install --script-dir=/opt/aws/bin " + helpers, want: "provided by hardstand"},
		{line: "pip install aws-cfn-bootstrap flask", real: "/usr/bin/pip", code: 126, want: "provided by hardstand", ran: "pip install flask"},
		{line: "pip3 download aws-cfn-bootstrap", real: "/usr/bin/pip3", code: 126, ran: "pip3 download aws-cfn-bootstrap"},
		{line: "pip3 --version", code: 127, want: "pip3: command not found"},
	} {
		root := guest.Root(t.TempDir())
		if tt.real != "" {
			if err := os.MkdirAll(root.Path("/usr/bin"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(root.Path(tt.real), nil, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		var out bytes.Buffer
		ran := ""
		s := &Shim{Root: root, Stdout: &out, Stderr: &out, Handover: func(_ string, argv []string) error {
			ran = strings.Join(argv, " ")
			return errors.New("exec in a test")
		}}
		words := strings.Fields(tt.line)
		if code := s.Run(words[0], words[1:]); code != tt.code || !strings.Contains(out.String(), tt.want) || ran != tt.ran {
			t.Errorf("%s: exit %d, ran %q, %s", tt.line, code, ran, out.String())
		}
	}
}

// A version is not claimed to be there where nothing tells which one is.
func TestVersionIsNotClaimed(t *testing.T) {
	root := guest.Root(t.TempDir())
	if err := os.MkdirAll(root.Path("/usr/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root.Path("/usr/bin/curl"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, code := range map[string]int{"curl": 0, "curl=*": 0, "curl=7.1": 100} {
		var out bytes.Buffer
		s := &Shim{Root: root, Stdout: &out, Stderr: &out}
		if got := s.Run("apt-get", []string{"install", "-y", name}); got != code || code != 0 && !strings.Contains(out.String(), "no record of the versions") {
			t.Errorf("%s: exit %d, %s", name, got, out.String())
		}
	}
	for line, code := range map[string]int{"list installed ruby": 1, "list available ruby": 0, "list available absent": 1} {
		var out bytes.Buffer
		s := &Shim{Root: root, Stdout: &out, Stderr: &out}
		if got := s.Run("yum", strings.Fields(line)); got != code {
			t.Errorf("yum %s: exit %d, %s", line, got, out.String())
		}
	}
}
