package stack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/stack/template"
)

// forecast gives references the values that they will have, as far as it is known:
// those of resources that stay as they are.
type forecast struct{ d *differ }

// Ref implements template.Resources.
func (f forecast) Ref(id string) (any, error) {
	m, c := f.d.members[id], f.d.changes[id]
	if m == nil || c != nil && (c.Action != Modify || c.Replacement != "False") {
		return template.Unknown{Of: id}, nil
	}
	if known := f.d.content[id]; known.Ref != "" {
		return known.Ref, nil
	}
	return m.PhysicalID, nil
}

// GetAtt implements template.Resources.
func (f forecast) GetAtt(id, attribute string) (any, error) {
	if f.d.members[id] == nil || f.d.changes[id] != nil {
		return template.Unknown{Of: id + "." + attribute}, nil
	}
	if v, ok := f.d.content[id].Attributes[attribute]; ok {
		return v, nil
	}
	return template.Unknown{Of: id + "." + attribute}, nil
}

// resourceContext is what BeforeContext and AfterContext show.
type resourceContext struct {
	Properties map[string]any `json:"Properties"`
	Metadata   map[string]any `json:"Metadata,omitempty"`
}

// before is what a resource is, secrets masked.
func (d *differ) before(id string) string {
	m := d.members[id]
	if m == nil {
		return ""
	}
	c := resourceContext{Properties: map[string]any{}, Metadata: d.content[id].Metadata}
	if m.Public != "" {
		_ = decodeJSON(m.Public, &c.Properties) // written by template.JSON
	}
	return template.JSON(c)
}

// after is what a resource will be. What cannot be evaluated yet fails the
// operation, not the forecast.
func (d *differ) after(def *template.Resource) string {
	path := "/Resources/" + def.ID
	properties, err := d.shown.EvalMap(def.Properties, path+"/Properties")
	if err != nil {
		return ""
	}
	metadata, err := d.shown.EvalMap(def.Metadata, path+"/Metadata")
	if err != nil {
		return ""
	}
	if properties == nil {
		properties = map[string]any{}
	}
	return template.JSON(resourceContext{properties, metadata})
}

// evaluated are the properties that a nested stack will have.
func (d *differ) evaluated(def *template.Resource) map[string]any {
	if !d.e.Schema(def.Type).Nested {
		return nil
	}
	plain := *d.next
	plain.World, plain.Resources = nil, forecast{d}
	out, err := plain.EvalMap(def.Properties, "/Resources/"+def.ID+"/Properties")
	if err != nil {
		return nil
	}
	return out
}

func decodeJSON(text string, into any) error {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	return d.Decode(into)
}

// values splits the details of properties into one for each value that differs.
func (c *Change) values() {
	var before, after resourceContext
	if decodeJSON(c.Before, &before) != nil || decodeJSON(c.After, &after) != nil {
		return
	}
	var out []Detail
	for _, d := range c.Details {
		if d.Attribute != "Properties" {
			out = append(out, d)
			continue
		}
		leaves := compare(before.Properties[d.Name], after.Properties[d.Name], "/Properties/"+d.Name)
		if len(leaves) == 0 { // equal as shown: a secret
			leaves = []leaf{{path: "/Properties/" + d.Name, before: before.Properties[d.Name], after: after.Properties[d.Name]}}
		}
		for _, l := range leaves {
			d.Path, d.Before, d.After, d.Kind = l.path, shownValue(l.before), shownValue(l.after), l.kind()
			out = append(out, d)
		}
	}
	c.Details = out
}

// leaf is a value that differs.
type leaf struct {
	path          string
	before, after any
}

func (l leaf) kind() string {
	switch {
	case l.before == nil:
		return Add
	case l.after == nil:
		return Remove
	}
	return Modify
}

// compare walks two values as far down as both have the same shape.
func compare(a, b any, path string) []leaf {
	if reflect.DeepEqual(a, b) {
		return nil
	}
	var out []leaf
	if x, ok := a.(map[string]any); ok {
		if y, ok := b.(map[string]any); ok {
			for _, name := range slices.Sorted(maps.Keys(union(x, y))) {
				out = append(out, compare(x[name], y[name], path+"/"+name)...)
			}
			return out
		}
	}
	x, isList := a.([]any)
	y, both := b.([]any)
	if isList && both && len(x) == len(y) {
		for i := range x {
			out = append(out, compare(x[i], y[i], fmt.Sprintf("%s/%d", path, i))...)
		}
		return out
	}
	return []leaf{{path, a, b}}
}

// shownValue is a value as text: a string as it is, others as JSON.
func shownValue(v any) string {
	if v == nil {
		return ""
	}
	if text, ok := scalarText(v); ok {
		return text
	}
	return strings.TrimSpace(template.JSON(v))
}
