package policy

import "strings"

// quantifier is the set operator of a condition.
type quantifier uint8

const (
	single quantifier = iota
	forAll
	forAny
)

// operator is a condition operator taken apart.
type operator struct {
	quantifier quantifier
	ifExists   bool
	negated    bool
	null       bool
	// textual operators resolve variables in their values.
	textual bool
	// wild operators know * and ?.
	wild bool
	// matches compares one value of the request with one of the policy, the
	// latter compiled where the operator is textual.
	matches func(got, want string, p pattern) bool
}

func parseOperator(name string) (operator, bool) {
	q := single
	base := name
	if rest, ok := cutPrefixFold(base, "ForAllValues:"); ok {
		q, base = forAll, rest
	} else if rest, ok := cutPrefixFold(base, "ForAnyValue:"); ok {
		q, base = forAny, rest
	}
	base = strings.ToLower(base)
	if base == "null" {
		return operator{null: true}, q == single
	}
	base, ifExists := strings.CutSuffix(base, "ifexists")
	op, ok := operators[base]
	op.quantifier, op.ifExists = q, ifExists
	return op, ok
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// holds evaluates c for a statement of the effect given.
func (c *Condition) holds(ctx Context, effect Effect, variables bool) bool {
	got, present := ctx[strings.ToLower(c.Key)]
	op := c.op
	if op.null {
		return c.nullHolds(present && len(got) > 0)
	}
	if !present || len(got) == 0 {
		return op.ifExists || op.absent()
	}
	want, unresolved := c.compile(ctx, variables)
	if unresolved && op.negated && effect == Allow {
		// What cannot be understood grants nothing: "not equal to something
		// unknown" must not become an allow.
		return false
	}
	switch op.quantifier {
	case forAll:
		for _, g := range got {
			if !op.one(g, want) {
				return false
			}
		}
		return true
	case forAny:
		for _, g := range got {
			if op.one(g, want) {
				return true
			}
		}
		return false
	}
	return op.any(got, want)
}

// absent is the outcome when the request lacks the key.
func (op operator) absent() bool {
	switch op.quantifier {
	case forAll:
		return true
	case forAny:
		return false
	}
	return op.negated
}

// any is the rule without a set operator: a positive operator needs one match
// among all values, a negated one needs none.
func (op operator) any(got []string, want []wanted) bool {
	for _, g := range got {
		if op.positive(g, want) {
			return !op.negated
		}
	}
	return op.negated
}

// one applies the operator to a single value of the request.
func (op operator) one(got string, want []wanted) bool {
	return op.positive(got, want) != op.negated
}

func (op operator) positive(got string, want []wanted) bool {
	for _, w := range want {
		if op.matches(got, w.text, w.pattern) {
			return true
		}
	}
	return false
}

// wanted is one value of the policy, compiled for textual operators.
type wanted struct {
	text    string
	pattern pattern
}

// compile resolves the values; those with an unresolvable variable drop out.
func (c *Condition) compile(ctx Context, variables bool) (out []wanted, unresolved bool) {
	for _, v := range c.Values {
		if !c.op.textual {
			out = append(out, wanted{text: v})
			continue
		}
		var vars lookup
		if variables {
			vars = ctx.single
		}
		p, ok := compile(v, c.op.wild, vars)
		if !ok {
			unresolved = true
			continue
		}
		out = append(out, wanted{v, p})
	}
	return out, unresolved
}

func (c *Condition) nullHolds(present bool) bool {
	for _, v := range c.Values {
		if strings.EqualFold(v, "true") && !present || strings.EqualFold(v, "false") && present {
			return true
		}
	}
	return false
}

// Context holds the condition keys of a request, in lower case.
type Context map[string][]string

// NewContext joins maps of condition keys; later ones win.
func NewContext(maps ...map[string][]string) Context {
	ctx := Context{}
	for _, m := range maps {
		for k, v := range m {
			ctx[strings.ToLower(k)] = v
		}
	}
	return ctx
}

// single returns the value of a key that has exactly one: only such keys may
// stand in a variable.
func (ctx Context) single(key string) (string, bool) {
	v := ctx[strings.ToLower(key)]
	if len(v) != 1 {
		return "", false
	}
	return v[0], true
}
