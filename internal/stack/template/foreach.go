package template

import (
	"regexp"
	"strings"
)

const forEach = "Fn::ForEach::"

// extend runs AWS::LanguageExtensions: it unrolls Fn::ForEach and evaluates what
// must be text before resources are known: ids of references, policies. The other
// functions of the transform are evaluated with all others.
func (x *expansion) extend(v any) (any, error) {
	switch val := v.(type) {
	case []any:
		out := make([]any, len(val))
		for i, e := range val {
			var err error
			if out[i], err = x.extend(e); err != nil {
				return nil, err
			}
		}
		return out, x.spend(len(out))
	case map[string]any:
		out := make(map[string]any, len(val))
		for _, name := range sortedKeys(val) {
			if strings.HasPrefix(name, forEach) {
				if err := x.unroll(out, name, val[name]); err != nil {
					return nil, err
				}
				continue
			}
			e, err := x.extend(val[name])
			if err != nil {
				return nil, err
			}
			if out[name], err = x.early(name, e); err != nil {
				return nil, err
			}
		}
		return out, x.spend(len(out))
	}
	return v, nil
}

// early evaluates the functions in places where only text can stand later.
func (x *expansion) early(name string, v any) (any, error) {
	switch name {
	case "DeletionPolicy", "UpdateReplacePolicy", "Ref":
		if isCall(v) {
			return x.scope.Eval(v, "/"+name)
		}
	case "Fn::GetAtt":
		list, ok := v.([]any)
		if !ok || len(list) != 2 {
			return v, nil
		}
		out := make([]any, len(list))
		for i, e := range list {
			out[i] = e
			if isCall(e) {
				value, err := x.scope.Eval(e, "/"+name)
				if err != nil {
					return nil, err
				}
				out[i] = value
			}
		}
		return out, nil
	}
	return v, nil
}

// unroll adds to out what one loop makes:
//
//	Fn::ForEach::Name: [Identifier, Collection, {OutputKey: OutputValue}]
func (x *expansion) unroll(out map[string]any, name string, arg any) error {
	incorrect := errorf("Transform AWS::LanguageExtensions failed with: %s layout is incorrect", name)
	list, ok := arg.([]any)
	if !ok || len(list) != 3 {
		return incorrect
	}
	identifier, isText := list[0].(string)
	body, isMap := list[2].(map[string]any)
	if !isText || identifier == "" || !isMap {
		return incorrect
	}
	collection, err := x.scope.Eval(list[1], "/"+name)
	if err != nil {
		return err
	}
	items, ok := collection.([]any)
	if !ok || unknown(collection) {
		return errorf("Transform AWS::LanguageExtensions failed with: Fn::ForEach could not resolve the collection of %s", name)
	}
	for _, item := range items {
		value, ok := text(item)
		if !ok {
			return incorrect
		}
		v, err := x.substitute(body, identifier, value)
		if err != nil {
			return err
		}
		made, err := x.extend(v)
		if err != nil {
			return err
		}
		if key := addAll(out, made.(map[string]any)); key != "" {
			return errorf("Transform AWS::LanguageExtensions failed with: Duplicate key %s made by %s", key, name)
		}
	}
	return nil
}

// addAll adds what an item has made; it returns a key that is there already.
func addAll(out, made map[string]any) (twice string) {
	for key, e := range made {
		if _, have := out[key]; have {
			return key
		}
		out[key] = e
	}
	return ""
}

// bytesPerNode is how much text costs as much as a node: long texts in loops grow
// as well.
const bytesPerNode = 16

var notAlphanumeric = regexp.MustCompile(`[^A-Za-z0-9]`)

// substitute puts an item in the place of the loop's identifier: ${Id} in texts and
// keys, &{Id} for its letters and digits alone, and {"Ref": "Id"}.
func (x *expansion) substitute(v any, identifier, value string) (any, error) {
	replace := strings.NewReplacer("${"+identifier+"}", value, "&{"+identifier+"}", notAlphanumeric.ReplaceAllString(value, "")).Replace
	var walk func(any) (any, error)
	walk = func(v any) (any, error) {
		switch val := v.(type) {
		case string:
			out := replace(val)
			return out, x.spend(len(out) / bytesPerNode)
		case []any:
			out := make([]any, len(val))
			for i, e := range val {
				var err error
				if out[i], err = walk(e); err != nil {
					return nil, err
				}
			}
			return out, x.spend(len(out))
		case map[string]any:
			if name, arg, ok := call(v); ok && name == "Ref" && arg == identifier {
				return value, nil
			}
			out := make(map[string]any, len(val))
			for k, e := range val {
				var err error
				if out[replace(k)], err = walk(e); err != nil {
					return nil, err
				}
			}
			return out, x.spend(len(out))
		}
		return v, nil
	}
	return walk(v)
}
