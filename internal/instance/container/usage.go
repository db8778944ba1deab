package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/instance"
)

// Usage implements instance.Handle: the processor time of the control group and the
// bytes of the links. It is two small files to read, whatever runs in the instance.
func (h *handle) Usage() (instance.Usage, error) {
	cpu, err := h.d.groups.cpuTime(h.group)
	if err != nil {
		return instance.Usage{}, err
	}
	u := instance.Usage{At: clock.System{}.Now(), CPU: cpu}
	links, err := os.ReadFile("/proc/" + strconv.Itoa(h.proc.pid) + "/net/dev")
	select {
	case <-h.proc.ended: // the number may be another process's by now
		return instance.Usage{}, instance.ErrNotCounted
	default:
	}
	if err != nil {
		return instance.Usage{}, fmt.Errorf("read links: %w", err)
	}
	u.In, u.Out, err = linkBytes(string(links))
	return u, err
}

// cpuTime is the processor time of a group with all groups below it.
func (g *groups) cpuTime(name string) (time.Duration, error) {
	if g.unified {
		text, err := os.ReadFile(filepath.Join(g.parents["cpu"], name, "cpu.stat"))
		if err != nil {
			return 0, err
		}
		return unifiedTime(string(text))
	}
	parent, ok := g.parents[accounting]
	if !ok {
		return 0, errors.New("the kernel has no control groups that count processor time (cpuacct)")
	}
	text, err := os.ReadFile(filepath.Join(parent, name, "cpuacct.usage"))
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return time.Duration(n), err
}

// unifiedTime finds the time in a cpu.stat, which has it in microseconds.
func unifiedTime(stat string) (time.Duration, error) {
	for line := range strings.Lines(stat) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "usage_usec" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			return time.Duration(n) * time.Microsecond, err
		}
	}
	return 0, errors.New("cpu.stat of the control group has no usage_usec")
}

// linkBytes adds up what the interfaces of an instance received and sent, in the form
// of /proc/net/dev. Bridges and tunnels that the instance made itself, and its
// loopback, are not among them: what passes there and leaves is counted at the
// interface by which it leaves.
func linkBytes(dev string) (in, out uint64, err error) {
	const received, sent = 0, 8
	for line := range strings.Lines(dev) {
		name, counts, isLink := strings.Cut(line, ":")
		f := strings.Fields(counts)
		if !isLink || !isInterface(strings.TrimSpace(name)) || len(f) <= sent {
			continue
		}
		r, inErr := strconv.ParseUint(f[received], 10, 64)
		s, outErr := strconv.ParseUint(f[sent], 10, 64)
		if err := errors.Join(inErr, outErr); err != nil {
			return 0, 0, fmt.Errorf("read link %s: %w", name, err)
		}
		in, out = in+r, out+s
	}
	return in, out, nil
}

// isInterface tells the network's links (eth0, eth1...) from all others.
func isInterface(name string) bool {
	number, ok := strings.CutPrefix(name, "eth")
	_, err := strconv.ParseUint(number, 10, 8)
	return ok && err == nil
}
