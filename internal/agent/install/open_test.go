package install

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/agent/appspec"
)

const nobody = 65534

func (h *host) link(text, name string, uid int) {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.Symlink(text, path); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Lchown(path, uid, uid); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) dirOf(name string, uid int) {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.MkdirAll(path, 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Chown(path, uid, uid); err != nil {
		h.t.Fatal(err)
	}
}

// Which links lead to a destination.
func TestLinksToTheDestination(t *testing.T) {
	tests := []struct {
		name, want string
		dest       string
		prepare    func(h *host)
	}{
		{"root's own", "", "link", func(h *host) { h.dirOf("real", 0); h.link("real", "link", 0) }},
		{"root's, on the way", "", "link/sub", func(h *host) { h.dirOf("real", nobody); h.link(h.dir+"/real", "link", 0) }},
		{"a user's, to what is the user's", "", "link/sub", func(h *host) { h.dirOf("real", nobody); h.link("real", "link", nobody) }},
		{"a user's, to what is root's", "links of other users are not followed", "link", func(h *host) { h.dirOf("real", 0); h.link("real", "link", nobody) }},
		{"a user's, to what is below root's", "links of other users are not followed", "link/sub/x", func(h *host) { h.dirOf("real/sub", 0); h.link("real", "link", nobody) }},
		{"a user's, by one of root's", "links of other users are not followed", "link", func(h *host) {
			h.dirOf("real", 0)
			h.link("real", "roots", 0)
			h.link("roots", "link", nobody)
		}},
		{"a circle", "a specified file already exists at this location", "a", func(h *host) { h.link("b", "a", 0); h.link("a", "b", 0) }},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			h := newHost(t)
			tc.prepare(h)
			err := h.install("DISALLOW", &appspec.Spec{Files: []appspec.File{{Source: "app/bin", Destination: filepath.Join(h.dir, tc.dest)}}})
			if tc.want == "" {
				if err != nil || h.read("real/"+strings.TrimPrefix(tc.dest, "link")+"/run") != "#!/bin/sh" {
					t.Errorf("%v; %q", err, h.read("real/"+strings.TrimPrefix(tc.dest, "link")+"/run"))
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			if left, _ := filepath.Glob(filepath.Join(h.dir, "real", "*")); len(left) > 0 && filepath.Base(left[0]) != "sub" {
				t.Errorf("installed %q", left)
			}
		})
	}
}

// Below the destination no link leads out, whoever made it.
func TestLinksBelowTheDestination(t *testing.T) {
	h := newHost(t)
	h.dirOf("outside", 0)
	h.dirOf("dest", 0)
	h.link(h.dir+"/outside", "dest/bin", 0)
	err := h.install("OVERWRITE", &appspec.Spec{Files: h.all()})
	if want := "files section: " + h.dest + "/bin is a link that leads out of the destination " + h.dest; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
	if got := h.read("outside/run"); !strings.Contains(got, "no such file") {
		t.Errorf("written outside: %q", got)
	}
	// One that stays inside is the owner's affair.
	if err := os.Remove(h.dest + "/bin"); err != nil {
		t.Fatal(err)
	}
	h.dirOf("dest/v1", 0)
	h.link("v1", "dest/bin", 0)
	if err := h.install("OVERWRITE", &appspec.Spec{Files: h.all()}); err != nil || h.read("dest/v1/run") != "#!/bin/sh" {
		t.Errorf("%v: %q", err, h.read("dest/v1/run"))
	}
}

// A plan is made, then somebody swaps a directory for a link: nothing is written
// through it, and no mode is set behind it.
func TestSwappedBetweenPlanAndCopy(t *testing.T) {
	h := newHost(t)
	h.dirOf("dest/bin", nobody)
	h.file("outside/run", "precious")
	b := newPlan("DISALLOW")
	root, err := os.OpenRoot(filepath.Join(h.dir, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := b.addFiles(root, h.all()); err != nil {
		t.Fatal(err)
	}
	if err := b.addPermissions([]appspec.Permission{{Object: h.dest + "/bin/run", Pattern: "**", Types: both, Mode: "777"}}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(h.dest + "/bin"); err != nil {
		t.Fatal(err)
	}
	h.link(h.dir+"/outside", "dest/bin", nobody)
	err = execute(b.steps, root, filepath.Join(h.dir, "cleanup"), Tools{})
	if err == nil || !strings.Contains(err.Error(), "escapes from parent") {
		t.Errorf("error %v", err)
	}
	chmods := slices.DeleteFunc(slices.Clone(b.steps), func(s Step) bool { return s.Type != "chmod" })
	if err := execute(chmods, root, filepath.Join(h.dir, "cleanup"), Tools{}); err == nil {
		t.Error("a mode was set behind the link")
	}
	if info, err := os.Stat(h.dir + "/outside/run"); err != nil || info.Mode().Perm() != 0o644 || h.read("outside/run") != "precious" {
		t.Errorf("%v, %v: %q", info, err, h.read("outside/run"))
	}
}

// The target itself swapped for a link: it is not followed either.
func TestPermissionsDoNotFollowLinks(t *testing.T) {
	h := newHost(t)
	h.file("outside/secret", "")
	if err := os.Symlink(h.dir+"/outside/secret", h.dir+"/archive/app/link"); err != nil {
		t.Fatal(err)
	}
	err := h.install("DISALLOW", &appspec.Spec{Files: h.all(), Permissions: []appspec.Permission{
		{Object: h.dest, Pattern: "link", Types: both, Mode: "777", Owner: "nobody", ACLs: []appspec.ACL{{Tag: "user", Name: "bob", Perm: "r--"}}},
	}})
	if err != nil || len(h.ran) != 0 {
		t.Fatalf("%v; ran %q", err, h.ran)
	}
	if info, err := os.Stat(h.dir + "/outside/secret"); err != nil || info.Mode().Perm() != 0o644 || owner(info) != 0 {
		t.Errorf("%v of %d, %v", info.Mode(), owner(info), err)
	}
	if info, err := os.Lstat(h.dest + "/link"); err != nil || owner(info) != nobody {
		t.Errorf("the link's own owner: %d, %v", owner(info), err)
	}
}

// The target swapped for a further name of a file that is not the deployment's: it
// keeps its mode, owner and context.
func TestPermissionsNotByAFurtherName(t *testing.T) {
	h := newHost(t)
	h.file("outside/secret", "")
	b := newPlan("DISALLOW")
	root, err := os.OpenRoot(filepath.Join(h.dir, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	p := appspec.Permission{Object: h.dest + "/bin/run", Pattern: "**", Types: both, Mode: "777", Owner: "nobody", Context: &appspec.Context{Type: "t"}}
	if err := errors.Join(b.addFiles(root, h.all()), b.addPermissions([]appspec.Permission{p})); err != nil {
		t.Fatal(err)
	}
	if err := execute(b.steps, root, filepath.Join(h.dir, "cleanup"), Tools{Run: func(string, ...string) error { return nil }}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(p.Object), os.Link(h.dir+"/outside/secret", p.Object)); err != nil {
		t.Fatal(err)
	}
	for _, s := range b.steps {
		if s.Type == "mkdir" || s.Type == "copy" {
			continue
		}
		err := execute([]Step{s}, root, filepath.Join(h.dir, "cleanup"), Tools{})
		if want := p.Object + " has a further name, which this deployment has not given it"; err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %s", s.Type, err, want)
		}
	}
	if info, err := os.Stat(h.dir + "/outside/secret"); err != nil || info.Mode().Perm() != 0o644 || owner(info) != 0 {
		t.Errorf("%v of %d, %v", info.Mode(), owner(info), err)
	}
}

// The context is for the file that is open, whatever its path leads to by now.
func TestContextOfWhatIsOpen(t *testing.T) {
	h := newHost(t)
	h.file("real/run", "")
	h.file("other/run", "")
	root, err := os.OpenRoot(h.dir + "/real")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	o, err := openObject(root, "run", h.dir+"/at/run")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	h.link("other", "at", nobody)
	if got, err := semanage(o, StepContext{Type: "t"}, Tools{Run: func(string, ...string) error { return nil }}); err != nil || got != h.dir+"/real/run" {
		t.Errorf("%s, %v", got, err)
	}
}

// What the next Install removes is found the same way.
func TestCleanupDoesNotFollowUsersLinks(t *testing.T) {
	h := newHost(t)
	h.dirOf("home", nobody)
	spec := &appspec.Spec{Files: []appspec.File{{Source: "app/bin", Destination: h.dir + "/home/app"}}}
	if err := h.install("DISALLOW", spec); err != nil {
		t.Fatal(err)
	}
	h.file("system/run", "precious")
	if err := os.RemoveAll(h.dir + "/home/app"); err != nil {
		t.Fatal(err)
	}
	h.link(h.dir+"/system", "home/app", nobody)
	if err := h.install("DISALLOW", &appspec.Spec{}); err != nil {
		t.Fatal(err)
	}
	if h.read("system/run") != "precious" {
		t.Error("a user's link made the agent remove a file of root's")
	}
}

// The revision is read without following links too: a hook may have changed it.
func TestRevisionChangedByAHook(t *testing.T) {
	h := newHost(t)
	h.file("secret", "secret")
	b := newPlan("DISALLOW")
	root, err := os.OpenRoot(filepath.Join(h.dir, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := b.addFiles(root, h.all()); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(h.dir + "/archive/app/bin"); err != nil {
		t.Fatal(err)
	}
	h.file("elsewhere/run", "secret")
	h.link(h.dir+"/elsewhere", "archive/app/bin", 0)
	if err := execute(b.steps, root, filepath.Join(h.dir, "cleanup"), Tools{}); err == nil {
		t.Error("copied from outside the revision")
	}
	if strings.Contains(h.read("dest/bin/run"), "secret") {
		t.Error("a file from outside was installed")
	}
}
