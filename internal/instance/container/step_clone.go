package container

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// The cgroup namespace is PID 1's own affair: it has to be made from within the
// instance's group, not from within the daemon's.
const namespaces = unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID |
	unix.CLONE_NEWUTS | unix.CLONE_NEWIPC

// clone starts PID 1 in namespaces of its own. It waits on its socket for the
// handover; if the daemon dies first, it sees the socket close and ends.
//
// The network namespace is made together with the user namespace, so that the
// instance owns it: port 80, ping and iptables work inside.
func (s *shell) clone(context.Context) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket to PID 1: %w", err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "handover")
	defer theirs.Close()
	if err := unix.SetNonblock(pair[0], true); err != nil {
		return err
	}
	s.socket = os.NewFile(uintptr(pair[0]), "handover")

	console, err := os.OpenFile(s.console, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	defer console.Close()
	exit, err := os.OpenFile(filepath.Join(s.dir, exitFile), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("exit note: %w", err)
	}
	defer exit.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()

	s.proc, err = s.fork([]uintptr{null.Fd(), console.Fd(), console.Fd(), theirs.Fd(), exit.Fd(), s.d.binary.Fd()})
	if err != nil {
		return err
	}
	return s.openNamespaces()
}

func (s *shell) fork(files []uintptr) (*process, error) {
	pidfd := -1
	sys := &syscall.SysProcAttr{Cloneflags: namespaces, Setsid: true, PidFD: &pidfd}
	if !s.d.cfg.HostUsers {
		ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: int(s.base), Size: rangeSize}}
		sys.Cloneflags |= unix.CLONE_NEWUSER
		sys.UidMappings, sys.GidMappings, sys.GidMappingsEnableSetgroups = ids, ids, true
		sys.Credential = &syscall.Credential{Uid: 0, Gid: 0}
	}
	group, err := s.d.groups.cloneInto(s.name)
	if err != nil {
		return nil, fmt.Errorf("open control group: %w", err)
	}
	if group != nil {
		defer group.Close()
		sys.UseCgroupFD, sys.CgroupFD = true, int(group.Fd())
	}
	// The path works because a process may always open its own descriptors,
	// while the data directory is shut to the user it has become. One processor
	// is plenty for PID 1, and costs less memory.
	pid, err := syscall.ForkExec("/proc/self/fd/5", []string{"hardstand-guest", "init"}, &syscall.ProcAttr{
		Dir: "/", Env: []string{"GOMAXPROCS=1"}, Files: files, Sys: sys,
	})
	if err != nil {
		return nil, fmt.Errorf("clone PID 1: %w", err)
	}
	p, err := newProcess(pid, pidfd, true)
	if err != nil {
		return nil, err
	}
	s.job.undo(func() {
		_ = p.kill()
		<-p.ended
	})
	return p, nil
}

func (s *shell) openNamespaces() error {
	dir := "/proc/" + strconv.Itoa(s.proc.pid) + "/ns/"
	var err error
	if s.netns, err = os.Open(dir + "net"); err != nil {
		return fmt.Errorf("network namespace: %w", err)
	}
	if s.d.cfg.HostUsers {
		return nil
	}
	if s.userns, err = os.Open(dir + "user"); err != nil {
		return fmt.Errorf("user namespace: %w", err)
	}
	return nil
}
