package codedeploy

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// The predefined configurations of the Server platform.
const (
	oneAtATime  = "CodeDeployDefault.OneAtATime"
	halfAtATime = "CodeDeployDefault.HalfAtATime"
	allAtOnce   = "CodeDeployDefault.AllAtOnce"
)

const predefinedPrefix = "CodeDeployDefault."

// mostConcurrency is the type that GetDeploymentConfig reports for OneAtATime.
const mostConcurrency api.MinimumHealthyHostsType = "MOST_CONCURRENCY"

func predefined(name string) *config {
	minimum := map[string]api.MinimumHealthyHosts{
		oneAtATime:  {Type: mostConcurrency, Value: aws.Ptr[int32](1)},
		halfAtATime: {Type: api.MinimumHealthyHostsTypeFleetPercent, Value: aws.Ptr[int32](50)},
		allAtOnce:   {Type: api.MinimumHealthyHostsTypeFleetPercent, Value: aws.Ptr[int32](0)},
	}
	m, ok := minimum[name]
	if !ok {
		return nil
	}
	id := map[string]string{
		oneAtATime: "00000000-0000-0000-0000-000000000001", halfAtATime: "00000000-0000-0000-0000-000000000002",
		allAtOnce: "00000000-0000-0000-0000-000000000003",
	}
	return &config{Name: name, ID: id[name], Minimum: m}
}

func findConfig(tx *store.Tx, c aws.Call, name string) (*config, error) {
	if p := predefined(name); p != nil {
		return p, nil
	}
	cfg, err := configs.Get(tx, key(c, name))
	if isNotFound(err) {
		return nil, errNoConfig(name)
	}
	return cfg, err
}

// minHealthy returns how many of n hosts must stay healthy. ok is false when no
// deployment can keep to it. The predefined ones always let one host be
// deployed to.
func (cfg *config) minHealthy(n int) (count int, ok bool) {
	value := int(aws.Val(cfg.Minimum.Value))
	switch cfg.Minimum.Type {
	case mostConcurrency:
		return max(n-value, 0), true
	case api.MinimumHealthyHostsTypeFleetPercent:
		count = percent(n, value)
	default:
		count = value
	}
	if strings.HasPrefix(cfg.Name, predefinedPrefix) {
		return min(count, max(n-1, 0)), true
	}
	return count, count < n
}

// percent rounds up: a minimum is never less than what it says.
func percent(n, value int) int { return (n*value + 99) / 100 }

// GetDeploymentConfig describes a configuration.
func (s *Service) GetDeploymentConfig(ctx context.Context, in *api.GetDeploymentConfigInput) (*api.GetDeploymentConfigOutput, error) {
	c := aws.CallFrom(ctx)
	name, err := checkConfigName(in.DeploymentConfigName)
	if err != nil {
		return nil, err
	}
	cfg, err := view(ctx, s, func(tx *store.Tx) (*config, error) { return findConfig(tx, c, name) })
	if err != nil {
		return nil, err
	}
	info := &api.DeploymentConfigInfo{DeploymentConfigId: &cfg.ID, DeploymentConfigName: &cfg.Name,
		MinimumHealthyHosts: &cfg.Minimum, ZonalConfig: cfg.Zonal, ComputePlatform: api.ComputePlatformServer}
	if !cfg.Created.IsZero() {
		info.CreateTime = &cfg.Created
	}
	return &api.GetDeploymentConfigOutput{DeploymentConfigInfo: info}, nil
}

// ListDeploymentConfigs returns the names of all configurations.
func (s *Service) ListDeploymentConfigs(ctx context.Context, in *api.ListDeploymentConfigsInput) (*api.ListDeploymentConfigsOutput, error) {
	c := aws.CallFrom(ctx)
	return view(ctx, s, func(tx *store.Tx) (*api.ListDeploymentConfigsOutput, error) {
		rows, err := configs.List(tx, scope(c), "", 0)
		if err != nil {
			return nil, err
		}
		names := []string{allAtOnce, halfAtATime, oneAtATime}
		for _, r := range rows {
			names = append(names, r.Value.Name)
		}
		slices.Sort(names)
		list, next, err := page(names, in.NextToken)
		return &api.ListDeploymentConfigsOutput{DeploymentConfigsList: list, NextToken: next}, err
	})
}

