package ec2

import (
	"context"
	"fmt"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// DeleteNetworkInterface removes an interface that is attached to nothing. The service
// that manages one takes its node along. An elastic address becomes free.
func (s *Service) DeleteNetworkInterface(ctx context.Context, in *api.DeleteNetworkInterfaceInput) (*api.DeleteNetworkInterfaceOutput, error) {
	c := aws.CallFrom(ctx)
	id := aws.Val(in.NetworkInterfaceId)
	s.pushing.Lock()
	defer s.pushing.Unlock()
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		h, err := findInterface(tx, c, id)
		if err != nil {
			return err
		}
		if h.inUse() && (h.requester() == "" || h.mayManage(c) != nil) {
			return awserr.New("InvalidParameterValue", "Network interface '%s' is currently in use.", id)
		}
		return dropInterface(tx, c, h.row)
	})
	if err != nil {
		return nil, err
	}
	if err := s.net.DetachNode(ctx, id); err != nil {
		return nil, fmt.Errorf("take %s down: %w", id, err)
	}
	return &api.DeleteNetworkInterfaceOutput{}, nil
}

// dropInterface removes the row of an interface and frees its elastic address.
func dropInterface(tx *store.Tx, c aws.Call, row *networkInterface) error {
	if err := releaseElastic(tx, key(c, ""), &row.NIC); err != nil {
		return err
	}
	emitPart(tx, c, row.NIC.ID, "network-interface-deleted")
	return interfaces.Delete(tx, key(c, row.NIC.ID))
}
