package model_test

import (
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws/model"
)

const head = `{"service":"x","signingNames":["x"],"protocol":"json"}` + "\n"

func TestParse(t *testing.T) {
	s, err := model.Parse([]byte(head + `{"op":"Get","in":"In","errors":["Gone"]}
{"op":"Put","nameOnly":true}
{"shape":"Gone","is":"exception","code":"Gone","status":404}
{"shape":"In","is":"structure","members":[{"n":"name","s":"string","req":true},{"n":"inner","s":"In"}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	in := s.Operations["Get"].Input
	if m := in.Member("name"); m.FieldName() != "Name" || !m.Required || m.Shape.Kind != model.String {
		t.Errorf("member: %+v", m)
	}
	if in.Member("inner").Shape != in {
		t.Error("a shape that contains itself is not linked to itself")
	}
	if s.Operations["Put"].Modelled || !s.Operations["Get"].Modelled {
		t.Error("name-only operations are not told apart")
	}
	if s.ErrorStatus("Gone") != 404 {
		t.Error("the error's status is lost")
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, table, want string }{
		{"no service", "nonsense", "service table"},
		{"bad line", head + `{"op":`, "unexpected end"},
		{"unknown shape", head + `{"op":"Get","in":"In"}`, `unknown shape "In"`},
		{"unknown member", head + `{"shape":"In","is":"structure","members":[{"n":"a","s":"B"}]}`, `unknown shape "B"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := model.Parse([]byte(tt.table))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}
