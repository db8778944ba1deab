package template

import (
	"maps"
	"slices"
	"strings"
)

// The transforms that are known.
const (
	LanguageExtensions = "AWS::LanguageExtensions"
	includeTransform   = "AWS::Include"
)

// Include fetches what AWS::Include names.
type Include func(location string) (map[string]any, error)

// ParseHead reads what a template with transforms says before they have run: its
// parameters, mappings and transforms. Transformed reports whether it has any; of
// another Parse is the whole story.
func ParseHead(body string) (t *Template, transformed bool, err error) {
	if !strings.Contains(body, "Transform") {
		return nil, false, nil
	}
	m, err := Read(body)
	if err != nil {
		return nil, false, err
	}
	if _, whole := m["Transform"]; !whole && !hasKey(m, "Fn::Transform") {
		return nil, false, nil
	}
	t = &Template{Body: m}
	for _, step := range []func(*Template) error{parseHead, parseParameters, parseMappings} {
		if err := step(t); err != nil {
			return nil, true, err
		}
	}
	if hasKey(m, "Fn::Transform") && !slices.Contains(t.Transforms, includeTransform) {
		t.Transforms = append(t.Transforms, includeTransform)
	}
	return t, true, nil
}

func hasKey(v any, name string) bool {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			if k == name || hasKey(e, name) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(x, func(e any) bool { return hasKey(e, name) })
	}
	return false
}

// Transform runs the transforms of the scope's template, which ParseHead made, and
// returns the template that comes of it as JSON. A scope without Resources has
// all that transforms may use.
func (s *Scope) Transform(include Include) (string, error) {
	for _, name := range s.Template.Transforms {
		if name != LanguageExtensions && name != includeTransform {
			return "", errorf("No transform named %s found.", name)
		}
	}
	x := &expansion{scope: s, include: include, left: maxNodes}
	v, err := x.includes(s.Template.Body, true)
	if err != nil {
		return "", err
	}
	body := v.(map[string]any)
	delete(body, "Transform")
	if slices.Contains(s.Template.Transforms, LanguageExtensions) {
		out, err := x.extend(body)
		if err != nil {
			return "", err
		}
		body = out.(map[string]any)
		body["Transform"] = LanguageExtensions
	}
	text := JSON(body)
	if len(text) > MaxRemoteBody {
		return "", errorf("Template may not exceed %d bytes in size.", MaxRemoteBody)
	}
	return text, nil
}

// expansion is one run of the transforms. left bounds what they may make: loops in
// loops grow without end otherwise.
type expansion struct {
	scope   *Scope
	include Include
	left    int
}

func (x *expansion) spend(n int) error {
	if x.left -= n; x.left < 0 {
		return errorf("Template may not exceed %d bytes in size.", MaxRemoteBody)
	}
	return nil
}

// includes replaces Fn::Transform, and at the top the section Transform, by what
// they include. Members that stand beside it win over included ones.
func (x *expansion) includes(v any, top bool) (any, error) {
	if list, ok := v.([]any); ok {
		out := make([]any, len(list))
		for i, e := range list {
			var err error
			if out[i], err = x.includes(e, false); err != nil {
				return nil, err
			}
		}
		return out, x.spend(len(out))
	}
	m, ok := v.(map[string]any)
	if !ok {
		return v, nil
	}
	out := make(map[string]any, len(m))
	for name, e := range m {
		if name == "Fn::Transform" || top && name == "Transform" {
			continue
		}
		var err error
		if out[name], err = x.includes(e, false); err != nil {
			return nil, err
		}
	}
	calls := []any{m["Fn::Transform"]}
	if top {
		calls = append(calls, transformList(m["Transform"])...)
	}
	for _, c := range calls {
		if err := x.merge(out, c); err != nil {
			return nil, err
		}
	}
	return out, x.spend(len(out))
}

func transformList(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

// merge adds what one call of AWS::Include names to a map.
func (x *expansion) merge(into map[string]any, call any) error {
	m, ok := call.(map[string]any)
	if !ok {
		return nil // a name without parameters, or none
	}
	name, ok := m["Name"].(string)
	if !ok {
		return errorf("Key Name of transform definition must be a string.")
	}
	if name == LanguageExtensions {
		return nil
	}
	if name != includeTransform {
		return errorf("No transform named %s found.", name)
	}
	parameters, _ := m["Parameters"].(map[string]any)
	v, err := x.scope.Eval(parameters["Location"], "/Fn::Transform/Parameters/Location")
	if err != nil {
		return err
	}
	location, ok := v.(string)
	if !ok {
		return errorf("Transform AWS::Include failed with: The location parameter is not a string.")
	}
	included, err := x.include(location)
	if err != nil {
		return err
	}
	complete(into, included)
	return x.spend(len(included))
}

// complete adds what into does not have, and of sections that both have, what the
// section does not.
func complete(into, included map[string]any) {
	for name, e := range included {
		have, isMap := into[name].(map[string]any)
		more, both := e.(map[string]any)
		switch {
		case isMap && both:
			for k, v := range more {
				if _, given := have[k]; !given {
					have[k] = v
				}
			}
		case into[name] == nil:
			into[name] = e
		}
	}
}

// sortedKeys of a map, for expansion in a stable order.
func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
