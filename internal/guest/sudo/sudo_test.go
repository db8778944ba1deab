package sudo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/accounts"
)

func tree(t *testing.T) guest.Root {
	t.Helper()
	root := guest.Root(t.TempDir())
	for p, content := range map[string]string{
		"/etc/passwd": "root:x:0:0::/root:/bin/bash\nubuntu:x:1001:1001::/home/ubuntu:/bin/bash\n",
		"/etc/group":  "root:x:0:\n", "/etc/environment": "AWS_CA_BUNDLE=/etc/ssl/ca.pem\n",
		"/usr/bin/id": "", "/usr/bin/env": "",
	} {
		if err := os.MkdirAll(filepath.Dir(root.Path(p)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(root.Path(p), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestBuild(t *testing.T) {
	tests := []struct {
		line       string
		path, argv string
		env        []string // must be in the environment
		absent     string
	}{
		{"id -u", "/usr/bin/id", "id -u", []string{"HOME=/root", "AWS_CA_BUNDLE=/etc/ssl/ca.pem", "USER=root"}, "SECRET="},
		{"-E id", "/usr/bin/id", "id", []string{"SECRET=s", "HOME=/home/me"}, "-"},
		{"-EH id", "/usr/bin/id", "id", []string{"HOME=/root"}, "-"},
		{"A=b env", "/usr/bin/env", "env", []string{"A=b"}, "-"},
		{"-u ubuntu -n -- id -g", "/usr/bin/id", "id -g", []string{"USER=ubuntu", "HOME=/home/ubuntu"}, "-"},
		{"-i", "/bin/bash", "-bash", nil, "-"},
		{"-iu ubuntu", "/bin/bash", "-bash", []string{"USER=ubuntu"}, "-"},
		{"-s", "/bin/zsh", "/bin/zsh", nil, "-"},
		{"-i echo a;b", "/bin/bash", `-bash -c echo a\;b`, nil, "-"},
		{"--preserve-env=X id", "/usr/bin/id", "id", nil, "-"},
		{"-v", "", "", nil, "-"},
	}
	root := tree(t)
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			req, err := parse(strings.Fields(tt.line))
			if err != nil {
				t.Fatal(err)
			}
			if req.check {
				return
			}
			u, err := accounts.LookupUser(root, req.user)
			if err != nil {
				t.Fatal(err)
			}
			r, err := req.build(root, u, []string{"SECRET=s", "HOME=/home/me", "SHELL=/bin/zsh"})
			if err != nil {
				t.Fatal(err)
			}
			if r.Path != tt.path || strings.Join(r.Argv, " ") != tt.argv {
				t.Errorf("runs %s as %q", r.Path, r.Argv)
			}
			env := "\n" + strings.Join(r.Env, "\n") + "\n"
			for _, want := range tt.env {
				if !strings.Contains(env, "\n"+want+"\n") {
					t.Errorf("no %s in %q", want, r.Env)
				}
			}
			if tt.absent != "-" && strings.Contains(env, "\n"+tt.absent) {
				t.Errorf("%s in %q", tt.absent, r.Env)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	root := tree(t)
	for _, line := range []string{"-Z id", "--odd id", "-u", "-b id", "-u nobody id", "", "absent-program"} {
		var errs strings.Builder
		if code, err := run(root, strings.Fields(line), &errs); code == 0 || err == nil {
			t.Errorf("sudo %s: exit %d, %v", line, code, err)
		}
	}
}