// CreateDeploymentConfig makes a configuration.
func (s *Service) CreateDeploymentConfig(ctx context.Context, in *api.CreateDeploymentConfigInput) (*api.CreateDeploymentConfigOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkConfig(in); err != nil {
		return nil, err
	}
	cfg := &config{Name: *in.DeploymentConfigName, ID: ids.UUID(), Created: s.clock.Now(), Minimum: *in.MinimumHealthyHosts, Zonal: in.ZonalConfig, Token: c.Token}
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		old, err := configs.Get(tx, key(c, cfg.Name))
		if err == nil && c.Token != "" && old.Token == c.Token {
			cfg = old
			return nil
		}
		there, err := configs.List(tx, scope(c), "", maxConfigs)
		if err == nil {
			err = checkRoom(len(there), maxConfigs, "DeploymentConfigLimitExceededException", "deployment configurations")
		}
		if err != nil {
			return err
		}
		err = configs.Insert(tx, key(c, cfg.Name), cfg)
		if errors.Is(err, store.ErrExists) {
			return awserr.New("DeploymentConfigAlreadyExistsException", "Deployment Configuration already exists: %s", cfg.Name)
		}
		emit(tx, key(c, cfg.Name), cfg.Name, "config", "created")
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateDeploymentConfigOutput{DeploymentConfigId: &cfg.ID}, nil
}

func checkConfig(in *api.CreateDeploymentConfigInput) error {
	name, err := checkConfigName(in.DeploymentConfigName)
	if err != nil {
		return err
	}
	if strings.HasPrefix(name, predefinedPrefix) {
		return awserr.New("InvalidDeploymentConfigNameException", "Deployment configuration name %s is invalid: it may not begin with %s", name, predefinedPrefix)
	}
	if err := checkPlatform("CreateDeploymentConfig", in.ComputePlatform); err != nil {
		return err
	}
	if in.TrafficRoutingConfig != nil {
		return errUnbuilt("CreateDeploymentConfig", "trafficRoutingConfig")
	}
	if err := checkZonal(in.ZonalConfig); err != nil {
		return err
	}
	m := in.MinimumHealthyHosts
	if m == nil {
		return awserr.New("InvalidMinimumHealthyHostValueException", "minimum healthy hosts argument is missing")
	}
	value := minimumValue(m)
	if value < 0 || m.Type == api.MinimumHealthyHostsTypeFleetPercent && value > 99 ||
		m.Type != api.MinimumHealthyHostsTypeFleetPercent && m.Type != api.MinimumHealthyHostsTypeHostCount {
		return awserr.New("InvalidMinimumHealthyHostValueException", "The minimum healthy instance value was specified in an invalid format.")
	}
	return nil
}

func checkZonal(z *api.ZonalConfig) error {
	if z == nil {
		return nil
	}
	invalid := func(why string) error {
		return awserr.New("InvalidZonalDeploymentConfigurationException", "The ZonalConfig object is not valid. %s", why)
	}
	if aws.Val(z.FirstZoneMonitorDurationInSeconds) < 0 || aws.Val(z.MonitorDurationInSeconds) < 0 {
		return invalid("A monitor duration is not negative.")
	}
	m := z.MinimumHealthyHostsPerZone
	if m == nil {
		return nil
	}
	if m.Value == nil || *m.Value < 0 || m.Type == api.MinimumHealthyHostsPerZoneTypeFleetPercent && *m.Value > 99 {
		return invalid("The value of minimumHealthyHostsPerZone is a number of hosts, or 0 to 99 percent.")
	}
	return nil
}

// DeleteDeploymentConfig deletes a configuration that no group uses.
func (s *Service) DeleteDeploymentConfig(ctx context.Context, in *api.DeleteDeploymentConfigInput) (*api.DeleteDeploymentConfigOutput, error) {
	c := aws.CallFrom(ctx)
	name, err := checkConfigName(in.DeploymentConfigName)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(name, predefinedPrefix) {
		return nil, awserr.New("InvalidOperationException", "The predefined deployment configuration %s cannot be deleted", name)
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		rows, err := groups.List(tx, scope(c), "", 0)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if r.Value.Config == name {
				return awserr.New("DeploymentConfigInUseException", "Deployment configuration %s is in use by deployment group %s", name, r.Value.Name)
			}
		}
		running, err := deployments.Lookup(tx, "active", "active")
		if err != nil {
			return err
		}
		for _, r := range running {
			if r.Value.Config == name && r.Key.Account == c.Account && r.Key.Region == c.Region {
				return awserr.New("DeploymentConfigInUseException", "Deployment configuration %s is in use by deployment %s", name, r.Value.ID)
			}
		}
		if err := configs.Delete(tx, key(c, name)); err != nil && !isNotFound(err) {
			return err
		}
		emit(tx, key(c, name), name, "config", "deleted")
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteDeploymentConfigOutput{}, nil
}

// minimumValue: SDK for Go v2 does not send a value of 0.
func minimumValue(m *api.MinimumHealthyHosts) int32 {
	if m == nil {
		return 0
	}
	return aws.Val(m.Value)
}
