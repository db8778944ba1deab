// Package command carries out the commands that the service sends: it maps the
// eleven lifecycle events an agent knows to downloading, installing and running
// scripts, and keeps the records on disk that the next deployment builds on.
//
// Flow: poll -> Executor.Run -> download + unpack | install | hooks.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/hardstand/hardstand/internal/agent/appspec"
	"github.com/hardstand/hardstand/internal/agent/hooks"
	"github.com/hardstand/hardstand/internal/agent/install"
	"github.com/hardstand/hardstand/internal/agent/lifecycle"
	"github.com/hardstand/hardstand/internal/agent/sentence"
	"github.com/hardstand/hardstand/internal/agent/spec"
	"github.com/hardstand/hardstand/internal/agent/state"
	"github.com/hardstand/hardstand/internal/agent/unpack"
	"github.com/hardstand/hardstand/internal/clock"
)

// Fetcher downloads a bundle.
type Fetcher interface {
	Fetch(ctx context.Context, r spec.Revision, token, path string) error
}

// Executor executes commands on this host.
type Executor struct {
	State        state.Dir
	Fetcher      Fetcher
	Tools        install.Tools
	MaxRevisions int
	MaxSize      int64 // of an unpacked bundle, in bytes
	Hardening    Hardening
	SharedLog    string // "" for none
	// CustomEvents runs hooks of events that only the deployment's list of possible
	// ones knows, as codedeploy-local does; the service has none.
	CustomEvents bool
	Env          []string
	Clock        clock.Clock
	Log          *slog.Logger
}

// Noop implements poll.Executor.
func (x *Executor) Noop(command string, s *spec.Spec) (bool, error) {
	if !lifecycle.ByAgent(command) {
		return false, unsupported(command)
	}
	if !lifecycle.Scriptable(command) {
		return false, nil
	}
	dir, err := x.revision(command, s)
	if err != nil {
		return false, err
	}
	if dir == "" {
		return lifecycle.Noop(command, false, 0), nil
	}
	a, err := x.appspec(dir, s)
	if err != nil {
		return false, err
	}
	return lifecycle.Noop(command, true, len(a.Hooks[command])), nil
}

func unsupported(command string) error {
	return sentence.Errorf("Unsupported command type: %s.", command)
}

// Run implements poll.Executor.
func (x *Executor) Run(ctx context.Context, command string, s *spec.Spec) (string, error) {
	const done = "Succeeded"
	switch {
	case command == lifecycle.DownloadBundle:
		return done, x.download(ctx, s)
	case command == lifecycle.Install:
		return done, x.install(s)
	case lifecycle.Scriptable(command), x.CustomEvents && slices.Contains(s.PossibleEvents, command):
		return done, x.hook(ctx, command, s)
	}
	return "", unsupported(command)
}

func (x *Executor) download(ctx context.Context, s *spec.Spec) error {
	dir := x.State.Deployment(s.GroupID, s.DeploymentID)
	if err := x.State.Prune(s.GroupID, s.DeploymentID, x.MaxRevisions); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o755); err != nil {
		return fmt.Errorf("make deployment directory: %w", err)
	}
	archive := state.Archive(dir)
	if s.Revision.BundleType == "directory" {
		if err := copyTree(s.Revision.Location, archive); err != nil {
			return err
		}
	} else {
		// Never into a file that is there: it may be an earlier revision's too.
		if err := os.RemoveAll(state.Bundle(dir)); err != nil {
			return fmt.Errorf("clear bundle: %w", err)
		}
		if err := x.Fetcher.Fetch(ctx, s.Revision, s.GitHubToken, state.Bundle(dir)); err != nil {
			return err
		}
		kind := s.Revision.BundleType
		if s.Revision.Type == "GitHub" && kind == "tar" {
			kind = "tgz" // what GitHub calls a tarball is compressed
		}
		if err := unpack.Bundle(state.Bundle(dir), kind, archive, unpack.Limits{Bytes: x.MaxSize, NoLinks: x.Hardening.NoLinks}); err != nil {
			return errors.Join(err, os.Remove(state.Bundle(dir)))
		}
	}
	if _, err := os.Stat(filepath.Join(archive, filepath.FromSlash(s.AppSpecFile))); err != nil {
		return noAppSpec(archive, s.AppSpecFile)
	}
	return x.State.SetMostRecent(s.GroupID, dir)
}

// share saves room among the revisions that are kept and never run again. That it
// cannot is no reason to fail a deployment.
func (x *Executor) share(s *spec.Spec) {
	if _, err := x.State.ShareDormant(s.GroupID); err != nil {
		x.Log.Warn("revisions take more room than they need", "error", err)
	}
}

func copyTree(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return fmt.Errorf("clear archive directory: %w", err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return fmt.Errorf("copy revision: %w", err)
	}
	return nil
}

