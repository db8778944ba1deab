package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

// ErrLocked says that another server holds the data dir.
var ErrLocked = errors.New("data dir is in use by another hardstand server")

// DirLock is the lock on a data dir. The kernel releases it when the process
// ends, however it ends.
type DirLock struct{ f *os.File }

// A holder that was killed may leave the lock for a moment to a process that it was
// about to start, which has it until its exec. Who starts the next server at once
// shall not be refused for that.
const (
	lockPatience = time.Second
	lockTry      = 10 * time.Millisecond
)

// LockDir takes the lock of the data dir, which must exist, or returns
// ErrLocked when another process keeps it, with its process id in the text when
// known.
func LockDir(dir string) (*DirLock, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data dir: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	for waited := time.Duration(0); errors.Is(err, syscall.EWOULDBLOCK) && waited < lockPatience; waited += lockTry {
		if err := clock.Sleep(context.Background(), clock.System{}, lockTry); err != nil {
			break
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock the data dir: %w", err)
		}
		return nil, fmt.Errorf("%w%s", ErrLocked, holder(f))
	}
	if err := f.Truncate(0); err == nil {
		// The process id is for the message only; the lock is the flock.
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return &DirLock{f}, nil
}

func holder(f *os.File) string {
	var b [32]byte
	n, _ := f.ReadAt(b[:], 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" (process %d)", pid)
}

// Unlock releases the lock.
func (l *DirLock) Unlock() error { return l.f.Close() }
