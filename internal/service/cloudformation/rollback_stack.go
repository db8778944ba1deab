package cloudformation

import (
	"context"
	"errors"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
)

func (s *Service) rollbackStackChecks(ctx context.Context, in *api.RollbackStackInput) ([]aws.Check, error) {
	return append(s.stackChecks(ctx, aws.Val(in.StackName)), passRole(in.RoleARN)...), nil
}

// RollbackStack returns a stack that failed with its rollback disabled to its last
// complete operation; a stack that never was complete loses its resources.
func (s *Service) RollbackStack(ctx context.Context, in *api.RollbackStackInput) (*api.RollbackStackOutput, error) {
	st, err := s.find(ctx, in.StackName, noStack)
	if err != nil {
		return nil, err
	}
	b, err := s.begin(ctx, st, aws.Val(in.RoleARN), aws.Val(in.ClientRequestToken))
	if err != nil {
		return nil, err
	}
	b.RetainExcept = aws.Val(in.RetainExceptOnCreate)
	now, err := s.engine.Rollback(ctx, st.Key(), b)
	if errors.Is(err, stack.ErrBusy) {
		return nil, invalid("Stack:%s is in %s state and can not be rolled back.", st.ID, st.Status)
	}
	if err != nil {
		return nil, err
	}
	s.linger(ctx, st, nil)
	return &api.RollbackStackOutput{StackId: &st.ID, OperationId: &now.OperationID}, nil
}

func (s *Service) continueRollbackChecks(ctx context.Context, in *api.ContinueUpdateRollbackInput) ([]aws.Check, error) {
	return append(s.stackChecks(ctx, aws.Val(in.StackName)), passRole(in.RoleARN)...), nil
}

// ContinueUpdateRollback tries again to set back what a failed rollback could not.
func (s *Service) ContinueUpdateRollback(ctx context.Context, in *api.ContinueUpdateRollbackInput) (*api.ContinueUpdateRollbackOutput, error) {
	st, err := s.find(ctx, in.StackName, noStack)
	if err != nil {
		return nil, err
	}
	b, err := s.begin(ctx, st, aws.Val(in.RoleARN), aws.Val(in.ClientRequestToken))
	if err != nil {
		return nil, err
	}
	b.Skip, b.OnFailure = in.ResourcesToSkip, st.OnFailure
	_, err = s.engine.ContinueRollback(ctx, st.Key(), b)
	if errors.Is(err, stack.ErrBusy) {
		return nil, invalid("Stack:%s is in %s state and can not continue update rollback.", st.ID, st.Status)
	}
	if err != nil {
		return nil, asAWS(err)
	}
	s.linger(ctx, st, nil)
	return &api.ContinueUpdateRollbackOutput{}, nil
}
