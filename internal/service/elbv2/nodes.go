package elbv2

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	ec2api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// manage calls an operation of EC2 as the service, for a balancer.
func manage[O any](ctx context.Context, s *Service, k store.Key, operation string, in any) (*O, error) {
	return wire.Call[O](asService(ctx, k.Account, k.Region, balancerARN(k)), s.cfg.Invoker, "ec2", operation, in)
}

// equip gives every node its interface, the groups that it shall have and its public
// address. What is done is kept at once: an interface goes with its balancer, even when
// the next step fails.
func (s *Service) equip(ctx context.Context, k store.Key, b *balancer) error {
	steps := []struct {
		wanted func(n node) bool
		do     func(context.Context, store.Key, *balancer, node) (node, error)
	}{
		{func(n node) bool { return n.Interface == "" }, s.makeInterface},
		{func(n node) bool { return !slices.Equal(n.Groups, b.SecurityGroups) }, s.regroup},
		{func(n node) bool { return b.Scheme == facing && n.Public == "" }, s.publish},
	}
	for _, n := range b.Nodes {
		for _, step := range steps {
			if !step.wanted(n) {
				continue
			}
			var err error
			if n, err = step.do(ctx, k, b, n); err != nil {
				return err
			}
			if err := s.keepNode(ctx, k, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// keepNode writes down what a node has become. One that is wanted no more goes again.
func (s *Service) keepNode(ctx context.Context, k store.Key, n node) error {
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		b, err := balancers.Get(tx, k)
		if errors.Is(err, store.ErrNotFound) {
			return leave(tx, k, []node{n})
		}
		if err != nil {
			return err
		}
		i := slices.IndexFunc(b.Nodes, func(o node) bool { return o.Serial == n.Serial })
		if i < 0 {
			return leave(tx, k, []node{n})
		}
		b.Nodes[i] = n
		return balancers.Put(tx, k, b)
	})
}

// makeInterface makes the interface of a node. A repeated call finds what the first has
// made, since nothing in it changes: the security groups are set afterwards.
func (s *Service) makeInterface(ctx context.Context, k store.Key, _ *balancer, n node) (node, error) {
	in := &ec2api.CreateNetworkInterfaceInput{SubnetId: &n.Subnet, Description: aws.Ptr("ELB " + k.ID), PrivateIpAddress: given(n.Fixed), ClientToken: &n.Serial}
	out, err := manage[ec2api.CreateNetworkInterfaceOutput](ctx, s, k, "CreateNetworkInterface", in)
	if err != nil {
		return n, err
	}
	n.Interface, n.Private = aws.Val(out.NetworkInterface.NetworkInterfaceId), aws.Val(out.NetworkInterface.PrivateIpAddress)
	return n, nil
}

// publish gives a node the address that it has in the Internet.
func (s *Service) publish(ctx context.Context, k store.Key, _ *balancer, n node) (_ node, err error) {
	if n.Allocation != "" {
		_, err = manage[ec2api.AssociateAddressOutput](ctx, s, k, "AssociateAddress", &ec2api.AssociateAddressInput{AllocationId: &n.Allocation, NetworkInterfaceId: &n.Interface,
			AllowReassociation: aws.Ptr(true)})
	} else {
		_, err = manage[ec2api.ModifyNetworkInterfaceAttributeOutput](ctx, s, k, "ModifyNetworkInterfaceAttribute",
			&ec2api.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: &n.Interface, AssociatePublicIpAddress: aws.Ptr(true)})
	}
	if err != nil {
		return n, err
	}
	n.Public, err = s.publicAddress(ctx, k, n)
	return n, err
}

func (s *Service) publicAddress(ctx context.Context, k store.Key, n node) (string, error) {
	out, err := manage[ec2api.DescribeNetworkInterfacesOutput](ctx, s, k, "DescribeNetworkInterfaces",
		&ec2api.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{n.Interface}})
	if err != nil || len(out.NetworkInterfaces) == 0 || out.NetworkInterfaces[0].Association == nil {
		return "", err
	}
	return aws.Val(out.NetworkInterfaces[0].Association.PublicIp), nil
}

func (s *Service) regroup(ctx context.Context, k store.Key, b *balancer, n node) (node, error) {
	_, err := manage[ec2api.ModifyNetworkInterfaceAttributeOutput](ctx, s, k, "ModifyNetworkInterfaceAttribute",
		&ec2api.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: &n.Interface, Groups: b.SecurityGroups})
	n.Groups = b.SecurityGroups
	return n, err
}

// left lists the interfaces that a balancer has left behind.
func (s *Service) left(ctx context.Context, k store.Key) (left []store.Key, err error) {
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := leavings.List(tx, store.Scope{Account: k.Account, Region: k.Region}, "", 0)
		for _, r := range rows {
			if r.Value.Balancer == k.ID {
				left = append(left, r.Key)
			}
		}
		return err
	})
	return left, err
}

// clearAway deletes interfaces that a balancer has left behind.
func (s *Service) clearAway(ctx context.Context, k store.Key, left []store.Key) error {
	for _, l := range left {
		_, err := manage[ec2api.DeleteNetworkInterfaceOutput](ctx, s, k, "DeleteNetworkInterface", &ec2api.DeleteNetworkInterfaceInput{NetworkInterfaceId: &l.ID})
		if e := awserr.As(err); err != nil && (e == nil || !strings.HasSuffix(e.Code, "NotFound")) {
			return err
		}
		err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
			tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: signer, Resource: balancerARN(k), Kind: "interface", Cause: "deleted " + l.ID})
			return leavings.Delete(tx, l)
		})
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}
