package imds

import (
	"context"
	"slices"
	"strings"
)

// node is one name in the tree: a directory, or a value.
type node struct {
	name string
	// shown replaces the name in listings: public keys are listed as 0=name.
	shown    string
	value    func(context.Context) (string, error) // nil in a directory
	children []*node
}

// leaf makes a value that is known already; an empty one is absent.
func leaf(name, value string) *node {
	if value == "" {
		return nil
	}
	return lazy(name, func(context.Context) (string, error) { return value, nil })
}

// lazy makes a value that is worked out when somebody asks.
func lazy(name string, value func(context.Context) (string, error)) *node {
	return &node{name: name, value: value}
}

// dir makes a directory; one without children is absent.
func dir(name string, children ...*node) *node {
	children = slices.DeleteFunc(children, func(n *node) bool { return n == nil })
	if len(children) == 0 {
		return nil
	}
	return &node{name: name, children: children}
}

// find walks down a path. Slashes may be doubled or trail, as clients join
// paths carelessly.
func (n *node) find(path string) *node {
	for name := range strings.SplitSeq(path, "/") {
		if name == "" {
			continue
		}
		if n = n.child(name); n == nil {
			return nil
		}
	}
	return n
}

func (n *node) child(name string) *node {
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// listing names the children, one a line, directories with a slash.
func (n *node) listing() string {
	names := make([]string, 0, len(n.children))
	for _, c := range n.children {
		switch {
		case c.shown != "":
			names = append(names, c.shown)
		case c.value == nil:
			names = append(names, c.name+"/")
		default:
			names = append(names, c.name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, "\n")
}
