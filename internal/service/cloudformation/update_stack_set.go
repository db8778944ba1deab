package cloudformation

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/store"
)

func (s *Service) updateStackSetChecks(ctx context.Context, in *api.UpdateStackSetInput) ([]aws.Check, error) {
	return append(s.setChecks(ctx, aws.Val(in.StackSetName)), passRole(in.AdministrationRoleARN)...), nil
}

// UpdateStackSet changes a set and updates its instances: all, or those in the
// accounts and regions that the request names; the others are OUTDATED then.
func (s *Service) UpdateStackSet(ctx context.Context, in *api.UpdateStackSetInput) (*api.UpdateStackSetOutput, error) {
	if err := selfManaged(in.PermissionModel, in.AutoDeployment, in.CallAs); err != nil {
		return nil, err
	}
	before, err := s.set(ctx, in.StackSetName)
	if err != nil {
		return nil, err
	}
	var targets []target
	if len(in.Accounts) > 0 || in.DeploymentTargets != nil || len(in.Regions) > 0 {
		if targets, err = targetsOf(in.Accounts, in.DeploymentTargets, in.Regions); err != nil {
			return nil, err
		}
	}
	w := wanted{parameters: in.Parameters, capabilities: in.Capabilities, tags: in.Tags}
	if w.body, err = s.updatedSetBody(ctx, before, in); err != nil {
		return nil, err
	}
	previous, err := s.engine.Values(before.ID, &before.Spec)
	if err != nil {
		return nil, err
	}
	spec, err := s.setSpec(before.ID, w, previous)
	if err != nil {
		return nil, err
	}
	if in.Tags == nil {
		spec.Tags = before.Spec.Tags
	}
	r := setRequest{in.StackSetName, in.OperationId, api.StackSetOperationActionUpdate, in.OperationPreferences, in.CallAs, in}
	id, err := s.beginOperation(ctx, r, func(tx *store.Tx, set *stackSet, op *setOperation) error {
		if set.Operations != before.Operations+1 { // one is this
			return staleRequest() // spec was made of what the set was before another
		}
		set.Spec = spec
		set.roles(in.AdministrationRoleARN, in.ExecutionRoleName)
		if in.Description != nil {
			set.Description = *in.Description
		}
		if in.ManagedExecution != nil {
			set.Managed = aws.Val(in.ManagedExecution.Active)
		}
		return outdate(tx, set, op, targets)
	})
	return &api.UpdateStackSetOutput{OperationId: id}, err
}

func (s *Service) updatedSetBody(ctx context.Context, set *stackSet, in *api.UpdateStackSetInput) (string, error) {
	if !aws.Val(in.UsePreviousTemplate) {
		return s.source(ctx, in.TemplateBody, in.TemplateURL)
	}
	if in.TemplateBody != nil || in.TemplateURL != nil {
		return "", invalid("You cannot specify a template together with UsePreviousTemplate.")
	}
	return set.Spec.Template, nil
}

// outdate marks the instances of a set that has changed and makes those in targets,
// all without any, part of the operation.
func outdate(tx *store.Tx, set *stackSet, op *setOperation, targets []target) error {
	list, err := instancesOf(tx, set.ID)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if !slices.ContainsFunc(list, func(i *stackInstance) bool { return i.target == t }) {
			return noInstance(set, t)
		}
	}
	for _, i := range list {
		if len(targets) > 0 && !slices.Contains(targets, i.target) {
			i.Status = string(api.StackInstanceStatusOutdated)
			err = stackInstances.Put(tx, set.instanceKey(i.target), i)
		} else {
			err = op.pending(tx, set, i)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
