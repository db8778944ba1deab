package autoscaling

import (
	"testing"

	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// Requests that are wrong get AWS's answer.
func TestRefusals(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(1))
	l.settle("g")
	group := func(change func(*api.CreateAutoScalingGroupInput)) any {
		return newGroup(func(in *api.CreateAutoScalingGroupInput) { in.AutoScalingGroupName = ptr("n") }, change)
	}
	policy := func(change func(*api.PutScalingPolicyInput)) any {
		in := &api.PutScalingPolicyInput{AutoScalingGroupName: ptr("g"), PolicyName: ptr("p"), AdjustmentType: ptr(changeInCapacity)}
		change(in)
		return in
	}
	hook := func(change func(*api.PutLifecycleHookInput)) any {
		in := &api.PutLifecycleHookInput{AutoScalingGroupName: ptr("g"), LifecycleHookName: ptr("h"), LifecycleTransition: ptr(launching)}
		change(in)
		return in
	}
	for _, c := range []struct {
		name, operation string
		in              any
		want            string
	}{
		{"taken", "CreateAutoScalingGroup", newGroup(), "AlreadyExists: AutoScalingGroup by this name already exists - A group with the name g already exists"},
		{"colon", "CreateAutoScalingGroup", newGroup(func(in *api.CreateAutoScalingGroupInput) { in.AutoScalingGroupName = ptr("a:b") }), "ValidationError: Invalid AutoScalingGroupName: a:b. The name must not contain a colon."},
		{"no source", "CreateAutoScalingGroup", group(func(in *api.CreateAutoScalingGroupInput) { in.LaunchConfigurationName = nil }), "ValidationError: Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter."},
		{"unknown configuration", "CreateAutoScalingGroup", group(func(in *api.CreateAutoScalingGroupInput) { in.LaunchConfigurationName = ptr("x") }), "ValidationError: Launch configuration name not found - A launch configuration with the name: x does not exist"},
		{"no place", "CreateAutoScalingGroup", group(func(in *api.CreateAutoScalingGroupInput) { in.VPCZoneIdentifier = nil }), "ValidationError: At least one Availability Zone or VPC Subnet is required."},
		{"unknown subnet", "CreateAutoScalingGroup", group(func(in *api.CreateAutoScalingGroupInput) { in.VPCZoneIdentifier = ptr("subnet-x") }), "ValidationError: The subnet ID 'subnet-x' does not exist"},
		{"unknown zone", "CreateAutoScalingGroup", group(func(in *api.CreateAutoScalingGroupInput) {
			in.VPCZoneIdentifier, in.AvailabilityZones = nil, []string{"us-east-1z"}
		}), "ValidationError: Invalid availability zones: [us-east-1z]"},
		{"sizes", "CreateAutoScalingGroup", group(func(in *api.CreateAutoScalingGroupInput) { in.MinSize = ptr[int32](5) }), "ValidationError: Max bound, 4, must be greater than or equal to min bound, 5"},
		{"desired", "CreateAutoScalingGroup", group(size(9)), "ValidationError: Desired capacity:9 must be between the specified min size:0 and max size:4"},
		{"unknown target group", "CreateAutoScalingGroup", group(func(in *api.CreateAutoScalingGroupInput) { in.TargetGroupARNs = []string{targetGroup + "0"} }), "ValidationError: Provided Target Groups may not be valid. Please ensure they exist and try again."},
		{"unknown template", "CreateAutoScalingGroup", group(func(in *api.CreateAutoScalingGroupInput) {
			in.LaunchConfigurationName, in.LaunchTemplate = nil, &api.LaunchTemplateSpecification{LaunchTemplateName: ptr("none")}
		}), "ValidationError: You must use a valid fully-formed launch template. The specified launch template, with template name none, does not exist."},
		{"spot", "CreateAutoScalingGroup", group(func(in *api.CreateAutoScalingGroupInput) {
			in.LaunchConfigurationName, in.MixedInstancesPolicy = nil, &api.MixedInstancesPolicy{InstancesDistribution: &api.InstancesDistribution{OnDemandPercentageAboveBaseCapacity: ptr[int32](0)},
				LaunchTemplate: &api.LaunchTemplate{LaunchTemplateSpecification: &api.LaunchTemplateSpecification{LaunchTemplateName: ptr("web")}}}
		}), "NotImplemented: hardstand does not implement InstancesDistribution.OnDemandPercentageAboveBaseCapacity below 100 (spot instances) of Auto Scaling."},
		{"placement group", "CreateAutoScalingGroup", group(func(in *api.CreateAutoScalingGroupInput) { in.PlacementGroup = ptr("p") }), "NotImplemented: hardstand does not implement PlacementGroup of Auto Scaling."},
		{"reservation", "CreateAutoScalingGroup", group(func(in *api.CreateAutoScalingGroupInput) {
			in.CapacityReservationSpecification = &api.CapacityReservationSpecification{CapacityReservationPreference: "default",
				CapacityReservationTarget: &api.CapacityReservationTarget{CapacityReservationIds: []string{"cr-1"}}}
		}), "NotImplemented: hardstand does not implement CapacityReservationSpecification of Auto Scaling."},
		{"health", "CreateAutoScalingGroup", group(func(in *api.CreateAutoScalingGroupInput) { in.HealthCheckType = ptr("X") }), "ValidationError: Invalid HealthCheckType: X"},
		{"update of none", "UpdateAutoScalingGroup", &api.UpdateAutoScalingGroupInput{AutoScalingGroupName: ptr("n")}, "ValidationError: AutoScalingGroup name not found - null"},
		{"deletion of none", "DeleteAutoScalingGroup", &api.DeleteAutoScalingGroupInput{AutoScalingGroupName: ptr("n")}, "ValidationError: AutoScalingGroup name not found - AutoScalingGroup 'n' not found"},
		{"deletion with instances", "DeleteAutoScalingGroup", &api.DeleteAutoScalingGroupInput{AutoScalingGroupName: ptr("g")}, "ResourceInUse: You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group."},
		{"too many", "SetDesiredCapacity", &api.SetDesiredCapacityInput{AutoScalingGroupName: ptr("g"), DesiredCapacity: ptr[int32](5)}, "ValidationError: New SetDesiredCapacity value 5 is above max value 4 for the AutoScalingGroup."},
		{"cooldown", "SetDesiredCapacity", &api.SetDesiredCapacityInput{AutoScalingGroupName: ptr("g"), DesiredCapacity: ptr[int32](2), HonorCooldown: ptr(true)}, "ScalingActivityInProgress: The group is in its cooldown for another 300 seconds and that blocks this action."},
		{"configuration in use", "DeleteLaunchConfiguration", &api.DeleteLaunchConfigurationInput{LaunchConfigurationName: ptr("g")}, "ResourceInUse: Cannot delete launch configuration g because it is attached to AutoScalingGroup g"},
		{"spot price", "CreateLaunchConfiguration", &api.CreateLaunchConfigurationInput{LaunchConfigurationName: ptr("n"), SpotPrice: ptr("1")}, "NotImplemented: hardstand does not implement SpotPrice of Auto Scaling."},
		{"user data", "CreateLaunchConfiguration", &api.CreateLaunchConfigurationInput{LaunchConfigurationName: ptr("n"), ImageId: ptr("ami-1"), InstanceType: ptr("t"), UserData: ptr("%")}, "ValidationError: Invalid base64 user data."},
		{"not in service", "ExitStandby", &api.ExitStandbyInput{AutoScalingGroupName: ptr("g"), InstanceIds: []string{instance(1)}}, "ValidationError: The instance " + instance(1) + " is not in Standby."},
		{"below the minimum", "TerminateInstanceInAutoScalingGroup", &api.TerminateInstanceInAutoScalingGroupInput{InstanceId: ptr("i-0"), ShouldDecrementDesiredCapacity: ptr(true)}, "ValidationError: Instance Id not found - No managed instance found for instance ID: i-0"},
		{"attached twice", "AttachInstances", &api.AttachInstancesInput{AutoScalingGroupName: ptr("g"), InstanceIds: []string{instance(1)}}, "ValidationError: Instance " + instance(1) + " is already part of AutoScalingGroup:g"},
		{"policy of none", "PutScalingPolicy", &api.PutScalingPolicyInput{AutoScalingGroupName: ptr("n"), PolicyName: ptr("p"), AdjustmentType: ptr(changeInCapacity), ScalingAdjustment: ptr[int32](1)}, "ValidationError: Group n not found"},
		{"cooldown of steps", "PutScalingPolicy", policy(func(in *api.PutScalingPolicyInput) { in.PolicyType, in.Cooldown = ptr(stepScaling), ptr[int32](1) }), "ValidationError: Cooldown is only supported for policy type: SimpleScaling"},
		{"steps that overlap", "PutScalingPolicy", policy(func(in *api.PutScalingPolicyInput) {
			in.PolicyType, in.StepAdjustments = ptr(stepScaling), []api.StepAdjustment{{MetricIntervalLowerBound: ptr(0.0), MetricIntervalUpperBound: ptr(2.0), ScalingAdjustment: ptr[int32](1)}, {MetricIntervalLowerBound: ptr(1.0), ScalingAdjustment: ptr[int32](1)}}
		}), "ValidationError: StepAdjustment intervals can't overlap"},
		{"predictive", "PutScalingPolicy", policy(func(in *api.PutScalingPolicyInput) { in.PolicyType = ptr(predictiveScaling) }), "NotImplemented: hardstand does not implement predictive scaling of Auto Scaling."},
		{"transition", "PutLifecycleHook", hook(func(in *api.PutLifecycleHookInput) { in.LifecycleTransition = ptr("x") }), "ValidationError: Lifecycle Transition of type x is not supported. Supported types are: [autoscaling:EC2_INSTANCE_LAUNCHING, autoscaling:EC2_INSTANCE_TERMINATING]"},
		{"target without role", "PutLifecycleHook", hook(func(in *api.PutLifecycleHookInput) { in.NotificationTargetARN = ptr(topic) }), "ValidationError: A RoleARN must be specified with a NotificationTargetARN."},
		{"queue that is not there", "PutLifecycleHook", hook(func(in *api.PutLifecycleHookInput) {
			in.NotificationTargetARN, in.RoleARN = ptr("arn:aws:sqs:us-east-1:123456789012:q"), ptr("arn:aws:iam::123456789012:role/r")
		}), "ValidationError: Unable to publish test message to notification target arn:aws:sqs:us-east-1:123456789012:q using IAM role arn:aws:iam::123456789012:role/r. Please check your target and role configuration and try to put lifecycle hook again."},
		{"no action", "CompleteLifecycleAction", &api.CompleteLifecycleActionInput{AutoScalingGroupName: ptr("g"), LifecycleHookName: ptr("x"), InstanceId: ptr(instance(1)), LifecycleActionResult: ptr("CONTINUE")}, "ValidationError: No Lifecycle Hook found with name x"},
		{"tags of none", "CreateOrUpdateTags", &api.CreateOrUpdateTagsInput{Tags: []api.Tag{{ResourceId: ptr("n"), ResourceType: ptr(groupResource), Key: ptr("a")}}}, "ValidationError: AutoScalingGroup not found - AutoScaling Group n not found"},
		{"schedule in the past", "PutScheduledUpdateGroupAction", &api.PutScheduledUpdateGroupActionInput{AutoScalingGroupName: ptr("g"), ScheduledActionName: ptr("s"), DesiredCapacity: ptr[int32](1), StartTime: ptr(start.AddDate(0, 0, -1))}, "ValidationError: Given start time is in the past"},
		{"no refresh", "CancelInstanceRefresh", &api.CancelInstanceRefreshInput{AutoScalingGroupName: ptr("g")}, "ActiveInstanceRefreshNotFound: No in progress or pending Instance Refresh found for Auto Scaling group g"},
		{"warm pool metric", "EnableMetricsCollection", &api.EnableMetricsCollectionInput{AutoScalingGroupName: ptr("g"), Granularity: ptr(oneMinute), Metrics: []string{"WarmPoolMinSize"}}, "ValidationError: Metrics collection type WarmPoolMinSize is not supported. Supported types are [GroupMinSize GroupMaxSize GroupDesiredCapacity GroupInServiceInstances GroupPendingInstances GroupStandbyInstances GroupTerminatingInstances GroupTotalInstances]"},
		{"warm pools", "PutWarmPool", &api.PutWarmPoolInput{AutoScalingGroupName: ptr("g")}, "NotImplemented: hardstand does not implement autoscaling:PutWarmPool."},
	} {
		if _, err := l.Server.Invoke(l.Ctx, signing, c.operation, c.in); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v\nwant %s", c.name, err, c.want)
		}
	}
}
