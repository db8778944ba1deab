package cloudformation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/store"
)

// addNested makes a change set for each nested stack that cs adds or changes, and
// for those nested in them (IncludeNestedStacks). Where one fails, cs does.
func (s *Service) addNested(ctx context.Context, st *stack.Stack, cs *changeSet) error {
	kept, still := cs.Changes[:0], map[string]bool{}
	for _, c := range cs.Changes {
		if c.Type != nestedType || c.Action == stack.Remove {
			kept = append(kept, c)
			continue
		}
		nested, err := s.nestedSet(ctx, st, cs, c)
		if err != nil {
			return err
		}
		if nested.Status == "FAILED" && nested.Reason != noChanges {
			cs.Status, cs.Execution, cs.Changes = "FAILED", "UNAVAILABLE", nil
			cs.Reason = fmt.Sprintf("Nested change set %s was not successfully created: Currently in FAILED.", nested.ID)
			return nil
		}
		if nested.Reason == noChanges && onlyAutomatic(c) {
			still[c.LogicalID] = true
			continue
		}
		c.ChangeSetID = nested.ID
		kept = append(kept, c)
	}
	cs.Changes = withoutEchoes(kept, still)
	return nil
}

// withoutEchoes drops the changes that nothing but resources in still would cause:
// those do not change after all.
func withoutEchoes(changes []stack.Change, still map[string]bool) []stack.Change {
	for {
		kept := slices.DeleteFunc(changes, func(c stack.Change) bool {
			echo := c.Action == stack.Modify && c.Type != nestedType
			for _, d := range c.Details {
				id, _, _ := strings.Cut(d.Entity, ".")
				echo = echo && d.Dynamic && (d.Entity == "" || still[id])
			}
			if echo {
				still[c.LogicalID] = true
			}
			return echo
		})
		if len(kept) == len(changes) {
			return kept
		}
		changes = kept
	}
}

// onlyAutomatic tells a nested stack that nothing but its parent's update touches.
func onlyAutomatic(c stack.Change) bool {
	return c.Action == stack.Modify && !slices.ContainsFunc(c.Details, func(d stack.Detail) bool { return d.Source != "Automatic" })
}

// nestedSet makes and keeps the change set of one nested stack.
func (s *Service) nestedSet(ctx context.Context, parent *stack.Stack, of *changeSet, c stack.Change) (*changeSet, error) {
	st, err := s.nestedStack(ctx, parent, c)
	if err != nil {
		return nil, err
	}
	call := aws.CallFrom(ctx)
	name := of.Name[:min(len(of.Name), 80)] + "-" + c.LogicalID[:min(len(c.LogicalID), 30)] + "-" + ids.UUID()[:12]
	cs := &changeSet{ID: "arn:aws:cloudformation:" + call.Region + ":" + call.Account + ":changeSet/" + name + "/" + ids.UUID(), Name: name,
		StackID: st.ID, StackName: st.Name, Type: "UPDATE", Status: "CREATE_COMPLETE", Execution: "AVAILABLE", OnStackFailure: of.OnStackFailure,
		RoleARN: of.RoleARN, Nested: true, Parent: of.ID, Root: of.rootID(), LogicalID: c.LogicalID, Express: of.Express}
	if st.Status == "" {
		cs.Type = "CREATE"
	}
	switch err := s.fillNested(ctx, st, cs, of, c); {
	case awserr.As(err) != nil && awserr.As(err).HTTPStatus() < 500:
		cs.Status, cs.Execution, cs.Reason, cs.Changes = "FAILED", "UNAVAILABLE", awserr.As(err).Message, nil
	case err != nil:
		return nil, err
	case len(cs.Changes) == 0 && cs.Status != "FAILED" && sameSettings(st.Current(), &cs.Spec):
		cs.Status, cs.Execution, cs.Reason = "FAILED", "UNAVAILABLE", noChanges
	}
	return cs, s.keepChangeSet(ctx, st, cs)
}

