package ec2

import (
	"context"
	"fmt"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// AllocateAddress reserves an elastic address.
func (s *Service) AllocateAddress(ctx context.Context, in *api.AllocateAddressInput) (*api.AllocateAddressOutput, error) {
	c := aws.CallFrom(ctx)
	if in.Address != nil || in.PublicIpv4Pool != nil || in.CustomerOwnedIpv4Pool != nil || in.IpamPoolId != nil {
		return nil, unsupported("Address, PublicIpv4Pool, CustomerOwnedIpv4Pool or IpamPoolId")
	}
	if in.Domain == "standard" {
		return nil, awserr.New("InvalidParameterCombination", "The domain 'standard' belonged to EC2-Classic, which is retired.")
	}
	if err := reservedSpecs(c, in.TagSpecifications); err != nil {
		return nil, err
	}
	tags, err := tagSpec(in.TagSpecifications, "elastic-ip")
	if err != nil {
		return nil, err
	}
	a := &address{AllocationID: ids.Resource("eipalloc"), Tags: tags, Token: c.Token}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		made, err := addressByToken(tx, c)
		if made != nil || err != nil {
			a = made
			return err
		}
		if a.Public, err = s.freePublic(tx); err != nil {
			return err
		}
		return addresses.Insert(tx, key(c, a.AllocationID), a)
	})
	if err != nil {
		return nil, err
	}
	return &api.AllocateAddressOutput{
		AllocationId: aws.Ptr(a.AllocationID), PublicIp: aws.Ptr(a.Public.String()), Domain: "vpc",
		PublicIpv4Pool: aws.Ptr("amazon"), NetworkBorderGroup: aws.Ptr(c.Region),
	}, nil
}

func addressByToken(tx *store.Tx, c aws.Call) (*address, error) {
	if c.Token == "" {
		return nil, nil
	}
	rows, err := addresses.Lookup(tx, "token", scoped(key(c, ""), c.Token))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0].Value, nil
}

func findAddress(tx *store.Tx, c aws.Call, allocation, public *string) (*address, error) {
	if id := aws.Val(allocation); id != "" {
		a, err := addresses.Get(tx, key(c, id))
		if isNotFound(err) {
			return nil, notFound("InvalidAllocationID", "allocation ID", id)
		}
		return a, err
	}
	ip := aws.Val(public)
	if ip == "" {
		return nil, missing("AllocationId")
	}
	rows, err := addresses.Lookup(tx, "public", ip)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if r.Key.Account == c.Account && r.Key.Region == c.Region {
			return r.Value, nil
		}
	}
	return nil, awserr.New("InvalidAddress.NotFound", "Address '%s' not found.", ip)
}

// ReleaseAddress gives an elastic address back.
func (s *Service) ReleaseAddress(ctx context.Context, in *api.ReleaseAddressInput) (*api.ReleaseAddressOutput, error) {
	c := aws.CallFrom(ctx)
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		a, err := findAddress(tx, c, in.AllocationId, in.PublicIp)
		if err != nil {
			return err
		}
		if a.AssociationID != "" {
			return awserr.New("InvalidIPAddress.InUse", "Address %s is in use.", a.Public)
		}
		return addresses.Delete(tx, key(c, a.AllocationID))
	})
	if err != nil {
		return nil, err
	}
	return &api.ReleaseAddressOutput{}, nil
}

// AssociateAddress moves an elastic address to an instance, at once if it runs.
func (s *Service) AssociateAddress(ctx context.Context, in *api.AssociateAddressInput) (*api.AssociateAddressOutput, error) {
	c := aws.CallFrom(ctx)
	if in.NetworkInterfaceId != nil || in.PrivateIpAddress != nil {
		return nil, unsupported("NetworkInterfaceId and PrivateIpAddress")
	}
	var a *address
	var target, before *instance
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		before = nil
		if a, err = findAddress(tx, c, in.AllocationId, in.PublicIp); err != nil {
			return err
		}
		if target, err = getInstance(tx, c, aws.Val(in.InstanceId)); err != nil {
			return err
		}
		if a.Instance == target.ID {
			return nil
		}
		if a.Instance != "" {
			if in.AllowReassociation != nil && !*in.AllowReassociation {
				return awserr.New("Resource.AlreadyAssociated", "resource %s is already associated with associate-id %s", a.AllocationID, a.AssociationID)
			}
			if before, err = s.unbind(tx, c, a); err != nil {
				return err
			}
		}
		return bind(tx, c, a, target)
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

// bind gives a to r. An elastic address that r held before is set free; an
// automatic one is dropped.
func bind(tx *store.Tx, c aws.Call, a *address, r *instance) error {
	if r.State != stateRunning && r.State != stateStopped {
		return awserr.New("InvalidInstanceID", "The %s instance '%s' is not in a valid state for this operation.", r.State, r.ID)
	}
	if err := releaseElastic(tx, key(c, r.ID), r); err != nil {
		return err
	}
	a.Instance, a.AssociationID = r.ID, ids.Resource("eipassoc")
	r.NIC.Public, r.NIC.Allocation = a.Public, a.AllocationID
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
	a.Instance, a.AssociationID = "", ""
	if perr := addresses.Put(tx, key(c, a.AllocationID), a); perr != nil {
		return nil, perr
	}
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r.NIC.Public, r.NIC.Allocation = noAddr, ""
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
	var before *instance
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		a, err := findAssociation(tx, c, in)
		if err != nil || a == nil {
			return err
		}
		before, err = s.unbind(tx, c, a)
		return err
	})
	if err != nil || before == nil {
		return &api.DisassociateAddressOutput{}, err
	}
	return &api.DisassociateAddressOutput{}, s.pushInterface(ctx, key(c, before.ID))
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

