package wire

import (
	"reflect"

	"github.com/hardstand/hardstand/internal/aws"
)

// tagMembers finds the members of an input type that hold tags or keys of tags, so
// that every operation with such members gives the condition keys of the request's
// tags without saying so.
func tagMembers(t reflect.Type) []int {
	var out []int
	for i := range t.NumField() {
		switch f := t.Field(i); {
		case f.Name == "TagKeys" && f.Type == reflect.TypeFor[[]string](),
			f.Name == "Tags" && tagsType(f.Type):
			out = append(out, i)
		}
	}
	return out
}

// tagsType tells a list of tags (Key and Value), a map and a list of keys from what
// else is called Tags.
func tagsType(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[map[string]string](), reflect.TypeFor[[]string]():
		return true
	}
	if t.Kind() != reflect.Slice || t.Elem().Kind() != reflect.Struct {
		return false
	}
	for _, name := range []string{"Key", "Value"} {
		if f, ok := t.Elem().FieldByName(name); !ok || f.Type != reflect.TypeFor[*string]() {
			return false
		}
	}
	return true
}

// addRequestTags gives checks the condition keys of the tags in the members of in,
// where the operation has not done so. Those that AWS does not list for the action
// are left out when it is judged.
func addRequestTags(checks []aws.Check, in reflect.Value, members []int) {
	keys := map[string][]string{}
	one := func(key, value string) {
		keys["aws:RequestTag/"+key] = []string{value}
		keys["aws:TagKeys"] = append(keys["aws:TagKeys"], key)
	}
	for _, m := range members {
		switch v := in.Field(m); list := v.Interface().(type) {
		case []string:
			keys["aws:TagKeys"] = append(keys["aws:TagKeys"], list...)
		case map[string]string:
			for key, value := range list {
				one(key, value)
			}
		default:
			for i := range v.Len() {
				key, _ := v.Index(i).FieldByName("Key").Interface().(*string)
				value, _ := v.Index(i).FieldByName("Value").Interface().(*string)
				one(aws.Val(key), aws.Val(value))
			}
		}
	}
	for i := range checks {
		for key, values := range keys {
			checks[i].Offer(key, values...)
		}
	}
}
