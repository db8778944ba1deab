package pattern

import (
	"strings"
	"unicode"
)

// maxNesting bounds parentheses, and with them the depth of the parser.
const maxNesting = 64

// jsonParser reads the conditions between the braces of a pattern.
type jsonParser struct {
	rest      string
	depth     int
	selectors []selector
}

func parseJSON(text string) (*Pattern, error) {
	p := &jsonParser{rest: text[1:]}
	node, err := p.or()
	if err != nil {
		return nil, err
	}
	if !p.take("}") || strings.TrimSpace(p.rest) != "" {
		return nil, errorf("Invalid filter pattern")
	}
	return &Pattern{json: node, selectors: p.selectors}, nil
}

// take consumes a token if it comes next.
func (p *jsonParser) take(token string) bool {
	p.rest = strings.TrimLeftFunc(p.rest, unicode.IsSpace)
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = rest
	}
	return ok
}

// word consumes a keyword, in any case.
func (p *jsonParser) word(keyword string) bool {
	p.rest = strings.TrimLeftFunc(p.rest, unicode.IsSpace)
	n := len(keyword)
	if len(p.rest) < n || !strings.EqualFold(p.rest[:n], keyword) || len(p.rest) > n && selectorByte(p.rest[n]) {
		return false
	}
	p.rest = p.rest[n:]
	return true
}

func (p *jsonParser) or() (jsonNode, error) {
	return p.joined("||", p.and, func(all []jsonNode) jsonNode { return orNode(all) })
}

func (p *jsonParser) and() (jsonNode, error) {
	return p.joined("&&", p.condition, func(all []jsonNode) jsonNode { return andNode(all) })
}

// joined reads parts with an operator between them, at least one; node makes one of
// several.
func (p *jsonParser) joined(operator string, part func() (jsonNode, error), node func([]jsonNode) jsonNode) (jsonNode, error) {
	var all []jsonNode
	for more := true; more; more = p.take(operator) {
		next, err := part()
		if err != nil {
			return nil, err
		}
		all = append(all, next)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return node(all), nil
}

func (p *jsonParser) condition() (jsonNode, error) {
	if p.take("(") {
		if p.depth++; p.depth > maxNesting {
			return nil, errorf("Invalid filter pattern: too many parentheses")
		}
		node, err := p.or()
		p.depth--
		if err == nil && !p.take(")") {
			err = errorf("Invalid filter pattern: a parenthesis does not end")
		}
		return node, err
	}
	p.rest = strings.TrimLeftFunc(p.rest, unicode.IsSpace)
	sel, rest, err := parseSelector(p.rest)
	if err != nil {
		return nil, err
	}
	p.rest = rest
	p.selectors = append(p.selectors, sel)
	return p.predicate(sel)
}

// predicate reads what is said of a selector.
func (p *jsonParser) predicate(sel selector) (jsonNode, error) {
	switch {
	case p.word("NOT"):
		if !p.word("EXISTS") {
			return nil, errorf("Invalid filter pattern: NOT must be followed by EXISTS")
		}
		return notNode{state{sel, "EXISTS"}}, nil
	case p.word("EXISTS"):
		return state{sel, "EXISTS"}, nil
	case p.word("IS"):
		for _, what := range []string{"NULL", "TRUE", "FALSE"} {
			if p.word(what) {
				return state{sel, what}, nil
			}
		}
		return nil, errorf("Invalid filter pattern: IS must be followed by NULL, TRUE or FALSE")
	}
	op, rest, ok := cutOperator(strings.TrimLeftFunc(p.rest, unicode.IsSpace))
	if !ok {
		return nil, errorf("Invalid filter pattern: an operator is missing")
	}
	v, rest, err := parseValue(rest, func(s string) bool {
		return strings.ContainsAny(s[:1], ")}") || strings.HasPrefix(s, "&&") || strings.HasPrefix(s, "||")
	})
	if err != nil {
		return nil, err
	}
	if op != "=" && op != "!=" && !v.isNum {
		return nil, errorf("Invalid filter pattern: %s compares numbers", op)
	}
	p.rest = rest
	return comparison{sel, op, v}, nil
}
