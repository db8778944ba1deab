package command

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/agent/hooks"
	"github.com/hardstand/hardstand/internal/agent/lifecycle"
	"github.com/hardstand/hardstand/internal/agent/spec"
	"github.com/hardstand/hardstand/internal/agent/state"
	"github.com/hardstand/hardstand/internal/clock"
)

// rig is a host with revisions as directories.
type rig struct {
	*Executor
	t    *testing.T
	dest string
}

func newRig(t *testing.T) *rig {
	dir := t.TempDir()
	return &rig{t: t, dest: filepath.Join(dir, "dest"), Executor: &Executor{
		State: state.Dir{Root: filepath.Join(dir, "root"), Ongoing: "ongoing"}, MaxRevisions: 2, MaxSize: 1 << 20,
		Env: os.Environ(), Clock: clock.System{}, Log: slog.New(slog.DiscardHandler),
	}}
}

// revision makes a directory with files and returns its deployment.
func (r *rig) revision(id string, files map[string]string) *spec.Spec {
	r.t.Helper()
	dir := r.t.TempDir()
	for name, text := range files {
		text = strings.ReplaceAll(text, "DEST", r.dest)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			r.t.Fatal(err)
		}
	}
	return &spec.Spec{DeploymentID: id, GroupID: "g", GroupName: "n", ApplicationName: "a", Creator: "user", Type: "IN_PLACE",
		AppSpecFile: "appspec.yml", FileExists: "DISALLOW", KnownEvents: lifecycle.Local(),
		Revision: spec.Revision{Type: "Local Directory", Location: dir, BundleType: "directory"}}
}

func (r *rig) deploy(s *spec.Spec) error { return r.deployWith(s, func(string) {}) }

// deployWith calls after when an event has succeeded.
func (r *rig) deployWith(s *spec.Spec, after func(event string)) error {
	for _, event := range lifecycle.InPlace() {
		if _, err := r.Run(context.Background(), event, s); err != nil {
			return err
		}
		after(event)
	}
	return nil
}

const stopping = "version: 0.0\nos: linux\nfiles:\n  - {source: page, destination: DEST}\nhooks:\n  ApplicationStop:\n    - {location: stop.sh}\n"

func TestApplicationStopBelongsToTheEarlierRevision(t *testing.T) {
	r := newRig(t)
	stop := func(n string) map[string]string {
		return map[string]string{"appspec.yml": stopping, "page": n, "stop.sh": "#!/bin/sh\necho stop of " + n + " in $DEPLOYMENT_ID >> DEST.log\n"}
	}
	for _, n := range []string{"1", "2", "3"} {
		s := r.revision("d-"+n, stop(n))
		noop, err := r.Noop(lifecycle.ApplicationStop, s)
		if err != nil || noop != (n == "1") {
			t.Errorf("deployment %s: ApplicationStop is a noop: %t, %v", n, noop, err)
		}
		if err := r.deploy(s); err != nil {
			t.Fatalf("deployment %s: %v", n, err)
		}
	}
	log, _ := os.ReadFile(r.dest + ".log")
	if want := "stop of 1 in d-2\nstop of 2 in d-3\n"; string(log) != want {
		t.Errorf("stops %q, want %q", log, want)
	}
	if page, _ := os.ReadFile(filepath.Join(r.dest, "page")); string(page) != "3" {
		t.Errorf("installed %q", page)
	}
	scripts, err := os.ReadFile(state.ScriptLog(r.State.Deployment("g", "d-3")))
	if err != nil || !strings.Contains(string(scripts), "Script - stop.sh") {
		t.Errorf("scripts.log of d-3: %q, %v", scripts, err)
	}
	if _, err := os.Stat(r.State.Deployment("g", "d-1")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("with max_revisions 2 the first revision is still there")
	}
}

func TestFailedInstallKeepsTheEarlierRevisionAsTheLastSuccessful(t *testing.T) {
	r := newRig(t)
	good := r.revision("d-1", map[string]string{"appspec.yml": stopping, "page": "1", "stop.sh": "#!/bin/sh\n"})
	if err := r.deploy(good); err != nil {
		t.Fatal(err)
	}
	bad := r.revision("d-2", map[string]string{"appspec.yml": stopping, "stop.sh": ""})
	if err := r.deploy(bad); err == nil || !strings.Contains(err.Error(), `source "page" is not in the revision`) {
		t.Fatalf("error %v", err)
	}
	last, err := r.State.LastSuccessful("g")
	if err != nil || filepath.Base(last) != "d-1" {
		t.Errorf("last successful %s, %v", last, err)
	}
	recent, err := r.State.MostRecent("g")
	if err != nil || filepath.Base(recent) != "d-2" {
		t.Errorf("most recent %s, %v", recent, err)
	}
}

func TestBadRevisions(t *testing.T) {
	tests := []struct {
		name, want string
		files      map[string]string
	}{
		{"no appspec", "The CodeDeploy agent did not find an AppSpec file", map[string]string{"page": ""}},
		{"unknown event", `appspec.yml file contains unknown lifecycle events: ["ApplicationStrat"]`, map[string]string{"appspec.yml": "version: 0.0\nos: linux\nhooks:\n  ApplicationStrat:\n    - {location: a}\n"}},
		{"missing script", "Script does not exist at specified location: ", map[string]string{"appspec.yml": "version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n    - {location: a}\n"}},
		{"endless appspec", "the application specification file is larger than 1048576 bytes", map[string]string{"appspec.yml": strings.Repeat("#\n", 1<<20)}},
		{"bad appspec", "invalid version value (1)", map[string]string{"appspec.yml": "version: 1\nos: linux\n"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			if err := r.deploy(r.revision("d-1", tc.files)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

func TestUnknownCommands(t *testing.T) {
	r := newRig(t)
	s := r.revision("d-1", nil)
	for _, name := range []string{"UpdateDeploymentAgent", "BlockTraffic", ""} {
		if _, err := r.Run(context.Background(), name, s); err == nil || err.Error() != "Unsupported command type: "+name+"." {
			t.Errorf("%q: %v", name, err)
		}
	}
	var f *hooks.Failure
	if errors.As(unsupported("x"), &f) {
		t.Error("an unknown command is no script's failure")
	}
}
