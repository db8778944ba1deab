package awscli

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// expression is a part of a JMESPath expression that can be evaluated. name is set for
// a bare identifier, which may turn out to be a function's.
type expression struct {
	of   func(v any) any
	name string
}

func identity(v any) any { return v }

// parseQuery reads a --query. What it does not know, or what is wrong, is errUnknown,
// which hands over to a CLI that says so.
func parseQuery(q string) (func(any) any, error) {
	if q == "" {
		return identity, nil
	}
	tokens, ok := queryTokens(q)
	if !ok {
		return nil, errUnknown
	}
	p := &queryParser{tokens: tokens}
	e := p.parse(0)
	if p.failed || p.kind() != "" {
		return nil, errUnknown
	}
	return e.of, nil
}

// queryParser is a parser by precedence: each kind of token binds so strongly.
type queryParser struct {
	tokens []queryToken
	at     int
	depth  int
	failed bool
}

var strengths = map[string]int{"|": 1, "||": 2, "&&": 3, "==": 5, "!=": 5, "<": 5, "<=": 5, ">": 5, ">=": 5,
	"[]": 9, "*": 20, "[?": 21, ".": 40, "!": 45, "{": 50, "[": 55, "(": 60}

const (
	projectionStop = 10
	maxQueryDepth  = 100
)

func (p *queryParser) kind() string {
	if p.at >= len(p.tokens) {
		return ""
	}
	return p.tokens[p.at].kind
}

func (p *queryParser) next() queryToken {
	if p.at >= len(p.tokens) {
		p.failed = true
		return queryToken{}
	}
	p.at++
	return p.tokens[p.at-1]
}

func (p *queryParser) expect(kind string) {
	if p.next().kind != kind {
		p.failed = true
	}
}

func (p *queryParser) accept(kind string) bool {
	if p.kind() != kind {
		return false
	}
	p.at++
	return true
}

func (p *queryParser) wrong() expression {
	p.failed = true
	return expression{of: identity}
}

func (p *queryParser) parse(strength int) expression {
	if p.depth++; p.depth > maxQueryDepth || p.failed {
		return p.wrong()
	}
	defer func() { p.depth-- }()
	left := p.first(p.next())
	for !p.failed && strength < strengths[p.kind()] {
		left = p.then(left, p.next().kind)
	}
	return left
}

// first reads what an expression begins with.
func (p *queryParser) first(t queryToken) expression {
	switch t.kind {
	case "literal":
		return expression{of: func(any) any { return t.value }}
	case "name", "quoted":
		e := expression{of: func(v any) any {
			m, _ := v.(map[string]any)
			return m[t.text]
		}}
		if t.kind == "name" {
			e.name = t.text
		}
		return e
	case "@":
		return expression{of: identity}
	case "&":
		return p.parse(0) // only functions have such
	case "!":
		e := p.parse(strengths["!"])
		return expression{of: func(v any) any { return !isTrue(e.of(v)) }}
	case "(":
		e := p.parse(0)
		p.expect(")")
		return expression{of: e.of}
	case "{":
		return p.hash()
	case "*":
		return valuesOf(identity, p.right(strengths["*"]))
	case "[]", "[?":
		return p.then(expression{of: identity}, t.kind)
	case "[":
		if k := p.kind(); k == "number" || k == ":" || k == "*" && p.at+1 < len(p.tokens) && p.tokens[p.at+1].kind == "]" {
			return p.then(expression{of: identity}, "[")
		}
		return p.list()
	}
	return p.wrong()
}

// then reads what may follow an expression.
func (p *queryParser) then(left expression, kind string) expression {
	switch kind {
	case ".":
		if p.accept("*") {
			return valuesOf(left.of, p.right(strengths["*"]))
		}
		return chain(left.of, p.dotted(strengths["."]))
	case "|":
		return chain(left.of, p.parse(strengths[kind]))
	case "||", "&&":
		right := p.parse(strengths[kind])
		return expression{of: func(v any) any {
			if l := left.of(v); isTrue(l) == (kind == "||") {
				return l
			}
			return right.of(v)
		}}
	case "(":
		return p.function(left.name)
	case "[?":
		condition := p.parse(0)
		p.expect("]")
		right := expression{of: identity}
		if p.kind() != "[]" {
			right = p.right(strengths[kind])
		}
		return project(func(v any) any { return filtered(left.of(v), condition) }, right)
	case "[]":
		return project(func(v any) any { return flattened(left.of(v)) }, p.right(strengths[kind]))
	case "[":
		return p.bracket(left)
	case "==", "!=", "<", "<=", ">", ">=":
		right := p.parse(strengths[kind])
		return expression{of: func(v any) any { return compare(kind, left.of(v), right.of(v)) }}
	}
	return p.wrong()
}

