package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest/handover"
)

// handoverTime is what PID 1 has to attach its mounts and confine itself, which
// takes it a millisecond or two.
const handoverTime = 30 * time.Second

// enter hands the mounts to PID 1 and waits until it stands in its own root,
// confined.
func (s *shell) enter(context.Context) error {
	cfg := handover.Config{Version: handover.Version, OwnUsers: !s.d.cfg.HostUsers}
	fds := make([]int, len(s.mounts))
	for i, m := range s.mounts {
		cfg.Mounts = append(cfg.Mounts, m.target)
		fds[i] = m.fd
	}
	return s.talk(func(fd int) error { return handover.Send(fd, cfg, fds) })
}

// talk sends one message to PID 1 and waits for its answer.
func (s *shell) talk(send func(fd int) error) error {
	conn, err := s.socket.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	if err := conn.Control(func(fd uintptr) { sendErr = send(int(fd)) }); err != nil || sendErr != nil {
		return errors.Join(err, sendErr)
	}
	// Deadlines of descriptors follow the machine's clock, whatever the driver's.
	if err := s.socket.SetReadDeadline(clock.System{}.Now().Add(handoverTime)); err != nil {
		return err
	}
	reply := make([]byte, 4096)
	n, err := s.socket.Read(reply)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("PID 1 did not answer within %v", handoverTime)
	}
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, unix.ECONNRESET) {
		return fmt.Errorf("answer of PID 1: %w", err)
	}
	return handover.ParseReply(reply[:n])
}
