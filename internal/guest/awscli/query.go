package awscli

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// step is one step of a --query expression.
type step struct {
	field   string
	index   int
	flatten bool     // []
	all     bool     // [*]
	list    [][]step // [a, b.c]
}

// parseQuery reads the simple part of JMESPath: fields, [n], [*], [], and at the
// end a list of such. Filters, functions and pipes are errUnknown, which hands
// over to a CLI that has them.
func parseQuery(q string) ([]step, error) {
	var steps []step
	for q != "" {
		switch {
		case q[0] == '.':
			q = q[1:]
			if q == "" || q[0] == '.' {
				return nil, errUnknown
			}
			if q[0] == '[' {
				s, err := parseList(q)
				return append(steps, s), err
			}
		case q[0] == '[':
			inside, rest, ok := strings.Cut(q[1:], "]")
			if !ok {
				return nil, errUnknown
			}
			n, err := strconv.Atoi(inside)
			switch {
			case inside == "*":
				steps = append(steps, step{all: true})
			case inside == "":
				steps = append(steps, step{flatten: true})
			case err == nil:
				steps = append(steps, step{index: n})
			default:
				return nil, errUnknown
			}
			q = rest
		default:
			end := strings.IndexAny(q, ".[")
			if end < 0 {
				end = len(q)
			}
			if !isField(q[:end]) {
				return nil, errUnknown
			}
			steps = append(steps, step{field: q[:end]})
			q = q[end:]
		}
	}
	return steps, nil
}

// parseList reads a list of expressions, which must be the end of the query.
func parseList(q string) (step, error) {
	inside, ok := strings.CutSuffix(q[1:], "]")
	if !ok || strings.ContainsAny(inside, "[]") {
		return step{}, errUnknown
	}
	var s step
	for expression := range strings.SplitSeq(inside, ",") {
		steps, err := parseQuery(strings.TrimSpace(expression))
		if err != nil || len(steps) == 0 {
			return step{}, errUnknown
		}
		s.list = append(s.list, steps)
	}
	return s, nil
}

func isField(s string) bool {
	for i, c := range s {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && !(i > 0 && '0' <= c && c <= '9') {
			return false
		}
	}
	return s != ""
}

// apply evaluates the steps on v; what is not there is null.
func apply(steps []step, v any) any {
	if len(steps) == 0 || v == nil {
		return v
	}
	s, rest := steps[0], steps[1:]
	switch {
	case s.field != "":
		m, _ := v.(map[string]any)
		return apply(rest, m[s.field])
	case s.list != nil:
		out := make([]any, len(s.list))
		for i, expression := range s.list {
			out[i] = apply(expression, v)
		}
		return out
	case s.all || s.flatten:
		list, ok := v.([]any)
		if !ok {
			return nil
		}
		if s.flatten {
			list = flat(list)
		}
		out := []any{}
		for _, e := range list {
			if r := apply(rest, e); r != nil {
				out = append(out, r)
			}
		}
		// A projection within a projection is flattened by the next [].
		return out
	}
	list, _ := v.([]any)
	if s.index < 0 {
		s.index += len(list)
	}
	if s.index < 0 || s.index >= len(list) {
		return nil
	}
	return apply(rest, list[s.index])
}

func flat(list []any) []any {
	out := []any{}
	for _, e := range list {
		if inner, ok := e.([]any); ok {
			out = append(out, inner...)
		} else {
			out = append(out, e)
		}
	}
	return out
}

// applyFlattening evaluates so that each [] flattens what all steps before it
// have projected, as JMESPath has it.
func applyFlattening(steps []step, v any) any {
	cut := -1
	for i, s := range steps {
		if s.flatten {
			cut = i
		}
	}
	if cut <= 0 {
		return apply(steps, v)
	}
	before := applyFlattening(steps[:cut], v)
	return apply(steps[cut:], before)
}
