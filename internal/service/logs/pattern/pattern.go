// Package pattern is the language of CloudWatch Logs' filter patterns: terms
// (ERROR -debug ?a ?b "exact words" %regex%), selectors of JSON events
// ({ $.code = 4* && $.user IS NULL }) and fields of events that spaces delimit
// ([ip, ..., status = 5*, bytes > 100]).
//
// It owns nothing and imports the standard library only. The flow enters in Parse,
// once per filter, and leaves in Match, once per event, which also gives the
// values that the pattern names.
package pattern

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Pattern is a parsed filter pattern. The zero Pattern matches everything.
type Pattern struct {
	terms  *terms
	json   jsonNode
	fields *fieldsPattern
	// selectors are the paths that a JSON pattern reads, in order.
	selectors []selector
}

// Fields gives the values of an event by the names that metrics use: "$.a.b" or
// "$name".
type Fields func(name string) (string, bool)

// Error is a pattern that cannot be parsed.
type Error struct{ Text string }

func (e *Error) Error() string { return e.Text }

func errorf(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// Parse reads a pattern.
func Parse(text string) (*Pattern, error) {
	if !utf8.ValidString(text) {
		return nil, errorf("Invalid filter pattern")
	}
	trimmed := strings.TrimSpace(text)
	switch {
	case trimmed == "":
		return &Pattern{}, nil
	case trimmed[0] == '{':
		return parseJSON(trimmed)
	case trimmed[0] == '[':
		f, err := parseFields(trimmed)
		return &Pattern{fields: f}, err
	}
	t, err := parseTerms(trimmed)
	return &Pattern{terms: t}, err
}

// Match reports whether the pattern matches the message, and the fields of it.
func (p *Pattern) Match(message string) (Fields, bool) {
	switch {
	case p.json != nil:
		doc, ok := decodeJSON(message)
		if !ok || !p.json.match(doc) {
			return nil, false
		}
		return jsonFields(doc), true
	case p.fields != nil:
		return p.fields.match(message)
	case p.terms != nil && !p.terms.match(message):
		return nil, false
	}
	if doc, ok := decodeJSON(message); ok {
		return jsonFields(doc), true
	}
	return func(string) (string, bool) { return "", false }, true
}

// Extract gives the values that the pattern itself names, for TestMetricFilter.
func (p *Pattern) Extract(fields Fields) map[string]string {
	out := map[string]string{}
	for _, s := range p.selectors {
		if v, ok := fields(s.text); ok {
			out[s.text] = v
		}
	}
	if p.fields != nil {
		for i, f := range p.fields.fields {
			name := "$" + f.name
			if f.name == "" {
				name = fmt.Sprintf("$%d", i+1)
			}
			if v, ok := fields(name); ok && !f.rest {
				out[name] = v
			}
		}
	}
	return out
}

// terms is a pattern of words.
type terms struct {
	all, any, none []func(string) bool
}

func (t *terms) match(message string) bool {
	for _, f := range t.none {
		if f(message) {
			return false
		}
	}
	for _, f := range t.all {
		if !f(message) {
			return false
		}
	}
	// Beside terms that must be there, optional ones decide nothing.
	if len(t.all) > 0 || len(t.any) == 0 {
		return true
	}
	for _, f := range t.any {
		if f(message) {
			return true
		}
	}
	return false
}

func parseTerms(text string) (*terms, error) {
	t := &terms{}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		into := &t.all
		switch text[0] {
		case '?':
			into, text = &t.any, text[1:]
		case '-':
			into, text = &t.none, text[1:]
		}
		f, rest, err := parseTerm(text)
		if err != nil {
			return nil, err
		}
		*into, text = append(*into, f), rest
	}
	return t, nil
}

// parseTerm reads one word, quoted words or a regular expression.
func parseTerm(text string) (func(string) bool, string, error) {
	switch {
	case strings.HasPrefix(text, `"`):
		word, rest, err := quoted(text)
		return func(m string) bool { return strings.Contains(m, word) }, rest, err
	case strings.HasPrefix(text, "%"):
		re, rest, err := regex(text)
		if err != nil {
			return nil, "", err
		}
		return re.MatchString, rest, nil
	}
	end := strings.IndexFunc(text, unicode.IsSpace)
	if end < 0 {
		end = len(text)
	}
	word := text[:end]
	if word == "" || strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
		return nil, "", errorf("Invalid character(s) in term '%s'", word)
	}
	return func(m string) bool { return strings.Contains(m, word) }, text[end:], nil
}

// plain tells what a word may hold without quotes.
func plain(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_.:/@#*", r)
}

// quoted reads a string in double quotes, where a backslash protects what follows.
func quoted(text string) (word, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '"':
			return b.String(), text[i+1:], nil
		case text[i] == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(text[i])
		}
	}
	return "", "", errorf("Invalid filter pattern: a quoted string does not end")
}

// regex reads %...%.
func regex(text string) (*regexp.Regexp, string, error) {
	end := strings.IndexByte(text[1:], '%')
	if end <= 0 {
		return nil, "", errorf("Invalid filter pattern: a regular expression does not end")
	}
	re, err := regexp.Compile(text[1 : end+1])
	if err != nil {
		return nil, "", errorf("Invalid regular expression in filter pattern")
	}
	return re, text[end+2:], nil
}
