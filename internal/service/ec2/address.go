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
	if g := in.NetworkBorderGroup; g != nil && *g != c.Region {
		return nil, invalidValue(*g, "networkBorderGroup")
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
		if g := in.NetworkBorderGroup; g != nil && *g != c.Region {
			return awserr.New("InvalidAddress.NotFound", "Address '%s' not found.", a.Public)
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

// DescribeAddresses lists elastic addresses.
func (s *Service) DescribeAddresses(ctx context.Context, in *api.DescribeAddressesInput) (*api.DescribeAddressesOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkFilters(in.Filters, "allocation-id", "association-id", "domain", "instance-id", "public-ip", "private-ip-address", "network-interface-id", "network-interface-owner-id", "network-border-group"); err != nil {
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
	f := fields{"allocation-id": {a.AllocationID}, "association-id": {a.AssociationID}, "domain": {"vpc"}, "instance-id": {""}, "public-ip": {a.Public.String()}, "network-border-group": {c.Region}}
	out := api.Address{
		AllocationId: aws.Ptr(a.AllocationID), PublicIp: aws.Ptr(a.Public.String()), Domain: "vpc",
		PublicIpv4Pool: aws.Ptr("amazon"), NetworkBorderGroup: aws.Ptr(c.Region), Tags: apiTags(a.Tags),
	}
	if !a.bound() {
		return out, f.withTags(a.Tags), nil
	}
	h, err := a.holder(tx, c)
	if err != nil {
		return out, f, fmt.Errorf("interface of %s: %w", a.AllocationID, err)
	}
	if id, _, _ := h.attachment(); id != "" {
		out.InstanceId = aws.Ptr(id)
		f.set(id, "instance-id")
	}
	out.AssociationId, out.NetworkInterfaceId, out.NetworkInterfaceOwnerId = aws.Ptr(a.AssociationID), aws.Ptr(h.ID), aws.Ptr(c.Account)
	out.PrivateIpAddress = aws.Ptr(h.Private.String())
	f.set(c.Account, "network-interface-owner-id")
	f.set(h.ID, "network-interface-id")
	f.set(h.Private.String(), "private-ip-address")
	return out, f.withTags(a.Tags), nil
}

// newAddressChecks is the permission to allocate an address, with its tags.
func newAddressChecks(ctx context.Context, specs []api.TagSpecification) []aws.Check {
	c := aws.CallFrom(ctx)
	checks := []aws.Check{{Resource: ec2ARN(c, "elastic-ip/*"), Context: requestTagContext(specs, "elastic-ip")}}
	return append(checks, createTagsChecks(c, "AllocateAddress", specs)...)
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
	checks := []aws.Check{{Resource: ec2ARN(c, "elastic-ip/"+a.AllocationID)}}
	if len(instanceIDs) == 0 {
		return checks, nil
	}
	return append(checks, instanceChecks(ctx, instanceIDs...)...), nil
}

// associateChecks judges the address, and the instance or the interface that gets it.
func (s *Service) associateChecks(ctx context.Context, in *api.AssociateAddressInput, find func(*store.Tx, aws.Call) (*address, error)) ([]aws.Check, error) {
	if in.NetworkInterfaceId == nil {
		return s.addressChecks(ctx, find, aws.Val(in.InstanceId))
	}
	checks, err := s.addressChecks(ctx, find)
	if err != nil {
		return nil, err
	}
	return append(checks, partChecks(ctx, *in.NetworkInterfaceId)...), nil
}
