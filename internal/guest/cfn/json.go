package cfn

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// toJSON writes a value as Python's json does, which scripts compare with what the
// helpers wrote: ", " and ": " between things where indent is empty, everything
// beyond ASCII escaped. Keys are sorted.
func toJSON(v any, indent string) string {
	var b strings.Builder
	writeJSON(&b, v, indent, "")
	return b.String()
}

func writeJSON(b *strings.Builder, v any, indent, at string) {
	switch t := v.(type) {
	case map[string]any:
		keys := sorted(t)
		writeMembers(b, "{}", len(keys), indent, at, func(i int, inner string) {
			writeString(b, keys[i])
			b.WriteString(": ")
			writeJSON(b, t[keys[i]], indent, inner)
		})
	case []any:
		writeMembers(b, "[]", len(t), indent, at, func(i int, inner string) { writeJSON(b, t[i], indent, inner) })
	case string:
		writeString(b, t)
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(t))
	case json.Number:
		b.WriteString(t.String())
	default:
		fmt.Fprint(b, t)
	}
}

func writeMembers(b *strings.Builder, brackets string, n int, indent, at string, member func(i int, inner string)) {
	b.WriteByte(brackets[0])
	inner, separator := at+indent, ", "
	if indent != "" {
		separator = ",\n" + inner
	}
	for i := range n {
		switch {
		case i > 0:
			b.WriteString(separator)
		case indent != "":
			b.WriteString("\n" + inner)
		}
		member(i, inner)
	}
	if n > 0 && indent != "" {
		b.WriteString("\n" + at)
	}
	b.WriteByte(brackets[1])
}

var escapes = map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\b': `\b`, '\f': `\f`}

func writeString(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, r := range s {
		switch short, ok := escapes[r]; {
		case ok:
			b.WriteString(short)
		case r >= 0x10000:
			r -= 0x10000
			fmt.Fprintf(b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		case r < ' ' || r >= utf8.RuneSelf:
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}

func encode(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}
