package codec

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/plan"
)

// DecodeJSON fills the struct behind ptr from a JSON object. An empty body is an
// empty object. strict refuses members that the shape does not have.
func DecodeJSON(doc []byte, shape *model.Shape, ptr any, strict bool) error {
	if len(bytes.TrimSpace(doc)) == 0 {
		return nil
	}
	tree, err := parseJSON(doc)
	if err != nil {
		return err
	}
	object, ok := tree.(map[string]any)
	if !ok {
		return malformed("the body is not a JSON object")
	}
	return jsonReader{strict: strict}.document(object, shape, ptr)
}

// document fills the struct behind ptr from a whole document.
func (d jsonReader) document(object map[string]any, shape *model.Shape, ptr any) error {
	if shape == nil {
		return d.leftOver(object, "")
	}
	p, v, err := value(shape, ptr)
	if err != nil {
		return err
	}
	return d.structure(object, p, v, "")
}

func parseJSON(doc []byte) (any, error) {
	if deeperThan(doc, MaxDepth) {
		return nil, tooLarge("The JSON document is nested too deeply.")
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		return nil, malformed("%v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed("text after the JSON document")
	}
	return tree, nil
}

// deeperThan counts brackets outside strings.
func deeperThan(doc []byte, limit int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(doc); i++ {
		switch c := doc[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

type jsonReader struct{ strict bool }

func (d jsonReader) leftOver(object map[string]any, path string) error {
	first := ""
	for name := range object {
		if name != "__type" && (first == "" || name < first) {
			first = name
		}
	}
	if d.strict && first != "" {
		return unknown(join(path, first))
	}
	return nil
}

func (d jsonReader) structure(object map[string]any, p *plan.Plan, v reflect.Value, path string) error {
	for i := range p.Fields {
		f := &p.Fields[i]
		name := f.WireName()
		x, ok := object[name]
		delete(object, name)
		if !ok || x == nil {
			continue
		}
		if err := d.any(x, f.Plan, f.Settable(v), join(path, name)); err != nil {
			return err
		}
	}
	return d.leftOver(object, path)
}

func (d jsonReader) any(x any, p *plan.Plan, v reflect.Value, path string) error {
	switch p.Shape.Kind {
	case model.Structure:
		object, ok := x.(map[string]any)
		if !ok {
			return mismatch(path, x, p.Shape)
		}
		return d.structure(object, p, v, path)
	case model.List:
		return d.list(x, p, v, path)
	case model.Map:
		return d.mapping(x, p, v, path)
	}
	return jsonScalarValue(x, p.Shape, v, path)
}

func (d jsonReader) list(x any, p *plan.Plan, v reflect.Value, path string) error {
	items, ok := x.([]any)
	if !ok {
		return mismatch(path, x, p.Shape)
	}
	out := reflect.MakeSlice(p.Type, len(items), len(items))
	for i, item := range items {
		if item == nil {
			continue
		}
		if err := d.any(item, p.Elem, out.Index(i), join(path, strconv.Itoa(i+1))); err != nil {
			return err
		}
	}
	v.Set(out)
	return nil
}

func (d jsonReader) mapping(x any, p *plan.Plan, v reflect.Value, path string) error {
	object, ok := x.(map[string]any)
	if !ok {
		return mismatch(path, x, p.Shape)
	}
	v.Set(reflect.MakeMapWithSize(p.Type, len(object)))
	for name, item := range object {
		if item == nil {
			continue
		}
		key, val := reflect.New(p.Key.Type).Elem(), reflect.New(p.Value.Type).Elem()
		key.SetString(name)
		if err := d.any(item, p.Value, val, join(path, name)); err != nil {
			return err
		}
		v.SetMapIndex(key, val)
	}
	return nil
}

func jsonScalarValue(x any, sh *model.Shape, v reflect.Value, path string) error {
	switch x := x.(type) {
	case string:
		switch sh.Kind {
		case model.String, model.Timestamp, model.Float, model.Double:
			return setText(v, sh, x, path)
		case model.Blob:
			raw, err := base64.StdEncoding.DecodeString(x)
			if err != nil {
				return badValue(path, x, sh.Kind)
			}
			v.SetBytes(raw)
			return nil
		}
	case json.Number:
		switch sh.Kind {
		case model.Integer, model.Long:
			return setText(v, sh, strings.TrimSuffix(x.String(), ".0"), path)
		case model.Float, model.Double, model.Timestamp:
			return setText(v, sh, x.String(), path)
		}
	case bool:
		if sh.Kind == model.Boolean {
			v.SetBool(x)
			return nil
		}
	}
	return mismatch(path, x, sh)
}

func mismatch(path string, x any, sh *model.Shape) error {
	text, err := json.Marshal(x)
	if err != nil {
		text = []byte("?")
	}
	return badValue(path, string(text), sh.Kind)
}
