// Package validate holds inputs to the constraints of their shapes and says what
// is wrong in AWS's words.
//
// It owns the walk, the wording and the compiled patterns; which error code
// carries them is wire's choice by service. It imports aws/model and wire/plan.
// wire enters at Input.
package validate

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/plan"
)

// Kind is which constraint does not hold.
type Kind int

// The kinds of constraint.
const (
	Required Kind = iota
	Enum
	Pattern
	Length
	Range
	Element // a list's or map's elements
)

// Violation is one constraint that an input does not hold.
type Violation struct {
	Kind   Kind
	Path   string // "tags.1.member.key"
	Member *model.Member
	Value  string // as AWS prints it; asterisks for what is sensitive
	Must   string // "have length less than or equal to 50"
	// Key is the element or key at fault, for violations within a list of scalars or
	// a map.
	Key   string
	elem  *model.Shape // of Key
	Limit float64
	Over  bool // the limit is a maximum
}

// Input returns what is wrong with in, a pointer to an operation's input, in the
// order of the model; nothing for a valid one.
func Input(shape *model.Shape, in any) ([]Violation, error) {
	if shape == nil {
		return nil, nil
	}
	v := reflect.ValueOf(in)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return nil, fmt.Errorf("want a pointer to a struct, got %T", in)
	}
	p, err := plan.Of(shape, v.Type())
	if err != nil {
		return nil, err
	}
	var w walker
	w.structure(p, v.Elem(), "")
	return w.found, nil
}

// Message is AWS's sentence for the violations.
func Message(list []Violation) string {
	return sentence(list, func(v Violation) string {
		return fmt.Sprintf("Value '%s' at '%s' failed to satisfy constraint: %s", v.Value, v.Path, v.Must)
	})
}

// Terse is Message in the form of IAM, which does not repeat what it was sent and
// names all constraints of a list's elements where one does not hold.
func Terse(list []Violation) string {
	return sentence(list, func(v Violation) string {
		must := v.Must
		if v.elem != nil && strings.HasPrefix(must, "Member ") {
			must = "Member must satisfy constraint: [" + strings.Join(constraints(v.elem), ", ") + "]"
		}
		return fmt.Sprintf("Value at '%s' failed to satisfy constraint: %s", v.Path, must)
	})
}

func sentence(list []Violation, one func(Violation) string) string {
	parts := make([]string, len(list))
	for i, v := range list {
		if v.Kind == Required {
			parts[i] = fmt.Sprintf("Value null at '%s' failed to satisfy constraint: Member must not be null", v.Path)
		} else {
			parts[i] = one(v)
		}
	}
	plural := "s"
	if len(list) == 1 {
		plural = ""
	}
	return fmt.Sprintf("%d validation error%s detected: %s", len(list), plural, strings.Join(parts, "; "))
}

// constraints are those of a text in a list, as IAM lists them.
func constraints(sh *model.Shape) []string {
	var out []string
	if sh.Max != nil {
		out = append(out, "Member must have length less than or equal to "+number(*sh.Max))
	}
	if sh.Min != nil {
		out = append(out, "Member must have length greater than or equal to "+number(*sh.Min))
	}
	if sh.Pattern != "" {
		out = append(out, "Member must satisfy regular expression pattern: "+sh.Pattern, "Member must not be null")
	}
	return out
}

type walker struct{ found []Violation }

func (w *walker) structure(p *plan.Plan, v reflect.Value, path string) {
	for i := range p.Fields {
		f := &p.Fields[i]
		at := below(path, f.Name)
		fv, ok := f.Get(v)
		switch {
		case !ok && f.Required && !f.Streaming:
			w.found = append(w.found, Violation{Kind: Required, Path: at, Member: f.Member})
		case ok && !f.Streaming:
			w.any(f.Plan, f.Member, fv, at)
		}
	}
}