func (x *Executor) install(s *spec.Spec) error {
	dir := x.State.Deployment(s.GroupID, s.DeploymentID)
	a, err := x.appspec(dir, s)
	if err != nil {
		return err
	}
	for _, w := range a.Warnings {
		x.Log.Warn(s.AppSpecFile + ": " + w)
	}
	if err := checkEvents(a, s); err != nil {
		return err
	}
	behavior := s.FileExists
	if a.FileExists != "" {
		behavior = a.FileExists
	}
	in := install.Install{
		Archive: state.Archive(dir), Behavior: behavior, Tools: x.Tools,
		CleanupFile: x.State.CleanupFile(s.GroupID), PlanFile: x.State.InstallFile(s.GroupID),
	}
	if err := in.Run(a); err != nil {
		return err
	}
	if err := x.State.SetLastSuccessful(s.GroupID, dir); err != nil {
		return err
	}
	x.share(s)
	return nil
}

// checkEvents refuses hooks that would never run, because no event has their name,
// and events of the deployment's own that no hook is for.
func checkEvents(a *appspec.Spec, s *spec.Spec) error {
	known := slices.Concat(s.KnownEvents, s.PossibleEvents)
	if unknown := a.UnknownEvents(known); len(known) > 0 && len(unknown) > 0 {
		for i, e := range unknown {
			unknown[i] = strconv.Quote(e)
		}
		return sentence.Errorf("%s file contains unknown lifecycle events: [%s]", s.AppSpecFile, strings.Join(unknown, ", "))
	}
	var missing []string
	for _, e := range s.PossibleEvents {
		if _, hooked := a.Hooks[e]; !hooked && !slices.Contains(lifecycle.Local(), e) {
			missing = append(missing, e)
		}
	}
	if len(missing) > 0 {
		return sentence.Errorf("You specified a lifecycle event which is not a default one and doesn't exist in your %s file: %s",
			s.AppSpecFile, strings.Join(missing, ","))
	}
	return nil
}

func (x *Executor) hook(ctx context.Context, event string, s *spec.Spec) error {
	dir, err := x.revision(event, s)
	if err != nil || dir == "" {
		return err
	}
	a, err := x.appspec(dir, s)
	if err != nil {
		return err
	}
	scripts := a.Hooks[event]
	if len(scripts) == 0 {
		return nil
	}
	own := x.State.Deployment(s.GroupID, s.DeploymentID)
	add := append([]string{
		"LIFECYCLE_EVENT=" + event, "DEPLOYMENT_ID=" + s.DeploymentID, "APPLICATION_NAME=" + s.ApplicationName,
		"DEPLOYMENT_GROUP_NAME=" + s.GroupName, "DEPLOYMENT_GROUP_ID=" + s.GroupID,
	}, s.Revision.Environment()...)
	r := hooks.Runner{
		Archive: state.Archive(dir), Env: hooks.Environment(x.Hardening.environment(x.Env), add), LogFile: state.ScriptLog(own),
		SharedLog: x.SharedLog, Deployment: s.DeploymentID, Clock: x.Clock,
		Audit: func(line string) { x.Log.Info(line, "deployment", s.DeploymentID, "event", event) },
	}
	return r.Run(ctx, event, scripts)
}

// revision returns the deployment directory whose scripts event runs, "" for
// none.
func (x *Executor) revision(event string, s *spec.Spec) (string, error) {
	own := x.State.Deployment(s.GroupID, s.DeploymentID)
	_, err := os.Stat(state.Archive(own))
	switch lifecycle.RevisionFor(event, s.Creator, s.Type, err == nil) {
	case lifecycle.LastSuccessful:
		return x.State.LastSuccessful(s.GroupID)
	case lifecycle.MostRecent:
		return x.State.MostRecent(s.GroupID)
	}
	return own, nil
}

// appspec reads the revision's appspec, by the file's usual names if it has not the
// deployment's: the deployment before may have had another.
func (x *Executor) appspec(dir string, s *spec.Spec) (*appspec.Spec, error) {
	archive := state.Archive(dir)
	root, err := os.OpenRoot(archive)
	if err != nil {
		return nil, noAppSpec(archive, s.AppSpecFile)
	}
	defer root.Close()
	for _, name := range []string{s.AppSpecFile, "appspec.yaml", "appspec.yml"} {
		data, err := readStart(root, filepath.FromSlash(name), appspec.MaxSize+1)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read AppSpec file: %w", err)
		}
		a, err := appspec.Parse(data)
		if err == nil {
			err = x.Hardening.check(a)
		}
		return a, err
	}
	return nil, noAppSpec(archive, s.AppSpecFile)
}

// readStart reads at most limit bytes of a file: what is in a bundle may be of any
// size, and of any kind once a hook has run.
func readStart(root *os.Root, name string, limit int64) ([]byte, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

func noAppSpec(archive, name string) error {
	return sentence.Errorf("The CodeDeploy agent did not find an AppSpec file within the unpacked revision directory at revision-relative path %q. "+
		"The revision was unpacked to directory %q, and the AppSpec file was expected but not found at path %q. "+
		"Consult the AWS CodeDeploy Appspec documentation for more information at "+
		"http://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file.html", name, archive, filepath.Join(archive, name))
}
