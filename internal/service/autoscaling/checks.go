package autoscaling

import (
	"context"
	"strconv"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/store"
)

// onGroup checks the action on the group that the input names.
func onGroup[I any](s *Service, name func(*I) *string) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		return []aws.Check{{Resource: s.arnOfGroup(ctx, key(aws.CallFrom(ctx), *name(in)))}}, nil
	}
}

// onMember checks the action on the group of an instance.
func onMember[I any](s *Service, instance func(*I) string) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		name, err := s.groupOf(ctx, instance(in))
		if err != nil {
			name = "*" // the operation says that there is no such instance
		}
		return []aws.Check{{Resource: s.arnOfGroup(ctx, key(aws.CallFrom(ctx), name))}}, nil
	}
}

// onPolicy checks the action on the group of a policy.
func onPolicy[I any](s *Service, names func(*I) (groupName *string, policy string)) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		groupName, policy := names(in)
		name := val(groupName)
		if name == "" {
			name, _ = partsOf(policy)
		}
		if name == "" {
			name = "*"
		}
		return []aws.Check{{Resource: s.arnOfGroup(ctx, key(aws.CallFrom(ctx), name))}}, nil
	}
}

// withKey adds a condition key of the request to checks.
func withKey[I any](checks func(context.Context, *I) ([]aws.Check, error), name string, values func(*I) []string) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		list, err := checks(ctx, in)
		for i := range list {
			list[i].Offer(name, values(in)...)
		}
		return list, err
	}
}

func number(n *int32) []string {
	if n == nil {
		return nil
	}
	return []string{strconv.Itoa(int(*n))}
}

func identifiers(list []api.TrafficSourceIdentifier) []string {
	var out []string
	for _, t := range list {
		out = append(out, val(t.Identifier))
	}
	return out
}

// onTagged checks tagging on each group that the tags name, with its tags.
func (s *Service) onTagged(tags func(*api.CreateOrUpdateTagsInput) []api.Tag) func(context.Context, *api.CreateOrUpdateTagsInput) ([]aws.Check, error) {
	return func(ctx context.Context, in *api.CreateOrUpdateTagsInput) ([]aws.Check, error) {
		return s.tagChecks(ctx, tags(in)), nil
	}
}

func (s *Service) onUntagged(ctx context.Context, in *api.DeleteTagsInput) ([]aws.Check, error) {
	return s.tagChecks(ctx, in.Tags), nil
}

func (s *Service) tagChecks(ctx context.Context, tags []api.Tag) []aws.Check {
	var out []aws.Check
	seen := map[string]bool{}
	for _, t := range tags {
		name := val(t.ResourceId)
		if name == "" {
			name = "*"
		}
		if !seen[name] {
			seen[name] = true
			out = append(out, aws.Check{Resource: s.arnOfGroup(ctx, key(aws.CallFrom(ctx), name))})
		}
	}
	if len(out) == 0 {
		out = []aws.Check{{Resource: s.arnOfGroup(ctx, key(aws.CallFrom(ctx), "*"))}}
	}
	return out
}

// launchKeys offers the condition keys of what a group is launched from.
func launchKeys(c *aws.Check, configuration *string, template *api.LaunchTemplateSpecification, mixed *api.MixedInstancesPolicy) {
	c.OfferText("autoscaling:LaunchConfigurationName", val(configuration))
	if mixed != nil && mixed.LaunchTemplate != nil {
		template = mixed.LaunchTemplate.LaunchTemplateSpecification
		var types, images []string
		for _, o := range mixed.LaunchTemplate.Overrides {
			if o.InstanceType != nil {
				types = append(types, *o.InstanceType)
			}
			if o.ImageId != nil {
				images = append(images, *o.ImageId)
			}
		}
		c.Offer("autoscaling:InstanceTypes", types...)
		c.Offer("autoscaling:ImageId", images...)
		c.Offer("autoscaling:TargetCapacityTypes", "on-demand")
	}
	if template != nil {
		v := val(template.Version)
		specified := v != "" && v != "$Latest" && v != "$Default"
		c.Offer("autoscaling:LaunchTemplateVersionSpecified", strconv.FormatBool(specified))
	}
}

// creating checks the creation of a group: the action, and the roles that hooks are given.
func (s *Service) creating(ctx context.Context, in *api.CreateAutoScalingGroupInput) ([]aws.Check, error) {
	c := aws.Check{Resource: s.arnOfGroup(ctx, key(aws.CallFrom(ctx), *in.AutoScalingGroupName))}
	launchKeys(&c, in.LaunchConfigurationName, in.LaunchTemplate, in.MixedInstancesPolicy)
	c.Offer("autoscaling:MinSize", number(in.MinSize)...)
	c.Offer("autoscaling:MaxSize", number(in.MaxSize)...)
	c.Offer("autoscaling:VPCZoneIdentifiers", splitSubnets(val(in.VPCZoneIdentifier))...)
	c.Offer("autoscaling:LoadBalancerNames", in.LoadBalancerNames...)
	c.Offer("autoscaling:TargetGroupARNs", in.TargetGroupARNs...)
	c.Offer("autoscaling:TrafficSourceIdentifiers", identifiers(in.TrafficSources)...)
	checks := []aws.Check{c}
	for _, h := range in.LifecycleHookSpecificationList {
		checks = append(checks, passes(h.RoleARN)...)
	}
	if in.ServiceLinkedRoleARN != nil && *in.ServiceLinkedRoleARN != linkedRole(aws.CallFrom(ctx).Account) {
		checks = append(checks, passes(in.ServiceLinkedRoleARN)...)
	}
	return checks, nil
}

