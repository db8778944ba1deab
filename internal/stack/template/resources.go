package template

import (
	"maps"
	"slices"
)

var resourceMembers = []string{"Type", "Properties", "Metadata", "DependsOn", "Condition",
	"CreationPolicy", "UpdatePolicy", "DeletionPolicy", "UpdateReplacePolicy"}

func parseResources(t *Template) error {
	v, given := t.Body["Resources"]
	top, ok := v.(map[string]any)
	if given && v != nil && !ok {
		return errorf("Template format error: Resources must be an object.")
	}
	if len(top) == 0 {
		return errorf("Template format error: At least one Resources member must be defined.")
	}
	if len(top) > maxResources {
		return errorf("Template format error: Number of resources, %d, is greater than maximum allowed, %d", len(top), maxResources)
	}
	t.Resources = make(map[string]*Resource, len(top))
	for _, id := range slices.Sorted(maps.Keys(top)) {
		if !alphanumeric.MatchString(id) {
			return errorf("Template format error: Resource name %s is non alphanumeric.", id)
		}
		if len(id) > maxName {
			return errorf("Template format error: Resource name %s is longer than %d characters.", id, maxName)
		}
		m, ok := top[id].(map[string]any)
		if !ok {
			return errorf("Template format error: Any Resources member must be an object.")
		}
		r, err := parseResource(id, m)
		if err != nil {
			return err
		}
		t.Resources[id] = r
	}
	return nil
}

func parseResource(id string, m map[string]any) (*Resource, error) {
	r := &Resource{ID: id, DeletionPolicy: "Delete", UpdateReplacePolicy: "Delete"}
	var ok bool
	if r.Type, ok = m["Type"].(string); !ok || r.Type == "" {
		return nil, errorf("Template format error: [/Resources/%s] Every Resources object must contain a Type member.", id)
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(resourceMembers, name) {
			return nil, errorf("Invalid template resource property '%s'", name)
		}
		if path := findNull(m[name], "/Resources/"+id+"/"+name); path != "" && name != "Metadata" {
			return nil, errorf("[%s] 'null' values are not allowed in templates", path)
		}
	}
	for name, into := range map[string]*map[string]any{"Properties": &r.Properties, "Metadata": &r.Metadata,
		"CreationPolicy": &r.CreationPolicy, "UpdatePolicy": &r.UpdatePolicy} {
		v, given := m[name]
		if *into, ok = v.(map[string]any); given && !ok {
			return nil, errorf("Template format error: [/Resources/%s/%s] %s must be an object.", id, name, name)
		}
	}
	if v, given := m["Condition"]; given {
		if r.Condition, ok = v.(string); !ok {
			return nil, errorf("Template format error: Every Condition member must be a string.")
		}
	}
	if err := r.parseDependsOn(m); err != nil {
		return nil, err
	}
	return r, r.parsePolicies(m)
}

func (r *Resource) parseDependsOn(m map[string]any) error {
	v, given := m["DependsOn"]
	if !given {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, e := range list {
		id, ok := e.(string)
		if !ok {
			return errorf("Template format error: Every DependsOn value must be a string.")
		}
		r.DependsOn = append(r.DependsOn, id)
	}
	return nil
}

func (r *Resource) parsePolicies(m map[string]any) error {
	for _, p := range []struct {
		name    string
		into    *string
		allowed []string
	}{
		{"DeletionPolicy", &r.DeletionPolicy, []string{"Delete", "Retain", "RetainExceptOnCreate", "Snapshot"}},
		{"UpdateReplacePolicy", &r.UpdateReplacePolicy, []string{"Delete", "Retain", "Snapshot"}},
	} {
		v, given := m[p.name]
		if !given {
			continue
		}
		text, ok := v.(string)
		if !ok {
			return errorf("Template format error: Every %s member must be a string.", p.name)
		}
		if !slices.Contains(p.allowed, text) {
			return errorf("Template format error: Unrecognized %s %s for resource %s", p.name, text, r.ID)
		}
		if text == "Snapshot" && r.Type != "AWS::EC2::Volume" {
			return errorf("Template error: resource type %s does not support %s Snapshot", r.Type, p.name)
		}
		*p.into = text
	}
	return nil
}

func parseOutputs(t *Template) error {
	top, err := section(t.Body, "Outputs")
	if err != nil {
		return err
	}
	if len(top) > maxOutputs {
		return errorf("Template format error: Number of outputs, %d, is greater than maximum allowed, %d", len(top), maxOutputs)
	}
	t.Outputs = make(map[string]*Output, len(top))
	for _, name := range slices.Sorted(maps.Keys(top)) {
		o, err := parseOutput(name, top[name])
		if err != nil {
			return err
		}
		t.Outputs[name] = o
	}
	return nil
}

func parseOutput(name string, v any) (*Output, error) {
	if !alphanumeric.MatchString(name) {
		return nil, errorf("Template format error: Output name %s is non alphanumeric.", name)
	}
	m, ok := v.(map[string]any)
	if _, given := m["Value"]; !ok || !given {
		return nil, errorf("Template format error: Every Outputs member must contain a Value object")
	}
	if path := findNull(m["Value"], "/Outputs/"+name+"/Value"); path != "" {
		return nil, errorf("[%s] 'null' values are not allowed in templates", path)
	}
	for _, member := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains([]string{"Value", "Description", "Export", "Condition"}, member) {
			return nil, errorf("Invalid template output property '%s'", member)
		}
		if path := findNull(m[member], "/Outputs/"+name+"/"+member); path != "" {
			return nil, errorf("[%s] 'null' values are not allowed in templates", path)
		}
	}
	o := &Output{Name: name, Value: m["Value"]}
	o.Description, _ = m["Description"].(string)
	if v, given := m["Condition"]; given {
		if o.Condition, ok = v.(string); !ok {
			return nil, errorf("Template format error: Every Condition member must be a string.")
		}
	}
	if v, given := m["Export"]; given {
		export, ok := v.(map[string]any)
		if !ok || export["Name"] == nil {
			return nil, errorf("Template format error: Output %s is malformed. The Name field of every Export member must be specified.", name)
		}
		o.Export = export["Name"]
	}
	return o, nil
}
