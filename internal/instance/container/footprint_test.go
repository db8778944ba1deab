package container_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/instance/container"
	"github.com/hardstand/hardstand/internal/instance/instancetest"
)

// What one idle instance may cost, and how much of that is PID 1. The spares are
// counted with the instances.
const (
	maxInitRSS     = 5 << 20
	maxPerInstance = 3 << 20
)

func TestIdleInstancesAreSmall(t *testing.T) {
	d, err := container.Open(config(t, t.TempDir(), openNetwork(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	const count = 20
	warm := instancetest.Spec("")
	instancetest.Launch(t, d, warm)
	instancetest.WaitConsole(t, d, warm.ID, "user data finished")
	for range count {
		s := instancetest.Spec("")
		instancetest.Launch(t, d, s)
		instancetest.WaitConsole(t, d, s.ID, "user data finished")
	}
	<-clock.System{}.After(1500 * time.Millisecond) // PID 1 gives memory back after a second
	per, rss := groupMemory(t)/(count+1), initRSS(t)
	t.Logf("an idle instance costs %d kB, the largest PID 1 holds %d kB", per>>10, rss>>10)
	if per > maxPerInstance {
		t.Errorf("an idle instance costs %d kB, more than %d", per>>10, maxPerInstance>>10)
	}
	if rss == 0 || rss > maxInitRSS {
		t.Errorf("PID 1 holds %d kB, more than %d (or is not found)", rss>>10, maxInitRSS>>10)
	}
}

// groupMemory returns what all instances are charged for, files of their disks
// and kernel memory included. The machine's free memory would say more, if nothing
// else ran on it.
func groupMemory(t *testing.T) int {
	t.Helper()
	total := 0
	for _, pattern := range []string{"/sys/fs/cgroup/memory/%s/*/memory.usage_in_bytes", "/sys/fs/cgroup/%s/*/memory.current"} {
		paths, err := filepath.Glob(fmt.Sprintf(pattern, instancetest.Prefix()))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			text, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			n, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			total += n
		}
	}
	if total == 0 {
		t.Fatal("no instance is charged for memory")
	}
	return total
}

// initRSS returns the resident memory of the largest PID 1 there is.
func initRSS(t *testing.T) int {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	for _, p := range paths {
		status, err := os.ReadFile(p)
		if err == nil && strings.Contains(string(status), "Name:\thardstand-init") {
			most = max(most, kilobytes(string(status), "VmRSS:"))
		}
	}
	return most
}

// kilobytes reads "<name> <number> kB" from text, in bytes.
func kilobytes(text, name string) int {
	_, rest, _ := strings.Cut(text, name)
	kb, _ := strconv.Atoi(strings.Fields(rest)[0])
	return kb << 10
}

// What the guest binary may weigh, and how long it may take to start and end.
const (
	maxGuestSize  = 10 << 20
	maxGuestStart = 3 * time.Millisecond
)

func TestGuestBinaryIsSmallAndQuick(t *testing.T) {
	binary := instancetest.GuestBinary(t)
	if len(binary) > maxGuestSize {
		t.Errorf("guest binary has %d bytes, more than %d", len(binary), maxGuestSize)
	}
	path := filepath.Join(t.TempDir(), "hardstand-guest")
	if err := os.WriteFile(path, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	best := time.Hour
	for range 50 { // the machine is busy with other tests: the best run counts
		start := time.Now()
		err := exec.Command(path, "no such program").Run()
		took := time.Since(start)
		if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != 127 {
			t.Fatalf("guest binary: %v, want exit status 127", err)
		}
		best = min(best, took)
	}
	t.Logf("%d bytes, %v from fork to end", len(binary), best)
	if best > maxGuestStart {
		t.Errorf("guest binary takes %v to start and end, more than %v", best, maxGuestStart)
	}
}
