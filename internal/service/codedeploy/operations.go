package codedeploy

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/api/codedeploycommands"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// Wire lists the operations of the service API, all of them.
func (s *Service) Wire() wire.Service {
	var rows []wire.Operation
	rows = append(rows, s.applicationRows()...)
	rows = append(rows, s.groupRows()...)
	rows = append(rows, s.deploymentRows()...)
	rows = append(rows, s.onPremisesRows()...)
	return wire.Service{Model: api.Model(), Invalid: violated, Operations: wire.Completed(rows, s.tagCheck)}
}

// tagCheck adds the tags of an application or a deployment group to the check on it.
func (s *Service) tagCheck(ctx context.Context, _ any, check *aws.Check) error {
	err := s.db.View(ctx, func(tx *store.Tx) error {
		r, err := findTagged(tx, aws.CallFrom(ctx), &check.Resource)
		for k, v := range r.tags {
			check.OfferTag(k, v)
		}
		return err
	})
	if awserr.As(err) != nil || isNotFound(err) { // another kind of resource, or none
		return nil
	}
	return err
}

func (s *Service) applicationRows() []wire.Operation {
	return []wire.Operation{
		wire.Op("CreateApplication", "codedeploy:CreateApplication", s.CreateApplication,
			onApplication(func(in *api.CreateApplicationInput) *string { return in.ApplicationName })),
		wire.Op("GetApplication", "codedeploy:GetApplication", s.GetApplication,
			onApplication(func(in *api.GetApplicationInput) *string { return in.ApplicationName })),
		wire.Op("BatchGetApplications", "codedeploy:BatchGetApplications", s.BatchGetApplications, onApplications),
		wire.Op("ListApplications", "codedeploy:ListApplications", s.ListApplications, nil),
		wire.Op("UpdateApplication", "codedeploy:UpdateApplication", s.UpdateApplication,
			onApplication(func(in *api.UpdateApplicationInput) *string { return in.ApplicationName })),
		wire.Op("DeleteApplication", "codedeploy:DeleteApplication", s.DeleteApplication,
			onApplication(func(in *api.DeleteApplicationInput) *string { return in.ApplicationName })),
		wire.Op("RegisterApplicationRevision", "codedeploy:RegisterApplicationRevision", s.RegisterApplicationRevision,
			onApplication(func(in *api.RegisterApplicationRevisionInput) *string { return in.ApplicationName })),
		wire.Op("GetApplicationRevision", "codedeploy:GetApplicationRevision", s.GetApplicationRevision,
			onApplication(func(in *api.GetApplicationRevisionInput) *string { return in.ApplicationName })),
		wire.Op("BatchGetApplicationRevisions", "codedeploy:BatchGetApplicationRevisions", s.BatchGetApplicationRevisions,
			onApplication(func(in *api.BatchGetApplicationRevisionsInput) *string { return in.ApplicationName })),
		wire.Op("ListApplicationRevisions", "codedeploy:ListApplicationRevisions", s.ListApplicationRevisions,
			onApplication(func(in *api.ListApplicationRevisionsInput) *string { return in.ApplicationName })),
		wire.Op("GetDeploymentConfig", "codedeploy:GetDeploymentConfig", s.GetDeploymentConfig,
			onConfig(func(in *api.GetDeploymentConfigInput) *string { return in.DeploymentConfigName })),
		wire.Op("ListDeploymentConfigs", "codedeploy:ListDeploymentConfigs", s.ListDeploymentConfigs, nil),
		wire.Op("CreateDeploymentConfig", "codedeploy:CreateDeploymentConfig", s.CreateDeploymentConfig,
			onConfig(func(in *api.CreateDeploymentConfigInput) *string { return in.DeploymentConfigName })),
		wire.Op("DeleteDeploymentConfig", "codedeploy:DeleteDeploymentConfig", s.DeleteDeploymentConfig,
			onConfig(func(in *api.DeleteDeploymentConfigInput) *string { return in.DeploymentConfigName })),
		wire.Op("DeleteGitHubAccountToken", "codedeploy:DeleteGitHubAccountToken", s.DeleteGitHubAccountToken, nil),
		wire.Op("ListGitHubAccountTokenNames", "codedeploy:ListGitHubAccountTokenNames", s.ListGitHubAccountTokenNames, nil),
		wire.Op("DeleteResourcesByExternalId", "codedeploy:DeleteResourcesByExternalId", s.DeleteResourcesByExternalId, nil),
		wire.Op("TagResource", "codedeploy:TagResource", s.TagResource,
			onARN(func(in *api.TagResourceInput) *string { return in.ResourceArn })),
		wire.Op("UntagResource", "codedeploy:UntagResource", s.UntagResource,
			onARN(func(in *api.UntagResourceInput) *string { return in.ResourceArn })),
		wire.Op("ListTagsForResource", "codedeploy:ListTagsForResource", s.ListTagsForResource,
			onARN(func(in *api.ListTagsForResourceInput) *string { return in.ResourceArn })),
	}
}

