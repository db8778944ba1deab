package autoscaling

import (
	"context"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// Wire lists the operations. Descriptions are judged on "*", as on AWS.
func (s *Service) Wire() wire.Service {
	ops := append(s.descriptions(), s.groupOperations()...)
	return wire.Service{Model: api.Model(), Operations: wire.Completed(append(ops, s.otherOperations()...), s.groupTagCheck)}
}

func (s *Service) descriptions() []wire.Operation {
	return []wire.Operation{
		wire.Op("DescribeAccountLimits", "autoscaling:DescribeAccountLimits", s.DescribeAccountLimits, nil),
		wire.Op("DescribeAdjustmentTypes", "autoscaling:DescribeAdjustmentTypes", s.DescribeAdjustmentTypes, nil),
		wire.Op("DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingGroups", s.DescribeAutoScalingGroups, nil),
		wire.Op("DescribeAutoScalingInstances", "autoscaling:DescribeAutoScalingInstances", s.DescribeAutoScalingInstances, nil),
		wire.Op("DescribeAutoScalingNotificationTypes", "autoscaling:DescribeAutoScalingNotificationTypes", s.DescribeAutoScalingNotificationTypes, nil),
		wire.Op("DescribeInstanceRefreshes", "autoscaling:DescribeInstanceRefreshes", s.DescribeInstanceRefreshes, nil),
		wire.Op("DescribeLaunchConfigurations", "autoscaling:DescribeLaunchConfigurations", s.DescribeLaunchConfigurations, nil),
		wire.Op("DescribeLifecycleHooks", "autoscaling:DescribeLifecycleHooks", s.DescribeLifecycleHooks, nil),
		wire.Op("DescribeLifecycleHookTypes", "autoscaling:DescribeLifecycleHookTypes", s.DescribeLifecycleHookTypes, nil),
		wire.Op("DescribeLoadBalancers", "autoscaling:DescribeLoadBalancers", s.DescribeLoadBalancers, nil),
		wire.Op("DescribeLoadBalancerTargetGroups", "autoscaling:DescribeLoadBalancerTargetGroups", s.DescribeLoadBalancerTargetGroups, nil),
		wire.Op("DescribeMetricCollectionTypes", "autoscaling:DescribeMetricCollectionTypes", s.DescribeMetricCollectionTypes, nil),
		wire.Op("DescribeNotificationConfigurations", "autoscaling:DescribeNotificationConfigurations", s.DescribeNotificationConfigurations, nil),
		wire.Op("DescribePolicies", "autoscaling:DescribePolicies", s.DescribePolicies, nil),
		wire.Op("DescribeScalingActivities", "autoscaling:DescribeScalingActivities", s.DescribeScalingActivities, nil),
		wire.Op("DescribeScalingProcessTypes", "autoscaling:DescribeScalingProcessTypes", s.DescribeScalingProcessTypes, nil),
		wire.Op("DescribeScheduledActions", "autoscaling:DescribeScheduledActions", s.DescribeScheduledActions, nil),
		wire.Op("DescribeTags", "autoscaling:DescribeTags", s.DescribeTags, nil),
		wire.Op("DescribeTerminationPolicyTypes", "autoscaling:DescribeTerminationPolicyTypes", s.DescribeTerminationPolicyTypes, nil),
		wire.Op("DescribeTrafficSources", "autoscaling:DescribeTrafficSources", s.DescribeTrafficSources, nil),
	}
}

func (s *Service) groupOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("CreateAutoScalingGroup", "autoscaling:CreateAutoScalingGroup", s.CreateAutoScalingGroup, s.creating),
		wire.Op("UpdateAutoScalingGroup", "autoscaling:UpdateAutoScalingGroup", s.UpdateAutoScalingGroup, s.updating),
		wire.Op("DeleteAutoScalingGroup", "autoscaling:DeleteAutoScalingGroup", s.DeleteAutoScalingGroup, s.deleting),
		wire.Op("SetDesiredCapacity", "autoscaling:SetDesiredCapacity", s.SetDesiredCapacity, onGroup(s, func(in *api.SetDesiredCapacityInput) *string { return in.AutoScalingGroupName })),
		wire.Op("SuspendProcesses", "autoscaling:SuspendProcesses", s.SuspendProcesses, onGroup(s, func(in *api.SuspendProcessesInput) *string { return in.AutoScalingGroupName })),
		wire.Op("ResumeProcesses", "autoscaling:ResumeProcesses", s.ResumeProcesses, onGroup(s, func(in *api.ResumeProcessesInput) *string { return in.AutoScalingGroupName })),
		wire.Op("EnterStandby", "autoscaling:EnterStandby", s.EnterStandby, onGroup(s, func(in *api.EnterStandbyInput) *string { return in.AutoScalingGroupName })),
		wire.Op("ExitStandby", "autoscaling:ExitStandby", s.ExitStandby, onGroup(s, func(in *api.ExitStandbyInput) *string { return in.AutoScalingGroupName })),
		wire.Op("AttachInstances", "autoscaling:AttachInstances", s.AttachInstances, onGroup(s, func(in *api.AttachInstancesInput) *string { return in.AutoScalingGroupName })),
		wire.Op("DetachInstances", "autoscaling:DetachInstances", s.DetachInstances, onGroup(s, func(in *api.DetachInstancesInput) *string { return in.AutoScalingGroupName })),
		wire.Op("SetInstanceProtection", "autoscaling:SetInstanceProtection", s.SetInstanceProtection, onGroup(s, func(in *api.SetInstanceProtectionInput) *string { return in.AutoScalingGroupName })),
		wire.Op("TerminateInstanceInAutoScalingGroup", "autoscaling:TerminateInstanceInAutoScalingGroup", s.TerminateInstanceInAutoScalingGroup,
			onMember(s, func(in *api.TerminateInstanceInAutoScalingGroupInput) string { return *in.InstanceId })),
		wire.Op("SetInstanceHealth", "autoscaling:SetInstanceHealth", s.SetInstanceHealth, onMember(s, func(in *api.SetInstanceHealthInput) string { return *in.InstanceId })),
		wire.Op("AttachLoadBalancers", "autoscaling:AttachLoadBalancers", s.AttachLoadBalancers, withKey(onGroup(s, func(in *api.AttachLoadBalancersInput) *string { return in.AutoScalingGroupName }),
			"autoscaling:LoadBalancerNames", func(in *api.AttachLoadBalancersInput) []string { return in.LoadBalancerNames })),
		wire.Op("DetachLoadBalancers", "autoscaling:DetachLoadBalancers", s.DetachLoadBalancers, withKey(onGroup(s, func(in *api.DetachLoadBalancersInput) *string { return in.AutoScalingGroupName }),
			"autoscaling:LoadBalancerNames", func(in *api.DetachLoadBalancersInput) []string { return in.LoadBalancerNames })),
		wire.Op("AttachLoadBalancerTargetGroups", "autoscaling:AttachLoadBalancerTargetGroups", s.AttachLoadBalancerTargetGroups,
			withKey(onGroup(s, func(in *api.AttachLoadBalancerTargetGroupsInput) *string { return in.AutoScalingGroupName }),
				"autoscaling:TargetGroupARNs", func(in *api.AttachLoadBalancerTargetGroupsInput) []string { return in.TargetGroupARNs })),
		wire.Op("DetachLoadBalancerTargetGroups", "autoscaling:DetachLoadBalancerTargetGroups", s.DetachLoadBalancerTargetGroups,
			withKey(onGroup(s, func(in *api.DetachLoadBalancerTargetGroupsInput) *string { return in.AutoScalingGroupName }),
				"autoscaling:TargetGroupARNs", func(in *api.DetachLoadBalancerTargetGroupsInput) []string { return in.TargetGroupARNs })),
		wire.Op("AttachTrafficSources", "autoscaling:AttachTrafficSources", s.AttachTrafficSources, withKey(onGroup(s, func(in *api.AttachTrafficSourcesInput) *string { return in.AutoScalingGroupName }),
			"autoscaling:TrafficSourceIdentifiers", func(in *api.AttachTrafficSourcesInput) []string { return identifiers(in.TrafficSources) })),
		wire.Op("DetachTrafficSources", "autoscaling:DetachTrafficSources", s.DetachTrafficSources, withKey(onGroup(s, func(in *api.DetachTrafficSourcesInput) *string { return in.AutoScalingGroupName }),
			"autoscaling:TrafficSourceIdentifiers", func(in *api.DetachTrafficSourcesInput) []string { return identifiers(in.TrafficSources) })),
	}
}

