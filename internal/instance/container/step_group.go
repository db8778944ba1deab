package container

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/clock"
)

// makeGroup makes the control group, before anything runs in it. What it is
// limited to follows when the instance's size is known (limit).
func (s *shell) makeGroup(context.Context) error {
	s.job.undo(func() { s.d.removeGroup(s.name) })
	if err := s.d.groups.make(s.name); err != nil {
		return fmt.Errorf("make control group: %w", err)
	}
	return nil
}

// joinGroup puts PID 1 into its group before it starts anything, so that nothing
// of the instance is ever outside.
func (s *shell) joinGroup(context.Context) error {
	if err := s.d.groups.join(s.name, s.proc.pid); err != nil {
		return fmt.Errorf("join control group: %w", err)
	}
	return nil
}

// limit sets what the instance may use.
func (l *launch) limit(context.Context) error {
	if err := l.d.groups.limit(l.name, l.spec.VCPUs, l.spec.MemoryMiB); err != nil {
		return fmt.Errorf("limit control group: %w", err)
	}
	return nil
}

// removeGroup waits for the last process of the group to be gone from it, which
// the kernel reports a moment after its end.
func (d *Driver) removeGroup(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for wait := time.Millisecond; ; wait *= 2 {
		err := d.groups.remove(name)
		if !errors.Is(err, unix.EBUSY) {
			if err != nil {
				d.cfg.Log.Error("control group stays", "group", name, "error", err)
			}
			return
		}
		if clock.Sleep(ctx, clock.System{}, wait) != nil {
			d.cfg.Log.Error("control group stays", "group", name, "error", err)
			return
		}
	}
}
