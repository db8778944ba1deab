package awscli

import "strings"

// structure reads the CLI's shorthand a=b,c="d, e",f=g,h,i=[j,k]: a value that words
// without = follow is a list. Structures in structures are not known here.
func structure(text string) (map[string]any, bool) {
	out := map[string]any{}
	last := ""
	for text != "" {
		name, rest, found := strings.Cut(text, "=")
		if comma := strings.IndexByte(text, ','); !found || comma >= 0 && comma < len(name) || strings.HasPrefix(text, `"`) || strings.HasPrefix(text, "'") {
			// One more value of the list before.
			value, more, ok := scalarOf(text)
			if !ok || last == "" {
				return nil, false
			}
			list, isList := out[last].([]any)
			if !isList {
				list = []any{out[last]}
			}
			out[last], text = append(list, value), more
			continue
		}
		if name == "" || strings.ContainsAny(name, `"'[{`) {
			return nil, false
		}
		last = strings.TrimSpace(name)
		if inside, ok := strings.CutPrefix(rest, "["); ok {
			list, more, closed := strings.Cut(inside, "]")
			if !closed || strings.ContainsAny(list, "[{") {
				return nil, false
			}
			values := []any{}
			for list != "" {
				var value string
				if value, list, ok = scalarOf(list); !ok {
					return nil, false
				}
				values = append(values, value)
			}
			if more != "" && more[0] != ',' {
				return nil, false
			}
			out[last], text = values, strings.TrimPrefix(more, ",")
			continue
		}
		value, more, ok := scalarOf(rest)
		if !ok {
			return nil, false
		}
		out[last], text = value, more
	}
	return out, len(out) > 0
}

// scalarOf takes one value, which may be quoted, and the comma behind it.
func scalarOf(text string) (value, rest string, ok bool) {
	if text != "" && (text[0] == '"' || text[0] == '\'') {
		end := strings.IndexByte(text[1:], text[0])
		if end < 0 {
			return "", "", false
		}
		value, rest = text[1:end+1], text[end+2:]
		return value, strings.TrimPrefix(rest, ","), rest == "" || rest[0] == ','
	}
	value, rest, _ = strings.Cut(text, ",")
	return value, rest, !strings.ContainsAny(value, "[{")
}
