package cloudformation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// Resources returns the resource types that templates may use.
func (s *Service) Resources() stack.Registry {
	return stack.Registry{nestedType: resourceStack{s}, customType: resourceCustom{s}}
}

const nestedType = "AWS::CloudFormation::Stack"

// resourceStack is AWS::CloudFormation::Stack. It calls CloudFormation's own
// operations as the parent's caller, with the parent in ctx.
type resourceStack struct{ s *Service }

type stackProperties struct {
	TemplateURL      string `cfn:",required"`
	Parameters       map[string]any
	NotificationARNs []string
	TimeoutInMinutes *int32
	Tags             []stack.Tag
}

// maxStackName is the longest name of a stack.
const maxStackName = 128

// parentKey is the key in ctx under which a nested stack finds its parent.
type parentKey struct{}

// parentOf returns the stack that an operation acts for, nil for a user's own.
func parentOf(ctx context.Context) *stack.Stack {
	p, _ := ctx.Value(parentKey{}).(*stack.Stack)
	return p
}

// Schema implements stack.Resource.
func (resourceStack) Schema() stack.Schema {
	sc := stack.SchemaOf(stackProperties{})
	sc.Attributes, sc.Taggable, sc.Nested = []string{"Outputs.*"}, true, true
	return sc
}

// within puts the parent into ctx.
func (t resourceStack) within(ctx context.Context, r stack.Request) (context.Context, *stack.Stack, error) {
	parent, err := t.s.find(ctx, &r.StackID, noStack)
	return context.WithValue(ctx, parentKey{}, parent), parent, err
}

// token names the operation of the parent that a call belongs to, in the letters
// that a ClientRequestToken may have.
func token(r stack.Request) *string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%v", r.Token, r.Operation, r.Undo))
	return aws.Ptr(hex.EncodeToString(sum[:]))
}

// Create implements stack.Resource. The nested stack does not roll back by itself:
// its parent deletes it.
func (t resourceStack) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p stackProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	ctx, parent, err := t.within(ctx, r)
	if err != nil {
		return stack.Result{}, err
	}
	if cs, _, err := t.s.nestedOf(ctx, parent, r.LogicalID); err != nil {
		return stack.Result{}, err
	} else if cs != nil {
		return t.createReviewed(ctx, r, p, cs, started)
	}
	in := &api.CreateStackInput{StackName: aws.Ptr(r.Name(maxStackName)), TemplateURL: &p.TemplateURL, Parameters: p.parameters(),
		NotificationARNs: p.NotificationARNs, TimeoutInMinutes: p.TimeoutInMinutes, Tags: nestedTags(r, p.Tags),
		Capabilities: capabilities(parent), DisableRollback: aws.Ptr(true), DeploymentConfig: nestedMode(parent), ClientRequestToken: token(stack.Request{Token: r.Token})}
	out, err := wire.Call[api.CreateStackOutput](ctx, t.s.invoker, "cloudformation", "CreateStack", in)
	if err != nil {
		return stack.Result{}, plainly(err)
	}
	r.PhysicalID = aws.Val(out.StackId)
	started(r.PhysicalID)
	return t.created(ctx, r)
}

// execute runs the change set that a nested stack has in its parent's.
func (t resourceStack) execute(ctx context.Context, r stack.Request, p stackProperties, cs *changeSet, token *string) error {
	ctx = context.WithValue(ctx, nestedValuesKey{}, nestedValues{parameters: p.parameters(), tags: nestedTags(r, p.Tags),
		topics: p.NotificationARNs, timeout: p.TimeoutInMinutes})
	_, err := wire.Call[api.ExecuteChangeSetOutput](ctx, t.s.invoker, "cloudformation", "ExecuteChangeSet", &api.ExecuteChangeSetInput{
		ChangeSetName: &cs.ID, ClientRequestToken: token, DisableRollback: aws.Ptr(cs.Type == "CREATE")})
	return plainly(err)
}

// createReviewed creates a nested stack that was made to be reviewed.
func (t resourceStack) createReviewed(ctx context.Context, r stack.Request, p stackProperties, cs *changeSet, started func(string)) (stack.Result, error) {
	r.PhysicalID = cs.StackID
	started(r.PhysicalID)
	st, err := t.s.find(ctx, &cs.StackID, noStack)
	if err != nil {
		return stack.Result{}, err
	}
	if st.Status == stack.ReviewInProgress { // else it was begun before the server was stopped
		if err := t.execute(ctx, r, p, cs, token(stack.Request{Token: r.Token})); err != nil {
			return stack.Result{}, err
		}
	}
	return t.created(ctx, r)
}

// created waits for a nested stack that is being created.
func (t resourceStack) created(ctx context.Context, r stack.Request) (stack.Result, error) {
	st, err := t.s.engine.Wait(ctx, key(r))
	if err != nil {
		return stack.Result{}, err
	}
	if st.Status != stack.CreateComplete {
		return stack.Result{}, &stack.PropertyError{Message: fmt.Sprintf("Embedded stack %s was not successfully created: %s", st.ID, st.Reason)}
	}
	return nestedResult(st), nil
}

func key(r stack.Request) store.Key {
	return store.Key{Account: r.Account, Region: r.Region, ID: r.PhysicalID}
}

// parameters are the values of a nested stack's parameters; lists are joined.
func (p *stackProperties) parameters() []api.Parameter {
	var out []api.Parameter
	for _, name := range slices.Sorted(maps.Keys(p.Parameters)) {
		out = append(out, api.Parameter{ParameterKey: &name, ParameterValue: aws.Ptr(parameterText(p.Parameters[name]))})
	}
	return out
}

