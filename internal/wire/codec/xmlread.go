package codec

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"reflect"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/plan"
)

// Element is a parsed XML element. Namespaces are dropped: AWS's documents never
// use two for one name.
type Element struct {
	Name string
	Text string
	Kids []*Element

	attrs []xml.Attr
}

// Child returns the first child with the name, or nil.
func (e *Element) Child(name string) *Element {
	if e == nil {
		return nil
	}
	for _, k := range e.Kids {
		if k.Name == name {
			return k
		}
	}
	return nil
}

// maxElements bounds a document's tree; the largest that S3 takes is a
// DeleteObjects request of 1,000 keys.
const maxElements = 100_000

// ParseXML reads one document.
func ParseXML(doc []byte) (*Element, error) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	var root *Element
	var open []*Element
	for n := 0; ; n++ {
		if n > maxElements {
			return nil, tooLarge("The XML document has too many elements.")
		}
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, malformed("%v", err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			e := &Element{Name: t.Name.Local, attrs: t.Attr}
			switch {
			case len(open) >= MaxDepth:
				return nil, tooLarge("The XML document is nested too deeply.")
			case len(open) > 0:
				parent := open[len(open)-1]
				parent.Kids = append(parent.Kids, e)
			case root != nil:
				return nil, malformed("more than one root element")
			default:
				root = e
			}
			open = append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].Text += string(t)
			}
		}
	}
	if root == nil {
		return nil, malformed("no root element")
	}
	return root, nil
}

// Decode fills the struct behind ptr from e's children. strict refuses children
// that the shape does not have: servers are strict, clients are not.
func (e *Element) Decode(shape *model.Shape, ptr any, strict bool) error {
	if shape == nil {
		return nil
	}
	p, v, err := value(shape, ptr)
	if err != nil {
		return err
	}
	return xmlReader{strict}.structure(e, p, v, "")
}

type xmlReader struct{ strict bool }

func (d xmlReader) structure(e *Element, p *plan.Plan, v reflect.Value, path string) error {
	fields := map[string]*plan.Field{}
	for i := range p.Fields {
		f := &p.Fields[i]
		switch {
		case f.Attribute:
			if err := d.attribute(e, f, v, path); err != nil {
				return err
			}
		case f.Location == model.Body && f.Plan != nil:
			fields[f.WireName()] = f
		}
	}
	for _, kid := range e.Kids {
		f := fields[kid.Name]
		if f == nil {
			if d.strict {
				return unknown(join(path, kid.Name))
			}
			continue
		}
		if err := d.field(kid, f, v, join(path, kid.Name)); err != nil {
			return err
		}
	}
	return nil
}

func (d xmlReader) attribute(e *Element, f *plan.Field, v reflect.Value, path string) error {
	_, local, found := strings.Cut(f.WireName(), ":")
	if !found {
		local = f.WireName()
	}
	for _, a := range e.attrs {
		if a.Name.Local == local {
			return setText(f.Settable(v), f.Plan.Shape, a.Value, join(path, local))
		}
	}
	return nil
}

// field stores one child; the elements of a flattened list arrive one by one.
func (d xmlReader) field(e *Element, f *plan.Field, v reflect.Value, path string) error {
	target := f.Settable(v)
	flat := f.Flattened || f.Plan.Shape.Flattened
	switch {
	case flat && f.Plan.Shape.Kind == model.List:
		return d.appendElement(e, f.Plan, target, path)
	case flat && f.Plan.Shape.Kind == model.Map:
		return d.entry(e, f.Plan, target, path)
	}
	return d.any(e, f.Plan, target, path)
}

func (d xmlReader) any(e *Element, p *plan.Plan, v reflect.Value, path string) error {
	switch p.Shape.Kind {
	case model.Structure:
		return d.structure(e, p, v, path)
	case model.List:
		v.Set(reflect.MakeSlice(p.Type, 0, len(e.Kids)))
		for _, kid := range e.Kids {
			if err := d.appendElement(kid, p, v, join(path, kid.Name)); err != nil {
				return err
			}
		}
		return nil
	case model.Map:
		for _, kid := range e.Kids {
			if err := d.entry(kid, p, v, path); err != nil {
				return err
			}
		}
		return nil
	}
	if len(e.Kids) > 0 && d.strict {
		return unknown(join(path, e.Kids[0].Name))
	}
	return setText(v, p.Shape, e.Text, path)
}

func (d xmlReader) appendElement(e *Element, p *plan.Plan, v reflect.Value, path string) error {
	item := reflect.New(p.Elem.Type).Elem()
	if err := d.any(e, p.Elem, item, path); err != nil {
		return err
	}
	v.Set(reflect.Append(v, item))
	return nil
}

func (d xmlReader) entry(e *Element, p *plan.Plan, v reflect.Value, path string) error {
	key, val := reflect.New(p.Key.Type).Elem(), reflect.New(p.Value.Type).Elem()
	if k := e.Child(elementName(p.Shape.Key, "key")); k != nil {
		if err := d.any(k, p.Key, key, path); err != nil {
			return err
		}
	}
	if x := e.Child(elementName(p.Shape.Value, "value")); x != nil {
		if err := d.any(x, p.Value, val, path); err != nil {
			return err
		}
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(p.Type))
	}
	v.SetMapIndex(key, val)
	return nil
}
