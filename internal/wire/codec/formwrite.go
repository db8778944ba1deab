package codec

import (
	"net/url"
	"reflect"
	"strconv"

	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/plan"
)

// EncodeForm writes an operation's input as a client of the query protocol, or of
// EC2's dialect, does. Action and Version are the caller's to add.
func EncodeForm(shape *model.Shape, in any, ec2 bool) (url.Values, error) {
	out := url.Values{}
	if shape == nil {
		return out, nil
	}
	p, v, err := value(shape, in)
	if err != nil {
		return nil, err
	}
	formWriter{out: out, ec2: ec2}.structure(p, v, "")
	return out, nil
}

type formWriter struct {
	out url.Values
	ec2 bool
}

func (w formWriter) structure(p *plan.Plan, v reflect.Value, path string) {
	for i := range p.Fields {
		f := &p.Fields[i]
		if fv, ok := f.Get(v); ok {
			w.any(f.Plan, f.Member, fv, join(path, formName(f.Member, w.ec2)))
		}
	}
}

func (w formWriter) any(p *plan.Plan, m *model.Member, v reflect.Value, path string) {
	switch p.Shape.Kind {
	case model.Structure:
		w.structure(p, v, path)
	case model.List:
		w.list(p, m, v, path)
	case model.Map:
		w.mapping(p, m, v, path)
	default:
		w.out.Set(path, string(appendText(nil, p.Shape, v, timeISO)))
	}
}

func (w formWriter) list(p *plan.Plan, m *model.Member, v reflect.Value, path string) {
	if v.Len() == 0 && !w.ec2 {
		w.out.Set(path, "")
		return
	}
	if !w.ec2 && !p.Shape.Flattened && !m.Flattened {
		path = join(path, elementName(p.Shape.Element, "member"))
	}
	for i := range v.Len() {
		w.any(p.Elem, p.Shape.Element, v.Index(i), join(path, strconv.Itoa(i+1)))
	}
}

func (w formWriter) mapping(p *plan.Plan, m *model.Member, v reflect.Value, path string) {
	if !p.Shape.Flattened && !m.Flattened {
		path = join(path, "entry")
	}
	for i, key := range sortedMap(v) {
		at := join(path, strconv.Itoa(i+1))
		w.any(p.Key, p.Shape.Key, key, join(at, elementName(p.Shape.Key, "key")))
		w.any(p.Value, p.Shape.Value, v.MapIndex(key), join(at, elementName(p.Shape.Value, "value")))
	}
}
