package container

import (
	"strings"
	"testing"
	"time"
)

func TestLinkBytes(t *testing.T) {
	const head = "Inter-|   Receive                                                |  Transmit\n" +
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"
	link := func(name string) string {
		return "  " + name + ":   1000      10    0    0    0     0          0         0      200       2    0    0    0     0       0          0\n"
	}
	for _, c := range []struct {
		name, dev string
		in, out   uint64
		fails     bool
	}{
		{"one interface", head + link("lo") + link("eth0"), 1000, 200, false},
		{"two, with what the instance made itself", head + link("eth0") + link("eth1") + link("docker0") + link("ethernet") + link("veth3"), 2000, 400, false},
		{"none", head + link("lo"), 0, 0, false},
		{"counts close to the name", "eth0:5 0 0 0 0 0 0 0 7 0\n", 5, 7, false},
		{"no numbers", strings.Replace(link("eth0"), "1000", "many", 1), 0, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, out, err := linkBytes(c.dev)
			if in != c.in || out != c.out || (err != nil) != c.fails {
				t.Errorf("%d in, %d out, %v", in, out, err)
			}
		})
	}
}

func TestUnifiedTime(t *testing.T) {
	if got, err := unifiedTime("usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\n"); got != 1500*time.Millisecond || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "usage_usec\n", "usage_usec x\n"} {
		if got, err := unifiedTime(bad); err == nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
}
