package validate

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
)

// patterns holds the compiled form of each pattern met.
var patterns sync.Map // string -> *regexp.Regexp

// byHand checks patterns that RE2 has no syntax for.
var byHand = map[string]func(string) bool{
	// IAM's account alias: no two hyphens in a row.
	`^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$`: func(s string) bool {
		return accountAlias.MatchString(s) && !strings.Contains(s, "--")
	},
}

var accountAlias = compile(`[a-z0-9][a-z0-9-]{1,61}[a-z0-9]`)

// matches reports whether the whole of s matches a pattern of the models, which
// are written for Java.
func matches(pattern, s string) bool {
	v, ok := patterns.Load(pattern)
	if !ok {
		if check := byHand[pattern]; check != nil {
			return check(s)
		}
		v, _ = patterns.LoadOrStore(pattern, compile(pattern))
	}
	return v.(*regexp.Regexp).MatchString(s)
}

// compile panics on a pattern that is neither RE2's nor in byHand; a test compiles
// every pattern of every table.
func compile(pattern string) *regexp.Regexp {
	return regexp.MustCompile(`\A(?:` + translate(pattern) + `)\z`)
}

// utf16Unit reads the \uXXXX that s begins with.
func utf16Unit(s string) (rune, bool) {
	if len(s) < 6 || s[:2] != `\u` {
		return 0, false
	}
	unit, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(unit), err == nil
}

// translate rewrites the one thing that Java's dialect spells differently in the
// patterns of the models: \uXXXX, where two surrogates are one character.
func translate(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '\\' || i+1 == len(pattern) {
			b.WriteByte(pattern[i])
			continue
		}
		if unit, ok := utf16Unit(pattern[i:]); ok {
			i += 5
			if low, ok := utf16Unit(pattern[i+1:]); ok && utf16.IsSurrogate(unit) {
				unit = utf16.DecodeRune(unit, low)
				i += 6
			}
			fmt.Fprintf(&b, `\x{%04X}`, unit)
			continue
		}
		b.WriteString(pattern[i : i+2])
		i++
	}
	return b.String()
}
