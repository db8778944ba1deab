package codec

import (
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/plan"
)

// XML writes outputs (and, for rest-xml clients, inputs) by appending to Buf.
type XML struct {
	Buf []byte
	// Item names the elements of lists for which the model names none: "member",
	// "item" in EC2.
	Item string
	// QueryNames: members have the names of the query protocol, which a service that
	// answers in JSON first may have besides.
	QueryNames bool
	// AllLists writes the top-level lists of an output even when they are nil.
	AllLists bool
}

// Members appends the members of the struct behind ptr that travel in the body.
func (x *XML) Members(shape *model.Shape, ptr any) error {
	if shape == nil {
		return nil
	}
	p, v, err := value(shape, ptr)
	if err != nil {
		return err
	}
	x.structure(p, v, x.AllLists)
	return nil
}

// Open appends a start tag, with the namespace unless it is "".
func (x *XML) Open(name, namespace string) {
	x.Buf = append(append(x.Buf, '<'), name...)
	if namespace != "" {
		x.Buf = append(append(append(x.Buf, ` xmlns="`...), namespace...), '"')
	}
	x.Buf = append(x.Buf, '>')
}

// Close appends an end tag.
func (x *XML) Close(name string) {
	x.Buf = append(append(append(x.Buf, "</"...), name...), '>')
}

// Text appends an element that holds text.
func (x *XML) Text(name, text string) {
	x.Open(name, "")
	x.Buf = appendXML(x.Buf, text)
	x.Close(name)
}

func (x *XML) structure(p *plan.Plan, v reflect.Value, lists bool) {
	for i := range p.Fields {
		f := &p.Fields[i]
		if f.Location != model.Body || f.Attribute || f.Plan == nil {
			continue
		}
		fv, ok := f.Get(v)
		if !ok && !(lists && f.Plan.Shape.Kind == model.List) {
			continue
		}
		x.element(x.name(f.Member), f.Plan, f.Member, fv)
	}
}

func (x *XML) name(m *model.Member) string {
	if x.QueryNames {
		return formName(m, false)
	}
	return m.WireName()
}

// element appends one member: usually one element, several for a flattened list.
func (x *XML) element(name string, p *plan.Plan, m *model.Member, v reflect.Value) {
	flat := p.Shape.Flattened || m.Flattened
	switch {
	case p.Shape.Kind == model.List && flat:
		for i := range v.Len() {
			x.element(name, p.Elem, p.Shape.Element, v.Index(i))
		}
		return
	case p.Shape.Kind == model.Map && flat:
		x.entries(name, p, v)
		return
	}
	x.start(name, p, m, v)
	switch p.Shape.Kind {
	case model.Structure:
		x.structure(p, v, false)
	case model.List:
		item := elementName(p.Shape.Element, x.Item)
		for i := range v.Len() {
			x.element(item, p.Elem, p.Shape.Element, v.Index(i))
		}
	case model.Map:
		x.entries("entry", p, v)
	case model.String:
		x.Buf = appendXML(x.Buf, v.String())
	default:
		x.Buf = appendText(x.Buf, p.Shape, v, timeISO)
	}
	x.Close(name)
}

// start appends a start tag with the structure's attributes.
func (x *XML) start(name string, p *plan.Plan, m *model.Member, v reflect.Value) {
	x.Buf = append(append(x.Buf, '<'), name...)
	ns := m.Namespace
	if ns == nil {
		ns = p.Shape.Namespace
	}
	if ns != nil && ns.Prefix != "" {
		x.Buf = append(append(append(x.Buf, " xmlns:"...), ns.Prefix...), `="`...)
		x.Buf = append(append(x.Buf, ns.URI...), '"')
	}
	for i := range p.Fields {
		f := &p.Fields[i]
		if !f.Attribute {
			continue
		}
		if fv, ok := f.Get(v); ok {
			x.Buf = append(append(append(x.Buf, ' '), f.WireName()...), `="`...)
			x.Buf = append(appendXML(x.Buf, string(appendText(nil, f.Plan.Shape, fv, timeISO))), '"')
		}
	}
	x.Buf = append(x.Buf, '>')
}

func (x *XML) entries(name string, p *plan.Plan, v reflect.Value) {
	for _, key := range sortedMap(v) {
		x.Open(name, "")
		x.element(elementName(p.Shape.Key, "key"), p.Key, p.Shape.Key, key)
		x.element(elementName(p.Shape.Value, "value"), p.Value, p.Shape.Value, v.MapIndex(key))
		x.Close(name)
	}
}

// sortedMap returns the keys of a map with string keys, in order.
func sortedMap(v reflect.Value) []reflect.Value {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return keys
}

// appendXML appends text with what XML cannot carry escaped or replaced.
func appendXML(b []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '&' && c != '<' && c != '>' && c != '"' {
			i++
			continue
		}
		width, esc := escapeXML(s[i:])
		if esc != "" {
			b = append(append(b, s[start:i]...), esc...)
			start = i + width
		}
		i += width
	}
	return append(b, s[start:]...)
}

// escapeXML returns the width of the first character of s and what stands for
// it, "" for itself.
func escapeXML(s string) (int, string) {
	switch s[0] {
	case '&':
		return 1, "&amp;"
	case '<':
		return 1, "&lt;"
	case '>':
		return 1, "&gt;"
	case '"':
		return 1, "&quot;"
	case '\r':
		return 1, "&#xD;"
	case '\n', '\t':
		return 1, ""
	}
	r, n := utf8.DecodeRuneInString(s)
	if (r == utf8.RuneError && n == 1) || r < ' ' || r == 0xFFFE || r == 0xFFFF {
		return n, "\uFFFD"
	}
	return n, ""
}
