package template

import (
	"maps"
	"slices"
)

// CheckRules evaluates the Rules section; the first assertion that fails is the
// error.
func (s *Scope) CheckRules(account Account) error {
	live := *s
	live.account = account
	for _, name := range slices.Sorted(maps.Keys(s.Template.Rules)) {
		rule := s.Template.Rules[name]
		if rule.Condition != nil {
			applies, err := live.judge(rule.Condition, "/Rules/"+name+"/RuleCondition", map[string]bool{})
			if err != nil {
				return err
			}
			if !applies {
				continue
			}
		}
		for _, a := range rule.Assertions {
			holds, err := live.judge(a.Assert, "/Rules/"+name+"/Assertions", map[string]bool{})
			if err != nil {
				return err
			}
			if !holds {
				return errorf("Template constraint violated: rule %s: %s", name, a.Description)
			}
		}
	}
	return nil
}

// refAll gives the values of all parameters of one type.
func (s *Scope) refAll(arg any) (any, error) {
	wanted, _ := text(arg)
	out := []any{}
	for _, name := range s.ofType(wanted) {
		out = append(out, items(s.Parameters[name])...)
	}
	return out, nil
}

// ofType returns the parameters whose values, or items, are of a type.
func (s *Scope) ofType(wanted string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(s.Template.Parameters)) {
		if vt, _ := typeOf(s.Template.Parameters[name].Type); vt.item == wanted {
			out = append(out, name)
		}
	}
	return out
}

func items(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

// valueOf gives an attribute of what a parameter names, or of what all parameters
// of a type do: VpcId, AvailabilityZone, Tags.Department.
func (s *Scope) valueOf(name string, args []any) (any, error) {
	subject, _ := text(args[0])
	attribute, _ := text(args[1])
	parameters := []string{subject}
	if name == "Fn::ValueOfAll" {
		parameters = s.ofType(subject)
	}
	out := []any{}
	for _, parameter := range parameters {
		p, ok := s.Template.Parameters[parameter]
		if !ok {
			return nil, errorf("Template error: %s names the parameter %s, which does not exist", name, parameter)
		}
		vt, _ := typeOf(p.Type)
		for _, item := range items(s.Parameters[parameter]) {
			id, _ := text(item)
			value, err := s.account.Attribute(vt.item, id, attribute)
			if err != nil {
				return nil, err
			}
			out = append(out, value)
		}
	}
	if name == "Fn::ValueOf" && len(out) == 1 {
		return out[0], nil
	}
	return out, nil
}
