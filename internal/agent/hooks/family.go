package hooks

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/clock"
)

// family is a script's process and all that come from it. Most are in its process
// group; those that left it, or their session, are found by their parents, by the
// environment that they were started with, and by the script's control group where
// the host lets the agent make one.
type family struct {
	leader int
	since  uint64   // when the leader started, in the kernel's ticks
	marks  []string // entries of the environment that a script of this event has
	group  *controlGroup
}

// process is what /proc says of one.
type process struct {
	pid, parent, group int
	since              uint64
	ended              bool // and nobody has waited for it yet
}

func newFamily(leader int, env []string, group *controlGroup) *family {
	f := &family{leader: leader, group: group}
	if p, ok := readStat(leader); ok { // also if it has ended already
		f.since = p.since
	}
	for _, kv := range env {
		if strings.HasPrefix(kv, "DEPLOYMENT_ID=") || strings.HasPrefix(kv, "LIFECYCLE_EVENT=") {
			f.marks = append(f.marks, kv)
		}
	}
	return f
}

// members are the processes that live, without the agent.
func (f *family) members() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var all []process
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid > 1 && pid != os.Getpid() {
			if p, ok := readProcess(pid); ok {
				all = append(all, p)
			}
		}
	}
	in, replaced := map[int]bool{}, f.replaced()
	for _, pid := range f.group.processes() {
		in[pid] = true
	}
	for _, p := range all {
		if p.group == f.leader && !replaced || p.pid == f.leader && p.since == f.since || p.since >= f.since && f.marked(p.pid) {
			in[p.pid] = true
		}
	}
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if in[p.parent] && !in[p.pid] {
				in[p.pid], grown = true, true
			}
		}
	}
	var out []int
	for _, p := range all {
		if in[p.pid] {
			out = append(out, p.pid)
		}
	}
	return out
}

// replaced reports whether the leader has ended and its number is another process's,
// which it can be once its group is empty.
func (f *family) replaced() bool {
	p, ok := readStat(f.leader)
	return ok && p.since != f.since
}

// readProcess reads a process that has not ended.
func readProcess(pid int) (process, bool) {
	p, ok := readStat(pid)
	return p, ok && !p.ended
}

func readStat(pid int) (process, bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, false
	}
	// The name stands in brackets and may hold anything.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 {
		return process{}, false
	}
	p := process{pid: pid, ended: fields[0] == "Z" || fields[0] == "X"}
	p.parent, _ = strconv.Atoi(fields[1])
	p.group, _ = strconv.Atoi(fields[2])
	p.since, _ = strconv.ParseUint(fields[19], 10, 64)
	return p, true
}

// marked reports whether a process was started with this event's environment.
func (f *family) marked(pid int) bool {
	env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil || len(f.marks) == 0 {
		return false
	}
	have := strings.Split(string(env), "\x00")
	for _, m := range f.marks {
		if !slices.Contains(have, m) {
			return false
		}
	}
	return true
}

// end ends the family: SIGTERM, five seconds, SIGKILL.
func (f *family) end(c clock.Clock) {
	all := f.members()
	f.signal(all, syscall.SIGTERM)
	select {
	case <-ended(all):
	case <-c.After(killAfter):
	}
	// What was started meanwhile is found by looking again.
	const rounds = 5
	for range rounds {
		all = f.members()
		if len(all) == 0 {
			return
		}
		f.signal(all, syscall.SIGKILL)
		select {
		case <-ended(all):
		case <-time.After(time.Second): // the kernel's affair, not the deployment's: no clock of ours
		}
	}
}

// signal reaches the process group at once, and those outside of it one by one.
func (f *family) signal(pids []int, sig syscall.Signal) {
	replaced := f.replaced()
	if !replaced {
		_ = syscall.Kill(-f.leader, sig)
	}
	for _, pid := range pids {
		if p, ok := readProcess(pid); ok && (replaced || p.group != f.leader) {
			_ = syscall.Kill(pid, sig)
		}
	}
}

// ended returns a channel that is closed when none of the processes lives.
func ended(pids []int) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, pid := range pids {
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				continue // it has ended
			}
			for {
				_, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
				if err != unix.EINTR {
					break
				}
			}
			_ = unix.Close(fd)
		}
	}()
	return done
}