func (s *Service) groupRows() []wire.Operation {
	return []wire.Operation{
		wire.Op("CreateDeploymentGroup", "codedeploy:CreateDeploymentGroup", s.CreateDeploymentGroup,
			func(ctx context.Context, in *api.CreateDeploymentGroupInput) ([]aws.Check, error) {
				return passing(onGroup(ctx, in.ApplicationName, in.DeploymentGroupName), in.ServiceRoleArn), nil
			}),
		wire.Op("UpdateDeploymentGroup", "codedeploy:UpdateDeploymentGroup", s.UpdateDeploymentGroup,
			func(ctx context.Context, in *api.UpdateDeploymentGroupInput) ([]aws.Check, error) {
				return passing(onGroup(ctx, in.ApplicationName, in.CurrentDeploymentGroupName), in.ServiceRoleArn), nil
			}),
		wire.Op("GetDeploymentGroup", "codedeploy:GetDeploymentGroup", s.GetDeploymentGroup,
			func(ctx context.Context, in *api.GetDeploymentGroupInput) ([]aws.Check, error) {
				return onGroup(ctx, in.ApplicationName, in.DeploymentGroupName), nil
			}),
		wire.Op("BatchGetDeploymentGroups", "codedeploy:BatchGetDeploymentGroups", s.BatchGetDeploymentGroups,
			func(ctx context.Context, in *api.BatchGetDeploymentGroupsInput) ([]aws.Check, error) {
				return onGroup(ctx, in.ApplicationName, nil, in.DeploymentGroupNames...), nil
			}),
		wire.Op("ListDeploymentGroups", "codedeploy:ListDeploymentGroups", s.ListDeploymentGroups,
			onApplication(func(in *api.ListDeploymentGroupsInput) *string { return in.ApplicationName })),
		wire.Op("DeleteDeploymentGroup", "codedeploy:DeleteDeploymentGroup", s.DeleteDeploymentGroup,
			func(ctx context.Context, in *api.DeleteDeploymentGroupInput) ([]aws.Check, error) {
				return onGroup(ctx, in.ApplicationName, in.DeploymentGroupName), nil
			}),
	}
}

