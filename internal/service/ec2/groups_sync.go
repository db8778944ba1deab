package ec2

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/hardstand/hardstand/internal/network"
	"github.com/hardstand/hardstand/internal/store"
)

// syncNetwork gives the network the VPC and the rules of the groups that a machine
// is about to join, so that it never runs without them.
func (s *Service) syncNetwork(ctx context.Context, k store.Key, r *instance) error {
	var v *vpc
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		v, err = vpcs.Get(tx, store.Key{Account: k.Account, Region: k.Region, ID: r.NIC.VPC})
		return err
	})
	if err != nil {
		return fmt.Errorf("vpc %s: %w", r.NIC.VPC, err)
	}
	if err := s.net.SetVPC(ctx, network.VPC{ID: v.ID, CIDR: v.CIDR, Gateway: v.InternetGateway != ""}); err != nil {
		return fmt.Errorf("vpc %s: %w", v.ID, err)
	}
	return s.syncGroups(ctx, k, r.NIC.Groups)
}

// syncGroups gives the network the rules of groups as they stand.
func (s *Service) syncGroups(ctx context.Context, k store.Key, groups []string) error {
	for _, id := range groups {
		var g *securityGroup
		err := s.db.View(ctx, func(tx *store.Tx) (err error) {
			g, err = securityGroups.Get(tx, store.Key{Account: k.Account, Region: k.Region, ID: id})
			return err
		})
		if err != nil {
			return fmt.Errorf("security group %s: %w", id, err)
		}
		if err := s.net.SetGroup(ctx, g.VPC, networkGroup(g)); err != nil {
			return fmt.Errorf("security group %s: %w", id, err)
		}
	}
	return nil
}

// networkGroup translates a group's rules for the packet filter.
func networkGroup(g *securityGroup) network.Group {
	out := network.Group{ID: g.ID}
	for _, r := range g.Rules {
		n := network.Rule{Protocol: r.Protocol, From: int(r.From), To: int(r.To), Group: r.Group}
		if r.CIDR != "" {
			n.CIDR = netip.MustParsePrefix(r.CIDR)
		}
		if r.Egress {
			out.Egress = append(out.Egress, n)
		} else {
			out.Ingress = append(out.Ingress, n)
		}
	}
	return out
}
