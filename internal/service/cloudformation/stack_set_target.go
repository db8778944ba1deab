package cloudformation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/api/sts"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// administrator is the principal of a set's administration role.
func (s *Service) administrator(ctx context.Context, role, account string) (aws.Principal, error) {
	p, err := s.roles.AssumeServiceRole(ctx, role, "cloudformation.amazonaws.com")
	if err != nil {
		s.log.Info("administration role", "role", role, "error", err)
		return p, invalid("Account %s should have '%s' role with trust relationship to CloudFormation service.", account, arn.Name(role))
	}
	return p, nil
}

// executor is the principal of the execution role in a target's account: the
// administration role assumes it, with the permissions that it has.
func (w *setWorker) executor(ctx context.Context, t target) (context.Context, error) {
	admin, err := w.s.administrator(ctx, w.op.AdminRole, w.set.Account)
	if err != nil {
		return nil, err
	}
	role := "arn:aws:iam::" + t.Account + ":role/" + w.op.ExecutionRole
	refused := invalid("Account %s should have '%s' role with trust relationship to Role '%s'.", t.Account, w.op.ExecutionRole, arn.Name(w.op.AdminRole))
	out, err := wire.Call[sts.AssumeRoleOutput](w.as(ctx, admin, w.set.Account, w.set.Region), w.s.invoker, "sts", "AssumeRole",
		&sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.Ptr("StackSet")})
	if err != nil {
		w.s.log.Info("execution role", "role", role, "error", err)
		return nil, refused
	}
	p, err := w.s.sessions.Principal(ctx, aws.Val(out.Credentials.AccessKeyId), aws.Val(out.Credentials.SessionToken))
	if err != nil {
		return nil, err
	}
	return w.as(ctx, p, t.Account, t.Region), nil
}

// target does the operation's work in one target and records how it ended.
func (w *setWorker) target(ctx context.Context, t target) bool {
	i, err := w.begin(ctx, t)
	if err == nil {
		err = w.act(ctx, i)
	}
	if ctx.Err() != nil {
		return true // goes on when the server does
	}
	if err := w.record(ctx, i, t, err); err != nil {
		w.s.log.Error("stack set target", "set", w.set.ID, "account", t.Account, "region", t.Region, "error", err)
		return false
	}
	return err == nil
}

// begin marks a target as worked on.
func (w *setWorker) begin(ctx context.Context, t target) (i *stackInstance, err error) {
	err = w.update(ctx, func(tx *store.Tx, o *setOperation) error {
		o.result(t).Status = string(api.StackSetOperationResultStatusRunning)
		if i, err = stackInstances.Get(tx, w.set.instanceKey(t)); errors.Is(err, store.ErrNotFound) {
			return noInstance(w.set, t) // deleted while the operation was queued
		} else if err != nil {
			return err
		}
		if o.Action == string(api.StackSetOperationActionDetectDrift) {
			return nil
		}
		i.Detail = string(api.StackInstanceDetailedStatusRunning)
		return stackInstances.Put(tx, w.set.instanceKey(t), i)
	})
	return i, err
}

func (o *setOperation) result(t target) *setResult {
	return &o.Results[slices.IndexFunc(o.Results, func(r setResult) bool { return r.target == t })]
}

// act is the work itself.
func (w *setWorker) act(ctx context.Context, i *stackInstance) error {
	if w.op.Action == string(api.StackSetOperationActionDelete) && (w.op.Retain || i.StackID == "" && !w.hasStack(ctx, i)) {
		return nil
	}
	as, err := w.executor(ctx, i.target)
	if err != nil {
		return err
	}
	switch api.StackSetOperationAction(w.op.Action) {
	case api.StackSetOperationActionDelete:
		return w.remove(as, i)
	case api.StackSetOperationActionDetectDrift:
		return w.detect(as, i)
	}
	if w.op.Import {
		return w.adopt(as, i)
	}
	return w.deploy(as, i)
}

func (w *setWorker) hasStack(ctx context.Context, i *stackInstance) bool {
	st, err := w.stack(w.as(ctx, w.op.Caller, i.Account, i.Region), i)
	return err != nil || st != nil
}

// stack is an instance's stack, nil when there is none.
func (w *setWorker) stack(ctx context.Context, i *stackInstance) (*stack.Stack, error) {
	name := i.StackName
	if i.StackID != "" {
		name = i.StackID
	}
	st, err := w.s.find(ctx, &name, noStack)
	if awserr.As(err) != nil || err == nil && st.Status == stack.DeleteComplete {
		return nil, nil
	}
	return st, err
}

