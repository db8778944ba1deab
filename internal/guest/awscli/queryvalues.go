package awscli

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

func chain(left func(any) any, right expression) expression {
	return expression{of: func(v any) any {
		l := left(v)
		if l == nil && right.name != "" {
			return nil
		}
		return right.of(l)
	}}
}

// project applies right to each element of a list and drops what is null.
func project(left func(any) any, right expression) expression {
	return expression{of: func(v any) any {
		list, ok := left(v).([]any)
		if !ok {
			return nil
		}
		out := []any{}
		for _, e := range list {
			if r := right.of(e); r != nil {
				out = append(out, r)
			}
		}
		return out
	}}
}

// valuesOf projects the values of an object.
func valuesOf(left func(any) any, right expression) expression {
	return project(func(v any) any {
		m, ok := left(v).(map[string]any)
		if !ok {
			return nil
		}
		return membersOf(m)
	}, right)
}

func membersOf(m map[string]any) []any {
	out := []any{}
	for _, k := range sortedKeys(m) {
		out = append(out, m[k])
	}
	return out
}

func filtered(v any, condition expression) any {
	list, ok := v.([]any)
	if !ok {
		return nil
	}
	out := []any{}
	for _, e := range list {
		if isTrue(condition.of(e)) {
			out = append(out, e)
		}
	}
	return out
}

