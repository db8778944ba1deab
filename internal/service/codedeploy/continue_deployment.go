package codedeploy

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// ContinueDeployment ends a wait of a blue/green deployment: the one for the
// release of its traffic, or the one before the original instances end.
func (s *Service) ContinueDeployment(ctx context.Context, in *api.ContinueDeploymentInput) (*api.ContinueDeploymentOutput, error) {
	err := s.onBlueGreen(ctx, in.DeploymentId, func(tx *store.Tx, k store.Key, d *deployment) error {
		if in.DeploymentWaitType == api.DeploymentWaitTypeTerminationWait {
			return skipTermination(tx, k, d)
		}
		if d.Status != api.DeploymentStatusReady {
			return awserr.New("DeploymentIsNotInReadyStateException", "The deployment does not have a status of Ready and can't continue yet: %s", d.ID)
		}
		list, err := targetsOf(tx, d.ID)
		if err != nil {
			return err
		}
		green, _ := split(list)
		return s.release(tx, k, d, green)
	})
	if err != nil {
		return nil, err
	}
	return &api.ContinueDeploymentOutput{}, nil
}

// SkipWaitTimeForInstanceTermination is the older form of ContinueDeployment for
// the termination wait.
func (s *Service) SkipWaitTimeForInstanceTermination(ctx context.Context, in *api.SkipWaitTimeForInstanceTerminationInput) (*api.SkipWaitTimeForInstanceTerminationOutput, error) {
	if err := s.onBlueGreen(ctx, in.DeploymentId, skipTermination); err != nil {
		return nil, err
	}
	return &api.SkipWaitTimeForInstanceTerminationOutput{}, nil
}

// skipTermination may come before the wait has begun: it then never waits.
func skipTermination(tx *store.Tx, k store.Key, d *deployment) error {
	d.BlueGreen.Skip = true
	emit(tx, k, d.ID, "deployment", "the termination does not wait")
	return deployments.Put(tx, k, d)
}

// onBlueGreen runs fn with a blue/green deployment that runs.
func (s *Service) onBlueGreen(ctx context.Context, deploymentID *string, fn func(tx *store.Tx, k store.Key, d *deployment) error) error {
	c := aws.CallFrom(ctx)
	id, err := checkDeploymentID(deploymentID)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *store.Tx) error {
		d, err := findDeployment(tx, c, id)
		if err != nil {
			return err
		}
		switch {
		case d.ended():
			return awserr.New("DeploymentAlreadyCompletedException", "The deployment %s has already completed", id)
		case !d.blueGreen():
			return errUnsupported(id)
		case d.Started.IsZero():
			return awserr.New("DeploymentNotStartedException", "The specified deployment has not started: %s", id)
		}
		return fn(tx, key(c, id), d)
	})
}
