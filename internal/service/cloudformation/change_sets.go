package cloudformation

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

// onChangeSet checks the operation's action on the stack of a change set.
func onChangeSet[I any](s *Service, names func(*I) (stackName, changeSetName *string)) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		stackName, name := names(in)
		target := aws.Val(stackName)
		if cs, err := s.changeSet(ctx, stackName, name); err == nil {
			target = cs.StackID
		}
		checks := s.stackChecks(ctx, target)
		checks[0].OfferText("cloudformation:ChangeSetName", aws.Val(name))
		return checks, nil
	}
}

func (s *Service) changeSetsOf(ctx context.Context, stackID string) (out []*changeSet, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := changeSets.Lookup(tx, "stack", stackID)
		for _, row := range rows {
			out = append(out, row.Value)
		}
		return err
	})
	slices.SortFunc(out, func(a, b *changeSet) int { return strings.Compare(a.Name, b.Name) })
	return out, err
}

// changeSet finds a change set by its ARN, or by its name within a stack.
func (s *Service) changeSet(ctx context.Context, stackName, name *string) (*changeSet, error) {
	missing := awserr.Status(http.StatusNotFound, "ChangeSetNotFound", "ChangeSet [%s] does not exist", aws.Val(name))
	if isARN(aws.Val(name)) {
		c := aws.CallFrom(ctx)
		var cs *changeSet
		err := s.db.View(ctx, func(tx *store.Tx) (err error) {
			cs, err = changeSets.Get(tx, store.Key{Account: c.Account, Region: c.Region, ID: *name})
			return err
		})
		if errors.Is(err, store.ErrNotFound) {
			return nil, missing
		}
		return cs, err
	}
	if stackName == nil {
		return nil, invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
	}
	st, err := s.find(ctx, stackName, noStack)
	if err != nil {
		return nil, err
	}
	list, err := s.changeSetsOf(ctx, st.ID)
	if err != nil {
		return nil, err
	}
	// Of several with one name all but one have been executed; that one is meant.
	slices.SortStableFunc(list, func(a, b *changeSet) int { return b.Created.Compare(a.Created) })
	i := slices.IndexFunc(list, func(cs *changeSet) bool { return cs.Name == aws.Val(name) })
	if i < 0 {
		return nil, missing
	}
	return list[i], nil
}

// execution is the ExecutionStatus now: while the stack works on it, or how that
// ended.
func (s *Service) execution(ctx context.Context, cs *changeSet) string {
	if cs.Execution != "EXECUTE_IN_PROGRESS" && cs.Execution != "AVAILABLE" {
		return cs.Execution
	}
	st, err := s.find(ctx, &cs.StackID, noStack)
	switch {
	case cs.Execution == "AVAILABLE" && err == nil && st.Operation == cs.Base:
		return cs.Execution
	case cs.Execution == "AVAILABLE":
		return "OBSOLETE"
	case err != nil || st.Operation != cs.Operation:
		return "EXECUTE_COMPLETE"
	case stack.InProgress(st.Status):
		return cs.Execution
	case st.Status == stack.CreateComplete || st.Status == stack.UpdateComplete || st.Status == stack.ImportComplete:
		return "EXECUTE_COMPLETE"
	}
	return "EXECUTE_FAILED"
}

