package stack

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/store"
)

// masked stands for values that nobody may see.
const masked = "****"

// NewScope returns the scope of a template with the values of a stack's
// parameters, conditions evaluated. Nothing outside is asked yet.
func NewScope(t *template.Template, s *Stack, values map[string]template.Value, arns []string) (*template.Scope, error) {
	list := make([]any, len(arns))
	for i, a := range arns {
		list[i] = a
	}
	scope := &template.Scope{Template: t, Parameters: t.RefValues(values), Pseudo: map[string]any{
		"AWS::AccountId": s.Account, "AWS::NotificationARNs": list, "AWS::Partition": "aws",
		"AWS::Region": s.Region, "AWS::StackId": s.ID, "AWS::StackName": s.Name, "AWS::URLSuffix": "amazonaws.com",
	}}
	return scope, scope.EvaluateConditions()
}

// ScopeOf is NewScope for a Spec of a stack.
func (e *Engine) ScopeOf(s *Stack, spec *Spec) (*template.Scope, error) {
	t, err := template.Parse(spec.Effective())
	if err != nil {
		return nil, fmt.Errorf("parse the template of %s: %w", s.Name, err)
	}
	values, err := e.Values(s.ID, spec)
	if err != nil {
		return nil, err
	}
	return NewScope(t, s, values, spec.NotificationARNs)
}

// prepare gives the run the scope of spec, live: references have the values of
// the members, and the account is asked as the stack's caller.
func (r *run) prepare(spec *Spec) error {
	scope, err := r.e.ScopeOf(r.stack, spec)
	if err != nil {
		return err
	}
	scope.Resources = members{r}
	scope.World = &world{r: r, ctx: aws.WithCall(r.ctx, callFor(r.stack, ""))}
	r.scope = scope
	return nil
}

// maskedScope is a scope with NoEcho values masked, for what events and change sets
// show.
func maskedScope(scope *template.Scope) *template.Scope {
	s := *scope
	s.Parameters = make(map[string]any, len(scope.Parameters))
	for name, v := range scope.Parameters {
		if scope.Template.Parameters[name].NoEcho {
			v = masked
		}
		s.Parameters[name] = v
	}
	return &s
}

// members gives Ref and Fn::GetAtt their values from the rows of a run.
type members struct{ r *run }

// Ref implements template.Resources.
func (m members) Ref(id string) (any, error) {
	m.r.mu.Lock()
	defer m.r.mu.Unlock()
	member, ok := m.r.members[id]
	if !ok || !member.exists() {
		return nil, propertyErrorf("Resource %s does not exist", id)
	}
	if c := m.r.content[id]; c.Ref != "" {
		return c.Ref, nil
	}
	return member.PhysicalID, nil
}

// GetAtt implements template.Resources.
func (m members) GetAtt(id, attribute string) (any, error) {
	m.r.mu.Lock()
	defer m.r.mu.Unlock()
	member, ok := m.r.members[id]
	if !ok || !member.exists() {
		return nil, propertyErrorf("Resource %s does not exist", id)
	}
	if v, ok := m.r.content[id].Attributes[attribute]; ok {
		return v, nil
	}
	if canonical(member.Type) == customType {
		return nil, propertyErrorf("CustomResource attribute error: Vendor response doesn't contain %s key in object %s in S3 bucket cloudformation-custom-resource-storage-%s",
			attribute, member.StackID+"|"+id, strings.ReplaceAll(m.r.stack.Region, "-", ""))
	}
	return nil, unsupportedAttribute(member.Type, attribute)
}

// veiledMembers are members for what is shown: attributes that are secret are masked.
type veiledMembers struct{ members }

// GetAtt implements template.Resources.
func (v veiledMembers) GetAtt(id, attribute string) (any, error) {
	value, err := v.members.GetAtt(id, attribute)
	if err != nil {
		return nil, err
	}
	if _, c := v.r.member(id); c != nil && c.Secret {
		return masked, nil
	}
	return value, nil
}

func unsupportedAttribute(resourceType, attribute string) error {
	return propertyErrorf("Resource type %s does not support attribute {%s}", resourceType, attribute)
}

// world answers a template's questions about its account.
type world struct {
	r   *run
	ctx context.Context
}

// Zones implements template.World.
func (w *world) Zones(region string) ([]string, error) { return w.r.e.cfg.Outside.Zones(w.ctx, region) }

// StackOutput implements template.World.
func (w *world) StackOutput(ref template.StackOutput) (string, error) {
	return w.r.e.cfg.Outside.StackOutput(w.ctx, ref)
}

// Secret implements template.World.
func (w *world) Secret(service, reference string) (string, error) {
	return w.r.e.cfg.Outside.Secret(w.ctx, service, reference)
}

// veiled is a World for what is shown: secrets stay the references that they are.
type veiled struct{ template.World }

// Secret implements template.World.
func (veiled) Secret(service, reference string) (string, error) {
	return "{{resolve:" + service + ":" + reference + "}}", nil
}

// Export implements template.World and notes the use.
func (w *world) Export(name string) (value string, found bool, err error) {
	err = w.r.e.cfg.DB.View(w.ctx, func(tx *store.Tx) error {
		x, err := Exports.Get(tx, store.Key{Account: w.r.key.Account, Region: w.r.key.Region, ID: name})
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err == nil {
			value, found = x.Value, true
		}
		return err
	})
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	w.r.imports[name] = found
	return value, found, err
}
