package policy

import (
	"strings"
	"unicode/utf8"
)

// pattern is a text with wildcards. Text that came from a variable is always
// literal: a user named "*" gains nothing.
type pattern []glyph

type glyph struct {
	kind glyphKind
	char rune
}

type glyphKind uint8

const (
	literal glyphKind = iota
	anyRun            // *
	anyOne            // ?
)

// lookup returns the single value of a condition key.
type lookup func(key string) (string, bool)

// compile reads text. wild turns * and ? into wildcards; vars, unless nil,
// resolves ${...}. ok is false when a variable without default has no value:
// such a text matches nothing.
func compile(text string, wild bool, vars lookup) (p pattern, ok bool) {
	p = make(pattern, 0, len(text))
	for i := 0; i < len(text); {
		if vars != nil && strings.HasPrefix(text[i:], "${") {
			if end := strings.IndexByte(text[i:], '}'); end > 0 {
				value, found := resolve(text[i+2:i+end], vars)
				if !found {
					return nil, false
				}
				p = appendLiteral(p, value)
				i += end + 1
				continue
			}
		}
		c, size := utf8.DecodeRuneInString(text[i:])
		i += size
		switch {
		case wild && c == '*':
			p = append(p, glyph{kind: anyRun})
		case wild && c == '?':
			p = append(p, glyph{kind: anyOne})
		default:
			p = append(p, glyph{char: c})
		}
	}
	return p, true
}

func appendLiteral(p pattern, text string) pattern {
	for _, c := range text {
		p = append(p, glyph{char: c})
	}
	return p
}

// resolve evaluates what stands between ${ and }: *, ?, $, key, or
// key, 'default'.
func resolve(body string, vars lookup) (string, bool) {
	switch body {
	case "*", "?", "$":
		return body, true
	}
	key, rest, hasDefault := strings.Cut(body, ",")
	if value, ok := vars(strings.TrimSpace(key)); ok {
		return value, true
	}
	def := strings.TrimSpace(rest)
	if !hasDefault || len(def) < 2 || def[0] != '\'' || def[len(def)-1] != '\'' {
		return "", false
	}
	return def[1 : len(def)-1], true
}

// variableKeys returns the condition keys that text's variables name.
func variableKeys(text string) []string {
	var out []string
	for {
		start := strings.Index(text, "${")
		if start < 0 {
			return out
		}
		text = text[start+2:]
		end := strings.IndexByte(text, '}')
		if end < 0 {
			return out
		}
		key, _, _ := strings.Cut(text[:end], ",")
		if key = strings.TrimSpace(key); strings.Contains(key, ":") {
			out = append(out, key)
		}
		text = text[end+1:]
	}
}

// match reports whether s is one of p's texts. Time is bounded by
// len(p) * len(s): only the latest * is ever tried again.
func (p pattern) match(s string) bool {
	runes := []rune(s)
	pi, si := 0, 0
	star, mark := -1, 0
	for si < len(runes) {
		switch {
		case pi < len(p) && p[pi].kind == anyRun:
			star, mark = pi, si
			pi++
		case pi < len(p) && (p[pi].kind == anyOne || p[pi].kind == literal && p[pi].char == runes[si]):
			pi++
			si++
		case star >= 0:
			mark++
			pi, si = star+1, mark
		default:
			return false
		}
	}
	for pi < len(p) && p[pi].kind == anyRun {
		pi++
	}
	return pi == len(p)
}

// splitARN cuts p at its first five literal colons; ok is false when it has fewer.
func (p pattern) splitARN() (parts [6]pattern, ok bool) {
	n, start := 0, 0
	for i, g := range p {
		if n < 5 && g.kind == literal && g.char == ':' {
			parts[n] = p[start:i]
			n, start = n+1, i+1
		}
	}
	parts[n] = p[start:]
	return parts, n == 5
}

// matchARN matches part by part, so that a wildcard does not reach over a colon
// before the resource part.
func (p pattern) matchARN(s string) bool {
	want, ok := p.splitARN()
	got := strings.SplitN(s, ":", 6)
	if !ok || len(got) != 6 {
		return false
	}
	for i := range want {
		if !want[i].match(got[i]) {
			return false
		}
	}
	return true
}

// matchResource is the Resource element's rule: part by part where both are whole
// ARNs, as one text otherwise ("*", "arn:aws:s3:*").
func (p pattern) matchResource(s string) bool {
	if _, ok := p.splitARN(); ok && strings.Count(s, ":") >= 5 {
		return p.matchARN(s)
	}
	return p.match(s)
}

// matchAction compares without case.
func matchAction(want, action string) bool {
	p, _ := compile(strings.ToLower(want), true, nil)
	return p.match(strings.ToLower(action))
}
