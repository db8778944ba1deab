package cloudformation

import (
	"context"
	"errors"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/store"
)

// CreateStackInstances makes a set's stacks in accounts and regions. Where it has
// one already, that is updated.
func (s *Service) CreateStackInstances(ctx context.Context, in *api.CreateStackInstancesInput) (*api.CreateStackInstancesOutput, error) {
	targets, err := targetsOf(in.Accounts, in.DeploymentTargets, in.Regions)
	if err != nil {
		return nil, err
	}
	set, err := s.set(ctx, in.StackSetName)
	if err != nil {
		return nil, err
	}
	if _, err := s.administrator(ctx, set.AdminRole, set.Account); err != nil {
		return nil, err
	}
	r := setRequest{in.StackSetName, in.OperationId, api.StackSetOperationActionCreate, in.OperationPreferences, in.CallAs, in}
	id, err := s.beginOperation(ctx, r, func(tx *store.Tx, set *stackSet, op *setOperation) error {
		return s.enlist(tx, set, op, targets, in.ParameterOverrides, func(t target) (*stackInstance, error) { return newInstance(set, t), nil })
	})
	return &api.CreateStackInstancesOutput{OperationId: id}, err
}

// maxSetPart is how much of a set's name its stacks' names take.
const maxSetPart = 80

func newInstance(set *stackSet, t target) *stackInstance {
	name := set.Name[:min(len(set.Name), maxSetPart)]
	return &stackInstance{SetID: set.ID, target: t, StackName: "StackSet-" + name + "-" + ids.UUID()}
}

// enlist makes the instances at targets the operation's, with values of their own for
// parameters. absent says what to do without one; none of both is nothing.
func (s *Service) enlist(tx *store.Tx, set *stackSet, op *setOperation, targets []target, own []api.Parameter, absent func(target) (*stackInstance, error)) error {
	for _, t := range targets {
		i, err := stackInstances.Get(tx, set.instanceKey(t))
		if errors.Is(err, store.ErrNotFound) {
			i, err = absent(t)
		}
		if err != nil {
			return err
		}
		if i == nil {
			continue
		}
		if err := s.override(set, i, own); err != nil {
			return err
		}
		if err := op.pending(tx, set, i); err != nil {
			return err
		}
	}
	return nil
}

// override gives an instance's parameters values of their own: those that a request
// lists take the place of the former ones; without a list they stay.
func (s *Service) override(set *stackSet, i *stackInstance, list []api.Parameter) error {
	if list == nil {
		return nil
	}
	t, err := s.summary(set.Spec.Template, template.Parse)
	if err != nil {
		return err
	}
	id := set.ID + "/" + i.Account + "/" + i.Region
	former, err := s.engine.Values(id, &i.Overrides)
	if err != nil {
		return err
	}
	base, err := s.engine.Values(set.ID, &set.Spec)
	if err != nil {
		return err
	}
	for name, v := range former {
		base[name] = v
	}
	all, err := t.Assign(given(append(slices.Clone(list), rest(t, list)...)), base)
	if err != nil {
		return asAWS(err)
	}
	own := map[string]template.Value{}
	for _, p := range list {
		own[aws.Val(p.ParameterKey)] = all[aws.Val(p.ParameterKey)]
	}
	spec, err := s.engine.NewSpec(id, "", t, own)
	i.Overrides = stack.Spec{Parameters: spec.Parameters, Secrets: spec.Secrets}
	return err
}

// rest are the template's parameters that list does not give, with their previous
// values.
func rest(t *template.Template, list []api.Parameter) (out []api.Parameter) {
	for name := range t.Parameters {
		if !slices.ContainsFunc(list, func(p api.Parameter) bool { return aws.Val(p.ParameterKey) == name }) {
			out = append(out, api.Parameter{ParameterKey: aws.Ptr(name), UsePreviousValue: aws.Ptr(true)})
		}
	}
	return out
}

// UpdateStackInstances gives instances other values for parameters.
func (s *Service) UpdateStackInstances(ctx context.Context, in *api.UpdateStackInstancesInput) (*api.UpdateStackInstancesOutput, error) {
	targets, err := targetsOf(in.Accounts, in.DeploymentTargets, in.Regions)
	if err != nil {
		return nil, err
	}
	r := setRequest{in.StackSetName, in.OperationId, api.StackSetOperationActionUpdate, in.OperationPreferences, in.CallAs, in}
	id, err := s.beginOperation(ctx, r, func(tx *store.Tx, set *stackSet, op *setOperation) error {
		return s.enlist(tx, set, op, targets, in.ParameterOverrides, func(t target) (*stackInstance, error) { return nil, noInstance(set, t) })
	})
	return &api.UpdateStackInstancesOutput{OperationId: id}, err
}

