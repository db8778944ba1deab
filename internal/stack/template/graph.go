package template

import (
	"maps"
	"slices"
	"strings"
)

// Graph says for each logical id which others must exist before it.
type Graph map[string][]string

// Cycle returns the ids of the cycles in g, in order, or nil.
func (g Graph) Cycle() []string {
	// Whatever is left after taking away, again and again, what depends on
	// nothing left and what nothing left depends on, lies on a cycle or between two.
	left := map[string]bool{}
	for id := range g {
		left[id] = true
	}
	for changed := true; changed; {
		changed = false
		wanted := map[string]bool{}
		for id := range left {
			for _, d := range g[id] {
				wanted[d] = wanted[d] || left[d]
			}
		}
		for id := range left {
			waits := slices.ContainsFunc(g[id], func(d string) bool { return left[d] })
			if !waits || !wanted[id] {
				delete(left, id)
				changed = true
			}
		}
	}
	return slices.Sorted(maps.Keys(left))
}

// staticCycle looks at all references, those in branches of Fn::If that will not
// be taken too, as CloudFormation does when it validates.
func (t *Template) staticCycle() []string {
	g := Graph{}
	for id, r := range t.Resources {
		deps := map[string]bool{}
		for _, part := range []map[string]any{r.Properties, r.Metadata, r.CreationPolicy} {
			references(part, func(ref reference) {
				if _, ok := t.Resources[ref.name]; ok {
					deps[ref.name] = true
				}
			})
		}
		for _, d := range r.DependsOn {
			deps[d] = true
		}
		g[id] = slices.Sorted(maps.Keys(deps))
	}
	if cycle := g.Cycle(); len(cycle) > 0 {
		return cycle
	}
	return nil
}

// Plan evaluates the template as far as it can be without its resources: which of
// them exist, what each waits for, and every error that is certain already. It
// is made when a stack is created or changed, before any work.
func (s *Scope) Plan() (Graph, error) {
	g := Graph{}
	for _, id := range s.Template.ResourceIDs() {
		r := s.Template.Resources[id]
		if !s.Active(r.Condition) {
			continue
		}
		deps := map[string]bool{}
		dry := *s
		dry.Resources, dry.trace = nil, deps
		for _, part := range []struct {
			name string
			v    map[string]any
		}{{"Properties", r.Properties}, {"Metadata", r.Metadata}, {"CreationPolicy", r.CreationPolicy}} {
			if _, err := dry.Eval(part.v, "/Resources/"+id+"/"+part.name); err != nil {
				return nil, err
			}
		}
		for _, d := range r.DependsOn {
			if s.Active(s.Template.Resources[d].Condition) {
				deps[d] = true
			}
		}
		g[id] = slices.Sorted(maps.Keys(deps))
	}
	if dead := s.deadReferences(g); len(dead) > 0 {
		return nil, errorf("Template format error: Unresolved resource dependencies [%s] in the Resources block of the template", strings.Join(dead, ", "))
	}
	return g, s.planOutputs(g)
}

// deadReferences are the resources that live ones refer to although their
// condition is false.
func (s *Scope) deadReferences(g Graph) []string {
	dead := map[string]bool{}
	for _, deps := range g {
		for _, d := range deps {
			if _, ok := g[d]; !ok {
				dead[d] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(dead))
}

func (s *Scope) planOutputs(g Graph) error {
	dead, seen := map[string]bool{}, map[string]bool{}
	dry := *s
	dry.Resources, dry.trace = nil, seen
	for _, name := range slices.Sorted(maps.Keys(s.Template.Outputs)) {
		o := s.Template.Outputs[name]
		if !s.Active(o.Condition) {
			continue
		}
		if _, err := dry.Eval(o.Value, "/Outputs/"+name+"/Value"); err != nil {
			return err
		}
	}
	for id := range seen {
		if _, ok := g[id]; !ok {
			dead[id] = true
		}
	}
	if len(dead) > 0 {
		return errorf("Unresolved resource dependencies [%s] in the Outputs block of the template", names(dead))
	}
	return nil
}
