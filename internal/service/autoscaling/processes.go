package autoscaling

import (
	"context"
	"fmt"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/store"
)

// chosenProcesses are those that a request names, or all.
func chosenProcesses(names []string) ([]string, error) {
	if len(names) == 0 {
		return processes, nil
	}
	for _, n := range names {
		if !slices.Contains(processes, n) {
			return nil, invalid("%s is not a valid scaling process. Valid values are %v", n, processes)
		}
	}
	return names, nil
}

// SuspendProcesses stops processes of a group until they are resumed.
func (s *Service) SuspendProcesses(ctx context.Context, in *api.SuspendProcessesInput) (*api.SuspendProcessesOutput, error) {
	names, err := chosenProcesses(in.ScalingProcesses)
	if err != nil {
		return nil, err
	}
	k := key(aws.CallFrom(ctx), *in.AutoScalingGroupName)
	return &api.SuspendProcessesOutput{}, s.changeGroup(ctx, k, "SuspendProcesses", func(tx *store.Tx, g *group) error {
		if g.Suspended == nil {
			g.Suspended = map[string]string{}
		}
		for _, n := range names {
			g.Suspended[n] = fmt.Sprintf("User suspended at %s", tx.Now().UTC().Format(stamp))
		}
		return nil
	})
}

// ResumeProcesses lets suspended processes go on.
func (s *Service) ResumeProcesses(ctx context.Context, in *api.ResumeProcessesInput) (*api.ResumeProcessesOutput, error) {
	names, err := chosenProcesses(in.ScalingProcesses)
	if err != nil {
		return nil, err
	}
	k := key(aws.CallFrom(ctx), *in.AutoScalingGroupName)
	return &api.ResumeProcessesOutput{}, s.changeGroup(ctx, k, "ResumeProcesses", func(_ *store.Tx, g *group) error {
		for _, n := range names {
			delete(g.Suspended, n)
		}
		g.Failures = 0
		return nil
	})
}
