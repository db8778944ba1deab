package cloudformation

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// DetectStackSetDrift compares the resources of all of a set's stacks with what
// they are.
func (s *Service) DetectStackSetDrift(ctx context.Context, in *api.DetectStackSetDriftInput) (*api.DetectStackSetDriftOutput, error) {
	r := setRequest{in.StackSetName, in.OperationId, api.StackSetOperationActionDetectDrift, in.OperationPreferences, in.CallAs, in}
	id, err := s.beginOperation(ctx, r, func(tx *store.Tx, set *stackSet, op *setOperation) error {
		list, err := instancesOf(tx, set.ID)
		if err != nil {
			return err
		}
		for _, i := range list {
			if err := op.pending(tx, set, i); err != nil {
				return err
			}
		}
		op.Drift = &setDrift{Status: string(api.StackSetDriftStatusNotChecked), Detection: string(api.StackSetDriftDetectionStatusInProgress),
			Checked: tx.Now(), Total: int32(len(list)), Running: int32(len(list))}
		set.Drift = op.Drift
		return nil
	})
	return &api.DetectStackSetDriftOutput{OperationId: id}, err
}

// detect has the drift of an instance's stack detected.
func (w *setWorker) detect(ctx context.Context, i *stackInstance) error {
	st, err := w.stack(ctx, i)
	if err != nil {
		return err
	}
	if st == nil {
		return invalid("Stack [%s] does not exist", i.StackName)
	}
	out, err := wire.Call[api.DetectStackDriftOutput](ctx, w.s.invoker, "cloudformation", "DetectStackDrift", &api.DetectStackDriftInput{StackName: &st.ID})
	if err != nil {
		return err
	}
	d, err := w.s.detection(ctx, *out.StackDriftDetectionId)
	if err != nil {
		return err
	}
	if d.Status == string(api.StackDriftDetectionStatusDetectionFailed) {
		return &stack.PropertyError{Message: d.Reason}
	}
	i.Drift, i.DriftChecked = d.Drift, d.Time
	return nil
}

// summarise counts what a detection has found.
func (w *setWorker) summarise(tx *store.Tx, o *setOperation) error {
	list, err := instancesOf(tx, w.set.ID)
	if err != nil {
		return err
	}
	d := &setDrift{Status: string(api.StackSetDriftStatusInSync), Detection: string(api.StackSetDriftDetectionStatusCompleted), Checked: tx.Now(), Total: int32(len(o.Results))}
	for _, r := range o.Results {
		i := slices.IndexFunc(list, func(i *stackInstance) bool { return i.target == r.target })
		switch {
		case r.Status != string(api.StackSetOperationResultStatusSucceeded) || i < 0:
			d.Failed++
		case list[i].Drift == stack.Drifted:
			d.Drifted++
			d.Status = string(api.StackSetDriftStatusDrifted)
		default:
			d.InSync++
		}
	}
	switch {
	case o.Status == string(api.StackSetOperationStatusStopped):
		d.Detection = string(api.StackSetDriftDetectionStatusStopped)
	case d.Failed > 0 && d.Failed == d.Total:
		d.Detection = string(api.StackSetDriftDetectionStatusFailed)
		d.Status = string(api.StackSetDriftStatusNotChecked)
	case d.Failed > 0:
		d.Detection = string(api.StackSetDriftDetectionStatusPartialSuccess)
	}
	o.Drift = d
	set, err := stackSets.Get(tx, w.set.key())
	if err != nil {
		return err
	}
	set.Drift = d
	return stackSets.Put(tx, set.key(), set)
}

func setDriftView(d *setDrift) *api.StackSetDriftDetectionDetails {
	if d == nil {
		return &api.StackSetDriftDetectionDetails{DriftStatus: api.StackSetDriftStatusNotChecked, TotalStackInstancesCount: aws.Ptr[int32](0),
			DriftedStackInstancesCount: aws.Ptr[int32](0), InSyncStackInstancesCount: aws.Ptr[int32](0),
			InProgressStackInstancesCount: aws.Ptr[int32](0), FailedStackInstancesCount: aws.Ptr[int32](0)}
	}
	return &api.StackSetDriftDetectionDetails{DriftStatus: api.StackSetDriftStatus(d.Status), DriftDetectionStatus: api.StackSetDriftDetectionStatus(d.Detection),
		LastDriftCheckTimestamp: moment(d.Checked), TotalStackInstancesCount: &d.Total, DriftedStackInstancesCount: &d.Drifted,
		InSyncStackInstancesCount: &d.InSync, InProgressStackInstancesCount: &d.Running, FailedStackInstancesCount: &d.Failed}
}

// ListStackInstanceResourceDrifts lists what a detection has found in one instance.
func (s *Service) ListStackInstanceResourceDrifts(ctx context.Context, in *api.ListStackInstanceResourceDriftsInput) (*api.ListStackInstanceResourceDriftsOutput, error) {
	if err := asSelf(in.CallAs); err != nil {
		return nil, err
	}
	_, i, err := s.instance(ctx, in.StackSetName, in.StackInstanceAccount, in.StackInstanceRegion)
	if err != nil {
		return nil, err
	}
	if _, op, err := s.setOperation(ctx, in.StackSetName, in.OperationId); err != nil {
		return nil, err
	} else if op.Action != string(api.StackSetOperationActionDetectDrift) {
		return nil, awserr.New("OperationNotFoundException", "Operation %s is not a drift detection", op.ID)
	}
	out := &api.ListStackInstanceResourceDriftsOutput{Summaries: []api.StackInstanceResourceDriftsSummary{}}
	if i.StackID == "" {
		return out, nil
	}
	list, err := s.members(ctx, &stack.Stack{ID: i.StackID})
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(m *stack.Member) bool {
		return m.Drift == nil || len(in.StackInstanceResourceDriftStatuses) > 0 &&
			!slices.Contains(in.StackInstanceResourceDriftStatuses, api.StackResourceDriftStatus(m.Drift.Status))
	})
	list, out.NextToken, err = pageOf(list, in.NextToken, in.MaxResults)
	for _, m := range list {
		v := driftView(&stack.Stack{ID: i.StackID}, m)
		out.Summaries = append(out.Summaries, api.StackInstanceResourceDriftsSummary{StackId: v.StackId, LogicalResourceId: v.LogicalResourceId,
			PhysicalResourceId: v.PhysicalResourceId, ResourceType: v.ResourceType, StackResourceDriftStatus: v.StackResourceDriftStatus,
			PropertyDifferences: v.PropertyDifferences, Timestamp: v.Timestamp})
	}
	return out, err
}
