package command

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hardstand/hardstand/internal/agent/lifecycle"
	"github.com/hardstand/hardstand/internal/agent/state"
)

// A hook that writes in place into its archive changes no other revision: what
// ApplicationStop of the next deployment runs is what was deployed.
func TestHooksThatWriteIntoTheirArchive(t *testing.T) {
	r := newRig(t)
	r.MaxRevisions = 5
	large := strings.Repeat("x", 8192)
	files := map[string]string{
		"data": large, "page": "p",
		"appspec.yml": stopping + "  ApplicationStart:\n    - {location: start.sh}\n",
		"start.sh":    "#!/bin/sh\nprintf $DEPLOYMENT_ID >> \"$(dirname $0)/data\"\n",
		"stop.sh":     "#!/bin/sh\nprintf stopped-by-$DEPLOYMENT_ID >> \"$(dirname $0)/data\"\n",
	}
	source := r.revision("d-1", files)
	for n := range 5 {
		s := *source
		s.DeploymentID = fmt.Sprintf("d-%d", n+1)
		if err := r.deploy(&s); err != nil {
			t.Fatal(err)
		}
	}
	for n := 1; n <= 5; n++ {
		want := large + fmt.Sprintf("d-%d", n)
		if n < 5 {
			want += fmt.Sprintf("stopped-by-d-%d", n+1)
		}
		got, err := os.ReadFile(filepath.Join(state.Archive(r.State.Deployment("g", fmt.Sprintf("d-%d", n))), "data"))
		if err != nil || string(got) != want {
			t.Errorf("d-%d: %q, want %q (%v)", n, got[len(large):], want[len(large):], err)
		}
	}
}

