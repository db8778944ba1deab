package cloudformation

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/hardstand/hardstand/internal/stack"
)

// undo takes the update back that the parent's began: it is cancelled if it is
// still going on, and what it has changed is changed back.
func (t resourceStack) undo(ctx context.Context, r stack.Request, parent *stack.Stack) (stack.Result, error) {
	st, err := t.s.find(ctx, &r.PhysicalID, noStack)
	if err != nil {
		return stack.Result{}, err
	}
	if st.Status == stack.UpdateInProgress && st.RequestToken != *token(r) {
		if _, err := t.s.engine.CancelUpdate(ctx, st.Key(), ""); err != nil {
			return stack.Result{}, fmt.Errorf("cancel the update of a nested stack: %w", err)
		}
	}
	if st, err = t.s.engine.Wait(ctx, key(r)); err != nil {
		return stack.Result{}, err
	}
	switch {
	case st.Status == stack.UpdateRollbackFailed && parent.OperationName == "ContinueUpdateRollback":
		st, err = t.continueRollback(ctx, r, st, parent)
	case st.Status == stack.UpdateComplete && st.Undo != nil && !reflect.DeepEqual(*st.Undo, st.Spec):
		st, err = t.takeBack(ctx, r, st)
	}
	if err != nil {
		return stack.Result{}, err
	}
	if st.Status != stack.UpdateComplete && st.Status != stack.UpdateRollbackComplete && st.Status != stack.CreateComplete {
		return stack.Result{}, t.notUpdated(ctx, st)
	}
	return nestedResult(st), nil
}

// takeBack updates a nested stack to what it was before its parent's update.
func (t resourceStack) takeBack(ctx context.Context, r stack.Request, st *stack.Stack) (*stack.Stack, error) {
	b, err := t.s.begin(ctx, st, "", *token(r))
	if err != nil {
		return nil, err
	}
	back := *st.Undo
	b.Operation, b.Spec = "UpdateStack", &back
	if _, err := t.s.engine.Update(ctx, st.Key(), b); err != nil {
		return nil, fmt.Errorf("update a nested stack back: %w", err)
	}
	if st, err = t.s.engine.Wait(ctx, key(r)); err != nil {
		return nil, err
	}
	if st.Status != stack.UpdateComplete {
		return nil, t.notUpdated(ctx, st)
	}
	return st, nil
}

// continueRollback continues a nested stack's rollback with its parent's.
func (t resourceStack) continueRollback(ctx context.Context, r stack.Request, st, parent *stack.Stack) (*stack.Stack, error) {
	if st.RequestToken == *token(r) {
		return st, nil // has been continued in this operation, in vain
	}
	b, err := t.s.begin(ctx, st, "", *token(r))
	if err != nil {
		return nil, err
	}
	b.Operation, b.Skip, b.OnFailure = "ContinueUpdateRollback", nestedSkips(st.Name, parent.Skip), st.OnFailure
	if _, err := t.s.engine.ContinueRollback(ctx, st.Key(), b); err != nil {
		return nil, err
	}
	return t.s.engine.Wait(ctx, key(r))
}

// nestedSkips are those of a parent's ResourcesToSkip that are for a nested stack,
// "NestedStackName.LogicalID", and those for stacks further down.
func nestedSkips(name string, skips []string) []string {
	var out []string
	for _, skip := range skips {
		stackName, id, nested := strings.Cut(skip, ".")
		switch {
		case nested && stackName == name:
			out = append(out, id)
		case nested:
			out = append(out, skip)
		}
	}
	return out
}
