// Package resourceschema is what AWS's resource provider schemas say of the types
// that templates may use: properties with their types and bounds, which of them are
// required, which need a new resource to change, which are attributes.
//
// The table is written by internal/awsgen from the schemas that cfn-lint carries
// (MIT-0, see LICENSE.cfn-lint) and unpacked when first asked for. The flow enters
// through Of, called by package stack. It imports the standard library only.
package resourceschema

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
)

//go:embed types.json.gz
var packed []byte

// Type is the schema of one resource type. Paths are names of properties, joined by
// "/" where they are nested; "*" stands for any element of a list.
type Type struct {
	Node
	Definitions map[string]*Node `json:"definitions,omitempty"`
	CreateOnly  []string         `json:"createOnlyProperties,omitempty"`
	// Conditional are those that AWS replaces the resource for under conditions.
	Conditional []string `json:"conditionalCreateOnlyProperties,omitempty"`
	ReadOnly    []string `json:"readOnlyProperties,omitempty"`
	WriteOnly   []string `json:"writeOnlyProperties,omitempty"`
	Identifier  []string `json:"primaryIdentifier,omitempty"`
	Tagging     *Tagging `json:"tagging,omitempty"`
}

// Tagging says whether, and through which property, a type has tags.
type Tagging struct {
	Taggable bool   `json:"taggable,omitempty"`
	Property string `json:"tagProperty,omitempty"`
}

// Node is a part of a schema, in the words of JSON Schema.
type Node struct {
	Ref               string           `json:"$ref,omitempty"`
	Kinds             Kinds            `json:"type,omitempty"`
	Properties        map[string]*Node `json:"properties,omitempty"`
	PatternProperties map[string]*Node `json:"patternProperties,omitempty"`
	Required          []string         `json:"required,omitempty"`
	Additional        Additional       `json:"additionalProperties,omitempty"`
	Items             *Node            `json:"items,omitempty"`
	MinItems          *int             `json:"minItems,omitempty"`
	MaxItems          *int             `json:"maxItems,omitempty"`
	Enum              []any            `json:"enum,omitempty"`
	EnumFolded        []any            `json:"enumCaseInsensitive,omitempty"`
	Pattern           string           `json:"pattern,omitempty"`
	MinLength         *int             `json:"minLength,omitempty"`
	MaxLength         *int             `json:"maxLength,omitempty"`
	Minimum           *float64         `json:"minimum,omitempty"`
	Maximum           *float64         `json:"maximum,omitempty"`
}

// Kinds are the JSON types that a value may have; schemas write one or a list.
type Kinds []string

// UnmarshalJSON implements json.Unmarshaler.
func (k *Kinds) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(text, []byte("[")) {
		return json.Unmarshal(text, (*[]string)(k))
	}
	var one string
	err := json.Unmarshal(text, &one)
	*k = Kinds{one}
	return err
}

// Additional is "closed" where an object has no properties but those named.
type Additional string

// UnmarshalJSON implements json.Unmarshaler: schemas write false, true or a schema.
func (a *Additional) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case "false", `"closed"`:
		*a = "closed"
	default:
		*a = ""
	}
	return nil
}

var table = sync.OnceValue(func() map[string]*Type {
	types, err := unpack(packed)
	if err != nil {
		panic(fmt.Sprintf("the table of resource types is damaged: %v", err)) // it is part of the binary
	}
	return types
})

func unpack(packed []byte) (types map[string]*Type, err error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return types, json.NewDecoder(z).Decode(&types)
}

// Of returns the schema of a type, nil where AWS has published none.
func Of(name string) *Type { return table()[name] }

// resolve follows a reference to a definition.
func (t *Type) resolve(n *Node) *Node {
	for range 8 { // a definition may be a reference again
		name, ok := strings.CutPrefix(n.Ref, "#/definitions/")
		if !ok || t.Definitions[name] == nil {
			return n
		}
		n = t.Definitions[name]
	}
	return n
}
