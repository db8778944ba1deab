package template

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Unknown is the value of what depends on a resource that does not exist yet.
// Functions of an Unknown are Unknown. Of says what it is made from, so that two
// evaluations can be compared.
type Unknown struct{ Of string }

// noValue is the value of {"Ref": "AWS::NoValue"}; maps and lists drop it.
type noValue struct{}

// Resources gives the values of resources that exist.
type Resources interface {
	Ref(id string) (any, error)
	GetAtt(id, attribute string) (any, error)
}

// World gives what a template may ask of its account.
type World interface {
	// Export returns the value of an export; ok is false when there is none.
	Export(name string) (value string, ok bool, err error)
	// Zones returns the availability zones of a region that Fn::GetAZs gives.
	Zones(region string) ([]string, error)
	// StackOutput returns the value of another stack's output.
	StackOutput(ref StackOutput) (string, error)
	// Secret resolves {{resolve:service:reference}}.
	Secret(service, reference string) (string, error)
}

// Scope is a template with the values that its functions need.
type Scope struct {
	Template *Template
	// Parameters are the values that Ref gives: strings or []any of strings.
	Parameters map[string]any
	// Pseudo are the values of the pseudo parameters but NoValue.
	Pseudo map[string]any
	// Conditions are set by EvaluateConditions.
	Conditions map[string]bool
	// Resources is nil while none exists: references are then Unknown.
	Resources Resources
	// World is nil where the account must not be asked: Unknown again.
	World World

	account Account // set while rules are evaluated

	trace map[string]bool // ids of resources referred to
	uses  *[]AttributeUse
}

// AttributeUse is one Fn::GetAtt, or ${A.B} in Fn::Sub, and its place; without an
// Attribute, one Ref or ${A}.
type AttributeUse struct{ ID, Attribute, Path string }

// Attributes lists the attributes that v asks of resources, dead branches of
// Fn::If left out.
func (s *Scope) Attributes(v any, path string) []AttributeUse {
	return slices.DeleteFunc(s.Uses(v, path), func(u AttributeUse) bool { return u.Attribute == "" })
}

// Uses is Attributes with the references by Ref.
func (s *Scope) Uses(v any, path string) []AttributeUse {
	var uses []AttributeUse
	dry := *s
	dry.Resources, dry.World, dry.uses = nil, nil, &uses
	_, _ = dry.eval(v, path) // what was found before an error counts
	return uses
}

// Active tells whether what stands under a condition exists.
func (s *Scope) Active(condition string) bool { return condition == "" || s.Conditions[condition] }

// Eval replaces the functions below v by their values. path is where v stands,
// for messages: /Outputs/X/Value.
func (s *Scope) Eval(v any, path string) (any, error) {
	out, err := s.eval(v, path)
	if _, none := out.(noValue); none {
		return nil, err
	}
	return out, err
}

// EvalMap is Eval for a map, such as the properties of a resource.
func (s *Scope) EvalMap(m map[string]any, path string) (map[string]any, error) {
	v, err := s.Eval(m, path)
	if err != nil {
		return nil, err
	}
	out, ok := v.(map[string]any)
	if !ok && m != nil {
		return nil, errorf("[Error] %s: must be an object", path)
	}
	return out, nil
}

func (s *Scope) eval(v any, path string) (any, error) {
	if name, arg, ok := call(v); ok {
		return s.call(name, arg, path+"/"+name)
	}
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for _, k := range slices.Sorted(maps.Keys(x)) {
			e, err := s.eval(x[k], path+"/"+k)
			if err != nil {
				return nil, err
			}
			if _, none := e.(noValue); !none {
				out[k] = e
			}
		}
		return out, nil
	case []any:
		return s.evalList(x, path)
	case string:
		return s.dynamic(x)
	}
	return v, nil
}

func (s *Scope) evalList(list []any, path string) (any, error) {
	out := make([]any, 0, len(list))
	for i, e := range list {
		v, err := s.eval(e, fmt.Sprintf("%s/%d", path, i))
		if err != nil {
			return nil, err
		}
		if _, none := v.(noValue); !none {
			out = append(out, v)
		}
	}
	return out, nil
}

// call evaluates one function. Shapes have been judged by checkFunctions.
func (s *Scope) call(name string, arg any, path string) (any, error) {
	switch name {
	case "Ref":
		id, _ := arg.(string)
		return s.ref(id, path)
	case "Fn::GetAtt":
		return s.getAtt(arg, path)
	case "Fn::Sub":
		return s.sub(arg, path)
	case "Fn::If":
		list := arg.([]any)
		if s.Conditions[list[0].(string)] {
			return s.eval(list[1], path)
		}
		return s.eval(list[2], path)
	}
	return s.callWith(name, arg, path)
}

// callWith evaluates a function whose argument is evaluated first.
func (s *Scope) callWith(name string, arg any, path string) (any, error) {
	v, err := s.eval(arg, path)
	if err != nil {
		return nil, err
	}
	if f, ok := pure[name]; ok {
		if unknown(v) {
			return unknownOf(name, v), nil
		}
		out, err := f(v)
		if made, isText := out.(string); isText && err == nil && len(made) > maxText {
			return nil, tooLong(name)
		}
		return out, err
	}
	switch name {
	case "Fn::Select":
		return selectItem(v)
	case "Fn::FindInMap":
		return s.findInMap(v)
	case "Fn::GetAZs":
		return s.zones(v)
	case "Fn::ImportValue":
		return s.importValue(v)
	case stackOutput:
		return s.stackOutput(v)
	}
	return s.truth(name, v)
}

