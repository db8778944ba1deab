package template

import (
	"maps"
	"slices"
	"strings"
)

// pseudo are the names that Ref and Sub know in every template.
var pseudo = []string{"AWS::AccountId", "AWS::NotificationARNs", "AWS::NoValue", "AWS::Partition",
	"AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix"}

// reference is a use of a name by Ref, Fn::GetAtt or Fn::Sub.
type reference struct {
	name      string
	attribute bool // Fn::GetAtt and ${A.B}
}

// references calls found for each reference below v.
func references(v any, found func(reference)) {
	name, arg, ok := call(v)
	if ok {
		switch name {
		case "Ref":
			s, _ := arg.(string)
			found(reference{name: s})
			return
		case "Fn::GetAtt":
			id, attr := getAttArguments(arg)
			found(reference{name: id, attribute: true})
			references(attr, found)
			return
		case "Fn::Sub":
			subReferences(arg, found)
			return
		}
		v = arg
	}
	switch x := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			references(x[k], found)
		}
	case []any:
		for _, e := range x {
			references(e, found)
		}
	}
}

// References returns the names that v refers to, in order, each once.
func (t *Template) References(v any) []string {
	found := map[string]bool{}
	references(v, func(r reference) { found[r.name] = true })
	return slices.Sorted(maps.Keys(found))
}

func subReferences(arg any, found func(reference)) {
	s, vars := subArguments(arg)
	parts, _ := subParts(s)
	for _, p := range parts {
		if p.name == "" {
			continue
		}
		if _, own := vars[p.name]; own {
			continue
		}
		id, _, attribute := strings.Cut(p.name, ".")
		found(reference{name: id, attribute: attribute})
	}
	references(map[string]any(vars), found)
}

// unresolved returns, of the references below v, the names that are neither
// parameter, pseudo parameter nor resource.
func (t *Template) unresolved(v any, into map[string]bool) error {
	var err error
	references(v, func(r reference) {
		_, resource := t.Resources[r.name]
		_, parameter := t.Parameters[r.name]
		switch {
		case resource:
		case r.attribute:
			if err == nil {
				err = errorf("Template error: instance of Fn::GetAtt references undefined resource %s", r.name)
			}
		case !parameter && !slices.Contains(pseudo, r.name):
			into[r.name] = true
		}
	})
	return err
}

func checkReferences(t *Template) error {
	missing := map[string]bool{}
	for _, id := range t.ResourceIDs() {
		r := t.Resources[id]
		for _, part := range []map[string]any{r.Properties, r.Metadata, r.CreationPolicy, r.UpdatePolicy} {
			if err := t.unresolved(part, missing); err != nil {
				return err
			}
		}
		for _, d := range r.DependsOn {
			if _, ok := t.Resources[d]; !ok {
				missing[d] = true
			}
		}
	}
	if len(missing) > 0 {
		return errorf("Template format error: Unresolved resource dependencies [%s] in the Resources block of the template", names(missing))
	}
	for _, name := range slices.Sorted(maps.Keys(t.Outputs)) {
		o := t.Outputs[name]
		if err := t.unresolved([]any{o.Value, o.Export}, missing); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		return errorf("Unresolved resource dependencies [%s] in the Outputs block of the template", names(missing))
	}
	if cycle := t.staticCycle(); cycle != nil {
		return errorf("Circular dependency between resources: [%s]", strings.Join(cycle, ", "))
	}
	return t.checkConditionReferences()
}

// checkConditionReferences holds conditions and rules to parameters.
func (t *Template) checkConditionReferences() error {
	missing := map[string]bool{}
	check := func(v any) {
		references(v, func(r reference) {
			if _, ok := t.Parameters[r.name]; !ok && !slices.Contains(pseudo, r.name) {
				missing[r.name] = true
			}
		})
	}
	for _, c := range t.Conditions {
		check(c)
	}
	if len(missing) > 0 {
		return errorf("Template format error: Unresolved dependencies [%s]. Cannot reference resources in the Conditions block of the template", names(missing))
	}
	for _, rule := range t.Rules {
		check(rule.Condition)
		for _, a := range rule.Assertions {
			check(a.Assert)
		}
	}
	if len(missing) > 0 {
		return errorf("Template format error: Unresolved dependencies [%s]. Cannot reference resources in the Rules block of the template", names(missing))
	}
	return nil
}

// names lists the keys of a set for a message.
func names(set map[string]bool) string {
	return strings.Join(slices.Sorted(maps.Keys(set)), ", ")
}