// DescribeAddresses lists elastic addresses.
func (s *Service) DescribeAddresses(ctx context.Context, in *api.DescribeAddressesInput) (*api.DescribeAddressesOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkFilters(in.Filters, "allocation-id", "association-id", "domain", "instance-id", "public-ip", "private-ip-address", "network-interface-id"); err != nil {
		return nil, err
	}
	out := &api.DescribeAddressesOutput{Addresses: []api.Address{}}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := addresses.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
		if err != nil {
			return fmt.Errorf("list addresses: %w", err)
		}
		for _, id := range in.AllocationIds {
			if _, err := findAddress(tx, c, &id, nil); err != nil {
				return err
			}
		}
		for _, ip := range in.PublicIps {
			if _, err := findAddress(tx, c, nil, &ip); err != nil {
				return err
			}
		}
		for _, r := range rows {
			if !wanted(in, r.Value) {
				continue
			}
			a, f, err := viewAddress(tx, c, r.Value)
			if err != nil {
				return err
			}
			if f.matches(in.Filters) {
				out.Addresses = append(out.Addresses, a)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func wanted(in *api.DescribeAddressesInput, a *address) bool {
	if len(in.AllocationIds)+len(in.PublicIps) == 0 {
		return true
	}
	return slices.Contains(in.AllocationIds, a.AllocationID) || slices.Contains(in.PublicIps, a.Public.String())
}

func viewAddress(tx *store.Tx, c aws.Call, a *address) (api.Address, fields, error) {
	f := fields{"allocation-id": {a.AllocationID}, "association-id": {a.AssociationID}, "domain": {"vpc"}, "instance-id": {a.Instance}, "public-ip": {a.Public.String()}}
	out := api.Address{
		AllocationId: aws.Ptr(a.AllocationID), PublicIp: aws.Ptr(a.Public.String()), Domain: "vpc",
		PublicIpv4Pool: aws.Ptr("amazon"), NetworkBorderGroup: aws.Ptr(c.Region), Tags: apiTags(a.Tags),
	}
	if a.Instance != "" {
		r, err := instances.Get(tx, key(c, a.Instance))
		if err != nil {
			return out, f, fmt.Errorf("instance of %s: %w", a.AllocationID, err)
		}
		out.InstanceId, out.AssociationId = aws.Ptr(r.ID), aws.Ptr(a.AssociationID)
		out.NetworkInterfaceId, out.NetworkInterfaceOwnerId = aws.Ptr(r.NIC.ID), aws.Ptr(c.Account)
		out.PrivateIpAddress = aws.Ptr(r.NIC.Private.String())
		f["network-interface-id"], f["private-ip-address"] = []string{r.NIC.ID}, []string{r.NIC.Private.String()}
	}
	return out, f.withTags(a.Tags), nil
}

// addressChecks asks for the operation's action on the address that find finds, or
// on any when it finds none, and on the instances given.
func (s *Service) addressChecks(ctx context.Context, find func(*store.Tx, aws.Call) (*address, error), instanceIDs ...string) ([]aws.Check, error) {
	c := aws.CallFrom(ctx)
	a := &address{AllocationID: "*"}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		found, err := find(tx, c)
		if err == nil && found != nil {
			a = found
		}
		if awserr.As(err) != nil {
			return nil // the operation reports it, to those who may call it
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	checks := []aws.Check{{Resource: ec2ARN(c, "elastic-ip/"+a.AllocationID), Context: resourceTagContext(c, a.Tags)}}
	if len(instanceIDs) == 0 {
		return checks, nil
	}
	more, err := s.instanceChecks(ctx, instanceIDs...)
	return append(checks, more...), err
}
