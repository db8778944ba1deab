package codec

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/plan"
)

// decMode bounds what a body may hold. Times are tagged numbers of seconds.
var decMode = func() cbor.DecMode {
	mode, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxNestedLevels: MaxDepth, MaxArrayElements: 1 << 17,
		MaxMapPairs: 1 << 16, DefaultMapType: reflect.TypeFor[map[string]any](), UTF8: cbor.UTF8RejectInvalid}.DecMode()
	if err != nil {
		panic(err) // the options are constant
	}
	return mode
}()

// DecodeCBOR fills the struct behind ptr from a CBOR map. An empty body is an empty
// map. Members that the shape does not have are refused.
func DecodeCBOR(doc []byte, shape *model.Shape, ptr any) error {
	if len(doc) == 0 {
		return nil
	}
	var tree any
	if err := decMode.Unmarshal(doc, &tree); err != nil {
		return malformed("%v", err)
	}
	plain, err := jsonTree(tree)
	if err != nil {
		return err
	}
	object, ok := plain.(map[string]any)
	if !ok {
		return malformed("the body is not a CBOR map")
	}
	return jsonReader{strict: true}.document(object, shape, ptr)
}

// jsonTree turns a tree of CBOR into the one of JSON that means the same, so that
// one reader knows both.
func jsonTree(x any) (any, error) {
	switch x := x.(type) {
	case nil, string, bool:
		return x, nil
	case uint64:
		return json.Number(strconv.FormatUint(x, 10)), nil
	case int64:
		return json.Number(strconv.FormatInt(x, 10)), nil
	case float64:
		if x-x != 0 {
			return string(appendFloat(nil, x)), nil
		}
		return json.Number(appendFloat(nil, x)), nil
	case big.Int:
		return json.Number(x.String()), nil
	case []byte:
		return base64.StdEncoding.EncodeToString(x), nil
	case time.Time:
		return json.Number(appendEpoch(nil, x.Round(time.Millisecond))), nil
	case []any:
		for i := range x {
			var err error
			if x[i], err = jsonTree(x[i]); err != nil {
				return nil, err
			}
		}
		return x, nil
	case map[string]any:
		for name := range x {
			var err error
			if x[name], err = jsonTree(x[name]); err != nil {
				return nil, err
			}
		}
		return x, nil
	}
	return nil, malformed("the body holds a value of another kind")
}

// Major types of CBOR.
const (
	cborUint   = 0 << 5
	cborNegint = 1 << 5
	cborBytes  = 2 << 5
	cborText   = 3 << 5
	cborList   = 4 << 5
	cborMap    = 5 << 5
	cborTag    = 6 << 5

	cborFalse  = 0xf4
	cborTrue   = 0xf5
	cborDouble = 0xfb
	tagEpoch   = 1
)

// AppendCBOR appends the struct behind ptr as a CBOR map; lists writes its
// top-level lists even when they are nil.
func AppendCBOR(b []byte, shape *model.Shape, ptr any, lists bool) ([]byte, error) {
	if shape == nil {
		return appendHead(b, cborMap, 0), nil
	}
	p, v, err := value(shape, ptr)
	if err != nil {
		return b, err
	}
	return cborStructure(b, p, v, lists), nil
}

// AppendCBORStrings appends a map of texts, for errors.
func AppendCBORStrings(b []byte, fields []awserr.Field) []byte {
	b = appendHead(b, cborMap, len(fields))
	for _, f := range fields {
		b = appendCBORText(appendCBORText(b, f.Name), f.Value)
	}
	return b
}

// appendHead appends the kind of an item and the number that goes with it.
func appendHead(b []byte, major byte, n int) []byte {
	switch u := uint64(n); {
	case u < 24:
		return append(b, major|byte(u))
	case u <= math.MaxUint8:
		return append(b, major|24, byte(u))
	case u <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(u))
	case u <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(u))
	default:
		return binary.BigEndian.AppendUint64(append(b, major|27), u)
	}
}

func appendCBORText(b []byte, s string) []byte { return append(appendHead(b, cborText, len(s)), s...) }

func appendCBORDouble(b []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(b, cborDouble), math.Float64bits(f))
}

func cborStructure(b []byte, p *plan.Plan, v reflect.Value, lists bool) []byte {
	written := func(f *plan.Field) (reflect.Value, bool) {
		fv, ok := f.Get(v)
		return fv, ok || lists && f.Plan.Shape.Kind == model.List
	}
	n := 0
	for i := range p.Fields {
		if _, ok := written(&p.Fields[i]); ok {
			n++
		}
	}
	b = appendHead(b, cborMap, n)
	for i := range p.Fields {
		f := &p.Fields[i]
		if fv, ok := written(f); ok {
			b = cborAny(appendCBORText(b, f.WireName()), f.Plan, fv)
		}
	}
	return b
}

func cborAny(b []byte, p *plan.Plan, v reflect.Value) []byte {
	switch p.Shape.Kind {
	case model.Structure:
		return cborStructure(b, p, v, false)
	case model.List:
		b = appendHead(b, cborList, v.Len())
		for i := range v.Len() {
			b = cborAny(b, p.Elem, v.Index(i))
		}
		return b
	case model.Map:
		b = appendHead(b, cborMap, v.Len())
		for _, key := range sortedMap(v) {
			b = cborAny(appendCBORText(b, key.String()), p.Value, v.MapIndex(key))
		}
		return b
	}
	return cborScalar(b, p.Shape, v)
}

func cborScalar(b []byte, sh *model.Shape, v reflect.Value) []byte {
	switch sh.Kind {
	case model.Integer, model.Long:
		if n := v.Int(); n < 0 {
			return appendHead(b, cborNegint, int(-1-n))
		}
		return appendHead(b, cborUint, int(v.Int()))
	case model.Float, model.Double:
		return appendCBORDouble(b, v.Float())
	case model.Boolean:
		if v.Bool() {
			return append(b, cborTrue)
		}
		return append(b, cborFalse)
	case model.Timestamp:
		return appendCBORDouble(appendHead(b, cborTag, tagEpoch), float64(v.Interface().(time.Time).UnixMilli())/1000)
	case model.Blob:
		return append(appendHead(b, cborBytes, v.Len()), v.Bytes()...)
	}
	return appendCBORText(b, v.String())
}
