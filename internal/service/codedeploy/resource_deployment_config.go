package codedeploy

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceDeploymentConfig is AWS::CodeDeploy::DeploymentConfig. Ref and the
// physical id are the name. Nothing of it can be changed in place.
type resourceDeploymentConfig struct{ inv Invoker }

type minimumProperties struct {
	Type  string `cfn:",required"`
	Value int32  `cfn:",required"`
}

type configProperties struct {
	DeploymentConfigName *string
	ComputePlatform      *string
	MinimumHealthyHosts  *minimumProperties
	ZonalConfig          *struct {
		FirstZoneMonitorDurationInSeconds *int64
		MonitorDurationInSeconds          *int64
		MinimumHealthyHostsPerZone        *minimumProperties
	}
}

func (resourceDeploymentConfig) Schema() stack.Schema { return stack.SchemaOf(configProperties{}) }

func (p *configProperties) input(name string) *api.CreateDeploymentConfigInput {
	in := &api.CreateDeploymentConfigInput{DeploymentConfigName: &name, ComputePlatform: api.ComputePlatform(aws.Val(p.ComputePlatform))}
	if m := p.MinimumHealthyHosts; m != nil {
		in.MinimumHealthyHosts = &api.MinimumHealthyHosts{Type: api.MinimumHealthyHostsType(m.Type), Value: &m.Value}
	}
	if z := p.ZonalConfig; z != nil {
		in.ZonalConfig = &api.ZonalConfig{FirstZoneMonitorDurationInSeconds: z.FirstZoneMonitorDurationInSeconds, MonitorDurationInSeconds: z.MonitorDurationInSeconds}
		if m := z.MinimumHealthyHostsPerZone; m != nil {
			in.ZonalConfig.MinimumHealthyHostsPerZone = &api.MinimumHealthyHostsPerZone{Type: api.MinimumHealthyHostsPerZoneType(m.Type), Value: &m.Value}
		}
	}
	return in
}

func (t resourceDeploymentConfig) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p configProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	name := r.Name(100)
	if p.DeploymentConfigName != nil {
		name = *p.DeploymentConfigName
	}
	if _, err := invoke[api.CreateDeploymentConfigOutput](ctx, t.inv, "CreateDeploymentConfig", p.input(name)); err != nil {
		return stack.Result{}, err
	}
	started(name)
	return stack.Result{PhysicalID: name}, nil
}

func (t resourceDeploymentConfig) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := invoke[api.GetDeploymentConfigOutput](ctx, t.inv, "GetDeploymentConfig", &api.GetDeploymentConfigInput{DeploymentConfigName: &r.PhysicalID})
	if awserr.Is(err, "DeploymentConfigDoesNotExistException") {
		return stack.Result{}, stack.ErrNotFound
	}
	return stack.Result{PhysicalID: r.PhysicalID}, err
}

// Update has nothing to change.
func (t resourceDeploymentConfig) Update(_ context.Context, r stack.Request) (stack.Result, error) {
	return stack.Result{PhysicalID: r.PhysicalID}, nil
}

func (t resourceDeploymentConfig) Delete(ctx context.Context, r stack.Request) error {
	_, err := invoke[api.DeleteDeploymentConfigOutput](ctx, t.inv, "DeleteDeploymentConfig", &api.DeleteDeploymentConfigInput{DeploymentConfigName: &r.PhysicalID})
	return err
}