// token names what an operation does in a target: the same after a restart.
func (w *setWorker) token(t target, what string) *string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%s/%s/%s", w.set.ID, w.op.ID, t.Account, t.Region, what))
	return aws.Ptr(hex.EncodeToString(sum[:]))
}

// setBodyKey is the key in ctx under which the template of a set goes to the
// operations that it calls: it may be longer than a TemplateBody.
type setBodyKey struct{}

// deploy creates an instance's stack or brings it to what the set says. One that
// was never made is made anew.
func (w *setWorker) deploy(ctx context.Context, i *stackInstance) error {
	ctx = context.WithValue(ctx, setBodyKey{}, w.set.Spec.Template)
	st, err := w.stack(ctx, i)
	if err != nil {
		return err
	}
	update := w.token(i.target, "update")
	if st != nil && st.RequestToken == *update && stack.InProgress(st.Status) {
		return w.settle(ctx, i, st)
	}
	if st != nil && unmade(st.Status) && st.RequestToken != *w.token(i.target, "create") {
		if err := w.remove(ctx, i); err != nil {
			return err
		}
		st, i.StackID = nil, ""
	}
	parameters, err := w.parameters(i)
	if err != nil {
		return err
	}
	if st != nil && st.RequestToken != *w.token(i.target, "create") {
		_, err = wire.Call[api.UpdateStackOutput](ctx, w.s.invoker, "cloudformation", "UpdateStack", &api.UpdateStackInput{StackName: &st.ID,
			Parameters: parameters, Capabilities: w.capabilities(), Tags: tagViews(w.set.Spec.Tags), ClientRequestToken: update})
		if e := awserr.As(err); e != nil && e.Message == noUpdates {
			return nil
		}
	} else {
		var out *api.CreateStackOutput
		out, err = wire.Call[api.CreateStackOutput](ctx, w.s.invoker, "cloudformation", "CreateStack", &api.CreateStackInput{StackName: &i.StackName,
			Parameters: parameters, Capabilities: w.capabilities(), Tags: tagViews(w.set.Spec.Tags), ClientRequestToken: w.token(i.target, "create")})
		if err == nil {
			i.StackID = *out.StackId
			st = &stack.Stack{ID: i.StackID, Account: i.Account, Region: i.Region}
		}
	}
	if err != nil {
		return err
	}
	return w.settle(ctx, i, st)
}

// unmade tells the statuses of stacks whose creation has failed.
func unmade(status string) bool {
	return status == stack.CreateFailed || status == stack.RollbackComplete || status == stack.RollbackFailed || status == stack.DeleteFailed
}

func (w *setWorker) capabilities() (out []api.Capability) {
	for _, c := range w.set.Spec.Capabilities {
		out = append(out, api.Capability(c))
	}
	return out
}

// parameters are the set's values and, over them, the instance's.
func (w *setWorker) parameters(i *stackInstance) ([]api.Parameter, error) {
	values, err := w.s.engine.Values(w.set.ID, &w.set.Spec)
	if err != nil {
		return nil, err
	}
	own, err := w.s.engine.Values(w.set.ID+"/"+i.Account+"/"+i.Region, &i.Overrides)
	if err != nil {
		return nil, err
	}
	maps.Copy(values, own)
	var out []api.Parameter
	for _, name := range slices.Sorted(maps.Keys(values)) {
		out = append(out, api.Parameter{ParameterKey: aws.Ptr(name), ParameterValue: aws.Ptr(values[name].Text)})
	}
	return out, nil
}

// settle waits for a stack to rest and judges how.
func (w *setWorker) settle(ctx context.Context, i *stackInstance, st *stack.Stack) error {
	i.StackID = st.ID
	st, err := w.s.engine.Wait(ctx, st.Key())
	if err != nil {
		return err
	}
	if st.Status == stack.CreateComplete || st.Status == stack.UpdateComplete {
		return nil
	}
	return &stack.PropertyError{Message: w.cause(ctx, st)}
}

