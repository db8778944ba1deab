package container

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/guest/handover"
	"github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/network"
)

// handle implements instance.Handle.
type handle struct {
	d  *Driver
	id string
	// group is the name of its control group.
	group string
	proc  *process
	done  chan struct{}
	exit  instance.Exit

	mu   sync.Mutex
	nics []string // that are connected; nil when the instance has ended
}

func (h *handle) Done() <-chan struct{} { return h.done }
func (h *handle) Exit() instance.Exit   { return h.exit }
func (h *handle) Shutdown() error       { return h.proc.signal(unix.SIGPWR) }
func (h *handle) Kill() error           { return h.proc.kill() }

// watch follows the instance to its end and releases what it held in the kernel.
// It ends without that when the driver is closed: the instance runs on, and a
// later daemon takes over.
func (d *Driver) watch(spec instance.Spec, group string, p *process) *handle {
	h := &handle{d: d, id: spec.ID, group: group, proc: p, done: make(chan struct{}), nics: interfacesOf(spec)}
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
		d.letGo(spec.ID, group, h.end()...)
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

func interfacesOf(spec instance.Spec) []string {
	ids := []string{spec.NIC.ID}
	for _, nic := range spec.Others {
		ids = append(ids, nic.ID)
	}
	return ids
}

// end returns the interfaces that are connected and lets no further one be.
func (h *handle) end() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	nics := h.nics
	h.nics = nil
	return nics
}

// Plug implements instance.Handle.
func (h *handle) Plug(ctx context.Context, nic network.NIC) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.nics == nil {
		return errors.New("the instance has ended")
	}
	if h.d.cfg.Network == nil {
		return nil
	}
	ns, err := os.Open("/proc/" + strconv.Itoa(h.proc.pid) + "/ns/net")
	if err != nil {
		return err
	}
	defer ns.Close()
	if err := h.d.cfg.Network.Attach(ctx, ns, nic); err != nil {
		return err
	}
	if !slices.Contains(h.nics, nic.ID) {
		h.nics = append(h.nics, nic.ID)
	}
	return nil
}

// Unplug implements instance.Handle.
func (h *handle) Unplug(ctx context.Context, nicID string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.Index(h.nics, nicID)
	if i < 0 || h.d.cfg.Network == nil {
		return nil
	}
	if err := h.d.cfg.Network.Detach(ctx, nicID); err != nil {
		return err
	}
	h.nics = slices.Delete(h.nics, i, i+1)
	return nil
}

// letGo releases what an ended instance held; its disk stays.
func (d *Driver) letGo(id, group string, nics ...string) {
	d.unlisten(id)
	for _, nic := range nics {
		d.detach(id, nic)
	}
	if group != "" {
		d.removeGroup(group)
	}
}
