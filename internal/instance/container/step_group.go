package container

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/clock"
)

// makeGroup makes the control group with its limits, before anything runs in it.
func (l *launch) makeGroup(context.Context) error {
	l.undo(func() { l.d.removeGroup(l.spec.ID) })
	if err := l.d.groups.make(l.spec.ID, l.d.groups.limits(l.spec.VCPUs, l.spec.MemoryMiB)); err != nil {
		return fmt.Errorf("make control group: %w", err)
	}
	return nil
}

// joinGroup puts PID 1 into its group while it still waits for the handover, so
// that nothing it starts is ever outside.
func (l *launch) joinGroup(context.Context) error {
	if err := l.d.groups.join(l.spec.ID, l.proc.pid); err != nil {
		return fmt.Errorf("join control group: %w", err)
	}
	return nil
}

// removeGroup waits for the last process of the group to be gone from it, which
// the kernel reports a moment after its end.
func (d *Driver) removeGroup(id string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for wait := time.Millisecond; ; wait *= 2 {
		err := d.groups.remove(id)
		if !errors.Is(err, unix.EBUSY) {
			if err != nil {
				d.cfg.Log.Error("control group stays", "instance", id, "error", err)
			}
			return
		}
		if clock.Sleep(ctx, clock.System{}, wait) != nil {
			d.cfg.Log.Error("control group stays", "instance", id, "error", err)
			return
		}
	}
}
