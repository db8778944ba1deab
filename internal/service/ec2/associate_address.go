package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// AssociateAddress moves an elastic address to an instance or to an interface, at once
// if it runs.
func (s *Service) AssociateAddress(ctx context.Context, in *api.AssociateAddressInput) (*api.AssociateAddressOutput, error) {
	c := aws.CallFrom(ctx)
	var a *address
	var changed []heldInterface
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if a, err = findAddress(tx, c, in.AllocationId, in.PublicIp); err != nil {
			return err
		}
		target, err := associationTarget(tx, c, in)
		if err != nil {
			return err
		}
		changed, err = s.rebind(tx, c, a, target, in.AllowReassociation)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.AssociateAddressOutput{AssociationId: aws.Ptr(a.AssociationID)}, s.pushAll(ctx, c, changed)
}

func (s *Service) pushAll(ctx context.Context, c aws.Call, changed []heldInterface) error {
	for _, h := range changed {
		if err := s.pushHeld(ctx, c, h); err != nil {
			return err
		}
	}
	return nil
}

// associationTarget finds the interface by its id, or by its instance's.
func associationTarget(tx *store.Tx, c aws.Call, in *api.AssociateAddressInput) (heldInterface, error) {
	id, nicID := aws.Val(in.InstanceId), aws.Val(in.NetworkInterfaceId)
	var h heldInterface
	var err error
	switch {
	case id == "" && nicID == "":
		return h, awserr.New("MissingParameter", "Either 'InstanceId' or 'NetworkInterfaceId' must be provided")
	case id != "":
		var r *instance
		if r, err = getInstance(tx, c, id); err != nil {
			return h, err
		}
		if r.State == statePending { // its interface may have one by then
			return h, notInState(r)
		}
		if h = primaryOf(r); nicID != "" && nicID != h.ID {
			err = awserr.New("InvalidParameterCombination", "The network interface '%s' is not attached to instance '%s'.", nicID, id)
		}
	default:
		if h, err = findInterface(tx, c, nicID); err == nil {
			err = h.mayManage(c)
		}
	}
	if err != nil {
		return h, err
	}
	if p := aws.Val(in.PrivateIpAddress); p != "" && p != h.Private.String() {
		return h, awserr.New("InvalidParameterValue", "Network interface '%s' does not have private IP address '%s'.", h.ID, p)
	}
	return h, nil
}

// holds says whether the address is bound to the interface.
func (a *address) holds(h heldInterface) bool {
	if h.machine != nil {
		return a.Instance == h.machine.ID
	}
	return a.Interface == h.ID
}

// bound says whether the address is bound at all.
func (a *address) bound() bool { return a.Instance != "" || a.Interface != "" }

// rebind moves a to target and returns the interfaces that change.
func (s *Service) rebind(tx *store.Tx, c aws.Call, a *address, target heldInterface, allowed *bool) (changed []heldInterface, err error) {
	if a.holds(target) {
		return nil, nil
	}
	var former *formerBinding
	if a.bound() {
		if holder, err := a.holder(tx, c); err == nil && holder.mayManage(c) != nil {
			return nil, holder.mayManage(c) // a NAT gateway's, a load balancer's
		}
		if sameMaker(a.BindToken, c.Token) {
			former = &formerBinding{a.AssociationID, a.Instance, a.Interface}
		}
		if allowed != nil && !*allowed {
			return nil, awserr.New("Resource.AlreadyAssociated", "resource %s is already associated with associate-id %s", a.AllocationID, a.AssociationID)
		}
		if changed, err = s.unbind(tx, c, a); err != nil {
			return nil, err
		}
	}
	a.Former, a.BindToken = former, c.Token
	return append(changed, target), bind(tx, c, a, target, ids.Resource("eipassoc"))
}

func notInState(r *instance) error {
	return awserr.New("InvalidInstanceID", "The %s instance '%s' is not in a valid state for this operation.", r.State, r.ID)
}

// bind gives a to an interface. An elastic address that it held before is set free; an
// automatic one is dropped.
func bind(tx *store.Tx, c aws.Call, a *address, h heldInterface, association string) error {
	if r := h.machine; r != nil && r.State != stateRunning && r.State != stateStopped && r.State != statePending {
		return notInState(r)
	}
	v, err := vpcs.Get(tx, key(c, h.VPC))
	if err != nil {
		return err
	}
	if v.InternetGateway == "" {
		return awserr.New("Gateway.NotAttached", "Network %s is not attached to any internet gateway", v.ID)
	}
	if err := releaseElastic(tx, key(c, ""), h.nic); err != nil {
		return err
	}
	a.AssociationID = association
	a.bindTo(h)
	h.Public, h.Allocation, h.Association = a.Public, a.AllocationID, a.AssociationID
	if err := addresses.Put(tx, key(c, a.AllocationID), a); err != nil {
		return err
	}
	return h.save(tx, c)
}

