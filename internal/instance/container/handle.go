package container

import (
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/guest/handover"
	"github.com/hardstand/hardstand/internal/instance"
)

// handle implements instance.Handle.
type handle struct {
	proc *process
	done chan struct{}
	exit instance.Exit
}

func (h *handle) Done() <-chan struct{} { return h.done }
func (h *handle) Exit() instance.Exit   { return h.exit }
func (h *handle) Shutdown() error       { return h.proc.signal(unix.SIGPWR) }
func (h *handle) Kill() error           { return h.proc.kill() }

// watch follows the instance to its end and releases what it held in the kernel.
// It ends without that when the driver is closed: the instance runs on, and a
// later daemon takes over.
func (d *Driver) watch(spec instance.Spec, group string, p *process) *handle {
	h := &handle{proc: p, done: make(chan struct{})}
	d.background.Go(func() {
		select {
		case <-p.ended:
		case <-d.closing.Done():
			return
		}
		h.exit = d.readExit(spec.ID)
		if h.exit.Reason == instance.ReasonKilled && d.groups.outOfMemory(group) {
			h.exit.Reason = instance.ReasonMemory
		}
		d.letGo(spec.ID, spec.NIC.ID, group)
		close(h.done)
	})
	return h
}

// readExit tells how an instance that has ended did so.
func (d *Driver) readExit(id string) instance.Exit {
	note, ok := handover.ReadExit(filepath.Join(d.dir(id), exitFile))
	if !ok {
		return instance.Exit{Reason: instance.ReasonKilled}
	}
	return instance.Exit{Reason: note.Reason, Code: note.Code}
}

// letGo releases what an ended instance held; its disk stays.
func (d *Driver) letGo(id, nic, group string) {
	d.unlisten(id)
	d.detach(id, nic)
	if group != "" {
		d.removeGroup(group)
	}
}
