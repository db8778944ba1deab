package userdata

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
)

type console struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.b.Write(p)
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.b.String()
}

// instance is a tree with the files that the image builder would have made.
func instance(t *testing.T) (*Runner, *console) {
	t.Helper()
	root := guest.Root(t.TempDir())
	for _, dir := range []string{"/etc", "/var/log", "/home/ec2-user", "/tmp"} {
		if err := os.MkdirAll(root.Path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for p, content := range map[string]string{
		"/etc/passwd":      "root:x:0:0::/root:/bin/bash\nec2-user:x:1000:1000::/home/ec2-user:/bin/bash\n",
		"/etc/group":       "root:x:0:\nec2-user:x:1000:\n",
		"/etc/shadow":      "",
		"/etc/environment": "AWS_CA_BUNDLE=\"/etc/ssl/ca.pem\"\n",
	} {
		if err := os.WriteFile(root.Path(p), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := &console{}
	return &Runner{
		Root: root, InstanceID: "i-0123456789abcdef0", Console: out, Clock: clock.NewManual(time.Unix(1.7e9, 0)),
		Packages: func(names []string, _ *os.File) int { return len(names) - 1 },
		Fetch: func(_ context.Context, url string) ([]byte, error) {
			if strings.HasSuffix(url, "/ok") {
				return []byte("#!/bin/sh\necho from include\n"), nil
			}
			return nil, errors.New("404 Not Found")
		},
	}, out
}

func run(t *testing.T, r *Runner, raw string) {
	t.Helper()
	if err := r.Run(t.Context(), []byte(raw)); err != nil {
		t.Fatal(err)
	}
}

func TestScripts(t *testing.T) {
	tests := []struct {
		name, raw string
		want      []string
		absent    string
	}{
		{"bash", "#!/bin/bash -xe\necho hello $AWS_CA_BUNDLE\n", []string{"+ echo hello /etc/ssl/ca.pem", "part-001: exit status 0"}, ""},
		{"python", "#!/usr/bin/python3\nimport os\nprint('py', os.getuid() == os.getuid())\n", []string{"py True"}, ""},
		{"environment", "#!/bin/sh\necho \"[$HOME][$PATH]\"\n", []string{"[][/usr/local/sbin:/usr/local/bin:"}, ""},
		{"error output", "#!/bin/sh\necho oops >&2\n", []string{"oops"}, ""},
		{"failing", "#!/bin/bash -xe\nfalse\necho unreached\n", []string{"part-001: exit status 1", "failures: part-001"}, "+ echo unreached"},
		{"carriage returns", "#!/bin/sh\r\necho\r\n", []string{"ends in CR LF"}, ""},
		{"no interpreter", "#!/opt/ruby\nputs\n", []string{"the interpreter /opt/ruby is not in this image"}, ""},
		{"blank line first", "\n#!/bin/sh\nls\n", []string{"must begin with #! in its very first bytes"}, ""},
		{"not a script", "echo hello\n", []string{"does not support user data of this kind"}, ""},
		{"include", "#include\n# list\nhttp://x/ok\nhttp://x/gone\n", []string{"from include", "http://x/gone: 404"}, ""},
		{"boothook", "#cloud-boothook\n#!/bin/sh\necho hook $INSTANCE_ID\n", []string{"hook i-0123456789abcdef0"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, out := instance(t)
			run(t, r, tt.raw)
			log, err := os.ReadFile(r.Root.Path("/var/log/cloud-init-output.log"))
			if err != nil || string(log) != out.String() {
				t.Errorf("log %q differs from console %q (%v)", log, out, err)
			}
			for _, want := range tt.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("console lacks %q:\n%s", want, out)
				}
			}
			if tt.absent != "" && strings.Contains(out.String(), tt.absent) {
				t.Errorf("console has %q:\n%s", tt.absent, out)
			}
			if !r.Root.Exists("/var/lib/cloud/instance/boot-finished") {
				t.Error("no boot-finished")
			}
		})
	}
}

func TestOncePerInstance(t *testing.T) {
	r, out := instance(t)
	const raw = "#!/bin/sh\necho ran\n"
	run(t, r, raw)
	run(t, r, raw)
	if n := strings.Count(out.String(), "ran\n"); n != 1 {
		t.Errorf("two boots ran the script %d times", n)
	}
	r.InstanceID = "i-1"
	run(t, r, raw)
	if n := strings.Count(out.String(), "ran\n"); n != 2 {
		t.Errorf("a new instance id: ran %d times in all", n)
	}
	if b, err := os.ReadFile(r.Root.Path("/var/lib/cloud/instance/user-data.txt")); err != nil || string(b) != raw {
		t.Errorf("user-data.txt %q, %v", b, err)
	}
	if b, err := os.ReadFile(r.Root.Path("/var/lib/cloud/instance/scripts/part-001")); err != nil || string(b) != raw {
		t.Errorf("part-001 %q, %v", b, err)
	}
}

func TestCloudConfig(t *testing.T) {
	r, out := instance(t)
	run(t, r, `#cloud-config
bootcmd: [ "echo boot $INSTANCE_ID" ]
runcmd:
  - echo "run it"
  - [ echo, "it's", a list ]
write_files:
  - {path: /etc/motd, content: "hi\n", permissions: '0600'}
  - {path: /opt/app/x, encoding: b64, content: aGVsbG8=, permissions: 0755}
  - {path: relative, content: x}
hostname: web1
groups: [ops]
users:
  - default
  - {name: jo, groups: "ops, web", sudo: "ALL=(ALL) NOPASSWD:ALL", ssh_authorized_keys: [ssh-ed25519 AAAA jo], passwd: x}
ssh_authorized_keys: [ssh-ed25519 BBBB]
packages: [wget, curl]
ntp: {enabled: true}
`)
	for _, want := range []string{
		"boot i-0123456789abcdef0", "run it", "it's a list", "relative: path must be absolute",
		"cloud-config ntp: hardstand does not support this key", "users jo: hardstand does not support passwd",
		"installing wget curl: exit status 1", "runcmd: exit status 0",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("console lacks %q:\n%s", want, out)
		}
	}
	for p, want := range map[string]string{
		"/etc/motd": "hi\n", "/opt/app/x": "hello", "/etc/hostname": "web1\n",
		"/home/jo/.ssh/authorized_keys":       "ssh-ed25519 AAAA jo\n",
		"/home/ec2-user/.ssh/authorized_keys": "ssh-ed25519 BBBB\n",
		"/etc/sudoers.d/90-cloud-init-users":  "jo ALL=(ALL) NOPASSWD:ALL\n",
	} {
		if b, err := os.ReadFile(r.Root.Path(p)); err != nil || string(b) != want {
			t.Errorf("%s = %q, %v", p, b, err)
		}
	}
	for p, want := range map[string]os.FileMode{"/etc/motd": 0o600, "/opt/app/x": 0o755} {
		if info, err := os.Stat(r.Root.Path(p)); err != nil || info.Mode().Perm() != want {
			t.Errorf("mode of %s: %v, %v", p, info.Mode(), err)
		}
	}
}

func TestMultipartRunsAllParts(t *testing.T) {
	r, out := instance(t)
	run(t, r, multi)
	for _, want := range []string{"one\n", "two\n", "part-004: hardstand does not support"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("console lacks %q:\n%s", want, out)
		}
	}
}

// A process left in the background must not keep Run's work from ending, and its
// output still reaches the console.
func TestBackgroundOutput(t *testing.T) {
	r, out := instance(t)
	fifo := r.Root.Path("/tmp/go")
	done := make(chan error, 1)
	go func() {
		done <- r.Run(t.Context(), []byte("#!/bin/sh\nmkfifo "+fifo+"\n(read x <"+fifo+"; echo later) &\necho now\n"))
	}()
	deadline := time.Now().Add(10 * time.Second)
	for !r.Root.Exists("/var/lib/cloud/instance/boot-finished") {
		if time.Now().After(deadline) {
			t.Fatalf("not finished:\n%s", out)
		}
	}
	if err := os.WriteFile(fifo, []byte("x\n"), 0); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || !strings.Contains(out.String(), "later\n") {
		t.Errorf("Run = %v, console:\n%s", err, out)
	}
}