func (s *Service) otherOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("CreateLaunchConfiguration", "autoscaling:CreateLaunchConfiguration", s.CreateLaunchConfiguration, s.configuring),
		wire.Op("DeleteLaunchConfiguration", "autoscaling:DeleteLaunchConfiguration", s.DeleteLaunchConfiguration,
			func(ctx context.Context, in *api.DeleteLaunchConfigurationInput) ([]aws.Check, error) {
				return []aws.Check{{Resource: s.configurationARN(ctx, *in.LaunchConfigurationName)}}, nil
			}),
		wire.Op("CreateOrUpdateTags", "autoscaling:CreateOrUpdateTags", s.CreateOrUpdateTags, s.onTagged(func(in *api.CreateOrUpdateTagsInput) []api.Tag { return in.Tags })),
		wire.Op("DeleteTags", "autoscaling:DeleteTags", s.DeleteTags, s.onUntagged),
		wire.Op("PutLifecycleHook", "autoscaling:PutLifecycleHook", s.PutLifecycleHook, s.hooking),
		wire.Op("DeleteLifecycleHook", "autoscaling:DeleteLifecycleHook", s.DeleteLifecycleHook, onGroup(s, func(in *api.DeleteLifecycleHookInput) *string { return in.AutoScalingGroupName })),
		wire.Op("CompleteLifecycleAction", "autoscaling:CompleteLifecycleAction", s.CompleteLifecycleAction, onGroup(s, func(in *api.CompleteLifecycleActionInput) *string { return in.AutoScalingGroupName })),
		wire.Op("RecordLifecycleActionHeartbeat", "autoscaling:RecordLifecycleActionHeartbeat", s.RecordLifecycleActionHeartbeat,
			onGroup(s, func(in *api.RecordLifecycleActionHeartbeatInput) *string { return in.AutoScalingGroupName })),
		wire.Op("PutNotificationConfiguration", "autoscaling:PutNotificationConfiguration", s.PutNotificationConfiguration,
			onGroup(s, func(in *api.PutNotificationConfigurationInput) *string { return in.AutoScalingGroupName })),
		wire.Op("DeleteNotificationConfiguration", "autoscaling:DeleteNotificationConfiguration", s.DeleteNotificationConfiguration,
			onGroup(s, func(in *api.DeleteNotificationConfigurationInput) *string { return in.AutoScalingGroupName })),
		wire.Op("PutScalingPolicy", "autoscaling:PutScalingPolicy", s.PutScalingPolicy, onGroup(s, func(in *api.PutScalingPolicyInput) *string { return in.AutoScalingGroupName })),
		wire.Op("DeletePolicy", "autoscaling:DeletePolicy", s.DeletePolicy, onPolicy(s, func(in *api.DeletePolicyInput) (*string, string) { return in.AutoScalingGroupName, *in.PolicyName })),
		wire.Op("ExecutePolicy", "autoscaling:ExecutePolicy", s.ExecutePolicy, onPolicy(s, func(in *api.ExecutePolicyInput) (*string, string) { return in.AutoScalingGroupName, *in.PolicyName })),
		wire.Op("PutScheduledUpdateGroupAction", "autoscaling:PutScheduledUpdateGroupAction", s.PutScheduledUpdateGroupAction,
			withKey(withKey(onGroup(s, func(in *api.PutScheduledUpdateGroupActionInput) *string { return in.AutoScalingGroupName }),
				"autoscaling:MinSize", func(in *api.PutScheduledUpdateGroupActionInput) []string { return number(in.MinSize) }),
				"autoscaling:MaxSize", func(in *api.PutScheduledUpdateGroupActionInput) []string { return number(in.MaxSize) })),
		wire.Op("BatchPutScheduledUpdateGroupAction", "autoscaling:BatchPutScheduledUpdateGroupAction", s.BatchPutScheduledUpdateGroupAction,
			onGroup(s, func(in *api.BatchPutScheduledUpdateGroupActionInput) *string { return in.AutoScalingGroupName })),
		wire.Op("DeleteScheduledAction", "autoscaling:DeleteScheduledAction", s.DeleteScheduledAction, onGroup(s, func(in *api.DeleteScheduledActionInput) *string { return in.AutoScalingGroupName })),
		wire.Op("BatchDeleteScheduledAction", "autoscaling:BatchDeleteScheduledAction", s.BatchDeleteScheduledAction,
			onGroup(s, func(in *api.BatchDeleteScheduledActionInput) *string { return in.AutoScalingGroupName })),
		wire.Op("EnableMetricsCollection", "autoscaling:EnableMetricsCollection", s.EnableMetricsCollection, onGroup(s, func(in *api.EnableMetricsCollectionInput) *string { return in.AutoScalingGroupName })),
		wire.Op("DisableMetricsCollection", "autoscaling:DisableMetricsCollection", s.DisableMetricsCollection, onGroup(s, func(in *api.DisableMetricsCollectionInput) *string { return in.AutoScalingGroupName })),
		wire.Op("StartInstanceRefresh", "autoscaling:StartInstanceRefresh", s.StartInstanceRefresh, s.refreshing),
		wire.Op("CancelInstanceRefresh", "autoscaling:CancelInstanceRefresh", s.CancelInstanceRefresh, onGroup(s, func(in *api.CancelInstanceRefreshInput) *string { return in.AutoScalingGroupName })),
		wire.Op("RollbackInstanceRefresh", "autoscaling:RollbackInstanceRefresh", s.RollbackInstanceRefresh, onGroup(s, func(in *api.RollbackInstanceRefreshInput) *string { return in.AutoScalingGroupName })),
	}
}

// groupTagCheck adds the tags of a group to the check on it.
func (s *Service) groupTagCheck(ctx context.Context, _ any, check *aws.Check) error {
	_, name, ok := strings.Cut(check.Resource, ":autoScalingGroupName/")
	if !ok {
		return nil
	}
	return s.view(ctx, func(tx *store.Tx) error {
		g, err := groups.Get(tx, key(aws.CallFrom(ctx), name))
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, t := range g.Tags {
			check.OfferTag(t.Key, t.Value)
			check.Offer("autoscaling:ResourceTag/"+t.Key, t.Value)
		}
		return nil
	})
}
