package cloudformation

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/template"
)

// wanted is what a request says a stack shall be.
type wanted struct {
	body          string
	parameters    []api.Parameter
	capabilities  []api.Capability
	resourceTypes []string
	tags          []api.Tag
	// topics and rollback are nil where an update leaves them as they are.
	topics   []string // NotificationARNs
	rollback *api.RollbackConfiguration
	role     string // the service role, "" for the stack's own
	// reviewed is set for change sets, which show what macros make of a template before
	// it is done: they need no CAPABILITY_AUTO_EXPAND.
	reviewed bool
}

// prepared is a request found sound.
type prepared struct {
	template *template.Template
	scope    *template.Scope
	spec     stack.Spec
}

// prepare judges what can be judged before any work: the template, its types, the
// capabilities, parameters, conditions, rules, and all that evaluates without
// resources. st need not be stored yet; previous are its parameters' values.
func (s *Service) prepare(ctx context.Context, st *stack.Stack, w wanted, previous map[string]template.Value) (*prepared, error) {
	ctx, err := s.acting(ctx, cmp.Or(w.role, st.RoleARN))
	if err != nil {
		return nil, err
	}
	processed, err := s.processed(ctx, st, w, previous)
	if err != nil {
		return nil, err
	}
	spec := stack.Spec{Template: w.body, Processed: processed}
	t, err := s.judgeTemplate(spec.Effective())
	if err != nil {
		return nil, err
	}
	if err := allowTypes(t, w.resourceTypes); err != nil {
		return nil, err
	}
	if missing := missingCapabilities(t, s.engine.Types(), w); len(missing) > 0 {
		return nil, requiresCapabilities(missing)
	}
	tags, err := checkTags(w.tags)
	if err != nil {
		return nil, err
	}
	values, err := t.Resolve(given(w.parameters), previous, account{ctx, s.invoker})
	if err != nil {
		return nil, asAWS(err)
	}
	scope, err := stack.NewScope(t, st, values, w.topics)
	if err != nil {
		return nil, asAWS(err)
	}
	if err := s.judgeScope(ctx, scope); err != nil {
		return nil, err
	}
	if spec, err = s.engine.NewSpec(st.ID, w.body, t, values); err != nil {
		return nil, err
	}
	spec.Processed, spec.Tags, spec.NotificationARNs = processed, tags, w.topics
	spec.Rollback = rollbackConfig(w.rollback)
	for _, c := range w.capabilities {
		spec.Capabilities = append(spec.Capabilities, string(c))
	}
	return &prepared{template: t, scope: scope, spec: spec}, nil
}

// unrecognized are the resource types of a template that do not exist here.
func (s *Service) unrecognized(t *template.Template) (names []string) {
	for _, name := range t.Types() {
		if _, ok := s.engine.Types().Of(name); !ok {
			names = append(names, name)
		}
	}
	return names
}

// judgeTemplate parses a template and refuses resource types that do not exist
// here, also under a condition that is false.
func (s *Service) judgeTemplate(body string) (*template.Template, error) {
	t, err := template.Parse(body)
	if err != nil {
		return nil, asAWS(err)
	}
	if unknown := s.unrecognized(t); len(unknown) > 0 {
		return nil, invalid("Template format error: Unrecognized resource types: [%s]", strings.Join(unknown, ", "))
	}
	if err := refuseSecure(t); err != nil {
		return nil, err
	}
	return t, asAWS(s.engine.CheckPolicies(t))
}

// judgeScope evaluates rules, and everything else that does not need a resource.
func (s *Service) judgeScope(ctx context.Context, scope *template.Scope) error {
	if err := scope.CheckRules(account{ctx, s.invoker}); err != nil {
		return asAWS(err)
	}
	if _, err := scope.Plan(); err != nil {
		return asAWS(err)
	}
	for _, id := range scope.Template.ResourceIDs() {
		def := scope.Template.Resources[id]
		if !scope.Active(def.Condition) {
			continue
		}
		for _, use := range scope.Attributes(def.Properties, "") {
			schema := s.engine.Schema(scope.Template.Resources[use.ID].Type)
			if !schema.HasAttribute(use.Attribute) {
				return invalid("Template error: resource %s does not support attribute type %s in Fn::GetAtt", use.ID, use.Attribute)
			}
		}
	}
	return nil
}

// allowTypes holds a template to ResourceTypes, where a request gives them.
func allowTypes(t *template.Template, allowed []string) error {
	if len(allowed) == 0 {
		return nil
	}
	for _, name := range t.Types() {
		ok := slices.ContainsFunc(allowed, func(a string) bool {
			prefix, wild := strings.CutSuffix(a, "*")
			return a == name || wild && strings.HasPrefix(name, prefix)
		})
		if !ok {
			return invalid("Resource type %s is not allowed by parameter ResourceTypes [%s]", name, strings.Join(allowed, ", "))
		}
	}
	return nil
}

// neededCapabilities returns the capability that a template's IAM resources need,
// "" for none, and the types that need it.
func neededCapabilities(t *template.Template, types stack.Registry) (capability string, because []string) {
	for _, id := range t.ResourceIDs() {
		def := t.Resources[id]
		res, ok := types.Of(def.Type)
		if !ok || !res.Schema().Capability {
			continue
		}
		because = append(because, def.Type)
		if _, named := def.Properties[res.Schema().NameProperty]; named {
			capability = "CAPABILITY_NAMED_IAM"
		} else if capability == "" {
			capability = "CAPABILITY_IAM"
		}
	}
	slices.Sort(because)
	return capability, slices.Compact(because)
}

func missingCapabilities(t *template.Template, types stack.Registry, w wanted) (missing []string) {
	has := func(c string) bool { return slices.Contains(w.capabilities, api.Capability(c)) }
	needed, _ := neededCapabilities(t, types)
	if needed != "" && !has(needed) && !(needed == "CAPABILITY_IAM" && has("CAPABILITY_NAMED_IAM")) {
		missing = append(missing, needed)
	}
	if len(t.Transforms) > 0 && !w.reviewed && !has("CAPABILITY_AUTO_EXPAND") {
		missing = append(missing, "CAPABILITY_AUTO_EXPAND")
	}
	return missing
}

const maxTags = 50

func checkTags(tags []api.Tag) (map[string]string, error) {
	if len(tags) > maxTags {
		return nil, invalid("1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to %d", maxTags)
	}
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		key := aws.Val(t.Key)
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			return nil, invalid("aws: prefixed tag key names are not allowed for external use.")
		}
		if _, twice := out[key]; twice {
			return nil, invalid("Duplicate tag keys found: %s", key)
		}
		out[key] = aws.Val(t.Value)
	}
	return out, nil
}

func given(parameters []api.Parameter) []template.Given {
	var out []template.Given
	for _, p := range parameters {
		out = append(out, template.Given{Key: aws.Val(p.ParameterKey), Value: aws.Val(p.ParameterValue), UsePrevious: aws.Val(p.UsePreviousValue)})
	}
	return out
}

// digest identifies a request, so that a repeated ClientRequestToken can be told
// from one used for something else.
func digest(in any) (string, error) {
	text, err := json.Marshal(in)
	if err != nil {
		return "", fmt.Errorf("encode request: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}
