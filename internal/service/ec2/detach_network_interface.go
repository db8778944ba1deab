package ec2

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// DetachNetworkInterface takes an interface from its instance, at once if it runs. The
// instance is never asked: Force, which does without its answer, has nothing to add.
func (s *Service) DetachNetworkInterface(ctx context.Context, in *api.DetachNetworkInterfaceInput) (*api.DetachNetworkInterfaceOutput, error) {
	c := aws.CallFrom(ctx)
	row, err := s.detach(ctx, c, aws.Val(in.AttachmentId))
	if err != nil {
		return nil, err
	}
	return &api.DetachNetworkInterfaceOutput{}, s.followRoutes(ctx, key(c, ""), row.NIC.VPC)
}

// detach ends an attachment and unplugs its interface. One that cannot be unplugged stays
// attached, so that the call can be made again. The row comes first: an instance that
// starts meanwhile would plug in what is attached.
func (s *Service) detach(ctx context.Context, c aws.Call, attachment string) (*networkInterface, error) {
	s.pushing.Lock()
	defer s.pushing.Unlock()
	var row *networkInterface
	var was networkInterface
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		h, err := interfaceAttached(tx, c, attachment)
		switch {
		case err != nil:
			return err
		case h.machine != nil:
			return awserr.New("OperationNotPermitted", "The network interface at device index 0 and networkCard index 0 cannot be detached.")
		case h.requester() != "":
			return awserr.New("OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments.")
		}
		row, was = h.row, *h.row
		row.release()
		emitPart(tx, c, h.ID, "network-interface-detached")
		return interfaces.Put(tx, key(c, h.ID), row)
	})
	if err != nil {
		return nil, err
	}
	if err := s.machines.Unplug(ctx, was.Instance, row.NIC.ID); err != nil {
		return nil, errors.Join(err, s.reattach(context.WithoutCancel(ctx), c, &was))
	}
	return row, nil
}

// reattach takes back the end of an attachment, where nobody has used the interface since
// and the instance is still there.
func (s *Service) reattach(ctx context.Context, c aws.Call, was *networkInterface) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		row, err := freeInterface(tx, c, was.NIC.ID)
		if awserr.As(err) != nil {
			return nil // used, or gone
		}
		if err != nil {
			return err
		}
		r, err := getInstance(tx, c, was.Instance)
		if awserr.As(err) != nil || err == nil && (r.State == stateShuttingDown || r.State == stateTerminated) {
			return nil // it takes its links along
		}
		if err != nil {
			return err
		}
		others, err := interfaces.Lookup(tx, "instance", r.ID)
		if err != nil || slices.ContainsFunc(others, func(o store.Row[networkInterface]) bool { return o.Value.Device == was.Device }) {
			return err // another has its place
		}
		row.Instance, row.Device, row.AttachedAt = was.Instance, was.Device, was.AttachedAt
		row.NIC.AttachmentID, row.NIC.Keep = was.NIC.AttachmentID, was.NIC.Keep
		emitPart(tx, c, row.NIC.ID, "network-interface-attached")
		return interfaces.Put(tx, key(c, row.NIC.ID), row)
	})
}

// release ends an attachment.
func (r *networkInterface) release() {
	r.Instance, r.Device, r.AttachedAt = "", 0, time.Time{}
	r.NIC.AttachmentID, r.NIC.Keep = "", false
}

// leave has the interfaces of an instance that has ended go, or stay by themselves, as
// each is to. The caller stores the instance.
func leave(tx *store.Tx, k store.Key, r *instance) error {
	c := callOf(k)
	others, err := interfaces.Lookup(tx, "instance", r.ID)
	if err != nil {
		return err
	}
	for _, o := range others {
		if !o.Value.NIC.Keep {
			if err := dropInterface(tx, c, o.Value); err != nil {
				return err
			}
			continue
		}
		o.Value.release()
		if err := interfaces.Put(tx, o.Key, o.Value); err != nil {
			return err
		}
	}
	if !r.NIC.Keep {
		return releaseElastic(tx, k, &r.NIC)
	}
	return setFree(tx, c, r)
}

// setFree makes the primary interface of an instance that has ended one of its own.
func setFree(tx *store.Tx, c aws.Call, r *instance) error {
	row := &networkInterface{NIC: r.NIC, Zone: r.Zone}
	row.release()
	if row.NIC.AutoPublic = false; row.NIC.Allocation == "" {
		row.NIC.Public = noAddr
	}
	if err := moveAddress(tx, c, heldRow(row)); err != nil {
		return err
	}
	return interfaces.Insert(tx, key(c, row.NIC.ID), row)
}

// moveAddress notes where the holder of an elastic address is kept from now on.
func moveAddress(tx *store.Tx, c aws.Call, h heldInterface) error {
	if h.Allocation == "" {
		return nil
	}
	a, err := addresses.Get(tx, key(c, h.Allocation))
	if err != nil {
		return err
	}
	a.bindTo(h)
	return addresses.Put(tx, key(c, a.AllocationID), a)
}
