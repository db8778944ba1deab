package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// AssociateAddress moves an elastic address to an instance, at once if it runs.
func (s *Service) AssociateAddress(ctx context.Context, in *api.AssociateAddressInput) (*api.AssociateAddressOutput, error) {
	c := aws.CallFrom(ctx)
	var a *address
	var target, before *instance
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if a, err = findAddress(tx, c, in.AllocationId, in.PublicIp); err != nil {
			return err
		}
		if target, err = associationTarget(tx, c, in); err != nil {
			return err
		}
		before, err = s.rebind(tx, c, a, target, in.AllowReassociation)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, r := range []*instance{before, target} {
		if r == nil {
			continue
		}
		if err := s.pushInterface(ctx, key(c, r.ID)); err != nil {
			return nil, err
		}
	}
	return &api.AssociateAddressOutput{AssociationId: aws.Ptr(a.AssociationID)}, nil
}

// associationTarget finds the instance by its id or by its network interface.
func associationTarget(tx *store.Tx, c aws.Call, in *api.AssociateAddressInput) (*instance, error) {
	id, nicID := aws.Val(in.InstanceId), aws.Val(in.NetworkInterfaceId)
	var r *instance
	var err error
	switch {
	case id == "" && nicID == "":
		return nil, awserr.New("MissingParameter", "Either 'InstanceId' or 'NetworkInterfaceId' must be provided")
	case id != "":
		if r, err = getInstance(tx, c, id); err == nil && nicID != "" && nicID != r.NIC.ID {
			err = awserr.New("InvalidParameterCombination", "The network interface '%s' is not attached to instance '%s'.", nicID, id)
		}
	default:
		r, err = instanceByInterface(tx, c, nicID)
	}
	if err != nil {
		return nil, err
	}
	if p := aws.Val(in.PrivateIpAddress); p != "" && p != r.NIC.Private.String() {
		return nil, awserr.New("InvalidParameterValue", "Network interface '%s' does not have private IP address '%s'.", r.NIC.ID, p)
	}
	return r, nil
}

func instanceByInterface(tx *store.Tx, c aws.Call, nicID string) (*instance, error) {
	rows, err := instances.Lookup(tx, "interface", nicID)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 || rows[0].Key.Account != c.Account || rows[0].Key.Region != c.Region {
		return nil, notFound("InvalidNetworkInterfaceID", "networkInterface ID", nicID)
	}
	return rows[0].Value, nil
}

// rebind moves a to target and returns the instance that has lost it, if any.
func (s *Service) rebind(tx *store.Tx, c aws.Call, a *address, target *instance, allowed *bool) (before *instance, err error) {
	if a.Instance == target.ID {
		return nil, nil
	}
	var former *formerBinding
	if a.Instance != "" {
		if sameMaker(a.BindToken, c.Token) {
			former = &formerBinding{a.AssociationID, a.Instance}
		}
		if allowed != nil && !*allowed {
			return nil, awserr.New("Resource.AlreadyAssociated", "resource %s is already associated with associate-id %s", a.AllocationID, a.AssociationID)
		}
		if before, err = s.unbind(tx, c, a); err != nil {
			return nil, err
		}
	}
	a.Former, a.BindToken = former, c.Token
	return before, bind(tx, c, a, target, ids.Resource("eipassoc"))
}

// bind gives a to r. An elastic address that r held before is set free; an
// automatic one is dropped.
func bind(tx *store.Tx, c aws.Call, a *address, r *instance, association string) error {
	if r.State != stateRunning && r.State != stateStopped {
		return awserr.New("InvalidInstanceID", "The %s instance '%s' is not in a valid state for this operation.", r.State, r.ID)
	}
	v, err := vpcs.Get(tx, key(c, r.NIC.VPC))
	if err != nil {
		return err
	}
	if v.InternetGateway == "" {
		return awserr.New("Gateway.NotAttached", "Network %s is not attached to any internet gateway", v.ID)
	}
	if err := releaseElastic(tx, key(c, r.ID), r); err != nil {
		return err
	}
	a.Instance, a.AssociationID = r.ID, association
	r.NIC.Public, r.NIC.Allocation, r.NIC.Association = a.Public, a.AllocationID, a.AssociationID
	if err := addresses.Put(tx, key(c, a.AllocationID), a); err != nil {
		return err
	}
	return instances.Put(tx, key(c, r.ID), r)
}

// releaseElastic unbinds the elastic address that r holds, if any.
func releaseElastic(tx *store.Tx, k store.Key, r *instance) error {
	if r.NIC.Allocation == "" {
		return nil
	}
	ak := store.Key{Account: k.Account, Region: k.Region, ID: r.NIC.Allocation}
	a, err := addresses.Get(tx, ak)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	a.Instance, a.AssociationID = "", ""
	return addresses.Put(tx, ak, a)
}

// unbind takes a away from its instance, which gets an automatic address again
// when it runs and had one by its launch.
func (s *Service) unbind(tx *store.Tx, c aws.Call, a *address) (*instance, error) {
	r, err := instances.Get(tx, key(c, a.Instance))
	a.Instance, a.AssociationID, a.Former = "", "", nil
	if perr := addresses.Put(tx, key(c, a.AllocationID), a); perr != nil {
		return nil, perr
	}
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r.NIC.Public, r.NIC.Allocation, r.NIC.Association = noAddr, "", ""
	if r.NIC.AutoPublic && (r.State == stateRunning || r.State == statePending) {
		if r.NIC.Public, err = s.freePublic(tx); err != nil {
			return nil, err
		}
	}
	return r, instances.Put(tx, key(c, r.ID), r)
}

// DisassociateAddress takes an elastic address from its instance.
func (s *Service) DisassociateAddress(ctx context.Context, in *api.DisassociateAddressInput) (*api.DisassociateAddressOutput, error) {
	c := aws.CallFrom(ctx)
	var changed []*instance
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		a, err := findAssociation(tx, c, in)
		if err != nil || a == nil {
			return err
		}
		changed, err = s.dissociate(tx, c, a, aws.Val(in.AssociationId))
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, r := range changed {
		if err := s.pushInterface(ctx, key(c, r.ID)); err != nil {
			return nil, err
		}
	}
	return &api.DisassociateAddressOutput{}, nil
}

// dissociate ends the association id and returns the instances that it changes. The
// one that it replaced comes back, if its instance is still there.
func (s *Service) dissociate(tx *store.Tx, c aws.Call, a *address, id string) ([]*instance, error) {
	former := a.Former
	if former != nil && former.AssociationID == id {
		a.Former = nil
		return nil, addresses.Put(tx, key(c, a.AllocationID), a)
	}
	var changed []*instance
	before, err := s.unbind(tx, c, a)
	if before != nil {
		changed = append(changed, before)
	}
	if err != nil || former == nil {
		return changed, err
	}
	r, err := instances.Get(tx, key(c, former.Instance))
	if isNotFound(err) || err == nil && r.State != stateRunning && r.State != stateStopped {
		return changed, nil
	}
	if err != nil {
		return nil, err
	}
	return append(changed, r), bind(tx, c, a, r, former.AssociationID)
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
