package container_test

import (
	"fmt"
	"os"
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