func parameterText(v any) string {
	list, ok := v.([]any)
	if !ok {
		return fmt.Sprint(v)
	}
	items := make([]string, len(list))
	for i, e := range list {
		items[i] = fmt.Sprint(e)
	}
	return strings.Join(items, ",")
}

// nestedTags are the parent's tags and the resource's own.
func nestedTags(r stack.Request, own []stack.Tag) []api.Tag {
	out := []api.Tag{}
	for _, t := range r.TagsWith(own) {
		if !strings.HasPrefix(t.Key, "aws:") {
			out = append(out, api.Tag{Key: &t.Key, Value: &t.Value})
		}
	}
	return out
}

// capabilities are those of the parent's operation.
func capabilities(parent *stack.Stack) []api.Capability {
	spec := &parent.Spec
	if parent.Status == stack.UpdateInProgress && parent.Next != nil {
		spec = parent.Next
	}
	var out []api.Capability
	for _, c := range spec.Capabilities {
		out = append(out, api.Capability(c))
	}
	return out
}

func nestedResult(st *stack.Stack) stack.Result {
	res := stack.Result{PhysicalID: st.ID, Attributes: map[string]any{}}
	for _, o := range st.Outputs {
		res.Attributes["Outputs."+o.Name] = o.Value
	}
	return res
}

// Read implements stack.Resource.
func (t resourceStack) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	st, err := t.s.find(ctx, &r.PhysicalID, noStack)
	if awserr.As(err) != nil || err == nil && st.Status == stack.DeleteComplete {
		return stack.Result{}, stack.ErrNotFound
	}
	if err != nil {
		return stack.Result{}, err
	}
	return nestedResult(st), nil
}

// Update implements stack.Resource.
func (t resourceStack) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p stackProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	ctx, parent, err := t.within(ctx, r)
	if err != nil {
		return stack.Result{}, err
	}
	if r.Undo {
		return t.undo(ctx, r, parent)
	}
	st, err := t.s.find(ctx, &r.PhysicalID, noStack)
	if err != nil {
		return stack.Result{}, err
	}
	cs, included, err := t.s.nestedOf(ctx, parent, r.LogicalID)
	if err != nil {
		return stack.Result{}, err
	}
	switch {
	case st.RequestToken == *token(r): // was begun before the server was stopped
	case included && (cs == nil || cs.Status == "FAILED"):
		return nestedResult(st), t.forgetUndo(ctx, r) // reviewed, and nothing to change
	case included:
		if err := t.execute(ctx, r, p, cs, token(r)); err != nil {
			return stack.Result{}, err
		}
	default:
		in := &api.UpdateStackInput{StackName: &r.PhysicalID, TemplateURL: &p.TemplateURL, Parameters: p.parameters(), NotificationARNs: p.NotificationARNs,
			Tags: nestedTags(r, p.Tags), Capabilities: capabilities(parent), ClientRequestToken: token(r), DisableRollback: aws.Ptr(false), DeploymentConfig: nestedMode(parent)}
		_, err := wire.Call[api.UpdateStackOutput](ctx, t.s.invoker, "cloudformation", "UpdateStack", in)
		if e := awserr.As(err); e != nil && e.Message == noUpdates {
			return nestedResult(st), t.forgetUndo(ctx, r)
		}
		if err != nil {
			return stack.Result{}, plainly(err)
		}
	}
	if st, err = t.s.engine.Wait(ctx, key(r)); err != nil {
		return stack.Result{}, err
	}
	if st.Status != stack.UpdateComplete {
		return stack.Result{}, t.notUpdated(ctx, st)
	}
	return nestedResult(st), nil
}

// plainly is the error of an operation of CloudFormation itself: its message is the
// reason as it stands, because no resource handler is in between.
func plainly(err error) error {
	if e := awserr.As(err); e != nil && e.HTTPStatus() < 500 {
		return &stack.PropertyError{Message: e.Message}
	}
	return err
}

// notUpdated is the error of an update that has failed, or has been rolled back: it
// tells why that began, as AWS does, which reports it at that moment.
func (t resourceStack) notUpdated(ctx context.Context, st *stack.Stack) error {
	status, reason := st.Status, st.Reason
	err := t.s.db.View(ctx, func(tx *store.Tx) error {
		events, err := stack.EventsOf(tx, st)
		for _, ev := range events {
			if ev.Operation == st.OperationID && ev.PhysicalID == st.ID && ev.Status == stack.UpdateRollbackInProgress {
				status, reason = ev.Status, ev.Reason
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return &stack.PropertyError{Message: fmt.Sprintf("Embedded stack %s was not successfully updated. Currently in %s with reason: %s", st.ID, status, reason)}
}

func (t resourceStack) forgetUndo(ctx context.Context, r stack.Request) error {
	_, err := t.s.engine.Edit(ctx, key(r), func(s *stack.Stack) { s.Undo = nil })
	return err
}

// Delete implements stack.Resource.
func (t resourceStack) Delete(ctx context.Context, r stack.Request) error {
	ctx, _, err := t.within(ctx, r)
	if err != nil {
		return err
	}
	if _, err := wire.Call[api.DeleteStackOutput](ctx, t.s.invoker, "cloudformation", "DeleteStack", &api.DeleteStackInput{StackName: &r.PhysicalID}); err != nil {
		return plainly(err)
	}
	st, err := t.s.engine.Wait(ctx, key(r))
	if err != nil {
		return err
	}
	if st.Status != stack.DeleteComplete {
		return &stack.PropertyError{Message: fmt.Sprintf("Embedded stack %s was not successfully deleted: %s", st.ID, st.Reason)}
	}
	return nil
}
