package instancetest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/network"
)

// Executing is for drivers in which something runs.
func Executing(t *testing.T, sub Subject) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Subject)
	}{
		{"interfaces come and go", plugs},
		{"what an instance is inside", inside},
		{"user data serves a page", servesPage},
		{"strangers cannot fill it with ssh connections", boundsSSH},
		{"shutdown from inside", shutsDown},
		{"reboot from inside", rebootsItself},
		{"the disk outlives a stop", keepsDisk},
		{"user data runs once", runsOnce},
		{"a service that ignores SIGTERM is ended all the same", ignoresTerm},
		{"memory is limited", limitsMemory},
		{"an instance that runs out of memory says so", endsOutOfMemory},
		{"processes are limited", limitsProcesses},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, sub) })
	}
}

// probes look at an instance from inside: each is a line of shell, as root, and
// what it must print.
var probes = []struct{ name, command, want string }{
	{"user data runs as root", "id -u", "0"},
	{"root is not the host's root", "cut -c1-32 /proc/self/uid_map | awk '{print ($2 > 65536) \" \" $1}'", "1 0"},
	{"it has 65536 ids", "awk '{print $3}' /proc/self/uid_map", "65536"},
	{"PID 1 is ours", "cat /proc/1/comm", "hardstand-init"},
	{"the root belongs to root", "stat -c '%u %g %a' /", "0 0 755"},
	{"so does /usr", "stat -c '%u %g' /usr/bin/env", "0 0"},
	{"/usr can be written", "echo x > /usr/local/share/probe && cat /usr/local/share/probe", "x"},
	{"/etc can be written", "echo x > /etc/probe && cat /etc/probe", "x"},
	{"files of the image can be replaced", "echo changed > /etc/motd && cat /etc/motd", "changed"},
	{"and removed", "rm /etc/services && test ! -e /etc/services && echo gone", "gone"},
	{"the host's /root is not there", "ls -A /root | grep -v '^\\.' | wc -l", "0"},
	{"nor its /home", "ls /home | tr '\\n' ' '", "ec2-user ubuntu "},
	{"nor its passwords", "grep -c ':[$]' /etc/shadow", "0"},
	{"nor its data", "ls /var/lib/hardstand /work /srv/* 2>/dev/null | wc -l", "0"},
	{"login users", "id -un 1000; id -un 1001", "ec2-user\nubuntu"},
	{"login users own their homes", "stat -c %U /home/ec2-user /home/ubuntu", "ec2-user\nubuntu"},
	{"machine-id is its own", "grep -cE '^[0-9a-f]{32}$' /etc/machine-id", "1"},
	{"resolver is the VPC's", "grep nameserver /etc/resolv.conf", "nameserver 169.254.169.253"},
	{"null device", "echo x > /dev/null && head -c1 /dev/zero | od -An -tx1 | tr -d ' '", "00"},
	{"descriptors by name", "echo x | cat /dev/stdin", "x"},
	{"terminals", "script -qc 'tty' /dev/null </dev/null | grep -c /dev/pts/", "1"},
	{"shared memory", "echo x > /dev/shm/probe && cat /dev/shm/probe", "x"},
	{"shared memory is half of the instance's", "df -m --output=size /dev/shm | tail -n 1 | tr -d ' '", "512"},
	{"no devices of the host", "ls /dev | grep -cE '^(sd|vd|nvme|mem|kmem|kmsg)'", "0"},
	{"devices cannot be made", "mknod /tmp/mem c 1 1 2>/dev/null; echo $?", "1"},
	{"kernel memory is masked", "head -c1 /proc/kcore 2>/dev/null | wc -c", "0"},
	{"keys are masked", "wc -c < /proc/keys", "0"},
	{"/sys is read-only", "touch /sys/probe 2>/dev/null; grep -c ' /sys sysfs ro' /proc/mounts", "1"},
	{"the host's settings are not", "echo 1 > /proc/sys/kernel/panic 2>/dev/null; echo $?", "1"},
	{"its own network's settings are", "echo 1 > /proc/sys/net/ipv4/ip_forward && cat /proc/sys/net/ipv4/ip_forward", "1"},
	{"mounting works", "mkdir -p /mnt/a && mount -t tmpfs none /mnt/a && grep -c ' /mnt/a ' /proc/mounts", "1"},
	{"the guest binary is read-only", "echo x > /usr/lib/hardstand/hardstand-guest 2>/dev/null; echo $?", "1"},
	{"and stays so", "mount -o remount,rw,bind /usr/lib/hardstand/hardstand-guest; echo x > /usr/lib/hardstand/hardstand-guest; echo $?", "1"},
	{"system calls are filtered", "awk '/^Seccomp:/ {print $2}' /proc/self/status", "2"},
	{"new privileges are allowed", "awk '/^NoNewPrivs:/ {print $2}' /proc/self/status", "0"},
	{"the bounding set lacks SYS_MODULE", "python3 -c 'import re;m=int(re.search(r\"CapBnd:\\s*(\\w+)\",open(\"/proc/self/status\").read())[1],16);print(m>>16&1, m>>21&1)'", "0 1"},
	{"kernel log is refused", "dmesg >/dev/null 2>&1; echo $?", "1"},
	{"key rings are refused", "python3 -c 'import ctypes;l=ctypes.CDLL(None,use_errno=True);l.syscall(250,0,0,0);print(ctypes.get_errno())'", "1"},
	{"vsock is refused", "python3 -c 'import socket\ntry: socket.socket(40,1)\nexcept OSError as e: print(e.errno)'", "97"},
	{"the console can be opened by name", "echo hello console > /dev/console && echo ok", "ok"},
	{"port 80 can be bound", "python3 -c 'import socket;s=socket.socket();s.bind((\"0.0.0.0\",80));print(s.getsockname()[1])'", "80"},
	{"loopback is up", "cat /sys/class/net/lo/carrier", "1"},
	{"certificates are trusted by variable", "grep -c ^SSL_CERT_FILE= /etc/environment", "1"},
	{"environment of a login shell", "bash -lc 'echo $AWS_CA_BUNDLE'", "/etc/ssl/certs/ca-certificates.crt"},
	{"changing user", "su ubuntu -c 'id -un'", "ubuntu"},
	{"temporary files", "stat -c %a /tmp /var/tmp", "1777\n1777"},
	{"no open file of the host's is left in a process", "for p in /proc/[0-9]*; do readlink $p/fd/" + leaked + "; done | wc -l", "0"},
	{"its control groups are all there are", "awk -F: '$2 ~ /^(cpu|memory|pids|)$/ {print $3}' /proc/self/cgroup | sort -u", "/"},
	{"nothing of the host is mounted", "grep -cE ' /(work|var/lib/docker|boot|snap)' /proc/mounts", "0"},
}