func (s *Service) deploymentRows() []wire.Operation {
	return []wire.Operation{
		wire.Op("CreateDeployment", "codedeploy:CreateDeployment", s.CreateDeployment,
			func(ctx context.Context, in *api.CreateDeploymentInput) ([]aws.Check, error) {
				return onGroup(ctx, in.ApplicationName, in.DeploymentGroupName), nil
			}),
		wire.Op("ListDeployments", "codedeploy:ListDeployments", s.ListDeployments,
			func(ctx context.Context, in *api.ListDeploymentsInput) ([]aws.Check, error) {
				if in.ApplicationName == nil {
					return []aws.Check{{Resource: "*"}}, nil
				}
				return onGroup(ctx, in.ApplicationName, in.DeploymentGroupName), nil
			}),
		wire.Op("GetDeployment", "codedeploy:GetDeployment", s.GetDeployment,
			onDeployment(s, func(in *api.GetDeploymentInput) []string { return given(aws.Val(in.DeploymentId)) })),
		wire.Op("BatchGetDeployments", "codedeploy:BatchGetDeployments", s.BatchGetDeployments,
			onDeployment(s, func(in *api.BatchGetDeploymentsInput) []string { return in.DeploymentIds })),
		wire.Op("StopDeployment", "codedeploy:StopDeployment", s.StopDeployment, nil),
		wire.Op("ContinueDeployment", "codedeploy:ContinueDeployment", s.ContinueDeployment, nil),
		wire.Op("SkipWaitTimeForInstanceTermination", "codedeploy:SkipWaitTimeForInstanceTermination", s.SkipWaitTimeForInstanceTermination, nil),
		wire.Op("PutLifecycleEventHookExecutionStatus", "codedeploy:PutLifecycleEventHookExecutionStatus", s.PutLifecycleEventHookExecutionStatus, nil),
		wire.Op("ListDeploymentInstances", "codedeploy:ListDeploymentInstances", s.ListDeploymentInstances,
			onDeployment(s, func(in *api.ListDeploymentInstancesInput) []string { return given(aws.Val(in.DeploymentId)) })),
		wire.Op("GetDeploymentInstance", "codedeploy:GetDeploymentInstance", s.GetDeploymentInstance,
			onDeployment(s, func(in *api.GetDeploymentInstanceInput) []string { return given(aws.Val(in.DeploymentId)) })),
		wire.Op("BatchGetDeploymentInstances", "codedeploy:BatchGetDeploymentInstances", s.BatchGetDeploymentInstances,
			onDeployment(s, func(in *api.BatchGetDeploymentInstancesInput) []string { return given(aws.Val(in.DeploymentId)) })),
		wire.Op("ListDeploymentTargets", "codedeploy:ListDeploymentTargets", s.ListDeploymentTargets, nil),
		wire.Op("GetDeploymentTarget", "codedeploy:GetDeploymentTarget", s.GetDeploymentTarget, nil),
		wire.Op("BatchGetDeploymentTargets", "codedeploy:BatchGetDeploymentTargets", s.BatchGetDeploymentTargets, nil),
	}
}

func (s *Service) onPremisesRows() []wire.Operation {
	return []wire.Operation{
		wire.Op("RegisterOnPremisesInstance", "codedeploy:RegisterOnPremisesInstance", s.RegisterOnPremisesInstance,
			onInstances(func(in *api.RegisterOnPremisesInstanceInput) []string { return []string{aws.Val(in.InstanceName)} })),
		wire.Op("DeregisterOnPremisesInstance", "codedeploy:DeregisterOnPremisesInstance", s.DeregisterOnPremisesInstance,
			onInstances(func(in *api.DeregisterOnPremisesInstanceInput) []string { return []string{aws.Val(in.InstanceName)} })),
		wire.Op("GetOnPremisesInstance", "codedeploy:GetOnPremisesInstance", s.GetOnPremisesInstance,
			onInstances(func(in *api.GetOnPremisesInstanceInput) []string { return []string{aws.Val(in.InstanceName)} })),
		wire.Op("BatchGetOnPremisesInstances", "codedeploy:BatchGetOnPremisesInstances", s.BatchGetOnPremisesInstances,
			onInstances(func(in *api.BatchGetOnPremisesInstancesInput) []string { return in.InstanceNames })),
		wire.Op("ListOnPremisesInstances", "codedeploy:ListOnPremisesInstances", s.ListOnPremisesInstances, nil),
		wire.Op("AddTagsToOnPremisesInstances", "codedeploy:AddTagsToOnPremisesInstances", s.AddTagsToOnPremisesInstances,
			onInstances(func(in *api.AddTagsToOnPremisesInstancesInput) []string { return in.InstanceNames })),
		wire.Op("RemoveTagsFromOnPremisesInstances", "codedeploy:RemoveTagsFromOnPremisesInstances", s.RemoveTagsFromOnPremisesInstances,
			onInstances(func(in *api.RemoveTagsFromOnPremisesInstancesInput) []string { return in.InstanceNames })),
	}
}

