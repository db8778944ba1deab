package elb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// settle brings a balancer in line with its row. What fails is tried again by Run: the
// row is true, and the operation that changed it has succeeded.
func (s *Service) settle(ctx context.Context, k store.Key) {
	if err := s.trySettle(context.WithoutCancel(ctx), k); err != nil {
		s.cfg.Log.WarnContext(ctx, "a load balancer does not run as it should; this is tried again", "balancer", k.ID, "error", err)
		s.wait(k)
	}
}

// trySettle makes the interfaces that are missing, applies the row to the plane and
// deletes the interfaces that are left.
func (s *Service) trySettle(ctx context.Context, k store.Key) error {
	s.settling.Lock()
	defer s.settling.Unlock()
	left, err := s.leavingOf(ctx, k)
	if err != nil {
		return err
	}
	// The plane lets go of what leaves before it is deleted, and that is deleted before
	// its subnet gets another.
	if len(left) > 0 {
		if err := s.apply(ctx, k); err != nil {
			return err
		}
		if err := s.deleteInterfaces(ctx, k, left); err != nil {
			return err
		}
	}
	made, err := s.makeInterfaces(ctx, k)
	if err != nil || !made {
		return err
	}
	return s.apply(ctx, k)
}

// apply hands the row to the plane, or its absence.
func (s *Service) apply(ctx context.Context, k store.Key) error {
	if s.cfg.Plane == nil {
		return nil
	}
	b, err := s.row(ctx, k)
	if err != nil {
		return err
	}
	if b == nil {
		return s.cfg.Plane.Remove(ctx, arnOf(k))
	}
	spec, err := s.spec(ctx, k, b)
	return errors.Join(err, s.cfg.Plane.Apply(ctx, spec))
}

// row returns a balancer, or nil when there is none.
func (s *Service) row(ctx context.Context, k store.Key) (*balancer, error) {
	var b *balancer
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		b, err = balancers.Get(tx, k)
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return err
	})
	return b, err
}

// leavingOf lists the interfaces of a balancer that are to be deleted.
func (s *Service) leavingOf(ctx context.Context, k store.Key) (ids []string, err error) {
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := leavings.List(tx, store.Scope{Account: k.Account, Region: k.Region}, "", 0)
		for _, r := range rows {
			if r.Value.Balancer == k.ID {
				ids = append(ids, r.Key.ID)
			}
		}
		return err
	})
	return ids, err
}

func (s *Service) deleteInterfaces(ctx context.Context, k store.Key, ids []string) error {
	for _, id := range ids {
		_, err := wire.Call[ec2.DeleteNetworkInterfaceOutput](asService(ctx, k), s.cfg.Invoker, "ec2", "DeleteNetworkInterface",
			&ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: aws.Ptr(id)})
		if err != nil && !awserr.Is(err, "InvalidNetworkInterfaceID.NotFound") {
			return fmt.Errorf("delete %s: %w", id, err)
		}
		err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
			tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: "elasticloadbalancing", Resource: k.ID, Kind: "interface", Cause: id + " deleted"})
			return leavings.Delete(tx, store.Key{Account: k.Account, Region: k.Region, ID: id})
		})
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}

// makeInterfaces gives each node its interface, with the balancer's security groups;
// exists is false for a balancer that is gone.
func (s *Service) makeInterfaces(ctx context.Context, k store.Key) (exists bool, err error) {
	b, err := s.row(ctx, k)
	if err != nil || b == nil {
		return false, err
	}
	for _, n := range b.Nodes {
		switch {
		case n.Interface == "":
			if n, err = s.makeInterface(ctx, k, b, n); err != nil {
				return true, fmt.Errorf("make the interface in %s: %w", n.Subnet, err)
			}
		case !slices.Equal(n.Groups, b.SecurityGroups):
			if err := s.modifyInterface(ctx, k, &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: aws.Ptr(n.Interface), Groups: b.SecurityGroups}); err != nil {
				return true, err
			}
			n.Groups = b.SecurityGroups
		default:
			continue
		}
		if err := s.saveNode(ctx, k, n); err != nil {
			return true, err
		}
	}
	return true, nil
}

func (s *Service) modifyInterface(ctx context.Context, k store.Key, in *ec2.ModifyNetworkInterfaceAttributeInput) error {
	_, err := wire.Call[ec2.ModifyNetworkInterfaceAttributeOutput](asService(ctx, k), s.cfg.Invoker, "ec2", "ModifyNetworkInterfaceAttribute", in)
	return err
}

// makeInterface makes the interface of a node; a repeated call finds what the first has
// made, since nothing in it changes: the security groups are set afterwards.
func (s *Service) makeInterface(ctx context.Context, k store.Key, b *balancer, n node) (node, error) {
	out, err := wire.Call[ec2.CreateNetworkInterfaceOutput](asService(ctx, k), s.cfg.Invoker, "ec2", "CreateNetworkInterface", &ec2.CreateNetworkInterfaceInput{
		SubnetId: aws.Ptr(n.Subnet), Description: aws.Ptr("ELB " + k.ID), ClientToken: aws.Ptr(b.DNS + " " + n.Subnet)})
	if err != nil {
		return n, err
	}
	n.Interface, n.Private = aws.Val(out.NetworkInterface.NetworkInterfaceId), aws.Val(out.NetworkInterface.PrivateIpAddress)
	if err := s.modifyInterface(ctx, k, &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: aws.Ptr(n.Interface), Groups: b.SecurityGroups}); err != nil {
		return n, err
	}
	n.Groups = b.SecurityGroups
	if b.Scheme != internetFacing {
		return n, nil
	}
	if err := s.modifyInterface(ctx, k, &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: aws.Ptr(n.Interface), AssociatePublicIpAddress: aws.Ptr(true)}); err != nil {
		return n, err
	}
	n.Public, err = s.publicOf(ctx, k, n.Interface)
	return n, err
}

// publicOf asks EC2 for the public address of an interface. Bringing it up may have
// changed the address, where something else on the machine has the first.
func (s *Service) publicOf(ctx context.Context, k store.Key, id string) (string, error) {
	out, err := wire.Call[ec2.DescribeNetworkInterfacesOutput](asService(ctx, k), s.cfg.Invoker, "ec2", "DescribeNetworkInterfaces",
		&ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{id}})
	if err != nil || len(out.NetworkInterfaces) == 0 || out.NetworkInterfaces[0].Association == nil {
		return "", err
	}
	return aws.Val(out.NetworkInterfaces[0].Association.PublicIp), nil
}

// saveNode writes what a node has got, if the balancer still has it.
func (s *Service) saveNode(ctx context.Context, k store.Key, n node) error {
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		b, err := balancers.Get(tx, k)
		if err == nil {
			if i := slices.IndexFunc(b.Nodes, func(o node) bool { return o.Subnet == n.Subnet }); i >= 0 {
				b.Nodes[i] = n
				emit(ctx, tx, k, "interface", n.Interface+" made")
				return balancers.Put(tx, k, b)
			}
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return leavings.Put(tx, store.Key{Account: k.Account, Region: k.Region, ID: n.Interface}, &leaving{Balancer: k.ID})
	})
}
