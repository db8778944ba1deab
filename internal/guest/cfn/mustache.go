package cfn

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// mustache renders a template with the values of a file's context: variables,
// sections, inverted sections, comments and other delimiters. A partial is empty,
// because there is no directory to take one from.
func mustache(text string, context map[string]any) ([]byte, error) {
	p := &template{text: text, open: "{{", shut: "}}"}
	nodes, err := p.parse("")
	if err != nil {
		return nil, said("Failed to render content as a Mustache template: %w", err)
	}
	var out strings.Builder
	render(&out, nodes, []any{context})
	return []byte(out.String()), nil
}

// node is a piece of a template.
type node struct {
	kind  byte // 0 text, '&' raw, '"' escaped, '#' section, '^' inverted
	text  string
	inner []node
}

// template is a template that is being read.
type template struct {
	text       string
	at         int
	open, shut string
	depth      int
}

// maxSections bounds how deep sections lie in each other.
const maxSections = 100

// parse reads up to the end of the section called name, or of the text.
func (p *template) parse(name string) ([]node, error) {
	if p.depth++; p.depth > maxSections {
		return nil, errors.New("sections lie too deep in each other")
	}
	defer func() { p.depth-- }()
	var nodes []node
	for {
		start := strings.Index(p.text[p.at:], p.open)
		if start < 0 {
			if name != "" {
				return nil, fmt.Errorf("section %q is not closed", name)
			}
			return append(nodes, node{text: p.text[p.at:]}), nil
		}
		before := p.text[p.at : p.at+start]
		from := p.at + start
		kind, tag, err := p.tag(from)
		if err != nil {
			return nil, err
		}
		before = p.alone(kind, before, from)
		nodes = append(nodes, node{text: before})
		switch kind {
		case '!', '=', '>':
		case '#', '^':
			inner, err := p.parse(tag)
			if err != nil {
				return nil, err
			}
			nodes = append(nodes, node{kind: kind, text: tag, inner: inner})
		case '/':
			if tag != name || name == "" {
				return nil, fmt.Errorf("section end tag mismatch: %s != %s", tag, name)
			}
			return nodes, nil
		default:
			nodes = append(nodes, node{kind: kind, text: tag})
		}
	}
}

// tag reads the tag that begins at from and goes behind it.
func (p *template) tag(from int) (kind byte, name string, err error) {
	rest := p.text[from+len(p.open):]
	shut := p.shut
	if strings.HasPrefix(rest, "{") {
		kind, rest, shut = '&', rest[1:], "}"+p.shut
	} else if strings.HasPrefix(rest, "=") {
		kind, rest, shut = '=', rest[1:], "="+p.shut
	}
	name, _, ok := strings.Cut(rest, shut)
	if !ok {
		return 0, "", fmt.Errorf("%s without %s", p.open, p.shut)
	}
	p.at = len(p.text) - len(rest) + len(name) + len(shut)
	name = strings.TrimSpace(name)
	switch {
	case kind == '=':
		words := strings.Fields(name)
		if len(words) != 2 {
			return 0, "", fmt.Errorf("delimiters %q are not two words", name)
		}
		p.open, p.shut = words[0], words[1]
	case kind == '&':
	case name == "":
		return 0, "", errors.New("a tag is empty")
	case strings.ContainsRune("#^/!>&", rune(name[0])):
		kind, name = name[0], strings.TrimSpace(name[1:])
	default:
		kind = '"'
	}
	return kind, name, nil
}

// alone takes away the line of a tag that stands on it alone and prints nothing.
func (p *template) alone(kind byte, before string, from int) string {
	if kind == '&' || kind == '"' {
		return before
	}
	lineStart := strings.LastIndexByte(p.text[:from], '\n') + 1
	indent := p.text[lineStart:from]
	after := p.text[p.at:]
	line, _, ended := strings.Cut(after, "\n")
	if strings.Trim(indent, " \t") != "" || strings.Trim(line, " \t\r") != "" {
		return before
	}
	p.at += len(line)
	if ended {
		p.at++
	}
	return before[:max(0, len(before)-len(indent))]
}

// escape makes text of HTML, as Python does.
var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#x27;")

func render(out *strings.Builder, nodes []node, stack []any) {
	for _, n := range nodes {
		switch n.kind {
		case 0:
			out.WriteString(n.text)
		case '&':
			out.WriteString(printed(lookup(stack, n.text)))
		case '"':
			out.WriteString(escape.Replace(printed(lookup(stack, n.text))))
		case '^':
			if falsy(lookup(stack, n.text)) {
				render(out, n.inner, stack)
			}
		case '#':
			switch v := lookup(stack, n.text).(type) {
			case []any:
				for _, e := range v {
					render(out, n.inner, append(stack[:len(stack):len(stack)], e))
				}
			default:
				if !falsy(v) {
					render(out, n.inner, append(stack[:len(stack):len(stack)], v))
				}
			}
		}
	}
}

// lookup finds a name in the innermost context that has its first part.
func lookup(stack []any, name string) any {
	if name == "." {
		return stack[len(stack)-1]
	}
	first, rest, dotted := strings.Cut(name, ".")
	for i := len(stack) - 1; i >= 0; i-- {
		m, ok := stack[i].(map[string]any)
		if !ok {
			continue
		}
		if v, ok := m[name]; ok {
			return v
		}
		v, ok := m[first]
		if !ok {
			continue
		}
		for dotted {
			first, rest, dotted = strings.Cut(rest, ".")
			m, _ := v.(map[string]any)
			v = m[first]
		}
		return v
	}
	return nil
}

func falsy(v any) bool {
	switch t := v.(type) {
	case nil:
		return true
	case bool:
		return !t
	case string:
		return t == ""
	case json.Number:
		return t == "0"
	case []any:
		return len(t) == 0
	case map[string]any:
		return len(t) == 0
	}
	return false
}

// printed is a value as the original prints it.
func printed(v any) string {
	switch t := v.(type) {
	case nil:
		return ""
	case bool:
		if t {
			return "True"
		}
		return "False"
	}
	return fmt.Sprint(v)
}
