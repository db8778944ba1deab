package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const cgroupRoot = "/sys/fs/cgroup"

// controllers are what every instance is limited by.
var controllers = []string{"cpu", "memory", "pids"}

// groups makes the control groups of instances: one for each hierarchy that has
// one of the controllers. On a unified system that is one, to which clone can
// assign a process directly; the older form has one for each controller, and a
// process has to be moved.
type groups struct {
	unified bool
	// parents are the directories <mount>/<prefix>, by controller.
	parents map[string]string
}

// accounting is the controller of the older form that counts processor time: most
// systems have it in one hierarchy with cpu, some apart. In the unified form every
// group counts.
const accounting = "cpuacct"

// openGroups finds the hierarchies and makes this server's directory in each.
func openGroups(prefix string) (*groups, error) {
	g := &groups{parents: map[string]string{}}
	mounts, err := findControllers()
	if err != nil {
		return nil, err
	}
	g.unified = mounts["cpu"] == cgroupRoot && isUnified()
	for _, c := range append([]string{accounting}, controllers...) {
		mount, ok := mounts[c]
		if !ok && c == accounting {
			continue
		}
		if !ok {
			return nil, fmt.Errorf("the kernel offers no %q control group: instances cannot be limited (boot with cgroup_enable=%s, or mount the cgroup file systems)", c, c)
		}
		dir := filepath.Join(mount, prefix)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, fmt.Errorf("make control group: %w", err)
		}
		g.parents[c] = dir
	}
	if !g.unified {
		return g, nil
	}
	for _, dir := range []string{cgroupRoot, g.parents["cpu"]} {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+cpu +memory +pids"), 0); err != nil {
			return nil, fmt.Errorf("enable controllers below %s: %w (inside a container, run it with --cgroupns=host)", dir, err)
		}
	}
	return g, nil
}

func isUnified() bool {
	var s unix.Statfs_t
	return unix.Statfs(cgroupRoot, &s) == nil && s.Type == unix.CGROUP2_SUPER_MAGIC
}

// findControllers tells where each controller is mounted.
func findControllers() (map[string]string, error) {
	found := map[string]string{}
	if isUnified() {
		names, err := os.ReadFile(filepath.Join(cgroupRoot, "cgroup.controllers"))
		if err != nil {
			return nil, fmt.Errorf("read controllers: %w", err)
		}
		for _, c := range strings.Fields(string(names)) {
			found[c] = cgroupRoot
		}
		return found, nil
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if len(f) < 4 || f[2] != "cgroup" {
			continue
		}
		for option := range strings.SplitSeq(f[3], ",") {
			if _, ok := found[option]; !ok {
				found[option] = f[1]
			}
		}
	}
	return found, nil
}

// setting is one file of a group and what goes into it. An optional one is left
// out where the kernel does not have it.
type setting struct {
	controller, file, value string
	optional                bool
}

// limits translates the size of an instance. A thread for every 128 KiB is more
// than any instance of that memory can use, and keeps a fork bomb at home. The
// machine's swap is not the instance's: EC2's have none.
func (g *groups) limits(vcpus, memoryMiB int) []setting {
	const period = 100_000 // microseconds
	pids := strconv.Itoa(min(max(memoryMiB*8, 2048), 65536))
	bytes := strconv.Itoa(memoryMiB << 20)
	quota := strconv.Itoa(vcpus * period)
	if g.unified {
		return []setting{
			{"cpu", "cpu.max", quota + " " + strconv.Itoa(period), false},
			{"memory", "memory.max", bytes, false}, {"memory", "memory.swap.max", "0", true},
			{"pids", "pids.max", pids, false},
		}
	}
	return []setting{
		{"cpu", "cpu.cfs_quota_us", quota, false},
		{"memory", "memory.limit_in_bytes", bytes, false}, {"memory", "memory.memsw.limit_in_bytes", bytes, true},
		{"pids", "pids.max", pids, false},
	}
}

// dirs returns the directories of a group, each once.
func (g *groups) dirs(name string) []string {
	var dirs []string
	seen := map[string]bool{}
	for _, c := range append([]string{accounting}, controllers...) {
		parent, ok := g.parents[c]
		if dir := filepath.Join(parent, name); ok && !seen[dir] {
			seen[dir] = true
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func (g *groups) make(name string) error {
	for _, dir := range g.dirs(name) {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

// limit sets what the group may use.
func (g *groups) limit(name string, vcpus, memoryMiB int) error {
	for _, s := range g.limits(vcpus, memoryMiB) {
		err := writeControl(filepath.Join(g.parents[s.controller], name, s.file), s.value)
		if err != nil && !(s.optional && errors.Is(err, os.ErrNotExist)) {
			return err
		}
	}
	return nil
}

// outOfMemory tells whether the kernel has killed processes of the group for want
// of memory.
func (g *groups) outOfMemory(name string) bool {
	file := "memory.oom_control"
	if g.unified {
		file = "memory.events"
	}
	text, err := os.ReadFile(filepath.Join(g.parents["memory"], name, file))
	if err != nil {
		return false // the group is gone: nobody knows any more
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "oom_kill" {
			return f[1] != "0"
		}
	}
	return false
}

// writeControl does not go through os.WriteFile, which would try to create and
// truncate.
func writeControl(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// cloneInto opens the group for clone, where the kernel can take it. The caller
// closes it.
func (g *groups) cloneInto(name string) (*os.File, error) {
	if !g.unified {
		return nil, nil
	}
	return os.Open(filepath.Join(g.parents["cpu"], name))
}

// join moves a process, where clone could not place it.
func (g *groups) join(name string, pid int) error {
	if g.unified {
		return nil
	}
	for _, dir := range g.dirs(name) {
		if err := writeControl(filepath.Join(dir, "cgroup.procs"), strconv.Itoa(pid)); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes a group. EBUSY means that a process in it is
// still on its way out.
func (g *groups) remove(name string) error {
	var errs []error
	for _, dir := range g.dirs(name) {
		if err := removeTree(dir); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// removeTree removes a group with those that the instance made below it, deepest
// first. Files in a group are not removed, only directories.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeTree(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	err = unix.Rmdir(dir)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	return nil
}

// close removes this server's directories if no instance is left in them.
func (g *groups) close() {
	for _, dir := range g.parents {
		_ = unix.Rmdir(dir) // busy while an instance runs, gone already where hierarchies are one
	}
}

// names lists the groups there are.
func (g *groups) names() []string {
	seen := map[string]bool{}
	var names []string
	for _, parent := range g.parents {
		entries, err := os.ReadDir(parent)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if e.IsDir() && !seen[e.Name()] {
				seen[e.Name()] = true
				names = append(names, e.Name())
			}
		}
	}
	return names
}
