package container

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// Users of the default image whose authorized_keys are filled.
var loginUsers = []struct {
	home string
	id   uint32
}{{"root", 0}, {"home/ec2-user", ec2UserID}, {"home/ubuntu", ubuntuID}}

// diskDirs are the parts of two overlays; below lower their read-only layers are
// attached while they are being mounted.
var diskDirs = []string{
	"root", "root/upper", "root/work", "usr", "usr/upper", "usr/work",
	"lower", "lower/root", "lower/links", "lower/usr",
}

// claim makes the instance's directory its own: empty for a first boot.
func (l *launch) claim(context.Context) error {
	if !l.spec.FirstBoot {
		if _, err := os.Stat(filepath.Join(l.d.dir(l.spec.ID), "root", "upper")); err != nil {
			return fmt.Errorf("the instance has no disk: %w", err)
		}
		return nil
	}
	if err := l.d.discard(l.spec.ID); err != nil {
		return err
	}
	l.undo(func() {
		if err := l.d.discard(l.spec.ID); err != nil {
			l.d.cfg.Log.Error("launch undone: disk stays", "instance", l.spec.ID, "error", err)
		}
		l.d.ranges.release(l.spec.ID)
	})
	return os.Mkdir(l.d.dir(l.spec.ID), 0o755)
}

// makeDisk lays out the upper directories of a new instance, or readies those of
// one that ran before.
func (l *launch) makeDisk(context.Context) error {
	dir := l.d.dir(l.spec.ID)
	if !l.spec.FirstBoot {
		if err := l.writeNames(dir); err != nil {
			// The instance's root owns this disk: an odd /etc is its own affair.
			l.d.cfg.Log.Warn("host name not written", "instance", l.spec.ID, "error", err)
		}
		return allowVolatile(dir)
	}
	for _, sub := range diskDirs {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	for _, upper := range []string{"root/upper", "usr/upper"} {
		if err := l.own(filepath.Join(dir, upper), 0); err != nil {
			return err
		}
	}
	if err := l.writeNames(dir); err != nil {
		return err
	}
	return l.writeKeys(dir)
}

// allowVolatile removes the mark of an overlay that was mounted volatile and not
// unmounted in order: the kernel would refuse the disk, although nothing that
// matters to us was lost unless the machine itself went down.
func allowVolatile(dir string) error {
	return errors.Join(
		os.RemoveAll(filepath.Join(dir, "root", "work", "work", "incompat")),
		os.RemoveAll(filepath.Join(dir, "usr", "work", "work", "incompat")))
}

// own gives path to the user of the instance with the given id there.
func (l *launch) own(path string, id uint32) error {
	return os.Lchown(path, int(l.base+id), int(l.base+id))
}

// writeNames writes what distinguishes this instance from others on the same
// image. It goes into the upper directory, before anything is mounted.
func (l *launch) writeNames(dir string) error {
	disk, err := l.openUpper(dir)
	if err != nil {
		return err
	}
	defer disk.close()
	if err := disk.mkdir("etc", 0o755, 0); err != nil {
		return err
	}
	if err := disk.write("etc/hostname", l.spec.Hostname+"\n", 0o644, 0); err != nil {
		return err
	}
	if err := disk.write("etc/hosts", hostsFile(l.spec.Hostname, l.spec.NIC.Private), 0o644, 0); err != nil {
		return err
	}
	if !l.spec.FirstBoot {
		return nil
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails, by its contract
	return disk.write("etc/machine-id", hex.EncodeToString(id[:])+"\n", 0o444, 0)
}

func hostsFile(hostname string, addr netip.Addr) string {
	hosts := "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
	if !addr.IsValid() || hostname == "" {
		return hosts
	}
	hosts += addr.String() + " " + hostname
	if short, _, qualified := strings.Cut(hostname, "."); qualified {
		hosts += " " + short
	}
	return hosts + "\n"
}

func (l *launch) writeKeys(dir string) error {
	if len(l.spec.AuthorizedKeys) == 0 {
		return nil
	}
	disk, err := l.openUpper(dir)
	if err != nil {
		return err
	}
	defer disk.close()
	if err := disk.mkdir("home", 0o755, 0); err != nil {
		return err
	}
	keys := strings.Join(l.spec.AuthorizedKeys, "\n") + "\n"
	for _, u := range loginUsers {
		if err := disk.mkdir(u.home, 0o700, u.id); err != nil {
			return err
		}
		if err := disk.mkdir(u.home+"/.ssh", 0o700, u.id); err != nil {
			return err
		}
		if err := disk.write(u.home+"/.ssh/authorized_keys", keys, 0o600, u.id); err != nil {
			return err
		}
	}
	return nil
}

// upperDir writes below the upper directory of an instance. The instance's root
// may have left links there; os.Root keeps the host's root from following them
// out.
type upperDir struct {
	root *os.Root
	base uint32
}

func (l *launch) openUpper(dir string) (upperDir, error) {
	root, err := os.OpenRoot(filepath.Join(dir, "root", "upper"))
	return upperDir{root: root, base: l.base}, err
}

func (u upperDir) close() { _ = u.root.Close() }

func (u upperDir) mkdir(path string, mode os.FileMode, owner uint32) error {
	err := u.root.Mkdir(path, mode)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return u.root.Lchown(path, int(u.base+owner), int(u.base+owner))
}

func (u upperDir) write(path, content string, mode os.FileMode, owner uint32) error {
	if err := u.root.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := u.root.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	return errors.Join(err, f.Chown(int(u.base+owner), int(u.base+owner)), f.Close())
}
