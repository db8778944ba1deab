package resourceschema

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// Violation is one way in which properties differ from a schema.
type Violation struct {
	// Pointer is where: "#" for the properties themselves, "#/Rules/0/Status".
	Pointer string
	// Keyword is that of JSON Schema: required, additionalProperties, type, enum, ..
	Keyword string
	// Name is the property that is missing or too much.
	Name string
	// Message is what CloudFormation says of it; values are not in it.
	Message string
}

// Validate compares properties with the schema. Values are those of templates: nil
// is absent, scalars are converted as CloudFormation does ("22" is a number). Values
// of kinds that it does not know, what only a resource will tell, fit everything.
func (t *Type) Validate(properties map[string]any) []Violation {
	v := validator{t: t}
	v.object(&t.Node, properties, "#")
	return v.found
}

type validator struct {
	t     *Type
	found []Violation
}

func (v *validator) add(pointer, keyword, name, format string, args ...any) {
	v.found = append(v.found, Violation{Pointer: pointer, Keyword: keyword, Name: name, Message: fmt.Sprintf(format, args...)})
}

// broken is a bound that a value breaks; the value, which may be a secret, is not told.
func (v *validator) broken(pointer, keyword string) {
	v.add(pointer, keyword, "", "failed validation constraint for keyword [%s]", keyword)
}

func (v *validator) object(n *Node, m map[string]any, pointer string) {
	for _, name := range n.Required {
		if m[name] == nil {
			v.add(pointer, "required", name, "required key [%s] not found", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		value := m[name]
		if value == nil {
			continue
		}
		below, known := n.Properties[name]
		if !known {
			below, known = n.matching(name)
		}
		switch {
		case known:
			v.value(below, value, pointer+"/"+name)
		case n.Additional == "closed":
			v.add(pointer, "additionalProperties", name, "extraneous key [%s] is not permitted", name)
		}
	}
}

// matching is the schema of a key that patterns describe.
func (n *Node) matching(name string) (*Node, bool) {
	for pattern, below := range n.PatternProperties {
		if re := compiled(pattern); re == nil || re.MatchString(name) {
			return below, true
		}
	}
	return nil, false
}

func (v *validator) value(n *Node, value any, pointer string) {
	n = v.t.resolve(n)
	kind := n.accepts(value)
	if kind == "" {
		v.add(pointer, "type", "", "expected type: %s, found: %s", javaKind(n.Kinds[0]), found(value))
		return
	}
	switch x := value.(type) {
	case map[string]any:
		v.object(n, x, pointer)
	case []any:
		if n.MinItems != nil && len(x) < *n.MinItems {
			v.broken(pointer, "minItems")
		}
		if n.MaxItems != nil && len(x) > *n.MaxItems {
			v.broken(pointer, "maxItems")
		}
		for i, item := range x {
			if n.Items != nil && item != nil {
				v.value(n.Items, item, pointer+"/"+strconv.Itoa(i))
			}
		}
	default:
		v.scalar(n, kind, value, pointer)
	}
}

func (v *validator) scalar(n *Node, kind string, value any, pointer string) {
	text, ok := ScalarText(value)
	if !ok {
		return
	}
	if !within(n.Enum, text, false) || !within(n.EnumFolded, text, true) {
		v.broken(pointer, "enum")
		return
	}
	switch kind {
	case "string":
		size := utf8.RuneCountInString(text)
		if n.MinLength != nil && size < *n.MinLength {
			v.broken(pointer, "minLength")
		}
		if n.MaxLength != nil && size > *n.MaxLength {
			v.broken(pointer, "maxLength")
		}
		if re := compiled(n.Pattern); n.Pattern != "" && re != nil && !re.MatchString(text) {
			v.broken(pointer, "pattern")
		}
	case "integer", "number":
		number, err := strconv.ParseFloat(text, 64)
		if err == nil && n.Minimum != nil && number < *n.Minimum {
			v.broken(pointer, "minimum")
		}
		if err == nil && n.Maximum != nil && number > *n.Maximum {
			v.broken(pointer, "maximum")
		}
	}
}

// accepts is the kind of the schema that a value fits, "" for none. A schema without
// kinds takes anything.
func (n *Node) accepts(value any) string {
	if len(n.Kinds) == 0 {
		return "any"
	}
	for _, kind := range n.Kinds {
		if fits(kind, value) {
			return kind
		}
	}
	return ""
}

func fits(kind string, value any) bool {
	switch x := value.(type) {
	case map[string]any:
		return kind == "object"
	case []any:
		return kind == "array"
	case string:
		if kind == "object" && json.Valid([]byte(x)) {
			return true // documents may be given as text
		}
	}
	text, known := ScalarText(value)
	if !known {
		return true // what is not known yet
	}
	switch kind {
	case "string":
		return true
	case "boolean":
		return strings.EqualFold(text, "true") || strings.EqualFold(text, "false")
	case "integer":
		f, err := strconv.ParseFloat(text, 64)
		return err == nil && f == math.Trunc(f)
	case "number":
		_, err := strconv.ParseFloat(text, 64)
		return err == nil
	}
	return false
}

// ScalarText gives the text of a string, number or boolean of a template.
func ScalarText(value any) (string, bool) {
	switch x := value.(type) {
	case string:
		return x, true
	case json.Number:
		return x.String(), true
	case bool:
		return strconv.FormatBool(x), true
	}
	return "", false
}

func within(allowed []any, text string, fold bool) bool {
	if len(allowed) == 0 {
		return true
	}
	return slices.ContainsFunc(allowed, func(a any) bool {
		s := fmt.Sprint(a)
		return s == text || fold && strings.EqualFold(s, text)
	})
}

// javaKind and found name kinds as AWS's validator does.
func javaKind(kind string) string {
	switch kind {
	case "object":
		return "JSONObject"
	case "array":
		return "JSONArray"
	case "":
		return ""
	}
	return strings.ToUpper(kind[:1]) + kind[1:]
}

func found(value any) string {
	switch value.(type) {
	case map[string]any:
		return "JSONObject"
	case []any:
		return "JSONArray"
	case json.Number:
		return "Integer"
	case bool:
		return "Boolean"
	}
	return "String"
}

var patterns sync.Map // text -> *regexp.Regexp, nil where Go's syntax lacks something

func compiled(pattern string) *regexp.Regexp {
	if re, ok := patterns.Load(pattern); ok {
		return re.(*regexp.Regexp)
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		re = nil // it looks ahead: the service judges such values itself
	}
	patterns.Store(pattern, re)
	return re
}
