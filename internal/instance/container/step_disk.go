package container

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// diskDirs are the parts of two overlays; below lower their read-only layers are
// attached while they are being mounted.
var diskDirs = []string{
	"root", "root/upper", "root/work", "usr", "usr/upper", "usr/work",
	"lower", "lower/root", "lower/links", "lower/usr",
}

// bootDirs are directories that every boot writes to. On a new disk they are made
// at once, with mode 0755 and owner root: the overlay would copy each of them up
// at the first write, which comes when somebody waits for it.
var bootDirs = []string{"etc", "etc/ssh", "var", "var/log", "var/lib", "var/lib/cloud", "var/lib/cloud/instances", "var/lib/cloud/sem"}

// makeDisk lays out the upper directories of a new disk, or readies an old one.
func (s *shell) makeDisk(context.Context) error {
	if !s.fresh {
		return allowVolatile(s.dir)
	}
	for _, sub := range diskDirs {
		if err := os.Mkdir(filepath.Join(s.dir, sub), 0o755); err != nil {
			return err
		}
	}
	for _, upper := range []string{"root/upper", "usr/upper"} {
		if err := os.Lchown(filepath.Join(s.dir, upper), int(s.base), int(s.base)); err != nil {
			return err
		}
	}
	for _, dir := range bootDirs {
		path := filepath.Join(s.dir, "root", "upper", dir)
		if err := os.Mkdir(path, 0o755); err != nil {
			return err
		}
		if err := os.Lchown(path, int(s.base), int(s.base)); err != nil {
			return err
		}
	}
	return nil
}

// allowVolatile removes the mark of an overlay that was mounted volatile and not
// unmounted in order: the kernel would refuse the disk, although nothing that
// matters to us was lost unless the machine itself went down.
func allowVolatile(dir string) error {
	return errors.Join(
		os.RemoveAll(filepath.Join(dir, "root", "work", "work", "incompat")),
		os.RemoveAll(filepath.Join(dir, "usr", "work", "work", "incompat")))
}
