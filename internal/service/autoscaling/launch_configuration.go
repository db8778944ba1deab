package autoscaling

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// maxConfigurations is the quota of an account and region.
const maxConfigurations = 200

// maxUserData is in bytes, without base64.
const maxUserData = 16 << 10

// CreateLaunchConfiguration stores what instances are launched with.
func (s *Service) CreateLaunchConfiguration(ctx context.Context, in *api.CreateLaunchConfigurationInput) (*api.CreateLaunchConfigurationOutput, error) {
	c := aws.CallFrom(ctx)
	if err := refuse(
		asked{"SpotPrice", in.SpotPrice != nil},
		asked{"KernelId", val(in.KernelId) != ""},
		asked{"RamdiskId", val(in.RamdiskId) != ""},
		asked{"ClassicLinkVPCId", in.ClassicLinkVPCId != nil},
		asked{"ClassicLinkVPCSecurityGroups", len(in.ClassicLinkVPCSecurityGroups) > 0},
	); err != nil {
		return nil, err
	}
	spec := *in
	if in.InstanceId != nil {
		var err error
		if spec, err = s.likeInstance(ctx, in); err != nil {
			return nil, err
		}
	}
	if err := judgeConfiguration(&spec); err != nil {
		return nil, err
	}
	row := &configuration{Name: *in.LaunchConfigurationName, Created: s.now(), Token: c.Token}
	k := key(c, row.Name)
	row.ARN = arnOf(k, "launchConfiguration", ids.UUID(), "launchConfigurationName/"+row.Name)
	if spec.UserData != nil {
		plain, err := base64.StdEncoding.DecodeString(*spec.UserData)
		if err != nil {
			return nil, invalid("Invalid base64 user data.")
		}
		if row.UserData, err = s.cfg.Sealer.Seal(configurations.Name, row.ARN, plain); err != nil {
			return nil, fmt.Errorf("seal user data of %s: %w", row.Name, err)
		}
		spec.UserData = nil
	}
	row.Spec = spec
	return &api.CreateLaunchConfigurationOutput{}, s.update(ctx, func(tx *store.Tx) error { return insertConfiguration(tx, k, row) })
}

func insertConfiguration(tx *store.Tx, k store.Key, row *configuration) error {
	old, err := configurations.Get(tx, k)
	switch {
	case err == nil && row.Token != "" && old.Token == row.Token:
		return nil // made by an earlier try of the same creation
	case err == nil:
		return alreadyExists("Launch Configuration by this name already exists - A launch configuration already exists with the name %s", k.ID)
	case !isNotFound(err):
		return err
	}
	list, err := configurations.List(tx, scope(k), "", 0)
	if err != nil {
		return err
	}
	if len(list) >= maxConfigurations {
		return limitExceeded("LaunchConfiguration limit exceeded: You may not create more than %d launch configurations", maxConfigurations)
	}
	return configurations.Insert(tx, k, row)
}

func judgeConfiguration(in *api.CreateLaunchConfigurationInput) error {
	switch {
	case in.ImageId == nil && in.InstanceType == nil:
		return invalid("Valid requests must contain either the InstanceID parameter or both the ImageId and InstanceType parameters.")
	case val(in.ImageId) == "" || val(in.InstanceType) == "":
		return invalid("Valid requests must contain either the InstanceID parameter or both the ImageId and InstanceType parameters.")
	case in.PlacementTenancy != nil && *in.PlacementTenancy != "default" && *in.PlacementTenancy != "dedicated":
		return invalid("Invalid PlacementTenancy: %s", *in.PlacementTenancy)
	case val(in.PlacementTenancy) == "dedicated":
		return notHonoured("PlacementTenancy=dedicated")
	}
	if in.UserData != nil {
		plain, err := base64.StdEncoding.DecodeString(*in.UserData)
		switch {
		case err != nil:
			return invalid("Invalid base64 user data.")
		case len(plain) > maxUserData:
			return invalid("User data is limited to %d bytes", maxUserData)
		}
	}
	byID := slices.IndexFunc(in.SecurityGroups, isGroupID) >= 0
	if byID && !allOf(in.SecurityGroups, isGroupID) {
		return invalid("Security groups must be specified either all by id or all by name.")
	}
	for _, m := range in.BlockDeviceMappings {
		if m.Ebs == nil && m.VirtualName == nil && !val(m.NoDevice) {
			return invalid("BlockDeviceMapping for %s must have Ebs, VirtualName or NoDevice.", *m.DeviceName)
		}
	}
	return nil
}

