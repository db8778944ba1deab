package stack

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hardstand/hardstand/internal/aws/resourceschema"
)

// PropertyError is a property that a resource type cannot accept. Its text is
// what the user reads as the reason of the failure.
type PropertyError struct{ Message string }

func (e *PropertyError) Error() string { return e.Message }

func propertyErrorf(format string, args ...any) error {
	return &PropertyError{Message: fmt.Sprintf(format, args...)}
}

// Decode fills the struct that into points to from the properties of a resource.
// A field takes the property of its own name, or of the name in its tag:
//
//	type bucketProperties struct {
//		BucketName *string         `cfn:",createOnly"`
//		Policy     json.RawMessage `cfn:"PolicyDocument,required"`
//		Tags       []stack.Tag
//	}
//
// A property that AWS may replace the resource for is tagged conditional.
//
// Fields are strings, bools, integers, floats, structs, slices, string maps,
// pointers to these (nil: absent), any (the value as it is) or json.RawMessage
// (the value as JSON text; a string is taken to be JSON text already, as policy
// documents may be). Scalars are lax as CloudFormation's: "22" is a number and 22
// a string, "true" a boolean. An unknown property at any depth, a missing
// required one and a value of the wrong kind are *PropertyError. A nil property
// counts as absent.
func Decode(props map[string]any, into any) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("stack.Decode needs a pointer to a struct, not %T", into)
	}
	return decodeStruct(props, v.Elem(), "")
}

// SchemaOf returns a Schema with the property lists of a struct made for Decode.
func SchemaOf(props any) Schema {
	var s Schema
	for _, f := range fieldsOf(reflect.TypeOf(props)) {
		s.Properties = append(s.Properties, f.name)
		if f.required {
			s.Required = append(s.Required, f.name)
		}
		if f.createOnly {
			s.CreateOnly = append(s.CreateOnly, f.name)
		}
		if f.conditional {
			s.Conditional = append(s.Conditional, f.name)
		}
	}
	return s
}

type field struct {
	name                              string
	index                             int
	required, createOnly, conditional bool
}

var fieldCache sync.Map // reflect.Type -> []field

func fieldsOf(t reflect.Type) []field {
	if c, ok := fieldCache.Load(t); ok {
		return c.([]field)
	}
	var fs []field
	for i := range t.NumField() {
		sf := t.Field(i)
		if !sf.IsExported() {
			continue
		}
		parts := strings.Split(sf.Tag.Get("cfn"), ",")
		f := field{name: parts[0], index: i}
		if f.name == "" {
			f.name = sf.Name
		}
		f.required = slices.Contains(parts[1:], "required")
		f.createOnly = slices.Contains(parts[1:], "createOnly")
		f.conditional = slices.Contains(parts[1:], "conditional")
		fs = append(fs, f)
	}
	fieldCache.Store(t, fs)
	return fs
}

func decodeStruct(props map[string]any, v reflect.Value, path string) error {
	fs := fieldsOf(v.Type())
	known := make(map[string]bool, len(fs))
	for _, f := range fs {
		known[f.name] = true
	}
	var unknown []string
	for name := range props {
		if !known[name] {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return propertyErrorf("Encountered unsupported property %s", path+strings.Join(unknown, ", "+path))
	}
	for _, f := range fs {
		value, given := props[f.name]
		if !given || value == nil {
			if f.required {
				return propertyErrorf("Property validation failure: [The property {/%s} is required]",
					strings.ReplaceAll(path, ".", "/")+f.name)
			}
			continue
		}
		if err := decodeValue(value, v.Field(f.index), path+f.name); err != nil {
			return err
		}
	}
	return nil
}

var rawMessage = reflect.TypeFor[json.RawMessage]()

func decodeValue(value any, v reflect.Value, path string) error {
	if v.Type() == rawMessage {
		return decodeRaw(value, v, path)
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return decodeValue(value, v.Elem(), path)
	case reflect.Interface:
		v.Set(reflect.ValueOf(value))
		return nil
	case reflect.Struct:
		m, ok := value.(map[string]any)
		if !ok {
			return propertyErrorf("Value of property %s must be an object", path)
		}
		return decodeStruct(m, v, path+".")
	case reflect.Slice:
		return decodeSlice(value, v, path)
	case reflect.Map:
		return decodeMap(value, v, path)
	}
	return decodeScalar(value, v, path)
}

func decodeRaw(value any, v reflect.Value, path string) error {
	if s, ok := value.(string); ok {
		if !json.Valid([]byte(s)) {
			return propertyErrorf("Value of property %s must be an object", path)
		}
		v.SetBytes([]byte(s))
		return nil
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode property %s: %w", path, err)
	}
	v.SetBytes(text)
	return nil
}

func decodeSlice(value any, v reflect.Value, path string) error {
	list, ok := value.([]any)
	if !ok {
		kind := "List"
		if v.Type().Elem().Kind() == reflect.String {
			kind = "List of String"
		}
		return propertyErrorf("Value of property %s must be of type %s", path, kind)
	}
	v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
	for i, item := range list {
		if item == nil {
			return propertyErrorf("[%s] 'null' values are not allowed in templates", path)
		}
		if err := decodeValue(item, v.Index(i), path); err != nil {
			return err
		}
	}
	return nil
}

func decodeMap(value any, v reflect.Value, path string) error {
	m, ok := value.(map[string]any)
	if !ok {
		return propertyErrorf("Value of property %s must be an object", path)
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(m)))
	for name, item := range m {
		e := reflect.New(v.Type().Elem()).Elem()
		if err := decodeValue(item, e, path+"."+name); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), e)
	}
	return nil
}

func decodeScalar(value any, v reflect.Value, path string) error {
	text, ok := scalarText(value)
	if !ok {
		return propertyErrorf("Value of property %s must be of type %s", path, kindName(v.Kind()))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return nil
	case reflect.Bool:
		b, err := strconv.ParseBool(strings.ToLower(text))
		if err == nil && len(text) > 1 { // "1" and "t" are not booleans here
			v.SetBool(b)
			return nil
		}
	case reflect.Int, reflect.Int32, reflect.Int64:
		f, err := strconv.ParseFloat(text, 64)
		if err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 && !v.OverflowInt(int64(f)) {
			v.SetInt(int64(f))
			return nil
		}
	case reflect.Float32, reflect.Float64:
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			v.SetFloat(f)
			return nil
		}
	default:
		return fmt.Errorf("stack.Decode cannot fill a %s", v.Type())
	}
	return propertyErrorf("Value of property %s must be of type %s", path, kindName(v.Kind()))
}

// scalarText gives the text of a string, number or boolean, whether JSON holds it or
// code made it.
func scalarText(value any) (string, bool) {
	switch x := value.(type) {
	case int:
		return strconv.Itoa(x), true
	case int32, int64:
		return fmt.Sprint(x), true
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64), true
	}
	return resourceschema.ScalarText(value)
}

func kindName(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "String"
	case reflect.Bool:
		return "Boolean"
	case reflect.Float32, reflect.Float64:
		return "Double"
	}
	return "Integer"
}
