package install

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/agent/appspec"
)

// host is a directory tree with an archive and a place to install to.
type host struct {
	t         *testing.T
	dir, dest string
	ran       []string
	fails     error // of the programs that are run
}

func newHost(t *testing.T) *host {
	dir := t.TempDir()
	h := &host{t: t, dir: dir, dest: filepath.Join(dir, "dest")}
	h.file("archive/appspec.yml", "version: 0.0")
	h.file("archive/app/.hidden", "h")
	h.file("archive/app/bin/run", "#!/bin/sh")
	return h
}

func (h *host) file(name, text string) {
	h.t.Helper()
	p := filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) install(behavior string, s *appspec.Spec) error {
	in := Install{
		Archive: filepath.Join(h.dir, "archive"), CleanupFile: filepath.Join(h.dir, "cleanup"),
		PlanFile: filepath.Join(h.dir, "install.json"), Behavior: behavior,
		Tools: Tools{Run: func(name string, args ...string) error {
			// A program that is given an open object finds it.
			if last := args[len(args)-1]; strings.HasPrefix(last, "/proc/") {
				args[len(args)-1], _ = os.Readlink(last)
			}
			h.ran = append(h.ran, name+" "+strings.Join(args, " "))
			return h.fails
		}},
	}
	return in.Run(s)
}

func (h *host) all() []appspec.File { return []appspec.File{{Source: "/app", Destination: h.dest}} }

func (h *host) read(name string) string {
	data, err := os.ReadFile(filepath.Join(h.dir, name))
	if err != nil {
		return "<" + err.Error() + ">"
	}
	return string(data)
}

func (h *host) tree() []string {
	var out []string
	_ = filepath.WalkDir(h.dest, func(p string, _ os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(h.dest, p); err == nil && rel != "." {
			out = append(out, rel)
		}
		return nil
	})
	return out
}

func TestInstallAndReplace(t *testing.T) {
	h := newHost(t)
	if err := h.install("DISALLOW", &appspec.Spec{Files: h.all()}); err != nil {
		t.Fatal(err)
	}
	if got, want := h.tree(), []string{".hidden", "bin", "bin/run"}; !slices.Equal(got, want) {
		t.Fatalf("installed %q, want %q", got, want)
	}
	if got, want := h.read("cleanup"), h.dest+"\n"+h.dest+"/.hidden\n"+h.dest+"/bin\n"+h.dest+"/bin/run\n"; got != want {
		t.Errorf("cleanup file %q, want %q", got, want)
	}
	h.file("dest/bin/mine", "kept") // not ours: stays, and keeps its directory
	if err := os.RemoveAll(filepath.Join(h.dir, "archive/app/.hidden")); err != nil {
		t.Fatal(err)
	}
	if err := h.install("DISALLOW", &appspec.Spec{Files: h.all()}); err != nil {
		t.Fatalf("second install: %v", err)
	}
	if got, want := h.tree(), []string{"bin", "bin/mine", "bin/run"}; !slices.Equal(got, want) {
		t.Errorf("after the second: %q, want %q", got, want)
	}
}

func TestFileExists(t *testing.T) {
	tests := []struct{ behavior, wantErr, content, cleanup string }{
		{"DISALLOW", "The deployment failed because a specified file already exists at this location: ", "old", ""},
		{"OVERWRITE", "", "#!/bin/sh", "run"},
		{"RETAIN", "", "old", ""},
		{"MAYBE", "The deployment failed because an invalid option was specified for fileExistsBehavior: MAYBE. Valid options include OVERWRITE, RETAIN, and DISALLOW.", "old", ""},
	}
	for _, tc := range tests {
		t.Run(tc.behavior, func(t *testing.T) {
			h := newHost(t)
			h.file("dest/bin/run", "old")
			err := h.install(tc.behavior, &appspec.Spec{Files: h.all()})
			if tc.wantErr == "" && err != nil || tc.wantErr != "" && (err == nil || !strings.HasPrefix(err.Error(), tc.wantErr)) {
				t.Fatalf("error %v, want %q", err, tc.wantErr)
			}
			if got := h.read("dest/bin/run"); got != tc.content {
				t.Errorf("content %q, want %q", got, tc.content)
			}
			if listed := strings.Contains(h.read("cleanup"), "bin/run"); listed != (tc.cleanup != "") {
				t.Errorf("listed for cleanup: %t", listed)
			}
		})
	}
}