func flattened(v any) any {
	list, ok := v.([]any)
	if !ok {
		return nil
	}
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

func indexed(v any, i int) any {
	list, _ := v.([]any)
	if i < 0 {
		i += len(list)
	}
	if i < 0 || i >= len(list) {
		return nil
	}
	return list[i]
}

// sliced is [start:stop:step], as Python has it.
func sliced(v any, parts [3]*int) any {
	list, ok := v.([]any)
	if !ok {
		return nil
	}
	step := 1
	if parts[2] != nil {
		step = *parts[2]
	}
	if step == 0 {
		return nil
	}
	first, last := 0, len(list)
	if step < 0 {
		first, last = len(list)-1, -1
	}
	bound := func(part *int, otherwise int) int {
		if part == nil {
			return otherwise
		}
		i := *part
		if i < 0 {
			i += len(list)
		}
		if step < 0 {
			return min(max(i, -1), len(list)-1)
		}
		return min(max(i, 0), len(list))
	}
	out := []any{}
	stop := bound(parts[1], last)
	for i := bound(parts[0], first); step > 0 && i < stop || step < 0 && i > stop; i += step {
		out = append(out, list[i])
	}
	return out
}

func isTrue(v any) bool {
	switch t := v.(type) {
	case nil:
		return false
	case bool:
		return t
	case string:
		return t != ""
	case []any:
		return len(t) > 0
	case map[string]any:
		return len(t) > 0
	}
	return true
}

// numberOf is the value of a number in any of the forms that answers hold.
func numberOf(v any) (float64, bool) {
	switch t := v.(type) {
	case float64:
		return t, true
	case int64:
		return float64(t), true
	case int:
		return float64(t), true
	case json.Number:
		f, err := t.Float64()
		return f, err == nil
	}
	return 0, false
}

// compare gives null where an order is asked of what has none. Texts have one, as in
// the CLI, so that times can be compared.
func compare(operator string, a, b any) any {
	x, isX := numberOf(a)
	y, isY := numberOf(b)
	equal := isX && isY && x == y || !isX && !isY && reflect.DeepEqual(a, b)
	switch operator {
	case "==":
		return equal
	case "!=":
		return !equal
	}
	var order int
	s, isS := a.(string)
	u, isU := b.(string)
	switch {
	case isS && isU:
		order = strings.Compare(s, u)
	case !isX || !isY:
		return nil
	case x < y:
		order = -1
	case x > y:
		order = 1
	}
	return map[string]bool{"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[operator]
}

// queryFunction is a function of JMESPath. An argument after & is an expression that
// the function applies; every other is evaluated on v.
type queryFunction struct {
	least, most int
	call        func(args []expression, v any) any
}

var queryFunctions = map[string]queryFunction{
	"length": {1, 1, func(args []expression, v any) any {
		switch t := args[0].of(v).(type) {
		case string:
			return len([]rune(t))
		case []any:
			return len(t)
		case map[string]any:
			return len(t)
		}
		return nil
	}},
	"join": {2, 2, func(args []expression, v any) any {
		glue, _ := args[0].of(v).(string)
		list, _ := args[1].of(v).([]any)
		words := make([]string, len(list))
		for i, e := range list {
			words[i] = fmt.Sprint(e)
		}
		return strings.Join(words, glue)
	}},
	"contains": {2, 2, func(args []expression, v any) any {
		what := args[1].of(v)
		switch t := args[0].of(v).(type) {
		case string:
			s, ok := what.(string)
			return ok && strings.Contains(t, s)
		case []any:
			return slices.ContainsFunc(t, func(e any) bool { return compare("==", e, what) == true })
		}
		return false
	}},
	"starts_with": {2, 2, ofTexts(strings.HasPrefix)},
	"ends_with":   {2, 2, ofTexts(strings.HasSuffix)},
	"sort":        {1, 1, func(args []expression, v any) any { return ordered(args[0].of(v), expression{of: identity}) }},
	"sort_by":     {2, 2, func(args []expression, v any) any { return ordered(args[0].of(v), args[1]) }},
	"max_by":      {2, 2, func(args []expression, v any) any { return indexed(ordered(args[0].of(v), args[1]), -1) }},
	"min_by":      {2, 2, func(args []expression, v any) any { return indexed(ordered(args[0].of(v), args[1]), 0) }},
	"max": {1, 1, func(args []expression, v any) any {
		return indexed(ordered(args[0].of(v), expression{of: identity}), -1)
	}},
	"min": {1, 1, func(args []expression, v any) any {
		return indexed(ordered(args[0].of(v), expression{of: identity}), 0)
	}},
	"reverse": {1, 1, func(args []expression, v any) any {
		list, ok := args[0].of(v).([]any)
		if !ok {
			return nil
		}
		list = slices.Clone(list)
		slices.Reverse(list)
		return list
	}},
	"keys": {1, 1, func(args []expression, v any) any {
		m, ok := args[0].of(v).(map[string]any)
		if !ok {
			return nil
		}
		return anyList(sortedKeys(m))
	}},
	"values": {1, 1, func(args []expression, v any) any {
		m, ok := args[0].of(v).(map[string]any)
		if !ok {
			return nil
		}
		return membersOf(m)
	}},
	"map": {2, 2, func(args []expression, v any) any {
		list, ok := args[1].of(v).([]any)
		if !ok {
			return nil
		}
		out := []any{}
		for _, e := range list {
			out = append(out, args[0].of(e))
		}
		return out
	}},
	"not_null": {1, 0, func(args []expression, v any) any {
		for _, a := range args {
			if r := a.of(v); r != nil {
				return r
			}
		}
		return nil
	}},
	"to_string": {1, 1, func(args []expression, v any) any {
		r := args[0].of(v)
		if s, ok := r.(string); ok {
			return s
		}
		b, err := json.Marshal(r)
		if err != nil {
			return nil
		}
		return string(b)
	}},
	"to_number": {1, 1, func(args []expression, v any) any {
		r := args[0].of(v)
		if _, ok := numberOf(r); ok {
			return r
		}
		s, _ := r.(string)
		if _, err := strconv.ParseFloat(s, 64); err != nil {
			return nil
		}
		return json.Number(s)
	}},
}

func ofTexts(f func(s, part string) bool) func([]expression, any) any {
	return func(args []expression, v any) any {
		s, ok1 := args[0].of(v).(string)
		part, ok2 := args[1].of(v).(string)
		return ok1 && ok2 && f(s, part)
	}
}

// ordered is a list by what key gives for each element.
func ordered(v any, key expression) any {
	list, ok := v.([]any)
	if !ok {
		return nil
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b any) int {
		x, y := key.of(a), key.of(b)
		switch {
		case compare("<", x, y) == true:
			return -1
		case compare(">", x, y) == true:
			return 1
		}
		return 0
	})
	return list
}
