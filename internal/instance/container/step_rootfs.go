package container

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/guest"
)

// mount is a detached mount on its way to PID 1.
type mount struct {
	fd     int
	target string // relative to the instance's root
}

func (m mount) close() { _ = unix.Close(m.fd) }

// makeRootfs prepares what PID 1 attaches: the two overlays, /dev and the guest
// binary.
//
// The overlays are mounted by the host, not inside the user namespace: their
// whiteouts are then in trusted xattrs, which the instance cannot forge. Lower
// layers appear with the instance's ids by idmapped mounts; the upper is plain,
// because an overlay over an idmapped upper is read-only, and owned by the shifted
// ids.
func (s *shell) makeRootfs(context.Context) error {
	dev, err := s.makeDev()
	if err != nil {
		return fmt.Errorf("make /dev: %w", err)
	}
	// Not mapped: its owner must be nobody to the instance's root, who could make
	// the mount writable again.
	binary, err := plain(s.d.binary.Name())
	if err != nil {
		unix.Close(dev)
		return err
	}
	return s.d.mounter.do(s.dir, func() error {
		s.mounts = []mount{{-1, "."}, {-1, "usr"}, {dev, "dev"}, {binary, guest.Binary[1:]}}
		var err error
		if s.mounts[0].fd, err = s.overlay("root", layer{"lower/root", s.image.root}); err != nil {
			return err
		}
		s.mounts[1].fd, err = s.overlay("usr", layer{"lower/links", s.image.usr}, layer{"lower/usr", s.image.lower})
		return err
	})
}

// layer is a read-only tree and the directory it is attached to, relative to the
// instance's, while the overlay is mounted.
type layer struct{ at, tree string }

// overlay mounts part ("root" or "usr") of the disk over layers, uppermost first.
func (s *shell) overlay(part string, layers ...layer) (int, error) {
	lower := ""
	for _, y := range layers {
		fd, err := s.layerMount(y.tree)
		if err != nil {
			return -1, err
		}
		err = unix.MoveMount(fd, "", unix.AT_FDCWD, y.at, unix.MOVE_MOUNT_F_EMPTY_PATH)
		unix.Close(fd)
		if err != nil {
			return -1, fmt.Errorf("attach layer %s: %w", y.tree, err)
		}
		// The overlay keeps clones of its own.
		s.d.mounter.litter = append(s.d.mounter.litter, y.at)
		lower += ":" + y.at
	}
	fd, err := newMount("overlay", 0, [][2]string{
		{"source", "hardstand"}, {"lowerdir", lower[1:]}, {"upperdir", part + "/upper"}, {"workdir", part + "/work"},
		{"volatile", ""},
	})
	if err != nil {
		return -1, fmt.Errorf("overlay of /%s: %w", part, err)
	}
	return fd, nil
}

// layerMount returns a read-only mount of an image's layer, with the instance's
// ids.
func (s *shell) layerMount(tree string) (int, error) {
	if s.userns == nil || s.image.shifted {
		return plain(tree)
	}
	return mapped(tree, s.userns)
}

// plain returns a detached, read-only mount of path alone.
func plain(path string) (int, error) {
	return detached(path, unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NODEV})
}

// mapped is plain, with owners shown by the ids of userns.
func mapped(path string, userns *os.File) (int, error) {
	return detached(path, unix.MountAttr{
		Attr_set:  unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_IDMAP,
		Userns_fd: uint64(userns.Fd()),
	})
}

func detached(path string, attr unix.MountAttr) (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("clone mount of %s: %w", path, err)
	}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("set attributes of a mount of %s: %w", path, err)
	}
	return fd, nil
}

// newMount makes a detached mount. An option without value is a flag.
func newMount(kind string, attrs int, options [][2]string) (int, error) {
	fs, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fs)
	for _, o := range options {
		if o[1] == "" {
			err = unix.FsconfigSetFlag(fs, o[0])
		} else {
			err = unix.FsconfigSetString(fs, o[0], o[1])
		}
		if err != nil {
			return -1, fmt.Errorf("option %s=%s: %w", o[0], o[1], err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, fmt.Errorf("%w%s", err, kernelMessage(fs))
	}
	return unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, attrs)
}

// kernelMessage reads what the kernel left to say about a failed mount.
func kernelMessage(fs int) string {
	buf := make([]byte, 256)
	n, err := unix.Read(fs, buf)
	if err != nil || n < 2 {
		return ""
	}
	return ": " + string(buf[2:n]) // "e " comes first
}

// devices are the nodes of /dev. They are made by the host's root on a file
// system of the host, which is what lets an instance use them.
var devices = []struct {
	name         string
	major, minor uint32
}{
	{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
}

var devLinks = [][2]string{
	{"pts/ptmx", "ptmx"}, {"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"},
	{"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"},
}

// makeDev makes the file system of /dev, with mount points for PID 1.
func (s *shell) makeDev() (int, error) {
	fd, err := newMount("tmpfs", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC, [][2]string{{"source", "dev"}, {"size", "64k"}, {"mode", "0755"}})
	if err != nil {
		return -1, err
	}
	if err := s.fillDev(fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func (s *shell) fillDev(fd int) error {
	base := int(s.base)
	if err := unix.Fchownat(fd, "", base, base, unix.AT_EMPTY_PATH); err != nil {
		return err
	}
	for _, d := range devices {
		if err := unix.Mknodat(fd, d.name, unix.S_IFCHR|0o666, int(unix.Mkdev(d.major, d.minor))); err != nil {
			return &os.PathError{Op: "mknod", Path: d.name, Err: err}
		}
		// The mode again: the umask took part of it.
		if err := unix.Fchmodat(fd, d.name, 0o666, 0); err != nil {
			return &os.PathError{Op: "chmod", Path: d.name, Err: err}
		}
		if err := unix.Fchownat(fd, d.name, base, base, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return &os.PathError{Op: "chown", Path: d.name, Err: err}
		}
	}
	for _, link := range devLinks {
		if err := unix.Symlinkat(link[0], fd, link[1]); err != nil {
			return &os.PathError{Op: "symlink", Path: link[1], Err: err}
		}
	}
	for _, dir := range []string{"pts", "shm", "mqueue"} {
		if err := unix.Mkdirat(fd, dir, 0o755); err != nil {
			return &os.PathError{Op: "mkdir", Path: dir, Err: err}
		}
	}
	return nil
}
