package pattern

import (
	"strconv"
	"strings"
	"unicode"
)

// fieldsPattern is a pattern of fields that spaces delimit.
type fieldsPattern struct {
	fields []fieldPattern
}

// fieldPattern is one field; rest is the ellipsis, for any number of fields.
type fieldPattern struct {
	name string
	rest bool
	// cond is a disjunction of conjunctions, empty for any value.
	cond [][]fieldCondition
}

type fieldCondition struct {
	op string
	v  value
}

func (f fieldPattern) accepts(have string) bool {
	if len(f.cond) == 0 {
		return true
	}
	for _, all := range f.cond {
		ok := true
		for _, c := range all {
			ok = ok && c.v.compare(c.op, have)
		}
		if ok {
			return true
		}
	}
	return false
}

// maxFields bounds how many fields a pattern has.
const maxFields = 128

func parseFields(text string) (*fieldsPattern, error) {
	if !strings.HasSuffix(text, "]") {
		return nil, errorf("Invalid filter pattern: a bracket does not end")
	}
	p := &fieldsPattern{}
	rest := text[1:]
	dots := 0
	for {
		f, after, err := parseField(rest)
		if err != nil {
			return nil, err
		}
		p.fields = append(p.fields, f)
		if f.rest {
			dots++
		}
		after = strings.TrimLeftFunc(after, unicode.IsSpace)
		if after == "]" {
			break
		}
		var more bool
		if rest, more = strings.CutPrefix(after, ","); !more || len(p.fields) == maxFields {
			return nil, errorf("Invalid filter pattern")
		}
	}
	if dots > 1 {
		return nil, errorf("Invalid filter pattern: more than one ellipsis")
	}
	return p, nil
}

func parseField(text string) (fieldPattern, string, error) {
	text = strings.TrimLeftFunc(text, unicode.IsSpace)
	if rest, ok := strings.CutPrefix(text, "..."); ok {
		return fieldPattern{rest: true}, rest, nil
	}
	end := 0
	for end < len(text) && (selectorByte(text[end]) || text[end] == '.' || text[end] == '$') {
		end++
	}
	f := fieldPattern{name: text[:end]}
	rest := text[end:]
	if trimmed := strings.TrimLeftFunc(rest, unicode.IsSpace); strings.HasPrefix(trimmed, ",") || strings.HasPrefix(trimmed, "]") {
		return f, rest, nil
	}
	return parseFieldConditions(f, rest)
}

// parseFieldConditions reads = a, = a && != b, = a || = b. The name may be
// repeated, as in w = a || w = b.
func parseFieldConditions(f fieldPattern, rest string) (fieldPattern, string, error) {
	all := []fieldCondition{}
	for {
		rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
		if again, ok := strings.CutPrefix(rest, f.name); ok && f.name != "" {
			rest = strings.TrimLeftFunc(again, unicode.IsSpace)
		}
		op, after, ok := cutOperator(rest)
		if !ok {
			return f, "", errorf("Invalid filter pattern: an operator is missing")
		}
		v, after, err := parseValue(after, func(s string) bool {
			return strings.ContainsAny(s[:1], ",]") || strings.HasPrefix(s, "&&") || strings.HasPrefix(s, "||")
		})
		if err != nil {
			return f, "", err
		}
		all = append(all, fieldCondition{op, v})
		after = strings.TrimLeftFunc(after, unicode.IsSpace)
		switch {
		case strings.HasPrefix(after, "&&"):
			rest = after[2:]
		case strings.HasPrefix(after, "||"):
			f.cond, all, rest = append(f.cond, all), []fieldCondition{}, after[2:]
		default:
			f.cond = append(f.cond, all)
			return f, after, nil
		}
	}
}

func (p *fieldsPattern) match(message string) (Fields, bool) {
	values := split(message)
	at := 0
	found := map[string]string{}
	for i, f := range p.fields {
		if f.rest {
			// What follows the ellipsis counts from the end.
			after := len(p.fields) - i - 1
			if len(values)-at < after {
				return nil, false
			}
			at = len(values) - after
			continue
		}
		if at >= len(values) || !f.accepts(values[at]) {
			return nil, false
		}
		if f.name != "" {
			found["$"+f.name] = values[at]
		}
		found["$"+strconv.Itoa(i+1)] = values[at]
		at++
	}
	if at != len(values) {
		return nil, false
	}
	return func(name string) (string, bool) { v, ok := found[name]; return v, ok }, true
}

// split cuts an event at spaces; what stands in brackets or quotes is one field.
func split(message string) []string {
	var out []string
	for message = strings.TrimSpace(message); message != ""; message = strings.TrimLeftFunc(message, unicode.IsSpace) {
		closing := byte(0)
		switch message[0] {
		case '"':
			closing = '"'
		case '[':
			closing = ']'
		}
		if closing != 0 {
			if end := strings.IndexByte(message[1:], closing); end >= 0 {
				out, message = append(out, message[1:end+1]), message[end+2:]
				continue
			}
		}
		end := strings.IndexFunc(message, unicode.IsSpace)
		if end < 0 {
			end = len(message)
		}
		out, message = append(out, message[:end]), message[end:]
	}
	return out
}
