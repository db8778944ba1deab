package units

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
	"time"
)

// logicalLines yields lines without comments and with continuations joined.
func logicalLines(content string) func(func(string) bool) {
	return func(yield func(string) bool) {
		var joined string
		lines := bufio.NewScanner(strings.NewReader(content))
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			line := strings.TrimSpace(lines.Text())
			if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
				continue
			}
			if rest, ok := strings.CutSuffix(line, `\`); ok {
				joined += rest + " "
				continue
			}
			line = strings.TrimSpace(joined + line)
			joined = ""
			if line != "" && !yield(line) {
				return
			}
		}
	}
}

// split takes a command line apart as systemd does: quotes group, backslash
// escapes, variables stay.
func split(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	open, quote := false, byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s) && quote != '\'':
			i++
			word.WriteByte(unescape(s[i]))
			open = true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, open = c, true
		case quote == 0 && (c == ' ' || c == '\t'):
			if open {
				words = append(words, word.String())
				word.Reset()
				open = false
			}
		default:
			word.WriteByte(c)
			open = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("unbalanced quotes in %q", s)
	}
	if open {
		words = append(words, word.String())
	}
	return words, nil
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 't':
		return '\t'
	case 's':
		return ' '
	}
	return c
}

func isTrue(s string) bool { return slices.Contains([]string{"yes", "true", "1", "on"}, s) }

// duration reads systemd's spans: "5", "5s", "1min 30s", "infinity".
func duration(s string) (time.Duration, error) {
	if s == "infinity" {
		return 1<<63 - 1, nil
	}
	units := map[string]time.Duration{"": time.Second, "s": time.Second, "sec": time.Second, "ms": time.Millisecond,
		"m": time.Minute, "min": time.Minute, "h": time.Hour, "hr": time.Hour}
	var total time.Duration
	for _, f := range strings.Fields(s) {
		n := strings.TrimRight(f, "abcdefghijklmnopqrstuvwxyz")
		unit, ok := units[f[len(n):]]
		var count float64
		if _, err := fmt.Sscanf(n, "%g", &count); err != nil || !ok {
			return 0, fmt.Errorf("%q is not a time span", s)
		}
		total += time.Duration(count * float64(unit))
	}
	return total, nil
}