func (c *changeSet) rootID() string {
	if c.Root != "" {
		return c.Root
	}
	return c.ID
}

// nestedStack is the stack behind a change, or one that is to be.
func (s *Service) nestedStack(ctx context.Context, parent *stack.Stack, c stack.Change) (*stack.Stack, error) {
	if c.Action == stack.Modify && c.PhysicalID != "" {
		return s.find(ctx, &c.PhysicalID, noStack)
	}
	r := stack.Request{StackName: parent.Name, LogicalID: c.LogicalID, Token: ids.UUID()}
	st := newStack(aws.CallFrom(ctx), r.Name(maxStackName))
	st.Parent, st.Root = parent.ID, rootOf(parent)
	return st, nil
}

// fillNested judges the template that a nested stack is to have.
func (s *Service) fillNested(ctx context.Context, st *stack.Stack, cs, of *changeSet, c stack.Change) error {
	var p stackProperties
	if err := stack.Decode(known(c.Evaluated), &p); err != nil {
		return asAWS(err)
	}
	body, err := s.source(ctx, nil, &p.TemplateURL)
	if err != nil {
		return err
	}
	w := wanted{body: body, tags: ownTags(of.Spec.Tags, p.Tags), topics: p.NotificationARNs, reviewed: true}
	for _, capability := range of.Spec.Capabilities {
		w.capabilities = append(w.capabilities, api.Capability(capability))
	}
	if w.parameters, err = s.nestedParameters(st, body, p); err != nil {
		return err
	}
	if st.Current().Template == "" {
		prep, err := s.prepare(ctx, st, w, nil)
		if err != nil {
			return err
		}
		cs.Spec = prep.spec
		if cs.Changes, err = s.engine.Diff(ctx, st, nil, prep.scope, false); err != nil {
			return asAWS(err)
		}
		return s.addNested(ctx, st, cs)
	}
	prep, changes, err := s.difference(ctx, st, w)
	if err != nil {
		return err
	}
	cs.Spec, cs.Changes = prep.spec, changes
	return s.addNested(ctx, st, cs)
}

func ownTags(parents map[string]string, own []stack.Tag) []api.Tag {
	return nestedTags(stack.Request{Tags: parents}, own)
}

// unknownText stands for what is known only when the change set is executed.
const unknownText = "{{changeSet:KNOWN_AFTER_APPLY}}"

// known is v with the values that are not known yet as text.
func known(v map[string]any) map[string]any {
	out := map[string]any{}
	d := json.NewDecoder(strings.NewReader(template.JSON(v)))
	d.UseNumber()
	_ = d.Decode(&out) // template.JSON wrote it
	return out
}

// nestedParameters are the parameters of a nested stack as far as they are known.
// What is not keeps its value, or has its default, for the time being.
func (s *Service) nestedParameters(st *stack.Stack, body string, p stackProperties) ([]api.Parameter, error) {
	t, err := s.summary(body, template.Parse)
	if err != nil {
		return nil, asAWS(err)
	}
	previous := st.Current().Parameters
	var out []api.Parameter
	for _, given := range p.parameters() {
		name := *given.ParameterKey
		if *given.ParameterValue != unknownText {
			out = append(out, given)
			continue
		}
		def := t.Parameters[name]
		if _, had := previous[name]; had {
			out = append(out, api.Parameter{ParameterKey: &name, UsePreviousValue: aws.Ptr(true)})
		} else if def == nil || def.Default == nil {
			out = append(out, given)
		}
	}
	return out, nil
}

// nestedOf is the change set that a nested stack has in the one which its parent
// executes; included tells whether that one has any at all.
func (s *Service) nestedOf(ctx context.Context, parent *stack.Stack, logicalID string) (cs *changeSet, included bool, err error) {
	if parent.ChangeSetID == "" {
		return nil, false, nil
	}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		of, err := changeSets.Get(tx, store.Key{Account: parent.Account, Region: parent.Region, ID: parent.ChangeSetID})
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		included = of.Nested
		rows, err := changeSets.Lookup(tx, "parent", of.ID)
		for _, row := range rows {
			if row.Value.LogicalID == logicalID {
				cs = row.Value
			}
		}
		return err
	})
	return cs, included, err
}

