package codedeploy

import (
	"cmp"
	"context"
	"errors"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// CreateDeploymentGroup makes a group of instances, found by tags at each
// deployment with the service role's permissions.
func (s *Service) CreateDeploymentGroup(ctx context.Context, in *api.CreateDeploymentGroupInput) (*api.CreateDeploymentGroupOutput, error) {
	c := aws.CallFrom(ctx)
	appName, err := checkApplicationName(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	g, err := newGroup(in, c)
	if err != nil {
		return nil, err
	}
	if err := s.checkRole(ctx, g.Role); err != nil {
		return nil, err
	}
	s.hooking.Store(key(c, g.ID), struct{}{})
	defer s.hooking.Delete(key(c, g.ID))
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		if c.Token != "" {
			if rows, err := groups.Lookup(tx, "token", c.Token); err != nil || len(rows) > 0 {
				if len(rows) > 0 {
					g = rows[0].Value
				}
				return err
			}
		}
		app, err := findApplication(tx, c, appName)
		if err != nil {
			return err
		}
		if _, err := findConfig(tx, c, g.Config); err != nil {
			return err
		}
		there, err := groupsOf(tx, app)
		if err == nil {
			err = checkRoom(len(there), maxGroups, "DeploymentGroupLimitExceededException", "deployment groups of an application")
		}
		if err != nil {
			return err
		}
		g.ApplicationID = app.ID
		err = groups.Insert(tx, key(c, g.ID), g)
		if errors.Is(err, store.ErrExists) {
			return awserr.New("DeploymentGroupAlreadyExistsException", "Deployment Group with name: %s already exists for application: %s", g.Name, appName)
		}
		emit(tx, key(c, g.ID), g.ID, "group", "created")
		return err
	})
	if err != nil {
		return nil, err
	}
	if _, err := s.rehook(ctx, key(c, g.ID)); err != nil {
		s.unhookAll(ctx, key(c, g.ID), g)
		return nil, cmp.Or(s.db.Update(ctx, func(tx *store.Tx) error { return deleteGroup(tx, key(c, g.ID), g) }), err)
	}
	return &api.CreateDeploymentGroupOutput{DeploymentGroupId: &g.ID}, nil
}

func newGroup(in *api.CreateDeploymentGroupInput, c aws.Call) (*group, error) {
	name, err := checkGroupName(in.DeploymentGroupName)
	if err != nil {
		return nil, err
	}
	if aws.Val(in.ServiceRoleArn) == "" {
		return nil, errRoleRequired
	}
	err = groupInput{
		operation: "CreateDeploymentGroup", onPremises: in.OnPremisesInstanceTagFilters, onPremSet: in.OnPremisesTagSet,
		scaling: in.AutoScalingGroups, triggers: in.TriggerConfigurations, alarms: in.AlarmConfiguration,
		rollback: in.AutoRollbackConfiguration, outdated: in.OutdatedInstancesStrategy,
		balancer: in.LoadBalancerInfo, ecs: in.EcsServices,
		filters: in.Ec2TagFilters, tagSet: in.Ec2TagSet, role: in.ServiceRoleArn, config: in.DeploymentConfigName, style: in.DeploymentStyle,
	}.check()
	if err != nil {
		return nil, err
	}
	tags, err := addTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	g := &group{
		Alarms: in.AlarmConfiguration, Triggers: in.TriggerConfigurations, Style: in.DeploymentStyle, BlueGreen: in.BlueGreenDeploymentConfiguration,
		Balancer: givenBalancer(in.LoadBalancerInfo),
		ID:       ids.UUID(), Name: name, Config: aws.Val(in.DeploymentConfigName), Filters: in.Ec2TagFilters, TagSet: in.Ec2TagSet,
		OnPremises: in.OnPremisesInstanceTagFilters, OnPremisesSet: in.OnPremisesTagSet,
		Role: *in.ServiceRoleArn, Rollback: in.AutoRollbackConfiguration, Outdated: in.OutdatedInstancesStrategy, Tags: tags, Token: c.Token,
	}
	if g.Config == "" {
		g.Config = oneAtATime
	}
	if g.Outdated == "" {
		g.Outdated = api.OutdatedInstancesStrategyUpdate
	}
	g.setScaling(in.AutoScalingGroups, aws.Val(in.TerminationHookEnabled))
	return g, g.checkStyle()
}