// DeleteStackInstances takes stacks out of a set, and deletes them unless they are
// to be retained. Targets without an instance are none of the operation's.
func (s *Service) DeleteStackInstances(ctx context.Context, in *api.DeleteStackInstancesInput) (*api.DeleteStackInstancesOutput, error) {
	targets, err := targetsOf(in.Accounts, in.DeploymentTargets, in.Regions)
	if err != nil {
		return nil, err
	}
	r := setRequest{in.StackSetName, in.OperationId, api.StackSetOperationActionDelete, in.OperationPreferences, in.CallAs, in}
	id, err := s.beginOperation(ctx, r, func(tx *store.Tx, set *stackSet, op *setOperation) error {
		op.Retain = aws.Val(in.RetainStacks)
		return s.enlist(tx, set, op, targets, nil, func(target) (*stackInstance, error) { return nil, nil })
	})
	return &api.DeleteStackInstancesOutput{OperationId: id}, err
}

// DescribeStackInstance describes a set's stack in an account and region.
func (s *Service) DescribeStackInstance(ctx context.Context, in *api.DescribeStackInstanceInput) (*api.DescribeStackInstanceOutput, error) {
	if err := asSelf(in.CallAs); err != nil {
		return nil, err
	}
	set, i, err := s.instance(ctx, in.StackSetName, in.StackInstanceAccount, in.StackInstanceRegion)
	if err != nil {
		return nil, err
	}
	v := instanceView(set, i)
	return &api.DescribeStackInstanceOutput{StackInstance: &api.StackInstance{StackSetId: v.StackSetId, Region: v.Region, Account: v.Account,
		StackId: v.StackId, ParameterOverrides: parameterViews(i.Overrides.Parameters), Status: v.Status, StackInstanceStatus: v.StackInstanceStatus,
		StatusReason: v.StatusReason, DriftStatus: v.DriftStatus, LastDriftCheckTimestamp: v.LastDriftCheckTimestamp, LastOperationId: v.LastOperationId}}, nil
}

func instanceView(set *stackSet, i *stackInstance) api.StackInstanceSummary {
	drift := api.StackDriftStatusNotChecked
	if i.Drift != "" {
		drift = api.StackDriftStatus(i.Drift)
	}
	return api.StackInstanceSummary{StackSetId: &set.ID, Region: &i.Region, Account: &i.Account, StackId: optional(i.StackID),
		Status: api.StackInstanceStatus(i.Status), StatusReason: optional(i.Reason), DriftStatus: drift, LastDriftCheckTimestamp: moment(i.DriftChecked),
		StackInstanceStatus: &api.StackInstanceComprehensiveStatus{DetailedStatus: api.StackInstanceDetailedStatus(i.Detail)},
		LastOperationId:     optional(i.LastOperation)}
}

// ListStackInstances lists a set's instances.
func (s *Service) ListStackInstances(ctx context.Context, in *api.ListStackInstancesInput) (*api.ListStackInstancesOutput, error) {
	if err := asSelf(in.CallAs); err != nil {
		return nil, err
	}
	set, err := s.set(ctx, in.StackSetName)
	if err != nil {
		return nil, err
	}
	var list []*stackInstance
	err = s.db.View(ctx, func(tx *store.Tx) error {
		list, err = instancesOf(tx, set.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(i *stackInstance) bool {
		return in.StackInstanceAccount != nil && *in.StackInstanceAccount != i.Account ||
			in.StackInstanceRegion != nil && *in.StackInstanceRegion != i.Region || !passes(in.Filters, i)
	})
	list, next, err := pageOf(list, in.NextToken, in.MaxResults)
	out := &api.ListStackInstancesOutput{NextToken: next, Summaries: []api.StackInstanceSummary{}}
	for _, i := range list {
		out.Summaries = append(out.Summaries, instanceView(set, i))
	}
	return out, err
}

func passes(filters []api.StackInstanceFilter, i *stackInstance) bool {
	for _, f := range filters {
		is := map[api.StackInstanceFilterName]string{"DETAILED_STATUS": i.Detail, "LAST_OPERATION_ID": i.LastOperation, "DRIFT_STATUS": i.Drift}[f.Name]
		if f.Name == "DRIFT_STATUS" && is == "" {
			is = string(api.StackDriftStatusNotChecked)
		}
		if is != aws.Val(f.Values) {
			return false
		}
	}
	return true
}
