package stack_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/stack"
)

type ruleProperties struct {
	IpProtocol string `cfn:",required"`
	FromPort   *int32
}

type groupProperties struct {
	Name     *string          `cfn:"GroupName,createOnly"`
	Public   *bool            `cfn:"Public"`
	Rules    []ruleProperties `cfn:"Ingress"`
	Ids      []string
	Policy   json.RawMessage
	Labels   map[string]string
	Weight   float64
	Anything any
	Tags     []stack.Tag
}

func ptr[T any](v T) *T { return &v }

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		name, props, err string
		want             groupProperties
	}{
		{name: "number as text and text as number", props: `{"Ingress":[{"IpProtocol":6,"FromPort":"22"}],"GroupName":8000}`,
			want: groupProperties{Name: ptr("8000"), Rules: []ruleProperties{{IpProtocol: "6", FromPort: ptr(int32(22))}}}},
		{name: "boolean as text", props: `{"Public":"true"}`, want: groupProperties{Public: ptr(true)}},
		{name: "policy object", props: `{"Policy":{"Version":"2012-10-17"}}`,
			want: groupProperties{Policy: json.RawMessage(`{"Version":"2012-10-17"}`)}},
		{name: "policy text", props: `{"Policy":"{}"}`, want: groupProperties{Policy: json.RawMessage(`{}`)}},
		{name: "map", props: `{"Labels":{"a":1}}`, want: groupProperties{Labels: map[string]string{"a": "1"}}},
		{name: "null is absent", props: `{"GroupName":null}`},
		{name: "unknown property", props: `{"Foo":1}`, err: "Encountered unsupported property Foo"},
		{name: "unknown nested property", props: `{"Ingress":[{"IpProtocol":"tcp","Port":1}]}`, err: "Encountered unsupported property Ingress.Port"},
		{name: "missing nested property", props: `{"Ingress":[{}]}`, err: "Property validation failure: [The property {/Ingress/IpProtocol} is required]"},
		{name: "list expected", props: `{"Ids":"a"}`, err: "Value of property Ids must be of type List of String"},
		{name: "string expected", props: `{"GroupName":["a"]}`, err: "Value of property GroupName must be of type String"},
		{name: "integer expected", props: `{"Ingress":[{"IpProtocol":"tcp","FromPort":"ssh"}]}`, err: "Value of property Ingress.FromPort must be of type Integer"},
		{name: "boolean expected", props: `{"Public":"yes"}`, err: "Value of property Public must be of type Boolean"},
		{name: "object expected", props: `{"Ingress":["a"]}`, err: "Value of property Ingress must be an object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var props map[string]any
			d := json.NewDecoder(strings.NewReader(c.props))
			d.UseNumber()
			if err := d.Decode(&props); err != nil {
				t.Fatal(err)
			}
			var got groupProperties
			err := stack.Decode(props, &got)
			if text := errText(err); text != c.err {
				t.Fatalf("error %q, want %q", text, c.err)
			}
			if err == nil && !reflect.DeepEqual(got, c.want) {
				t.Error(cmp.Diff(c.want, got))
			}
		})
	}
}

func TestSchemaOf(t *testing.T) {
	s := stack.SchemaOf(ruleProperties{})
	if !reflect.DeepEqual(s.Properties, []string{"IpProtocol", "FromPort"}) || !reflect.DeepEqual(s.Required, []string{"IpProtocol"}) {
		t.Errorf("SchemaOf = %+v", s)
	}
	if s := stack.SchemaOf(groupProperties{}); !reflect.DeepEqual(s.CreateOnly, []string{"GroupName"}) {
		t.Errorf("CreateOnly = %v", s.CreateOnly)
	}
}

func TestGeneratedName(t *testing.T) {
	r := stack.Request{StackName: "mystack", LogicalID: "Role", Token: "t"}
	name := r.Name(64)
	if len(name) != len("mystack-Role-")+12 || name != r.Name(64) {
		t.Errorf("Name = %q, then %q", name, r.Name(64))
	}
	r.StackName = "a-very-long-stack-name-that-does-not-fit-into-the-limit"
	if got := r.LowerName(32); len(got) != 32 || got[len(got)-13:] != strings.ToLower(name[len(name)-13:]) {
		t.Errorf("LowerName(32) = %q (%d)", got, len(got))
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"GroupName":"a","Ingress":[{"IpProtocol":6,"FromPort":"22"}],"Labels":{"a":true},"Weight":"1e9","Policy":"{}"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var props map[string]any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if d.Decode(&props) != nil {
			return
		}
		var got groupProperties
		var property *stack.PropertyError
		if err := stack.Decode(props, &got); err != nil && !errors.As(err, &property) {
			t.Fatalf("%T: %v", err, err)
		}
	})
}
