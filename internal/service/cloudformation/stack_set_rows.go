package cloudformation

import (
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/wire"
)

// stackSetRows are the operations on stack sets, judged on the set's ARN.
func (s *Service) stackSetRows() []wire.Operation {
	return append([]wire.Operation{
		wire.Op("CreateStackSet", "cloudformation:CreateStackSet", s.CreateStackSet, s.createStackSetChecks),
		wire.Op("UpdateStackSet", "cloudformation:UpdateStackSet", s.UpdateStackSet, s.updateStackSetChecks),
		wire.Op("DeleteStackSet", "cloudformation:DeleteStackSet", s.DeleteStackSet,
			onSet(s, func(in *api.DeleteStackSetInput) *string { return in.StackSetName })),
		wire.Op("DescribeStackSet", "cloudformation:DescribeStackSet", s.DescribeStackSet,
			onSet(s, func(in *api.DescribeStackSetInput) *string { return in.StackSetName })),
		wire.Op("ListStackSets", "cloudformation:ListStackSets", s.ListStackSets, nil),
		wire.Op("DescribeStackSetOperation", "cloudformation:DescribeStackSetOperation", s.DescribeStackSetOperation,
			onSet(s, func(in *api.DescribeStackSetOperationInput) *string { return in.StackSetName })),
		wire.Op("ListStackSetOperations", "cloudformation:ListStackSetOperations", s.ListStackSetOperations,
			onSet(s, func(in *api.ListStackSetOperationsInput) *string { return in.StackSetName })),
		wire.Op("ListStackSetOperationResults", "cloudformation:ListStackSetOperationResults", s.ListStackSetOperationResults,
			onSet(s, func(in *api.ListStackSetOperationResultsInput) *string { return in.StackSetName })),
		wire.Op("StopStackSetOperation", "cloudformation:StopStackSetOperation", s.StopStackSetOperation,
			onSet(s, func(in *api.StopStackSetOperationInput) *string { return in.StackSetName })),
		wire.Op("ListStackSetAutoDeploymentTargets", "cloudformation:ListStackSetAutoDeploymentTargets", s.ListStackSetAutoDeploymentTargets,
			onSet(s, func(in *api.ListStackSetAutoDeploymentTargetsInput) *string { return in.StackSetName })),
		wire.Op("ActivateOrganizationsAccess", "cloudformation:ActivateOrganizationsAccess", s.ActivateOrganizationsAccess, nil),
		wire.Op("DeactivateOrganizationsAccess", "cloudformation:DeactivateOrganizationsAccess", s.DeactivateOrganizationsAccess, nil),
		wire.Op("DescribeOrganizationsAccess", "cloudformation:DescribeOrganizationsAccess", s.DescribeOrganizationsAccess, nil),
	}, s.stackInstanceRows()...)
}

func (s *Service) stackInstanceRows() []wire.Operation {
	return []wire.Operation{
		wire.Op("CreateStackInstances", "cloudformation:CreateStackInstances", s.CreateStackInstances,
			onSet(s, func(in *api.CreateStackInstancesInput) *string { return in.StackSetName })),
		wire.Op("UpdateStackInstances", "cloudformation:UpdateStackInstances", s.UpdateStackInstances,
			onSet(s, func(in *api.UpdateStackInstancesInput) *string { return in.StackSetName })),
		wire.Op("DeleteStackInstances", "cloudformation:DeleteStackInstances", s.DeleteStackInstances,
			onSet(s, func(in *api.DeleteStackInstancesInput) *string { return in.StackSetName })),
		wire.Op("DescribeStackInstance", "cloudformation:DescribeStackInstance", s.DescribeStackInstance,
			onSet(s, func(in *api.DescribeStackInstanceInput) *string { return in.StackSetName })),
		wire.Op("ListStackInstances", "cloudformation:ListStackInstances", s.ListStackInstances,
			onSet(s, func(in *api.ListStackInstancesInput) *string { return in.StackSetName })),
		wire.Op("ListStackInstanceResourceDrifts", "cloudformation:ListStackInstanceResourceDrifts", s.ListStackInstanceResourceDrifts,
			onSet(s, func(in *api.ListStackInstanceResourceDriftsInput) *string { return in.StackSetName })),
		wire.Op("DetectStackSetDrift", "cloudformation:DetectStackSetDrift", s.DetectStackSetDrift,
			onSet(s, func(in *api.DetectStackSetDriftInput) *string { return in.StackSetName })),
		wire.Op("ImportStacksToStackSet", "cloudformation:ImportStacksToStackSet", s.ImportStacksToStackSet,
			onSet(s, func(in *api.ImportStacksToStackSetInput) *string { return in.StackSetName })),
	}
}
