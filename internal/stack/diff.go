package stack

import (
	"context"
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
	// Take is what becomes of an Add whose resource exists already.
	Take = "Import"
)

// Change is the difference that an operation makes to one resource, as far as it
// is known before. The words are those of the API's ResourceChange.
type Change struct {
	Action, LogicalID, Type string
	PhysicalID              string `json:",omitempty"`
	Replacement             string `json:",omitempty"` // of a Modify
	PolicyAction            string `json:",omitempty"`
	Details                 []Detail
	// Before and After are what the resource is and will be, JSON text.
	Before, After string `json:",omitempty"`
	// ChangeSetID is that of a nested stack's own change set.
	ChangeSetID string `json:",omitempty"`
	// Evaluated are the properties that a nested stack will have, secrets too, as far
	// as they are known; it is never kept.
	Evaluated map[string]any `json:"-"`
}

// Detail is one cause of a Modify.
type Detail struct {
	Attribute  string // Properties, Metadata or Tags
	Name       string // of the property
	Recreation string // Never, Conditionally or Always
	Source     string // DirectModification, ParameterReference, ..
	// Entity is what causes it: a parameter, a resource, Resource.Attribute; empty
	// for a change of the template itself.
	Entity string
	// Dynamic means that it depends on another resource whether it changes at all.
	Dynamic bool
	// Path, Kind (Add, Modify, Remove), Before and After are of a value below the
	// property.
	Path, Kind    string
	Before, After string
}

// differ compares what a stack is with what it shall be.
type differ struct {
	e         *Engine
	old, next *template.Scope // old is nil of a stack that is to be
	shown     *template.Scope // next with secrets masked and what is known of resources
	members   map[string]*Member
	content   map[string]*content
	tagged    bool
	changes   map[string]*Change
}

// Diff says what an operation towards next changes. old is nil for a stack that is
// to be created; tagged tells whether the stack's tags differ. Values that depend
// on resources are compared by what they depend on.
func (e *Engine) Diff(ctx context.Context, s *Stack, old, next *template.Scope, tagged bool) ([]Change, error) {
	r, err := e.loadMembers(ctx, s)
	if err != nil {
		return nil, err
	}
	d := &differ{e: e, old: old, next: next, members: r.members, content: r.content, tagged: tagged, changes: map[string]*Change{}}
	d.shown = maskedScope(next)
	d.shown.World, d.shown.Resources = nil, forecast{d}
	graph, err := next.Plan()
	if err != nil {
		return nil, err
	}
	visited := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(graph)) {
		if err := d.visit(id, graph, visited); err != nil {
			return nil, err
		}
	}
	d.removals(graph)
	out := make([]Change, 0, len(d.changes))
	for _, id := range slices.Sorted(maps.Keys(d.changes)) {
		out = append(out, *d.changes[id])
	}
	return out, nil
}

// visit judges what a resource depends on before it judges the resource.
func (d *differ) visit(id string, graph template.Graph, visited map[string]bool) error {
	if visited[id] {
		return nil
	}
	visited[id] = true
	for _, dep := range graph[id] {
		if err := d.visit(dep, graph, visited); err != nil {
			return err
		}
	}
	def := d.next.Template.Resources[id]
	if !d.had(id) {
		d.changes[id] = &Change{Action: Add, LogicalID: id, Type: def.Type, After: d.after(def), Evaluated: d.evaluated(def)}
		return nil
	}
	details, err := d.details(id)
	if err != nil || len(details) == 0 {
		return err
	}
	c := &Change{Action: Modify, LogicalID: id, Type: def.Type, Details: details, Replacement: replacementOf(details), Before: d.before(id)}
	if c.Replacement != "False" {
		c.PolicyAction = "ReplaceAnd" + policyAction(def.UpdateReplacePolicy)
	}
	if m := d.members[id]; m != nil {
		c.PhysicalID = m.PhysicalID
	}
	d.changes[id] = c
	c.After, c.Evaluated = d.after(def), d.evaluated(def)
	c.values()
	return nil
}

// had reports whether the stack has a resource now.
func (d *differ) had(id string) bool {
	if d.old == nil {
		return false
	}
	def, ok := d.old.Template.Resources[id]
	return ok && d.old.Active(def.Condition)
}

func (d *differ) removals(graph template.Graph) {
	if d.old == nil {
		return
	}
	for id := range activeIn(d.old) {
		if _, stays := graph[id]; stays {
			continue
		}
		def := d.old.Template.Resources[id]
		c := &Change{Action: Remove, LogicalID: id, Type: def.Type, PolicyAction: policyAction(def.DeletionPolicy), Before: d.before(id)}
		if m := d.members[id]; m != nil {
			c.PhysicalID = m.PhysicalID
		}
		d.changes[id] = c
	}
}