// leaked is a descriptor that inside leaves open to children, as many a shell and
// service manager does.
const leaked = "234"

// inside asks all probes of one instance.
func inside(t *testing.T, sub Subject) {
	leak(t)
	d := open(t, sub)
	var script strings.Builder
	script.WriteString("#!/bin/bash\n")
	for i, p := range probes {
		fmt.Fprintf(&script, "echo \"<%d>$( %s )</%d>\"\n", i, p.command, i)
	}
	script.WriteString("echo all probes done\n")
	s := Spec(script.String())
	Launch(t, d, s)
	console := WaitConsole(t, d, s.ID, "all probes done\n")
	for i, p := range probes {
		t.Run(p.name, func(t *testing.T) {
			_, rest, _ := strings.Cut(console, fmt.Sprintf("<%d>", i))
			got, _, found := strings.Cut(rest, fmt.Sprintf("</%d>", i))
			if !found || got != p.want {
				t.Errorf("%s\nprints %q, want %q", p.command, got, p.want)
			}
		})
	}
}

// leak opens it.
func leak(t *testing.T) {
	to, err := strconv.Atoi(leaked)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Dup3(2, to, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(to) })
}

func servesPage(t *testing.T, sub Subject) {
	d := open(t, sub)
	s := Spec("#!/bin/bash -xe\ncd /var/www/html\necho \"from $(hostname)\" > index.html\nnohup python3 -m http.server 8000 >/dev/null 2>&1 &\n")
	Launch(t, d, s)
	for _, addr := range []netip.Addr{s.NIC.Private, s.NIC.Public} {
		if addr == s.NIC.Private && !reachable(addr) {
			continue // the host is outside the VPC: only the public address leads in
		}
		body := fetch(t, netip.AddrPortFrom(addr, 8000).String())
		if want := "from " + s.Hostname + "\n"; body != want {
			t.Errorf("page at %v = %q, want %q", addr, body, want)
		}
	}
}

