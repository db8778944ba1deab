package instancetest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/clock"
)

// The environment that carries from the outer process to the one that runs the
// tests.
const (
	prefixVariable = "HARDSTAND_TEST_PREFIX"
	guestVariable  = "HARDSTAND_TEST_GUEST"
)

func init() { runtime.LockOSThread() } // Main needs the main thread to live as long as the process

// Main runs the tests of a package apart: again, in network, mount and process
// namespaces of their own, so that nothing is left whatever happens. Control
// groups outlive namespaces; the outer process removes those.
func Main(m *testing.M) {
	if os.Getenv(prefixVariable) == "" {
		os.Exit(runApart())
	}
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "prepare test namespaces:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// Prefix is the prefix of kernel objects for this run.
func Prefix() string { return os.Getenv(prefixVariable) }

// GuestBinary returns the guest binary, built from this tree.
func GuestBinary(t testing.TB) []byte {
	t.Helper()
	binary, err := os.ReadFile(os.Getenv(guestVariable))
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

func runApart() int {
	dir, err := os.MkdirTemp("", "hardstand-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	guest := filepath.Join(dir, "hardstand-guest")
	build := exec.Command("go", "build", "-tags", "nethttpomithttp2", "-trimpath", "-ldflags", "-s -w", "-o", guest, "github.com/hardstand/hardstand/cmd/hardstand-guest")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the guest binary: %v\n%s", err, out)
		return 1
	}
	prefix := "hs" + strings.TrimPrefix(ids.Resource("hs"), "hs-")[:6]
	defer RemoveGroups(prefix)
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), prefixVariable+"="+prefix, guestVariable+"="+guest)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID, Pdeathsig: unix.SIGKILL,
	}
	err = RunUntilSignal(cmd)
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tests of instances need root:", err)
		return 1
	}
	return 0
}

// RunUntilSignal is cmd.Run, but a signal ends the tests and not their outer
// process, which has to clean up: go test sends SIGQUIT when time is over.
func RunUntilSignal(cmd *exec.Cmd) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGQUIT)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-signals:
		_ = cmd.Process.Kill()
		return <-ended
	}
}

func prepare() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, ""); err != nil {
		return err
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(lo)
}

// RemoveGroups removes the control groups of a server or run that was killed; they
// outlive every namespace.
func RemoveGroups(prefix string) {
	deadline := clock.System{}.Now().Add(5 * time.Second)
	for {
		left, _ := filepath.Glob("/sys/fs/cgroup/*/" + prefix)
		unified, _ := filepath.Glob("/sys/fs/cgroup/" + prefix)
		left = append(left, unified...)
		if len(left) == 0 {
			return
		}
		for _, group := range left {
			removeGroup(group)
		}
		if (clock.System{}).Now().After(deadline) {
			fmt.Fprintln(os.Stderr, "control groups stay:", strings.Join(left, " "))
			return
		}
	}
}

func removeGroup(dir string) {
	children, _ := os.ReadDir(dir)
	for _, c := range children {
		if c.IsDir() {
			removeGroup(filepath.Join(dir, c.Name()))
		}
	}
	_ = unix.Rmdir(dir) // busy for a moment: tried again
}