// Kept revisions that never run again cost little more than one of them.
func TestRoomOfKeptRevisions(t *testing.T) {
	r := newRig(t)
	r.MaxRevisions = 5
	const size = 1 << 20
	source := r.revision("d-1", map[string]string{"appspec.yml": "version: 0.0\nos: linux\n", "large": strings.Repeat("x", size)})
	large := filepath.Join(source.Revision.Location, "large")
	info, err := os.Stat(large)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 7 {
		s := *source
		s.DeploymentID = fmt.Sprintf("d-%d", n+1)
		if err := r.deployWith(&s, func(event string) {
			if event == lifecycle.DownloadBundle { // as an archive has it
				if err := os.Chtimes(filepath.Join(state.Archive(r.State.Deployment("g", s.DeploymentID)), "large"), info.ModTime(), info.ModTime()); err != nil {
					t.Fatal(err)
				}
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	revisions, _ := filepath.Glob(r.State.Deployment("g", "*"))
	if len(revisions) != 5 {
		t.Errorf("kept %q", revisions)
	}
	if used := diskUse(t, r.State.Root); used > 2*size+size/2 {
		t.Errorf("5 revisions of %d bytes take %d", size, used)
	}
}

func diskUse(t *testing.T, dir string) (used int64) {
	t.Helper()
	seen := map[uint64]bool{}
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if inode := info.Sys().(*syscall.Stat_t).Ino; !seen[inode] {
			seen[inode] = true
			used += info.Size()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return used
}

// Two applications on one host: neither's deployment removes what the other's
// put in place, takes its revisions for its own, or stops it.
func TestTwoApplications(t *testing.T) {
	r := newRig(t)
	shop, blog := r.revision("d-1", nil), r.revision("d-2", nil)
	for i, s := range []*struct{ group, location string }{{"shop", shop.Revision.Location}, {"blog", blog.Revision.Location}} {
		text := fmt.Sprintf("version: 0.0\nos: linux\nfiles:\n  - {source: page, destination: %s/%s}\nhooks:\n  ApplicationStop:\n    - {location: stop.sh}\n", r.dest, s.group)
		for name, content := range map[string]string{"appspec.yml": text, "page": s.group, "stop.sh": "#!/bin/sh\necho " + s.group + " >> " + r.dest + "-stopped\n"} {
			if err := os.WriteFile(filepath.Join(s.location, name), []byte(content), 0o755); err != nil {
				t.Fatal(i, err)
			}
		}
	}
	shop.GroupID, blog.GroupID = "shop", "blog"
	for _, id := range []string{"d-1", "d-2", "d-3", "d-4", "d-5"} {
		s := shop
		if id == "d-2" {
			s = blog
		}
		s.DeploymentID = id
		if err := r.deploy(s); err != nil {
			t.Fatal(err)
		}
	}
	for _, group := range []string{"shop", "blog"} {
		if page, err := os.ReadFile(filepath.Join(r.dest, group, "page")); err != nil || string(page) != group {
			t.Errorf("%s: %q, %v", group, page, err)
		}
	}
	if stopped, _ := os.ReadFile(r.dest + "-stopped"); string(stopped) != "shop\nshop\nshop\n" {
		t.Errorf("stopped %q", stopped)
	}
	if _, err := os.Stat(r.State.Deployment("blog", "d-2")); err != nil {
		t.Errorf("the other's revision: %v", err)
	}
}

func TestEventsOfItsOwn(t *testing.T) {
	const hooks = "version: 0.0\nos: linux\nhooks:\n  HealthCheck:\n    - {location: a}\n  Zed:\n    - {location: a}\n"
	tests := []struct {
		name            string
		known, possible []string
		want            string
	}{
		{"none are known", nil, nil, ""},
		{"all are known", lifecycle.Local(), []string{"HealthCheck", "Zed"}, ""},
		{"two are not", lifecycle.Local(), nil, `appspec.yml file contains unknown lifecycle events: ["HealthCheck", "Zed"]`},
		{"one is not", nil, append(lifecycle.Local(), "HealthCheck"), `appspec.yml file contains unknown lifecycle events: ["Zed"]`},
		{"events without hooks", nil, append(lifecycle.Local(), "HealthCheck", "Zed", "Warm", "Cool"),
			"You specified a lifecycle event which is not a default one and doesn't exist in your appspec.yml file: Warm,Cool"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			s := r.revision("d-1", map[string]string{"appspec.yml": hooks, "a": "#!/bin/sh\necho $LIFECYCLE_EVENT >> DEST\n"})
			s.KnownEvents, s.PossibleEvents = tc.known, tc.possible
			err := r.deploy(s)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || err.Error() != tc.want) {
				t.Errorf("error %v, want %s", err, tc.want)
			}
		})
	}
	r := newRig(t)
	s := r.revision("d-1", map[string]string{"appspec.yml": hooks, "a": "#!/bin/sh\necho $LIFECYCLE_EVENT >> DEST\n"})
	s.KnownEvents, s.PossibleEvents = nil, append(lifecycle.Local(), "HealthCheck", "Zed")
	if err := r.deploy(s); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Run(context.Background(), "HealthCheck", s); err == nil || err.Error() != "Unsupported command type: HealthCheck." {
		t.Errorf("from the service: %v", err)
	}
	r.CustomEvents = true
	if _, err := r.Run(context.Background(), "HealthCheck", s); err != nil {
		t.Errorf("from codedeploy-local: %v", err)
	}
	if ran, _ := os.ReadFile(r.dest); string(ran) != "HealthCheck\n" {
		t.Errorf("ran %q", ran)
	}
}

// Blue/green: a rollback's traffic hooks are those of the revision that was
// unpacked last, what stops and starts the application again the last good one's.
func TestRevisionsOfARollback(t *testing.T) {
	r := newRig(t)
	hook := func(n string) map[string]string {
		text := "version: 0.0\nos: linux\nhooks:\n"
		for _, e := range lifecycle.Local() {
			if lifecycle.Scriptable(e) {
				text += "  " + e + ":\n    - {location: s}\n"
			}
		}
		return map[string]string{"appspec.yml": text, "s": "#!/bin/sh\necho " + n + " $LIFECYCLE_EVENT >> DEST.log\n"}
	}
	if err := r.deploy(r.revision("d-1", hook("one"))); err != nil {
		t.Fatal(err)
	}
	bad := r.revision("d-2", hook("two"))
	if _, err := r.Run(context.Background(), lifecycle.DownloadBundle, bad); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(r.dest + ".log"); err != nil {
		t.Fatal(err)
	}
	back := r.revision("d-3", hook("three"))
	back.Creator, back.Type = "codeDeployRollback", "BLUE_GREEN"
	for _, event := range []string{"BeforeBlockTraffic", "AfterBlockTraffic", "ApplicationStop", "BeforeAllowTraffic", "AfterAllowTraffic", "DownloadBundle", "BeforeInstall"} {
		if _, err := r.Run(context.Background(), event, back); err != nil {
			t.Fatal(err)
		}
	}
	log, _ := os.ReadFile(r.dest + ".log")
	want := "two BeforeBlockTraffic\ntwo AfterBlockTraffic\none ApplicationStop\none BeforeAllowTraffic\none AfterAllowTraffic\nthree BeforeInstall\n"
	if string(log) != want {
		t.Errorf("ran\n%swant\n%s", log, want)
	}
}

// What a hook finds: the deployment's variables, the bundle's, and no credentials.
func TestEnvironmentOfAHook(t *testing.T) {
	r := newRig(t)
	r.Env = append(r.Env, "AWS_SECRET_ACCESS_KEY=secret")
	s := r.revision("d-1", map[string]string{"appspec.yml": "version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n    - {location: s}\n", "s": "#!/bin/sh\nenv > DEST.env; pwd >> DEST.env\n"})
	s.Revision.Bucket = "b"
	if err := r.deploy(s); err != nil {
		t.Fatal(err)
	}
	env, err := os.ReadFile(r.dest + ".env")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"LIFECYCLE_EVENT=AfterInstall", "DEPLOYMENT_ID=d-1", "APPLICATION_NAME=a", "DEPLOYMENT_GROUP_NAME=n", "DEPLOYMENT_GROUP_ID=g"} {
		if !strings.Contains("\n"+string(env), "\n"+want+"\n") {
			t.Errorf("%s is not in the environment", want)
		}
	}
	if strings.Contains(string(env), "secret") {
		t.Error("a credential is in the environment")
	}
}

// The revision before may have had another name for its appspec: its scripts run
// all the same.
func TestAppspecOfAnotherName(t *testing.T) {
	r := newRig(t)
	stop := map[string]string{"page": "1", "stop.sh": "#!/bin/sh\ntouch DEST.stopped\n", "appspec.yml": stopping}
	if err := r.deploy(r.revision("d-1", stop)); err != nil {
		t.Fatal(err)
	}
	next := r.revision("d-2", map[string]string{"page": "2", "stop.sh": "", "other.yml": stopping})
	next.AppSpecFile = "other.yml"
	if noop, err := r.Noop(lifecycle.ApplicationStop, next); err != nil || noop {
		t.Errorf("noop %v, %v", noop, err)
	}
	if err := r.deploy(next); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(r.dest + ".stopped"); err != nil {
		t.Error(err)
	}
}

func TestHardening(t *testing.T) {
	perm := func(rest string) map[string]string {
		return map[string]string{"page": "1", "appspec.yml": "version: 0.0\nos: linux\nfiles:\n  - {source: page, destination: DEST}\npermissions:\n  - {object: DEST/page, " + rest + "}\n"}
	}
	tests := []struct {
		name  string
		h     Hardening
		files map[string]string
		want  string
	}{
		{"setuid", Hardening{NoUnsafeModes: true}, perm("mode: 4755"), "is setuid or setgid, which :reject_unsafe_permissions_in_bundle: refuses"},
		{"setgid", Hardening{NoUnsafeModes: true}, perm("mode: 2755"), "is setuid or setgid"},
		{"sticky", Hardening{NoUnsafeModes: true}, perm("mode: 1755"), ""},
		{"setuid allowed", Hardening{}, perm("mode: 4755"), ""},
		{"unconfined", Hardening{NoUnconfined: true}, perm("context: {type: unconfined_t}"), "refuses the SELinux type unconfined_t"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			r.Hardening = tc.h
			err := r.deploy(r.revision("d-1", tc.files))
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error %v, want %s", err, tc.want)
			}
		})
	}
	got := Hardening{EnvironmentList: true}.environment([]string{"PATH=/bin", "HOME=/root", "FOO=x"})
	if strings.Join(got, " ") != "PATH=/bin HOME=/root" {
		t.Errorf("environment %q", got)
	}
}
