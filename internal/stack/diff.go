package stack

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/stack/template"
)

// What a Change does to a resource.
const (
	Add    = "Add"
	Modify = "Modify"
	Remove = "Remove"
)

// Change is the difference that an update makes to one resource, as far as it is
// known before.
type Change struct {
	Action, LogicalID, Type string
	// Replace is set when a create-only property differs.
	Replace bool
	Details []Detail
}

// Detail is one cause of a Modify.
type Detail struct {
	Attribute  string // Properties, Metadata or Tags
	Name       string // of the property
	CreateOnly bool
	// Entity is what causes it: a parameter, a resource, Resource.Attribute; empty
	// for a change of the template itself.
	Entity string
	// Dynamic means that it depends on another resource whether it changes at all.
	Dynamic bool
}

// Diff compares two scopes of a stack by what they make of each resource. Values
// that depend on resources are compared by what they depend on. tagged tells
// whether the stack's tags differ.
func (e *Engine) Diff(old, next *template.Scope, tagged bool) ([]Change, error) {
	before, after := activeIn(old), activeIn(next)
	var changes []Change
	for _, id := range slices.Sorted(maps.Keys(union(before, after))) {
		switch {
		case !before[id]:
			changes = append(changes, Change{Action: Add, LogicalID: id, Type: next.Template.Resources[id].Type})
		case !after[id]:
			changes = append(changes, Change{Action: Remove, LogicalID: id, Type: old.Template.Resources[id].Type})
		default:
			details, err := e.details(old, next, id, tagged)
			if err != nil {
				return nil, err
			}
			if len(details) > 0 {
				changes = append(changes, modified(next.Template.Resources[id], details))
			}
		}
	}
	return e.follow(next, changes), nil
}

func union(a, b map[string]bool) map[string]bool {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

func modified(def *template.Resource, details []Detail) Change {
	return Change{Action: Modify, LogicalID: def.ID, Type: def.Type, Details: details,
		Replace: slices.ContainsFunc(details, func(d Detail) bool { return d.CreateOnly && !d.Dynamic })}
}

func (e *Engine) details(old, next *template.Scope, id string, tagged bool) ([]Detail, error) {
	a, b := old.Template.Resources[id], next.Template.Resources[id]
	var out []Detail
	properties, err := changedKeys(old, next, a.Properties, b.Properties, "/Resources/"+id+"/Properties")
	if err != nil {
		return nil, err
	}
	for _, name := range properties {
		out = append(out, Detail{Attribute: "Properties", Name: name, CreateOnly: e.createOnly(b.Type, name),
			Entity: parameterBehind(next, a.Properties[name], b.Properties[name])})
	}
	metadata, err := changedKeys(old, next, a.Metadata, b.Metadata, "/Resources/"+id+"/Metadata")
	if err != nil {
		return nil, err
	}
	if len(metadata) > 0 {
		out = append(out, Detail{Attribute: "Metadata"})
	}
	if res, ok := e.types[b.Type]; ok && tagged && res.Schema().Taggable {
		out = append(out, Detail{Attribute: "Tags"})
	}
	return out, nil
}

func (e *Engine) createOnly(resourceType, property string) bool {
	res, ok := e.types[resourceType]
	return ok && slices.Contains(res.Schema().CreateOnly, property)
}

// changedKeys are the members that differ once functions have been evaluated.
func changedKeys(old, next *template.Scope, a, b map[string]any, path string) ([]string, error) {
	before, err := old.EvalMap(a, path)
	if err != nil {
		return nil, err
	}
	after, err := next.EvalMap(b, path)
	if err != nil {
		return nil, err
	}
	var out []string
	for name := range before {
		if _, kept := after[name]; !kept || !reflect.DeepEqual(before[name], after[name]) {
			out = append(out, name)
		}
	}
	for name := range after {
		if _, had := before[name]; !had {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}

// parameterBehind names the parameter whose value makes two equal texts differ.
func parameterBehind(next *template.Scope, a, b any) string {
	if !reflect.DeepEqual(a, b) {
		return ""
	}
	for _, name := range next.Template.References(b) {
		if _, ok := next.Parameters[name]; ok {
			return name
		}
	}
	return ""
}

// follow adds the resources that refer to changed ones and may change with them.
func (e *Engine) follow(next *template.Scope, changes []Change) []Change {
	direct := map[string]Change{}
	for _, c := range changes {
		direct[c.LogicalID] = c
	}
	for _, id := range slices.Sorted(maps.Keys(activeIn(next))) {
		if _, done := direct[id]; done {
			continue
		}
		def := next.Template.Resources[id]
		var details []Detail
		for _, name := range slices.Sorted(maps.Keys(def.Properties)) {
			for _, use := range next.Attributes(def.Properties[name], "") {
				if c, ok := direct[use.ID]; ok && c.Action == Modify {
					details = append(details, Detail{Attribute: "Properties", Name: name, Dynamic: true,
						CreateOnly: e.createOnly(def.Type, name), Entity: use.ID + "." + use.Attribute})
				}
			}
		}
		if len(details) > 0 {
			changes = append(changes, modified(def, details))
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.LogicalID, b.LogicalID) })
	return changes
}
