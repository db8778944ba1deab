// Package container is the driver that makes instances from Linux namespaces,
// without an external program.
//
// It owns, below its data directory:
//
//	images/<digest>/{root,usr}  what every instance shares: a synthesised root
//	                            and what is laid over the host's /usr
//	guest/<sha256>/             the guest binary
//	shells/<name>/              disks of shells that are no instance yet
//	instances/<id>/             record.json, exit.json, and the disk: upper and
//	                            work of two overlays, "/" and "/usr"
//	console/<id>.log            kept after termination
//	trash/                      what is being deleted
//
// and in the kernel one group <prefix>/<shell> in every cgroup hierarchy it uses.
// All mounts live in the mount namespace of the instance, or of one thread of the
// daemon (mounter); the host's own table never grows.
//
// The flow enters at Driver.Launch. It takes a shell, an instance without identity
// that the pool keeps ready, made by steps with undo (shell.go, step_*.go):
//
//	claim ─┬─> disk ──┬─> join ───┬─> enter
//	group ─┘   clone ─┘   rootfs ─┘
//
// and gives it its identity (launch.go):
//
//	attach, listen ──────┬─> identity
//	name, limit, record ─┘
//
// It leaves in PID 1 (guest/initd), which gets the mounts in "enter" and runs the
// instance from "identity" on. From then on the instance needs no daemon: its
// record lets a later one recover it.
package container
