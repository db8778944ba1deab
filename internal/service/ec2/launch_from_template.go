package ec2

import (
	"context"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/store"
)

// launchedFrom is the version of a template that a launch uses, and what of the launch
// the request says itself.
type launchedFrom struct {
	template *launchTemplate
	version  int64
	request  *api.RunInstancesInput
}

// completed returns the launch that a request means: what it says itself, and for the
// rest what the template says that it names.
func (s *Service) completed(ctx context.Context, c aws.Call, in *api.RunInstancesInput) (*api.RunInstancesInput, *launchedFrom, error) {
	if in.LaunchTemplate == nil {
		return in, nil, nil
	}
	from := &launchedFrom{request: in}
	var v *templateVersion
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		from.template, v, err = refOf(in.LaunchTemplate).findVersion(tx, c)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	from.version = v.Number
	data, err := s.templateData(v)
	if err != nil {
		return nil, nil, err
	}
	base, err := launchOf(data)
	if err != nil {
		return nil, nil, err
	}
	out := over(*base, *in)
	out.LaunchTemplate = nil
	out.TagSpecifications = overTags(base.TagSpecifications, in.TagSpecifications)
	out.BlockDeviceMappings = overDevices(base.BlockDeviceMappings, in.BlockDeviceMappings)
	if in.SecurityGroupIds != nil || in.SecurityGroups != nil { // one means the same as the other
		out.SecurityGroupIds, out.SecurityGroups = in.SecurityGroupIds, in.SecurityGroups
	}
	return &out, from, nil
}

// overTags gives each kind of resource the tags of both, those of the request last.
func overTags(base, own []api.TagSpecification) []api.TagSpecification {
	out := make([]api.TagSpecification, 0, len(base)+len(own))
	for _, spec := range base {
		if !slices.Contains(launchTagged, string(spec.ResourceType)) {
			continue // of a request for spot instances, which this is not
		}
		for _, o := range own {
			if o.ResourceType == spec.ResourceType {
				spec.Tags = withoutKeys(spec.Tags, o.Tags)
			}
		}
		if len(spec.Tags) > 0 {
			out = append(out, spec)
		}
	}
	return append(out, own...)
}

func withoutKeys(tags, other []api.Tag) []api.Tag {
	gone := map[string]bool{}
	for _, t := range other {
		gone[aws.Val(t.Key)] = true
	}
	var out []api.Tag
	for _, t := range tags {
		if !gone[aws.Val(t.Key)] {
			out = append(out, t)
		}
	}
	return out
}

// overDevices gives each device of the request the place of the template's of the
// same name.
func overDevices(base, own []api.BlockDeviceMapping) []api.BlockDeviceMapping {
	named := map[string]bool{}
	for _, m := range own {
		named[aws.Val(m.DeviceName)] = true
	}
	var out []api.BlockDeviceMapping
	for _, m := range base {
		if !named[aws.Val(m.DeviceName)] {
			out = append(out, m)
		}
	}
	return append(out, own...)
}

// mark gives an instance the tags by which EC2 tells where it comes from.
func (f *launchedFrom) mark(r *instance) {
	if f == nil {
		return
	}
	if r.Tags == nil {
		r.Tags = map[string]string{}
	}
	r.Tags["aws:ec2launchtemplate:id"] = f.template.ID
	r.Tags["aws:ec2launchtemplate:version"] = strconv.FormatInt(f.version, 10)
}

// describe adds the template to what a launch is judged on, and to each resource which
// template it is and whether the request leaves the resource to it.
func (f *launchedFrom) describe(c aws.Call, checks []aws.Check) []aws.Check {
	if f == nil {
		return checks
	}
	arn := ec2ARN(c, "launch-template/"+f.template.ID)
	own := f.overridden()
	checks = append(checks, aws.Check{Resource: arn})
	for i := range checks {
		d := description{c, &checks[i]}
		d.set("LaunchTemplate", arn)
		d.set("IsLaunchTemplateResource", boolText(!own[kindOf(checks[i].Resource)]))
	}
	return checks
}

// overridden are the kinds of resources that the request says something about itself.
func (f *launchedFrom) overridden() map[string]bool {
	in := f.request
	nics, groups := len(in.NetworkInterfaces) > 0, len(in.SecurityGroupIds)+len(in.SecurityGroups) > 0
	rest := *in
	rest.LaunchTemplate, rest.MinCount, rest.MaxCount, rest.ClientToken, rest.DryRun = nil, nil, nil, nil, nil
	rest.ImageId, rest.KeyName, rest.SubnetId, rest.SecurityGroupIds, rest.SecurityGroups = nil, nil, nil, nil, nil
	rest.NetworkInterfaces, rest.BlockDeviceMappings, rest.TagSpecifications = nil, nil, nil
	return map[string]bool{
		"image": in.ImageId != nil, "key-pair": in.KeyName != nil, "volume": len(in.BlockDeviceMappings) > 0,
		"subnet": nics || in.SubnetId != nil, "security-group": nics || groups, "network-interface": nics || groups || in.SubnetId != nil,
		"instance": !reflect.ValueOf(rest).IsZero(),
	}
}

// kindOf is the kind of resource of an ARN of EC2: "instance".
func kindOf(arn string) string {
	kind, _, _ := strings.Cut(arn[strings.LastIndexByte(arn, ':')+1:], "/")
	return kind
}
