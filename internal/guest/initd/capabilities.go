package initd

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// refused are the capabilities that no instance has, user namespace or not: they
// concern the machine, not the instance.
var refused = []uintptr{
	unix.CAP_SYS_MODULE, unix.CAP_SYS_BOOT, unix.CAP_SYS_TIME, unix.CAP_SYS_RAWIO,
	unix.CAP_MAC_ADMIN, unix.CAP_MAC_OVERRIDE, unix.CAP_WAKE_ALARM, unix.CAP_SYSLOG,
}

// withoutOwnUsers is all that is left to an instance whose root is the host's.
var withoutOwnUsers = []uintptr{
	unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_FSETID, unix.CAP_KILL,
	unix.CAP_SETGID, unix.CAP_SETUID, unix.CAP_SETPCAP, unix.CAP_SETFCAP, unix.CAP_SYS_CHROOT,
	unix.CAP_NET_BIND_SERVICE, unix.CAP_NET_RAW, unix.CAP_NET_ADMIN, unix.CAP_AUDIT_WRITE,
}

// confine installs the system call filter and bounds the capabilities of whatever
// PID 1 starts, on all threads: children inherit from whichever thread forks them.
// no_new_privs stays off, so that sudo works; installing a filter needs
// CAP_SYS_ADMIN then, which is why the filter comes first.
func confine(ownUsers bool) error {
	if err := installFilter(); err != nil {
		return err
	}
	set := kept(ownUsers)
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if set&(1<<c) != 0 {
			continue
		}
		_, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c, 0, 0, 0, 0)
		if errno != 0 && errno != unix.EINVAL { // EINVAL: an older kernel without this one
			return fmt.Errorf("drop capability %d from the bounding set: %w", c, errno)
		}
	}
	return nil
}

// kept is the set of capabilities that an instance has.
func kept(ownUsers bool) uint64 {
	var set uint64
	if !ownUsers {
		for _, c := range withoutOwnUsers {
			set |= 1 << c
		}
		return set
	}
	set = 1<<(unix.CAP_LAST_CAP+1) - 1
	for _, c := range refused {
		set &^= 1 << c
	}
	return set
}

// dropCapabilities takes from PID 1 itself what it does not keep. It comes when
// the host name is set, which needs CAP_SYS_ADMIN.
func dropCapabilities(kept uint64) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have, want [2]unix.CapUserData
	if err := unix.Capget(&header, &have[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	for i := range want {
		part := uint32(kept >> (32 * i))
		want[i].Permitted = have[i].Permitted & part
		want[i].Effective = want[i].Permitted
	}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET,
		uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&want[0])), 0)
	if errno != 0 {
		return fmt.Errorf("set capabilities: %w", errno)
	}
	return nil
}
