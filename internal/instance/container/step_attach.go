package container

import (
	"context"
	"fmt"

	"github.com/hardstand/hardstand/internal/network"
)

// attach connects the instance's network namespace by all its interfaces.
func (l *launch) attach(ctx context.Context) error {
	if l.d.cfg.Network == nil {
		return nil
	}
	for _, nic := range append([]network.NIC{l.spec.NIC}, l.spec.Others...) {
		if err := l.d.cfg.Network.Attach(ctx, l.netns, nic); err != nil {
			return fmt.Errorf("connect network: %w", err)
		}
		l.job.undo(func() { l.d.detach(l.spec.ID, nic.ID) })
	}
	return nil
}

// listen lets others open listeners in the namespace: metadata, DNS, endpoint.
func (l *launch) listen(context.Context) error {
	if l.d.cfg.OnNamespace == nil {
		return nil
	}
	l.job.undo(func() { l.d.unlisten(l.spec.ID) })
	if err := l.d.cfg.OnNamespace(l.spec.ID, l.netns); err != nil {
		return fmt.Errorf("listen inside: %w", err)
	}
	return nil
}

func (d *Driver) unlisten(id string) {
	if d.cfg.OnRelease != nil {
		d.cfg.OnRelease(id)
	}
}

func (d *Driver) detach(id, nic string) {
	if d.cfg.Network == nil || nic == "" {
		return
	}
	if err := d.cfg.Network.Detach(context.Background(), nic); err != nil {
		d.cfg.Log.Error("network interface stays", "instance", id, "interface", nic, "error", err)
	}
}
