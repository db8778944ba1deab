package pattern

import (
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// value is the right side of a comparison: a number, text with wildcards, or a
// regular expression.
type value struct {
	text   string
	number float64
	isNum  bool
	glob   *regexp.Regexp
	regex  *regexp.Regexp
}

// operators, longer ones first.
var operators = []string{"!=", ">=", "<=", "=", ">", "<"}

// cutOperator takes a comparison operator from the front.
func cutOperator(text string) (string, string, bool) {
	for _, op := range operators {
		if rest, ok := strings.CutPrefix(text, op); ok {
			return op, rest, true
		}
	}
	return "", text, false
}

// parseValue reads a value up to what stop ends.
func parseValue(text string, stop func(string) bool) (value, string, error) {
	text = strings.TrimLeftFunc(text, unicode.IsSpace)
	if strings.HasPrefix(text, "%") {
		re, rest, err := regex(text)
		return value{regex: re}, rest, err
	}
	if strings.HasPrefix(text, `"`) {
		word, rest, err := quoted(text)
		return textValue(word), rest, err
	}
	end := len(text)
	for i, r := range text {
		if unicode.IsSpace(r) || stop(text[i:]) {
			end = i
			break
		}
	}
	word := text[:end]
	if word == "" {
		return value{}, "", errorf("Invalid filter pattern: a value is missing")
	}
	v := textValue(word)
	if n, err := strconv.ParseFloat(word, 64); err == nil && !math.IsNaN(n) && !math.IsInf(n, 0) {
		v.number, v.isNum = n, true
	}
	return v, text[end:], nil
}

func textValue(word string) value {
	v := value{text: word}
	if !strings.Contains(word, "*") {
		return v
	}
	parts := strings.Split(word, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	v.glob = regexp.MustCompile("(?s)^" + strings.Join(parts, ".*") + "$")
	return v
}

// compare judges have, a value of the event as text.
func (v value) compare(op, have string) bool {
	if op == "=" || op == "!=" {
		return v.equal(have) == (op == "=")
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(have), 64)
	if err != nil || !v.isNum {
		return false
	}
	switch op {
	case ">":
		return n > v.number
	case ">=":
		return n >= v.number
	case "<":
		return n < v.number
	}
	return n <= v.number
}

func (v value) equal(have string) bool {
	switch {
	case v.regex != nil:
		return v.regex.MatchString(have)
	case v.glob != nil:
		return v.glob.MatchString(have)
	case v.isNum:
		if n, err := strconv.ParseFloat(have, 64); err == nil {
			return n == v.number
		}
	}
	if have == v.text {
		return true
	}
	// An address in another notation is the same address.
	a, errA := netip.ParseAddr(have)
	b, errB := netip.ParseAddr(v.text)
	return errA == nil && errB == nil && a == b
}
