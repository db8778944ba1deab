package hooks

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
)

// controlGroup is a control group (version 2) of one script, below the agent's own:
// no process leaves it by another group, session or environment. Where the host
// lets the agent make none, nil stands for it.
type controlGroup struct {
	dir *os.File
	own string // the agent's, to which what goes on running is given back
}

var scripts atomic.Int64

const groupPrefix = "codedeploy-script-"

// TakeBack ends the control groups of an agent that was killed: the scripts that
// it left go on in this one's.
func TakeBack() { takeBack(ownControlGroup()) }

func takeBack(own string) {
	left, err := filepath.Glob(filepath.Join(own, groupPrefix+"*"))
	if own == "" || err != nil {
		return
	}
	for _, path := range left {
		if dir, err := os.Open(path); err == nil {
			(&controlGroup{dir, own}).close()
		}
	}
}

// ownControlGroup is the directory of the agent's control group, "" for none.
func ownControlGroup() string {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			if root := controlGroups(); root != "" {
				return filepath.Join(root, path)
			}
		}
	}
	return ""
}

// controlGroups is where the hierarchy of version 2 is mounted.
func controlGroups() string {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if mount, kind, ok := strings.Cut(line, " - "); ok && strings.HasPrefix(kind, "cgroup2 ") {
			if fields := strings.Fields(mount); len(fields) > 4 {
				return fields[4]
			}
		}
	}
	return ""
}

// newControlGroup makes one below the directory own.
func newControlGroup(own string) *controlGroup {
	if own == "" {
		return nil
	}
	path := filepath.Join(own, fmt.Sprintf("%s%d-%d", groupPrefix, os.Getpid(), scripts.Add(1)))
	if os.Mkdir(path, 0o755) != nil {
		return nil
	}
	dir, err := os.Open(path)
	if err != nil {
		_ = os.Remove(path)
		return nil
	}
	return &controlGroup{dir, own}
}

func (g *controlGroup) processes() []int {
	if g == nil {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(g.dir.Name(), "cgroup.procs"))
	if err != nil {
		return nil
	}
	var out []int
	for f := range strings.FieldsSeq(string(text)) {
		if pid, err := strconv.Atoi(f); err == nil && pid > 0 {
			out = append(out, pid)
		}
	}
	return out
}

// close gives what goes on running, the application as a rule, back to the agent's
// group and removes this one. One that cannot be removed is empty before long and
// costs nothing.
func (g *controlGroup) close() {
	if g == nil {
		return
	}
	const rounds = 3 // for what is started meanwhile
	for range rounds {
		for _, pid := range g.processes() {
			_ = os.WriteFile(filepath.Join(g.own, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
		}
		if os.Remove(g.dir.Name()) == nil {
			break
		}
	}
	_ = g.dir.Close()
}
