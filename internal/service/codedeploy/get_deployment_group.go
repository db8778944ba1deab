package codedeploy

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/store"
)

func (g *group) view(application string) api.DeploymentGroupInfo {
	info := api.DeploymentGroupInfo{
		ApplicationName: &application, DeploymentGroupId: &g.ID, DeploymentGroupName: &g.Name, DeploymentConfigName: &g.Config,
		Ec2TagFilters: append([]api.EC2TagFilter{}, g.Filters...), OnPremisesInstanceTagFilters: append([]api.TagFilter{}, g.OnPremises...),
		OnPremisesTagSet:  g.OnPremisesSet,
		AutoScalingGroups: viewScaling(g.Scaling), ServiceRoleArn: &g.Role, TriggerConfigurations: append([]api.TriggerConfig{}, g.Triggers...), AlarmConfiguration: viewAlarms(g.Alarms),
		AutoRollbackConfiguration: viewRollback(g.Rollback), OutdatedInstancesStrategy: g.Outdated, Ec2TagSet: g.TagSet,
		DeploymentStyle: g.style(), BlueGreenDeploymentConfiguration: g.BlueGreen, ComputePlatform: api.ComputePlatformServer, TerminationHookEnabled: &g.TerminationHook,
		LastSuccessfulDeployment: g.LastSuccessful.view(), LastAttemptedDeployment: g.LastAttempted.view(),
	}
	info.LoadBalancerInfo = g.Balancer
	for i := range info.Ec2TagFilters {
		info.Ec2TagFilters[i].Type = filterType(info.Ec2TagFilters[i])
	}
	for i, f := range info.OnPremisesInstanceTagFilters {
		info.OnPremisesInstanceTagFilters[i].Type = api.TagFilterType(filterType(plainFilter(f)))
	}
	if g.LastSuccessful != nil {
		info.TargetRevision = g.LastSuccessful.Revision
	}
	return info
}

// viewRollback is the configuration as answers have it, its members filled in.
func viewRollback(r *api.AutoRollbackConfiguration) *api.AutoRollbackConfiguration {
	if r == nil {
		return nil
	}
	return &api.AutoRollbackConfiguration{Enabled: aws.Ptr(aws.Val(r.Enabled)), Events: append([]api.AutoRollbackEvent{}, r.Events...)}
}

func (l *lastDeployment) view() *api.LastDeploymentInfo {
	if l == nil {
		return nil
	}
	return &api.LastDeploymentInfo{DeploymentId: &l.ID, Status: l.Status, EndTime: &l.Ended, CreateTime: &l.Created}
}

// GetDeploymentGroup describes a group.
func (s *Service) GetDeploymentGroup(ctx context.Context, in *api.GetDeploymentGroupInput) (*api.GetDeploymentGroupOutput, error) {
	c := aws.CallFrom(ctx)
	appName, err := checkApplicationName(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	name, err := checkGroupName(in.DeploymentGroupName)
	if err != nil {
		return nil, err
	}
	return view(ctx, s, func(tx *store.Tx) (*api.GetDeploymentGroupOutput, error) {
		app, err := findApplication(tx, c, appName)
		if err != nil {
			return nil, err
		}
		g, err := findGroup(tx, app, name)
		if err != nil {
			return nil, err
		}
		info := g.view(app.Name)
		return &api.GetDeploymentGroupOutput{DeploymentGroupInfo: &info}, nil
	})
}

// BatchGetDeploymentGroups describes groups of one application; names without
// one are left out and named in the answer's error message.
func (s *Service) BatchGetDeploymentGroups(ctx context.Context, in *api.BatchGetDeploymentGroupsInput) (*api.BatchGetDeploymentGroupsOutput, error) {
	c := aws.CallFrom(ctx)
	appName, err := checkApplicationName(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	if len(in.DeploymentGroupNames) == 0 {
		return nil, errGroupNameRequired
	}
	if err := checkBatch(len(in.DeploymentGroupNames), maxNames); err != nil {
		return nil, err
	}
	for i := range in.DeploymentGroupNames {
		if _, err := checkGroupName(&in.DeploymentGroupNames[i]); err != nil {
			return nil, err
		}
	}
	return view(ctx, s, func(tx *store.Tx) (*api.BatchGetDeploymentGroupsOutput, error) {
		app, err := findApplication(tx, c, appName)
		if err != nil {
			return nil, err
		}
		out := &api.BatchGetDeploymentGroupsOutput{DeploymentGroupsInfo: []api.DeploymentGroupInfo{}}
		for _, name := range in.DeploymentGroupNames {
			g, err := findGroup(tx, app, name)
			if ignoreCode(err, "DeploymentGroupDoesNotExistException") != nil {
				return nil, err
			}
			if err != nil {
				out.ErrorMessage = aws.Ptr("No Deployment Group found for name: " + name)
				continue
			}
			out.DeploymentGroupsInfo = append(out.DeploymentGroupsInfo, g.view(app.Name))
		}
		return out, nil
	})
}

// ListDeploymentGroups returns the names of an application's groups.
func (s *Service) ListDeploymentGroups(ctx context.Context, in *api.ListDeploymentGroupsInput) (*api.ListDeploymentGroupsOutput, error) {
	c := aws.CallFrom(ctx)
	appName, err := checkApplicationName(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	return view(ctx, s, func(tx *store.Tx) (*api.ListDeploymentGroupsOutput, error) {
		app, err := findApplication(tx, c, appName)
		if err != nil {
			return nil, err
		}
		gs, err := groupsOf(tx, app)
		if err != nil {
			return nil, err
		}
		names := make([]string, len(gs))
		for i, g := range gs {
			names[i] = g.Name
		}
		list, next, err := page(names, in.NextToken)
		return &api.ListDeploymentGroupsOutput{ApplicationName: &app.Name, DeploymentGroups: list, NextToken: next}, err
	})
}
