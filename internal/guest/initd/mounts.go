package initd

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/guest/handover"
)

// stage is where the new root is attached before pivot_root. Any directory that
// every host has will do: the old tree is gone a moment later.
const stage = "/usr"

// ownMounts are the file systems that PID 1 mounts itself, because they show the
// namespaces of who mounts them. Targets are relative to the new root; the
// directories exist in every image.
var ownMounts = []struct {
	kind, target string
	flags        uintptr
	data         string
}{
	{"proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
	{"sysfs", "sys", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_RDONLY, ""},
	{"devpts", "dev/pts", unix.MS_NOSUID | unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"},
	{"tmpfs", "dev/shm", sharedFlags, "mode=1777"},
	{"mqueue", "dev/mqueue", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
	{"tmpfs", "run", unix.MS_NOSUID | unix.MS_NODEV, "mode=0755"},
}

const sharedFlags = unix.MS_NOSUID | unix.MS_NODEV

// sizeShared gives /dev/shm the size that it has on a machine with the instance's
// memory: half of that.
func sizeShared(mib int) error {
	if mib == 0 {
		return nil
	}
	if err := unix.Mount("", "/dev/shm", "", unix.MS_REMOUNT|sharedFlags, fmt.Sprintf("mode=1777,size=%dm", mib)); err != nil {
		return fmt.Errorf("size /dev/shm: %w", err)
	}
	return nil
}

// maskedFiles and maskedDirs tell about, or act on, the whole machine. A user
// namespace keeps most of them shut already; this is the second door.
var (
	maskedFiles = []string{"proc/kcore", "proc/keys", "proc/sysrq-trigger", "proc/timer_list", "proc/latency_stats"}
	maskedDirs  = []string{"proc/scsi", "sys/firmware"}
)

// enterRoot attaches the mounts that the daemon prepared, adds the instance's
// own, and makes the result the root. The host's tree is left behind.
func enterRoot(cfg handover.Config, fds []int) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	for i, target := range cfg.Mounts {
		if err := attach(fds[i], target); err != nil {
			return err
		}
	}
	// proc and sysfs come before the old root goes: the kernel lets a user
	// namespace mount them only where it sees a full one already.
	for _, o := range ownMounts {
		if err := unix.Mount(o.kind, o.target, o.kind, o.flags, o.data); err != nil {
			return fmt.Errorf("mount %s on /%s: %w", o.kind, o.target, err)
		}
	}
	if err := mask(cfg.OwnUsers); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the host's tree: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("enter the new root: %w", err)
	}
	return nil
}

// attach puts a detached mount at target and closes its descriptor. The root,
// ".", comes first; later targets are relative to it.
func attach(fd int, target string) error {
	defer unix.Close(fd)
	at := target
	if target == "." {
		at = stage
	}
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("attach /%s: %w", target, err)
	}
	if target != "." {
		return nil
	}
	if err := unix.Chdir(stage); err != nil {
		return fmt.Errorf("enter the new root: %w", err)
	}
	return nil
}

func mask(ownUsers bool) error {
	for _, f := range maskedFiles {
		err := unix.Mount("dev/null", f, "", unix.MS_BIND, "")
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("mask /%s: %w", f, err)
		}
	}
	for _, d := range maskedDirs {
		err := unix.Mount("tmpfs", d, "tmpfs", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "size=0,mode=0555")
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("mask /%s: %w", d, err)
		}
	}
	if ownUsers {
		// The kernel lets this root write the settings of its own network
		// namespace and nothing else below /proc/sys; EC2 users do (ip_forward).
		return nil
	}
	if err := unix.Mount("proc/sys", "proc/sys", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind /proc/sys: %w", err)
	}
	const readOnly = unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := unix.Mount("", "proc/sys", "", readOnly, ""); err != nil {
		return fmt.Errorf("make /proc/sys read-only: %w", err)
	}
	return nil
}

// layOutRun makes what /run holds before anybody writes there. It is empty at
// every boot.
func layOutRun() error {
	for _, dir := range []string{"/run/hardstand", "/run/user", "/run/lock"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	return os.Chmod("/run/lock", 0o777|os.ModeSticky)
}
