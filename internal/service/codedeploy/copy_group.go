package codedeploy

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// With COPY_AUTO_SCALING_GROUP a blue/green deployment makes its replacement
// environment itself: an Auto Scaling group like the deployment group's, by another
// name and without load balancers. Its instances are green; in the end it takes the
// place of the original, which is deleted where the original instances are to be
// terminated. After a failure it stays, as on AWS, and the deployment says so.

// provisionTimeout is how long the new group may take to have its instances.
const provisionTimeout = time.Hour

// copies reports whether the configuration asks for a copy.
func copies(b *api.BlueGreenDeploymentConfiguration) bool {
	return b != nil && b.GreenFleetProvisioningOption != nil && b.GreenFleetProvisioningOption.Action == api.GreenFleetProvisioningActionCopyAutoScalingGroup
}

// provisioning reports whether the replacement environment is still to be made.
func (d *deployment) provisioning() bool {
	return d.blueGreen() && d.BlueGreen.Original != "" && !d.BlueGreen.Provisioned && !d.BlueGreen.Back
}

func (d *deployment) replacement() string { return "CodeDeploy_" + d.GroupName + "_" + d.ID }

// provision makes the new group, or sees how far it is. The deployment goes on when
// its instances are in service.
func (s *Service) provision(ctx context.Context, k store.Key, d *deployment) error {
	ready, why, err := s.replace(ctx, k, d)
	if err != nil {
		return err
	}
	now := s.clock.Now()
	if why == nil && !ready && !d.Started.IsZero() {
		why = s.provisionOverdue(ctx, k, d, now.Sub(d.Started))
	}
	if why == nil && !ready && !d.Started.IsZero() {
		return nil
	}
	return s.db.Update(ctx, func(tx *store.Tx) error {
		d, err := deployments.Get(tx, k)
		if err != nil || d.ended() {
			return err
		}
		if why != nil {
			return s.finish(tx, k, d, api.DeploymentStatusFailed, *why)
		}
		if ready {
			d.BlueGreen.Provisioned = true
			emit(tx, k, d.ID, "deployment", "has its replacement environment")
		}
		if d.Started.IsZero() {
			d.Status, d.Started = api.DeploymentStatusInProgress, now
			d.New = &api.TargetInstances{AutoScalingGroups: []string{d.replacement()}}
			d.Messages = append(d.Messages, "The replacement environment is the Auto Scaling group "+d.replacement()+".")
			emit(tx, k, d.ID, "deployment", string(d.Status))
		}
		return deployments.Put(tx, k, d)
	})
}

// provisionOverdue says that the new group has had time enough: an hour, or the time
// in which an agent must begin where Auto Scaling says that its launches fail.
func (s *Service) provisionOverdue(ctx context.Context, k store.Key, d *deployment, since time.Duration) *cause {
	if since < startTimeout {
		return nil
	}
	failure := ""
	if actx, why := s.asRole(ctx, k, d.Role, "DescribeScalingActivities"); why == nil {
		name := d.replacement()
		out, err := wire.Call[autoscaling.DescribeScalingActivitiesOutput](actx, s.invoker, "autoscaling", "DescribeScalingActivities",
			&autoscaling.DescribeScalingActivitiesInput{AutoScalingGroupName: &name, MaxRecords: aws.Ptr[int32](1)})
		if err == nil && len(out.Activities) > 0 && out.Activities[0].StatusCode == autoscaling.ScalingActivityStatusCodeFailed {
			failure = fmt.Sprintf(" Its last activity failed: %s: %s", aws.Val(out.Activities[0].Description), aws.Val(out.Activities[0].StatusMessage))
		}
	}
	if failure == "" && since < provisionTimeout {
		return nil
	}
	return &cause{api.ErrorCodeAutoScalingConfiguration, fmt.Sprintf(
		"The instances of the replacement Auto Scaling group %s were not in service within %s.%s", d.replacement(), since.Round(time.Second), failure)}
}

