package pattern

import (
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// jsonNode is a condition on a JSON event.
type jsonNode interface{ match(doc any) bool }

type (
	andNode []jsonNode
	orNode  []jsonNode
	notNode struct{ of jsonNode }
)

func (n andNode) match(doc any) bool {
	return !slices.ContainsFunc(n, func(c jsonNode) bool { return !c.match(doc) })
}

func (n orNode) match(doc any) bool {
	return slices.ContainsFunc(n, func(c jsonNode) bool { return c.match(doc) })
}

func (n notNode) match(doc any) bool { return !n.of.match(doc) }

// comparison is $.a op value.
type comparison struct {
	sel selector
	op  string
	v   value
}

func (c comparison) match(doc any) bool {
	found := c.sel.find(doc)
	for _, have := range found {
		switch h := have.(type) {
		case string:
			if c.v.compare(c.op, h) {
				return true
			}
		case json.Number:
			if c.v.compare(c.op, h.String()) {
				return true
			}
		case bool:
			if c.v.compare(c.op, strconv.FormatBool(h)) {
				return true
			}
		}
	}
	return false
}

// state is $.a IS NULL, IS TRUE, IS FALSE, EXISTS.
type state struct {
	sel  selector
	what string
}

func (s state) match(doc any) bool {
	found := s.sel.find(doc)
	if s.what == "EXISTS" {
		return len(found) > 0
	}
	return slices.ContainsFunc(found, func(v any) bool {
		switch s.what {
		case "NULL":
			return v == nil
		case "TRUE":
			return v == true
		}
		return v == false
	})
}

// selector is a path into a document: $.a.b[0]["c d"].
type selector struct {
	text  string
	steps []step
}

// step is one part of a path: a key, an index, or every element.
type step struct {
	key   string
	index int
	kind  byte // 'k', 'i' or '*'
}

func (s selector) find(doc any) []any {
	at := []any{doc}
	for _, st := range s.steps {
		var next []any
		for _, v := range at {
			next = append(next, st.from(v)...)
		}
		at = next
	}
	return at
}

func (st step) from(v any) []any {
	switch st.kind {
	case 'k':
		if m, ok := v.(map[string]any); ok {
			if e, ok := m[st.key]; ok {
				return []any{e}
			}
		}
		return nil
	case 'i':
		if l, ok := v.([]any); ok && st.index < len(l) {
			return []any{l[st.index]}
		}
		return nil
	}
	switch c := v.(type) {
	case []any:
		return c
	case map[string]any:
		out := make([]any, 0, len(c))
		for _, e := range c {
			out = append(out, e)
		}
		return out
	}
	return nil
}

// parseSelector reads a selector and returns what follows it.
func parseSelector(text string) (selector, string, error) {
	if !strings.HasPrefix(text, "$") {
		return selector{}, "", errorf("Invalid filter pattern: a selector must begin with $.")
	}
	rest := text[1:]
	var s selector
	for {
		st, after, ok, err := parseStep(rest)
		if err != nil {
			return s, "", err
		}
		if !ok {
			break
		}
		s.steps, rest = append(s.steps, st), after
	}
	if len(s.steps) == 0 {
		return s, "", errorf("Invalid filter pattern: a selector names no property")
	}
	s.text = text[:len(text)-len(rest)]
	return s, rest, nil
}

func parseStep(text string) (step, string, bool, error) {
	switch {
	case strings.HasPrefix(text, "."):
		end := 1
		for end < len(text) && selectorByte(text[end]) {
			end++
		}
		switch name := text[1:end]; name {
		case "":
			return step{}, "", false, errorf("Invalid filter pattern: a property name is missing")
		case "*":
			return step{kind: '*'}, text[end:], true, nil
		default:
			return step{kind: 'k', key: name}, text[end:], true, nil
		}
	case strings.HasPrefix(text, "["):
		end := strings.IndexByte(text, ']')
		if end < 0 {
			return step{}, "", false, errorf("Invalid filter pattern: a bracket does not end")
		}
		inner := strings.TrimSpace(text[1:end])
		if inner == "*" {
			return step{kind: '*'}, text[end+1:], true, nil
		}
		if len(inner) >= 2 && (inner[0] == '"' || inner[0] == '\'') && inner[len(inner)-1] == inner[0] {
			return step{kind: 'k', key: inner[1 : len(inner)-1]}, text[end+1:], true, nil
		}
		n, err := strconv.Atoi(inner)
		if err != nil || n < 0 {
			return step{}, "", false, errorf("Invalid filter pattern: '%s' is not an index", inner)
		}
		return step{kind: 'i', index: n}, text[end+1:], true, nil
	}
	return step{}, text, false, nil
}

// selectorByte tells what a property name may hold; bytes of other alphabets are
// let through.
func selectorByte(c byte) bool {
	return c == '_' || c == '-' || c == '*' || c == '@' || c == ':' || c >= 0x80 ||
		'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func decodeJSON(message string) (any, bool) {
	trimmed := strings.TrimLeftFunc(message, unicode.IsSpace)
	if trimmed == "" || trimmed[0] != '{' && trimmed[0] != '[' {
		return nil, false
	}
	d := json.NewDecoder(strings.NewReader(trimmed))
	d.UseNumber()
	var doc any
	if d.Decode(&doc) != nil {
		return nil, false
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, false
	}
	return doc, true
}

// jsonFields gives what selectors find, as text.
func jsonFields(doc any) Fields {
	return func(name string) (string, bool) {
		s, rest, err := parseSelector(name)
		if err != nil || rest != "" {
			return "", false
		}
		for _, v := range s.find(doc) {
			switch h := v.(type) {
			case string:
				return h, true
			case json.Number:
				return h.String(), true
			case bool:
				return strconv.FormatBool(h), true
			case nil:
				return "null", true
			default:
				raw, err := json.Marshal(h)
				return string(raw), err == nil
			}
		}
		return "", false
	}
}
