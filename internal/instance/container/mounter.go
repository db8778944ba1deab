package container

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// mounter is one thread with a mount namespace and a working directory of its
// own. The mounts of instances are prepared there, so that the host's table, and
// every program that watches it, sees none of them.
//
// It follows the host's mounts (MS_SLAVE): what the host unmounts is not kept
// busy here.
type mounter struct {
	work chan func()
	// litter holds what the work in progress leaves to be unmounted after it.
	litter []string
	done   chan struct{}
}

func startMounter() (*mounter, error) {
	m := &mounter{work: make(chan func()), done: make(chan struct{})}
	ready := make(chan error)
	go m.run(ready)
	if err := <-ready; err != nil {
		return nil, fmt.Errorf("mount namespace for preparing disks: %w", err)
	}
	return m, nil
}

// run never unlocks its thread, which therefore ends with it. The process's main
// thread would not end but park, and keep the namespace for good: should run find
// itself there, it holds that thread and starts over on another.
func (m *mounter) run(ready chan error) {
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() {
		again := make(chan struct{})
		go func() { defer close(again); m.run(ready) }()
		<-again
		runtime.UnlockOSThread()
		return
	}
	defer close(m.done)
	err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS)
	if err == nil {
		err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, "")
	}
	ready <- err
	if err != nil {
		return
	}
	for f := range m.work {
		f()
	}
}

// do runs f on the thread, in dir. What f leaves in litter is unmounted when the
// caller has its answer already: the kernel waits for all processors each time.
func (m *mounter) do(dir string, f func() error) error {
	result := make(chan error, 1)
	m.work <- func() {
		if err := unix.Chdir(dir); err != nil {
			result <- fmt.Errorf("enter %s: %w", dir, err)
			return
		}
		result <- f()
		for _, at := range m.litter {
			_ = unix.Unmount(at, unix.MNT_DETACH)
		}
		m.litter = m.litter[:0]
		_ = unix.Chdir("/") // keeps no directory busy
	}
	return <-result
}

func (m *mounter) stop() {
	close(m.work)
	<-m.done
}
