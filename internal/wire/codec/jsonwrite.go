package codec

import (
	"encoding/base64"
	"reflect"
	"time"
	"unicode/utf8"

	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/plan"
)

// AppendJSON appends the struct behind ptr as a JSON object; lists writes its
// top-level lists even when they are nil.
func AppendJSON(b []byte, shape *model.Shape, ptr any, lists bool) ([]byte, error) {
	if shape == nil {
		return append(b, "{}"...), nil
	}
	p, v, err := value(shape, ptr)
	if err != nil {
		return b, err
	}
	return jsonStructure(b, p, v, lists), nil
}

func jsonStructure(b []byte, p *plan.Plan, v reflect.Value, lists bool) []byte {
	b = append(b, '{')
	first := true
	for i := range p.Fields {
		f := &p.Fields[i]
		fv, ok := f.Get(v)
		if !ok && !(lists && f.Plan.Shape.Kind == model.List) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(AppendJSONString(b, f.WireName()), ':')
		b = jsonAny(b, f.Plan, fv)
	}
	return append(b, '}')
}

func jsonAny(b []byte, p *plan.Plan, v reflect.Value) []byte {
	switch p.Shape.Kind {
	case model.Structure:
		return jsonStructure(b, p, v, false)
	case model.List:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = jsonAny(b, p.Elem, v.Index(i))
		}
		return append(b, ']')
	case model.Map:
		b = append(b, '{')
		for i, key := range sortedMap(v) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(AppendJSONString(b, key.String()), ':')
			b = jsonAny(b, p.Value, v.MapIndex(key))
		}
		return append(b, '}')
	}
	return jsonScalar(b, p.Shape, v)
}

func jsonScalar(b []byte, sh *model.Shape, v reflect.Value) []byte {
	switch sh.Kind {
	case model.String:
		return AppendJSONString(b, v.String())
	case model.Timestamp:
		if sh.TimestampFormat == timeISO || sh.TimestampFormat == timeHTTP {
			return append(appendTime(append(b, '"'), v.Interface().(time.Time), sh.TimestampFormat), '"')
		}
		return appendEpoch(b, v.Interface().(time.Time))
	case model.Blob:
		return append(base64.StdEncoding.AppendEncode(append(b, '"'), v.Bytes()), '"')
	case model.Float, model.Double:
		if f := v.Float(); f-f != 0 { // NaN or infinite: JSON has no number for them
			return append(appendFloat(append(b, '"'), f), '"')
		}
	}
	return appendText(b, sh, v, timeUnix)
}

// AppendJSONString appends s as a JSON string.
func AppendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\':
			i++
			continue
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += n
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}
