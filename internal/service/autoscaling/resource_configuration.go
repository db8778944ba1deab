package autoscaling

import (
	"context"

	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceConfiguration is AWS::AutoScaling::LaunchConfiguration. Ref is the name.
// Launch configurations cannot be changed, so each change makes another.
type resourceConfiguration struct{ s *Service }

type configurationProperties struct {
	LaunchConfigurationName  *string
	ImageId                  *string
	InstanceId               *string
	InstanceType             *string
	KeyName                  *string
	SecurityGroups           []string
	UserData                 *string
	IamInstanceProfile       *string
	InstanceMonitoring       *bool
	EbsOptimized             *bool
	AssociatePublicIpAddress *bool
	PlacementTenancy         *string
	SpotPrice                *string
	MetadataOptions          *api.InstanceMetadataOptions
	BlockDeviceMappings      []api.BlockDeviceMapping
}

// Schema implements stack.Resource.
func (resourceConfiguration) Schema() stack.Schema {
	sc := stack.SchemaOf(configurationProperties{})
	sc.NameProperty = "LaunchConfigurationName"
	return sc
}

// Create implements stack.Resource.
func (t resourceConfiguration) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p configurationProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	name := own(r, p.LaunchConfigurationName)
	in := &api.CreateLaunchConfigurationInput{LaunchConfigurationName: &name, ImageId: p.ImageId, InstanceId: p.InstanceId, InstanceType: p.InstanceType, KeyName: p.KeyName,
		SecurityGroups: p.SecurityGroups, UserData: p.UserData, IamInstanceProfile: p.IamInstanceProfile, EbsOptimized: p.EbsOptimized,
		AssociatePublicIpAddress: p.AssociatePublicIpAddress, PlacementTenancy: p.PlacementTenancy, SpotPrice: p.SpotPrice,
		MetadataOptions: p.MetadataOptions, BlockDeviceMappings: p.BlockDeviceMappings}
	if p.InstanceMonitoring != nil {
		in.InstanceMonitoring = &api.InstanceMonitoring{Enabled: p.InstanceMonitoring}
	}
	if _, err := invoke[api.CreateLaunchConfigurationOutput](ctx, t.s, "CreateLaunchConfiguration", in); err != nil {
		return stack.Result{}, err
	}
	started(name)
	return stack.Result{PhysicalID: name}, nil
}

func (t resourceConfiguration) find(ctx context.Context, name string) (*api.LaunchConfiguration, error) {
	out, err := invoke[api.DescribeLaunchConfigurationsOutput](ctx, t.s, "DescribeLaunchConfigurations", &api.DescribeLaunchConfigurationsInput{LaunchConfigurationNames: []string{name}})
	if err == nil && len(out.LaunchConfigurations) == 0 {
		return nil, stack.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &out.LaunchConfigurations[0], nil
}

// Read implements stack.Resource.
func (t resourceConfiguration) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.find(ctx, r.PhysicalID)
	return stack.Result{PhysicalID: r.PhysicalID}, err
}

// Live implements stack.Live.
func (t resourceConfiguration) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	c, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	return map[string]any{"LaunchConfigurationName": *c.LaunchConfigurationName, "ImageId": liveText(c.ImageId), "InstanceType": liveText(c.InstanceType), "KeyName": liveText(c.KeyName),
		"SecurityGroups": texts(c.SecurityGroups), "IamInstanceProfile": liveText(c.IamInstanceProfile), "UserData": liveText(c.UserData),
		"AssociatePublicIpAddress": liveBool(c.AssociatePublicIpAddress), "PlacementTenancy": liveText(c.PlacementTenancy)}, nil
}

// Update implements stack.Resource. Nothing of it can be updated.
func (t resourceConfiguration) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	return t.Read(ctx, r)
}

// Delete implements stack.Resource.
func (t resourceConfiguration) Delete(ctx context.Context, r stack.Request) error {
	_, err := invoke[api.DeleteLaunchConfigurationOutput](ctx, t.s, "DeleteLaunchConfiguration", &api.DeleteLaunchConfigurationInput{LaunchConfigurationName: &r.PhysicalID})
	if absentGroup(err) {
		return nil
	}
	return err
}
