package template

import (
	"strings"
	"testing"
)

// subOf is {"Fn::Sub": [text, {"a": a}]}.
func subOf(text string, a any) map[string]any {
	return map[string]any{"Fn::Sub": []any{text, map[string]any{"a": a}}}
}

func nested(depth int, text string, a any) any {
	for range depth {
		a = subOf(text, a)
	}
	return a
}

// A small template must not make a large text, nor take long.
func TestTextsAreBounded(t *testing.T) {
	quoted := any("\"")
	for range 40 {
		quoted = map[string]any{"Fn::ToJsonString": []any{quoted}}
	}
	many := make([]any, 10000)
	for i := range many {
		many[i] = ""
	}
	known := &Scope{Resources: made{}, World: everywhere{}}
	for _, c := range []struct {
		name  string
		scope *Scope
		value any
		fails string // function that makes the text
	}{
		{"nested Fn::Sub, ten times as long at each level", known, nested(30, strings.Repeat("${a}", 10), "0123456789"), "Fn::Sub"},
		{"nested Fn::Sub that stays short", known, nested(60, "${a}", "x"), ""},
		{"empty variables, each evaluated once", known, nested(60, strings.Repeat("${a}", 10), ""), ""},
		{"nested Fn::Sub of what is not known yet", &Scope{}, nested(60, strings.Repeat("${a}", 10), map[string]any{"Ref": "R"}), ""},
		{"long delimiter", known, map[string]any{"Fn::Join": []any{strings.Repeat("-", 20000), many}}, "Fn::Join"},
		{"escapes of escapes", known, quoted, "Fn::ToJsonString"},
		{"secrets", known, strings.Repeat("{{resolve:ssm:a}}", 20000), "a dynamic reference"},
		{"just short enough", known, map[string]any{"Fn::Join": []any{"", []any{strings.Repeat("x", maxText)}}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := c.scope.Eval(c.value, "/P")
			message, _ := Message(err)
			switch {
			case c.fails == "" && err != nil:
				t.Error(err)
			case c.fails != "" && !strings.Contains(message, c.fails+" makes a text of more than"):
				t.Errorf("%T, %v", v, err)
			}
		})
	}
}
