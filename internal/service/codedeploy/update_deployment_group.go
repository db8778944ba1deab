package codedeploy

import (
	"cmp"
	"context"
	"errors"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// UpdateDeploymentGroup changes the members that are given. A deployment that
// runs keeps what it began with.
func (s *Service) UpdateDeploymentGroup(ctx context.Context, in *api.UpdateDeploymentGroupInput) (*api.UpdateDeploymentGroupOutput, error) {
	c := aws.CallFrom(ctx)
	appName, err := checkApplicationName(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	name, err := checkGroupName(in.CurrentDeploymentGroupName)
	if err != nil {
		return nil, err
	}
	if err := checkGroupUpdate(in); err != nil {
		return nil, err
	}
	if role := aws.Val(in.ServiceRoleArn); role != "" {
		if err := s.checkRole(ctx, role); err != nil {
			return nil, err
		}
	}
	var before, after *group
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		app, err := findApplication(tx, c, appName)
		if err != nil {
			return err
		}
		g, err := findGroup(tx, app, name)
		if err != nil {
			return err
		}
		old := *g
		before, after = &old, g
		s.hooking.Store(key(c, g.ID), struct{}{})
		g.change(in)
		if err := g.checkStyle(); err != nil {
			return err
		}
		if _, err := findConfig(tx, c, g.Config); err != nil {
			return err
		}
		emit(tx, key(c, g.ID), g.ID, "group", "updated")
		err = groups.Put(tx, key(c, g.ID), g)
		if errors.Is(err, store.ErrExists) {
			return awserr.New("DeploymentGroupAlreadyExistsException", "Deployment Group with name: %s already exists for application: %s", g.Name, appName)
		}
		return err
	})
	if after != nil {
		defer s.hooking.Delete(key(c, after.ID))
	}
	if err != nil {
		return nil, err
	}
	left, err := s.rehook(ctx, key(c, after.ID))
	if err != nil {
		return nil, cmp.Or(s.takeBack(ctx, key(c, after.ID), before), err)
	}
	return &api.UpdateDeploymentGroupOutput{HooksNotCleanedUp: append([]api.AutoScalingGroup{}, left...)}, nil
}

// takeBack undoes an update that could not put its hooks. What has been learnt of the
// group meanwhile stays.
func (s *Service) takeBack(ctx context.Context, k store.Key, before *group) error {
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		g, err := groups.Get(tx, k)
		if err != nil {
			return err
		}
		was := *before
		was.Scaling, was.Unhook, was.Tags = g.Scaling, g.Unhook, g.Tags
		was.LastSuccessful, was.LastAttempted = g.LastSuccessful, g.LastAttempted
		was.setScaling(before.scalingNames(), before.TerminationHook)
		emit(tx, k, g.ID, "group", "update taken back")
		return groups.Put(tx, k, &was)
	})
	if err == nil {
		_, err = s.rehook(ctx, k)
	}
	return err
}

func checkGroupUpdate(in *api.UpdateDeploymentGroupInput) error {
	if in.NewDeploymentGroupName != nil {
		if _, err := checkGroupName(in.NewDeploymentGroupName); err != nil {
			return err
		}
	}
	return groupInput{
		operation: "UpdateDeploymentGroup", onPremises: in.OnPremisesInstanceTagFilters, onPremSet: in.OnPremisesTagSet,
		scaling: in.AutoScalingGroups, triggers: in.TriggerConfigurations, alarms: in.AlarmConfiguration,
		rollback: in.AutoRollbackConfiguration, outdated: in.OutdatedInstancesStrategy,
		balancer: in.LoadBalancerInfo, ecs: in.EcsServices,
		filters: in.Ec2TagFilters, tagSet: in.Ec2TagSet, role: in.ServiceRoleArn, config: in.DeploymentConfigName, style: in.DeploymentStyle,
	}.check()
}

func (g *group) change(in *api.UpdateDeploymentGroupInput) {
	for to, from := range map[*string]*string{&g.Name: in.NewDeploymentGroupName, &g.Config: in.DeploymentConfigName, &g.Role: in.ServiceRoleArn} {
		if from != nil && *from != "" {
			*to = *from
		}
	}
	g.changeSelection(in)
	if in.AutoRollbackConfiguration != nil {
		g.Rollback = in.AutoRollbackConfiguration
	}
	if in.AlarmConfiguration != nil {
		g.Alarms = in.AlarmConfiguration
	}
	if in.TriggerConfigurations != nil {
		g.Triggers = in.TriggerConfigurations
	}
	if in.DeploymentStyle != nil {
		g.Style = in.DeploymentStyle
		if g.style().DeploymentType == api.DeploymentTypeInPlace {
			g.BlueGreen = nil
		}
	}
	if in.BlueGreenDeploymentConfiguration != nil {
		g.BlueGreen = in.BlueGreenDeploymentConfiguration
	}
	if in.LoadBalancerInfo != nil {
		g.Balancer = givenBalancer(in.LoadBalancerInfo)
	}
	if in.OutdatedInstancesStrategy != "" {
		g.Outdated = in.OutdatedInstancesStrategy
	}
}

// changeSelection changes what the group finds its instances by.
func (g *group) changeSelection(in *api.UpdateDeploymentGroupInput) {
	// Filters and a tag set exclude each other: giving one drops the other, and
	// an empty list drops what it is a list of.
	if s := in.Ec2TagSet; s != nil && len(s.Ec2TagSetList) == 0 {
		g.TagSet = nil
	} else if s != nil {
		g.TagSet, g.Filters = s, nil
	}
	if in.Ec2TagFilters != nil {
		g.Filters = in.Ec2TagFilters
	}
	if len(in.Ec2TagFilters) > 0 {
		g.TagSet = nil
	}
	if s := in.OnPremisesTagSet; s != nil && len(s.OnPremisesTagSetList) == 0 {
		g.OnPremisesSet = nil
	} else if s != nil {
		g.OnPremisesSet, g.OnPremises = s, nil
	}
	if in.OnPremisesInstanceTagFilters != nil {
		g.OnPremises = in.OnPremisesInstanceTagFilters
	}
	if len(in.OnPremisesInstanceTagFilters) > 0 {
		g.OnPremisesSet = nil
	}
	if in.AutoScalingGroups != nil || in.TerminationHookEnabled != nil {
		names, hook := g.scalingNames(), g.TerminationHook
		if in.AutoScalingGroups != nil {
			names = in.AutoScalingGroups
		}
		if in.TerminationHookEnabled != nil {
			hook = *in.TerminationHookEnabled
		}
		g.setScaling(names, hook)
	}
}
