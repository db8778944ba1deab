package autoscaling

import (
	"context"
	"strconv"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// sourceOf is the one of the three sources that a request names; ok is false when it
// names none.
func sourceOf(configuration *string, template *api.LaunchTemplateSpecification, mixed *api.MixedInstancesPolicy) (out source, ok bool, err error) {
	given := 0
	for _, is := range []bool{configuration != nil, template != nil, mixed != nil} {
		if is {
			given++
		}
	}
	if given > 1 {
		return out, false, invalid("Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.")
	}
	if mixed != nil {
		err = judgeMixed(mixed)
	}
	return source{Configuration: val(configuration), Template: template, Mixed: mixed}, given == 1, err
}

// judgeMixed refuses of a mixed instances policy what is not done here: spot, weights
// and requirements in place of types.
func judgeMixed(p *api.MixedInstancesPolicy) error {
	if p.LaunchTemplate == nil || p.LaunchTemplate.LaunchTemplateSpecification == nil {
		return invalid("The launch template of the mixed instances policy must be specified.")
	}
	if d := p.InstancesDistribution; d != nil {
		spot := d.OnDemandPercentageAboveBaseCapacity != nil && *d.OnDemandPercentageAboveBaseCapacity < 100
		switch {
		case d.OnDemandPercentageAboveBaseCapacity != nil && (*d.OnDemandPercentageAboveBaseCapacity < 0 || *d.OnDemandPercentageAboveBaseCapacity > 100):
			return invalid("OnDemandPercentageAboveBaseCapacity must be between 0 and 100.")
		case spot:
			return notHonoured("InstancesDistribution.OnDemandPercentageAboveBaseCapacity below 100 (spot instances)")
		case d.SpotMaxPrice != nil && *d.SpotMaxPrice != "":
			return notHonoured("InstancesDistribution.SpotMaxPrice")
		case d.SpotInstancePools != nil:
			return notHonoured("InstancesDistribution.SpotInstancePools")
		case d.OnDemandAllocationStrategy != nil && *d.OnDemandAllocationStrategy != "prioritized" && *d.OnDemandAllocationStrategy != "lowest-price":
			return invalid("Invalid OnDemandAllocationStrategy: %s", *d.OnDemandAllocationStrategy)
		case val(d.OnDemandAllocationStrategy) == "lowest-price":
			return notHonoured("InstancesDistribution.OnDemandAllocationStrategy lowest-price")
		}
	}
	for _, o := range p.LaunchTemplate.Overrides {
		switch {
		case o.InstanceRequirements != nil:
			return notHonoured("InstanceRequirements of an override")
		case o.WeightedCapacity != nil:
			if n, err := strconv.Atoi(*o.WeightedCapacity); err != nil || n < 1 || n > 999 {
				return invalid("WeightedCapacity must be between 1 and 999.")
			}
			return notHonoured("WeightedCapacity of an override")
		case o.InstanceType == nil:
			return invalid("An override must have an InstanceType.")
		}
	}
	return nil
}

// template is the launch template of a source and what overrides it: the first override,
// which has priority.
func (s *source) template() (*api.LaunchTemplateSpecification, *api.LaunchTemplateOverrides) {
	if s.Mixed == nil {
		return s.Template, nil
	}
	l := s.Mixed.LaunchTemplate
	if len(l.Overrides) == 0 {
		return l.LaunchTemplateSpecification, nil
	}
	o := &l.Overrides[0]
	if o.LaunchTemplateSpecification != nil {
		return o.LaunchTemplateSpecification, o
	}
	return l.LaunchTemplateSpecification, o
}

// judgeSource makes sure that what the group would be launched from exists and that the
// caller may use it, and completes the names of templates. as acts with the group's role.
func (s *Service) judgeSource(ctx, as context.Context, src *source, first place) error {
	if src.Configuration != "" {
		return s.view(ctx, func(tx *store.Tx) error {
			c, err := configurations.Get(tx, key(aws.CallFrom(ctx), src.Configuration))
			if isNotFound(err) {
				return invalid("Launch configuration name not found - A launch configuration with the name: %s does not exist", src.Configuration)
			}
			if err == nil && c.Spec.AssociatePublicIpAddress != nil && first.Subnet == "" {
				return invalid("You must specify at least one VPC subnet when the launch configuration specifies AssociatePublicIpAddress.")
			}
			return err
		})
	}
	specs := []*api.LaunchTemplateSpecification{src.Template}
	if src.Mixed != nil {
		specs[0] = src.Mixed.LaunchTemplate.LaunchTemplateSpecification
		for i := range src.Mixed.LaunchTemplate.Overrides {
			specs = append(specs, src.Mixed.LaunchTemplate.Overrides[i].LaunchTemplateSpecification)
		}
	}
	for _, spec := range specs {
		if spec == nil {
			continue
		}
		if _, err := s.resolveTemplate(as, spec); err != nil {
			return err
		}
	}
	return s.mayLaunch(ctx, as, src, first)
}

// resolveTemplate completes id and name of a launch template and returns the number of
// the version that it means now.
func (s *Service) resolveTemplate(ctx context.Context, spec *api.LaunchTemplateSpecification) (string, error) {
	v, err := s.templateVersion(ctx, spec)
	if err != nil {
		return "", err
	}
	spec.LaunchTemplateId, spec.LaunchTemplateName = v.LaunchTemplateId, v.LaunchTemplateName
	return strconv.FormatInt(val(v.VersionNumber), 10), nil
}

// templateVersion is the version of a launch template that a group's specification means.
func (s *Service) templateVersion(ctx context.Context, spec *api.LaunchTemplateSpecification) (*ec2.LaunchTemplateVersion, error) {
	switch {
	case spec.LaunchTemplateId == nil && spec.LaunchTemplateName == nil:
		return nil, invalid("Valid requests must contain either launchTemplateId or LaunchTemplateName")
	case spec.LaunchTemplateId != nil && spec.LaunchTemplateName != nil:
		spec = &api.LaunchTemplateSpecification{LaunchTemplateId: spec.LaunchTemplateId, Version: spec.Version}
	}
	version := "$Default"
	if val(spec.Version) != "" {
		version = *spec.Version
	}
	out, err := wire.Call[ec2.DescribeLaunchTemplateVersionsOutput](ctx, s.cfg.Invoker, "ec2", "DescribeLaunchTemplateVersions",
		&ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: spec.LaunchTemplateId, LaunchTemplateName: spec.LaunchTemplateName, Versions: []string{version}})
	switch {
	case awserr.Is(err, "InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateName.NotFoundException", "InvalidLaunchTemplateId.VersionNotFound", "InvalidLaunchTemplateId.Malformed"):
		return nil, invalid("You must use a valid fully-formed launch template. %s", messageOf(err))
	case err != nil:
		return nil, err
	case len(out.LaunchTemplateVersions) == 0:
		return nil, invalid("You must use a valid fully-formed launch template. The specified launch template version does not exist.")
	}
	return &out.LaunchTemplateVersions[0], nil
}