func (s *Scope) ref(id, path string) (any, error) {
	if v, ok := s.Parameters[id]; ok {
		return v, nil
	}
	if id == "AWS::NoValue" {
		return noValue{}, nil
	}
	if v, ok := s.Pseudo[id]; ok {
		return v, nil
	}
	if s.trace != nil {
		s.trace[id] = true
	}
	if s.uses != nil {
		*s.uses = append(*s.uses, AttributeUse{ID: id, Path: path})
	}
	if s.Resources == nil {
		return Unknown{Of: id}, nil
	}
	v, err := s.Resources.Ref(id)
	return v, at(path, err)
}

func (s *Scope) getAtt(arg any, path string) (any, error) {
	id, a := getAttArguments(arg)
	v, err := s.eval(a, path)
	if err != nil {
		return nil, err
	}
	attr, ok := v.(string)
	if !ok {
		return nil, checkGetAtt(nil)
	}
	return s.attribute(id, attr, path)
}

func (s *Scope) attribute(id, attr, path string) (any, error) {
	if s.trace != nil {
		s.trace[id] = true
	}
	if s.uses != nil {
		*s.uses = append(*s.uses, AttributeUse{id, attr, path})
	}
	if s.Resources == nil {
		return Unknown{Of: id + "." + attr}, nil
	}
	v, err := s.Resources.GetAtt(id, attr)
	return v, at(path, err)
}

// at adds the place of a function to an error that its value gave.
func at(path string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := Message(err); ok {
		return err
	}
	return errorf("[Error] %s: %s", path, err)
}

func (s *Scope) sub(arg any, path string) (any, error) {
	body, own := subArguments(arg)
	parts, err := subParts(body)
	if err != nil {
		return nil, err
	}
	values, open, err := s.variables(parts, own, path)
	if err != nil {
		return nil, err
	}
	if open != "" {
		return Unknown{Of: "Fn::Sub " + open + body}, nil
	}
	var b strings.Builder
	for _, p := range parts {
		piece := p.literal + values[p.name]
		if b.Len()+len(piece) > maxText {
			return nil, tooLong("Fn::Sub")
		}
		b.WriteString(piece)
	}
	return s.dynamic(b.String())
}

// variables evaluates what parts name, each name once however often it is used:
// variables may hold further Fn::Sub, and so on. open tells what is not known yet.
func (s *Scope) variables(parts []subPart, own map[string]any, path string) (values map[string]string, open string, err error) {
	values = map[string]string{}
	for _, p := range parts {
		if _, have := values[p.name]; have || p.name == "" {
			continue
		}
		v, err := s.variable(p.name, own, path)
		if err != nil {
			return nil, "", err
		}
		if u, ok := v.(Unknown); ok {
			open += u.Of + ","
			v = ""
		}
		value, ok := text(v)
		if !ok {
			return nil, "", errorf("Template error: Fn::Sub expression does not resolve to a string: %s", p.name)
		}
		values[p.name] = value
	}
	return values, open, nil
}

// maxText bounds the text that a function makes, bytes: more than any property takes.
// A few lines of nested functions could fill the memory otherwise.
const maxText = 256 << 10

func tooLong(function string) error {
	return errorf("Template error: %s makes a text of more than %d bytes", function, maxText)
}

func (s *Scope) variable(name string, own map[string]any, path string) (any, error) {
	if v, ok := own[name]; ok {
		return s.eval(v, path)
	}
	if id, attr, ok := strings.Cut(name, "."); ok {
		return s.attribute(id, attr, path)
	}
	return s.ref(name, path)
}

// dynamic replaces {{resolve:...}} in a text.
func (s *Scope) dynamic(v string) (any, error) {
	if s.World == nil || !strings.Contains(v, "{{resolve:") {
		return v, nil
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(v, "{{resolve:")
		ref, after, closed := strings.Cut(rest, "}}")
		if !found || !closed {
			b.WriteString(v)
			return b.String(), nil
		}
		service, reference, _ := strings.Cut(ref, ":")
		value, err := s.World.Secret(service, reference)
		if err != nil {
			return nil, err
		}
		if b.WriteString(before + value); b.Len()+len(after) > maxText {
			return nil, tooLong("a dynamic reference")
		}
		v = after
	}
}

// unknown reports whether v is Unknown or holds it.
func unknown(v any) bool {
	switch x := v.(type) {
	case Unknown:
		return true
	case []any:
		return slices.ContainsFunc(x, unknown)
	case map[string]any:
		for _, e := range x {
			if unknown(e) {
				return true
			}
		}
	}
	return false
}

// unknownOf is the value of a function with an argument that is not known.
func unknownOf(name string, arg any) Unknown { return Unknown{Of: fmt.Sprintf("%s %v", name, arg)} }

// JSON returns v as JSON text with ordered keys. Unknown is the text that change
// sets show for it.
func JSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

// MarshalJSON implements json.Marshaler.
func (Unknown) MarshalJSON() ([]byte, error) { return []byte(`"{{changeSet:KNOWN_AFTER_APPLY}}"`), nil }
