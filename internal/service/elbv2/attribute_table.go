package elbv2

import (
	"slices"
	"strconv"
	"strings"
)

// attribute is one key of the attributes of balancers, groups or listeners.
type attribute struct {
	key      string
	standard string // the value that was not set; hidden for none
	// of says which kinds of the thing have it: ALB, NLB or both.
	of scope
	// judge returns what is wrong with a value, nil for nothing.
	judge func(key, value string) error
	// kept lists the values that are honoured where not all are.
	kept []string
}

// hidden attributes are shown when they were set only.
const hidden = "\x00hidden"

type scope int

const (
	ofALB scope = 1 << iota
	ofNLB
	ofBoth = ofALB | ofNLB
)

// attributeSet is all attributes of one kind of thing.
type attributeSet struct {
	word string // "Load balancer"
	list []attribute
}

func (s attributeSet) find(key string) (attribute, error) {
	i := slices.IndexFunc(s.list, func(a attribute) bool { return a.key == key })
	if i < 0 {
		return attribute{}, invalid("%s attribute key '%s' is not recognized", s.word, key)
	}
	return s.list[i], nil
}

// judge holds a value to its attribute.
func (s attributeSet) judge(key, value string) (attribute, error) {
	a, err := s.find(key)
	if err != nil {
		return a, err
	}
	if a.judge != nil {
		if err := a.judge(key, value); err != nil {
			return a, err
		}
	}
	if a.kept != nil && !slices.Contains(a.kept, value) {
		return a, notBuilt("the value '%s' of the attribute %s", value, key)
	}
	return a, nil
}

// pair is an attribute as it stands.
type pair struct{ Key, Value string }

// all are the attributes of a thing of the scope, those set over the standard ones.
func (s attributeSet) all(of scope, set map[string]string) (out []pair) {
	for _, a := range s.list {
		value, there := set[a.key]
		if !there {
			value = a.standard
		}
		if a.of&of != 0 && value != hidden {
			out = append(out, pair{a.key, value})
		}
	}
	return out
}

// value is one attribute as it stands.
func (s attributeSet) value(set map[string]string, key string) string {
	if v, ok := set[key]; ok {
		return v
	}
	if i := slices.IndexFunc(s.list, func(a attribute) bool { return a.key == key }); i >= 0 && s.list[i].standard != hidden {
		return s.list[i].standard
	}
	return ""
}

func (s attributeSet) number(set map[string]string, key string) int {
	n, _ := strconv.Atoi(s.value(set, key))
	return n
}

func (s attributeSet) on(set map[string]string, key string) bool { return s.value(set, key) == "true" }

func oneOf(values ...string) func(key, value string) error {
	return func(key, value string) error {
		if !slices.Contains(values, value) {
			return invalid("'%s' value '%s' must be one of [%s]", key, value, strings.Join(values, ", "))
		}
		return nil
	}
}

var boolean = oneOf("true", "false")

// between holds a value to a range of numbers; also are words that may stand for one.
func between(low, high int, also ...string) func(key, value string) error {
	return func(key, value string) error {
		n, err := strconv.Atoi(value)
		if !slices.Contains(also, value) && (err != nil || n < low || n > high) {
			return invalid("'%s' value '%s' must be between '%d-%d' inclusive", key, value, low, high)
		}
		return nil
	}
}

func atMost(limit int) func(key, value string) error {
	return func(key, value string) error {
		if len(value) > limit {
			return invalid("'%s' value '%s' cannot be longer than '%d' characters", key, value, limit)
		}
		return nil
	}
}
