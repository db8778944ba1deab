package e2e

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// find follows a path of member names, in any case, and list positions. A last
// step # counts.
func find(v any, path string) (any, bool) {
	for part := range strings.SplitSeq(path, ".") {
		switch w := v.(type) {
		case map[string]any:
			if part == "#" {
				return float64(len(w)), true
			}
			found := false
			for name, value := range w {
				if strings.EqualFold(name, part) {
					v, found = value, true
				}
			}
			if !found {
				return nil, false
			}
		case []any:
			if part == "#" {
				return float64(len(w)), true
			}
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(w) {
				return nil, false
			}
			v = w[i]
		case nil:
			if part == "#" {
				return float64(0), true
			}
			return nil, false
		default:
			return nil, false
		}
	}
	return v, v != nil
}

// text is a value as stories write it.
func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	doc, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(doc)
}

// judge checks an answer. again says that an until is not satisfied yet.
func judge(answer any, checks []check, vars map[string]string) (again bool, err error) {
	for _, c := range checks {
		if c.verb == "var" {
			continue
		}
		value, ok := find(answer, c.path)
		if strings.HasSuffix(c.path, "#") && !ok {
			value, ok = float64(0), true
		}
		want, err := fill(c.value, vars, false)
		if err != nil {
			return false, err
		}
		switch {
		case c.verb == "want" && ok && text(value) == want:
		case c.verb == "has" && ok && strings.Contains(text(value), want):
		case c.verb == "lacks" && (!ok || text(value) == "" || text(value) == "[]" || text(value) == "{}"):
		case c.verb == "until" && ok && text(value) == want:
		case c.verb == "until":
			return true, fmt.Errorf("until %s %s: it is %s", c.path, want, text(value))
		default:
			return false, fmt.Errorf("%s %s %s: it is %s", c.verb, c.path, want, text(value))
		}
	}
	return false, nil
}

// keep sets the variables of an answer.
func keep(answer any, checks []check, vars map[string]string) error {
	for _, c := range checks {
		if c.verb != "var" {
			continue
		}
		value, ok := find(answer, c.value)
		if !ok {
			return fmt.Errorf("var %s: nothing at %s", c.path, c.value)
		}
		vars[c.path] = text(value)
	}
	return nil
}
