package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/agent/config"
	"github.com/hardstand/hardstand/internal/agent/logfile"
	"github.com/hardstand/hardstand/internal/agent/state"
	"github.com/hardstand/hardstand/internal/clock"
)

// control starts and stops the background process.
type control struct {
	cfg       config.Config
	file      string
	out, errs io.Writer
}

// exitNotRunning is the init scripts' code for "not running".
const exitNotRunning = 3

// pid returns the running agent's process id, 0 for none. A stale file, left by
// a kill or a reboot, names a process that is not the agent.
func (c control) pid() int {
	data, err := os.ReadFile(c.cfg.PidFile())
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid <= 1 || !isAgent(pid) {
		return 0
	}
	return pid
}

func isAgent(pid int) bool {
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return false
	}
	args := strings.Split(string(cmdline), "\x00")
	return strings.Contains(args[0], "codedeploy-agent") && strings.Contains(string(cmdline), "\x00run\x00")
}

func (c control) status() int {
	pid := c.pid()
	if pid == 0 {
		fmt.Fprintln(c.errs, "error: No AWS CodeDeploy agent running")
		return exitNotRunning
	}
	fmt.Fprintf(c.out, "The AWS CodeDeploy agent is running as PID %d\n", pid)
	return 0
}

// start runs the agent in the background and returns when it has taken its pid
// file, or failed.
func (c control) start() int {
	if pid := c.pid(); pid != 0 {
		fmt.Fprintf(c.out, "The AWS CodeDeploy agent is running as PID %d\n", pid)
		return 0
	}
	if err := c.spawn(); err != nil {
		fmt.Fprintln(c.errs, "codedeploy-agent: cannot start:", err)
		return 1
	}
	fmt.Fprintf(c.out, "Starting codedeploy-agent: %s\n", c.cfg.PidFile())
	return 0
}

// spawn re-executes this binary in its own session. The child writes one byte to
// the pipe when it runs; an early end of the pipe means that it failed.
func (c control) spawn() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ready, signal, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	cmd := &exec.Cmd{
		Path: self, Args: []string{"codedeploy-agent", "run", "--config-file", c.file}, Dir: "/",
		Env: append(os.Environ(), readyFD+"=3"), ExtraFiles: []*os.File{signal}, Stderr: c.errFile(),
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	err = cmd.Start()
	_ = signal.Close()
	if err != nil {
		return err
	}
	var b [1]byte
	if n, _ := ready.Read(b[:]); n == 1 {
		return cmd.Process.Release()
	}
	_ = cmd.Wait() // its words are on stderr
	return errors.New("the agent ended at once; see " + c.cfg.LogFile())
}

// errFile is where the child complains before its log is open.
func (c control) errFile() io.Writer {
	if f, ok := c.errs.(*os.File); ok {
		return f
	}
	return nil
}

// stop asks the agent to end and waits while it finishes a running command.
func (c control) stop() int {
	pid := c.pid()
	if pid == 0 {
		return 0
	}
	fmt.Fprintln(c.out, "Stopping codedeploy-agent:")
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		fmt.Fprintln(c.errs, "codedeploy-agent: cannot stop:", err)
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.cfg.KillWait+10*time.Second)
	defer cancel()
	for c.pid() == pid {
		if clock.Sleep(ctx, clock.System{}, 20*time.Millisecond) != nil {
			fmt.Fprintln(c.errs, "codedeploy-agent: still running a command; not stopped")
			return 1
		}
	}
	return 0
}

// readyFD names the environment variable with the descriptor of start's pipe.
const readyFD = "CODEDEPLOY_AGENT_READY_FD"

// announce tells the start command that the agent runs. Whoever waits for that
// command's outputs to close must not wait for the agent: what would still be said
// on its standard error, how it crashed, goes to the log.
func announce(log *logfile.File) {
	fd, err := strconv.Atoi(os.Getenv(readyFD))
	if err != nil {
		return
	}
	_ = unix.Dup3(int(log.Fd()), int(os.Stderr.Fd()), 0)
	_ = os.Unsetenv(readyFD)
	f := os.NewFile(uintptr(fd), "ready")
	_, _ = f.Write([]byte{'1'})
	_ = f.Close()
}

// takePidFile makes the caller the one agent of its pid directory; the lock ends
// with the process.
func takePidFile(cfg config.Config) (release func(), err error) {
	if err := os.MkdirAll(cfg.PidDir, 0o755); err != nil {
		return nil, fmt.Errorf("make pid directory: %w", err)
	}
	lock, err := os.OpenFile(cfg.PidFile()+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open pid lock: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(errors.New("another agent runs already"), lock.Close())
	}
	if err := state.WriteFile(cfg.PidFile(), []byte(strconv.Itoa(os.Getpid())+"\n")); err != nil {
		return nil, errors.Join(fmt.Errorf("write pid file: %w", err), lock.Close())
	}
	return func() {
		if err := os.Remove(cfg.PidFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintln(os.Stderr, "codedeploy-agent: remove pid file:", err)
		}
		_ = lock.Close()
	}, nil
}
