package ec2

import (
	"context"
	"fmt"
	"slices"

	hsinstance "github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/store"
)

// Spec is what the manager needs to boot an instance as it is by now.
func (s *Service) Spec(ctx context.Context, id string) (hsinstance.Spec, error) {
	k, err := s.keyOf(ctx, id)
	if err != nil {
		return hsinstance.Spec{}, err
	}
	r, err := s.load(ctx, k)
	if err != nil {
		return hsinstance.Spec{}, err
	}
	return s.spec(ctx, k, r)
}

// spec is what the manager needs to boot the instance.
func (s *Service) spec(ctx context.Context, k store.Key, r *instance) (hsinstance.Spec, error) {
	var v *vpc
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		v, err = vpcs.Get(tx, store.Key{Account: k.Account, Region: k.Region, ID: r.NIC.VPC})
		return err
	})
	if err != nil {
		return hsinstance.Spec{}, fmt.Errorf("vpc of %s: %w", k.ID, err)
	}
	sub := v.subnet(r.NIC.Subnet)
	if sub == nil {
		return hsinstance.Spec{}, fmt.Errorf("subnet %s of %s is gone", r.NIC.Subnet, k.ID)
	}
	kind, ok := findType(r.Type)
	if !ok {
		return hsinstance.Spec{}, fmt.Errorf("instance type %s is not known any more", r.Type)
	}
	userData, err := s.userData(r)
	if err != nil {
		return hsinstance.Spec{}, err
	}
	spec := hsinstance.Spec{
		ID: k.ID, Account: k.Account, Region: k.Region, Zone: r.Zone, Type: r.Type, ImageID: r.ImageID,
		Hostname: privateDNS(k.Region, r.NIC.Private),
		VCPUs:    int(kind.VCPUs), MemoryMiB: int(kind.MemoryMiB),
		UserData: userData, FirstBoot: !r.Booted,
		NIC: networkNIC(r.NIC, v, sub),
	}
	if r.AuthorizedKey != "" {
		spec.AuthorizedKeys = []string{r.AuthorizedKey}
	}
	others, err := s.devices(ctx, k)
	if err != nil {
		return spec, err
	}
	for _, o := range others {
		wire, err := s.wiring(ctx, o.Key)
		if err != nil {
			return spec, err
		}
		spec.Others = append(spec.Others, wire)
	}
	return spec, nil
}

// devices lists the interfaces that an instance has beside its primary one.
func (s *Service) devices(ctx context.Context, k store.Key) ([]store.Row[networkInterface], error) {
	var rows []store.Row[networkInterface]
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		rows, err = interfaces.Lookup(tx, "instance", k.ID)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("interfaces of %s: %w", k.ID, err)
	}
	slices.SortFunc(rows, func(a, b store.Row[networkInterface]) int { return int(a.Value.Device - b.Value.Device) })
	return rows, nil
}
