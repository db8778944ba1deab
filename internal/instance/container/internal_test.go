package container

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMountedBelow(t *testing.T) {
	dir := t.TempDir()
	inside := filepath.Join(dir, "a b", "mount")
	must(t, os.MkdirAll(inside, 0o755))
	if at, err := mountedBelow(dir); err != nil || at != "" {
		t.Fatalf("before: %q, %v", at, err)
	}
	must(t, unix.Mount("tmpfs", inside, "tmpfs", 0, ""))
	t.Cleanup(func() { must(t, unix.Unmount(inside, 0)) })
	if at, err := mountedBelow(dir); err != nil || at != inside {
		t.Errorf("mounted below = %q, %v; want %q", at, err, inside)
	}
	if at, err := mountedBelow(dir + "-other"); err != nil || at != "" {
		t.Errorf("below another directory = %q, %v", at, err)
	}
}

func TestRanges(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "i-old"), 0o755))
	must(t, writeRecord(filepath.Join(dir, "i-old"), record{Version: recordVersion, ID: "i-old", Base: firstRange * rangeSize}))
	must(t, os.Mkdir(filepath.Join(dir, "i-halfmade"), 0o755))
	r, err := loadRanges(dir)
	must(t, err)
	old, err := r.take("i-old")
	must(t, err)
	shell, err := r.take("shell-1")
	must(t, err)
	r.rename("shell-1", "i-new")
	renamed, err := r.take("i-new")
	must(t, err)
	if old != firstRange*rangeSize || shell != (firstRange+1)*rangeSize || renamed != shell {
		t.Errorf("ranges %#x, %#x, %#x", old, shell, renamed)
	}
	if !r.taken("i-new") || r.taken("shell-1") {
		t.Error("rename left the old name")
	}
	r.release("i-new")
	r.release("i-unknown")
	for i := range lastRange - firstRange {
		if _, err := r.take(string(rune('a' + i))); err != nil {
			t.Fatalf("range %d: %v", i, err)
		}
	}
	if base, err := r.take("one too many"); err == nil {
		t.Errorf("got range %#x when all are taken", base)
	}
}

func TestSharedRange(t *testing.T) {
	r, err := loadRanges(t.TempDir())
	must(t, err)
	r.share(0)
	for _, name := range []string{"i-1", "i-2"} {
		if base, err := r.take(name); base != 0 || err != nil || !r.taken(name) {
			t.Errorf("base = %d, %v; want the host's ids, taken by %s", base, err, name)
		}
	}
	r.release("i-1")
	if r.taken("i-1") || !r.taken("i-2") {
		t.Error("release took the range from the wrong instance")
	}
}

// A shell is cloned into its group where the hierarchy is unified. This machine
// may have such a one without controllers, which is enough to try.
func TestCloneIntoGroup(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "cgroup2")
	must(t, os.Mkdir(parent, 0o755))
	must(t, unix.Mount("cgroup2", parent, "cgroup2", 0, ""))
	t.Cleanup(func() { must(t, unix.Unmount(parent, 0)) })
	dir := filepath.Join(parent, os.Getenv("HARDSTAND_TEST_PREFIX"))
	must(t, os.Mkdir(dir, 0o755))
	g := &groups{unified: true, parents: map[string]string{"cpu": dir, "memory": dir, "pids": dir}}
	must(t, g.make("one"))
	group, err := g.cloneInto("one")
	must(t, err)
	defer group.Close()
	cmd := exec.Command("/bin/cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}
	stdin, err := cmd.StdinPipe()
	must(t, err)
	must(t, cmd.Start())
	inside, err := os.ReadFile(filepath.Join(dir, "one", "cgroup.procs"))
	must(t, err)
	if got := strings.TrimSpace(string(inside)); got != strconv.Itoa(cmd.Process.Pid) {
		t.Errorf("group holds %q, want %d", got, cmd.Process.Pid)
	}
	if names := g.names(); len(names) != 1 || names[0] != "one" {
		t.Errorf("groups = %v", names)
	}
	must(t, stdin.Close())
	must(t, cmd.Wait())
	must(t, g.remove("one"))
	g.close()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the server's group stays: %v", err)
	}
}

func TestRecord(t *testing.T) {
	dir := t.TempDir()
	want := record{Version: recordVersion, ID: "i-1", Base: 7, PID: 42, StartTime: 9, BootID: "b", NIC: "eni-1", Group: "g", Image: "x", Guest: "y"}
	must(t, writeRecord(dir, want))
	if got, err := readRecord(dir); err != nil || got != want {
		t.Errorf("record = %+v, %v; want %+v", got, err, want)
	}
	want.Version++
	must(t, writeRecord(dir, want))
	if _, err := readRecord(dir); err == nil {
		t.Error("a record of another version was read")
	}
}

func TestStartTimeTellsProcessesApart(t *testing.T) {
	mine, err := startTime(os.Getpid())
	must(t, err)
	if again, err := startTime(os.Getpid()); err != nil || again != mine || mine == 0 {
		t.Errorf("start time %d, then %d, %v", mine, again, err)
	}
}

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name          string
		unified       bool
		vcpus, memory int
		want          map[string]string
	}{
		{"t3.micro, unified", true, 2, 1024, map[string]string{
			"cpu.max": "200000 100000", "memory.max": "1073741824", "memory.swap.max": "0", "pids.max": "8192"}},
		{"t3.nano, legacy", false, 2, 128, map[string]string{
			"cpu.cfs_quota_us": "200000", "memory.limit_in_bytes": "134217728", "memory.memsw.limit_in_bytes": "134217728", "pids.max": "2048"}},
		{"x1.32xlarge", true, 128, 1998848, map[string]string{
			"cpu.max": "12800000 100000", "memory.max": "2095944040448", "memory.swap.max": "0", "pids.max": "65536"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := &groups{unified: c.unified}
			got := map[string]string{}
			for _, s := range g.limits(c.vcpus, c.memory) {
				got[s.file] = s.value
			}
			if !maps.Equal(got, c.want) {
				t.Errorf("limits = %v, want %v", got, c.want)
			}
		})
	}
}

func TestProbe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for _, f := range Probe(dir) {
		if !f.OK || f.Detail == "" || f.Remedy != "" {
			t.Errorf("%+v", f)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("probe left %v, %v", left, err)
	}
	must(t, unix.Mount("proc", dir, "proc", 0, "")) // cannot hold disks
	t.Cleanup(func() { must(t, unix.Unmount(dir, 0)) })
	bad := 0
	for _, f := range Probe(dir) {
		if !f.OK {
			bad++
			if f.Detail == "" || f.Remedy == "" {
				t.Errorf("no cause or remedy: %+v", f)
			}
		}
	}
	if bad != 2 { // idmapped mounts and overlay
		t.Errorf("%d findings on an unusable data directory, want 2", bad)
	}
}

func TestTrimConsole(t *testing.T) {
	for _, c := range []struct {
		name       string
		size, want int
	}{{"short", 1000, 1000}, {"at the limit", consoleMax, consoleMax}, {"long", consoleMax + 1, consoleTail}} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "console")
			text := strings.Repeat("x", c.size-1) + "\n"
			must(t, os.WriteFile(path, []byte(text), 0o600))
			must(t, trimConsole(path))
			got, err := os.ReadFile(path)
			must(t, err)
			if len(got) != c.want || got[len(got)-1] != '\n' {
				t.Errorf("%d bytes are left, want the last %d", len(got), c.want)
			}
		})
	}
	must(t, trimConsole(filepath.Join(t.TempDir(), "none")))
}
