package ec2

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	hsinstance "github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/network"
	"github.com/hardstand/hardstand/internal/store"
)

var noAddr netip.Addr

// Adopt takes over what an earlier server left running: the networks, and every
// machine that may still be alive. One that is gone, after a reboot of the host for
// example, is stopped, with the reason. It comes before every call, from outside
// and from stacks: adoption removes what it does not know from the network, and so
// would remove what a call has just made. Once done, it is not done again.
func (s *Service) Adopt(ctx context.Context) error {
	s.adopting.Lock()
	defer s.adopting.Unlock()
	if s.adopted {
		return nil
	}
	if err := s.adopt(ctx); err != nil {
		return err
	}
	s.adopted = true
	return nil
}

func (s *Service) adopt(ctx context.Context) error {
	if err := s.completeGateways(ctx); err != nil {
		return fmt.Errorf("complete internet gateways: %w", err)
	}
	if err := s.sealFirstVersion(ctx); err != nil {
		return fmt.Errorf("seal user data: %w", err)
	}
	rows, err := s.maybeAlive(ctx)
	if err != nil {
		return err
	}
	states, err := s.vpcStates(ctx, rows)
	if err != nil {
		return err
	}
	// An interface that is gone shows as a machine that is not alive below.
	if _, err := s.net.Adopt(ctx, states); err != nil {
		return fmt.Errorf("adopt networks: %w", err)
	}
	specs := make([]hsinstance.Spec, 0, len(rows))
	for _, r := range rows {
		spec, err := s.spec(ctx, r.Key, r.Value)
		if err != nil {
			return err
		}
		specs = append(specs, spec)
	}
	alive, err := s.machines.Adopt(ctx, specs)
	if err != nil {
		// One machine that cannot be taken over must not keep the server from all
		// the others: it shows as stopped, below.
		s.log.Error("adopt instances", "err", err)
	}
	for _, r := range rows {
		if r.Value.State != stateRunning || alive[r.Key.ID] {
			continue
		}
		if err := s.foundDead(ctx, r.Key); err != nil {
			return err
		}
	}
	return nil
}

// completeGateways gives the gateways of default VPCs the rows that the first
// version kept none of.
func (s *Service) completeGateways(ctx context.Context) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		rows, err := vpcs.List(tx, store.Scope{}, "", 0)
		if err != nil {
			return err
		}
		for _, r := range rows {
			id := r.Value.InternetGateway
			if id == "" {
				continue
			}
			k := store.Key{Account: r.Key.Account, Region: r.Key.Region, ID: id}
			if err := gateways.Insert(tx, k, &gateway{ID: id, Tags: r.Value.Tags[id]}); err != nil && !errors.Is(err, store.ErrExists) {
				return err
			}
			if _, old := r.Value.Tags[id]; old {
				delete(r.Value.Tags, id)
				if err := vpcs.Put(tx, r.Key, r.Value); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// vpcStates says what the network has to look like for the instances in rows.
func (s *Service) vpcStates(ctx context.Context, rows []store.Row[instance]) ([]network.VPCState, error) {
	at := map[store.Key]int{}
	var states []network.VPCState
	for _, r := range rows {
		spec, err := s.spec(ctx, r.Key, r.Value)
		if err != nil {
			return nil, err
		}
		for _, nic := range append([]network.NIC{spec.NIC}, spec.Others...) {
			vk := store.Key{Account: r.Key.Account, Region: r.Key.Region, ID: nic.VPC}
			if _, ok := at[vk]; !ok {
				st, err := s.vpcState(ctx, vk)
				if err != nil {
					return nil, err
				}
				at[vk] = len(states)
				states = append(states, st)
			}
			st := &states[at[vk]]
			st.NICs = append(st.NICs, nic)
		}
	}
	return states, nil
}

func (s *Service) vpcState(ctx context.Context, k store.Key) (network.VPCState, error) {
	var st network.VPCState
	err := s.db.View(ctx, func(tx *store.Tx) error {
		v, err := vpcs.Get(tx, k)
		if err != nil {
			return err
		}
		if st.VPC, err = networkVPC(tx, callOf(k), v); err != nil {
			return err
		}
		groups, err := securityGroups.Lookup(tx, "vpc", v.ID)
		if err != nil {
			return err
		}
		for _, g := range groups {
			st.Groups = append(st.Groups, networkGroup(g.Value))
		}
		return nil
	})
	if err != nil {
		return st, fmt.Errorf("state of %s: %w", k.ID, err)
	}
	return st, nil
}

func (s *Service) maybeAlive(ctx context.Context) ([]store.Row[instance], error) {
	var out []store.Row[instance]
	err := s.db.View(ctx, func(tx *store.Tx) error {
		for _, st := range []string{statePending, stateRunning, stateStopping, stateShuttingDown} {
			rows, err := instances.Lookup(tx, "state", st)
			if err != nil {
				return err
			}
			out = append(out, rows...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list instances: %w", err)
	}
	return out, nil
}

func (s *Service) foundDead(ctx context.Context, k store.Key) error {
	const why = "Server.InternalError: the instance was not running any more when hardstand started"
	return s.change(ctx, k, why, func(r *instance) bool {
		return r.fallBack(reason{"Server.InternalError", why})
	})
}

// keyOf finds an instance by its id alone; ids are unique across accounts.
func (s *Service) keyOf(ctx context.Context, id string) (store.Key, error) {
	k := store.Key{}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := instances.Lookup(tx, "id", id)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return store.ErrNotFound
		}
		k = rows[0].Key
		return nil
	})
	return k, err
}
