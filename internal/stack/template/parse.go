package template

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Version is the only AWSTemplateFormatVersion there is.
const Version = "2010-09-09"

var alphanumeric = regexp.MustCompile(`^[A-Za-z0-9]+$`)

var sections = []string{"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules",
	"Mappings", "Conditions", "Transform", "Resources", "Outputs", "Hooks"}

// Parse reads a template and checks all that can be known without values: the
// sections' shapes, every function's arguments, and that names which are
// referred to exist. Types of resources are not known here.
func Parse(body string) (*Template, error) {
	m, err := Read(body)
	if err != nil {
		return nil, err
	}
	t := &Template{Body: m}
	for _, step := range []func(*Template) error{
		parseHead, parseParameters, parseMappings, parseConditions, parseRules, parseResources, parseOutputs,
		checkFunctions, checkReferences, checkConditions, checkNames, checkDynamic,
	} {
		if err := step(t); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func parseHead(t *Template) error {
	var unknown []string
	for name := range t.Body {
		if !slices.Contains(sections, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return errorf("Invalid template property or properties [%s]", strings.Join(unknown, ", "))
	}
	if v, given := t.Body["AWSTemplateFormatVersion"]; given && v != Version {
		return errorf("Template format error: unsupported value for AWSTemplateFormatVersion.")
	}
	if v, given := t.Body["Description"]; given {
		text, ok := v.(string)
		if !ok {
			return errorf("Template format error: Description member must be a string.")
		}
		if len(text) > maxDescription {
			return errorf("Template format error: 'Description' length is greater than %d.", maxDescription)
		}
		t.Description = text
	}
	if _, given := t.Body["Hooks"]; given {
		return errorf("hardstand does not implement the template section Hooks.")
	}
	var err error
	if t.Metadata, err = section(t.Body, "Metadata"); err != nil {
		return err
	}
	return parseTransform(t)
}

func parseTransform(t *Template) error {
	v, given := t.Body["Transform"]
	if !given {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, e := range list {
		name := e
		if m, ok := e.(map[string]any); ok {
			name = m["Name"]
		}
		text, ok := name.(string)
		if !ok {
			return errorf("Key Name of transform definition must be a string.")
		}
		t.Transforms = append(t.Transforms, text)
	}
	return nil
}

// checkNames holds the names of what is not a resource or a parameter, which are
// judged with the rest of them, to their length.
func checkNames(t *Template) error {
	for _, part := range []struct {
		kind  string
		names []string
	}{
		{"Mapping", slices.Sorted(maps.Keys(t.Mappings))}, {"Condition", slices.Sorted(maps.Keys(t.Conditions))}, {"Output", slices.Sorted(maps.Keys(t.Outputs))},
	} {
		for _, name := range part.names {
			if len(name) > maxName {
				return errorf("Template format error: %s name %s is longer than %d characters.", part.kind, name, maxName)
			}
		}
	}
	return nil
}

// checkDynamic bounds the dynamic references of a template.
func checkDynamic(t *Template) error {
	if n := dynamicReferences(t.Body["Resources"]); n > maxReferences {
		return errorf("Template format error: Number of dynamic references, %d, is greater than maximum allowed, %d", n, maxReferences)
	}
	return nil
}

func dynamicReferences(v any) (n int) {
	switch x := v.(type) {
	case string:
		return strings.Count(x, "{{resolve:")
	case []any:
		for _, e := range x {
			n += dynamicReferences(e)
		}
	case map[string]any:
		for _, e := range x {
			n += dynamicReferences(e)
		}
	}
	return n
}

// section returns a member of m that must be a map; absent gives nil.
func section(m map[string]any, name string) (map[string]any, error) {
	v, given := m[name]
	if !given {
		return nil, nil
	}
	s, ok := v.(map[string]any)
	if !ok {
		if v == nil {
			return nil, errorf("[/%s] 'null' values are not allowed in templates", name)
		}
		return nil, errorf("Template format error: %s must be an object.", name)
	}
	return s, nil
}

func parseMappings(t *Template) error {
	top, err := section(t.Body, "Mappings")
	if err != nil {
		return err
	}
	if len(top) > maxMappings {
		return errorf("Template format error: Number of mappings, %d, is greater than maximum allowed, %d", len(top), maxMappings)
	}
	t.Mappings = map[string]map[string]map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(top)) {
		keys, ok := top[name].(map[string]any)
		if !ok {
			return errorf("Template format error: Every Mappings member %s must be a map", name)
		}
		t.Mappings[name] = map[string]map[string]any{}
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			attrs, ok := keys[key].(map[string]any)
			if !ok {
				return errorf("Template format error: Every Mappings member %s must be a map", key)
			}
			if len(attrs) > maxAttributes {
				return errorf("Template format error: Number of mapping attributes, %d, is greater than maximum allowed, %d", len(attrs), maxAttributes)
			}
			for _, v := range attrs {
				if !mappingValue(v) {
					return errorf("Template format error: Every Mappings attribute must be a String or a List.")
				}
			}
			t.Mappings[name][key] = attrs
		}
	}
	return nil
}

func mappingValue(v any) bool {
	switch x := v.(type) {
	case nil, map[string]any:
		return false
	case []any:
		return !slices.ContainsFunc(x, func(e any) bool { _, ok := e.(map[string]any); return ok })
	}
	return true
}

func parseConditions(t *Template) error {
	var err error
	t.Conditions, err = section(t.Body, "Conditions")
	for _, name := range slices.Sorted(maps.Keys(t.Conditions)) {
		if !alphanumeric.MatchString(name) {
			return errorf("Template format error: Condition name %s is non alphanumeric.", name)
		}
		if _, ok := t.Conditions[name].(map[string]any); !ok {
			return errorf("Template format error: Every Conditions member must be a function.")
		}
	}
	return err
}

func parseRules(t *Template) error {
	top, err := section(t.Body, "Rules")
	if err != nil {
		return err
	}
	t.Rules = map[string]Rule{}
	for name, v := range top {
		m, ok := v.(map[string]any)
		list, isList := m["Assertions"].([]any)
		if !ok || !isList || len(list) == 0 {
			return errorf("Template format error: Every Rules member must contain Assertions: %s", name)
		}
		rule := Rule{Condition: m["RuleCondition"]}
		for _, e := range list {
			a, ok := e.(map[string]any)
			if !ok || a["Assert"] == nil {
				return errorf("Template format error: Every assertion of rule %s must contain Assert", name)
			}
			text, _ := a["AssertDescription"].(string)
			rule.Assertions = append(rule.Assertions, Assertion{Assert: a["Assert"], Description: text})
		}
		t.Rules[name] = rule
	}
	return nil
}

// findNull returns the path of the first null below v, or "".
func findNull(v any, path string) string {
	switch x := v.(type) {
	case nil:
		return path
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(x)) {
			if p := findNull(x[name], path+"/"+name); p != "" {
				return p
			}
		}
	case []any:
		for i, e := range x {
			if p := findNull(e, fmt.Sprintf("%s/%d", path, i)); p != "" {
				return p
			}
		}
	}
	return ""
}

// text returns the text of a scalar.
func text(v any) (string, bool) {
	switch x := v.(type) {
	case string:
		return x, true
	case json.Number:
		return x.String(), true
	case bool:
		if x {
			return "true", true
		}
		return "false", true
	}
	return "", false
}