// nestedValues are what an execution of a nested change set takes from its parent:
// by now everything is known.
type nestedValues struct {
	parameters []api.Parameter
	tags       []api.Tag
	topics     []string // nil leaves those that were described
	timeout    *int32   // TimeoutInMinutes of a creation
}

type nestedValuesKey struct{}

// settleSpec gives the Spec of a nested change set the values of its parameters as
// they are when it is executed. The template is the one that was described.
func (s *Service) settleSpec(ctx context.Context, st *stack.Stack, cs *changeSet) error {
	values, ok := ctx.Value(nestedValuesKey{}).(nestedValues)
	if !ok {
		return invalid("ChangeSet [%s] belongs to a nested stack and can only be executed with its root [%s]", cs.ID, cs.Root)
	}
	if err := checkTopics(values.topics); err != nil {
		return err
	}
	w := wanted{body: cs.Spec.Template, parameters: values.parameters, tags: values.tags, topics: values.topics, reviewed: true}
	if w.topics == nil {
		w.topics = cs.Spec.NotificationARNs
	}
	for _, c := range cs.Spec.Capabilities {
		w.capabilities = append(w.capabilities, api.Capability(c))
	}
	previous, err := s.engine.Values(st.ID, st.Current())
	if err != nil {
		return err
	}
	p, err := s.prepare(ctx, st, w, previous)
	if err != nil {
		return err
	}
	p.spec.Rollback = cs.Spec.Rollback
	cs.Spec = p.spec
	return nil
}

// deleteNested removes the change sets below cs, and the stacks that were made to
// be reviewed with them.
func (s *Service) deleteNested(ctx context.Context, cs *changeSet) error {
	var below []*changeSet
	err := s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := changeSets.Lookup(tx, "parent", cs.ID)
		for _, row := range rows {
			below = append(below, row.Value)
		}
		return err
	})
	for _, nested := range below {
		if err = errors.Join(err, s.deleteNested(ctx, nested)); err != nil {
			return err
		}
		st, err := s.find(ctx, &nested.StackID, noStack)
		if err == nil && st.Status == stack.ReviewInProgress {
			b, err := s.begin(ctx, st, "", "")
			if err != nil {
				return err
			}
			if _, err := s.engine.Delete(ctx, st.Key(), b); err != nil {
				return err
			}
		}
		c := aws.CallFrom(ctx)
		err = s.db.Update(ctx, func(tx *store.Tx) error {
			return changeSets.Delete(tx, store.Key{Account: c.Account, Region: c.Region, ID: nested.ID})
		})
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return err
}

// DescribeChangeSetHooks lists the hooks that a change set will invoke: there are
// none, because hooks are not registered here.
func (s *Service) DescribeChangeSetHooks(ctx context.Context, in *api.DescribeChangeSetHooksInput) (*api.DescribeChangeSetHooksOutput, error) {
	cs, err := s.changeSet(ctx, in.StackName, in.ChangeSetName)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeChangeSetHooksOutput{ChangeSetId: &cs.ID, ChangeSetName: &cs.Name, StackId: &cs.StackID, StackName: &cs.StackName,
		Hooks: []api.ChangeSetHook{}, Status: api.ChangeSetHooksStatusPlanned}
	if cs.Status != "CREATE_COMPLETE" {
		out.Status = api.ChangeSetHooksStatusUnavailable
	}
	if id := aws.Val(in.LogicalResourceId); id != "" && !slices.ContainsFunc(cs.Changes, func(c stack.Change) bool { return c.LogicalID == id }) {
		return nil, invalid("Resource %s does not exist in change set %s", id, cs.Name)
	}
	return out, nil
}