// passes checks that a role may be handed to Auto Scaling.
func passes(role *string) []aws.Check {
	if val(role) == "" {
		return nil
	}
	return []aws.Check{aws.PassRole(*role, servicePrincipal)}
}

func (s *Service) updating(ctx context.Context, in *api.UpdateAutoScalingGroupInput) ([]aws.Check, error) {
	c := aws.Check{Resource: s.arnOfGroup(ctx, key(aws.CallFrom(ctx), *in.AutoScalingGroupName))}
	launchKeys(&c, in.LaunchConfigurationName, in.LaunchTemplate, in.MixedInstancesPolicy)
	c.Offer("autoscaling:MinSize", number(in.MinSize)...)
	c.Offer("autoscaling:MaxSize", number(in.MaxSize)...)
	c.Offer("autoscaling:VPCZoneIdentifiers", splitSubnets(val(in.VPCZoneIdentifier))...)
	checks := []aws.Check{c}
	if in.ServiceLinkedRoleARN != nil && *in.ServiceLinkedRoleARN != linkedRole(aws.CallFrom(ctx).Account) {
		checks = append(checks, passes(in.ServiceLinkedRoleARN)...)
	}
	return checks, nil
}

func (s *Service) deleting(ctx context.Context, in *api.DeleteAutoScalingGroupInput) ([]aws.Check, error) {
	c := aws.Check{Resource: s.arnOfGroup(ctx, key(aws.CallFrom(ctx), *in.AutoScalingGroupName))}
	c.Offer("autoscaling:ForceDelete", strconv.FormatBool(val(in.ForceDelete)))
	return []aws.Check{c}, nil
}

func (s *Service) hooking(ctx context.Context, in *api.PutLifecycleHookInput) ([]aws.Check, error) {
	c := aws.Check{Resource: s.arnOfGroup(ctx, key(aws.CallFrom(ctx), *in.AutoScalingGroupName))}
	return append([]aws.Check{c}, passes(in.RoleARN)...), nil
}

func (s *Service) refreshing(ctx context.Context, in *api.StartInstanceRefreshInput) ([]aws.Check, error) {
	c := aws.Check{Resource: s.arnOfGroup(ctx, key(aws.CallFrom(ctx), *in.AutoScalingGroupName))}
	if d := in.DesiredConfiguration; d != nil {
		launchKeys(&c, nil, d.LaunchTemplate, d.MixedInstancesPolicy)
	}
	return []aws.Check{c}, nil
}

// configurationARN is the ARN of a launch configuration, or the one that it would have.
func (s *Service) configurationARN(ctx context.Context, name string) string {
	k := key(aws.CallFrom(ctx), name)
	out := arnOf(k, "launchConfiguration", "*", "launchConfigurationName/"+name)
	_ = s.view(ctx, func(tx *store.Tx) error { // one that cannot be read is not there for this purpose
		c, err := configurations.Get(tx, k)
		if err == nil {
			out = c.ARN
		}
		return err
	})
	return out
}

// configuring checks the creation of a launch configuration, and that the caller may hand
// the role of its profile to instances.
func (s *Service) configuring(ctx context.Context, in *api.CreateLaunchConfigurationInput) ([]aws.Check, error) {
	account := aws.CallFrom(ctx).Account
	c := aws.Check{Resource: s.configurationARN(ctx, *in.LaunchConfigurationName)}
	c.OfferText("autoscaling:ImageId", val(in.ImageId))
	c.OfferText("autoscaling:InstanceType", val(in.InstanceType))
	if o := in.MetadataOptions; o != nil {
		c.OfferText("autoscaling:MetadataHttpEndpoint", string(o.HttpEndpoint))
		c.OfferText("autoscaling:MetadataHttpTokens", string(o.HttpTokens))
		c.Offer("autoscaling:MetadataHttpPutResponseHopLimit", number(o.HttpPutResponseHopLimit)...)
	}
	checks := []aws.Check{c}
	if val(in.IamInstanceProfile) == "" {
		return checks, nil
	}
	role, err := s.cfg.Profiles.RoleOf(ctx, account, *in.IamInstanceProfile)
	if err != nil || role == "" {
		return checks, err
	}
	return append(checks, aws.PassRole(role, "ec2.amazonaws.com")), nil
}
