package route53

import (
	"fmt"
	"strings"
)

// canonical is a name as zones keep it: in lower case, with a final dot, without
// escapes (\052.example.com is *.example.com).
func canonical(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+3 < len(s) {
			var n int
			if _, err := fmt.Sscanf(s[i+1:i+4], "%03o", &n); err == nil && n < 256 {
				c, i = byte(n), i+3
			}
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	if out := b.String(); strings.HasSuffix(out, ".") {
		return out
	}
	return b.String() + "."
}

// shown is a canonical name as answers write it: what is not a letter, a digit, a
// hyphen, an underscore or a dot as an octal escape.
func shown(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\%03o`, c)
		}
	}
	return b.String()
}

// reversed turns the labels round, com.example.www., which is the order of lists.
func reversed(name string) string {
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	for i, j := 0, len(labels)-1; i < j; i, j = i+1, j-1 {
		labels[i], labels[j] = labels[j], labels[i]
	}
	return strings.Join(labels, ".") + "."
}

// within reports whether a name is the zone's own or below it.
func within(name, zone string) bool { return name == zone || strings.HasSuffix(name, "."+zone) }

const (
	maxName  = 255
	maxLabel = 63
)

// badName tells what is wrong with a canonical name in DNS's terms, "" for nothing.
func badName(name string) string {
	if len(name) > maxName {
		return "DomainNameTooLong (Domain name is too long)"
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		switch {
		case label == "":
			return "DomainLabelEmpty (Domain label is empty)"
		case len(label) > maxLabel:
			return "DomainLabelTooLong (Domain label is too long)"
		case strings.ContainsFunc(label, func(r rune) bool { return r <= ' ' || r > '~' }):
			return "UnsupportedCharacter (Value contains unsupported characters)"
		}
	}
	return ""
}
