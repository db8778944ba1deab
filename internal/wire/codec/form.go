package codec

import (
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/plan"
)

// Form is a decoded query: the parameters of a query or EC2 request as a tree of
// their dotted names.
type Form struct {
	Values url.Values
	root   node
}

type node struct {
	value string
	set   bool // there is a value at this very name
	used  bool
	kids  map[string]*node
}

// NewForm builds the tree.
func NewForm(values url.Values) (*Form, error) {
	if len(values) > MaxParameters {
		return nil, tooLarge("The request has more than " + strconv.Itoa(MaxParameters) + " parameters.")
	}
	f := &Form{Values: values}
	for name, vs := range values {
		if strings.Count(name, ".") >= 2*MaxDepth {
			return nil, tooLarge("A parameter is nested too deeply.")
		}
		n := &f.root
		for part := range strings.SplitSeq(name, ".") {
			if n.kids == nil {
				n.kids = map[string]*node{}
			}
			next := n.kids[part]
			if next == nil {
				next = &node{}
				n.kids[part] = next
			}
			n = next
		}
		if len(vs) > 0 {
			n.value, n.set = vs[0], true
		}
	}
	return f, nil
}

// formParameters are not part of any operation's input: they choose it, sign it
// or shape the answer.
var formParameters = []string{"Action", "Version", "ContentType", "AWSAccessKeyId", "Signature", "SignatureVersion",
	"SignatureMethod", "SecurityToken", "Timestamp", "Expires", "AUTHPARAMS"}

// Decode fills in, a pointer to an operation's input. ec2 selects EC2's dialect:
// capitalised names, and no element names within lists. A parameter that the
// operation does not have is refused.
func (f *Form) Decode(shape *model.Shape, in any, ec2 bool) error {
	if shape != nil {
		p, v, err := value(shape, in)
		if err != nil {
			return err
		}
		d := formReader{ec2: ec2}
		if err := d.structure(&f.root, p, v, ""); err != nil {
			return err
		}
	}
	for _, name := range sortedKeys(f.root.kids) {
		if !slices.Contains(formParameters, name) && !strings.HasPrefix(name, "X-Amz-") {
			if path := f.root.kids[name].unused(name); path != "" {
				return unknown(path)
			}
		}
	}
	return nil
}

// unused returns the first name below n with a value that nothing has read.
func (n *node) unused(path string) string {
	if n.set && !n.used {
		return path
	}
	for _, name := range sortedKeys(n.kids) {
		if p := n.kids[name].unused(path + "." + name); p != "" {
			return p
		}
	}
	return ""
}

func sortedKeys(m map[string]*node) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

type formReader struct{ ec2 bool }

// name is the parameter's name of a member.
func (d formReader) name(m *model.Member) string { return formName(m, d.ec2) }

func formName(m *model.Member, ec2 bool) string {
	switch {
	case m.QueryName != "":
		return m.QueryName
	case ec2:
		return model.Exported(m.WireName())
	}
	return m.WireName()
}

func (d formReader) structure(n *node, p *plan.Plan, v reflect.Value, path string) error {
	n.used = n.used || n.value == ""
	for i := range p.Fields {
		f := &p.Fields[i]
		name := d.name(f.Member)
		kid := n.kids[name]
		if kid == nil {
			continue
		}
		if err := d.any(kid, f.Plan, f.Member, f.Settable(v), join(path, name)); err != nil {
			return err
		}
	}
	return nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (d formReader) any(n *node, p *plan.Plan, m *model.Member, v reflect.Value, path string) error {
	switch p.Shape.Kind {
	case model.Structure:
		return d.structure(n, p, v, path)
	case model.List:
		return d.list(n, p, m, v, path)
	case model.Map:
		return d.mapping(n, p, m, v, path)
	}
	if !n.set {
		return badValue(path, "", p.Shape.Kind)
	}
	n.used = true
	return setText(v, p.Shape, n.value, path)
}

// list reads Name.1, Name.2 (EC2 and flattened lists) or Name.member.1. A bare
// "Name=" is the empty list.
func (d formReader) list(n *node, p *plan.Plan, m *model.Member, v reflect.Value, path string) error {
	if n.set && n.value == "" {
		n.used = true
	}
	v.Set(reflect.MakeSlice(p.Type, 0, len(n.kids)))
	if !d.ec2 && !p.Shape.Flattened && !m.Flattened {
		n, path = descend(n, elementName(p.Shape.Element, "member"), path)
	}
	indices, err := n.indices(path)
	if err != nil {
		return err
	}
	for _, i := range indices {
		key := strconv.Itoa(i)
		e := reflect.New(p.Elem.Type).Elem()
		if err := d.any(n.kids[key], p.Elem, p.Shape.Element, e, join(path, key)); err != nil {
			return err
		}
		v.Set(reflect.Append(v, e))
	}
	return nil
}

func descend(n *node, name, path string) (*node, string) {
	kid := n.kids[name]
	if kid == nil {
		return &node{}, path
	}
	return kid, join(path, name)
}

func elementName(m *model.Member, usual string) string {
	if m.LocationName != "" {
		return m.LocationName
	}
	return usual
}

// indices returns the list positions below n in order; gaps are closed.
func (n *node) indices(path string) ([]int, error) {
	out := make([]int, 0, len(n.kids))
	for k := range n.kids {
		i, err := strconv.Atoi(k)
		if err != nil || i < 0 || strconv.Itoa(i) != k {
			return nil, unknown(join(path, k))
		}
		out = append(out, i)
	}
	slices.Sort(out)
	return out, nil
}

// mapping reads Name.entry.1.key and Name.entry.1.value.
func (d formReader) mapping(n *node, p *plan.Plan, m *model.Member, v reflect.Value, path string) error {
	v.Set(reflect.MakeMap(p.Type))
	if !p.Shape.Flattened && !m.Flattened {
		n, path = descend(n, "entry", path)
	}
	indices, err := n.indices(path)
	if err != nil {
		return err
	}
	for _, i := range indices {
		entry, at := n.kids[strconv.Itoa(i)], join(path, strconv.Itoa(i))
		key, val := reflect.New(p.Key.Type).Elem(), reflect.New(p.Value.Type).Elem()
		kn, kpath := descend(entry, elementName(p.Shape.Key, "key"), at)
		if err := d.any(kn, p.Key, p.Shape.Key, key, kpath); err != nil {
			return err
		}
		vn, vpath := descend(entry, elementName(p.Shape.Value, "value"), at)
		if err := d.any(vn, p.Value, p.Shape.Value, val, vpath); err != nil {
			return err
		}
		v.SetMapIndex(key, val)
	}
	return nil
}
