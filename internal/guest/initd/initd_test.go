package initd

import (
	"bytes"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/clock"
)

func TestHostsFile(t *testing.T) {
	const local = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
	for _, c := range []struct{ name, host, address, want string }{
		{"qualified", "ip-10-0-0-1.ec2.internal", "10.0.0.1", local + "10.0.0.1 ip-10-0-0-1.ec2.internal ip-10-0-0-1\n"},
		{"short", "web", "10.0.0.1", local + "10.0.0.1 web\n"},
		{"no address", "web", "", local},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := hostsFile(c.host, c.address); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestProgramText(t *testing.T) {
	for _, c := range []struct {
		name, line string
		start, end uintptr
		ok         bool
	}{
		{"code", "00400000-00401000 r-xp 00000000 fe:00 9 /x/hardstand-guest\n", 0x400000, 0x401000, true},
		{"constants", "00401000-00402000 r--p 00001000 fe:00 9 /x/hardstand-guest\n", 0x401000, 0x402000, true},
		{"data", "00402000-00403000 rw-p 00002000 fe:00 9 /x/hardstand-guest\n", 0, 0, false},
		{"heap", "c000000000-c000400000 rw-p 00000000 00:00 0 \n", 0, 0, false},
		{"vdso", "7fff0000-7fff1000 r-xp 00000000 00:00 0 [vdso]\n", 0, 0, false},
		{"nonsense", "x\n", 0, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			start, end, ok := programText(c.line)
			if ok != c.ok || (ok && (start != c.start || end != c.end)) {
				t.Errorf("got %#x-%#x, %v", start, end, ok)
			}
		})
	}
}

// reaping runs a reaper as PID 1 does, on SIGCHLD.
func reaping(t *testing.T) *reaper {
	r := newReaper()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, unix.SIGCHLD)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-signals:
				r.reap()
			case <-done:
				return
			}
		}
	}()
	t.Cleanup(func() { signal.Stop(signals); close(done) })
	return r
}

func TestReaperTellsHowProcessesEnded(t *testing.T) {
	r := reaping(t)
	for _, c := range []struct {
		name, script string
		code         int
		signal       syscall.Signal
	}{
		{"at once", "exit 0", 0, -1}, {"with a code", "exit 7", 7, -1}, {"by a signal", "kill -9 $$", -1, syscall.SIGKILL},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, done, err := r.spawn(exec.Command("/bin/sh", "-c", c.script))
			if err != nil {
				t.Fatal(err)
			}
			select {
			case ws := <-done:
				if ws.ExitStatus() != c.code || ws.Signal() != c.signal {
					t.Errorf("exit status %d, signal %v", ws.ExitStatus(), ws.Signal())
				}
			case <-clock.System{}.After(10 * time.Second):
				t.Fatal("not reaped")
			}
		})
	}
	if len(r.wait) != 0 {
		t.Errorf("%d processes are still waited for", len(r.wait))
	}
}

func TestReaperTellsWhenNobodyIsLeft(t *testing.T) {
	r := reaping(t)
	empty := r.emptied()
	_, done, err := r.spawn(exec.Command("/bin/sh", "-c", "exit 0"))
	if err != nil {
		t.Fatal(err)
	}
	<-done
	select {
	case <-empty:
	case <-clock.System{}.After(10 * time.Second):
		t.Fatal("no word")
	}
	if _, _, err := r.spawn(exec.Command("/no/such/program")); err == nil {
		t.Error("a program that does not exist was started")
	}
}

func TestConsoleCopiesUntilTheEnd(t *testing.T) {
	var got bytes.Buffer
	text := strings.Repeat("line\n", 5000)
	copyConsole(strings.NewReader(text), &got)
	if got.String() != text {
		t.Errorf("copied %d bytes of %d", got.Len(), len(text))
	}
}
