package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/guest/handover"
)

// handoverTime is what PID 1 has to attach its mounts and confine itself, which
// takes it a millisecond or two.
const handoverTime = 30 * time.Second

// handOver releases PID 1 and waits until it says that it runs.
func (l *launch) handOver(context.Context) error {
	cfg := handover.Config{
		InstanceID: l.spec.ID, Hostname: l.spec.Hostname, UserData: l.spec.UserData, OwnUsers: !l.d.cfg.HostUsers,
	}
	fds := make([]int, len(l.mounts))
	for i, m := range l.mounts {
		cfg.Mounts = append(cfg.Mounts, m.target)
		fds[i] = m.fd
	}
	conn, err := l.socket.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	if err := conn.Control(func(fd uintptr) { sendErr = handover.Send(int(fd), cfg, fds) }); err != nil || sendErr != nil {
		return errors.Join(err, sendErr)
	}
	// A deadline on a descriptor is the runtime's affair, not internal/clock's.
	if err := l.socket.SetReadDeadline(time.Now().Add(handoverTime)); err != nil {
		return err
	}
	reply := make([]byte, 4096)
	n, err := l.socket.Read(reply)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("PID 1 did not answer within %v", handoverTime)
	}
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, unix.ECONNRESET) {
		return fmt.Errorf("answer of PID 1: %w", err)
	}
	return handover.ParseReply(reply[:n])
}
