package template

import (
	"regexp"
	"strings"
)

var subName = regexp.MustCompile(`^[A-Za-z0-9_.:]+$`)

// subPart is a piece of the text of Fn::Sub: literal text or a variable's name.
type subPart struct{ literal, name string }

// subParts splits "a ${B} ${!C}". An open brace that is never closed is literal.
func subParts(s string) ([]subPart, error) {
	var parts []subPart
	for {
		before, rest, found := strings.Cut(s, "${")
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			return append(parts, subPart{literal: s}), nil
		}
		parts = append(parts, subPart{literal: before})
		if literal, escaped := strings.CutPrefix(name, "!"); escaped {
			parts = append(parts, subPart{literal: "${" + literal + "}"})
		} else if name = strings.TrimSpace(name); subName.MatchString(name) {
			parts = append(parts, subPart{name: name})
		} else {
			return nil, errorf("Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons")
		}
		s = after
	}
}

// subArguments splits the argument of Fn::Sub, whose shape checkSub has judged,
// into text and own variables.
func subArguments(arg any) (string, map[string]any) {
	if list, ok := arg.([]any); ok && len(list) == 2 {
		s, _ := list[0].(string)
		vars, _ := list[1].(map[string]any)
		return s, vars
	}
	s, _ := arg.(string)
	return s, nil
}

// getAttArguments splits the argument of Fn::GetAtt into id and attribute, which
// may be a Ref.
func getAttArguments(arg any) (string, any) {
	if list, ok := arg.([]any); ok && len(list) == 2 {
		id, _ := list[0].(string)
		return id, list[1]
	}
	s, _ := arg.(string)
	id, attr, _ := strings.Cut(s, ".")
	return id, attr
}
