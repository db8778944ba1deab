// Package policy is IAM's policy language: it parses and validates documents and
// decides what a set of them allows. It is pure: no clock, no store, no network;
// it imports aws and aws/arn only.
//
// Documents enter as JSON through Parse, which refuses what IAM refuses, in IAM's
// words. Evaluate takes a Request (who, what, on which resource, under which
// conditions) and a Set (the policies that apply, by their role in the decision)
// and returns a Result that names the decision and the statement that made it.
//
// Three rules carry the package: everything begins denied; an explicit deny in
// any policy ends the matter; a value that cannot be understood never matches.
package policy

import (
	"fmt"
	"strings"
)

// Kind tells what a document is for, and so which elements it may hold.
type Kind int

// The kinds of document.
const (
	Identity Kind = iota // attached to users, groups, roles; boundaries and session policies
	Resource             // attached to a bucket or another resource: names principals
	Trust                // a role's: names principals, has no resource
)

// Versions of the language.
const (
	version2008 = "2008-10-17" // the default; has no variables
	version2012 = "2012-10-17"
)

// Effect is what a statement does when it matches.
type Effect string

// The effects.
const (
	Allow Effect = "Allow"
	Deny  Effect = "Deny"
)

// Document is a parsed policy. It is immutable and may be shared.
type Document struct {
	Version    string
	ID         string
	Statements []Statement
}

// Statement is one statement of a document.
type Statement struct {
	Sid           string
	Effect        Effect
	Principals    []PrincipalRef
	NotPrincipals []PrincipalRef
	Actions       []string
	NotActions    []string
	Resources     []string
	NotResources  []string
	Conditions    []Condition

	variables bool // the document's version knows ${...}

	// What the parser has seen and the kind of document decides about.
	badOperator string // a condition operator that there is none of
	bareKey     bool   // a condition key without a vendor
	effectCase  bool   // the effect in another case
	both        bool   // an element beside its opposite
}

// PrincipalRef is one value of a Principal element: Type is AWS, Service,
// Federated or CanonicalUser. "*" has the type AWS.
type PrincipalRef struct{ Type, Value string }

// Condition is one operator and key of a Condition block.
type Condition struct {
	Operator string // as written: "ForAnyValue:StringLikeIfExists"
	Key      string
	Values   []string

	op operator
}

// Malformed is a document that IAM refuses; Message is what IAM says.
type Malformed struct{ Message string }

func (m *Malformed) Error() string { return m.Message }

func refuse(format string, args ...any) error {
	return &Malformed{fmt.Sprintf(format, args...)}
}

// Principals returns every principal that d's statements name, in order and once
// each.
func (d *Document) Principals() []PrincipalRef {
	var out []PrincipalRef
	seen := map[PrincipalRef]bool{}
	for _, s := range d.Statements {
		for _, list := range [][]PrincipalRef{s.Principals, s.NotPrincipals} {
			for _, p := range list {
				if !seen[p] {
					seen[p] = true
					out = append(out, p)
				}
			}
		}
	}
	return out
}

// ContextKeys returns the condition keys that d reads, in conditions and
// variables, in order and once each.
func (d *Document) ContextKeys() []string {
	var out []string
	seen := map[string]bool{}
	add := func(key string) {
		if lower := strings.ToLower(key); !seen[lower] {
			seen[lower] = true
			out = append(out, key)
		}
	}
	for _, s := range d.Statements {
		for _, c := range s.Conditions {
			add(c.Key)
		}
		if !s.variables {
			continue
		}
		for _, text := range s.texts() {
			for _, key := range variableKeys(text) {
				add(key)
			}
		}
	}
	return out
}

// texts returns the texts of s in which variables count.
func (s *Statement) texts() []string {
	out := append(append([]string(nil), s.Resources...), s.NotResources...)
	for _, c := range s.Conditions {
		if c.op.textual {
			out = append(out, c.Values...)
		}
	}
	return out
}