// bindTo notes who holds the address.
func (a *address) bindTo(h heldInterface) {
	if a.Instance, a.Interface = "", h.ID; h.machine != nil {
		a.Instance, a.Interface = h.machine.ID, ""
	}
}

// releaseElastic unbinds the elastic address that an interface holds, if any.
func releaseElastic(tx *store.Tx, k store.Key, of *nic) error {
	if of.Allocation == "" {
		return nil
	}
	ak := store.Key{Account: k.Account, Region: k.Region, ID: of.Allocation}
	a, err := addresses.Get(tx, ak)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	a.Instance, a.Interface, a.AssociationID = "", "", ""
	return addresses.Put(tx, ak, a)
}

// holder returns the interface that holds the address, or store.ErrNotFound.
func (a *address) holder(tx *store.Tx, c aws.Call) (heldInterface, error) {
	if a.Interface != "" {
		row, err := interfaces.Get(tx, key(c, a.Interface))
		if err != nil {
			return heldInterface{}, err
		}
		return heldRow(row), nil
	}
	r, err := instances.Get(tx, key(c, a.Instance))
	if err != nil {
		return heldInterface{}, err
	}
	return primaryOf(r), nil
}

// unbind takes a away from its interface and returns that. The primary one of an
// instance that runs gets an automatic address again if it had one by its launch.
func (s *Service) unbind(tx *store.Tx, c aws.Call, a *address) ([]heldInterface, error) {
	h, err := a.holder(tx, c)
	a.Instance, a.Interface, a.AssociationID, a.Former = "", "", "", nil
	if perr := addresses.Put(tx, key(c, a.AllocationID), a); perr != nil {
		return nil, perr
	}
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	h.Public, h.Allocation, h.Association = noAddr, "", ""
	state, err := h.instanceState(tx, c)
	if err != nil {
		return nil, err
	}
	if h.AutoPublic && (h.row != nil || state == stateRunning || state == statePending) {
		if h.Public, err = s.freePublic(tx); err != nil {
			return nil, err
		}
	}
	return []heldInterface{h}, h.save(tx, c)
}

// DisassociateAddress takes an elastic address from its interface.
func (s *Service) DisassociateAddress(ctx context.Context, in *api.DisassociateAddressInput) (*api.DisassociateAddressOutput, error) {
	c := aws.CallFrom(ctx)
	var changed []heldInterface
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		changed = nil
		a, err := findAssociation(tx, c, in)
		if err != nil || a == nil {
			return err
		}
		if a.bound() {
			if h, err := a.holder(tx, c); err == nil && h.mayManage(c) != nil {
				return h.mayManage(c)
			}
		}
		changed, err = s.dissociate(tx, c, a, aws.Val(in.AssociationId))
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.DisassociateAddressOutput{}, s.pushAll(ctx, c, changed)
}

// dissociate ends the association id and returns the interfaces that it changes. The
// one that it replaced comes back, if its interface is still there.
func (s *Service) dissociate(tx *store.Tx, c aws.Call, a *address, id string) ([]heldInterface, error) {
	former := a.Former
	if former != nil && former.AssociationID == id {
		a.Former = nil
		return nil, addresses.Put(tx, key(c, a.AllocationID), a)
	}
	changed, err := s.unbind(tx, c, a)
	if err != nil || former == nil {
		return changed, err
	}
	h, err := (&address{Instance: former.Instance, Interface: former.Interface}).holder(tx, c)
	if isNotFound(err) || err == nil && h.machine != nil && h.machine.State != stateRunning && h.machine.State != stateStopped {
		return changed, nil
	}
	if err != nil {
		return nil, err
	}
	return append(changed, h), bind(tx, c, a, h, former.AssociationID)
}

func findAssociation(tx *store.Tx, c aws.Call, in *api.DisassociateAddressInput) (*address, error) {
	id := aws.Val(in.AssociationId)
	if id == "" {
		a, err := findAddress(tx, c, nil, in.PublicIp)
		if err != nil || a.AssociationID == "" {
			return nil, err
		}
		return a, nil
	}
	rows, err := addresses.Lookup(tx, "association", id)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 || rows[0].Key.Account != c.Account || rows[0].Key.Region != c.Region {
		return nil, awserr.New("InvalidAssociationID.NotFound", "The association ID '%s' does not exist", id)
	}
	return rows[0].Value, nil
}
