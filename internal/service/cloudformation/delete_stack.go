package cloudformation

import (
	"context"
	"errors"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

func (s *Service) deleteStackChecks(ctx context.Context, in *api.DeleteStackInput) ([]aws.Check, error) {
	return append(s.stackChecks(ctx, aws.Val(in.StackName)), passRole(in.RoleARN)...), nil
}

// DeleteStack commits DELETE_IN_PROGRESS and answers. A stack that does not exist
// is deleted already.
func (s *Service) DeleteStack(ctx context.Context, in *api.DeleteStackInput) (*api.DeleteStackOutput, error) {
	st, err := s.find(ctx, in.StackName, noStack)
	if awserr.As(err) != nil {
		return &api.DeleteStackOutput{}, nil
	}
	if err != nil {
		return nil, err
	}
	if st.TerminationProtection {
		return nil, invalid("Stack [%s] cannot be deleted while TerminationProtection is enabled", st.Name)
	}
	force := in.DeletionMode == api.DeletionModeForceDeleteStack
	if force && st.Status != stack.DeleteFailed {
		return nil, invalid("Invalid operation on stack [%s]. When you delete a stack, specify the deletion mode FORCE_DELETE_STACK only when the stack is in the DELETE_FAILED state.", st.ID)
	}
	if err := s.checkRetained(ctx, st, in.RetainResources); err != nil {
		return nil, err
	}
	b, err := s.begin(ctx, st, aws.Val(in.RoleARN), aws.Val(in.ClientRequestToken))
	if err != nil {
		return nil, err
	}
	b.Retain, b.OnFailure, b.Force, b.Express = in.RetainResources, st.OnFailure, force, express(in.DeploymentConfig)
	if _, err := s.engine.Delete(ctx, st.Key(), b); errors.Is(err, stack.ErrBusy) {
		return nil, invalid("Stack [%s] cannot be deleted while in status %s", st.Name, st.Status)
	} else if err != nil {
		return nil, err
	}
	s.linger(ctx, st, nil)
	return &api.DeleteStackOutput{}, nil
}

// checkRetained allows RetainResources for resources whose deletion has failed.
func (s *Service) checkRetained(ctx context.Context, st *stack.Stack, retain []string) error {
	if len(retain) == 0 {
		return nil
	}
	if st.Status != stack.DeleteFailed {
		return invalid("Invalid operation on stack [%s]. When you delete a stack, specify which resources to retain only when the stack is in the DELETE_FAILED state.", st.ID)
	}
	return s.db.View(ctx, func(tx *store.Tx) error {
		list, err := stack.MembersOf(tx, st.ID)
		if err != nil {
			return err
		}
		for _, id := range retain {
			if !slices.ContainsFunc(list, func(m *stack.Member) bool { return m.LogicalID == id }) {
				return invalid("Resource %s does not exist for stack %s", id, st.Name)
			}
		}
		return nil
	})
}

// CancelUpdateStack rolls back the update in progress.
func (s *Service) CancelUpdateStack(ctx context.Context, in *api.CancelUpdateStackInput) (*api.CancelUpdateStackOutput, error) {
	st, err := s.find(ctx, in.StackName, noStack)
	if err != nil {
		return nil, err
	}
	_, err = s.engine.CancelUpdate(ctx, st.Key(), aws.Val(in.ClientRequestToken))
	if errors.Is(err, stack.ErrBusy) {
		return nil, invalid("CancelUpdateStack cannot be called from current stack status")
	}
	return &api.CancelUpdateStackOutput{}, err
}
