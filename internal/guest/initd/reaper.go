package initd

import (
	"errors"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// reaper collects every process that ends with PID 1 as its parent: those that
// spawn started, whose end somebody waits for, and orphans.
//
// Processes are started under its lock, so that one that ends at once is not
// reaped before it is known.
type reaper struct {
	mu   sync.Mutex
	wait map[int]chan syscall.WaitStatus
	// idle is closed and replaced whenever no child is left.
	idle chan struct{}
}

func newReaper() *reaper {
	return &reaper{wait: map[int]chan syscall.WaitStatus{}, idle: make(chan struct{})}
}

// spawn starts cmd, whose standard files must be files or nil, and returns a
// channel that receives its status once.
func (r *reaper) spawn(cmd *exec.Cmd) (int, <-chan syscall.WaitStatus, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return 0, nil, err
	}
	pid := cmd.Process.Pid
	// Release, not Wait: the process is reaped below.
	_ = cmd.Process.Release()
	return pid, r.expect(pid), nil
}

// fork starts a program without the cost of os/exec, for the path that every
// launch takes.
func (r *reaper) fork(path string, argv []string, attr *syscall.ProcAttr) (int, <-chan syscall.WaitStatus, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pid, err := syscall.ForkExec(path, argv, attr)
	if err != nil {
		return 0, nil, err
	}
	return pid, r.expect(pid), nil
}

func (r *reaper) expect(pid int) <-chan syscall.WaitStatus {
	done := make(chan syscall.WaitStatus, 1)
	r.wait[pid] = done
	return done
}

// reap collects all that have ended by now. SIGCHLD is not counted by the
// kernel, so one signal may stand for many.
func (r *reaper) reap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ECHILD):
			close(r.idle)
			r.idle = make(chan struct{})
			return
		case err != nil || pid == 0:
			return
		}
		if done, ok := r.wait[pid]; ok {
			delete(r.wait, pid)
			done <- syscall.WaitStatus(status)
		}
	}
}

// emptied returns a channel that is closed when no child is left.
func (r *reaper) emptied() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.idle
}
