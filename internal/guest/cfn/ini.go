package cfn

import (
	"strings"
)

// section is one section of a configuration file.
type section struct {
	name   string
	values map[string]string
}

// parseINI reads sections as Python's ConfigParser does: "key = value" or "key:
// value", an indented line goes on with the value above, "%%" is a percent sign.
// Sections of one name are one, in the place of the first.
func parseINI(content string, have []section) ([]section, error) {
	at, last := -1, ""
	for line := range strings.Lines(content) {
		line = strings.TrimRight(line, "\r\n")
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
		case (line[0] == ' ' || line[0] == '\t') && last != "":
			have[at].values[last] += "\n" + strings.ReplaceAll(trimmed, "%%", "%")
		case trimmed[0] == '[' && strings.Contains(trimmed, "]"):
			name := trimmed[1:strings.IndexByte(trimmed, ']')]
			at, last = -1, ""
			for i := range have {
				if have[i].name == name {
					at = i
				}
			}
			if at < 0 {
				have = append(have, section{name, map[string]string{}})
				at = len(have) - 1
			}
		case at < 0:
			return nil, said("File contains no section headers: %q", line)
		default:
			cut := strings.IndexAny(trimmed, "=:")
			if cut <= 0 {
				return nil, said("File contains parsing errors: %q", line)
			}
			last = strings.ToLower(strings.TrimSpace(trimmed[:cut]))
			have[at].values[last] = strings.ReplaceAll(strings.TrimSpace(trimmed[cut+1:]), "%%", "%")
		}
	}
	return have, nil
}
