package cloudformation

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
)

func checkPolicy(text string) error {
	_, err := stack.ParsePolicy(text)
	return asAWS(err)
}

// SetStackPolicy gives a stack a policy; none can be taken away.
func (s *Service) SetStackPolicy(ctx context.Context, in *api.SetStackPolicyInput) (*api.SetStackPolicyOutput, error) {
	st, err := s.find(ctx, in.StackName, noStack)
	if err != nil {
		return nil, err
	}
	text, err := s.policyText(ctx, in.StackPolicyBody, in.StackPolicyURL)
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, invalid("You must specify either StackPolicyBody or StackPolicyURL.")
	}
	_, err = s.engine.Edit(ctx, st.Key(), func(st *stack.Stack) { st.Policy = text })
	return &api.SetStackPolicyOutput{}, err
}

// GetStackPolicy returns the policy of a stack; without one the answer is empty.
func (s *Service) GetStackPolicy(ctx context.Context, in *api.GetStackPolicyInput) (*api.GetStackPolicyOutput, error) {
	st, err := s.find(ctx, in.StackName, noStack)
	if err != nil {
		return nil, err
	}
	return &api.GetStackPolicyOutput{StackPolicyBody: optional(st.Policy)}, nil
}

// UpdateTerminationProtection protects a stack from DeleteStack, or no longer.
func (s *Service) UpdateTerminationProtection(ctx context.Context, in *api.UpdateTerminationProtectionInput) (*api.UpdateTerminationProtectionOutput, error) {
	st, err := s.find(ctx, in.StackName, noStack)
	if err != nil {
		return nil, err
	}
	if st.Status == stack.DeleteComplete || st.Status == stack.DeleteInProgress {
		return nil, invalid("Stack [%s] is in %s state and its termination protection cannot be changed", st.Name, st.Status)
	}
	_, err = s.engine.Edit(ctx, st.Key(), func(st *stack.Stack) {
		st.TerminationProtection = aws.Val(in.EnableTerminationProtection)
	})
	return &api.UpdateTerminationProtectionOutput{StackId: &st.ID}, err
}

// DescribeAccountLimits returns AWS's default limits; hardstand has no others.
func (s *Service) DescribeAccountLimits(context.Context, *api.DescribeAccountLimitsInput) (*api.DescribeAccountLimitsOutput, error) {
	return &api.DescribeAccountLimitsOutput{AccountLimits: []api.AccountLimit{
		{Name: aws.Ptr("StackLimit"), Value: aws.Ptr[int32](2000)},
		{Name: aws.Ptr("StackOutputsLimit"), Value: aws.Ptr[int32](200)},
		{Name: aws.Ptr("ConcurrentResourcesLimit"), Value: aws.Ptr[int32](2500)},
	}}, nil
}
