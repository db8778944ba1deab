package autoscaling

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/store"
)

// oneMinute is the only granularity of group metrics.
const oneMinute = "1Minute"

// The adjustment types of policies.
const (
	changeInCapacity  = "ChangeInCapacity"
	exactCapacity     = "ExactCapacity"
	percentOfCapacity = "PercentChangeInCapacity"
)

// The events that notifications tell of.
const (
	launchEvent         = "autoscaling:EC2_INSTANCE_LAUNCH"
	launchErrorEvent    = "autoscaling:EC2_INSTANCE_LAUNCH_ERROR"
	terminateEvent      = "autoscaling:EC2_INSTANCE_TERMINATE"
	terminateErrorEvent = "autoscaling:EC2_INSTANCE_TERMINATE_ERROR"
	testEvent           = "autoscaling:TEST_NOTIFICATION"
)

// The transitions of hooks.
const (
	launching   = "autoscaling:EC2_INSTANCE_LAUNCHING"
	terminating = "autoscaling:EC2_INSTANCE_TERMINATING"
)

// DescribeAccountLimits tells quotas and their use.
func (s *Service) DescribeAccountLimits(ctx context.Context, _ *api.DescribeAccountLimitsInput) (*api.DescribeAccountLimitsOutput, error) {
	all := scope(key(aws.CallFrom(ctx), ""))
	out := &api.DescribeAccountLimitsOutput{MaxNumberOfAutoScalingGroups: ptr[int32](maxGroups), MaxNumberOfLaunchConfigurations: ptr[int32](maxConfigurations)}
	return out, s.view(ctx, func(tx *store.Tx) error {
		g, err := groups.List(tx, all, "", 0)
		if err != nil {
			return err
		}
		c, err := configurations.List(tx, all, "", 0)
		out.NumberOfAutoScalingGroups, out.NumberOfLaunchConfigurations = ptr(int32(len(g))), ptr(int32(len(c)))
		return err
	})
}

// DescribeAdjustmentTypes lists the ways in which policies adjust.
func (s *Service) DescribeAdjustmentTypes(context.Context, *api.DescribeAdjustmentTypesInput) (*api.DescribeAdjustmentTypesOutput, error) {
	out := &api.DescribeAdjustmentTypesOutput{}
	for _, t := range []string{changeInCapacity, exactCapacity, percentOfCapacity} {
		out.AdjustmentTypes = append(out.AdjustmentTypes, api.AdjustmentType{AdjustmentType: &t})
	}
	return out, nil
}

// DescribeAutoScalingNotificationTypes lists the events of notifications.
func (s *Service) DescribeAutoScalingNotificationTypes(context.Context, *api.DescribeAutoScalingNotificationTypesInput) (*api.DescribeAutoScalingNotificationTypesOutput, error) {
	return &api.DescribeAutoScalingNotificationTypesOutput{AutoScalingNotificationTypes: notificationTypes}, nil
}

var notificationTypes = []string{launchEvent, launchErrorEvent, terminateEvent, terminateErrorEvent, testEvent}

// DescribeLifecycleHookTypes lists the transitions of hooks.
func (s *Service) DescribeLifecycleHookTypes(context.Context, *api.DescribeLifecycleHookTypesInput) (*api.DescribeLifecycleHookTypesOutput, error) {
	return &api.DescribeLifecycleHookTypesOutput{LifecycleHookTypes: []string{launching, terminating}}, nil
}

// DescribeMetricCollectionTypes lists the metrics that groups can have.
func (s *Service) DescribeMetricCollectionTypes(context.Context, *api.DescribeMetricCollectionTypesInput) (*api.DescribeMetricCollectionTypesOutput, error) {
	out := &api.DescribeMetricCollectionTypesOutput{Granularities: []api.MetricGranularityType{{Granularity: ptr(oneMinute)}}}
	for _, m := range groupMetrics {
		out.Metrics = append(out.Metrics, api.MetricCollectionType{Metric: &m})
	}
	return out, nil
}

// The processes that can be suspended.
const (
	processAddToBalancer = "AddToLoadBalancer"
	processAlarms        = "AlarmNotification"
	processRebalance     = "AZRebalance"
	processHealth        = "HealthCheck"
	processRefresh       = "InstanceRefresh"
	processLaunch        = "Launch"
	processReplace       = "ReplaceUnhealthy"
	processSchedule      = "ScheduledActions"
	processTerminate     = "Terminate"
)

var processes = []string{processRebalance, processAddToBalancer, processAlarms, processHealth, processRefresh, processLaunch, processReplace, processSchedule, processTerminate}

// DescribeScalingProcessTypes lists the processes that can be suspended.
func (s *Service) DescribeScalingProcessTypes(context.Context, *api.DescribeScalingProcessTypesInput) (*api.DescribeScalingProcessTypesOutput, error) {
	out := &api.DescribeScalingProcessTypesOutput{}
	for _, p := range processes {
		out.Processes = append(out.Processes, api.ProcessType{ProcessName: &p})
	}
	return out, nil
}

// DescribeTerminationPolicyTypes lists the termination policies.
func (s *Service) DescribeTerminationPolicyTypes(context.Context, *api.DescribeTerminationPolicyTypesInput) (*api.DescribeTerminationPolicyTypesOutput, error) {
	return &api.DescribeTerminationPolicyTypesOutput{TerminationPolicyTypes: terminationPolicies}, nil
}
