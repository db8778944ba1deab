package container

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hardstand/hardstand/internal/guest/handover"
	"github.com/hardstand/hardstand/internal/instance"
)

// launch is one instance on its way up: a shell that is given its identity.
type launch struct {
	*shell
	job  *job
	spec instance.Spec
}

// Launch implements instance.Driver.
func (d *Driver) Launch(ctx context.Context, spec instance.Spec) (instance.Handle, error) {
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s, err := d.shellOf(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("launch %s: %w", spec.ID, err)
	}
	l := &launch{shell: s, job: newJob(d.cfg.Clock), spec: spec}
	err = l.job.run(ctx,
		stage{{{"attach", l.attach}, {"listen", l.listen}}, {{"name", l.nameDisk}, {"limit", l.limit}, {"record", l.record}}},
		stage{{{"identity", l.giveIdentity}}},
	)
	if err != nil {
		s.discard()
		return nil, fmt.Errorf("launch %s: %w", spec.ID, err)
	}
	s.closeFiles()
	d.pool.refill()
	d.cfg.Log.Debug("instance launched", "instance", spec.ID, "pid", s.proc.pid, "shell", s.job.times(), "launch", l.job.times())
	return d.watch(spec, s.name, s.proc), nil
}

func (d *Driver) shellOf(ctx context.Context, spec instance.Spec) (*shell, error) {
	if !spec.FirstBoot {
		return d.shellFor(ctx, spec.ID)
	}
	// What an aborted launch of the same instance may have left.
	if err := d.discard(d.dir(spec.ID)); err != nil {
		return nil, err
	}
	return d.pool.take(ctx)
}

// nameDisk moves the disk and the console of a new shell to their places.
func (l *launch) nameDisk(context.Context) error {
	if !l.fresh {
		return nil
	}
	if err := os.Rename(l.console, l.d.consolePath(l.spec.ID)); err != nil {
		return err
	}
	dir := l.d.dir(l.spec.ID)
	if err := os.Rename(l.dir, dir); err != nil {
		return err
	}
	l.dir = dir // the shell's undo removes it from there
	l.d.ranges.rename(l.name, l.spec.ID)
	l.job.undo(func() { l.d.ranges.release(l.spec.ID) })
	return nil
}

// giveIdentity tells PID 1 who it is, which releases it.
func (l *launch) giveIdentity(context.Context) error {
	id := handover.Identity{
		InstanceID: l.spec.ID, Hostname: l.spec.Hostname, UserData: l.spec.UserData,
		FirstBoot: l.spec.FirstBoot, AuthorizedKeys: l.spec.AuthorizedKeys, SharedMiB: l.spec.MemoryMiB / 2,
	}
	if l.spec.NIC.Private.IsValid() {
		id.Address = l.spec.NIC.Private.String()
	}
	err := l.talk(func(fd int) error { return handover.Send(fd, id, nil) })
	if err != nil {
		return errors.Join(err, l.lastWords())
	}
	return nil
}

// lastWords returns what PID 1 left on the console when it failed.
func (l *launch) lastWords() error {
	text, _, err := l.d.Console(l.spec.ID)
	if err != nil || len(text) == 0 {
		return err
	}
	return fmt.Errorf("console: %s", text[max(0, len(text)-500):])
}
