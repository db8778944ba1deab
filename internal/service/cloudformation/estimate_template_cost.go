package cloudformation

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
)

// calculator is AWS's own; nothing that runs here costs anything.
const calculator = "https://calculator.aws/#/"

// EstimateTemplateCost judges a template with its parameters and points at AWS's
// price calculator, without a sheet that is filled in.
func (s *Service) EstimateTemplateCost(ctx context.Context, in *api.EstimateTemplateCostInput) (*api.EstimateTemplateCostOutput, error) {
	body, err := s.source(ctx, in.TemplateBody, in.TemplateURL)
	if err != nil {
		return nil, err
	}
	st := newStack(aws.CallFrom(ctx), "estimate")
	all := []api.Capability{api.CapabilityCapabilityNamedIam, api.CapabilityCapabilityAutoExpand}
	if _, err := s.prepare(ctx, st, wanted{body: body, parameters: in.Parameters, capabilities: all}, nil); err != nil {
		return nil, err
	}
	return &api.EstimateTemplateCostOutput{Url: aws.Ptr(calculator)}, nil
}
