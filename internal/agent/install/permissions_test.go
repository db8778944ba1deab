package install

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/agent/appspec"
)

var both = []string{"file", "directory"}

// The plan is what AWS's agents write, so that tools which read it read ours.
func TestPlanFile(t *testing.T) {
	h := newHost(t)
	err := h.install("DISALLOW", &appspec.Spec{Files: []appspec.File{{Source: "/app", Destination: h.dest + "/a"}}, Permissions: []appspec.Permission{
		{Object: h.dest, Pattern: "**", Types: both, Mode: "0750", Group: "root", ACLs: []appspec.ACL{{Tag: "user", Name: "bob", Perm: "r--"}},
			Context: &appspec.Context{Type: "bin_t"}, Except: []string{"a"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	add := func(s string) {
		want = append(want, strings.NewReplacer("DEST", h.dest, "ARCHIVE", h.dir+"/archive").Replace(s))
	}
	add(`{"type":"mkdir","directory":"DEST"}`)
	add(`{"type":"mkdir","directory":"DEST/a"}`)
	add(`{"type":"copy","source":"ARCHIVE/app/.hidden","destination":"DEST/a/.hidden"}`)
	add(`{"type":"mkdir","directory":"DEST/a/bin"}`)
	add(`{"type":"copy","source":"ARCHIVE/app/bin/run","destination":"DEST/a/bin/run"}`)
	for _, object := range []string{"DEST/a/.hidden", "DEST/a/bin/run", "DEST/a/bin"} { // files first; a is excepted, DEST is the object itself
		add(`{"type":"chmod","mode":"0750","file":"` + object + `"}`)
		add(`{"type":"setfacl","acl":["user:bob:r--"],"file":"` + object + `"}`)
		add(`{"type":"semanage","context":{"user":null,"role":null,"type":"bin_t","range":null},"file":"` + object + `"}`)
		add(`{"type":"chown","owner":null,"group":"root","file":"` + object + `"}`)
	}
	if got, want := h.read("install.json"), `{"instructions":[`+strings.Join(want, ",")+`]}`; got != want {
		t.Errorf("plan\n%s\nwant\n%s", got, want)
	}
	lines := strings.Split(h.read("cleanup"), "\n")
	if want := "semanage\x00" + h.dest + "/a/bin/run"; !slices.Contains(lines, want) {
		t.Errorf("cleanup %q lacks %q", lines, want)
	}
	h.ran = nil
	h.fails = errors.New("no such rule")
	if err := h.install("DISALLOW", &appspec.Spec{}); err != nil {
		t.Errorf("a rule that cannot be removed: %v", err)
	}
	if want := "semanage fcontext -d " + h.dest + "/a/bin/run"; !slices.Contains(h.ran, want) {
		t.Errorf("ran %q, not %q", h.ran, want)
	}
}

func TestPlanOfNothing(t *testing.T) {
	h := newHost(t)
	if err := h.install("DISALLOW", &appspec.Spec{}); err != nil {
		t.Fatal(err)
	}
	if got := h.read("install.json"); got != `{"instructions":[]}` {
		t.Errorf("plan %s", got)
	}
}

func TestCompleteACL(t *testing.T) {
	tests := []struct {
		name, entries string
		mode          uint32
		want          string
	}{
		{"named user: the mask is the group's", "user:bob:rwx", 0o640, "user:bob:rwx,user::rw-,group::r--,other::---,mask::r--"},
		{"own mask", "user:bob:rwx,mask::rwx", 0o640, "user:bob:rwx,mask::rwx,user::rw-,group::r--,other::---"},
		{"mask alone", "mask::r--", 0o755, "mask::r--,user::rwx,group::r-x,other::r-x"},
		{"default for a user", "default:user:bob:rwx", 0o750,
			"default:user:bob:rwx,user::rwx,group::r-x,other::---,default:user::rwx,default:group::r-x,default:other::---,default:mask::r-x"},
		{"whole default", "default:user::rwx,default:group::rwx,default:other::---,default:mask::rwx,default:group:adm:r--", 0o700,
			"default:user::rwx,default:group::rwx,default:other::---,default:mask::rwx,default:group:adm:r--,user::rwx,group::---,other::---"},
		{"default of the base only", "default:other::---", 0o755, "default:other::---,user::rwx,group::r-x,other::r-x,default:user::rwx,default:group::r-x"},
	}
	for _, tc := range tests {
		if got := strings.Join(completeACL(strings.Split(tc.entries, ","), tc.mode), ","); got != tc.want {
			t.Errorf("%s: %s\nwant %s", tc.name, got, tc.want)
		}
	}
}

func TestProgramsThatFail(t *testing.T) {
	const (
		acl     = "The deployment failed because of a problem with the acls permission settings in the application specification file for this object: OBJECT."
		context = "The deployment failed because the application specification file contains an error in the settings for the context parameter. Update the permissions section of the AppSpec file, and then try again."
	)
	entries := []appspec.ACL{{Tag: "user", Name: "bob", Perm: "r--"}}
	tests := []struct {
		name  string
		p     appspec.Permission
		fails error
		want  string
	}{
		{"acl", appspec.Permission{ACLs: entries}, errors.New("exit status 1: Invalid argument"),
			acl + " Failed command: setfacl --set user:bob:r--,user::rw-,group::r--,other::r--,mask::r-- OBJECT. Exit code: exit status 1: Invalid argument"},
		{"context", appspec.Permission{Context: &appspec.Context{User: "u", Type: "t", Range: "s0"}}, errors.New("exit status 1"),
			context + " Failed command: semanage fcontext -a -s u -t t -r s0 OBJECT. Exit code: exit status 1"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			h := newHost(t)
			h.fails = tc.fails
			tc.p.Object, tc.p.Pattern, tc.p.Types = h.dest+"/bin/run", "**", both
			err := h.install("DISALLOW", &appspec.Spec{Files: h.all(), Permissions: []appspec.Permission{tc.p}})
			if want := strings.ReplaceAll(tc.want, "OBJECT", tc.p.Object); err == nil || err.Error() != want {
				t.Errorf("error %v\nwant  %s", err, want)
			}
		})
	}
}

// A host without the programs is told which one it lacks.
func TestProgramsThatAreMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for program, p := range map[string]appspec.Permission{
		"setfacl":  {ACLs: []appspec.ACL{{Tag: "user", Name: "bob", Perm: "r--"}}},
		"semanage": {Context: &appspec.Context{Type: "t"}},
	} {
		h := newHost(t)
		p.Object, p.Pattern, p.Types = h.dest+"/bin/run", "**", both
		in := Install{Archive: h.dir + "/archive", CleanupFile: h.dir + "/cleanup", PlanFile: h.dir + "/install.json", Behavior: "DISALLOW"}
		err := in.Run(&appspec.Spec{Files: h.all(), Permissions: []appspec.Permission{p}})
		if want := "the program " + program + ", which the permissions section needs, is not installed on this host"; err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// chown is last: the kernel then takes setuid away from what another owner gets.
func TestOrderOfOneObject(t *testing.T) {
	h := newHost(t)
	err := h.install("DISALLOW", &appspec.Spec{Files: h.all(), Permissions: []appspec.Permission{
		{Object: h.dest + "/bin/run", Pattern: "**", Types: []string{"file"}, Mode: "4755", Owner: "nobody"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(h.dest + "/bin/run"); err != nil || info.Mode() != 0o755 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// What is not in this deployment, or not below the object, keeps its mode.
func TestPermissionsApplyBelowTheObject(t *testing.T) {
	h := newHost(t)
	h.file("dest/other", "")
	h.file("archive/app/bin/deep/x", "")
	err := h.install("DISALLOW", &appspec.Spec{Files: h.all(), Permissions: []appspec.Permission{
		{Object: h.dest + "/", Pattern: "*", Types: both, Mode: "711"},
		{Object: h.dest + "/bin", Pattern: "**", Types: []string{"file"}, Mode: "600", Except: []string{"run"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"": 0o755, "other": 0o644, ".hidden": 0o711, "bin": 0o711, "bin/run": 0o644, "bin/deep": 0o755, "bin/deep/x": 0o600} {
		if info, err := os.Stat(h.dest + "/" + name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, want %v (%v)", name, info.Mode().Perm(), want, err)
		}
	}
}
