package lb

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// rule is a Rule made ready.
type rule struct {
	conditions []condition
	actions    []Action
	transforms []transform
}

// condition says whether a request meets it.
type condition func(r *http.Request, client netip.Addr) bool

type transform struct {
	host    bool
	regex   *regexp.Regexp
	replace string
}

func compileRule(r Rule) (*rule, error) {
	out := &rule{actions: r.Actions}
	for _, c := range r.Conditions {
		ready, err := compileCondition(c)
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", r.ID, err)
		}
		out.conditions = append(out.conditions, ready)
	}
	for _, t := range r.Transforms {
		re, err := regexp.Compile(t.Regex)
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", r.ID, err)
		}
		out.transforms = append(out.transforms, transform{host: t.Type == "host-header-rewrite", regex: re, replace: t.Replace})
	}
	return out, nil
}

func compileCondition(c Condition) (condition, error) {
	patterns, err := compilePatterns(c)
	if err != nil {
		return nil, err
	}
	switch c.Field {
	case "host-header":
		return func(r *http.Request, _ netip.Addr) bool { return patterns.match(hostOf(r)) }, nil
	case "path-pattern":
		return func(r *http.Request, _ netip.Addr) bool { return patterns.match(r.URL.EscapedPath()) }, nil
	case "http-header":
		name := http.CanonicalHeaderKey(c.Header)
		return func(r *http.Request, _ netip.Addr) bool {
			return slices.ContainsFunc(headerValues(r, name), patterns.match)
		}, nil
	case "http-request-method":
		return func(r *http.Request, _ netip.Addr) bool { return slices.Contains(c.Values, r.Method) }, nil
	case "query-string":
		return func(r *http.Request, _ netip.Addr) bool { return matchQuery(c.Query, r.URL.RawQuery) }, nil
	case "source-ip":
		return compileSources(c.Values)
	}
	return nil, fmt.Errorf("unknown condition %q", c.Field)
}

// headerValues are the values of a header field; Go keeps Host apart.
func headerValues(r *http.Request, name string) []string {
	if name == "Host" {
		return []string{r.Host}
	}
	return r.Header[name]
}

// hostOf is the host that a request is for, without its port.
func hostOf(r *http.Request) string {
	host := r.Host
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return host
}

func compileSources(values []string) (condition, error) {
	var from []netip.Prefix
	for _, v := range values {
		p, err := netip.ParsePrefix(v)
		if err != nil {
			return nil, fmt.Errorf("source-ip: %w", err)
		}
		from = append(from, p)
	}
	return func(_ *http.Request, client netip.Addr) bool {
		return slices.ContainsFunc(from, func(p netip.Prefix) bool { return p.Contains(client) })
	}, nil
}

// patterns are alternatives.
type patterns struct {
	wild  []string
	fold  bool // of either case
	regex []*regexp.Regexp
}

func compilePatterns(c Condition) (*patterns, error) {
	p := &patterns{wild: c.Values, fold: c.Field != "path-pattern"} // paths are the only ones whose case counts
	for _, expr := range c.Regex {
		re, err := regexp.Compile(expr)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Field, err)
		}
		p.regex = append(p.regex, re)
	}
	return p, nil
}

func (p *patterns) match(s string) bool {
	for _, w := range p.wild {
		if wildcard(w, s, p.fold) {
			return true
		}
	}
	return slices.ContainsFunc(p.regex, func(re *regexp.Regexp) bool { return re.MatchString(s) })
}

// matchQuery wants one of the pairs in a query. AWS compares without case, as the
// query is written and after decoding.
func matchQuery(pairs []KeyValue, query string) bool {
	for part := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(part, "=")
		key, value = unescaped(key), unescaped(value)
		for _, want := range pairs {
			if (want.Key == "" || wildcard(want.Key, key, true)) && wildcard(want.Value, value, true) {
				return true
			}
		}
	}
	return false
}

func unescaped(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// wildcard matches * (any number of characters) and ? (exactly one); a backslash
// takes either's meaning away.
func wildcard(pattern, s string, fold bool) bool {
	p, i := 0, 0
	star, mark := -1, 0
	for i < len(s) {
		if p < len(pattern) && pattern[p] == '*' {
			star, mark = p, i
			p++
			continue
		}
		if width := matchOne(pattern[p:], s[i], fold); width > 0 {
			p, i = p+width, i+1
			continue
		}
		if star < 0 {
			return false
		}
		mark++
		p, i = star+1, mark
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// matchOne returns how much of the pattern stands for the byte, or 0.
func matchOne(pattern string, b byte, fold bool) int {
	switch {
	case pattern == "":
		return 0
	case pattern[0] == '\\' && len(pattern) > 1 && (pattern[1] == '*' || pattern[1] == '?' || pattern[1] == '\\'):
		if pattern[1] == b {
			return 2
		}
		return 0
	case pattern[0] == '?' || pattern[0] == b, fold && lower(pattern[0]) == lower(b):
		return 1
	}
	return 0
}

// lower is a letter of ASCII in lower case: host names and header fields have no
// others.
func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

// rule returns the first rule that the request meets; the last meets all.
func (l *listener) rule(r *http.Request, client netip.Addr) *rule {
next:
	for _, candidate := range l.rules {
		for _, c := range candidate.conditions {
			if !c(r, client) {
				continue next
			}
		}
		return candidate
	}
	return l.rules[len(l.rules)-1]
}