// below joins a member's name in AWS's form: first letter in lower case.
func below(path, name string) string {
	if name != "" && 'A' <= name[0] && name[0] <= 'Z' {
		name = string(name[0]-'A'+'a') + name[1:]
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

func (w *walker) any(p *plan.Plan, m *model.Member, v reflect.Value, path string) {
	w.own(p, m, v, path)
	switch p.Shape.Kind {
	case model.Structure:
		w.structure(p, v, path)
	case model.List:
		w.elements(p, m, v, path)
	case model.Map:
		w.entries(p, m, v, path)
	}
}

// own checks the constraints of the value itself.
func (w *walker) own(p *plan.Plan, m *model.Member, v reflect.Value, path string) {
	for _, f := range failures(p.Shape, v) {
		f.Path, f.Member, f.Value = path, m, show(p.Shape, v)
		f.Must = "Member must " + f.Must
		w.found = append(w.found, f)
	}
}

// elements walks a list. AWS reports scalars that are wrong at the list and
// structures at their own place.
func (w *walker) elements(p *plan.Plan, m *model.Member, v reflect.Value, path string) {
	if p.Elem.Shape.Scalar() {
		for i := range v.Len() {
			if w.inner(p, p.Elem.Shape, m, v, v.Index(i), path, "Member") {
				return
			}
		}
		return
	}
	for i := range v.Len() {
		w.any(p.Elem, p.Shape.Element, v.Index(i), path+"."+strconv.Itoa(i+1)+".member")
	}
}

func (w *walker) entries(p *plan.Plan, m *model.Member, v reflect.Value, path string) {
	for it := v.MapRange(); it.Next(); {
		if w.inner(p, p.Key.Shape, m, v, it.Key(), path, "Map keys") {
			return
		}
		if p.Value.Shape.Scalar() {
			if w.inner(p, p.Value.Shape, m, v, it.Value(), path, "Map value") {
				return
			}
			continue
		}
		w.any(p.Value, p.Shape.Value, it.Value(), path+"."+it.Key().String()+".member")
	}
}

// inner reports a bad element at its container, once.
func (w *walker) inner(p *plan.Plan, elem *model.Shape, m *model.Member, whole, v reflect.Value, path, what string) bool {
	bad := failures(elem, v)
	if len(bad) == 0 {
		return false
	}
	musts := constraints(elem)
	if len(musts) == 0 {
		for i := range bad {
			musts = append(musts, "Member must "+bad[i].Must)
		}
	}
	f := bad[0]
	f.Path, f.Member, f.Value, f.Key, f.elem = path, m, show(p.Shape, whole), show(elem, v), elem
	f.Must = what + " must satisfy constraint: [" + strings.Join(musts, ", ") + "]"
	w.found = append(w.found, f)
	return true
}

// failures returns the constraints of sh that v itself does not hold.
func failures(sh *model.Shape, v reflect.Value) []Violation {
	var out []Violation
	if sh.Kind == model.String {
		if sh.Enum != nil && !contains(sh.Enum, v.String()) {
			out = append(out, Violation{Kind: Enum, Must: "satisfy enum value set: [" + strings.Join(sh.Enum, ", ") + "]"})
		}
		if sh.Pattern != "" && !matches(sh.Pattern, v.String()) {
			out = append(out, Violation{Kind: Pattern, Must: "satisfy regular expression pattern: " + sh.Pattern})
		}
	}
	size, kind, noun := measure(sh, v)
	switch {
	case noun == "":
	case sh.Min != nil && size < *sh.Min:
		out = append(out, Violation{Kind: kind, Limit: *sh.Min, Must: noun + " greater than or equal to " + number(*sh.Min)})
	case sh.Max != nil && size > *sh.Max:
		out = append(out, Violation{Kind: kind, Limit: *sh.Max, Over: true, Must: noun + " less than or equal to " + number(*sh.Max)})
	}
	return out
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// measure returns what Min and Max bound. Strings are counted in UTF-16 units, as
// Java counts them.
func measure(sh *model.Shape, v reflect.Value) (size float64, kind Kind, noun string) {
	if sh.Min == nil && sh.Max == nil {
		return 0, 0, ""
	}
	switch sh.Kind {
	case model.String:
		return float64(units(v.String())), Length, "have length"
	case model.List, model.Map, model.Blob:
		return float64(v.Len()), Length, "have length"
	case model.Integer, model.Long:
		return float64(v.Int()), Range, "have value"
	case model.Float, model.Double:
		return v.Float(), Range, "have value"
	}
	return 0, 0, ""
}

func units(s string) int {
	n := 0
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			n++
			i++
			continue
		}
		r, width := utf8.DecodeRuneInString(s[i:])
		n += utf16.RuneLen(r)
		i += width
	}
	return n
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// show prints a value as AWS's messages do.
func show(sh *model.Shape, v reflect.Value) string {
	if sh.Sensitive {
		return "***"
	}
	switch sh.Kind {
	case model.List:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = show(sh.Element.Shape, v.Index(i))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case model.Map:
		return "{" + strconv.Itoa(v.Len()) + " entries}"
	case model.Structure:
		return sh.Name
	case model.Blob:
		return "java.nio.HeapByteBuffer[pos=0 lim=" + strconv.Itoa(v.Len()) + " cap=" + strconv.Itoa(v.Len()) + "]"
	}
	return fmt.Sprint(v.Interface())
}
