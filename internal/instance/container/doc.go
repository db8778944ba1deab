// Package container is the driver that makes instances from Linux namespaces,
// without an external program.
//
// It owns, below its data directory:
//
//	images/<digest>/{root,usr}  what every instance shares: a synthesised root
//	                            and what is laid over the host's /usr
//	guest/<sha256>/             the guest binary
//	instances/<id>/             record.json, exit.json, and the disk: upper and
//	                            work of two overlays, "/" and "/usr"
//	console/<id>.log            kept after termination
//	trash/                      what is being deleted
//
// and in the kernel one group <prefix>/<id> in every cgroup hierarchy it uses.
// All mounts live in the mount namespace of the instance, or of one thread of the
// daemon (mounter); the host's own table never grows.
//
// The flow enters at Driver.Launch, which runs the steps of launch.go, one file
// each, with undo:
//
//	claim ─┬─> disk ──┬─> join ───────────┬─> record, handover
//	group ─┘   clone ─┘   attach, listen ─┤
//	                      rootfs ─────────┘
//
// and leaves in PID 1 (guest/initd), to which handover passes the mounts. From
// then on the instance needs no daemon: its record lets a later one recover it.
package container
