package template

import (
	"maps"
	"slices"
)

// checkConditions sees that each condition that is named exists and that none
// depends on itself.
func checkConditions(t *Template) error {
	for _, name := range slices.Sorted(maps.Keys(t.Conditions)) {
		if err := t.checkConditionChain(t.Conditions[name], []string{name}); err != nil {
			return err
		}
	}
	for _, id := range t.ResourceIDs() {
		r := t.Resources[id]
		if _, ok := t.Conditions[r.Condition]; r.Condition != "" && !ok {
			return errorf("Template format error: Unresolved condition dependency %s in the Resources block of the template", r.Condition)
		}
		for _, part := range []map[string]any{r.Properties, r.Metadata, r.CreationPolicy, r.UpdatePolicy} {
			if err := t.checkIfs(part); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.Outputs)) {
		o := t.Outputs[name]
		if _, ok := t.Conditions[o.Condition]; o.Condition != "" && !ok {
			return errorf("Template format error: Unresolved condition dependency %s in the Outputs block of the template", o.Condition)
		}
		if err := t.checkIfs([]any{o.Value, o.Export}); err != nil {
			return err
		}
	}
	return nil
}

func (t *Template) checkConditionChain(v any, above []string) error {
	if name, arg, ok := conditionCall(v); ok && name == "Condition" {
		next, _ := arg.(string)
		def, known := t.Conditions[next]
		if !known {
			return errorf("Template format error: Unresolved condition dependency %s in the Conditions block of the template", next)
		}
		if slices.Contains(above, next) {
			return errorf("Template error: Found circular condition dependency between %s and %s", above[len(above)-1], next)
		}
		return t.checkConditionChain(def, append(slices.Clone(above), next))
	}
	switch x := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			if err := t.checkConditionChain(x[k], above); err != nil {
				return err
			}
		}
	case []any:
		for _, e := range x {
			if err := t.checkConditionChain(e, above); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *Template) checkIfs(v any) error {
	switch x := v.(type) {
	case map[string]any:
		if name, arg, ok := call(v); ok && name == "Fn::If" {
			list, _ := arg.([]any)
			condition, _ := list[0].(string)
			if _, known := t.Conditions[condition]; !known {
				return errorf("Template error: unresolved condition dependency %s in Fn::If", condition)
			}
		}
		for _, k := range slices.Sorted(maps.Keys(x)) {
			if err := t.checkIfs(x[k]); err != nil {
				return err
			}
		}
	case []any:
		for _, e := range x {
			if err := t.checkIfs(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// EvaluateConditions sets s.Conditions from the parameters.
func (s *Scope) EvaluateConditions() error {
	s.Conditions = make(map[string]bool, len(s.Template.Conditions))
	done := map[string]bool{}
	for name := range s.Template.Conditions {
		if _, err := s.condition(name, done); err != nil {
			return err
		}
	}
	return nil
}

func (s *Scope) condition(name string, done map[string]bool) (bool, error) {
	if done[name] {
		return s.Conditions[name], nil
	}
	v, err := s.judge(s.Template.Conditions[name], "/Conditions/"+name, done)
	s.Conditions[name], done[name] = v, true
	return v, err
}

// judge evaluates a boolean of Conditions or Rules.
func (s *Scope) judge(v any, path string, done map[string]bool) (bool, error) {
	name, arg, ok := conditionCall(v)
	if !ok {
		if b, isText := text(v); isText && (b == "true" || b == "false") {
			return b == "true", nil
		}
		return false, errorf("Template error: %s must be a condition function", path)
	}
	switch name {
	case "Condition":
		next, _ := arg.(string)
		return s.condition(next, done)
	case "Fn::And", "Fn::Or", "Fn::Not":
		truths := []bool{}
		for _, e := range arg.([]any) {
			b, err := s.judge(e, path+"/"+name, done)
			if err != nil {
				return false, err
			}
			truths = append(truths, b)
		}
		switch name {
		case "Fn::And":
			return !slices.Contains(truths, false), nil
		case "Fn::Or":
			return slices.Contains(truths, true), nil
		}
		return !truths[0], nil
	}
	out, err := s.call(name, arg, path+"/"+name)
	if err != nil {
		return false, err
	}
	b, isText := text(out)
	if !isText || b != "true" && b != "false" {
		return false, errorf("Template error: %s must be a condition function", path)
	}
	return b == "true", nil
}

// truth evaluates the functions that compare values; arg's members have values.
func (s *Scope) truth(name string, arg any) (any, error) {
	list, ok := arg.([]any)
	if name == "Fn::RefAll" {
		return s.refAll(arg)
	}
	if !ok || len(list) != 2 {
		return nil, checkPair(name)(nil)
	}
	switch name {
	case "Fn::ValueOf", "Fn::ValueOfAll":
		return s.valueOf(name, list)
	case "Fn::Equals":
		a, aText := text(list[0])
		b, bText := text(list[1])
		if !aText || !bText {
			return JSON(list[0]) == JSON(list[1]), nil
		}
		return a == b, nil
	case "Fn::Contains":
		return contains(list[0], list[1]), nil
	case "Fn::EachMemberIn":
		return each(list[0], func(e any) bool { return contains(list[1], e) }), nil
	case "Fn::EachMemberEquals":
		return each(list[0], func(e any) bool { return JSON(e) == JSON(list[1]) }), nil
	}
	return nil, errorf("Template error: Encountered unsupported function: %s", name)
}

func contains(list, v any) bool { return !each(list, func(e any) bool { return JSON(e) != JSON(v) }) }

func each(list any, ok func(any) bool) bool {
	items, _ := list.([]any)
	return !slices.ContainsFunc(items, func(e any) bool { return !ok(e) })
}