// onInstances asks for the permission on on-premises instances; without a name
// on any, so that the operation can say what is missing.
func onInstances[I any](names func(*I) []string) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		var out []aws.Check
		for _, n := range names(in) {
			out = append(out, aws.Check{Resource: onPremisesARN(aws.CallFrom(ctx), n)})
		}
		if len(out) == 0 {
			out = []aws.Check{{Resource: "*"}}
		}
		return out, nil
	}
}

// CommandsWire lists the operations of the host command API.
func (s *Service) CommandsWire() wire.Service {
	const why = "the instance's identity is the permission; the secure flavour's is checked in the operation"
	poll := wire.FreeOp("PollHostCommand", why, s.PollHostCommand)
	poll.Hold = s.holdPollHostCommand
	return wire.Service{Model: codedeploycommands.Model(), Operations: []wire.Operation{
		poll,
		wire.FreeOp("GetDeploymentSpecification", why, s.GetDeploymentSpecification),
		wire.FreeOp("PutHostCommandAcknowledgement", why, s.PutHostCommandAcknowledgement),
		wire.FreeOp("PutHostCommandComplete", why, s.PutHostCommandComplete),
		wire.FreeOp("PostHostCommandUpdate", why, s.PostHostCommandUpdate),
		wire.Op("RotateDeploymentSigner", "codedeploy:RotateDeploymentSigner", s.RotateDeploymentSigner, nil),
		wire.Op("GetDeploymentLog", "codedeploy:GetDeploymentTarget", s.GetDeploymentLog, nil),
	}}
}

func onApplication[I any](name func(*I) *string) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		return []aws.Check{{Resource: applicationARN(aws.CallFrom(ctx), aws.Val(name(in)))}}, nil
	}
}

func onApplications(ctx context.Context, in *api.BatchGetApplicationsInput) ([]aws.Check, error) {
	var out []aws.Check
	for _, n := range in.ApplicationNames {
		out = append(out, aws.Check{Resource: applicationARN(aws.CallFrom(ctx), n)})
	}
	if len(out) == 0 {
		return nil, errApplicationNameRequired
	}
	return out, nil
}

func onConfig[I any](name func(*I) *string) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		return []aws.Check{{Resource: configARN(aws.CallFrom(ctx), aws.Val(name(in)))}}, nil
	}
}

func onARN[I any](name func(*I) *string) func(context.Context, *I) ([]aws.Check, error) {
	return func(_ context.Context, in *I) ([]aws.Check, error) {
		resource := aws.Val(name(in))
		if resource == "" {
			resource = "*"
		}
		return []aws.Check{{Resource: resource}}, nil
	}
}

func onGroup(ctx context.Context, application, name *string, more ...string) []aws.Check {
	if name != nil || len(more) == 0 {
		more = append(more, aws.Val(name))
	}
	var out []aws.Check
	for _, n := range more {
		out = append(out, aws.Check{Resource: groupARN(aws.CallFrom(ctx), aws.Val(application), n)})
	}
	return out
}

// passing adds the permission to hand the role to CodeDeploy.
func passing(checks []aws.Check, role *string) []aws.Check {
	if aws.Val(role) == "" {
		return checks
	}
	return append(checks, aws.PassRole(*role, servicePrincipal))
}

// onDeployment asks for the permission on the groups of deployments; those that
// do not exist are asked for as any.
func onDeployment[I any](s *Service, ids func(*I) []string) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		c := aws.CallFrom(ctx)
		seen := map[string]bool{}
		err := s.db.View(ctx, func(tx *store.Tx) error {
			for _, id := range ids(in) {
				d, err := deployments.Get(tx, key(c, id))
				if err != nil && !isNotFound(err) {
					return err
				}
				if d != nil {
					seen[groupARN(c, d.ApplicationName, d.GroupName)] = true
				}
			}
			return nil
		})
		if len(seen) == 0 {
			seen["*"] = true
		}
		var out []aws.Check
		for resource := range seen {
			out = append(out, aws.Check{Resource: resource})
		}
		return out, err
	}
}
