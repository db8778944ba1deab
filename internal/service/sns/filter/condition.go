package filter

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"strings"
)

// condition is one element of a name's list.
type condition struct {
	exists *bool
	// test judges one value: a string, json.Number, bool or nil.
	test func(any) bool
}

func (c condition) matches(value any, there bool) bool {
	if c.exists != nil {
		return there == *c.exists
	}
	if !there {
		return false
	}
	if list, ok := value.([]any); ok {
		return slices.ContainsFunc(list, c.test)
	}
	return c.test(value)
}

func parseCondition(item any) (condition, error) {
	switch v := item.(type) {
	case string, bool, nil, json.Number:
		return condition{test: equals(v)}, nil
	case map[string]any:
		if len(v) != 1 {
			return condition{}, refuse("Only one key allowed in match expression")
		}
		for name, operand := range v {
			return parseOperator(name, operand)
		}
	}
	return condition{}, refuse("Match value must be String, number, true, false, or null")
}

func parseOperator(name string, operand any) (condition, error) {
	switch name {
	case "exists":
		b, ok := operand.(bool)
		if !ok {
			return condition{}, refuse("exists match pattern must be either true or false.")
		}
		return condition{exists: &b}, nil
	case "numeric":
		test, err := parseNumeric(operand)
		return condition{test: test}, err
	case "anything-but":
		test, err := parseAnythingBut(operand)
		return condition{test: test}, err
	}
	test, err := parseText(name, operand)
	return condition{test: test}, err
}

// equals compares with a value. Numbers are equal by value, however they are written.
func equals(want any) func(any) bool {
	if n, ok := want.(json.Number); ok {
		w, _ := number(n)
		return func(got any) bool {
			g, ok := number(got)
			return ok && w != nil && g.Cmp(w) == 0
		}
	}
	return func(got any) bool { return got == want }
}

func number(v any) (*big.Rat, bool) {
	n, ok := v.(json.Number)
	if !ok || len(n) > 64 || exponent(string(n)) > 308 {
		return nil, false
	}
	return new(big.Rat).SetString(string(n))
}

// exponent bounds what a short text can claim in memory.
func exponent(s string) int {
	_, e, ok := strings.Cut(strings.ToLower(s), "e")
	n := 0
	if ok {
		_, _ = fmt.Sscanf(strings.TrimLeft(e, "+-"), "%d", &n)
	}
	return n
}

// parseText reads the operators on text.
func parseText(name string, operand any) (func(any) bool, error) {
	want, ok := operand.(string)
	compare := map[string]func(got, want string) bool{
		"prefix": strings.HasPrefix, "suffix": strings.HasSuffix, "equals-ignore-case": strings.EqualFold, "wildcard": wildcard, "cidr": inNetwork,
	}[name]
	switch {
	case compare == nil:
		return nil, refuse("Unrecognized match type %s", name)
	case !ok:
		return nil, refuse("%s match pattern must be a string", name)
	case name == "wildcard" && strings.Contains(want, "**"):
		return nil, refuse("Consecutive wildcard characters are not allowed")
	case name == "cidr":
		if _, err := netip.ParsePrefix(want); err != nil {
			return nil, refuse("Malformed CIDR, one '/' required")
		}
	}
	return func(got any) bool {
		text, ok := got.(string)
		return ok && compare(text, want)
	}, nil
}

// wildcard matches a pattern in which a star stands for any text.
func wildcard(got, pattern string) bool {
	first, rest, found := strings.Cut(pattern, "*")
	if !found {
		return got == pattern
	}
	got, ok := strings.CutPrefix(got, first)
	if !ok {
		return false
	}
	for {
		part, more, found := strings.Cut(rest, "*")
		if !found {
			return strings.HasSuffix(got, rest)
		}
		i := strings.Index(got, part)
		if i < 0 {
			return false
		}
		got, rest = got[i+len(part):], more
	}
}

func inNetwork(got, network string) bool {
	p, err := netip.ParsePrefix(network)
	a, bad := netip.ParseAddr(got)
	return err == nil && bad == nil && p.Contains(a)
}

// parseAnythingBut reads what a value must not be: a value, a list of them, or an
// operator on text.
func parseAnythingBut(operand any) (func(any) bool, error) {
	var tests []func(any) bool
	switch v := operand.(type) {
	case map[string]any:
		for name, inner := range v {
			list, ok := inner.([]any)
			if !ok {
				list = []any{inner}
			}
			for _, item := range list {
				t, err := parseText(name, item)
				if err != nil {
					return nil, err
				}
				tests = append(tests, t)
			}
		}
	case []any:
		for _, item := range v {
			switch item.(type) {
			case string, json.Number:
				tests = append(tests, equals(item))
			default:
				return nil, refuse("Inside anything but list, start|null|boolean is not supported.")
			}
		}
	case string, json.Number:
		tests = append(tests, equals(v))
	default:
		return nil, refuse("Value of anything-but must be an array or single string/number value.")
	}
	if len(tests) == 0 {
		return nil, refuse("Value of anything-but must not be empty")
	}
	return func(got any) bool {
		return !slices.ContainsFunc(tests, func(t func(any) bool) bool { return t(got) })
	}, nil
}

// parseNumeric reads ["=", 1] or [">", 0, "<=", 5].
func parseNumeric(operand any) (func(any) bool, error) {
	list, ok := operand.([]any)
	if !ok || len(list) == 0 {
		return nil, refuse("Value of numeric must be an array.")
	}
	if len(list) != 2 && len(list) != 4 {
		return nil, refuse("Too many elements in numeric expression")
	}
	var tests []func(*big.Rat) bool
	for i := 0; i < len(list); i += 2 {
		op, _ := list[i].(string)
		want, ok := number(list[i+1])
		if !ok {
			return nil, refuse("Value of %s must be numeric", op)
		}
		holds := map[string]func(int) bool{"=": func(c int) bool { return c == 0 }, "<": func(c int) bool { return c < 0 }, "<=": func(c int) bool { return c <= 0 },
			">": func(c int) bool { return c > 0 }, ">=": func(c int) bool { return c >= 0 }}[op]
		if holds == nil {
			return nil, refuse("Unrecognized numeric range operator: %s", op)
		}
		tests = append(tests, func(got *big.Rat) bool { return holds(got.Cmp(want)) })
	}
	if err := judgeRange(list); err != nil {
		return nil, err
	}
	return func(v any) bool {
		got, ok := number(v)
		return ok && !slices.ContainsFunc(tests, func(t func(*big.Rat) bool) bool { return !t(got) })
	}, nil
}

// judgeRange: a range begins with its lower end.
func judgeRange(list []any) error {
	if len(list) != 4 {
		return nil
	}
	low, high := list[0].(string), list[2].(string)
	a, _ := number(list[1])
	b, _ := number(list[3])
	switch {
	case !strings.HasPrefix(low, ">") || !strings.HasPrefix(high, "<"):
		return refuse("Bad numeric range operator: %s", high)
	case a.Cmp(b) >= 0:
		return refuse("Bottom must be less than top")
	}
	return nil
}