// plugs: an interface that comes while the instance runs has its address inside, answers
// by it, and goes again; one that it is launched with is there from the start.
func plugs(t *testing.T, sub Subject) {
	d := open(t, sub)
	s, second, third := Spec(""), Spec("").NIC, Spec("").NIC
	second.Device, third.Device = 1, 2
	s.Others = []network.NIC{second}
	s.UserData = []byte("#!/bin/bash\ncd /var/www/html\necho page > index.html\nnohup python3 -m http.server 8000 >/dev/null 2>&1 &\n")
	h := Launch(t, d, s)
	page := func(nic network.NIC) string { return netip.AddrPortFrom(nic.Public, 8000).String() }
	for _, nic := range []network.NIC{s.NIC, second} {
		if body := fetch(t, page(nic)); body != "page\n" {
			t.Errorf("at device %d: %q", nic.Device, body)
		}
	}
	for range 2 {
		if err := h.Plug(t.Context(), third); err != nil {
			t.Fatal(err)
		}
	}
	if body := fetch(t, page(third)); body != "page\n" {
		t.Errorf("at the interface that was plugged in: %q", body)
	}
	for range 2 {
		if err := h.Unplug(t.Context(), third.ID); err != nil {
			t.Fatal(err)
		}
	}
	if body, err := tryFetch(page(third)); err == nil {
		t.Errorf("at the interface that was taken away: %q", body)
	}
	if body := fetch(t, page(second)); body != "page\n" {
		t.Errorf("at the other one: %q", body)
	}
}

// boundsSSH: every connection to port 22 costs memory before anybody has logged in.
func boundsSSH(t *testing.T, sub Subject) {
	d := open(t, sub)
	s := Spec("#!/bin/bash\necho up\n")
	Launch(t, d, s)
	WaitConsole(t, d, s.ID, "up\n")
	if !reachable(s.NIC.Public) {
		t.Fatalf("%v is not reachable", s.NIC.Public)
	}
	at := netip.AddrPortFrom(s.NIC.Public, 22).String()
	const most = 500
	for n := range most {
		c, err := net.DialTimeout("tcp", at, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		banner := make([]byte, 4)
		if err := c.SetReadDeadline(clock.System{}.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		switch _, err := io.ReadFull(c, banner); {
		case err == nil && string(banner) == "SSH-":
		case err != nil && n >= 10 && !errors.Is(err, os.ErrDeadlineExceeded):
			return // turned away
		default:
			t.Fatalf("connection %d: %q, %v", n, banner, err)
		}
	}
	t.Errorf("%d connections were served at once", most)
}

// reachable reports whether this host has a route to addr.
func reachable(addr netip.Addr) bool {
	c, err := net.Dial("udp", netip.AddrPortFrom(addr, 9).String())
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// fetch gets a page as soon as there is one.
func fetch(t testing.TB, addr string) string {
	t.Helper()
	deadline := clock.System{}.Now().Add(patience)
	for {
		body, err := tryFetch(addr)
		if err == nil {
			return body
		}
		if (clock.System{}).Now().After(deadline) {
			t.Fatalf("no page at %s: %v", addr, err)
		}
		<-clock.System{}.After(2 * time.Millisecond)
	}
}

func tryFetch(addr string) (string, error) {
	c, err := net.DialTimeout("tcp", addr, 100*time.Millisecond)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return "", err
	}
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", err
		}
		if line == "\r\n" {
			break
		}
	}
	body, err := io.ReadAll(r)
	return string(body), err
}

func shutsDown(t *testing.T, sub Subject) {
	for command, want := range map[string]string{
		"shutdown -h now": instance.ReasonPoweroff, "poweroff": instance.ReasonPoweroff, "reboot": instance.ReasonReboot,
		"kill -PWR 1": instance.ReasonPoweroff,
	} {
		t.Run(command, func(t *testing.T) {
			d := open(t, sub)
			h := Launch(t, d, Spec("#!/bin/bash\n"+command+"\nsleep 60\n"))
			if got := ended(t, h); got.Reason != want {
				t.Errorf("exit = %+v, want %s", got, want)
			}
		})
	}
}

// rebootsItself goes through a Manager, which brings the instance up again.
func rebootsItself(t *testing.T, sub Subject) {
	d := open(t, sub)
	exits := make(chan string, 1)
	m := instance.New(instance.Config{
		Driver: d, Clock: clock.System{}, Log: Log(t),
		OnExit: func(id, reason string) { exits <- id + " " + reason },
	})
	defer m.Close()
	s := Spec("#!/bin/bash\ncat > /var/lib/cloud/scripts/per-boot/again <<'END'\n#!/bin/bash\n" +
		"echo x >> /root/boots\necho \"boot $(wc -l < /root/boots)\"\n[ $(wc -l < /root/boots) = 2 ] && poweroff\n[ $(wc -l < /root/boots) = 1 ] && reboot\nEND\n" +
		"chmod +x /var/lib/cloud/scripts/per-boot/again\n/var/lib/cloud/scripts/per-boot/again\n")
	if err := m.Start(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-exits:
		if want := s.ID + " " + instance.ReasonPoweroff; got != want {
			t.Errorf("exit = %q, want %q", got, want)
		}
	case <-clock.System{}.After(patience):
		t.Fatal("the instance did not come back and power off")
	}
	WaitConsole(t, d, s.ID, "boot 2\n")
	if err := m.Terminate(t.Context(), s.ID); err != nil {
		t.Fatal(err)
	}
}

