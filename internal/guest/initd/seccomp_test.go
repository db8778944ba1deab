package initd

import (
	"testing"

	"golang.org/x/sys/unix"
)

// run evaluates the filter as the kernel would.
func run(t *testing.T, program []unix.SockFilter, arch, call, arg0 uint32) uint32 {
	t.Helper()
	data := map[uint32]uint32{offsetCall: call, offsetArch: arch, offsetArg0: arg0}
	var acc uint32
	for pc := 0; pc < len(program); pc++ {
		in := program[pc]
		jump := func(cond bool) {
			if cond {
				pc += int(in.Jt)
			} else {
				pc += int(in.Jf)
			}
		}
		switch in.Code {
		case opLoad:
			acc = data[in.K]
		case opEqual:
			jump(acc == in.K)
		case opAtLeast:
			jump(acc >= in.K)
		case opReturn:
			return in.K
		default:
			t.Fatalf("instruction %d has code %#x", pc, in.Code)
		}
	}
	t.Fatal("the program ran over its end")
	return 0
}

func TestFilter(t *testing.T) {
	program := filterProgram()
	const i386 = 0x40000003
	for _, c := range []struct {
		name             string
		arch, call, arg0 uint32
		want             uint32
	}{
		{"read", nativeArch, unix.SYS_READ, 0, unix.SECCOMP_RET_ALLOW},
		{"mount", nativeArch, unix.SYS_MOUNT, 0, unix.SECCOMP_RET_ALLOW},
		{"clone", nativeArch, unix.SYS_CLONE, 0, unix.SECCOMP_RET_ALLOW},
		{"newest known", nativeArch, lastKnown, 0, unix.SECCOMP_RET_ALLOW},
		{"bpf", nativeArch, unix.SYS_BPF, 0, refuse(unix.EPERM)},
		{"kexec", nativeArch, unix.SYS_KEXEC_LOAD, 0, refuse(unix.EPERM)},
		{"open_by_handle_at", nativeArch, unix.SYS_OPEN_BY_HANDLE_AT, 0, refuse(unix.EPERM)},
		{"userfaultfd", nativeArch, unix.SYS_USERFAULTFD, 0, refuse(unix.EPERM)},
		{"io_uring is absent", nativeArch, unix.SYS_IO_URING_SETUP, 0, refuse(unix.ENOSYS)},
		{"unknown", nativeArch, lastKnown + 1, 0, refuse(unix.ENOSYS)},
		{"x32", nativeArch, 1<<30 | unix.SYS_READ, 0, refuse(unix.ENOSYS)},
		{"32-bit program", i386, 3, 0, refuse(unix.ENOSYS)},
		{"tcp socket", nativeArch, unix.SYS_SOCKET, unix.AF_INET, unix.SECCOMP_RET_ALLOW},
		{"vsock socket", nativeArch, unix.SYS_SOCKET, unix.AF_VSOCK, refuse(unix.EAFNOSUPPORT)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := run(t, program, c.arch, c.call, c.arg0); got != c.want {
				t.Errorf("filter says %#x, want %#x", got, c.want)
			}
		})
	}
}

func TestCapabilities(t *testing.T) {
	own, host := kept(true), kept(false)
	for _, c := range []struct {
		name      string
		number    int
		own, host bool
	}{
		{"CAP_SYS_ADMIN", unix.CAP_SYS_ADMIN, true, false},
		{"CAP_NET_ADMIN", unix.CAP_NET_ADMIN, true, true},
		{"CAP_SYS_MODULE", unix.CAP_SYS_MODULE, false, false},
		{"CAP_SYS_TIME", unix.CAP_SYS_TIME, false, false},
		{"CAP_SYSLOG", unix.CAP_SYSLOG, false, false},
		{"CAP_MKNOD", unix.CAP_MKNOD, true, false},
		{"CAP_SYS_PTRACE", unix.CAP_SYS_PTRACE, true, false},
		{"CAP_SETUID", unix.CAP_SETUID, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := own>>c.number&1 == 1; got != c.own {
				t.Errorf("with own users: %v, want %v", got, c.own)
			}
			if got := host>>c.number&1 == 1; got != c.host {
				t.Errorf("with the host's users: %v, want %v", got, c.host)
			}
		})
	}
}