// DescribeChangeSet shows what a change set would change.
func (s *Service) DescribeChangeSet(ctx context.Context, in *api.DescribeChangeSetInput) (*api.DescribeChangeSetOutput, error) {
	cs, err := s.changeSet(ctx, in.StackName, in.ChangeSetName)
	if err != nil {
		return nil, err
	}
	changes, next, err := page(cs.Changes, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeChangeSetOutput{
		ChangeSetName: &cs.Name, ChangeSetId: &cs.ID, StackId: &cs.StackID, StackName: &cs.StackName, Description: optional(cs.Description),
		Parameters: parameterViews(cs.Spec.Parameters), CreationTime: &cs.Created, ExecutionStatus: api.ExecutionStatus(s.execution(ctx, cs)),
		Status: api.ChangeSetStatus(cs.Status), StatusReason: optional(cs.Reason), NotificationARNs: append([]string{}, cs.Spec.NotificationARNs...),
		RollbackConfiguration: rollbackView(cs.Spec.Rollback), Capabilities: []api.Capability{}, NextToken: next, Changes: []api.Change{},
		IncludeNestedStacks: &cs.Nested, ParentChangeSetId: optional(cs.Parent), RootChangeSetId: optional(cs.Root), OnStackFailure: api.OnStackFailure(cs.OnStackFailure),
		ImportExistingResources: onlyTrue(cs.ImportExisting), DeploymentConfig: deploymentConfigView(cs.Express, cs.KeepFailures),
	}
	if len(cs.Spec.Tags) > 0 {
		out.Tags = tagViews(cs.Spec.Tags)
	}
	for _, c := range cs.Spec.Capabilities {
		out.Capabilities = append(out.Capabilities, api.Capability(c))
	}
	for _, c := range changes {
		out.Changes = append(out.Changes, api.Change{Type: api.ChangeTypeResource, ResourceChange: changeView(c, aws.Val(in.IncludePropertyValues))})
	}
	return out, nil
}

// onlyTrue is a flag that AWS leaves out of its answers unless it is set.
func onlyTrue(set bool) *bool {
	if set {
		return &set
	}
	return nil
}

// ListChangeSets lists the change sets of a stack.
func (s *Service) ListChangeSets(ctx context.Context, in *api.ListChangeSetsInput) (*api.ListChangeSetsOutput, error) {
	st, err := s.find(ctx, in.StackName, noStack)
	if err != nil {
		return nil, err
	}
	all, err := s.changeSetsOf(ctx, st.ID)
	if err != nil {
		return nil, err
	}
	list, next, err := page(all, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &api.ListChangeSetsOutput{NextToken: next, Summaries: []api.ChangeSetSummary{}}
	for _, cs := range list {
		out.Summaries = append(out.Summaries, api.ChangeSetSummary{
			StackId: &cs.StackID, StackName: &cs.StackName, ChangeSetId: &cs.ID, ChangeSetName: &cs.Name,
			ExecutionStatus: api.ExecutionStatus(s.execution(ctx, cs)), Status: api.ChangeSetStatus(cs.Status),
			StatusReason: optional(cs.Reason), CreationTime: &cs.Created, Description: optional(cs.Description), IncludeNestedStacks: &cs.Nested,
			ParentChangeSetId: optional(cs.Parent), RootChangeSetId: optional(cs.Root), ImportExistingResources: onlyTrue(cs.ImportExisting),
		})
	}
	return out, nil
}

// ExecuteChangeSet starts what a change set says. The stack's other change sets
// are gone then.
func (s *Service) ExecuteChangeSet(ctx context.Context, in *api.ExecuteChangeSetInput) (*api.ExecuteChangeSetOutput, error) {
	cs, err := s.changeSet(ctx, in.StackName, in.ChangeSetName)
	if err != nil {
		return nil, err
	}
	if err := s.executable(ctx, cs); err != nil {
		return nil, err
	}
	st, err := s.find(ctx, &cs.StackID, noStack)
	if err != nil {
		return nil, err
	}
	if cs.Parent != "" {
		if err := s.settleSpec(ctx, st, cs); err != nil {
			return nil, err
		}
	}
	b, err := s.beginExecution(ctx, st, cs, in)
	if err != nil {
		return nil, err
	}
	start := s.engine.Update
	switch cs.Type {
	case "CREATE":
		start = s.engine.Start
	case kindImport:
		start = s.engine.Import
	}
	_, err = start(ctx, st.Key(), b)
	if errors.Is(err, stack.ErrBusy) {
		if now, e := s.find(ctx, &cs.StackID, noStack); e == nil {
			return nil, cannotUpdate(now)
		}
	}
	s.linger(ctx, &stack.Stack{ID: cs.StackID, Account: st.Account, Region: st.Region}, err)
	return &api.ExecuteChangeSetOutput{}, err
}

// beginExecution is what the execution of a change set hands to the engine.
func (s *Service) beginExecution(ctx context.Context, st *stack.Stack, cs *changeSet, in *api.ExecuteChangeSetInput) (stack.Begin, error) {
	b, err := s.begin(ctx, st, cs.RoleARN, aws.Val(in.ClientRequestToken))
	if err != nil {
		return b, err
	}
	b.Spec, b.ChangeSetID, b.OnFailure = &cs.Spec, cs.ID, cs.OnStackFailure
	b.Imports = cs.Imports
	b.RetainExcept, b.Express = aws.Val(in.RetainExceptOnCreate), cs.Express
	b.DisableRollback = aws.Val(in.DisableRollback) || cs.OnStackFailure == "DO_NOTHING" || in.DisableRollback == nil && cs.OnStackFailure == "" && cs.KeepFailures
	if b.DisableRollback {
		b.OnFailure = "DO_NOTHING"
	}
	if values, ok := ctx.Value(nestedValuesKey{}).(nestedValues); ok && cs.Type == "CREATE" {
		b.TimeoutInMinutes = aws.Val(values.timeout)
	}
	before := st.Spec
	b.With = func(tx *store.Tx, st *stack.Stack) error {
		if cs.Parent != "" && cs.Type == "UPDATE" {
			st.Undo = &before
		}
		return executed(tx, st, *cs)
	}
	return b, nil
}

// executable refuses a change set that failed, was executed before, or is for a
// stack that has changed since.
func (s *Service) executable(ctx context.Context, cs *changeSet) error {
	const refused = "ChangeSet [%s] cannot be executed in its current %s of [%s]"
	execution := s.execution(ctx, cs)
	switch {
	case execution == "AVAILABLE":
		return nil
	case cs.Status != "CREATE_COMPLETE":
		return awserr.New("InvalidChangeSetStatus", refused, cs.ID, "status", cs.Status)
	}
	return awserr.New("InvalidChangeSetStatus", refused, cs.ID, "execution status", execution)
}

// executed marks cs and removes the stack's other change sets.
func executed(tx *store.Tx, st *stack.Stack, cs changeSet) error {
	cs.Execution, cs.Operation = "EXECUTE_IN_PROGRESS", st.Operation
	rows, err := changeSets.Lookup(tx, "stack", st.ID)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.Value.ID == cs.ID {
			err = changeSets.Put(tx, row.Key, &cs)
		} else {
			err = changeSets.Delete(tx, row.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteChangeSet removes a change set; one that does not exist is deleted already.
// A stack under review stays.
func (s *Service) DeleteChangeSet(ctx context.Context, in *api.DeleteChangeSetInput) (*api.DeleteChangeSetOutput, error) {
	cs, err := s.changeSet(ctx, in.StackName, in.ChangeSetName)
	if awserr.Is(err, "ChangeSetNotFound") {
		return &api.DeleteChangeSetOutput{}, nil
	}
	if err != nil {
		return nil, err
	}
	if s.execution(ctx, cs) == "EXECUTE_IN_PROGRESS" {
		return nil, awserr.New("InvalidChangeSetStatus", "ChangeSet [%s] cannot be deleted in its current execution status of [EXECUTE_IN_PROGRESS]", cs.ID)
	}
	if err := s.deleteNested(ctx, cs); err != nil {
		return nil, err
	}
	c := aws.CallFrom(ctx)
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		return changeSets.Delete(tx, store.Key{Account: c.Account, Region: c.Region, ID: cs.ID})
	})
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return &api.DeleteChangeSetOutput{}, err
}
