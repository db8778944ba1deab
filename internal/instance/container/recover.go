package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/network"
)

// Recover implements instance.Driver: the process of the record must have the
// same number, start time and boot of the machine.
func (d *Driver) Recover(ctx context.Context, spec instance.Spec) (instance.Handle, error) {
	rec, err := readRecord(d.dir(spec.ID))
	if errors.Is(err, os.ErrNotExist) {
		return nil, &instance.Ended{Exit: instance.Exit{Reason: instance.ReasonKilled}}
	}
	if err != nil {
		return nil, fmt.Errorf("recover %s: %w", spec.ID, err)
	}
	p, err := d.find(rec)
	if err != nil {
		d.letGo(spec.ID, rec.Group, append(interfacesOf(spec), rec.NIC)...)
		return nil, err
	}
	if err := d.reconnect(ctx, spec, rec.PID); err != nil {
		return nil, fmt.Errorf("recover %s: %w", spec.ID, err)
	}
	return d.watch(spec, rec.Group, p), nil
}

// find returns the recorded process, or *instance.Ended.
func (d *Driver) find(rec record) (*process, error) {
	if rec.BootID != d.bootID {
		return nil, &instance.Ended{Exit: instance.Exit{Reason: instance.ReasonHostReboot}}
	}
	gone := &instance.Ended{Exit: d.readExit(rec.ID)}
	// The descriptor first: once it is open the number cannot come to mean
	// another process, so the start time decides.
	fd, err := unix.PidfdOpen(rec.PID, 0)
	if err != nil {
		return nil, gone
	}
	started, err := startTime(rec.PID)
	if err != nil || started != rec.StartTime || hasEnded(fd) {
		unix.Close(fd)
		return nil, gone
	}
	return newProcess(rec.PID, fd, false)
}

// reconnect tells the network and the listeners again about the namespace of an
// instance that was found alive. What is connected already stays as it is.
func (d *Driver) reconnect(ctx context.Context, spec instance.Spec, pid int) error {
	ns, err := os.Open("/proc/" + strconv.Itoa(pid) + "/ns/net")
	if err != nil {
		return err
	}
	defer ns.Close()
	if d.cfg.Network != nil {
		for _, nic := range append([]network.NIC{spec.NIC}, spec.Others...) {
			if err := d.cfg.Network.Attach(ctx, ns, nic); err != nil {
				return err
			}
		}
	}
	if d.cfg.OnNamespace == nil {
		return nil
	}
	return d.cfg.OnNamespace(spec.ID, ns)
}
