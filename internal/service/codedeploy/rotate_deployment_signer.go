package codedeploy

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploycommands"
)

// RotateDeploymentSigner replaces the key that signs the deployment
// specifications of the region. It is an extension of this service: AWS rotates
// its keys unasked.
func (s *Service) RotateDeploymentSigner(ctx context.Context, _ *api.RotateDeploymentSignerInput) (*api.RotateDeploymentSignerOutput, error) {
	k, err := s.signers.rotate(ctx, aws.CallFrom(ctx).Region)
	if err != nil {
		return nil, err
	}
	return &api.RotateDeploymentSignerOutput{SerialNumber: aws.Ptr(k.certificate.SerialNumber.Text(16)), NotAfter: &k.certificate.NotAfter}, nil
}
