// Package state is the agent's memory on disk below root_dir, in the layout of
// the official agent, so that either can take over from the other:
//
//	<group>/<deployment>/bundle.tar              the bundle, of any type
//	<group>/<deployment>/deployment-archive/     the unpacked revision
//	<group>/<deployment>/logs/scripts.log
//	deployment-instructions/<group>-install.json the last plan
//	deployment-instructions/<group>-cleanup      what the next Install removes
//	deployment-instructions/<group>_last_successful_install
//	deployment-instructions/<group>_most_recent_install
//	ongoing-deployment/<deployment>              command id while one runs
package state

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Dir is root_dir.
type Dir struct {
	Root    string
	Ongoing string // name of the tracking directory below Root
}

// Deployment is the directory of one deployment.
func (d Dir) Deployment(group, id string) string { return filepath.Join(d.Root, group, id) }

// Bundle is the file that a deployment directory keeps its bundle in.
func Bundle(deployment string) string { return filepath.Join(deployment, "bundle.tar") }

// Archive is the unpacked revision in a deployment directory.
func Archive(deployment string) string { return filepath.Join(deployment, "deployment-archive") }

// ScriptLog is the log of a deployment's scripts.
func ScriptLog(deployment string) string { return filepath.Join(deployment, "logs", "scripts.log") }

func (d Dir) instructions(name string) string {
	return filepath.Join(d.Root, "deployment-instructions", name)
}

// InstallFile is where the plan of a group's Install is written.
func (d Dir) InstallFile(group string) string { return d.instructions(group + "-install.json") }

// CleanupFile lists what a group's Install has put in place.
func (d Dir) CleanupFile(group string) string { return d.instructions(group + "-cleanup") }

const (
	lastSuccessful = "_last_successful_install"
	mostRecent     = "_most_recent_install"
)

// LastSuccessful returns the deployment directory whose Install last succeeded
// in group, "" for none.
func (d Dir) LastSuccessful(group string) (string, error) { return d.pointer(group + lastSuccessful) }

// MostRecent returns the deployment directory last unpacked in group, "" for
// none.
func (d Dir) MostRecent(group string) (string, error) { return d.pointer(group + mostRecent) }

// SetLastSuccessful records the end of an Install.
func (d Dir) SetLastSuccessful(group, deployment string) error {
	return d.write(group+lastSuccessful, deployment)
}

// SetMostRecent records the end of a DownloadBundle.
func (d Dir) SetMostRecent(group, deployment string) error {
	return d.write(group+mostRecent, deployment)
}

// pointer reads a path and believes it only inside Root.
func (d Dir) pointer(name string) (string, error) {
	data, err := os.ReadFile(d.instructions(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	p := strings.TrimSpace(string(data))
	if rel, err := filepath.Rel(d.Root, p); err != nil || strings.HasPrefix(rel, "..") {
		return "", fmt.Errorf("%s names %q, which is outside %s", name, p, d.Root)
	}
	if _, err := os.Stat(p); err != nil {
		return "", nil
	}
	return p, nil
}

func (d Dir) write(name, text string) error {
	return WriteFile(d.instructions(name), []byte(text))
}

// WriteFile replaces path as a whole, or leaves it as it was, also when the machine
// loses its power.
func WriteFile(path string, data []byte) error { return replace(path, data, (*os.File).Sync) }

func replace(path string, data []byte, sync func(*os.File) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	err = cmp.Or(err, f.Chmod(0o644), sync(f), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Prune deletes the oldest deployments of group until keep remain, counting the
// one in hand. The last successful one and the one in hand stay.
func (d Dir) Prune(group, inHand string, keep int) error {
	last, err := d.LastSuccessful(group)
	if err != nil {
		return err
	}
	others, err := d.revisions(group)
	if err != nil {
		return err
	}
	own := d.Deployment(group, inHand)
	others = slices.DeleteFunc(others, func(p string) bool { return p == own })
	excess := len(others) + 1 - keep
	for _, path := range others {
		if excess <= 0 {
			break
		}
		if path == last {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("delete old revision: %w", err)
		}
		excess--
	}
	return nil
}

// revisions are the deployment directories of group, oldest first.
func (d Dir) revisions(group string) ([]string, error) {
	dir := filepath.Join(d.Root, group)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list revisions: %w", err)
	}
	var out []string
	at := map[string]int64{}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.IsDir() {
			path := filepath.Join(dir, e.Name())
			out, at[path] = append(out, path), info.ModTime().UnixNano()
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return cmp.Compare(at[a], at[b]) })
	return out, nil
}

// Track notes that the host runs command for deployment, so that a restarted
// agent can fail it. It does not wait for the disk, which would cost every event as
// much as all the rest of it: the note outlives the agent, and an orderly reboot.
func (d Dir) Track(deployment, command string) error {
	return replace(filepath.Join(d.Root, d.Ongoing, deployment), []byte(command), func(*os.File) error { return nil })
}

// Untrack forgets it.
func (d Dir) Untrack(deployment string) error {
	err := os.Remove(filepath.Join(d.Root, d.Ongoing, deployment))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Tracked returns deployment to command id for what ran when the agent ended.
func (d Dir) Tracked() (map[string]string, error) {
	entries, err := os.ReadDir(filepath.Join(d.Root, d.Ongoing))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list running commands: %w", err)
	}
	out := map[string]string{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(d.Root, d.Ongoing, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read running command: %w", err)
		}
		out[e.Name()] = strings.TrimSpace(string(data))
	}
	return out, nil
}