// cause names the resource because of which a stack failed.
func (w *setWorker) cause(ctx context.Context, st *stack.Stack) string {
	text := st.Status + ": " + st.Reason
	_ = w.s.db.View(ctx, func(tx *store.Tx) error {
		events, err := stack.EventsOf(tx, st)
		for _, ev := range slices.Backward(events) {
			if ev.Operation == st.OperationID && ev.PhysicalID != st.ID && strings.HasSuffix(ev.Status, "_FAILED") && !strings.HasSuffix(ev.Reason, " cancelled") {
				text = fmt.Sprintf("ResourceLogicalId:%s, ResourceType:%s, ResourceStatusReason:%s.", ev.LogicalID, ev.Type, ev.Reason)
			}
		}
		return err
	})
	return text
}

// remove deletes an instance's stack.
func (w *setWorker) remove(ctx context.Context, i *stackInstance) error {
	st, err := w.stack(ctx, i)
	if err != nil || st == nil {
		return err
	}
	if _, err := wire.Call[api.DeleteStackOutput](ctx, w.s.invoker, "cloudformation", "DeleteStack", &api.DeleteStackInput{StackName: &st.ID}); err != nil {
		return err
	}
	if st, err = w.s.engine.Wait(ctx, st.Key()); err != nil {
		return err
	}
	if st.Status != stack.DeleteComplete {
		return &stack.PropertyError{Message: w.cause(ctx, st)}
	}
	return nil
}

// record writes how a target ended, on the operation and the instance.
func (w *setWorker) record(ctx context.Context, i *stackInstance, t target, cause error) error {
	reason := ""
	if cause != nil {
		reason = reasonText(cause)
	}
	return w.update(ctx, func(tx *store.Tx, o *setOperation) error {
		r := o.result(t)
		r.Status, r.Reason = string(api.StackSetOperationResultStatusSucceeded), reason
		if cause != nil {
			r.Status = string(api.StackSetOperationResultStatusFailed)
		}
		if i == nil {
			return nil
		}
		return w.keep(tx, o, i, cause != nil, reason)
	})
}

// keep writes what an operation has made of an instance. What one that is queued
// behind it has asked of the instance meanwhile, values for parameters or the
// instance itself, stays.
func (w *setWorker) keep(tx *store.Tx, o *setOperation, i *stackInstance, failed bool, reason string) error {
	key := w.set.instanceKey(i.target)
	now, err := stackInstances.Get(tx, key)
	if err != nil {
		return err
	}
	awaited, err := o.awaited(tx, i.target)
	if err != nil {
		return err
	}
	now.StackID, now.Drift, now.DriftChecked = i.StackID, i.Drift, i.DriftChecked
	switch gone := o.Action == string(api.StackSetOperationActionDelete) && !failed; {
	case gone && !awaited:
		return stackInstances.Delete(tx, key)
	case gone: // a stack that is retained keeps its name
		anew := newInstance(w.set, i.target)
		now.StackName, now.StackID, now.Drift, now.DriftChecked = anew.StackName, "", anew.Drift, anew.DriftChecked
	case !awaited && o.Action != string(api.StackSetOperationActionDetectDrift):
		now.end(o, failed, reason)
	}
	return stackInstances.Put(tx, key, now)
}

// awaited tells whether an operation that is queued will change the stack of a target.
func (o *setOperation) awaited(tx *store.Tx, t target) (bool, error) {
	list, err := operationsOf(tx, o.SetID)
	return slices.ContainsFunc(list, func(later *setOperation) bool {
		return later.Number > o.Number && !later.ended() && later.Action != string(api.StackSetOperationActionDetectDrift) &&
			slices.ContainsFunc(later.Results, func(r setResult) bool { return r.target == t })
	}), err
}

// end is how an instance is after an operation.
func (i *stackInstance) end(o *setOperation, failed bool, reason string) {
	i.Status, i.Detail, i.Reason = string(api.StackInstanceStatusCurrent), string(api.StackInstanceDetailedStatusSucceeded), reason
	if !failed {
		return
	}
	i.Status, i.Detail = string(api.StackInstanceStatusOutdated), string(api.StackInstanceDetailedStatusFailed)
	switch {
	case o.Action == string(api.StackSetOperationActionDelete):
		i.Status, i.Detail = string(api.StackInstanceStatusInoperable), string(api.StackInstanceDetailedStatusInoperable)
	case o.Import:
		i.Detail = string(api.StackInstanceDetailedStatusFailedImport)
	}
}

// reasonText is the text of an error for a result.
func reasonText(err error) string {
	if e := awserr.As(err); e != nil {
		return e.Message
	}
	var property *stack.PropertyError
	if errors.As(err, &property) {
		return property.Message
	}
	return err.Error()
}
