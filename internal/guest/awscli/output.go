package awscli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// print writes a result as --query and --output say.
func (c *call) print(result any) error {
	if c.query != "" {
		query, err := parseQuery(c.query)
		if err != nil {
			return err
		}
		result = query(result)
	}
	if c.output == "text" {
		for _, line := range textLines(result) {
			fmt.Fprintln(c.cli.Stdout, line)
		}
		return nil
	}
	if result == nil {
		fmt.Fprintln(c.cli.Stdout, "null")
		return nil
	}
	enc := json.NewEncoder(c.cli.Stdout)
	enc.SetIndent("", "    ")
	enc.SetEscapeHTML(false)
	return enc.Encode(result)
}

// textLines is the text output: scalars by tabs, lists of lists line by line,
// structures as NAME and their values.
func textLines(v any) []string {
	switch t := v.(type) {
	case []any:
		var scalars []string
		var lines []string
		for _, e := range t {
			switch e.(type) {
			case []any, map[string]any:
				lines = append(lines, textLines(e)...)
			default:
				scalars = append(scalars, scalar(e))
			}
		}
		if len(scalars) > 0 {
			lines = append([]string{strings.Join(scalars, "\t")}, lines...)
		}
		return lines
	case map[string]any:
		return fields("", t)
	}
	return []string{scalar(v)}
}

func fields(name string, m map[string]any) []string {
	var scalars, lines []string
	for _, key := range sortedKeys(m) {
		switch t := m[key].(type) {
		case map[string]any:
			lines = append(lines, fields(strings.ToUpper(key), t)...)
		case []any:
			for _, e := range t {
				if inner, ok := e.(map[string]any); ok {
					lines = append(lines, fields(strings.ToUpper(key), inner)...)
				} else {
					lines = append(lines, strings.ToUpper(key)+"\t"+scalar(e))
				}
			}
		default:
			scalars = append(scalars, scalar(t))
		}
	}
	if name != "" {
		scalars = append([]string{name}, scalars...)
	}
	if len(scalars) == 0 {
		return lines
	}
	return append([]string{strings.Join(scalars, "\t")}, lines...)
}

func scalar(v any) string {
	switch t := v.(type) {
	case nil:
		return "None"
	case bool:
		if t {
			return "True"
		}
		return "False"
	case float64:
		return strconv.FormatFloat(t, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
