package initd

import (
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The filter lets through what this build knows of and does not refuse: it is an
// allow-list of everything up to lastKnown less the table below. The kernel
// evaluates calls that are always allowed once and caches the answer, so a
// running instance pays next to nothing.

// refusedCalls are never needed by what runs in an instance, and each has been a
// way out of one, or acts on the whole machine. Those of one architecture only
// are in archRefusedCalls.
var refusedCalls = []uint32{
	unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_REBOOT,
	unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
	unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL,
	unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_SWAPON, unix.SYS_SWAPOFF,
	unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_ACCT, unix.SYS_SYSLOG,
	unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_NFSSERVCTL, unix.SYS_LOOKUP_DCOOKIE,
}

// absentCalls answer as on a kernel that does not have them, because programs
// then fall back (libuv without io_uring), which they do not after a refusal.
var absentCalls = []uint32{unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER}

// lastKnown is the newest system call that was looked at: rseq_slice_yield.
const lastKnown = 471

// Classic BPF, as seccomp(2) takes it: load a word, compare, jump, return.
const (
	opLoad    = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	opEqual   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	opAtLeast = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	opReturn  = unix.BPF_RET | unix.BPF_K

	// Offsets in struct seccomp_data; the argument is the low half of the first
	// one on a little-endian machine, which both architectures are.
	offsetCall, offsetArch, offsetArg0 = 0, 4, 16
)

func refuse(errno unix.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(errno) }

// filterProgram assembles the filter. Calls are compared one after the other:
// with the kernel's cache there is nothing to gain from a tree, and a list is
// easy to check.
func filterProgram() []unix.SockFilter {
	absent := refuse(unix.ENOSYS)
	p := []unix.SockFilter{
		{Code: opLoad, K: offsetArch},
		// Another architecture has other numbers: i386 on amd64 stays out.
		{Code: opEqual, K: nativeArch, Jt: 1},
		{Code: opReturn, K: absent},
		{Code: opLoad, K: offsetCall},
		// Beyond what is known, and amd64's x32 numbers with bit 30 set.
		{Code: opAtLeast, K: lastKnown + 1, Jf: 1},
		{Code: opReturn, K: absent},
	}
	for _, nr := range slices.Concat(refusedCalls, archRefusedCalls) {
		p = append(p, unix.SockFilter{Code: opEqual, K: nr, Jf: 1}, unix.SockFilter{Code: opReturn, K: refuse(unix.EPERM)})
	}
	for _, nr := range absentCalls {
		p = append(p, unix.SockFilter{Code: opEqual, K: nr, Jf: 1}, unix.SockFilter{Code: opReturn, K: absent})
	}
	return append(p,
		// vsock knows no network namespace: it would reach the host around every
		// security group.
		unix.SockFilter{Code: opEqual, K: unix.SYS_SOCKET, Jf: 3},
		unix.SockFilter{Code: opLoad, K: offsetArg0},
		unix.SockFilter{Code: opEqual, K: unix.AF_VSOCK, Jf: 1},
		unix.SockFilter{Code: opReturn, K: refuse(unix.EAFNOSUPPORT)},
		unix.SockFilter{Code: opReturn, K: unix.SECCOMP_RET_ALLOW},
	)
}

// installFilter puts the filter on all threads, and so on every process that
// PID 1 will ever start.
func installFilter() error {
	program := filterProgram()
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	tid, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return fmt.Errorf("install system call filter: %w", errno)
	}
	if tid != 0 {
		return fmt.Errorf("install system call filter: thread %d could not take it", tid)
	}
	return nil
}
