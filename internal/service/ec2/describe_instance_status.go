package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
)

// DescribeInstanceStatus reports the checks. A machine that runs has passed them:
// its first process answered. One that only exists on paper has insufficient data.
func (s *Service) DescribeInstanceStatus(ctx context.Context, in *api.DescribeInstanceStatusInput) (*api.DescribeInstanceStatusOutput, error) {
	c := aws.CallFrom(ctx)
	err := checkFilters(in.Filters, append([]string{"instance-state-name", "instance-state-code", "availability-zone", "instance-status.status",
		"system-status.status", "instance-status.reachability", "system-status.reachability", "operator.managed"}, neverStatus...)...)
	if err != nil {
		return nil, err
	}
	rows, _, err := s.selectInstances(ctx, c, in.InstanceIds, nil)
	if err != nil {
		return nil, err
	}
	list := []api.InstanceStatus{}
	for _, r := range rows {
		if r.State != stateRunning && !aws.Val(in.IncludeAllInstances) {
			continue
		}
		status, reach := s.checks(r)
		f := fields{
			"instance-state-name": {r.State}, "instance-state-code": {itoa(stateCodes[r.State])}, "availability-zone": {r.Zone},
			"instance-status.status": {status}, "system-status.status": {status}, "instance-status.reachability": {reach}, "system-status.reachability": {reach},
			"operator.managed": {"false"},
		}
		if !f.matches(in.Filters) {
			continue
		}
		summary := api.InstanceStatusSummary{Status: api.SummaryStatus(status), Details: []api.InstanceStatusDetails{{Name: "reachability", Status: api.StatusType(reach)}}}
		if r.State != stateRunning {
			summary.Details = nil
		}
		list = append(list, api.InstanceStatus{
			AvailabilityZone: aws.Ptr(r.Zone), InstanceId: aws.Ptr(r.ID), InstanceState: apiState(r.State),
			InstanceStatus: aws.Ptr(summary), SystemStatus: aws.Ptr(summary),
		})
	}
	list, next, err := paginate(list, func(i api.InstanceStatus) string { return *i.InstanceId }, in.NextToken, in.MaxResults)
	return &api.DescribeInstanceStatusOutput{InstanceStatuses: list, NextToken: next}, err
}

func (s *Service) checks(r *instance) (status, reachability string) {
	switch {
	case r.State != stateRunning:
		return "not-applicable", ""
	case s.fake:
		return "insufficient-data", "insufficient-data"
	}
	return "ok", "passed"
}
