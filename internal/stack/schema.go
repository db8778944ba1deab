package stack

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/resourceschema"
	"github.com/hardstand/hardstand/internal/stack/template"
)

// Schema is what a type says of itself and what AWS's schema of it adds: which of
// its properties need another resource to change, which are required, and the
// attribute that is the physical id. It is empty of a type that is not registered.
func (r Registry) Schema(name string) Schema {
	res, ok := r[name]
	if !ok {
		return Schema{}
	}
	s := res.Schema()
	t := resourceschema.Of(name)
	if t == nil {
		return s
	}
	add := func(list []string, from []string) []string {
		for _, path := range from {
			property, _, _ := strings.Cut(path, "/")
			if slices.Contains(s.Properties, property) && !slices.Contains(list, path) {
				list = append(slices.Clip(list), path)
			}
		}
		return list
	}
	s.CreateOnly, s.Required = add(s.CreateOnly, t.CreateOnly), add(s.Required, t.Required)
	s.Conditional = slices.DeleteFunc(add(s.Conditional, t.Conditional), func(p string) bool { return slices.Contains(s.CreateOnly, p) })
	if own := ownID(t); own != "" && !s.HasAttribute(own) {
		s.Attributes = append(slices.Clip(s.Attributes), own)
	}
	return s
}

// ownID is the attribute whose value is the physical id: the identifier of a type
// that AWS makes up.
func ownID(t *resourceschema.Type) string {
	if len(t.Identifier) == 1 && slices.Contains(t.ReadOnly, t.Identifier[0]) && !strings.Contains(t.Identifier[0], "/") {
		return t.Identifier[0]
	}
	return ""
}

// schemasOf are the schemas of all types of a registry.
func schemasOf(types Registry) map[string]Schema {
	out := make(map[string]Schema, len(types))
	for name := range types {
		out[name] = types.Schema(name)
	}
	return out
}

// Schema returns the schema of a type that the engine knows.
func (e *Engine) Schema(name string) Schema { return e.schemas[canonical(name)] }

// customType is the type that all Custom:: types are.
const customType = "AWS::CloudFormation::CustomResource"

var customName = regexp.MustCompile(`^Custom::[A-Za-z0-9_@-]{1,60}$`)

// canonical is the name that a type is registered under.
func canonical(name string) string {
	if customName.MatchString(name) {
		return customType
	}
	return name
}

// Of returns a type by the name that templates give it.
func (r Registry) Of(name string) (Resource, bool) {
	res, ok := r[canonical(name)]
	return res, ok
}

// addID adds the attribute that is the physical id, where a type leaves it out.
func addID(resourceType string, res *Result) {
	t := resourceschema.Of(resourceType)
	if t == nil || res.PhysicalID == "" {
		return
	}
	own := ownID(t)
	if _, has := res.Attributes[own]; own == "" || has {
		return
	}
	attributes := maps.Clone(res.Attributes)
	if attributes == nil {
		attributes = map[string]any{}
	}
	attributes[own] = res.PhysicalID
	res.Attributes = attributes
}

// at is the value of properties at a path of a schema.
func at(properties map[string]any, path string) any {
	name, rest, deeper := strings.Cut(path, "/")
	value := properties[name]
	if !deeper {
		return value
	}
	below, _ := value.(map[string]any)
	return at(below, rest)
}

// Invalid is a property that the schema of its resource's type does not allow.
type Invalid struct {
	LogicalID, Type string
	// Path is where in the template, Message what is wrong there.
	Path, Message string
}

// validate holds evaluated properties against the type's schema, before anything is
// asked of the service.
func (e *Engine) validate(logicalID, resourceType string, properties map[string]any) error {
	t := resourceschema.Of(resourceType)
	if t == nil || strings.HasPrefix(resourceType, "AWS::CloudFormation::") {
		return nil // CloudFormation's own types are older than its schemas and judge for themselves
	}
	var required, others []string
	for _, v := range t.Validate(properties) {
		if v.Keyword == "required" {
			required = append(required, "The property {"+strings.TrimPrefix(v.Pointer, "#")+"/"+v.Name+"} is required")
			continue
		}
		others = append(others, v.Pointer+": "+v.Message)
	}
	switch {
	case len(others) > 0:
		return propertyErrorf("Properties validation failed for resource %s with message: %s", logicalID, strings.Join(others, "\n"))
	case len(required) > 0:
		return propertyErrorf("Property validation failure: [%s]", strings.Join(required, ", "))
	}
	return nil
}

// Preflight returns what is wrong with the properties of a template's resources, as
// far as they are known before anything has been made.
func (e *Engine) Preflight(scope *template.Scope) []Invalid {
	plain := *scope
	plain.World, plain.Resources = nil, unknowns{}
	var out []Invalid
	for _, id := range scope.Template.ResourceIDs() {
		def := scope.Template.Resources[id]
		t := resourceschema.Of(def.Type)
		if t == nil || !known(e.types, def.Type) || !scope.Active(def.Condition) {
			continue
		}
		path := "/Resources/" + id + "/Properties"
		properties, err := plain.EvalMap(def.Properties, path)
		if err != nil {
			continue // the operation will say so
		}
		for _, v := range t.Validate(properties) {
			out = append(out, Invalid{LogicalID: id, Type: def.Type, Path: path + strings.TrimPrefix(v.Pointer, "#"), Message: preflightText(v)})
		}
	}
	return out
}

func known(types Registry, name string) bool {
	_, ok := types.Of(name)
	return ok
}

func preflightText(v resourceschema.Violation) string {
	switch v.Keyword {
	case "required":
		return "Required property [" + v.Name + "] not found"
	case "additionalProperties":
		return "Unsupported property [" + v.Name + "]"
	}
	return v.Message
}

// unknowns is the scope's view of resources before any exists.
type unknowns struct{}

// Ref implements template.Resources.
func (unknowns) Ref(id string) (any, error) { return template.Unknown{Of: id}, nil }

// GetAtt implements template.Resources.
func (unknowns) GetAtt(id, attribute string) (any, error) {
	return template.Unknown{Of: id + "." + attribute}, nil
}
