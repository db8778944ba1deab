package ec2

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// AttachNetworkInterface gives an instance a further interface, at once if it runs.
func (s *Service) AttachNetworkInterface(ctx context.Context, in *api.AttachNetworkInterfaceInput) (*api.AttachNetworkInterfaceOutput, error) {
	c := aws.CallFrom(ctx)
	err := refuse(
		asked{"NetworkCardIndex beyond 0", aws.Val(in.NetworkCardIndex) != 0},
		asked{"EnaSrdSpecification", in.EnaSrdSpecification != nil},
		asked{"EnaQueueCount", in.EnaQueueCount != nil},
	)
	if err != nil {
		return nil, err
	}
	if in.DeviceIndex == nil {
		return nil, missing("deviceIndex")
	}
	var row *networkInterface
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		r, err := getInstance(tx, c, aws.Val(in.InstanceId))
		if err != nil {
			return err
		}
		if row, err = freeInterface(tx, c, aws.Val(in.NetworkInterfaceId)); err != nil {
			return err
		}
		return attachTo(tx, c, r, row, *in.DeviceIndex, true, s.clock.Now().UTC())
	})
	if err != nil {
		return nil, err
	}
	out := &api.AttachNetworkInterfaceOutput{AttachmentId: aws.Ptr(row.NIC.AttachmentID), NetworkCardIndex: aws.Ptr[int32](0)}
	if err := s.plug(ctx, key(c, row.NIC.ID)); err != nil {
		return nil, err
	}
	return out, s.followRoutes(ctx, key(c, ""), row.NIC.VPC)
}

// freeInterface returns an interface that is attached to nothing.
func freeInterface(tx *store.Tx, c aws.Call, id string) (*networkInterface, error) {
	h, err := findInterface(tx, c, id)
	if err != nil {
		return nil, err
	}
	if h.inUse() {
		return nil, awserr.New("InvalidNetworkInterface.InUse", "Interface: [%s] in use.", id)
	}
	return h.row, nil
}

// attachTo makes an interface the device of an instance and stores it.
func attachTo(tx *store.Tx, c aws.Call, r *instance, row *networkInterface, device int32, keep bool, now time.Time) error {
	switch r.State {
	case statePending, stateRunning, stateStopped:
	default:
		return awserr.New("IncorrectState", "The instance '%s' is not in a valid state for this operation.", r.ID)
	}
	if row.Zone != r.Zone {
		return awserr.New("InvalidParameterCombination", "You may not attach a network interface to an instance if they are not in the same availability zone")
	}
	others, err := interfaces.Lookup(tx, "instance", r.ID)
	if err != nil {
		return err
	}
	if device == 0 || slices.ContainsFunc(others, func(o store.Row[networkInterface]) bool { return o.Value.Device == device }) {
		return awserr.New("InvalidParameterValue", "Instance '%s' already has an interface attached at device index '%d'.", r.ID, device)
	}
	if device < 0 || device > maxDeviceIndex {
		return invalidValue(itoa(device), "deviceIndex")
	}
	if n := int32(len(others) + 2); n > maxInterfaces(r.Type) {
		return awserr.New("AttachmentLimitExceeded", "Interface count %d exceeds the limit for %s", n, r.Type)
	}
	if err := apartFrom(tx, c, r, row, others); err != nil {
		return err
	}
	row.Instance, row.Device, row.AttachedAt = r.ID, device, now
	row.NIC.AttachmentID, row.NIC.Keep = ids.Resource("eni-attach"), keep
	emitPart(tx, c, row.NIC.ID, "network-interface-attached")
	return interfaces.Put(tx, key(c, row.NIC.ID), row)
}

// maxDeviceIndex is the highest device index that EC2 takes.
const maxDeviceIndex = 31

// apartFrom wants the VPCs of an instance's interfaces to be one, or to have different
// addresses.
func apartFrom(tx *store.Tx, c aws.Call, r *instance, row *networkInterface, others []store.Row[networkInterface]) error {
	v, err := vpcs.Get(tx, key(c, row.NIC.VPC))
	if err != nil {
		return err
	}
	at := []string{r.NIC.VPC}
	for _, o := range others {
		at = append(at, o.Value.NIC.VPC)
	}
	for _, id := range at {
		if id == v.ID {
			continue
		}
		other, err := vpcs.Get(tx, key(c, id))
		if err != nil {
			return err
		}
		if slices.ContainsFunc(other.blocks(), func(p netip.Prefix) bool { return slices.ContainsFunc(v.blocks(), p.Overlaps) }) {
			return awserr.New("InvalidParameterCombination", "The networks %s and %s of the interfaces of instance '%s' overlap.", v.ID, other.ID, r.ID)
		}
	}
	return nil
}

// maxInterfaces is how many interfaces an instance of a type may have.
func maxInterfaces(name string) int32 {
	family, size, _ := strings.Cut(name, ".")
	burstable := strings.HasPrefix(family, "t2") || strings.HasPrefix(family, "t3")
	switch size {
	case "nano", "micro":
		return 2
	case "small", "medium":
		if burstable {
			return 3
		}
		return 2
	case "large":
		return 3
	case "xlarge", "2xlarge":
		return 4
	case "4xlarge", "8xlarge", "9xlarge", "10xlarge", "12xlarge":
		return 8
	}
	return 15
}

// plug connects an interface to its instance, if that runs.
func (s *Service) plug(ctx context.Context, k store.Key) error {
	var row *networkInterface
	state := ""
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		if row, err = interfaces.Get(tx, k); err == nil {
			state, err = heldRow(row).instanceState(tx, callOf(k))
		}
		return err
	})
	if isNotFound(err) || err == nil && state != stateRunning {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.syncNetwork(ctx, k, row.NIC); err != nil {
		return err
	}
	return s.plugInto(ctx, k, row.Instance)
}

// plugInto connects an interface to the instance id, unless it has been taken from that
// meanwhile.
func (s *Service) plugInto(ctx context.Context, k store.Key, id string) error {
	s.pushing.Lock()
	defer s.pushing.Unlock()
	at := ""
	err := s.db.View(ctx, func(tx *store.Tx) error {
		row, err := interfaces.Get(tx, k)
		if err == nil {
			at = row.Instance
		}
		return err
	})
	if isNotFound(err) || err == nil && at != id {
		return nil
	}
	if err != nil {
		return err
	}
	wire, err := s.wiring(ctx, k)
	if err != nil {
		return err
	}
	return s.machines.Plug(ctx, id, wire)
}
