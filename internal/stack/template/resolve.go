package template

import (
	"maps"
	"slices"
	"strings"
)

// Given is a parameter as a request brings it.
type Given struct {
	Key, Value  string
	UsePrevious bool
}

// Value is a parameter's value in a stack: the text that was given and, for SSM
// types, what stood behind it. Of NoEcho parameters the text is kept elsewhere.
type Value struct {
	Text     string
	Resolved string `json:",omitempty"`
	NoEcho   bool   `json:",omitempty"`
}

// Account answers what parameters of AWS-specific and SSM types need.
type Account interface {
	// Exists reports whether value names something of an AWS-specific type, such
	// as AWS::EC2::KeyPair::KeyName.
	Exists(awsType, value string) (bool, error)
	// Parameters fetches values from the parameter store; names that do not exist
	// are missing from the answer.
	Parameters(names []string) (map[string]string, error)
	// Attribute returns an attribute of what value names, for Fn::ValueOf: VpcId,
	// AvailabilityZone, Tags.key.
	Attribute(awsType, value, attribute string) (string, error)
}

// Resolve gives every parameter of the template its value: given, previous or
// default. previous is nil for a new stack.
func (t *Template) Resolve(given []Given, previous map[string]Value, account Account) (map[string]Value, error) {
	out, err := t.assign(given, previous)
	if err != nil {
		return nil, err
	}
	if err := t.fetch(out, account); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(t.Parameters)) {
		p, v := t.Parameters[name], out[name]
		if err := p.Check(v.Text); err != nil {
			return nil, err
		}
		if err := p.exists(v, account); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Assign is Resolve without an account: values are held against types and
// constraints alone.
func (t *Template) Assign(given []Given, previous map[string]Value) (map[string]Value, error) {
	out, err := t.assign(given, previous)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(t.Parameters)) {
		if err := t.Parameters[name].Check(out[name].Text); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *Template) assign(given []Given, previous map[string]Value) (map[string]Value, error) {
	byKey := map[string]Given{}
	unknown, missing := map[string]bool{}, map[string]bool{}
	for _, g := range given {
		if _, ok := t.Parameters[g.Key]; !ok {
			unknown[g.Key] = true
		}
		byKey[g.Key] = g
	}
	if len(unknown) > 0 {
		return nil, errorf("Parameters: [%s] do not exist in the template", names(unknown))
	}
	out := make(map[string]Value, len(t.Parameters))
	for name, p := range t.Parameters {
		g, ok := byKey[name]
		old, had := previous[name]
		switch {
		case ok && !g.UsePrevious:
			out[name] = Value{Text: g.Value}
		case ok && had:
			out[name] = Value{Text: old.Text}
		case p.Default != nil && !(ok && g.UsePrevious && previous == nil):
			out[name] = Value{Text: *p.Default}
		default:
			missing[name] = true
		}
	}
	if len(missing) > 0 {
		return nil, errorf("Parameters: [%s] must have values", names(missing))
	}
	return out, nil
}

// fetch reads what stands behind the parameters of SSM types, anew each time.
func (t *Template) fetch(values map[string]Value, account Account) error {
	var wanted []string
	for name, p := range t.Parameters {
		if vt, _ := typeOf(p.Type); vt.ssm || p.Type == ssmName {
			wanted = append(wanted, values[name].Text)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	found, err := account.Parameters(wanted)
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc(wanted, func(n string) bool { _, ok := found[n]; return ok })
	if len(missing) > 0 {
		return errorf("Unable to fetch parameters [%s] from parameter store for this account.", strings.Join(missing, ", "))
	}
	for name, p := range t.Parameters {
		if vt, _ := typeOf(p.Type); vt.ssm {
			v := values[name]
			v.Resolved = found[v.Text]
			values[name] = v
		}
	}
	return nil
}

// exists asks the account for values of AWS-specific types.
func (p *Parameter) exists(v Value, account Account) error {
	vt, _ := typeOf(p.Type)
	if !slices.Contains(awsTypes, vt.item) {
		return nil
	}
	effective := v.Text
	if vt.ssm {
		effective = v.Resolved
	}
	items := []string{effective}
	if vt.list {
		items = splitList(effective)
	}
	for _, item := range items {
		ok, err := account.Exists(vt.item, item)
		if err != nil {
			return err
		}
		if !ok {
			return errorf("Parameter validation failed: parameter value %s for parameter name %s does not exist", item, p.Name)
		}
	}
	return nil
}

// RefValues turns values into what Ref gives: texts and lists of texts.
func (t *Template) RefValues(values map[string]Value) map[string]any {
	out := make(map[string]any, len(values))
	for name, p := range t.Parameters {
		v := values[name]
		vt, _ := typeOf(p.Type)
		effective := v.Text
		if vt.ssm {
			effective = v.Resolved
		}
		if !vt.list {
			out[name] = effective
			continue
		}
		list := []any{}
		for _, item := range splitList(effective) {
			list = append(list, item)
		}
		out[name] = list
	}
	return out
}
