// Package expression is CloudWatch's metric math: arithmetic, comparisons, logic
// and functions on time series.
//
// It owns nothing and imports the standard library only. The flow enters in Parse,
// which also tells which metrics an expression needs, and leaves in Eval with
// numbers, a series or several.
package expression

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Expression is a parsed expression.
type Expression struct {
	root node
	// Names are the ids that it refers to.
	Names []string
	// All tells that it uses METRICS(), and with it every metric of the request.
	All bool
}

// Error is an expression that cannot be parsed or evaluated.
type Error struct{ Text string }

func (e *Error) Error() string { return e.Text }

func errorf(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// node is a part of an expression.
type node interface {
	eval(env *Env) (Value, error)
}

type (
	number  float64
	text    string
	name    string
	literal []node // [m1, m2]
	negate  struct{ of node }
	binary  struct {
		op          string
		left, right node
	}
	call struct {
		name string
		args []node
	}
)

// maxDepth bounds nesting, and with it the depth of the parser.
const maxDepth = 64

type parser struct {
	rest  string
	depth int
	out   *Expression
}

// Parse reads an expression.
func Parse(source string) (*Expression, error) {
	p := &parser{rest: source, out: &Expression{}}
	root, err := p.binary(0)
	if err != nil {
		return nil, err
	}
	if p.skip(); p.rest != "" {
		return nil, errorf("unexpected '%s'", cut(p.rest))
	}
	p.out.root = root
	return p.out, nil
}

func cut(s string) string { return s[:min(len(s), 20)] }

func (p *parser) skip() { p.rest = strings.TrimLeftFunc(p.rest, unicode.IsSpace) }

func (p *parser) take(token string) bool {
	p.skip()
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = rest
	}
	return ok
}

// levels are the operators, from those that bind least to those that bind most;
// longer ones stand before their beginnings.
var levels = [][]string{{"||", "OR"}, {"&&", "AND"}, {"==", "!=", "<=", ">=", "<", ">"}, {"+", "-"}, {"*", "/"}, {"^"}}

func (p *parser) binary(level int) (node, error) {
	if level == len(levels) {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	for err == nil {
		op := p.operator(levels[level])
		if op == "" {
			return left, nil
		}
		var right node
		right, err = p.binary(level + 1)
		left = binary{op, left, right}
	}
	return nil, err
}

func (p *parser) operator(ops []string) string {
	p.skip()
	for _, op := range ops {
		rest, ok := strings.CutPrefix(p.rest, op)
		if !ok || unicode.IsLetter(rune(op[0])) && rest != "" && wordByte(rest[0]) {
			continue
		}
		p.rest = rest
		switch op {
		case "OR":
			return "||"
		case "AND":
			return "&&"
		}
		return op
	}
	return ""
}

func wordByte(c byte) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func (p *parser) unary() (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, errorf("it is nested too deeply")
	}
	defer func() { p.depth-- }()
	switch {
	case p.take("-"):
		of, err := p.unary()
		return negate{of}, err
	case p.take("("):
		inner, err := p.binary(0)
		if err == nil && !p.take(")") {
			err = errorf("a parenthesis does not end")
		}
		return inner, err
	case p.take("["):
		list, err := p.list("]")
		return literal(list), err
	}
	return p.atom()
}

// list reads nodes up to the closing token.
func (p *parser) list(closing string) ([]node, error) {
	var out []node
	if p.take(closing) {
		return out, nil
	}
	for {
		n, err := p.binary(0)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
		if p.take(closing) {
			return out, nil
		}
		if !p.take(",") {
			return nil, errorf("unexpected '%s'", cut(p.rest))
		}
	}
}

func (p *parser) atom() (node, error) {
	p.skip()
	if p.rest == "" {
		return nil, errorf("it ends too early")
	}
	switch c := p.rest[0]; {
	case c == '"' || c == '\'':
		end := strings.IndexByte(p.rest[1:], c)
		if end < 0 {
			return nil, errorf("a string does not end")
		}
		s := p.rest[1 : end+1]
		p.rest = p.rest[end+2:]
		return text(s), nil
	case '0' <= c && c <= '9' || c == '.':
		return p.number()
	case !wordByte(c):
		return nil, errorf("unexpected '%s'", cut(p.rest))
	}
	end := 0
	for end < len(p.rest) && wordByte(p.rest[end]) {
		end++
	}
	word := p.rest[:end]
	p.rest = p.rest[end:]
	if p.take("(") {
		return p.call(word)
	}
	if word == "REPEAT" || word == "LINEAR" {
		return text(word), nil
	}
	if !slices.Contains(p.out.Names, word) {
		p.out.Names = append(p.out.Names, word)
	}
	return name(word), nil
}

func (p *parser) number() (node, error) {
	end := 0
	for end < len(p.rest) {
		c := p.rest[end]
		exponent := end > 0 && (p.rest[end-1] == 'e' || p.rest[end-1] == 'E') && (c == '+' || c == '-')
		if c != '.' && c != 'e' && c != 'E' && (c < '0' || c > '9') && !exponent {
			break
		}
		end++
	}
	v, err := strconv.ParseFloat(p.rest[:end], 64)
	if err != nil {
		return nil, errorf("'%s' is no number", cut(p.rest[:end]))
	}
	p.rest = p.rest[end:]
	return number(v), nil
}

func (p *parser) call(word string) (node, error) {
	args, err := p.list(")")
	if err != nil {
		return nil, err
	}
	f, ok := functions[strings.ToUpper(word)]
	if !ok {
		return nil, errorf("the function %s is not supported", word)
	}
	if len(args) < f.least || len(args) > f.most {
		return nil, errorf("the function %s has a wrong number of arguments", word)
	}
	if strings.EqualFold(word, "METRICS") {
		p.out.All = true
	}
	return call{strings.ToUpper(word), args}, nil
}
