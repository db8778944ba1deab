// Package fake is the driver in which nothing runs. State and addresses are
// real, so everything around instances can be tried where there is no root; what
// would have to execute does not, and the console says so.
//
// It owns one file per instance below its directory, and one console, so that
// instances are there again after a restart of the daemon, as they are with the
// container driver.
package fake

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/network"
)

// Driver implements instance.Driver.
type Driver struct{ dir string }

var _ instance.Driver = (*Driver)(nil)

// Open returns a driver that keeps its files below dir.
func Open(dir string) (*Driver, error) {
	for _, sub := range []string{"fake", "console"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("open data directory: %w", err)
		}
	}
	return &Driver{dir: dir}, nil
}

// Name implements instance.Driver.
func (d *Driver) Name() string { return "fake" }

// Executes implements instance.Driver.
func (d *Driver) Executes() bool { return false }

// The file of an instance holds one of these.
const (
	running = "running"
	stopped = "stopped"
)

func (d *Driver) statePath(id string) string   { return filepath.Join(d.dir, "fake", id) }
func (d *Driver) consolePath(id string) string { return filepath.Join(d.dir, "console", id+".log") }

// Launch implements instance.Driver.
func (d *Driver) Launch(ctx context.Context, spec instance.Spec) (instance.Handle, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(d.statePath(spec.ID)); err != nil && !spec.FirstBoot {
		return nil, fmt.Errorf("launch %s: the instance has no disk: %w", spec.ID, err)
	}
	text := "fake driver: nothing runs in this instance\n"
	if len(spec.UserData) > 0 && spec.FirstBoot {
		text += "fake driver: user data not run\n"
	}
	if err := d.say(spec.ID, text); err != nil {
		return nil, fmt.Errorf("launch %s: %w", spec.ID, err)
	}
	if err := d.set(spec.ID, running); err != nil {
		return nil, fmt.Errorf("launch %s: %w", spec.ID, err)
	}
	return d.handle(spec.ID), nil
}

func (d *Driver) say(id, text string) error {
	f, err := os.OpenFile(d.consolePath(id), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func (d *Driver) set(id, state string) error {
	path := d.statePath(id)
	if err := os.WriteFile(path+".new", []byte(state), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (d *Driver) handle(id string) *handle {
	return &handle{d: d, id: id, done: make(chan struct{})}
}

// Recover implements instance.Driver.
func (d *Driver) Recover(_ context.Context, spec instance.Spec) (instance.Handle, error) {
	state, err := os.ReadFile(d.statePath(spec.ID))
	if err != nil || string(state) != running {
		return nil, &instance.Ended{Exit: instance.Exit{Reason: instance.ReasonKilled}}
	}
	return d.handle(spec.ID), nil
}

// Remove implements instance.Driver.
func (d *Driver) Remove(_ context.Context, id string) error {
	if err := os.Remove(d.statePath(id)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", id, err)
	}
	return nil
}

// Sweep implements instance.Driver.
func (d *Driver) Sweep(ctx context.Context, keep map[string]bool) error {
	entries, err := os.ReadDir(filepath.Join(d.dir, "fake"))
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if id := strings.TrimSuffix(e.Name(), ".new"); !keep[id] {
			errs = append(errs, d.Remove(ctx, e.Name()))
		}
	}
	return errors.Join(errs...)
}

// Forget implements instance.Driver.
func (d *Driver) Forget(id string) error {
	if err := os.Remove(d.consolePath(id)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the console of %s: %w", id, err)
	}
	return nil
}

// Console implements instance.Driver.
func (d *Driver) Console(id string) ([]byte, time.Time, error) {
	path := d.consolePath(id)
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("console of %s: %w", id, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("console of %s: %w", id, err)
	}
	return text, info.ModTime(), nil
}

// handle implements instance.Handle.
type handle struct {
	d    *Driver
	id   string
	once sync.Once
	done chan struct{}
	exit instance.Exit
}

func (h *handle) Done() <-chan struct{} { return h.done }
func (h *handle) Exit() instance.Exit   { return h.exit }
func (h *handle) Shutdown() error       { return h.end(instance.ReasonPoweroff) }
func (h *handle) Kill() error           { return h.end(instance.ReasonKilled) }

// Plug and Unplug do nothing: addresses are rows.
func (h *handle) Plug(context.Context, network.NIC) error { return nil }

// Unplug implements instance.Handle.
func (h *handle) Unplug(context.Context, string) error { return nil }

// Usage implements instance.Handle: nothing runs, so nothing is used.
func (h *handle) Usage() (instance.Usage, error) { return instance.Usage{}, instance.ErrNotCounted }

func (h *handle) end(reason string) (err error) {
	h.once.Do(func() {
		err = h.d.set(h.id, stopped)
		h.exit = instance.Exit{Reason: reason}
		close(h.done)
	})
	return err
}
