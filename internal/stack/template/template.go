// Package template reads CloudFormation templates and evaluates them: JSON and
// YAML, sections, parameters, mappings, conditions, rules, intrinsic functions
// and the graph of dependencies.
//
// It owns no state and imports the standard library and a YAML parser. The flow
// enters in Parse, called by service/cloudformation on what the user sent, goes
// through Template.Parameters (Resolve) and a Scope, and leaves as property
// values for the engine. Errors that the user must read are *Error; their texts
// are AWS's.
//
// Values are nil, bool, string, json.Number, []any and map[string]any
// everywhere. Short YAML tags become the long form when they are read, so that
// only one form exists below.
package template

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Error is a fault of the template or of what was given to it. CloudFormation
// answers it as ValidationError.
type Error struct{ Message string }

func (e *Error) Error() string { return e.Message }

func errorf(format string, args ...any) error {
	return &Error{Message: fmt.Sprintf(format, args...)}
}

// Message returns the text for the user, when err is of this package.
func Message(err error) (string, bool) {
	var e *Error
	if errors.As(err, &e) {
		return e.Message, true
	}
	return "", false
}

// Template is a template whose sections have the right shape.
type Template struct {
	// Body is the whole template as values, JSON form.
	Body        map[string]any
	Description string
	Metadata    map[string]any
	Parameters  map[string]*Parameter
	Mappings    map[string]map[string]map[string]any
	Conditions  map[string]any
	Rules       map[string]Rule
	Resources   map[string]*Resource
	Outputs     map[string]*Output
	// Transforms are the names of the Transform section, in order.
	Transforms []string
}

// Resource is one member of Resources. Functions are not evaluated.
type Resource struct {
	ID, Type            string
	Properties          map[string]any
	Metadata            map[string]any
	DependsOn           []string
	Condition           string
	CreationPolicy      map[string]any
	UpdatePolicy        map[string]any
	DeletionPolicy      string
	UpdateReplacePolicy string
}

// Output is one member of Outputs. Export is the export's name, or nil.
type Output struct {
	Name, Description, Condition string
	Value, Export                any
}

// Rule is one member of Rules.
type Rule struct {
	Condition  any // nil: always
	Assertions []Assertion
}

// Assertion is one assertion of a rule.
type Assertion struct {
	Assert      any
	Description string
}

// ResourceIDs returns the logical ids in order.
func (t *Template) ResourceIDs() []string { return slices.Sorted(maps.Keys(t.Resources)) }

// Types returns the resource types used, in order, each once.
func (t *Template) Types() []string {
	seen := map[string]bool{}
	for _, r := range t.Resources {
		seen[r.Type] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// Limits of a template, from the user guide.
const (
	MaxBody        = 51200   // bytes of TemplateBody
	MaxRemoteBody  = 1000000 // bytes behind TemplateURL
	maxResources   = 500
	maxParameters  = 200
	maxOutputs     = 200
	maxMappings    = 200
	maxName        = 255
	maxAttributes  = 200 // of a mapping
	maxReferences  = 60  // dynamic ones
	maxDescription = 1024
)
