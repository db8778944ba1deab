package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/store"
)

// DeleteNatGateway removes a NAT gateway with its interface; its elastic address is
// free then. Routes to it stay, and lead nowhere.
func (s *Service) DeleteNatGateway(ctx context.Context, in *api.DeleteNatGatewayInput) (*api.DeleteNatGatewayOutput, error) {
	c := aws.CallFrom(ctx)
	id := aws.Val(in.NatGatewayId)
	var g *natGateway
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if g, err = getNAT(tx, c, id); err != nil {
			return err
		}
		if g.State == natDeleted {
			return noNAT(id)
		}
		if g.Interface != "" {
			row, err := interfaces.Get(tx, key(c, g.Interface))
			if err == nil {
				err = dropInterface(tx, c, row)
			}
			if err != nil && !isNotFound(err) {
				return err
			}
		}
		g.State, g.Ended = natDeleted, s.clock.Now().UTC()
		emitPart(tx, c, id, "nat-gateway-deleted")
		return natGateways.Put(tx, key(c, id), g)
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteNatGatewayOutput{NatGatewayId: aws.Ptr(id)}, s.pushVPC(ctx, key(c, g.VPC))
}

func getNAT(tx *store.Tx, c aws.Call, id string) (*natGateway, error) {
	if err := checkNATID(id); err != nil {
		return nil, err
	}
	g, err := natGateways.Get(tx, key(c, id))
	if isNotFound(err) {
		return nil, noNAT(id)
	}
	return g, err
}

// dropEnded forgets the NAT gateways that ended an hour ago.
func (s *Service) dropEnded(ctx context.Context) error {
	limit := s.clock.Now().Add(-keepTerminated)
	return s.db.Update(ctx, func(tx *store.Tx) error {
		for _, state := range []string{natDeleted, natFailed} {
			rows, err := natGateways.Lookup(tx, "ended", state)
			if err != nil {
				return err
			}
			for _, r := range rows {
				if !r.Value.Ended.Before(limit) {
					continue
				}
				if err := natGateways.Delete(tx, r.Key); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
