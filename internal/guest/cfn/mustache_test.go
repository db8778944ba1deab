package cfn

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestMustache(t *testing.T) {
	context := map[string]any{}
	if err := json.Unmarshal([]byte(`{"name":"a<b>&\"'","yes":true,"no":false,"empty":"","none":[],"n":3,
		"list":["x","y"],"people":[{"name":"Ann"},{"name":"Bo","age":2}],"deep":{"er":{"est":"bottom"}},"dotted.key":"whole"}`), &context); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"escaped", "{{name}}", "a&lt;b&gt;&amp;&quot;&#x27;"},
		{"raw", "{{{name}}} {{&name}} {{& name }}", `a<b>&"' a<b>&"' a<b>&"'`},
		{"absent", "[{{absent}}{{deep.absent.x}}]", "[]"},
		{"dotted", "{{deep.er.est}} {{dotted.key}}", "bottom whole"},
		{"values", "{{yes}} {{no}} {{n}}", "True False 3"},
		{"comment", "a{{! no\nmore }}b", "ab"},
		{"section", "{{#yes}}1{{/yes}}{{#no}}2{{/no}}{{#empty}}3{{/empty}}{{#none}}4{{/none}}{{#deep}}{{er.est}}{{/deep}}", "1bottom"},
		{"inverted", "{{^yes}}1{{/yes}}{{^no}}2{{/no}}{{^absent}}3{{/absent}}{{^none}}4{{/none}}", "234"},
		{"list", "{{#list}}<{{.}}>{{/list}}", "<x><y>"},
		{"objects", "{{#people}}{{name}}{{#age}} {{age}}{{/age}}{{^age}} -{{/age}};{{n}}\n{{/people}}", "Ann -;3\nBo 2;3\n"},
		{"alone on lines", "a\n  {{#yes}}  \nb\n{{/yes}}\nc\n{{! x }}\nd\r\n{{^yes}}\r\n{{/yes}}\r\ne", "a\nb\nc\nd\r\ne"},
		{"beside text", "{{#yes}} x {{/yes}}\n", " x \n"},
		{"partial", "a{{> other }}b", "ab"},
		{"delimiters", "{{=<% %>=}}<%n%> {{n}}<%={{ }}=%>{{n}}", "3 {{n}}3"},
		{"shell stays", "echo ${HOME} {a}", "echo ${HOME} {a}"},
	} {
		got, err := mustache(tt.text, context)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
	for name, text := range map[string]string{"open": "{{", "empty": "{{}}", "not closed": "{{#a}}", "not opened": "{{/a}}",
		"crossed": "{{#a}}{{#b}}{{/a}}{{/b}}", "delimiters": "{{=a=}}", "deep": strings.Repeat("{{#a}}", 200)} {
		if got, err := mustache(text, context); err == nil {
			t.Errorf("%s: rendered %q", name, got)
		}
	}
}

func FuzzMustache(f *testing.F) {
	f.Add("a {{#x}}{{.}}{{/x}} {{^y}}{{{z}}}{{/y}} {{=<% %>=}}<% x %>")
	f.Fuzz(func(_ *testing.T, text string) {
		_, _ = mustache(text, map[string]any{"x": []any{"1", map[string]any{"z": true}}, "z": "<"})
	})
}