func TestFailedPlanLeavesOldFilesRemoved(t *testing.T) {
	h := newHost(t)
	if err := h.install("DISALLOW", &appspec.Spec{Files: h.all()}); err != nil {
		t.Fatal(err)
	}
	err := h.install("DISALLOW", &appspec.Spec{Files: []appspec.File{{Source: "nowhere", Destination: h.dest}}})
	if err == nil || !strings.Contains(err.Error(), `source "nowhere" is not in the revision`) {
		t.Errorf("error %v", err)
	}
	if got := h.tree(); len(got) != 0 {
		t.Errorf("left: %q", got)
	}
}

func TestPlanErrors(t *testing.T) {
	perm := func(ps ...appspec.Permission) func(h *host) *appspec.Spec {
		return func(h *host) *appspec.Spec {
			for i := range ps {
				ps[i].Object = filepath.Join(h.dest, ps[i].Object)
				ps[i].Types = []string{"file", "directory"}
			}
			return &appspec.Spec{Files: h.all(), Permissions: ps}
		}
	}
	files := func(pairs ...string) func(h *host) *appspec.Spec {
		return func(h *host) *appspec.Spec {
			s := &appspec.Spec{}
			for i := 0; i < len(pairs); i += 2 {
				s.Files = append(s.Files, appspec.File{Source: pairs[i], Destination: filepath.Join(h.dest, pairs[i+1])})
			}
			return s
		}
	}
	tests := []struct {
		name, want string
		spec       func(h *host) *appspec.Spec
	}{
		{"two sources", "specifies two source files named", files("app/bin/run", "", "other/run", "")},
		{"file over planned directory", "calls for installing the file", files("app", "x/run", "app/bin/run", "x")},
		{"directory over planned file", "includes an mkdir command more than once", files("app/bin/run", "x", "app", "x/run")},
		{"source outside", "The deployment failed because the source path '../dest' attempts to escape the deployment archive directory: /", files("../dest", "x")},
		{"source far outside", "attempts to escape the deployment archive directory", files("app/../../x", "x")},
		{"file over existing directory", "calls for installing the file", func(h *host) *appspec.Spec {
			h.file("dest/run/x", "")
			return &appspec.Spec{Files: []appspec.File{{Source: "app/bin/run", Destination: h.dest}}}
		}},
		{"directory over existing file", "The deployment failed because a specified file already exists at this location: ", func(h *host) *appspec.Spec {
			h.file("dest/sub", "")
			return &appspec.Spec{Files: []appspec.File{{Source: "app", Destination: h.dest + "/sub"}}}
		}},
		{"below an existing file", "The deployment failed because a specified file already exists at this location: ", func(h *host) *appspec.Spec {
			h.file("dest/sub", "")
			return &appspec.Spec{Files: []appspec.File{{Source: "app", Destination: h.dest + "/sub/deeper"}}}
		}},
		{"line end in a name", "has a line end in its name", func(h *host) *appspec.Spec {
			h.file("archive/app/x\n/etc/passwd", "")
			return &appspec.Spec{Files: h.all()}
		}},
		{"relative destination", "is not an absolute path", func(*host) *appspec.Spec {
			return &appspec.Spec{Files: []appspec.File{{Source: "/", Destination: "here"}}}
		}},
		{"pattern on a file", "with an invalid pattern (*.sh)", perm(appspec.Permission{Object: "bin/run", Pattern: "*.sh"})},
		{"except on a file", "the except parameter for a pattern in the permissions section ([\"a\"]) for the object named", perm(appspec.Permission{Object: "bin/run", Pattern: "**", Except: []string{"a"}})},
		{"twice", "is specified more than once", perm(appspec.Permission{Object: "bin/run", Pattern: "**", Mode: "600"}, appspec.Permission{Object: "", Pattern: "**", Mode: "600"})},
		{"default acl on a file", "the -d parameter has been specified", perm(appspec.Permission{Object: "bin/run", Pattern: "**", ACLs: []appspec.ACL{{Default: true, Tag: "user", Name: "x", Perm: "r--"}}})},
		{"owner", `no user "nobody-here" on this host`, perm(appspec.Permission{Object: "bin/run", Pattern: "**", Owner: "nobody-here"})},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			h := newHost(t)
			h.file("archive/other/run", "2")
			behavior := "DISALLOW"
			if strings.HasPrefix(tc.name, "file over existing") {
				behavior = "OVERWRITE"
			}
			if err := h.install(behavior, tc.spec(h)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestPermissions(t *testing.T) {
	h := newHost(t)
	h.file("archive/app/bin/stop", "")
	both := []string{"file", "directory"}
	err := h.install("DISALLOW", &appspec.Spec{Files: h.all(), Permissions: []appspec.Permission{
		{Object: h.dest + "/bin", Pattern: "r*", Types: both, Mode: "4755", Owner: "root",
			ACLs: []appspec.ACL{{Tag: "user", Name: "bob", Perm: "r--"}}, Context: &appspec.Context{Type: "bin_t"}},
		{Object: h.dest, Pattern: "**", Except: []string{".hidden", "x*"}, Types: []string{"directory"}, Mode: "700"},
		{Object: h.dest + "/nothing", Pattern: "**", Types: both, Mode: "000"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"bin": 0o700, "bin/run": 0o755, "bin/stop": 0o644, ".hidden": 0o644} {
		info, err := os.Stat(filepath.Join(h.dest, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v (%v), want %v", name, info.Mode().Perm(), err, want)
		}
	}
	run := h.dest + "/bin/run"
	want := []string{"setfacl --set user:bob:r--,user::rwx,group::r-x,other::r-x,mask::r-x " + run, "semanage fcontext -a -t bin_t " + run, "restorecon -v -F " + run}
	if !slices.Equal(h.ran, want) {
		t.Errorf("ran %q\nwant %q", h.ran, want)
	}
}

func TestLinks(t *testing.T) {
	h := newHost(t)
	if err := os.Symlink("run", filepath.Join(h.dir, "archive/app/bin/link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("bin", filepath.Join(h.dir, "archive/app/linkdir")); err != nil {
		t.Fatal(err)
	}
	if err := h.install("DISALLOW", &appspec.Spec{Files: h.all()}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.Readlink(filepath.Join(h.dest, "bin/link")); err != nil || got != "run" {
		t.Errorf("link: %q, %v", got, err)
	}
	if info, err := os.Lstat(filepath.Join(h.dest, "linkdir")); err != nil || !info.IsDir() {
		t.Errorf("a link to a directory is installed as a directory: %v, %v", info, err)
	}
}

func TestGlob(t *testing.T) {
	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"*", "a", true}, {"*", "a/b", false}, {"*.sh", "a.sh", true}, {"*.sh", "a.py", false},
		{"a*c*e", "abcde", true}, {"a*c*e", "abde", false}, {"a*a", "a", false}, {"a", "a", true}, {"a?", "ab", false},
	}
	for _, tc := range tests {
		if got := glob(tc.pattern, tc.name); got != tc.want {
			t.Errorf("glob(%q, %q) = %t", tc.pattern, tc.name, got)
		}
	}
}

func owner(info os.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

func TestCopyKeepsModeOwnerAndTime(t *testing.T) {
	h := newHost(t)
	run := filepath.Join(h.dir, "archive/app/bin/run")
	then := time.Unix(1e9, 0)
	if err := errors.Join(os.Chown(run, 12, 34), os.Chmod(run, 0o751), os.Chtimes(run, then, then)); err != nil {
		t.Fatal(err)
	}
	if err := h.install("DISALLOW", &appspec.Spec{Files: h.all()}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(h.dest + "/bin/run")
	if err != nil || info.Mode() != 0o751 || owner(info) != 12 || !info.ModTime().Equal(then) {
		t.Errorf("%v of %d at %v, %v", info.Mode(), owner(info), info.ModTime(), err)
	}
}

// A link where a file goes is a file that is there, also when it leads nowhere.
func TestDanglingLinkAtTheTarget(t *testing.T) {
	for behavior, want := range map[string]string{"DISALLOW": "already exists at this location", "OVERWRITE": "", "RETAIN": ""} {
		h := newHost(t)
		h.dirOf("dest/bin", 0)
		h.link(h.dir+"/nowhere", "dest/bin/run", 0)
		err := h.install(behavior, &appspec.Spec{Files: h.all()})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", behavior, err)
		}
		if got := h.read("nowhere"); !strings.Contains(got, "no such file") {
			t.Errorf("%s: written through the link: %q", behavior, got)
		}
		info, err := os.Lstat(h.dest + "/bin/run")
		if err != nil || info.Mode().IsRegular() != (behavior == "OVERWRITE") {
			t.Errorf("%s: %v, %v", behavior, info, err)
		}
	}
}

// A last line without its end is what a crash left: that file was never copied,
// or the directory never made.
func TestCleanupDropsACutLine(t *testing.T) {
	h := newHost(t)
	h.file("dest/a", "")
	h.file("dest/b", "")
	h.file("cleanup", h.dest+"/a\n\n"+h.dest+"/gone\n"+h.dest+"/b")
	if err := h.install("DISALLOW", &appspec.Spec{}); err != nil {
		t.Fatal(err)
	}
	if got := h.tree(); !slices.Equal(got, []string{"b"}) {
		t.Errorf("left %q", got)
	}
}
