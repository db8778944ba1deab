package container

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// process is PID 1 of an instance as the daemon sees it: by a pidfd, which never
// means another process, and which the runtime's poller watches without a thread.
type process struct {
	pid   int
	pidfd *os.File
	// ended is closed when the process is gone and, if it is our child, reaped.
	ended chan struct{}
}

// newProcess takes over pidfd. child says that it is ours to reap.
func newProcess(pid, pidfd int, child bool) (*process, error) {
	if err := unix.SetNonblock(pidfd, true); err != nil {
		return nil, fmt.Errorf("watch process %d: %w", pid, err)
	}
	p := &process{pid: pid, pidfd: os.NewFile(uintptr(pidfd), "pidfd"), ended: make(chan struct{})}
	conn, err := p.pidfd.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("watch process %d: %w", pid, err)
	}
	go func() {
		defer close(p.ended)
		defer p.pidfd.Close()
		_ = conn.Read(func(fd uintptr) bool { return hasEnded(int(fd)) })
		if child {
			// The runtime's poller says when, waitid only collects.
			_ = retryInterrupted(func() error {
				return unix.Waitid(unix.P_PIDFD, pidfd, nil, unix.WEXITED|unix.WNOHANG, nil)
			})
		}
	}()
	return p, nil
}

func hasEnded(pidfd int) bool {
	poll := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	n, err := unix.Poll(poll, 0)
	return err == nil && n == 1
}

func (p *process) kill() error { return p.signal(unix.SIGKILL) }

// signal sends s; a process that has ended is no error.
func (p *process) signal(s unix.Signal) error {
	conn, err := p.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	if err := conn.Control(func(fd uintptr) { sendErr = unix.PidfdSendSignal(int(fd), s, nil, 0) }); err != nil {
		return nil //nolint:nilerr // closed: the process has ended and been forgotten
	}
	if errors.Is(sendErr, unix.ESRCH) {
		return nil
	}
	return sendErr
}

// startTime is field 22 of /proc/pid/stat: with the boot id it tells a process
// from a later one with the same number.
func startTime(pid int) (uint64, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	// The name, field 2, may hold anything; fields count from its last bracket.
	_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
	fields := strings.Fields(rest)
	const field = 22 - 3
	if len(fields) <= field {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields)+2)
	}
	return strconv.ParseUint(fields[field], 10, 64)
}

func readBootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("boot id of this machine: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}

func retryInterrupted(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
