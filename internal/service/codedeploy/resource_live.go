package codedeploy

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// orAbsent makes the absence of a resource, or of its application, stack.ErrNotFound.
func orAbsent(err error) error {
	if awserr.Is(err, "ApplicationDoesNotExistException", "DeploymentGroupDoesNotExistException", "DeploymentConfigDoesNotExistException") {
		return stack.ErrNotFound
	}
	return err
}

// plain is a value of the API in the form that templates have: members that are not
// set are left out.
func plain(v any) (out any, err error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	err = d.Decode(&out)
	return set(out), err
}

// set drops what is not set.
func set(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for name, value := range x {
			if value = set(value); value == nil || value == "" {
				delete(x, name)
			} else {
				x[name] = value
			}
		}
	case []any:
		for i := range x {
			x[i] = set(x[i])
		}
	}
	return v
}

// liveTags are the tags of a resource in the form of templates.
func liveTags(ctx context.Context, inv Invoker, resource string) (any, error) {
	out, err := invoke[api.ListTagsForResourceOutput](ctx, inv, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceArn: &resource})
	if err != nil {
		return nil, orAbsent(err)
	}
	tags := []any{}
	for _, t := range out.Tags {
		tags = append(tags, map[string]any{"Key": aws.Val(t.Key), "Value": aws.Val(t.Value)})
	}
	return tags, nil
}

// Live implements stack.Live.
func (t resourceApplication) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	out, err := invoke[api.GetApplicationOutput](ctx, t.inv, "GetApplication", &api.GetApplicationInput{ApplicationName: &r.PhysicalID})
	if err != nil {
		return nil, orAbsent(err)
	}
	tags, err := liveTags(ctx, t.inv, applicationARN(aws.CallFrom(ctx), r.PhysicalID))
	return map[string]any{"ApplicationName": r.PhysicalID, "ComputePlatform": string(out.Application.ComputePlatform), "Tags": tags}, err
}

// Live implements stack.Live.
func (t resourceDeploymentConfig) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	out, err := invoke[api.GetDeploymentConfigOutput](ctx, t.inv, "GetDeploymentConfig", &api.GetDeploymentConfigInput{DeploymentConfigName: &r.PhysicalID})
	if err != nil {
		return nil, orAbsent(err)
	}
	info := out.DeploymentConfigInfo
	live := map[string]any{"DeploymentConfigName": r.PhysicalID, "ComputePlatform": string(info.ComputePlatform)}
	for name, v := range map[string]any{"MinimumHealthyHosts": info.MinimumHealthyHosts, "ZonalConfig": info.ZonalConfig} {
		if live[name], err = plain(v); err != nil {
			return nil, err
		}
	}
	return live, nil
}

// Live implements stack.Live. Sets of tags and the deployment are not read back.
func (t resourceDeploymentGroup) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	application := applicationOf(r)
	out, err := invoke[api.GetDeploymentGroupOutput](ctx, t.inv, "GetDeploymentGroup", &api.GetDeploymentGroupInput{
		ApplicationName: application, DeploymentGroupName: &r.PhysicalID})
	if err != nil {
		return nil, orAbsent(err)
	}
	g := out.DeploymentGroupInfo
	live := map[string]any{}
	for name, v := range map[string]any{
		"ApplicationName": g.ApplicationName, "DeploymentGroupName": g.DeploymentGroupName, "ServiceRoleArn": g.ServiceRoleArn,
		"DeploymentConfigName": g.DeploymentConfigName, "Ec2TagFilters": g.Ec2TagFilters, "OnPremisesInstanceTagFilters": g.OnPremisesInstanceTagFilters,
		"AutoRollbackConfiguration": g.AutoRollbackConfiguration, "DeploymentStyle": g.DeploymentStyle,
		"BlueGreenDeploymentConfiguration": g.BlueGreenDeploymentConfiguration, "OutdatedInstancesStrategy": g.OutdatedInstancesStrategy,
		"AlarmConfiguration": g.AlarmConfiguration, "TriggerConfigurations": g.TriggerConfigurations,
	} {
		if live[name], err = plain(v); err != nil {
			return nil, err
		}
	}
	live["Tags"], err = liveTags(ctx, t.inv, groupARN(aws.CallFrom(ctx), *application, r.PhysicalID))
	return live, err
}
