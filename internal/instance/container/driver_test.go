package container_test

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/instance/container"
	"github.com/hardstand/hardstand/internal/instance/instancetest"
)

func subject(t *testing.T) instancetest.Subject {
	net := openNetwork(t)
	return instancetest.Subject{Open: func(t testing.TB, dir string) (instance.Driver, func()) {
		d, err := container.Open(config(t, dir, net))
		if err != nil {
			t.Fatal(err)
		}
		return d, func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
	}}
}

func TestDriver(t *testing.T)          { instancetest.All(t, subject(t)) }
func TestDriverExecuting(t *testing.T) { instancetest.Executing(t, subject(t)) }

// Without user namespaces root inside is root outside, so it keeps far less.
func TestWithoutUserNamespaces(t *testing.T) {
	cfg := config(t, t.TempDir(), openNetwork(t))
	cfg.HostUsers = true
	d, err := container.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	s := instancetest.Spec("#!/bin/bash\n" +
		"echo \"ids $(awk '{print $2, $3}' /proc/self/uid_map)\"\n" +
		"echo \"bounding $(awk '/^CapBnd/ {print $2}' /proc/self/status)\"\n" +
		"mount -t tmpfs none /mnt 2>/dev/null; echo \"mount $?\"\n" +
		"echo 1 > /proc/sys/kernel/panic; echo \"setting $?\"\n" +
		"mknod /tmp/mem c 1 1 2>/dev/null; echo \"device $?\"\n" +
		"cd /var/www/html && python3 -m http.server 80 & echo over\n")
	instancetest.Launch(t, d, s)
	console := instancetest.WaitConsole(t, d, s.ID, "over\n")
	for _, want := range []string{"ids 0 4294967295\n", "bounding 00000000a00435fb\n", "mount 32\n", "setting 1\n", "device 1\n"} {
		if !strings.Contains(console, want) {
			t.Errorf("the console lacks %q", want)
		}
	}
}

func TestDataDirectoryThatCannotHoldDisks(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("hugetlbfs", dir, "hugetlbfs", 0, ""); err != nil { // no extended attributes
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	_, err := container.Open(config(t, dir, nil))
	if err == nil || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("error = %v, want one with the remedy", err)
	}
}
