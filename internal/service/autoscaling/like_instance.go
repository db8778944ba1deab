package autoscaling

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire"
)

// instanceOf finds an instance as the caller.
func (s *Service) instanceOf(ctx context.Context, id string) (*ec2.Instance, error) {
	out, err := wire.Call[ec2.DescribeInstancesOutput](ctx, s.cfg.Invoker, "ec2", "DescribeInstances", &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
	switch {
	case awserr.Is(err, "InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"):
		return nil, invalid("Invalid Instance ID: %s", id)
	case err != nil:
		return nil, err
	case len(out.Reservations) == 0:
		return nil, invalid("Invalid Instance ID: %s", id)
	}
	return &out.Reservations[0].Instances[0], nil
}

// likeInstance completes a request with what an instance was launched with: all but
// what the request says otherwise, block devices and the tags.
func (s *Service) likeInstance(ctx context.Context, in *api.CreateLaunchConfigurationInput) (api.CreateLaunchConfigurationInput, error) {
	spec := *in
	i, err := s.instanceOf(ctx, *in.InstanceId)
	if err != nil {
		return spec, err
	}
	spec.InstanceId = nil
	spec.ImageId = or(in.ImageId, i.ImageId)
	spec.InstanceType = or(in.InstanceType, text(string(i.InstanceType)))
	spec.KeyName = or(in.KeyName, i.KeyName)
	spec.EbsOptimized = or(in.EbsOptimized, i.EbsOptimized)
	if spec.SecurityGroups == nil {
		for _, g := range i.SecurityGroups {
			spec.SecurityGroups = append(spec.SecurityGroups, *g.GroupId)
		}
	}
	if spec.IamInstanceProfile == nil && i.IamInstanceProfile != nil {
		spec.IamInstanceProfile = ptr(arn.Name(val(i.IamInstanceProfile.Arn)))
	}
	if spec.InstanceMonitoring == nil && i.Monitoring != nil {
		spec.InstanceMonitoring = &api.InstanceMonitoring{Enabled: ptr(i.Monitoring.State == "enabled")}
	}
	if spec.UserData == nil {
		spec.UserData, err = s.userDataOf(ctx, *in.InstanceId)
	}
	return spec, err
}

func (s *Service) userDataOf(ctx context.Context, id string) (*string, error) {
	out, err := wire.Call[ec2.DescribeInstanceAttributeOutput](ctx, s.cfg.Invoker, "ec2", "DescribeInstanceAttribute",
		&ec2.DescribeInstanceAttributeInput{InstanceId: &id, Attribute: "userData"})
	if err != nil {
		return nil, err
	}
	if out.UserData == nil || val(out.UserData.Value) == "" {
		return nil, nil
	}
	return out.UserData.Value, nil
}

// or is a where it is given, else b.
func or[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

// configurationLike makes the launch configuration of a group that was asked for by
// InstanceId; it has the group's name.
func (s *Service) configurationLike(ctx context.Context, name, instance string) error {
	c := aws.CallFrom(ctx)
	c.Token = ""
	_, err := wire.Call[api.CreateLaunchConfigurationOutput](aws.WithCall(ctx, c), s.cfg.Invoker, signing, "CreateLaunchConfiguration",
		&api.CreateLaunchConfigurationInput{LaunchConfigurationName: &name, InstanceId: &instance})
	return err
}
