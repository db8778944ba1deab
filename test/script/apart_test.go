package script_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/instance/instancetest"
)

// The test binary runs three times over: the outer process makes a directory and
// cleans up, init is process 1 of the namespaces and reaps what servers leave to
// it, and tests runs the scripts. When tests ends, however it does, the kernel ends
// every process of the namespaces with their links and mounts.
const (
	roleVariable = "HARDSTAND_SCRIPT_ROLE"
	roleInit     = "init"
	roleTests    = "tests"
	// rootVariable names the directory that holds every data dir of the run.
	rootVariable = "HARDSTAND_SCRIPT_ROOT"
	// binaryVariable names the server under test.
	binaryVariable = "HARDSTAND_BIN"
)

func init() { runtime.LockOSThread() } // Pdeathsig follows the thread that started the child

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case roleTests:
		// go test does not know that the server is an input of these tests. That a
		// file was looked at which has just changed keeps it from caching them.
		_, _ = os.Stat("/proc/self/stat")
		os.Exit(m.Run())
	case roleInit:
		os.Exit(runInit())
	default:
		if os.Geteuid() != 0 {
			os.Exit(m.Run()) // each test says why it cannot run
		}
		os.Exit(runApart())
	}
}

// runApart runs the tests in namespaces and removes what outlives those.
func runApart() int {
	root, err := os.MkdirTemp("", "hardstand-script-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binary, err := server(root)
	if err != nil {
		fmt.Fprintln(os.Stderr, errors.Join(err, os.RemoveAll(root)))
		return 1
	}
	cmd := again(roleInit)
	cmd.Env = append(cmd.Env, rootVariable+"="+root, binaryVariable+"="+binary)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC, Pdeathsig: unix.SIGKILL,
	}
	code := exitCode(instancetest.RunUntilSignal(cmd))
	// The mounts below root were in the namespaces and are gone with them.
	if err := errors.Join(removeGroups(root), os.RemoveAll(root)); err != nil {
		fmt.Fprintln(os.Stderr, "clean up after the scripts:", err)
		return 1
	}
	return code
}

// server returns the path of a copy of the server under test, built from this tree
// unless the environment names one: a copy, because somebody may build meanwhile.
func server(root string) (string, error) {
	built := os.Getenv(binaryVariable)
	if built == "" {
		out, err := exec.Command("make", "-s", "-C", "../..", "build").CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("build the server: %w\n%s", err, out)
		}
		built = "../../bin/hardstand"
	}
	binary, err := os.ReadFile(built)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "bin")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	copied := filepath.Join(dir, "hardstand")
	return copied, os.WriteFile(copied, binary, 0o755)
}

// again is this binary with its arguments, in another role.
func again(role string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd
}

func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if exit := new(exec.ExitError); errors.As(err, &exit) && exit.ExitCode() > 0 {
		return exit.ExitCode()
	}
	fmt.Fprintln(os.Stderr, "scripts:", err)
	return 1
}

// runInit prepares the namespaces, runs the tests and reaps until they end.
func runInit() int {
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "prepare namespaces:", err)
		return 1
	}
	cmd := again(roleTests)
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "start the tests:", err)
		return 1
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			fmt.Fprintln(os.Stderr, "wait for the tests:", err)
			return 1
		case pid == cmd.Process.Pid && status.Exited():
			return status.ExitStatus()
		case pid == cmd.Process.Pid:
			fmt.Fprintln(os.Stderr, "the tests were killed:", status.Signal())
			return 1
		}
	}
}

// prepare gives the namespaces what a machine has that has just booted.
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

// prefixes returns the kernel prefixes of the servers that ran below root.
func prefixes(root string) []string {
	files, _ := filepath.Glob(filepath.Join(root, "*", "data", "id"))
	var found []string
	for _, file := range files {
		if id, err := os.ReadFile(file); err == nil {
			found = append(found, "hs"+strings.TrimSpace(string(id)))
		}
	}
	return found
}

// groupsOf lists the control groups of a prefix in every hierarchy.
func groupsOf(prefix string) []string {
	found, _ := filepath.Glob("/sys/fs/cgroup/*/" + prefix)
	unified, _ := filepath.Glob("/sys/fs/cgroup/" + prefix)
	return append(found, unified...)
}

// removeGroups removes the control groups of the run; they outlive namespaces, and
// are busy for a moment after their processes were killed.
func removeGroups(root string) error {
	deadline := clock.System{}.Now().Add(5 * time.Second)
	var left []string
	for _, prefix := range prefixes(root) {
		left = append(left, groupsOf(prefix)...)
	}
	for {
		left = removable(left)
		if len(left) == 0 {
			return nil
		}
		if (clock.System{}).Now().After(deadline) {
			return fmt.Errorf("control groups stay: %s", strings.Join(left, " "))
		}
		runtime.Gosched()
	}
}

func removable(groups []string) (left []string) {
	for _, group := range groups {
		var dirs []string
		_ = filepath.WalkDir(group, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for i := len(dirs) - 1; i >= 0; i-- {
			_ = unix.Rmdir(dirs[i])
		}
		if _, err := os.Stat(group); err == nil {
			left = append(left, group)
		}
	}
	return left
}