// replace makes the new group when it is not there, and reports whether it has its
// instances.
func (s *Service) replace(ctx context.Context, k store.Key, d *deployment) (ready bool, why *cause, err error) {
	name := d.replacement()
	actx, why := s.asRole(ctx, k, d.Role, "CreateAutoScalingGroup")
	if why != nil {
		return false, why, nil
	}
	out, err := wire.Call[autoscaling.DescribeAutoScalingGroupsOutput](actx, s.invoker, "autoscaling", "DescribeAutoScalingGroups",
		&autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{name}})
	if why := scalingCause(d.Role, err); why != nil || err != nil {
		return false, why, passed(why, err)
	}
	if len(out.AutoScalingGroups) > 0 {
		return inService(out.AutoScalingGroups[0]), nil, nil
	}
	if !d.Started.IsZero() {
		return false, &cause{api.ErrorCodeAutoScalingConfiguration, fmt.Sprintf("The replacement Auto Scaling group %s was deleted.", name)}, nil
	}
	list, why, err := s.describeScaling(ctx, k, d.Role, []string{d.BlueGreen.Original})
	if why != nil || err != nil {
		return false, why, err
	}
	_, err = wire.Call[autoscaling.CreateAutoScalingGroupOutput](actx, s.invoker, "autoscaling", "CreateAutoScalingGroup", copyOf(list[0], name))
	if awserr.Is(err, "AlreadyExists") {
		err = nil
	}
	why = scalingCause(d.Role, err)
	return false, why, passed(why, err)
}

// inService reports whether the group has as many instances in service as it wants.
func inService(g autoscaling.AutoScalingGroup) bool {
	n := int32(0)
	for _, i := range g.Instances {
		if i.LifecycleState == autoscaling.LifecycleStateInService {
			n++
		}
	}
	return n >= aws.Val(g.DesiredCapacity)
}

// copyOf asks for a group like g. Load balancers come with the traffic, hooks of
// CodeDeploy when the new group takes the place of g.
func copyOf(g autoscaling.AutoScalingGroup, name string) *autoscaling.CreateAutoScalingGroupInput {
	in := &autoscaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: &name, LaunchConfigurationName: g.LaunchConfigurationName, LaunchTemplate: unnamed(g.LaunchTemplate),
		MixedInstancesPolicy: g.MixedInstancesPolicy, MinSize: g.MinSize, MaxSize: g.MaxSize, DesiredCapacity: g.DesiredCapacity,
		DefaultCooldown: g.DefaultCooldown, HealthCheckType: g.HealthCheckType, HealthCheckGracePeriod: g.HealthCheckGracePeriod,
		PlacementGroup: g.PlacementGroup, VPCZoneIdentifier: g.VPCZoneIdentifier, TerminationPolicies: g.TerminationPolicies,
		NewInstancesProtectedFromScaleIn: g.NewInstancesProtectedFromScaleIn, MaxInstanceLifetime: g.MaxInstanceLifetime,
		DefaultInstanceWarmup: g.DefaultInstanceWarmup, InstanceMaintenancePolicy: g.InstanceMaintenancePolicy, Context: g.Context,
		CapacityRebalance: g.CapacityRebalance, AvailabilityZoneDistribution: g.AvailabilityZoneDistribution, ServiceLinkedRoleARN: g.ServiceLinkedRoleARN,
	}
	if aws.Val(g.VPCZoneIdentifier) == "" {
		in.VPCZoneIdentifier, in.AvailabilityZones = nil, g.AvailabilityZones
	}
	for _, t := range g.Tags {
		if !strings.HasPrefix(aws.Val(t.Key), "aws:") {
			in.Tags = append(in.Tags, autoscaling.Tag{Key: t.Key, Value: t.Value, PropagateAtLaunch: t.PropagateAtLaunch})
		}
	}
	return in
}

// unnamed drops the name of a launch template that is given by its id too: a request
// may have one of them only.
func unnamed(t *autoscaling.LaunchTemplateSpecification) *autoscaling.LaunchTemplateSpecification {
	if t == nil || t.LaunchTemplateId == nil {
		return t
	}
	return &autoscaling.LaunchTemplateSpecification{LaunchTemplateId: t.LaunchTemplateId, Version: t.Version}
}

// deleteOriginal deletes the Auto Scaling group that was copied, with its instances.
func (s *Service) deleteOriginal(ctx context.Context, k store.Key, role, name string) (string, error) {
	const failed = "The original Auto Scaling group was not deleted: "
	ctx, why := s.asRole(ctx, k, role, "DeleteAutoScalingGroup")
	if why != nil {
		return failed + why.message, nil
	}
	_, err := wire.Call[autoscaling.DeleteAutoScalingGroupOutput](ctx, s.invoker, "autoscaling", "DeleteAutoScalingGroup",
		&autoscaling.DeleteAutoScalingGroupInput{AutoScalingGroupName: &name, ForceDelete: aws.Ptr(true)})
	switch why := scalingCause(role, err); {
	case err == nil || awserr.Is(err, "ValidationError"): // it is gone
		return "", nil
	case why != nil:
		return failed + why.message, nil
	}
	return "", fmt.Errorf("delete the original Auto Scaling group: %w", err)
}
