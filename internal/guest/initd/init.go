package initd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/handover"
	"github.com/hardstand/hardstand/internal/guest/units"
)

// Run is PID 1 from its start to the end of the instance. Its result is the exit
// status of the process.
func Run([]string) int {
	for _, fd := range []int{handover.SocketFD, handover.ExitFD, handover.BinaryFD} {
		unix.CloseOnExec(fd)
	}
	// Executed by descriptor, the process would be called "5".
	_ = os.WriteFile("/proc/self/comm", []byte("hardstand-init"), 0)
	// A service manager may have protected the daemon from the kernel's killer of
	// processes; that is no right of instances.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("0"), 0)
	m := newMachine()
	cfg, mounts, err := handover.ReceiveConfig(handover.SocketFD)
	if err == nil {
		err = m.become(cfg, mounts)
	}
	if err = answered(err); err != nil {
		return failed(err)
	}
	// From here on this may wait for hours: a spare, until it is wanted.
	slim()
	id, err := handover.ReceiveIdentity(handover.SocketFD)
	if errors.Is(err, handover.ErrAbandoned) {
		return 0 // a spare that was never used
	}
	if err == nil {
		err = m.assume(id)
	}
	if err = answered(err); err != nil {
		return failed(err)
	}
	_ = unix.Close(handover.SocketFD)
	return m.serve()
}

// answered tells the daemon how a message was taken. The error is that, or that
// the answer could not be given.
func answered(err error) error {
	if answerErr := handover.Answer(handover.SocketFD, err); err == nil {
		return answerErr
	}
	return err
}

func failed(err error) int {
	fmt.Fprintf(os.Stderr, "hardstand: PID 1 cannot start: %v\n", err)
	return 1
}

// machine is the instance as PID 1 sees it.
type machine struct {
	reaper  *reaper
	units   *units.Manager
	signals chan os.Signal
	// shutdown takes the wish to end; the first one counts.
	shutdown chan string
	control  *net.UnixListener
	ssh      *net.TCPListener
	// kept are PID 1's own capabilities once it has its identity.
	kept uint64
	// boot is closed to let the boot process go.
	boot *os.File
}

func newMachine() *machine {
	m := &machine{
		reaper:  newReaper(),
		signals: make(chan os.Signal, 16), shutdown: make(chan string, 1),
	}
	m.catchSignals()
	m.units = units.New(units.Config{Spawn: m.reaper.spawn, Clock: clock.System{}, Console: os.Stdout})
	return m
}

// become turns the cloned process into PID 1 of some instance: all that does not
// depend on which one.
func (m *machine) become(cfg handover.Config, mounts []int) error {
	syscall.Umask(0o022)
	_ = unix.Close(handover.BinaryFD)
	m.kept = kept(cfg.OwnUsers)
	if err := hideGroups(); err != nil {
		return err
	}
	if err := enterRoot(cfg, mounts); err != nil {
		return err
	}
	if err := layOutRun(); err != nil {
		return err
	}
	if err := m.openConsole(); err != nil {
		return err
	}
	if err := m.listen(); err != nil {
		return err
	}
	if err := confine(cfg.OwnUsers); err != nil {
		return err
	}
	return m.prepareBoot()
}

// hideGroups makes the group that PID 1 is in by now the root of all that the
// instance sees of control groups. The namespace that clone made is rooted where the
// daemon is, and would show the groups of the machine and of all other instances.
func hideGroups() error {
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_UNSHARE, unix.CLONE_NEWCGROUP, 0, 0)
	if errno != 0 {
		return fmt.Errorf("hide the machine's control groups: %w", errno)
	}
	return nil
}

// listen opens the sockets that PID 1 serves. It accepts once there is an
// identity.
func (m *machine) listen() error {
	var err error
	m.control, err = net.ListenUnix("unix", &net.UnixAddr{Name: guest.ControlSocket, Net: "unix"})
	if err != nil {
		return err
	}
	if err := os.Chmod(guest.ControlSocket, 0o666); err != nil { // who asks is checked on each request
		return err
	}
	m.ssh, err = net.ListenTCP("tcp", &net.TCPAddr{Port: 22})
	return err
}
