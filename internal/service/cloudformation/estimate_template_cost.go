package cloudformation

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
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
	c := aws.CallFrom(ctx)
	st := &stack.Stack{ID: stack.NewStackID(c.Region, c.Account, "estimate"), Name: "estimate", Account: c.Account, Region: c.Region}
	all := []api.Capability{api.CapabilityCapabilityNamedIam, api.CapabilityCapabilityAutoExpand}
	if _, err := s.prepare(ctx, st, wanted{body: body, parameters: in.Parameters, capabilities: all}, nil); err != nil {
		return nil, err
	}
	return &api.EstimateTemplateCostOutput{Url: aws.Ptr(calculator)}, nil
}
