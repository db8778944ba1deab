package ec2

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/network"
	"github.com/hardstand/hardstand/internal/store"
)

// syncNetwork gives the network the VPC and the rules of the groups that an interface
// is about to join, so that it never runs without them. k says whose it is.
func (s *Service) syncNetwork(ctx context.Context, k store.Key, of nic) error {
	if err := s.pushWholeVPC(ctx, store.Key{Account: k.Account, Region: k.Region, ID: of.VPC}, true); err != nil {
		return err
	}
	for _, id := range of.Groups {
		if err := s.pushGroup(ctx, k, id); err != nil {
			return err
		}
	}
	return nil
}

// pushVPC gives the network the gateway and the routes that a VPC has by now. The
// network knows no VPC in which no interface has been up.
func (s *Service) pushVPC(ctx context.Context, k store.Key) error {
	return s.pushWholeVPC(ctx, k, false)
}

// pushWholeVPC leaves a VPC without interfaces that are up alone, unless one is about
// to come.
func (s *Service) pushWholeVPC(ctx context.Context, k store.Key, coming bool) error {
	s.pushing.Lock()
	defer s.pushing.Unlock()
	var wire network.VPC
	wanted := coming
	err := s.db.View(ctx, func(tx *store.Tx) error {
		v, err := vpcs.Get(tx, k)
		if err == nil && !coming {
			wanted, err = isPopulated(tx, v)
		}
		if err == nil {
			wire, err = networkVPC(tx, callOf(k), v)
		}
		return err
	})
	if isNotFound(err) && !coming {
		return nil // deleted meanwhile
	}
	if err != nil {
		return fmt.Errorf("vpc %s: %w", k.ID, err)
	}
	if !wanted {
		return nil
	}
	if err := s.net.SetVPC(ctx, wire); err != nil {
		return fmt.Errorf("vpc %s: %w", k.ID, err)
	}
	return nil
}

func isPopulated(tx *store.Tx, v *vpc) (bool, error) {
	for _, sub := range v.Subnets {
		machines, err := instances.Lookup(tx, "subnet", sub.ID)
		if err != nil || len(machines) > 0 {
			return len(machines) > 0, err
		}
		others, err := interfaces.Lookup(tx, "subnet", sub.ID)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(others, func(r store.Row[networkInterface]) bool { return r.Value.Up || r.Value.Instance != "" }) {
			return true, nil
		}
	}
	return false, nil
}

// networkVPC translates gateway and routes for the network. c says whose the VPC is.
func networkVPC(tx *store.Tx, c aws.Call, v *vpc) (network.VPC, error) {
	w, err := v.ways(tx, c)
	return network.VPC{ID: v.ID, CIDR: v.CIDR, More: v.blocks()[1:], Gateway: v.InternetGateway != "", Nameless: v.NoDNS, Exits: v.exits(w), ACLs: networkACLs(v)}, err
}

// callOf is as much of a call as says whose a row is.
func callOf(k store.Key) aws.Call { return aws.Call{Account: k.Account, Region: k.Region} }

// followRoutes gives the network the routes of a VPC anew if any leads to an interface,
// as what that is attached to has changed.
func (s *Service) followRoutes(ctx context.Context, k store.Key, vpcID string) error {
	vk := store.Key{Account: k.Account, Region: k.Region, ID: vpcID}
	inside := false
	err := s.db.View(ctx, func(tx *store.Tx) error {
		v, err := vpcs.Get(tx, vk)
		inside = err == nil && v.leadsInside()
		return err
	})
	if isNotFound(err) || err == nil && !inside {
		return nil
	}
	if err != nil {
		return err
	}
	return s.pushVPC(ctx, vk)
}

// pushGroup gives the network the rules that a group has by now; a group that is
// gone is left to DeleteSecurityGroup. k says whose group it is.
func (s *Service) pushGroup(ctx context.Context, k store.Key, id string) error {
	s.pushing.Lock()
	defer s.pushing.Unlock()
	var g *securityGroup
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		g, err = securityGroups.Get(tx, store.Key{Account: k.Account, Region: k.Region, ID: id})
		return err
	})
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("security group %s: %w", id, err)
	}
	if err := s.net.SetGroup(ctx, g.VPC, networkGroup(g)); err != nil {
		return fmt.Errorf("security group %s: %w", id, err)
	}
	return nil
}

// pushInterface gives the network the address and the groups that the interface of
// a running machine has by now. One that does not run, or is rebooting, gets them when
// it boots.
func (s *Service) pushInterface(ctx context.Context, k store.Key) error {
	s.pushing.Lock()
	defer s.pushing.Unlock()
	r, err := s.load(ctx, k)
	if err != nil || r.State != stateRunning {
		return err
	}
	if err := s.bring(ctx, r.NIC); err != nil && !errors.Is(err, network.ErrNotAttached) {
		return fmt.Errorf("interface of %s: %w", r.ID, err)
	}
	return nil
}

// bring brings an interface that is attached to what its row says.
func (s *Service) bring(ctx context.Context, n nic) error {
	if err := s.net.SetPublic(ctx, n.ID, n.Public); err != nil {
		return fmt.Errorf("public address: %w", err)
	}
	if err := s.net.SetMembership(ctx, n.ID, n.Groups); err != nil {
		return fmt.Errorf("security groups: %w", err)
	}
	return s.net.SetForwarding(ctx, n.ID, n.Forwards)
}

// pushHeld gives the network what an interface has by now, if it is up.
func (s *Service) pushHeld(ctx context.Context, c aws.Call, h heldInterface) error {
	if h.machine != nil {
		return s.pushInterface(ctx, key(c, h.machine.ID))
	}
	s.pushing.Lock()
	defer s.pushing.Unlock()
	var row *networkInterface
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		row, err = interfaces.Get(tx, key(c, h.ID))
		return err
	})
	if err == nil {
		err = s.bring(ctx, row.NIC)
	}
	if isNotFound(err) || errors.Is(err, network.ErrNotAttached) {
		return nil // deleted meanwhile, or not up
	}
	return err
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
