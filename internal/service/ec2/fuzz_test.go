package ec2

import (
	"bytes"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
)

func TestWildcard(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"**", "abc", true}, {"a*c", "abc", true}, {"a*c", "abcd", false}, {"*b*", "abc", true},
		{"?", "é", true}, {"?", "", false}, {"a?c", "abc", true}, {`a\*c`, "a*c", true}, {`a\*c`, "abc", false}, {`\?`, "?", true}, {`a\`, `a\`, true}, {`\\`, `\`, true},
		{"a*b?d", "aabbcd", true}, {"*aab", "aaab", true}, {"web-*-1", "web-x-2-1", true},
		{strings.Repeat("*a", 2000) + "b", strings.Repeat("a", 5000), false}, // in no time at all
	} {
		if got := wildcard(c.pattern, c.s); got != c.want {
			t.Errorf("wildcard(%.20q, %.20q) = %v", c.pattern, c.s, got)
		}
	}
}

// FuzzWildcard compares with regexp.
func FuzzWildcard(f *testing.F) {
	for _, p := range []string{"a*b", `\*`, "?*?", "**", `x\\`, "é?"} {
		f.Add(p, "a b*éx")
	}
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(pattern) > 50 || len(s) > 200 || !valid(pattern) || !valid(s) {
			return
		}
		var re strings.Builder
		re.WriteString(`(?s)\A`)
		for i, runes := 0, []rune(pattern); i < len(runes); i++ {
			switch r := runes[i]; {
			case r == '*':
				re.WriteString(".*")
			case r == '?':
				re.WriteString(".")
			case r == '\\' && i+1 < len(runes):
				i++
				re.WriteString(regexp.QuoteMeta(string(runes[i])))
			default:
				re.WriteString(regexp.QuoteMeta(string(r)))
			}
		}
		want := regexp.MustCompile(re.String() + `\z`).MatchString(s)
		if got := wildcard(pattern, s); got != want {
			t.Errorf("wildcard(%q, %q) = %v", pattern, s, got)
		}
	})
}

// valid leaves out what regexp reads as U+FFFD.
func valid(s string) bool { return strings.ToValidUTF8(s, "") == s }

func FuzzDecodeUserData(f *testing.F) {
	for _, s := range []string{"", "aGVsbG8=", "aGVs\nbG8=", "=", "aGVsbG8", strings.Repeat("A", 4*(maxUserData/3)+8)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := decodeUserData(s)
		if err != nil {
			return
		}
		if len(got) > maxUserData {
			t.Fatalf("%d bytes", len(got))
		}
		again, err := decodeUserData(base64.StdEncoding.EncodeToString(got))
		if err != nil || !bytes.Equal(again, got) {
			t.Errorf("%q becomes %q: %v", got, again, err)
		}
	})
}
