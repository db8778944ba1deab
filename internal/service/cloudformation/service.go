// Package cloudformation is the CloudFormation service: it judges what users ask,
// commits stacks and shows them. The work on stacks is the engine's (package
// stack).
//
// It owns the change sets (table cfn.changeset) and the stack sets with their
// instances and operations (cfn.stackset, cfn.stackinstance, cfn.stacksetoperation),
// which Run works on; stacks, resources and events are rows of package stack. It imports stack, store, wire and the API's types. The
// flow enters through Wire's operations, is judged by prepare, and leaves
// through the engine; templates behind URLs and the questions that templates ask
// of other services go through the Invoker, as the caller.
package cloudformation

import (
	"context"
	"log/slog"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// Instances tells by its tags whether an instance was launched for a stack.
type Instances interface {
	InStack(ctx context.Context, c aws.Call, instanceID, stackID string) (bool, error)
}

// Invoker calls operations of any service as the caller in ctx.
type Invoker interface {
	Invoke(ctx context.Context, service, operation string, in any) (any, error)
}

// Roles makes the principal of a role that a service assumes. The error is for
// the log; the user learns that the role is invalid or cannot be assumed.
type Roles interface {
	AssumeServiceRole(ctx context.Context, roleARN, service string) (aws.Principal, error)
}

// Sessions tells whose credentials a service was given when it assumed a role.
type Sessions interface {
	Principal(ctx context.Context, accessKeyID, sessionToken string) (aws.Principal, error)
}

// Config is what New needs.
type Config struct {
	DB    *store.DB
	Clock clock.Clock
	Log   *slog.Logger
	// Sealer keeps what custom resources answer.
	Sealer  *store.Sealer
	Engine  *stack.Engine
	Invoker Invoker
	// Instances may be nil: then no instances but resources belong to stacks.
	Instances Instances
	Roles     Roles
	// Sessions is needed for stack sets alone.
	Sessions Sessions
	// Endpoint is the server's own base URL; template URLs may begin with it.
	Endpoint string
}

// Service implements CloudFormation's operations.
type Service struct {
	db        *store.DB
	clock     clock.Clock
	sealer    *store.Sealer
	endpoint  string
	log       *slog.Logger
	engine    *stack.Engine
	invoker   Invoker
	instances Instances
	roles     Roles
	sessions  Sessions
	hosts     s3Hosts
}

// New returns the service. It adds its resource types to the engine.
func New(cfg Config) *Service {
	s := &Service{db: cfg.DB, clock: cfg.Clock, sealer: cfg.Sealer, endpoint: cfg.Endpoint, log: cfg.Log, engine: cfg.Engine, invoker: cfg.Invoker, instances: cfg.Instances,
		roles: cfg.Roles, sessions: cfg.Sessions, hosts: newS3Hosts(cfg.Endpoint)}
	if cfg.Engine != nil {
		cfg.Engine.Register(s.Resources())
	}
	return s
}

// Wire lists the operations with their IAM actions; those that act on a stack are
// judged on its ARN.
func (s *Service) Wire() wire.Service {
	rows := s.stackRows()
	rows = append(rows, s.viewRows()...)
	rows = append(rows, s.changeSetRows()...)
	rows = append(rows, s.driftRows()...)
	rows = append(rows, s.stackSetRows()...)
	return wire.Service{Model: api.Model(), Operations: wire.Completed(rows, s.describe)}
}

func (s *Service) stackRows() []wire.Operation {
	return []wire.Operation{
		wire.Op("CreateStack", "cloudformation:CreateStack", s.CreateStack, s.createStackChecks),
		wire.Op("UpdateStack", "cloudformation:UpdateStack", s.UpdateStack, s.updateStackChecks),
		wire.Op("DeleteStack", "cloudformation:DeleteStack", s.DeleteStack, s.deleteStackChecks),
		wire.Op("CancelUpdateStack", "cloudformation:CancelUpdateStack", s.CancelUpdateStack,
			onStack(s, func(in *api.CancelUpdateStackInput) *string { return in.StackName })),
		wire.Op("RollbackStack", "cloudformation:RollbackStack", s.RollbackStack, s.rollbackStackChecks),
		wire.Op("ContinueUpdateRollback", "cloudformation:ContinueUpdateRollback", s.ContinueUpdateRollback, s.continueRollbackChecks),
		wire.Op("SetStackPolicy", "cloudformation:SetStackPolicy", s.SetStackPolicy,
			onStack(s, func(in *api.SetStackPolicyInput) *string { return in.StackName })),
		wire.Op("GetStackPolicy", "cloudformation:GetStackPolicy", s.GetStackPolicy,
			onStack(s, func(in *api.GetStackPolicyInput) *string { return in.StackName })),
		wire.Op("UpdateTerminationProtection", "cloudformation:UpdateTerminationProtection", s.UpdateTerminationProtection,
			onStack(s, func(in *api.UpdateTerminationProtectionInput) *string { return in.StackName })),
		wire.Op("SignalResource", "cloudformation:SignalResource", s.SignalResource, fromMember(s, "cloudformation:SignalResource",
			func(in *api.SignalResourceInput) *string { return in.StackName })),
	}
}

func (s *Service) viewRows() []wire.Operation {
	return []wire.Operation{
		wire.Op("DescribeStacks", "cloudformation:DescribeStacks", s.DescribeStacks,
			onStack(s, func(in *api.DescribeStacksInput) *string { return in.StackName })),
		wire.Op("ListStacks", "cloudformation:ListStacks", s.ListStacks, nil),
		wire.Op("DescribeStackEvents", "cloudformation:DescribeStackEvents", s.DescribeStackEvents,
			onStack(s, func(in *api.DescribeStackEventsInput) *string { return in.StackName })),
		wire.Op("DescribeEvents", "cloudformation:DescribeEvents", s.DescribeEvents, s.eventChecks),
		wire.Op("DescribeStackResource", "cloudformation:DescribeStackResource", s.DescribeStackResource,
			fromMember(s, "cloudformation:DescribeStackResource", func(in *api.DescribeStackResourceInput) *string { return in.StackName })),
		wire.Op("DescribeStackResources", "cloudformation:DescribeStackResources", s.DescribeStackResources,
			onStack(s, func(in *api.DescribeStackResourcesInput) *string { return in.StackName })),
		wire.Op("ListStackResources", "cloudformation:ListStackResources", s.ListStackResources,
			onStack(s, func(in *api.ListStackResourcesInput) *string { return in.StackName })),
		wire.Op("GetTemplate", "cloudformation:GetTemplate", s.GetTemplate,
			onStack(s, func(in *api.GetTemplateInput) *string { return in.StackName })),
		wire.Op("GetTemplateSummary", "cloudformation:GetTemplateSummary", s.GetTemplateSummary,
			func(ctx context.Context, in *api.GetTemplateSummaryInput) ([]aws.Check, error) {
				if in.StackSetName != nil {
					return s.setChecks(ctx, *in.StackSetName), nil
				}
				return s.stackChecks(ctx, aws.Val(in.StackName)), nil
			}),
		wire.Op("ValidateTemplate", "cloudformation:ValidateTemplate", s.ValidateTemplate, nil),
		wire.Op("EstimateTemplateCost", "cloudformation:EstimateTemplateCost", s.EstimateTemplateCost, nil),
		wire.Op("ListExports", "cloudformation:ListExports", s.ListExports, nil),
		wire.Op("ListImports", "cloudformation:ListImports", s.ListImports, nil),
		wire.Op("ListTypes", "cloudformation:ListTypes", s.ListTypes, nil),
		wire.Op("DescribeType", "cloudformation:DescribeType", s.DescribeType, nil),
		wire.Op("DescribeAccountLimits", "cloudformation:DescribeAccountLimits", s.DescribeAccountLimits, nil),
	}
}

func (s *Service) changeSetRows() []wire.Operation {
	return []wire.Operation{
		wire.Op("CreateChangeSet", "cloudformation:CreateChangeSet", s.CreateChangeSet, s.createChangeSetChecks),
		wire.Op("DescribeChangeSet", "cloudformation:DescribeChangeSet", s.DescribeChangeSet,
			onChangeSet(s, func(in *api.DescribeChangeSetInput) (*string, *string) { return in.StackName, in.ChangeSetName })),
		wire.Op("ExecuteChangeSet", "cloudformation:ExecuteChangeSet", s.ExecuteChangeSet,
			onChangeSet(s, func(in *api.ExecuteChangeSetInput) (*string, *string) { return in.StackName, in.ChangeSetName })),
		wire.Op("DeleteChangeSet", "cloudformation:DeleteChangeSet", s.DeleteChangeSet,
			onChangeSet(s, func(in *api.DeleteChangeSetInput) (*string, *string) { return in.StackName, in.ChangeSetName })),
		wire.Op("DescribeChangeSetHooks", "cloudformation:DescribeChangeSetHooks", s.DescribeChangeSetHooks,
			onChangeSet(s, func(in *api.DescribeChangeSetHooksInput) (*string, *string) { return in.StackName, in.ChangeSetName })),
		wire.Op("ListChangeSets", "cloudformation:ListChangeSets", s.ListChangeSets,
			onStack(s, func(in *api.ListChangeSetsInput) *string { return in.StackName })),
	}
}

func (s *Service) driftRows() []wire.Operation {
	return []wire.Operation{
		wire.Op("DetectStackDrift", "cloudformation:DetectStackDrift", s.DetectStackDrift,
			onStack(s, func(in *api.DetectStackDriftInput) *string { return in.StackName })),
		wire.Op("DetectStackResourceDrift", "cloudformation:DetectStackResourceDrift", s.DetectStackResourceDrift,
			onStack(s, func(in *api.DetectStackResourceDriftInput) *string { return in.StackName })),
		wire.Op("DescribeStackDriftDetectionStatus", "cloudformation:DescribeStackDriftDetectionStatus", s.DescribeStackDriftDetectionStatus, nil),
		wire.Op("DescribeStackResourceDrifts", "cloudformation:DescribeStackResourceDrifts", s.DescribeStackResourceDrifts,
			onStack(s, func(in *api.DescribeStackResourceDriftsInput) *string { return in.StackName })),
	}
}
