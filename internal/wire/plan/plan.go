// Package plan ties the shapes of a model to the Go types generated from it, so
// that codecs and validation walk both at once.
//
// It owns a cache of compiled plans; a plan is made at the first use of a pair
// and never changes. It imports aws/model. Codec and validate enter at Of and
// walk Fields, Elem, Key and Value.
package plan

import (
	"fmt"
	"io"
	"reflect"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/aws/model"
)

// Plan is a shape and the Go type of its values (never a pointer).
type Plan struct {
	Shape  *model.Shape
	Type   reflect.Type
	Fields []Field // of structures, in the model's order
	Elem   *Plan   // of lists
	Key    *Plan   // of maps
	Value  *Plan   // of maps
}

// Field is a member and the struct field that holds it.
type Field struct {
	*model.Member
	Index int
	Plan  *Plan // nil for streams
}

// Get returns the value of the field in v, pointers followed. ok is false when
// the member is absent: a nil pointer, list, map or stream, or an empty enum.
func (f *Field) Get(v reflect.Value) (value reflect.Value, ok bool) {
	fv := v.Field(f.Index)
	switch fv.Kind() {
	case reflect.Pointer:
		if fv.IsNil() {
			return fv, false
		}
		return fv.Elem(), true
	case reflect.String:
		return fv, fv.Len() > 0
	case reflect.Slice, reflect.Map, reflect.Interface:
		return fv, !fv.IsNil()
	}
	return fv, true
}

// Settable returns the place to store the member's value in v, made if it is
// behind a nil pointer.
func (f *Field) Settable(v reflect.Value) reflect.Value {
	fv := v.Field(f.Index)
	if fv.Kind() != reflect.Pointer {
		return fv
	}
	if fv.IsNil() {
		fv.Set(reflect.New(fv.Type().Elem()))
	}
	return fv.Elem()
}

type pair struct {
	shape *model.Shape
	typ   reflect.Type
}

var (
	mu    sync.RWMutex
	cache = map[pair]*Plan{}
)

// Of returns the plan for values of typ under shape. A type that does not fit
// was not generated from the shape, which is a programming error.
func Of(shape *model.Shape, typ reflect.Type) (*Plan, error) {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	mu.RLock()
	p := cache[pair{shape, typ}]
	mu.RUnlock()
	if p != nil {
		return p, nil
	}
	mu.Lock()
	defer mu.Unlock()
	made := map[pair]*Plan{}
	p, err := compile(shape, typ, made)
	if err != nil {
		return nil, err
	}
	for k, v := range made {
		cache[k] = v
	}
	return p, nil
}

// compile fills made, which also ends the recursion of shapes that contain
// themselves.
func compile(shape *model.Shape, typ reflect.Type, made map[pair]*Plan) (*Plan, error) {
	k := pair{shape, typ}
	if p := cache[k]; p != nil {
		return p, nil
	}
	if p := made[k]; p != nil {
		return p, nil
	}
	p := &Plan{Shape: shape, Type: typ}
	made[k] = p
	var err error
	switch shape.Kind {
	case model.Structure:
		err = p.fields(made)
	case model.List:
		if typ.Kind() != reflect.Slice {
			return nil, misfit(shape, typ)
		}
		p.Elem, err = compile(shape.Element.Shape, typ.Elem(), made)
	case model.Map:
		if typ.Kind() != reflect.Map {
			return nil, misfit(shape, typ)
		}
		if p.Key, err = compile(shape.Key.Shape, typ.Key(), made); err == nil {
			p.Value, err = compile(shape.Value.Shape, typ.Elem(), made)
		}
	default:
		if !fits(shape.Kind, typ) {
			return nil, misfit(shape, typ)
		}
	}
	return p, err
}

func (p *Plan) fields(made map[pair]*Plan) error {
	if p.Type.Kind() != reflect.Struct {
		return misfit(p.Shape, p.Type)
	}
	for _, m := range p.Shape.Members {
		sf, ok := p.Type.FieldByName(m.FieldName())
		if !ok {
			return fmt.Errorf("%s has no field for the member %s of %s", p.Type, m.Name, p.Shape.Name)
		}
		f := Field{Member: m, Index: sf.Index[0]}
		if !m.Streaming {
			t := sf.Type
			if t.Kind() == reflect.Pointer {
				t = t.Elem()
			}
			var err error
			if f.Plan, err = compile(m.Shape, t, made); err != nil {
				return err
			}
		} else if !sf.Type.Implements(reflect.TypeFor[io.Reader]()) {
			return misfit(m.Shape, sf.Type)
		}
		p.Fields = append(p.Fields, f)
	}
	return nil
}

func misfit(shape *model.Shape, typ reflect.Type) error {
	return fmt.Errorf("the Go type %s does not fit the shape %s (%s)", typ, shape.Name, shape.Kind)
}

func fits(kind model.Kind, typ reflect.Type) bool {
	switch kind {
	case model.String:
		return typ.Kind() == reflect.String
	case model.Integer:
		return typ.Kind() == reflect.Int32
	case model.Long:
		return typ.Kind() == reflect.Int64
	case model.Float, model.Double:
		return typ.Kind() == reflect.Float64
	case model.Boolean:
		return typ.Kind() == reflect.Bool
	case model.Timestamp:
		return typ == reflect.TypeFor[time.Time]()
	case model.Blob:
		return typ == reflect.TypeFor[[]byte]()
	}
	return false
}
