package script_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
)

// prefix begins the name of every kernel object of the server.
func (s *serverUnderTest) prefix() string {
	id, err := os.ReadFile(filepath.Join(s.data(), "id"))
	if err != nil {
		return "no-server-yet"
	}
	return "hs" + strings.TrimSpace(string(id))
}

// machines lists the instances whose process 1 lives, from the driver's records.
func (s *serverUnderTest) machines() []string {
	files, _ := filepath.Glob(filepath.Join(s.data(), "instances", "*", "record.json"))
	var found []string
	for _, file := range files {
		var record struct{ PID int }
		doc, err := os.ReadFile(file)
		if err != nil || json.Unmarshal(doc, &record) != nil {
			continue // removed meanwhile
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", record.PID)); err == nil {
			found = append(found, filepath.Base(filepath.Dir(file)))
		}
	}
	return found
}

// kernelState lists what there is in the kernel, in the namespaces of this run.
type kernelState struct {
	Processes, Mounts, Links, Routes, Rules, Tables, Groups, Pins []string
}

func lookAtKernel(t *testing.T, prefix string) kernelState {
	t.Helper()
	var s kernelState
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.Processes = processes()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	must(err)
	for line := range strings.Lines(string(mounts)) {
		s.Mounts = append(s.Mounts, strings.Fields(line)[4])
	}
	links, err := netlink.LinkList()
	must(err)
	for _, l := range links {
		s.Links = append(s.Links, l.Attrs().Name)
	}
	routes, err := netlink.RouteListFiltered(unix.AF_INET, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
	must(err)
	for _, r := range routes {
		s.Routes = append(s.Routes, r.String())
	}
	rules, err := netlink.RuleList(unix.AF_INET)
	must(err)
	for _, r := range rules {
		s.Rules = append(s.Rules, r.String())
	}
	tables, err := (&nftables.Conn{}).ListTables()
	must(err)
	for _, table := range tables {
		s.Tables = append(s.Tables, table.Name)
	}
	s.Groups = groupsOf(prefix)
	must(filepath.WalkDir("/run", func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() { // /run/netns itself is the machine's
			s.Pins = append(s.Pins, path)
		}
		return err
	}))
	return s
}

// processes lists the processes of the run's namespace by name.
func processes() []string {
	dirs, _ := os.ReadDir("/proc")
	var found []string
	for _, d := range dirs {
		if _, err := strconv.Atoi(d.Name()); err != nil {
			continue
		}
		name, err := os.ReadFile(filepath.Join("/proc", d.Name(), "comm"))
		if err == nil {
			found = append(found, strings.TrimSpace(string(name)))
		}
	}
	slices.Sort(found)
	return found
}

// A server that is used, reset and stopped leaves its data dir and nothing in the
// kernel: no process, mount, link, route, rule, table, control group or pin.
func TestNothingIsLeft(t *testing.T) {
	needs(t)
	s, err := newServer("counts")
	if err != nil {
		t.Fatal(err)
	}
	before := lookAtKernel(t, "none")
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.logTail())
		}
	})
	ctx := context.Background()
	run := &ec2.RunInstancesInput{ImageId: aws.Ptr("ami-08111162"), MinCount: aws.Ptr[int32](3), MaxCount: aws.Ptr[int32](3)}
	var started ec2.RunInstancesOutput
	if err := s.client(ec2.Model()).Call(ctx, "RunInstances", run, &started); err != nil {
		t.Fatal(err)
	}
	awaitMachines(t, s, 3)
	first := []string{aws.Val(started.Instances[0].InstanceId)}
	if err := s.client(ec2.Model()).Call(ctx, "TerminateInstances", &ec2.TerminateInstancesInput{InstanceIds: first}, &ec2.TerminateInstancesOutput{}); err != nil {
		t.Fatal(err)
	}
	awaitMachines(t, s, 2)
	// What kill -9 leaves behind, the next server takes over and removes in the end.
	if err := s.end(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	awaitMachines(t, s, 2)
	if err := s.finish(); err != nil {
		t.Fatal(err)
	}
	var diff string
	err = until(waitLimit/4, "everything is gone", func() (bool, error) {
		diff = cmp.Diff(before, lookAtKernel(t, s.prefix()))
		return diff == "", nil
	})
	if err != nil {
		t.Errorf("%v (-before +after):\n%s", err, diff)
	}
	for _, dir := range []string{"instances", "shells", "trash"} {
		if left, _ := os.ReadDir(filepath.Join(s.data(), dir)); len(left) > 0 {
			t.Errorf("the data dir keeps %d entries in %s, the first is %s", len(left), dir, left[0].Name())
		}
	}
}

func awaitMachines(t *testing.T, s *serverUnderTest, n int) {
	t.Helper()
	err := until(waitLimit/4, fmt.Sprint(n, " machines"), func() (bool, error) { return len(s.machines()) == n, nil })
	if err != nil {
		t.Fatalf("%v; there are %v", err, s.machines())
	}
}