func keepsDisk(t *testing.T, sub Subject) {
	d := open(t, sub)
	s := Spec("#!/bin/bash\ncat /etc/machine-id > /root/first\nrm /etc/services\n" + perBoot(
		"cmp /root/first /etc/machine-id && [ ! -e /etc/services ] && [ -s /root/first ] && echo same-disk"))
	h := Launch(t, d, s)
	WaitConsole(t, d, s.ID, "exit status 0")
	stop(t, h)
	s.FirstBoot = false
	Launch(t, d, s)
	WaitConsole(t, d, s.ID, "same-disk\n")
}

// perBoot is shell that installs a script to run at every later boot.
func perBoot(script string) string {
	const path = "/var/lib/cloud/scripts/per-boot/probe"
	return "printf '#!/bin/bash\\n%s\\n' '" + script + "' > " + path + "\nchmod +x " + path + "\n"
}

func runsOnce(t *testing.T, sub Subject) {
	d := open(t, sub)
	s := Spec("#!/bin/bash\necho user-data-ran\n")
	h := Launch(t, d, s)
	WaitConsole(t, d, s.ID, "user data finished")
	stop(t, h)
	s.FirstBoot = false
	Launch(t, d, s)
	var text []byte
	deadline := clock.System{}.Now().Add(patience)
	for strings.Count(string(text), "user data finished") < 2 {
		if (clock.System{}).Now().After(deadline) {
			t.Fatalf("the second boot did not finish:\n%s", text)
		}
		text, _, _ = d.Console(s.ID)
		<-clock.System{}.After(2 * time.Millisecond)
	}
	if n := strings.Count(string(text), "user-data-ran\n"); n != 1 {
		t.Errorf("user data ran %d times:\n%s", n, text)
	}
}

func ignoresTerm(t *testing.T, sub Subject) {
	d := open(t, sub)
	s := Spec("#!/bin/bash\ntrap '' TERM\necho stubborn\nwhile :; do sleep 1000; done\n")
	h := Launch(t, d, s)
	WaitConsole(t, d, s.ID, "stubborn\n")
	if err := h.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if got := ended(t, h); got.Reason != instance.ReasonPoweroff {
		t.Errorf("exit = %+v, want %s", got, instance.ReasonPoweroff)
	}
}

func limitsMemory(t *testing.T, sub Subject) {
	d := open(t, sub)
	s := Spec("#!/bin/bash\npython3 -c 'x = bytearray(300 << 20); print(len(x))'\necho \"python: $?\"\n")
	s.MemoryMiB = 128
	Launch(t, d, s)
	WaitConsole(t, d, s.ID, "python: 137\n")
}

// endsOutOfMemory: what is in a memory file system cannot be freed by killing
// anybody, so it takes everything down, PID 1 last.
func endsOutOfMemory(t *testing.T, sub Subject) {
	d := open(t, sub)
	s := Spec("#!/bin/bash\nmount -t tmpfs -o size=1g none /mnt\nwhile :; do head -c 64M /dev/zero >> /mnt/x; done\n")
	s.MemoryMiB = 128
	h := Launch(t, d, s)
	if got := ended(t, h); got.Reason != instance.ReasonMemory {
		t.Errorf("exit = %+v, want %s", got, instance.ReasonMemory)
	}
}

func limitsProcesses(t *testing.T, sub Subject) {
	d := open(t, sub)
	s := Spec(`#!/usr/bin/python3
import threading
threading.stack_size(64 << 10)
held, n = threading.Event(), 0
try:
    for n in range(4000):
        threading.Thread(target=held.wait, daemon=True).start()
except RuntimeError:
    print("threads stopped", 1000 < n < 2048, flush=True)
held.set()
`)
	s.MemoryMiB = 256 // 2,048 processes and threads, the least there is
	s.VCPUs = 2
	Launch(t, d, s)
	WaitConsole(t, d, s.ID, "threads stopped True\n")
}
