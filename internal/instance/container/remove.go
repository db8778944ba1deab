package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hardstand/hardstand/internal/instance"
)

// Remove implements instance.Driver.
func (d *Driver) Remove(_ context.Context, id string) error {
	if err := d.discard(d.dir(id)); err != nil {
		return fmt.Errorf("remove %s: %w", id, err)
	}
	d.ranges.release(id)
	return nil
}

// Forget implements instance.Driver.
func (d *Driver) Forget(id string) error {
	if err := os.Remove(d.consolePath(id)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the console of %s: %w", id, err)
	}
	return nil
}

// discard moves the directory of a disk to the trash, which is emptied in the
// background: deleting a tree takes longer than anybody wants to wait.
func (d *Driver) discard(dir string) error {
	if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	trash, err := os.MkdirTemp(d.path("trash"), filepath.Base(dir)+"-")
	if err != nil {
		return err
	}
	if err := os.Rename(dir, filepath.Join(trash, "disk")); err != nil {
		return errors.Join(err, os.Remove(trash))
	}
	d.background.Go(func() { d.delete(trash) })
	return nil
}

// cleanUp removes what an earlier daemon left behind that no instance needs:
// shells, whose PID 1 ended when their socket closed, and the trash.
func (d *Driver) cleanUp() {
	shells, err := os.ReadDir(d.path("shells"))
	for _, s := range shells {
		if !d.ranges.taken(s.Name()) { // not one of ours, made meanwhile
			err = errors.Join(err, d.discard(d.path("shells", s.Name())))
		}
	}
	if err != nil {
		d.cfg.Log.Error("unused shells stay", "error", err)
	}
	entries, err := os.ReadDir(d.path("trash"))
	if err != nil {
		d.cfg.Log.Error("trash not emptied", "error", err)
		return
	}
	for _, e := range entries {
		d.delete(d.path("trash", e.Name()))
	}
}

// dropOld moves to the trash what lies below kind and is neither current nor used
// by an instance: images and guest binaries of earlier versions.
func (d *Driver) dropOld(kind, current string, used func(record) string) {
	keep := map[string]bool{current: true, strings.TrimSuffix(current, shiftedSuffix): true}
	instances, err := os.ReadDir(d.path("instances"))
	for _, e := range instances {
		if rec, readErr := readRecord(d.dir(e.Name())); readErr == nil {
			keep[used(rec)] = true
		}
	}
	entries, readErr := os.ReadDir(d.path(kind))
	err = errors.Join(err, readErr)
	for _, e := range entries {
		if err == nil && !keep[e.Name()] {
			err = d.discard(d.path(kind, e.Name()))
		}
	}
	if err != nil {
		d.cfg.Log.Error("old files stay", "kind", kind, "error", err)
	}
}

// delete removes a tree of the trash, unless something is mounted below: a bind
// mount of the host's /usr looks like any other directory, and would be emptied.
func (d *Driver) delete(tree string) {
	mounted, err := mountedBelow(tree)
	if err == nil && mounted != "" {
		err = fmt.Errorf("%s is a mount point", mounted)
	}
	if err == nil {
		err = removeDeep(tree)
	}
	if err != nil {
		d.cfg.Log.Error("disk of a removed instance stays", "path", tree, "error", err)
	}
}

// mountedBelow returns a mount point at or below dir in the daemon's namespace.
func mountedBelow(dir string) (string, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("read mounts: %w", err)
	}
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		if at := unescapeMount(fields[4]); at == dir || strings.HasPrefix(at, dir+"/") {
			return at, nil
		}
	}
	return "", nil
}

// unescapeMount undoes the octal escapes of mountinfo.
var mountEscapes = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

func unescapeMount(s string) string { return mountEscapes.Replace(s) }

// Sweep implements instance.Driver: whatever has a directory or a control group
// here and is not kept is ended and removed.
func (d *Driver) Sweep(_ context.Context, keep map[string]bool) error {
	entries, err := os.ReadDir(d.path("instances"))
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	var errs []error
	inUse := map[string]bool{}
	for _, e := range entries {
		if keep[e.Name()] {
			if rec, err := readRecord(d.dir(e.Name())); err == nil {
				inUse[rec.Group] = true
			}
			continue
		}
		errs = append(errs, d.sweepOne(e.Name()))
	}
	for _, name := range d.groups.names() {
		if !inUse[name] && !d.ranges.taken(name) {
			d.removeGroup(name)
		}
	}
	return errors.Join(errs...)
}

func (d *Driver) sweepOne(id string) error {
	rec, err := readRecord(d.dir(id))
	if err == nil {
		var ended *instance.Ended
		p, err := d.find(rec)
		if err != nil && !errors.As(err, &ended) {
			return fmt.Errorf("sweep %s: %w", id, err)
		}
		if p != nil {
			if err := p.kill(); err != nil {
				return fmt.Errorf("sweep %s: %w", id, err)
			}
			<-p.ended
		}
		d.letGo(id, rec.Group, rec.NIC)
	}
	return d.Remove(context.Background(), id)
}