// policyAction is what a policy makes of a resource that goes.
func policyAction(policy string) string {
	if strings.HasPrefix(policy, "Retain") {
		return "Retain"
	}
	if policy == "" {
		return "Delete"
	}
	return policy
}

func replacementOf(details []Detail) string {
	out := "False"
	for _, d := range details {
		switch {
		case d.Recreation == "Always" && !d.Dynamic:
			return "True"
		case d.Recreation != "Never":
			out = "Conditional"
		}
	}
	return out
}

func (d *differ) details(id string) ([]Detail, error) {
	a, b := d.old.Template.Resources[id], d.next.Template.Resources[id]
	changed, err := d.changedKeys(a.Properties, b.Properties, "/Resources/"+id+"/Properties")
	if err != nil {
		return nil, err
	}
	var out []Detail
	for _, name := range slices.Sorted(maps.Keys(union(a.Properties, b.Properties))) {
		detail := Detail{Attribute: "Properties", Name: name, Recreation: d.recreation(b.Type, name), Source: "DirectModification"}
		causes := d.causes(detail, b.Properties[name])
		switch {
		case changed[name] && !reflect.DeepEqual(a.Properties[name], b.Properties[name]):
			out = append(out, detail)
		case changed[name] && len(causes) == 0:
			out = append(out, detail) // a mapping or a condition
		case len(causes) > 0:
			detail.Dynamic = true
			out = append(append(out, detail), causes...)
		}
	}
	metadata, err := d.changedKeys(a.Metadata, b.Metadata, "/Resources/"+id+"/Metadata")
	if err != nil {
		return nil, err
	}
	if len(metadata) > 0 {
		out = append(out, Detail{Attribute: "Metadata", Recreation: "Never", Source: "DirectModification"})
	}
	schema := d.e.Schema(b.Type)
	if schema.Nested && len(out) == 0 {
		out = append(out, Detail{Attribute: "Properties", Recreation: "Never", Source: "Automatic", Dynamic: true})
	}
	if d.tagged && schema.Taggable {
		out = append(out, Detail{Attribute: "Tags", Recreation: "Never", Source: "DirectModification"})
	}
	return out, nil
}

func union(a, b map[string]any) map[string]bool {
	out := map[string]bool{}
	for name := range a {
		out[name] = true
	}
	for name := range b {
		out[name] = true
	}
	return out
}

// causes are the parameters and resources whose change reaches a property whose
// text may be what it was.
func (d *differ) causes(like Detail, v any) []Detail {
	var out []Detail
	for _, name := range d.next.Template.References(v) {
		value, isParameter := d.next.Parameters[name]
		if before, had := d.old.Parameters[name]; isParameter && had && !reflect.DeepEqual(before, value) {
			like.Source, like.Entity, like.Dynamic = "ParameterReference", name, false
			out = append(out, like)
		}
	}
	seen := map[string]bool{}
	for _, use := range d.next.Uses(v, "") {
		c, changed := d.changes[use.ID]
		if !changed || c.Action != Modify || seen[use.ID+"."+use.Attribute] {
			continue
		}
		seen[use.ID+"."+use.Attribute] = true
		switch {
		case use.Attribute != "":
			like.Source, like.Entity, like.Dynamic = "ResourceAttribute", use.ID+"."+use.Attribute, c.Replacement != "True"
		case c.Replacement != "False":
			like.Source, like.Entity, like.Dynamic = "ResourceReference", use.ID, c.Replacement == "Conditional"
		default:
			continue
		}
		out = append(out, like)
	}
	return out
}

func (d *differ) recreation(resourceType, property string) string {
	schema := d.e.Schema(resourceType)
	switch {
	case slices.Contains(schema.CreateOnly, property):
		return "Always"
	case slices.Contains(schema.Conditional, property),
		slices.ContainsFunc(schema.CreateOnly, func(path string) bool { return strings.HasPrefix(path, property+"/") }):
		return "Conditionally"
	}
	return "Never"
}

// changedKeys are the members that differ once functions have been evaluated.
func (d *differ) changedKeys(a, b map[string]any, path string) (map[string]bool, error) {
	before, err := d.old.EvalMap(a, path)
	if err != nil {
		return nil, err
	}
	after, err := d.next.EvalMap(b, path)
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for name := range union(before, after) {
		x, had := before[name]
		y, has := after[name]
		if had != has || !reflect.DeepEqual(x, y) {
			out[name] = true
		}
	}
	return out, nil
}