func isGroupID(name string) bool { return len(name) > 3 && name[:3] == "sg-" }

func allOf[T any](list []T, is func(T) bool) bool {
	return !slices.ContainsFunc(list, func(v T) bool { return !is(v) })
}

// DescribeLaunchConfigurations lists launch configurations by name.
func (s *Service) DescribeLaunchConfigurations(ctx context.Context, in *api.DescribeLaunchConfigurationsInput) (*api.DescribeLaunchConfigurationsOutput, error) {
	c := aws.CallFrom(ctx)
	out := &api.DescribeLaunchConfigurationsOutput{LaunchConfigurations: []api.LaunchConfiguration{}}
	return out, s.view(ctx, func(tx *store.Tx) error {
		rows, err := configurations.List(tx, scope(key(c, "")), "", 0)
		if err != nil {
			return err
		}
		if len(in.LaunchConfigurationNames) > 0 {
			rows = slices.DeleteFunc(rows, func(r store.Row[configuration]) bool {
				return !slices.Contains(in.LaunchConfigurationNames, r.Value.Name) && !slices.Contains(in.LaunchConfigurationNames, r.Value.ARN)
			})
		}
		rows, out.NextToken, err = namedPage(rows, in.NextToken, in.MaxRecords)
		for _, r := range rows {
			shown, showErr := s.describeConfiguration(r.Value)
			if showErr != nil {
				return showErr
			}
			out.LaunchConfigurations = append(out.LaunchConfigurations, *shown)
		}
		return err
	})
}

func (s *Service) describeConfiguration(row *configuration) (*api.LaunchConfiguration, error) {
	in := &row.Spec
	data, err := s.userData(row)
	if err != nil {
		return nil, err
	}
	out := &api.LaunchConfiguration{
		LaunchConfigurationName: &row.Name, LaunchConfigurationARN: &row.ARN, ImageId: in.ImageId, KeyName: ptr(val(in.KeyName)), CreatedTime: &row.Created,
		SecurityGroups: orEmpty(in.SecurityGroups), ClassicLinkVPCSecurityGroups: []string{}, UserData: ptr(base64.StdEncoding.EncodeToString(data)),
		InstanceType: in.InstanceType, KernelId: ptr(""), RamdiskId: ptr(""), BlockDeviceMappings: orEmpty(in.BlockDeviceMappings),
		InstanceMonitoring: &api.InstanceMonitoring{Enabled: ptr(in.InstanceMonitoring == nil || in.InstanceMonitoring.Enabled == nil || *in.InstanceMonitoring.Enabled)},
		IamInstanceProfile: in.IamInstanceProfile, EbsOptimized: ptr(val(in.EbsOptimized)), AssociatePublicIpAddress: in.AssociatePublicIpAddress,
		PlacementTenancy: in.PlacementTenancy, MetadataOptions: in.MetadataOptions,
	}
	return out, nil
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (s *Service) userData(row *configuration) ([]byte, error) {
	if len(row.UserData) == 0 {
		return nil, nil
	}
	plain, err := s.cfg.Sealer.Open(configurations.Name, row.ARN, row.UserData)
	if err != nil {
		return nil, fmt.Errorf("open user data of %s: %w", row.Name, err)
	}
	return plain, nil
}

// DeleteLaunchConfiguration deletes one that no group uses.
func (s *Service) DeleteLaunchConfiguration(ctx context.Context, in *api.DeleteLaunchConfigurationInput) (*api.DeleteLaunchConfigurationOutput, error) {
	k := key(aws.CallFrom(ctx), *in.LaunchConfigurationName)
	return &api.DeleteLaunchConfigurationOutput{}, s.update(ctx, func(tx *store.Tx) error {
		if _, err := getConfiguration(tx, k); err != nil {
			return err
		}
		users, err := groups.Lookup(tx, "configuration", scoped(k, k.ID))
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return inUse("Cannot delete launch configuration %s because it is attached to AutoScalingGroup %s", k.ID, users[0].Value.Name)
		}
		return configurations.Delete(tx, k)
	})
}

func getConfiguration(tx *store.Tx, k store.Key) (*configuration, error) {
	row, err := configurations.Get(tx, k)
	if isNotFound(err) {
		return nil, invalid("Launch configuration name not found - Launch configuration %s not found", k.ID)
	}
	return row, err
}
