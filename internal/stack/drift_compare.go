package stack

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/stack/template"
)

// differences compares what a template says with what is there. Members that the
// template does not have do not count, but in policy documents and lists, where
// something more is something else.
func differences(expected, actual map[string]any) []Difference {
	var out []Difference
	for _, name := range slices.Sorted(maps.Keys(expected)) {
		c := comparison{strict: strings.Contains(name, "Document") || name == "Policies"}
		c.values("/"+name, expected[name], actual[name])
		out = append(out, c.found...)
	}
	return out
}

type comparison struct {
	strict bool
	found  []Difference
}

func (c *comparison) values(path string, expected, actual any) {
	switch want := expected.(type) {
	case map[string]any:
		if have, ok := actual.(map[string]any); ok {
			c.maps(path, want, have)
			return
		}
	case []any:
		if have, ok := actual.([]any); ok {
			c.lists(path, want, have)
			return
		}
	default:
		a, ok := scalarText(expected)
		b, both := scalarText(actual)
		if ok && both && a == b {
			return
		}
	}
	c.differ(path, expected, actual)
}

func (c *comparison) differ(path string, expected, actual any) {
	d := Difference{Path: path, Kind: "NOT_EQUAL", Expected: shownValue(expected), Actual: shownValue(actual)}
	switch {
	case expected == nil:
		d.Kind, d.Expected = "ADD", "null"
	case actual == nil:
		d.Kind, d.Actual = "REMOVE", "null"
	}
	c.found = append(c.found, d)
}

func (c *comparison) maps(path string, want, have map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		c.values(path+"/"+name, want[name], have[name])
	}
	if !c.strict {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if _, expected := want[name]; !expected {
			c.differ(path+"/"+name, nil, have[name])
		}
	}
}

// lists compares without regard to the order, which services do not keep: items
// that are equal find each other, and the rest is compared by place.
func (c *comparison) lists(path string, want, have []any) {
	left := slices.Clone(have)
	var missing []int
	for i, item := range want {
		at := slices.IndexFunc(left, func(other any) bool { return c.same(item, other) })
		if at < 0 {
			missing = append(missing, i)
			continue
		}
		left = slices.Delete(left, at, at+1)
	}
	for n, i := range missing {
		if n < len(left) {
			c.values(fmt.Sprintf("%s/%d", path, i), want[i], left[n])
			continue
		}
		c.differ(fmt.Sprintf("%s/%d", path, i), want[i], nil)
	}
	for n := len(missing); n < len(left); n++ {
		c.differ(fmt.Sprintf("%s/%d", path, len(want)+n-len(missing)), nil, left[n])
	}
}

func (c *comparison) same(a, b any) bool {
	trial := comparison{strict: c.strict}
	trial.values("", a, b)
	return len(trial.found) == 0
}

// Plain turns what a type has decoded or read, of any Go type, into the form that
// properties have.
func Plain(v any) any {
	var out any
	if decodeJSON(template.JSON(v), &out) != nil {
		return nil
	}
	return out
}