// bracket reads an index, a slice or [*].
func (p *queryParser) bracket(left expression) expression {
	if p.accept("*") {
		p.expect("]")
		return project(left.of, p.right(strengths["*"]))
	}
	var parts [3]*int
	n := 0
	for p.kind() != "]" && !p.failed {
		switch t := p.next(); {
		case t.kind == ":" && n < 2:
			n++
		case t.kind == "number" && parts[n] == nil:
			parts[n] = &t.number
		default:
			return p.wrong()
		}
	}
	p.expect("]")
	if n > 0 {
		return project(func(v any) any { return sliced(left.of(v), parts) }, p.right(strengths["*"]))
	}
	if parts[0] == nil {
		return p.wrong()
	}
	return expression{of: func(v any) any { return indexed(left.of(v), *parts[0]) }}
}

// right reads what is done with each element of a projection.
func (p *queryParser) right(strength int) expression {
	switch k := p.kind(); {
	case strengths[k] < projectionStop:
		return expression{of: identity}
	case k == "[" || k == "[?":
		return p.parse(strength)
	case p.accept("."):
		return p.dotted(strength)
	}
	return p.wrong()
}

func (p *queryParser) dotted(strength int) expression {
	switch k := p.kind(); {
	case k == "name" || k == "quoted" || k == "*":
		return p.parse(strength)
	case p.accept("["):
		return p.list()
	case p.accept("{"):
		return p.hash()
	}
	return p.wrong()
}

func (p *queryParser) list() expression {
	var parts []expression
	for !p.failed {
		parts = append(parts, p.parse(0))
		if !p.accept(",") {
			break
		}
	}
	p.expect("]")
	return expression{of: func(v any) any {
		if v == nil {
			return nil
		}
		out := make([]any, len(parts))
		for i, e := range parts {
			out[i] = e.of(v)
		}
		return out
	}}
}

func (p *queryParser) hash() expression {
	parts := map[string]expression{}
	for !p.failed {
		t := p.next()
		if t.kind != "name" && t.kind != "quoted" {
			return p.wrong()
		}
		p.expect(":")
		parts[t.text] = p.parse(0)
		if !p.accept(",") {
			break
		}
	}
	p.expect("}")
	return expression{of: func(v any) any {
		if v == nil {
			return nil
		}
		out := map[string]any{}
		for k, e := range parts {
			out[k] = e.of(v)
		}
		return out
	}}
}

func (p *queryParser) function(name string) expression {
	f, known := queryFunctions[name]
	var args []expression
	for !p.failed && p.kind() != ")" {
		args = append(args, p.parse(0))
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	if !known || len(args) < f.least || f.most > 0 && len(args) > f.most {
		return p.wrong()
	}
	return expression{of: func(v any) any {
		return f.call(args, v)
	}}
}

// queryToken is a word of an expression.
type queryToken struct {
	kind   string // name, quoted, number, literal, or what it is
	text   string
	number int
	value  any
}

func queryTokens(q string) ([]queryToken, bool) {
	var out []queryToken
	for q != "" {
		t, length := queryWord(q)
		if length == 0 {
			return nil, false
		}
		if q = q[length:]; t.kind != "" {
			out = append(out, t)
		}
	}
	return out, true
}

// queryWord reads the first word; one without a kind is white space.
func queryWord(q string) (queryToken, int) {
	for _, two := range []string{"[]", "[?", "||", "&&", "==", "!=", "<=", ">="} {
		if strings.HasPrefix(q, two) {
			return queryToken{kind: two}, 2
		}
	}
	switch c := q[0]; {
	case strings.IndexByte(" \t\r\n", c) >= 0:
		return queryToken{}, 1
	case c == '\'' || c == '"' || c == '`':
		return quotedWord(q)
	case c == '-' || '0' <= c && c <= '9':
		end := 1
		for end < len(q) && '0' <= q[end] && q[end] <= '9' {
			end++
		}
		n, err := strconv.Atoi(q[:end])
		if err != nil {
			return queryToken{}, 0
		}
		return queryToken{kind: "number", number: n}, end
	case strings.IndexByte(".*[](){},:|<>@&!", c) >= 0:
		return queryToken{kind: q[:1]}, 1
	}
	end := 0
	for end < len(q) && isNameByte(q[end], end) {
		end++
	}
	return queryToken{kind: "name", text: q[:end]}, end
}

func isNameByte(c byte, at int) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || at > 0 && '0' <= c && c <= '9'
}

// quotedWord reads 'text', "name" or `JSON`.
func quotedWord(q string) (queryToken, int) {
	end := 1
	for end < len(q) && q[end] != q[0] {
		if q[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(q) {
		return queryToken{}, 0
	}
	inside := strings.ReplaceAll(q[1:end], `\`+q[:1], q[:1])
	t := queryToken{kind: "literal", value: inside}
	switch q[0] {
	case '"':
		t.kind = "quoted"
		if json.Unmarshal([]byte(q[:end+1]), &t.text) != nil {
			return t, 0
		}
	case '`':
		// What is no JSON is text, as it once was.
		if json.Unmarshal([]byte(inside), &t.value) != nil {
			t.value = strings.TrimSpace(inside)
		}
	}
	return t, end + 1
}
