// Package filter is the language of filter policies: which messages a subscription
// wants. It is pure and imports nothing of ours.
//
// A policy is entered by Parse, which refuses what AWS refuses, and asked by Matches
// with what a message has: its attributes, or its body as a JSON object.
package filter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// AWS's limits.
const (
	maxKeys         = 5
	maxCombinations = 150
	maxDepth        = 32
)

// Policy is a parsed filter policy.
type Policy struct{ root node }

// node is a rule of several names: all must match, and of each $or at least one branch.
type node struct {
	fields map[string]field
	either [][]node
}

// field is what a name must have: one of conditions, or below it an object that matches.
type field struct {
	conditions []condition
	below      *node
}

// Refusal is why SNS refuses a filter policy, in its words.
type Refusal string

func (r Refusal) Error() string { return string(r) }

func refuse(format string, args ...any) error { return Refusal(fmt.Sprintf(format, args...)) }

// Parse reads a policy. nested tells policies on the body, which may look into objects.
func Parse(text string, nested bool) (*Policy, error) {
	var doc any
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil || d.More() {
		return nil, refuse("failed to parse JSON.")
	}
	object, ok := doc.(map[string]any)
	if !ok {
		return nil, refuse("Filter must be an object.")
	}
	p := parser{nested: nested, combinations: 1}
	root, err := p.node(object, 0)
	if err != nil {
		return nil, err
	}
	if p.keys > maxKeys {
		return nil, refuse("Filter policy can not have more than 5 keys")
	}
	if p.combinations > maxCombinations {
		return nil, refuse("Filter policy is too complex")
	}
	return &Policy{root}, nil
}

type parser struct {
	nested             bool
	keys, combinations int
}

func (p *parser) node(object map[string]any, depth int) (node, error) {
	n := node{fields: map[string]field{}}
	if depth > maxDepth {
		return n, refuse("Filter policy is nested too deeply")
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		value := object[name]
		if branches, ok := orBranches(name, value); ok {
			either, err := p.branches(branches, depth)
			if err != nil {
				return n, err
			}
			n.either = append(n.either, either)
			continue
		}
		f, err := p.field(name, value, depth)
		if err != nil {
			return n, err
		}
		n.fields[name] = f
	}
	return n, nil
}

// orBranches recognises the operator; with fewer than two objects $or is a name.
func orBranches(name string, value any) ([]map[string]any, bool) {
	list, ok := value.([]any)
	if name != "$or" || !ok || len(list) < 2 {
		return nil, false
	}
	var out []map[string]any
	for _, item := range list {
		object, ok := item.(map[string]any)
		if !ok {
			return nil, false
		}
		out = append(out, object)
	}
	return out, true
}

func (p *parser) branches(list []map[string]any, depth int) ([]node, error) {
	var out []node
	for _, object := range list {
		n, err := p.node(object, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

func (p *parser) field(name string, value any, depth int) (field, error) {
	switch v := value.(type) {
	case map[string]any:
		if !p.nested {
			return field{}, refuse("Filter policy scope MessageAttributes does not support nested filter policy")
		}
		n, err := p.node(v, depth+1)
		return field{below: &n}, err
	case []any:
		if len(v) == 0 {
			return field{}, refuse("Empty arrays are not allowed")
		}
		p.keys++
		p.combinations *= len(v) * max(1, depth)
		var f field
		for _, item := range v {
			c, err := parseCondition(item)
			if err != nil {
				return f, err
			}
			f.conditions = append(f.conditions, c)
		}
		return f, nil
	}
	return field{}, refuse("%q must be an object or an array", name)
}

// Matches reports whether the policy lets a message through. values are its
// attributes, each a list of values, or the body's members.
func (p *Policy) Matches(values map[string]any) bool { return p.root.matches(values) }

func (n *node) matches(values map[string]any) bool {
	for name, f := range n.fields {
		value, there := values[name]
		if !f.matches(value, there) {
			return false
		}
	}
	for _, branches := range n.either {
		if !slices.ContainsFunc(branches, func(b node) bool { return b.matches(values) }) {
			return false
		}
	}
	return true
}

// matches: of a list one element is enough, at every level.
func (f field) matches(value any, there bool) bool {
	if f.below == nil {
		return slices.ContainsFunc(f.conditions, func(c condition) bool { return c.matches(value, there) })
	}
	switch v := value.(type) {
	case map[string]any:
		return f.below.matches(v)
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return f.matches(item, true) })
	}
	return f.below.matches(nil)
}
