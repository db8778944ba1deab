package codedeploy

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// StopDeployment asks a deployment to stop: scripts that run are let finish,
// nothing new begins.
func (s *Service) StopDeployment(ctx context.Context, in *api.StopDeploymentInput) (*api.StopDeploymentOutput, error) {
	c := aws.CallFrom(ctx)
	id, err := checkDeploymentID(in.DeploymentId)
	if err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		d, err := findDeployment(tx, c, id)
		if err != nil {
			return err
		}
		if d.ended() {
			return awserr.New("DeploymentAlreadyCompletedException", "The deployment %s has already completed", id)
		}
		d.StopAsked = true
		if in.AutoRollbackEnabled != nil {
			d.StopRollback = in.AutoRollbackEnabled
		}
		emit(tx, key(c, id), id, "stop", "asked for by "+c.Principal.ARN)
		return deployments.Put(tx, key(c, id), d)
	})
	if err != nil {
		return nil, err
	}
	return &api.StopDeploymentOutput{Status: api.StopStatusPending,
		StatusMessage: aws.Ptr("No more lifecycle events will be scheduled. Lifecycle events that run will finish.")}, nil
}
