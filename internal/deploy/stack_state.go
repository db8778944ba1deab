package deploy

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// currentStack returns the stack, or nil when there is none.
func (r *run) currentStack(ctx context.Context, name string) (*types.Stack, error) {
	out, err := r.cfn.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if errorCode(err) == "ValidationError" && strings.Contains(err.Error(), "does not exist") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &out.Stacks[0], nil
}

// settled returns the stack in a state that can be updated, or nil when it is to be
// created: it waits for whoever is changing it, removes what a failed creation left
// and refuses what only a person can mend.
func (r *run) settled(ctx context.Context, name string) (*types.Stack, error) {
	st, err := r.currentStack(ctx, name)
	if st == nil || err != nil {
		return nil, err
	}
	if inProgress(st.StackStatus) {
		r.progress.detail(name + " is " + string(st.StackStatus) + ": waiting for whoever is changing it")
		if st, err = r.atRest(ctx, aws.ToString(st.StackId), nothing); err != nil {
			return nil, err
		}
	}
	switch st.StackStatus {
	case types.StackStatusDeleteComplete:
		return nil, nil
	case types.StackStatusRollbackComplete, types.StackStatusRollbackFailed:
		r.progress.detail("an earlier creation failed; removing what is left of it")
		return nil, r.removeStack(ctx, st)
	}
	if fix := stuckFixes[st.StackStatus]; fix != "" {
		return nil, &Failure{Exit: ExitStack, Cause: "the stack " + name + " is " + string(st.StackStatus) + " and cannot be updated",
			Evidence: reasons(st), Fix: strings.ReplaceAll(fix, "NAME", name)}
	}
	return st, nil
}

// stuckFixes: the states that somebody has to decide about. NAME stands for the
// stack's.
var stuckFixes = map[types.StackStatus]string{
	types.StackStatusReviewInProgress: "a change set that was never executed holds the name: execute it, or `aws cloudformation delete-stack --stack-name NAME`",
	types.StackStatusDeleteFailed:     "remove what keeps it (`aws cloudformation describe-stack-events --stack-name NAME`), then `aws cloudformation delete-stack --stack-name NAME`",
	types.StackStatusUpdateRollbackFailed: "mend what the reason names, then " +
		"`aws cloudformation continue-update-rollback --stack-name NAME`",
}

func reasons(st *types.Stack) []string {
	if reason := aws.ToString(st.StackStatusReason); reason != "" {
		return []string{reason}
	}
	return nil
}

// inProgress reports whether somebody is at work on a stack. REVIEW_IN_PROGRESS is
// the exception: it waits for a person.
func inProgress(s types.StackStatus) bool {
	return strings.HasSuffix(string(s), "_IN_PROGRESS") && s != types.StackStatusReviewInProgress
}

func nothing() error { return nil }

// atRest waits until nobody is at work on the stack; look runs after each answer.
func (r *run) atRest(ctx context.Context, id string, look func() error) (*types.Stack, error) {
	var last *types.Stack
	err := r.pace.poll(ctx, func() (bool, error) {
		out, err := r.cfn.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &id})
		if err != nil {
			return false, err
		}
		last = &out.Stacks[0]
		return !inProgress(last.StackStatus), look()
	})
	return last, err
}

func (r *run) removeStack(ctx context.Context, st *types.Stack) error {
	if _, err := r.cfn.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: st.StackId}); err != nil {
		return err
	}
	last, err := r.atRest(ctx, aws.ToString(st.StackId), nothing)
	if err != nil {
		return err
	}
	if last.StackStatus != types.StackStatusDeleteComplete {
		return &Failure{Exit: ExitStack, Cause: "what an earlier creation left could not be removed", Evidence: reasons(last),
			Fix: strings.ReplaceAll(stuckFixes[types.StackStatusDeleteFailed], "NAME", aws.ToString(st.StackName))}
	}
	return nil
}