// mayLaunch asks as the caller whether it may launch what a template says: otherwise a
// group would be a way around the caller's permissions.
func (s *Service) mayLaunch(ctx, as context.Context, src *source, first place) error {
	spec, over := src.template()
	v, err := s.templateVersion(as, spec)
	if err != nil {
		return err
	}
	one := ptr[int32](1)
	in := &ec2.RunInstancesInput{DryRun: ptr(true), MinCount: one, MaxCount: one, SubnetId: text(first.Subnet),
		LaunchTemplate: &ec2.LaunchTemplateSpecification{LaunchTemplateId: spec.LaunchTemplateId, Version: spec.Version}}
	if nics := interfacesOf(v, first.Subnet); nics != nil {
		in.NetworkInterfaces, in.SubnetId = nics, nil
	}
	if first.Subnet == "" {
		in.Placement = &ec2.Placement{AvailabilityZone: &first.Zone}
	}
	if over != nil {
		in.InstanceType, in.ImageId = ec2.InstanceType(val(over.InstanceType)), over.ImageId
	}
	_, err = s.cfg.Invoker.Invoke(ctx, "ec2", "RunInstances", in)
	switch {
	case awserr.Is(err, "DryRunOperation"):
		return nil
	case awserr.Is(err, "UnauthorizedOperation", "AccessDenied"):
		return awserr.Status(403, "AccessDenied", "You are not authorized to use launch template: %s", *spec.LaunchTemplateId)
	case awserr.Is(err, "NotImplemented"):
		return err
	case awserr.As(err) != nil:
		return invalid("You must use a valid fully-formed launch template. %s", messageOf(err))
	}
	return err
}

// interfacesOf are the network interfaces of a template in a subnet; nil where it has none,
// or the group names no subnet. A subnet beside them would be refused.
func interfacesOf(v *ec2.LaunchTemplateVersion, subnet string) []ec2.InstanceNetworkInterfaceSpecification {
	if v.LaunchTemplateData == nil || subnet == "" {
		return nil
	}
	var out []ec2.InstanceNetworkInterfaceSpecification
	for _, n := range v.LaunchTemplateData.NetworkInterfaces {
		out = append(out, ec2.InstanceNetworkInterfaceSpecification{DeviceIndex: n.DeviceIndex, Description: n.Description, Groups: n.Groups,
			AssociatePublicIpAddress: n.AssociatePublicIpAddress, DeleteOnTermination: n.DeleteOnTermination, SubnetId: &subnet})
	}
	return out
}
