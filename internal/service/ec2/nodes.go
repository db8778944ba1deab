package ec2

import (
	"context"
	"errors"
	"fmt"

	"github.com/hardstand/hardstand/internal/network"
	"github.com/hardstand/hardstand/internal/store"
)

// ErrNoDataPlane is the error of Up where instances are records only.
var ErrNoDataPlane = errors.New("with the fake driver there is no network that could carry anything")

// Up brings an interface that a service manages up as a node, with its groups and its
// public address; changes of these follow by themselves. One that is up is returned. A
// server that starts anew has none up.
func (s *Service) Up(ctx context.Context, id string) (*network.Node, error) {
	if s.fake {
		return nil, ErrNoDataPlane
	}
	k, err := s.interfaceKey(ctx, id)
	if err != nil {
		return nil, err
	}
	row, err := s.markUp(ctx, k, true)
	if err != nil {
		return nil, err
	}
	if err := s.syncNetwork(ctx, k, row.NIC); err != nil {
		return nil, err
	}
	node, err := s.attachNode(ctx, k)
	for range maxReaddress {
		if !errors.Is(err, network.ErrAddressInUse) {
			break
		}
		if moved, moveErr := s.moveNode(ctx, k); moveErr != nil || !moved {
			return nil, errors.Join(err, moveErr)
		}
		node, err = s.attachNode(ctx, k)
	}
	return node, err
}

func (s *Service) attachNode(ctx context.Context, k store.Key) (*network.Node, error) {
	s.pushing.Lock()
	defer s.pushing.Unlock()
	wire, err := s.wiring(ctx, k)
	if err != nil {
		return nil, err
	}
	node, err := s.net.AttachNode(ctx, wire)
	if err != nil {
		return nil, fmt.Errorf("bring up %s: %w", k.ID, err)
	}
	return node, nil
}

// moveNode gives an interface another public address when somebody else on this
// machine uses the one it has. An elastic one is not moved.
func (s *Service) moveNode(ctx context.Context, k store.Key) (moved bool, err error) {
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		row, err := interfaces.Get(tx, k)
		if moved = err == nil && row.NIC.Allocation == ""; !moved {
			return err
		}
		s.foreign.Store(row.NIC.Public, true)
		if row.NIC.Public, err = s.freePublic(tx); err != nil {
			return err
		}
		return interfaces.Put(tx, k, row)
	})
	return moved, err
}

// Down ends the node of an interface; the interface stays. One that is not up, or is
// gone, is no error.
func (s *Service) Down(ctx context.Context, id string) error {
	s.pushing.Lock()
	defer s.pushing.Unlock()
	k, err := s.interfaceKey(ctx, id)
	if err == nil {
		_, err = s.markUp(ctx, k, false)
	}
	if err != nil && !isNotFound(err) {
		return err
	}
	return s.net.DetachNode(ctx, id)
}

// interfaceKey finds the row of an interface by its id alone.
func (s *Service) interfaceKey(ctx context.Context, id string) (store.Key, error) {
	var k store.Key
	err := s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := interfaces.Lookup(tx, "id", id)
		if err == nil && len(rows) == 0 {
			err = fmt.Errorf("network interface %s: %w", id, store.ErrNotFound)
		}
		if err != nil {
			return err
		}
		k = rows[0].Key
		return nil
	})
	return k, err
}

// markUp writes whether the interface is to have a node: as long as one has, its VPC
// is kept in step with the rows.
func (s *Service) markUp(ctx context.Context, k store.Key, up bool) (*networkInterface, error) {
	var row *networkInterface
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if row, err = interfaces.Get(tx, k); err != nil || row.Up == up {
			return err
		}
		if up && row.Requester == "" {
			return fmt.Errorf("network interface %s is managed by no service", k.ID)
		}
		row.Up = up
		return interfaces.Put(tx, k, row)
	})
	return row, err
}

// wiring is what the network has to know of an interface with a row of its own.
func (s *Service) wiring(ctx context.Context, k store.Key) (network.NIC, error) {
	var out network.NIC
	err := s.db.View(ctx, func(tx *store.Tx) error {
		row, err := interfaces.Get(tx, k)
		if err != nil {
			return err
		}
		v, sub, err := vpcOfSubnet(tx, callOf(k), row.NIC.Subnet)
		if err == nil {
			out = networkNIC(row.NIC, v, sub)
			out.Open = row.open()
			if row.Instance != "" {
				out.Device = int(row.Device)
			}
		}
		return err
	})
	if err != nil {
		return out, fmt.Errorf("network interface %s: %w", k.ID, err)
	}
	return out, nil
}

// networkNIC translates an interface for the network.
func networkNIC(n nic, v *vpc, sub *subnet) network.NIC {
	return network.NIC{
		ID: n.ID, VPC: v.ID, VPCCIDR: v.CIDR, Subnet: sub.CIDR,
		Private: n.Private, Public: n.Public, MAC: n.MAC, SecurityGroups: n.Groups, Forwards: n.Forwards,
	}
}
