package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Finding is one thing that instances need of the machine, and whether it is
// there.
type Finding struct {
	Name string
	OK   bool
	// Detail says what was found, or what went wrong.
	Detail string
	// Remedy says what to do when OK is false.
	Remedy string
}

// Probe tries, on the real data directory, everything that launching needs. It
// makes the directory if it is missing and leaves nothing else.
func Probe(dataDir string) []Finding {
	checks := []struct {
		name   string
		run    func(dataDir string) (detail string, err error)
		remedy string
	}{
		{"root", probeRoot, "run hardstand as root (sudo); inside a container: --privileged --cgroupns=host"},
		{"user namespaces", probeUserNamespace, "sysctl -w user.max_user_namespaces=16384; a kernel with CONFIG_USER_NS"},
		{"idmapped mounts", probeIdmap, "none needed: /usr is copied once into the data directory instead; a data directory on ext4, xfs or btrfs and Linux 5.19 avoid that"},
		{"overlay", probeOverlay, overlayRemedy},
		{"control groups", probeGroups, "boot with cgroup_enable=memory swapaccount=1, or mount the cgroup file systems"},
		{"system call filter", probeSeccomp, "a kernel with CONFIG_SECCOMP_FILTER"},
		{"merged /usr", probeMergedUsr, "apt-get install usrmerge: the default image is the host's /usr, so /bin and /lib must be links into it"},
		{"python3", probePython, "apt-get install python3: the image has what the host's /usr has, and the tutorial's application is a Python program"},
	}
	findings := make([]Finding, 0, len(checks))
	for _, c := range checks {
		f := Finding{Name: c.name, OK: true}
		var err error
		if f.Detail, err = c.run(dataDir); err != nil {
			f.OK, f.Detail, f.Remedy = false, err.Error(), c.remedy
		}
		findings = append(findings, f)
	}
	return findings
}

// Hierarchy says which form of control groups this machine has.
func Hierarchy() string {
	if isUnified() {
		return "v2"
	}
	return "v1"
}

const overlayRemedy = "put the data directory on ext4, xfs, btrfs or tmpfs (--data-dir): an overlay or network file system cannot hold the disks of instances"

func probeRoot(string) (string, error) {
	if os.Geteuid() != 0 {
		return "", fmt.Errorf("running as user %d", os.Geteuid())
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	if err := unix.Capget(&header, &have[0]); err != nil {
		return "", err
	}
	for _, c := range []struct {
		number int
		name   string
	}{{unix.CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}, {unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"}, {unix.CAP_MKNOD, "CAP_MKNOD"}, {unix.CAP_CHOWN, "CAP_CHOWN"}} {
		if have[c.number/32].Effective&(1<<(c.number%32)) == 0 {
			return "", fmt.Errorf("root without %s", c.name)
		}
	}
	return "all capabilities that launching needs", nil
}

// withUserNamespace runs f with a user namespace that maps a range of ids. A
// process has to hold it: one with several threads cannot make one for itself.
func withUserNamespace(f func(userns *os.File) error) error {
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer write.Close()
	defer read.Close()
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: firstRange * rangeSize, Size: rangeSize}}
	pid, err := syscall.ForkExec("/bin/cat", []string{"cat"}, &syscall.ProcAttr{
		Files: []uintptr{read.Fd()},
		Sys: &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
		},
	})
	if err != nil {
		return fmt.Errorf("start a process in a user namespace: %w", err)
	}
	defer func() {
		_ = unix.Kill(pid, unix.SIGKILL)
		_, _ = unix.Wait4(pid, nil, 0, nil)
	}()
	userns, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", pid))
	if err != nil {
		return err
	}
	defer userns.Close()
	return f(userns)
}

func probeUserNamespace(string) (string, error) {
	return "each instance gets 65536 ids of its own", withUserNamespace(func(*os.File) error { return nil })
}

// mappable tells whether the owners of each tree can be shown by other ids.
func mappable(trees ...string) error {
	return withUserNamespace(func(userns *os.File) error {
		for _, tree := range trees {
			fd, err := mapped(tree, userns)
			if err != nil {
				return err
			}
			unix.Close(fd)
		}
		return nil
	})
}

func probeIdmap(dataDir string) (string, error) {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return "", err
	}
	return "/usr and the data directory appear with the instance's ids", mappable("/usr", dataDir)
}

// probeOverlay mounts an overlay on the data directory, writes to it, and hides a
// file of the lower layer.
func probeOverlay(dataDir string) (string, error) {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(dataDir, "probe-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir) // nothing is attached there: the mount stays detached
	for _, sub := range []string{"lower", "upper", "work"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			return "", err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "lower", "file"), nil, 0o644); err != nil {
		return "", err
	}
	if err := unix.Lsetxattr(filepath.Join(dir, "upper"), "trusted.hardstand", []byte("y"), 0); err != nil {
		return "", fmt.Errorf("the data directory holds no trusted extended attributes: %w", err)
	}
	fd, err := newMount("overlay", 0, [][2]string{
		{"lowerdir", filepath.Join(dir, "lower")}, {"upperdir", filepath.Join(dir, "upper")}, {"workdir", filepath.Join(dir, "work")}, {"volatile", ""},
	})
	if err != nil {
		return "", fmt.Errorf("mount an overlay: %w", err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Unlinkat(fd, "file", 0), unix.Mkdirat(fd, "directory", 0o755)); err != nil {
		return "", fmt.Errorf("write to an overlay: %w", err)
	}
	return "the data directory can hold disks", nil
}

func probeGroups(string) (string, error) {
	found, err := findControllers()
	if err != nil {
		return "", err
	}
	var missing []string
	for _, c := range controllers {
		if _, ok := found[c]; !ok {
			missing = append(missing, c)
		}
	}
	if len(missing) > 0 {
		return "", fmt.Errorf("no control group for %s", strings.Join(missing, ", "))
	}
	if isUnified() {
		return "unified hierarchy", nil
	}
	return "one hierarchy for each controller: launches use spares, as joining a group is slow", nil
}

func probeSeccomp(string) (string, error) {
	actions, err := os.ReadFile("/proc/sys/kernel/seccomp/actions_avail")
	if err != nil {
		return "", err
	}
	if !strings.Contains(string(actions), "errno") {
		return "", fmt.Errorf("the kernel offers only %s", strings.TrimSpace(string(actions)))
	}
	return "available", nil
}

func probeMergedUsr(string) (string, error) {
	for _, name := range []string{"/bin", "/lib", "/sbin"} {
		target, err := os.Readlink(name)
		if err != nil || !strings.Contains(target, "usr/") {
			return "", fmt.Errorf("%s is not a link into /usr", name)
		}
	}
	return "the host's /usr is the image", nil
}

func probePython(string) (string, error) {
	path := "/usr/bin/python3"
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("%s is missing", path)
	}
	return target, nil
}
