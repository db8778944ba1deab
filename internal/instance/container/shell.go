package container

import (
	"context"
	"fmt"
	"os"

	"github.com/hardstand/hardstand/internal/aws/ids"
)

// shell is an instance without identity: namespaces, disk, mounts, confinement
// and a PID 1 that waits to be told who it is. Nothing in it depends on the
// instance it will be, so that one can be kept ready: moving a process into a
// control group alone takes the kernel ten milliseconds on systems with the older
// hierarchy.
type shell struct {
	d     *Driver
	job   *job
	image *image
	// name is the shell's control group, and its directory unless the disk is an
	// instance's already.
	name string
	// dir holds the disk; fresh says that it has to be made.
	dir     string
	console string
	fresh   bool
	// base is the first of the instance's 65,536 user and group ids.
	base uint32

	proc *process
	// socket is the daemon's end of the handover.
	socket *os.File
	netns  *os.File
	userns *os.File
	mounts []mount
}

// newShell makes a shell with an empty disk.
func (d *Driver) newShell(ctx context.Context) (*shell, error) {
	name := ids.Resource("shell")
	dir := d.path("shells", name)
	return d.makeShell(ctx, &shell{name: name, dir: dir, console: d.path("shells", name, "console.log"), fresh: true})
}

// shellFor makes a shell around the disk that an instance has.
func (d *Driver) shellFor(ctx context.Context, id string) (*shell, error) {
	if _, err := os.Stat(d.dir(id)); err != nil {
		return nil, fmt.Errorf("the instance has no disk: %w", err)
	}
	return d.makeShell(ctx, &shell{name: ids.Resource("shell"), dir: d.dir(id), console: d.consolePath(id)})
}

func (d *Driver) makeShell(ctx context.Context, s *shell) (*shell, error) {
	img, err := d.readyImage(ctx)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	s.d, s.image, s.job = d, img, newJob(d.cfg.Clock)
	err = s.job.run(ctx,
		stage{{{"claim", s.claim}}, {{"group", s.makeGroup}}},
		stage{{{"clone", s.clone}}, {{"disk", s.makeDisk}}},
		stage{{{"join", s.joinGroup}}, {{"rootfs", s.makeRootfs}}},
		stage{{{"enter", s.enter}}},
	)
	s.closeMounts()
	if err != nil {
		s.closeFiles()
		return nil, err
	}
	return s, nil
}

// alive reports whether PID 1 still waits.
func (s *shell) alive() bool {
	select {
	case <-s.proc.ended:
		return false
	default:
		return true
	}
}

// discard takes a shell back that was never used.
func (s *shell) discard() {
	s.job.abort()
	s.closeFiles()
}

func (s *shell) closeMounts() {
	for _, m := range s.mounts {
		m.close()
	}
	s.mounts = nil
}

// closeFiles drops the daemon's hold on what the instance has itself.
func (s *shell) closeFiles() {
	for _, f := range []*os.File{s.socket, s.netns, s.userns} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// claim makes the directory of a new disk and takes a range of ids; for an old
// disk both exist.
func (s *shell) claim(context.Context) error {
	owner := s.name
	if !s.fresh {
		rec, err := readRecord(s.dir)
		if err != nil {
			return err
		}
		s.base = rec.Base
		if s.image.shifted && s.base != s.image.base {
			return fmt.Errorf("the disk belongs to ids from %d, the image to ids from %d: it was made where mounts can be idmapped, and runs only there", s.base, s.image.base)
		}
		return nil
	}
	var err error
	if s.base, err = s.d.ranges.take(owner); err != nil {
		return err
	}
	s.job.undo(func() {
		s.d.ranges.release(owner)
		s.dropDisk()
	})
	return os.Mkdir(s.dir, 0o755)
}

// dropDisk undoes a disk that no instance got.
func (s *shell) dropDisk() {
	if err := s.d.discard(s.dir); err != nil {
		s.d.cfg.Log.Error("disk of an unused shell stays", "path", s.dir, "error", err)
	}
}
