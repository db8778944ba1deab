package initd

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/guest/handover"
)

// Run is PID 1 from the release to the end of the instance. Its result is the
// exit status of the process.
func Run([]string) int {
	for _, fd := range []int{handover.SocketFD, handover.ExitFD, handover.BinaryFD} {
		unix.CloseOnExec(fd)
	}
	cfg, mounts, err := handover.Receive(handover.SocketFD)
	if err != nil {
		fmt.Fprintf(os.Stderr, "hardstand: PID 1 cannot start: %v\n", err)
		return 1
	}
	m := newMachine(cfg)
	err = m.become(mounts)
	if answerErr := handover.Answer(handover.SocketFD, err); err == nil {
		err = answerErr
	}
	_ = unix.Close(handover.SocketFD)
	_ = unix.Close(handover.BinaryFD)
	if err != nil {
		fmt.Fprintf(os.Stderr, "hardstand: PID 1 cannot start: %v\n", err)
		return 1
	}
	return m.serve()
}

// machine is the instance as PID 1 sees it.
type machine struct {
	cfg     handover.Config
	reaper  *reaper
	signals chan os.Signal
	// shutdown takes the wish to end; the first one counts.
	shutdown chan string
}

func newMachine(cfg handover.Config) *machine {
	m := &machine{
		cfg: cfg, reaper: newReaper(),
		signals: make(chan os.Signal, 16), shutdown: make(chan string, 1),
	}
	m.catchSignals()
	return m
}

// become turns the cloned process into PID 1 of the instance: what can fail
// happens here, while the daemon still listens.
func (m *machine) become(mounts []int) error {
	syscall.Umask(0o022)
	if err := enterRoot(m.cfg, mounts); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(m.cfg.Hostname)); err != nil {
		return fmt.Errorf("set host name %q: %w", m.cfg.Hostname, err)
	}
	if err := m.writeRunFiles(); err != nil {
		return err
	}
	if err := m.openConsole(); err != nil {
		return err
	}
	return confine(m.cfg.OwnUsers)
}
