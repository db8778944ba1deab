package stack

import (
	"errors"
	"maps"
	"slices"

	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/store"
)

// outputs evaluates the Outputs section with the resources as they are.
func (r *run) outputs() ([]Output, error) {
	var out []Output
	for _, name := range slices.Sorted(maps.Keys(r.scope.Template.Outputs)) {
		o := r.scope.Template.Outputs[name]
		if !r.scope.Active(o.Condition) {
			continue
		}
		path := "/Outputs/" + name
		value, err := r.scope.Eval(o.Value, path+"/Value")
		if err != nil {
			return nil, err
		}
		text, ok := scalarText(value)
		if !ok {
			return nil, propertyErrorf("Template format error: Output %s is malformed. The Value field of every Outputs member must evaluate to a String.", name)
		}
		output := Output{Name: name, Value: text, Description: o.Description}
		if o.Export != nil {
			value, err := r.scope.Eval(o.Export, path+"/Export/Name")
			if err != nil {
				return nil, err
			}
			if output.Export, ok = scalarText(value); !ok || output.Export == "" {
				return nil, propertyErrorf("Template format error: Output %s is malformed. The Name field of every Export member must evaluate to a String.", name)
			}
		}
		out = append(out, output)
	}
	return out, nil
}

// publish writes the exports of s.Outputs and the imports that the phase has met
// in place of the stack's former ones.
func (r *run) publish(tx *store.Tx, s *Stack) error {
	wanted := map[string]string{}
	for _, o := range s.Outputs {
		if o.Export != "" {
			wanted[o.Export] = o.Value
		}
	}
	if err := withdraw(tx, s, wanted); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		k := store.Key{Account: s.Account, Region: s.Region, ID: name}
		old, err := Exports.Get(tx, k)
		if err == nil && old.StackID != s.ID {
			return propertyErrorf("Export with name %s is already exported by stack %s.", name, old.StackName)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := Exports.Put(tx, k, &Export{Name: name, Value: wanted[name], StackID: s.ID, StackName: s.Name}); err != nil {
			return err
		}
	}
	if err := forgetImports(tx, s); err != nil {
		return err
	}
	return r.noteImports(tx, s)
}

// noteImports writes which exports the phase has met.
func (r *run) noteImports(tx *store.Tx, s *Stack) error {
	for name, found := range r.imports {
		if !found {
			continue
		}
		k := store.Key{Account: s.Account, Region: s.Region, ID: s.ID + "/" + name}
		if err := Imports.Put(tx, k, &Import{Export: name, StackID: s.ID, StackName: s.Name}); err != nil {
			return err
		}
	}
	return nil
}

// withdraw removes the exports of a stack that keep does not name. One that
// another stack uses can neither go nor change.
func withdraw(tx *store.Tx, s *Stack, keep map[string]string) error {
	rows, err := Exports.Lookup(tx, stackIndex, s.ID)
	if err != nil {
		return err
	}
	for _, row := range rows {
		value, stays := keep[row.Value.Name]
		if stays && value == row.Value.Value {
			continue
		}
		users, err := ImportersOf(tx, s.Account, s.Region, row.Value.Name)
		if err != nil {
			return err
		}
		if len(users) > 0 {
			if stays {
				return propertyErrorf("Cannot update export %s as it is in use by %s", row.Value.Name, users[0])
			}
			return propertyErrorf("Export %s cannot be deleted as it is in use by %s", row.Value.Name, users[0])
		}
		if err := Exports.Delete(tx, row.Key); err != nil {
			return err
		}
	}
	return nil
}

func forgetImports(tx *store.Tx, s *Stack) error {
	rows, err := Imports.Lookup(tx, stackIndex, s.ID)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := Imports.Delete(tx, row.Key); err != nil {
			return err
		}
	}
	return nil
}

// ImportersOf returns the names of the stacks that use an export.
func ImportersOf(tx *store.Tx, account, region, export string) ([]string, error) {
	rows, err := Imports.Lookup(tx, "export", NameIndex(account, region, export))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, row := range rows {
		out = append(out, row.Value.StackName)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// activeIn returns the ids that a template's resources have under a scope.
func activeIn(scope *template.Scope) map[string]bool {
	out := map[string]bool{}
	for id, def := range scope.Template.Resources {
		if scope.Active(def.Condition) {
			out[id] = true
		}
	}
	return out
}
