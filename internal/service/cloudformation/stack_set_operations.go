package cloudformation

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// DescribeStackSetOperation describes an operation on a set.
func (s *Service) DescribeStackSetOperation(ctx context.Context, in *api.DescribeStackSetOperationInput) (*api.DescribeStackSetOperationOutput, error) {
	if err := asSelf(in.CallAs); err != nil {
		return nil, err
	}
	set, op, err := s.setOperation(ctx, in.StackSetName, in.OperationId)
	if err != nil {
		return nil, err
	}
	v := &api.StackSetOperation{OperationId: &op.ID, StackSetId: &set.ID, Action: api.StackSetOperationAction(op.Action),
		Status: api.StackSetOperationStatus(op.Status), StatusReason: optional(op.Reason), OperationPreferences: preferencesOf(op),
		AdministrationRoleARN: &op.AdminRole, ExecutionRoleName: &op.ExecutionRole, CreationTimestamp: &op.Created, EndTimestamp: moment(op.Ended),
		StatusDetails: &api.StackSetOperationStatusDetails{FailedStackInstancesCount: aws.Ptr(op.failures())}}
	if op.Action == string(api.StackSetOperationActionDelete) {
		v.RetainStacks = &op.Retain
	}
	if op.Action == string(api.StackSetOperationActionDetectDrift) {
		v.StackSetDriftDetectionDetails = setDriftView(op.Drift)
	}
	return &api.DescribeStackSetOperationOutput{StackSetOperation: v}, nil
}

func preferencesOf(op *setOperation) *api.StackSetOperationPreferences {
	p := api.StackSetOperationPreferences{}
	if op.Preferences != nil {
		p = *op.Preferences
	}
	if p.RegionOrder == nil {
		p.RegionOrder = []string{}
	}
	return &p
}

func (o *setOperation) failures() int32 {
	n := int32(0)
	for _, r := range o.Results {
		if r.Status == string(api.StackSetOperationResultStatusFailed) {
			n++
		}
	}
	return n
}

// ListStackSetOperations lists a set's operations, the newest first.
func (s *Service) ListStackSetOperations(ctx context.Context, in *api.ListStackSetOperationsInput) (*api.ListStackSetOperationsOutput, error) {
	if err := asSelf(in.CallAs); err != nil {
		return nil, err
	}
	var list []*setOperation
	err := s.db.View(ctx, func(tx *store.Tx) error {
		set, err := lookupSet(tx, aws.CallFrom(ctx), aws.Val(in.StackSetName))
		if err != nil {
			return err
		}
		list, err = operationsOf(tx, set.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	list, next, err := pageOf(list, in.NextToken, in.MaxResults)
	out := &api.ListStackSetOperationsOutput{NextToken: next, Summaries: []api.StackSetOperationSummary{}}
	for _, op := range list {
		out.Summaries = append(out.Summaries, api.StackSetOperationSummary{OperationId: &op.ID, Action: api.StackSetOperationAction(op.Action),
			Status: api.StackSetOperationStatus(op.Status), StatusReason: optional(op.Reason), CreationTimestamp: &op.Created, EndTimestamp: moment(op.Ended),
			OperationPreferences: preferencesOf(op), StatusDetails: &api.StackSetOperationStatusDetails{FailedStackInstancesCount: aws.Ptr(op.failures())}})
	}
	return out, err
}

// ListStackSetOperationResults lists what an operation has come to, by target.
func (s *Service) ListStackSetOperationResults(ctx context.Context, in *api.ListStackSetOperationResultsInput) (*api.ListStackSetOperationResultsOutput, error) {
	if err := asSelf(in.CallAs); err != nil {
		return nil, err
	}
	_, op, err := s.setOperation(ctx, in.StackSetName, in.OperationId)
	if err != nil {
		return nil, err
	}
	list := slices.DeleteFunc(op.Results, func(r setResult) bool {
		return slices.ContainsFunc(in.Filters, func(f api.OperationResultFilter) bool { return aws.Val(f.Values) != r.Status })
	})
	list, next, err := pageOf(list, in.NextToken, in.MaxResults)
	out := &api.ListStackSetOperationResultsOutput{NextToken: next, Summaries: []api.StackSetOperationResultSummary{}}
	for _, r := range list {
		v := api.StackSetOperationResultSummary{Account: aws.Ptr(r.Account), Region: aws.Ptr(r.Region),
			Status: api.StackSetOperationResultStatus(r.Status), StatusReason: optional(r.Reason)}
		if r.Status != string(api.StackSetOperationResultStatusPending) && r.Status != string(api.StackSetOperationResultStatusCancelled) {
			v.AccountGateResult = &api.AccountGateResult{Status: api.AccountGateStatusSkipped,
				StatusReason: aws.Ptr("Function not found: arn:aws:lambda:" + r.Region + ":" + r.Account + ":function:AWSCloudFormationStackSetAccountGate")}
		}
		out.Summaries = append(out.Summaries, v)
	}
	return out, err
}

// StopStackSetOperation lets an operation end with what it has in hand.
func (s *Service) StopStackSetOperation(ctx context.Context, in *api.StopStackSetOperationInput) (*api.StopStackSetOperationOutput, error) {
	if err := asSelf(in.CallAs); err != nil {
		return nil, err
	}
	set, op, err := s.setOperation(ctx, in.StackSetName, in.OperationId)
	if err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		if op, err = setOperations.Get(tx, set.operationKey(op.ID)); err != nil {
			return err
		}
		if op.ended() {
			return awserr.New("InvalidOperationException", "Operation %s is not in a state that can be stopped: %s", op.ID, op.Status)
		}
		op.Status = string(api.StackSetOperationStatusStopping)
		return putOperation(tx, set, op)
	})
	return &api.StopStackSetOperationOutput{}, err
}
