package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

// detection is a row of cfn.detection: one run of DetectStackDrift; the key's ID is
// its id.
type detection struct {
	StackID, Status, Reason, Drift string
	Drifted                        int32
	Time                           time.Time
}

var detections = &store.Table[detection]{Name: "cfn.detection", Version: 1, Indexes: []store.Index[detection]{
	{Name: "stack", Value: func(_ store.Key, d *detection) []string { return []string{d.StackID} }},
	store.TimeIndex("time", func(d *detection) time.Time { return d.Time }),
}}

// driftable finds a stack whose status lets its drift be detected.
func (s *Service) driftable(ctx context.Context, name *string) (*stack.Stack, error) {
	st, err := s.find(ctx, name, noStack)
	if err == nil && !stack.Driftable(st.Status) {
		err = invalid("Drift detection cannot be performed on stack [%s] while it is in %s state", st.ID, st.Status)
	}
	return st, err
}

// DetectStackDrift compares a stack's resources with what they are. It answers when
// it is done: reading is quick here, and whoever polls sees a detection that is
// complete.
func (s *Service) DetectStackDrift(ctx context.Context, in *api.DetectStackDriftInput) (*api.DetectStackDriftOutput, error) {
	st, err := s.driftable(ctx, in.StackName)
	if err != nil {
		return nil, err
	}
	if err := s.haveResources(ctx, st, in.LogicalResourceIds); err != nil {
		return nil, err
	}
	found, failed, err := s.engine.DetectDrift(ctx, st, in.LogicalResourceIds)
	if err != nil {
		return nil, err
	}
	d := &detection{StackID: st.ID, Status: "DETECTION_COMPLETE", Drift: stack.InSync}
	for _, m := range found {
		if m.Drift.Status == stack.Modified || m.Drift.Status == stack.Deleted {
			d.Drifted++
			d.Drift = stack.Drifted
		}
	}
	if len(failed) > 0 {
		d.Status = "DETECTION_FAILED"
		d.Reason = fmt.Sprintf("Failed to detect drift on resource [%s]: %s", strings.Join(slices.Sorted(maps.Keys(failed)), ", "), firstReason(failed))
	}
	id := ids.UUID()
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		d.Time = tx.Now()
		return detections.Insert(tx, store.Key{Account: st.Account, Region: st.Region, ID: id}, d)
	})
	return &api.DetectStackDriftOutput{StackDriftDetectionId: &id}, err
}

func firstReason(failed map[string]error) string {
	return failed[slices.Min(slices.Collect(maps.Keys(failed)))].Error()
}

func (s *Service) haveResources(ctx context.Context, st *stack.Stack, wanted []string) error {
	list, err := s.members(ctx, st)
	if err != nil {
		return err
	}
	for _, id := range wanted {
		if !slices.ContainsFunc(list, func(m *stack.Member) bool { return m.LogicalID == id }) {
			return invalid("Resource %s does not exist for stack %s", id, st.Name)
		}
	}
	return nil
}

// DetectStackResourceDrift compares one resource.
func (s *Service) DetectStackResourceDrift(ctx context.Context, in *api.DetectStackResourceDriftInput) (*api.DetectStackResourceDriftOutput, error) {
	st, err := s.driftable(ctx, in.StackName)
	if err != nil {
		return nil, err
	}
	id := aws.Val(in.LogicalResourceId)
	if err := s.haveResources(ctx, st, []string{id}); err != nil {
		return nil, err
	}
	found, failed, err := s.engine.DetectDrift(ctx, st, []string{id})
	switch {
	case err != nil:
		return nil, err
	case failed[id] != nil:
		return nil, asAWS(failed[id])
	case len(found) == 0:
		return nil, invalid("Resource %s does not exist for stack %s", id, st.Name)
	case found[0].Drift.Status == stack.NotChecked:
		return nil, invalid("Drift detection is not supported for resource type %s.", found[0].Type)
	}
	return &api.DetectStackResourceDriftOutput{StackResourceDrift: driftView(st, found[0])}, nil
}

func (s *Service) detection(ctx context.Context, id string) (*detection, error) {
	c := aws.CallFrom(ctx)
	var d *detection
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		d, err = detections.Get(tx, store.Key{Account: c.Account, Region: c.Region, ID: id})
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, invalid("Stack drift detection %s does not exist.", id)
	}
	return d, err
}

// DescribeStackDriftDetectionStatus says how a detection ended.
func (s *Service) DescribeStackDriftDetectionStatus(ctx context.Context, in *api.DescribeStackDriftDetectionStatusInput) (*api.DescribeStackDriftDetectionStatusOutput, error) {
	d, err := s.detection(ctx, aws.Val(in.StackDriftDetectionId))
	if err != nil {
		return nil, err
	}
	return &api.DescribeStackDriftDetectionStatusOutput{StackId: &d.StackID, StackDriftDetectionId: in.StackDriftDetectionId,
		DetectionStatus: api.StackDriftDetectionStatus(d.Status), DetectionStatusReason: optional(d.Reason), Timestamp: &d.Time,
		StackDriftStatus: api.StackDriftStatus(d.Drift), DriftedStackResourceCount: &d.Drifted}, nil
}
