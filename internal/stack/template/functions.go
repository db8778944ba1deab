package template

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// place is where in a template a function may stand.
type place int

const (
	inResources place = 1 << iota
	inOutputs
	inConditions
	inRules
	// extended is added where AWS::LanguageExtensions is declared.
	extended
	inValues = inResources | inOutputs
)

// function is what can be judged of a function without values.
type function struct {
	in    place
	check func(arg any) error
	// extension is set for the functions of AWS::LanguageExtensions.
	extension bool
}

var functions = map[string]function{
	"Ref":                  {in: inValues | inConditions | inRules, check: checkRef},
	"Condition":            {in: inConditions, check: checkText("Condition")},
	"Fn::GetAtt":           {in: inValues, check: checkGetAtt},
	"Fn::Sub":              {in: inValues | inConditions, check: checkSub},
	"Fn::Join":             {in: inValues | inConditions | inRules, check: checkJoin},
	"Fn::Split":            {in: inValues | inConditions, check: checkSplit},
	"Fn::Select":           {in: inValues | inConditions, check: checkSelect},
	"Fn::FindInMap":        {in: inValues | inConditions | inRules, check: checkFindInMap},
	"Fn::GetAZs":           {in: inValues, check: checkOne("Fn::GetAZs")},
	"Fn::Cidr":             {in: inValues | inConditions, check: checkCidr},
	"Fn::Base64":           {in: inValues, check: checkOne("Fn::Base64")},
	"Fn::ImportValue":      {in: inValues, check: checkOne("Fn::ImportValue")},
	stackOutput:            {in: inValues, check: checkStackOutput},
	"Fn::If":               {in: inValues, check: checkIf},
	"Fn::Equals":           {in: inConditions | inRules, check: checkEquals},
	"Fn::And":              {in: inConditions | inRules, check: checkMany("Fn::And")},
	"Fn::Or":               {in: inConditions | inRules, check: checkMany("Fn::Or")},
	"Fn::Not":              {in: inConditions | inRules, check: checkNot},
	"Fn::Contains":         {in: inRules, check: checkPair("Fn::Contains")},
	"Fn::EachMemberIn":     {in: inRules, check: checkPair("Fn::EachMemberIn")},
	"Fn::EachMemberEquals": {in: inRules, check: checkPair("Fn::EachMemberEquals")},
	"Fn::RefAll":           {in: inRules, check: checkText("Fn::RefAll")},
	"Fn::ValueOf":          {in: inRules, check: checkPair("Fn::ValueOf")},
	"Fn::ValueOfAll":       {in: inRules, check: checkPair("Fn::ValueOfAll")},
	"Fn::Length":           {in: inValues | inConditions, check: checkList("Fn::Length"), extension: true},
	"Fn::ToJsonString":     {in: inValues, check: checkStructure("Fn::ToJsonString"), extension: true},
}

// call splits a map that is a function call into name and argument.
func call(v any) (name string, arg any, ok bool) {
	m, isMap := v.(map[string]any)
	if !isMap || len(m) != 1 {
		return "", nil, false
	}
	for name, arg = range m {
		ok = name == "Ref" || strings.HasPrefix(name, "Fn::")
	}
	return name, arg, ok
}

// conditionCall is call where {"Condition": name} is a function too.
func conditionCall(v any) (name string, arg any, ok bool) {
	name, arg, ok = call(v)
	return name, arg, ok || name == "Condition"
}

// checkFunctions judges every function call of the template: known, allowed
// where it stands, with arguments of the right shape.
func checkFunctions(t *Template) error {
	var more place
	if slices.Contains(t.Transforms, LanguageExtensions) {
		more = extended
	}
	for _, id := range t.ResourceIDs() {
		r := t.Resources[id]
		for _, part := range []map[string]any{r.Properties, r.Metadata, r.CreationPolicy, r.UpdatePolicy} {
			if err := checkCalls(part, inResources|more); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.Outputs)) {
		o := t.Outputs[name]
		if err := checkCalls([]any{o.Value, o.Export}, inOutputs|more); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.Conditions)) {
		if err := checkCalls(t.Conditions[name], inConditions|more); err != nil {
			return err
		}
	}
	return checkRuleFunctions(t)
}

func checkRuleFunctions(t *Template) error {
	for _, name := range slices.Sorted(maps.Keys(t.Rules)) {
		rule := t.Rules[name]
		if err := checkCalls(rule.Condition, inRules); err != nil {
			return err
		}
		for _, a := range rule.Assertions {
			if err := checkCalls(a.Assert, inRules); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkCalls(v any, in place) error {
	name, arg, ok := call(v)
	if in&inConditions != 0 {
		name, arg, ok = conditionCall(v)
	}
	if ok {
		f, known := functions[name]
		if !known || !f.allowed(in) {
			return unsupported(name, in)
		}
		if list, _ := arg.([]any); name == "Fn::FindInMap" && len(list) == 4 && in&extended == 0 {
			arg = nil // a default value is an extension
		}
		if err := f.check(arg); err != nil {
			return err
		}
		v = arg
	}
	switch x := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			if len(x) > 1 && strings.HasPrefix(k, "Fn::") {
				return errorf("Template format error: %s must be the only member of its object.", k)
			}
			if err := checkCalls(x[k], in); err != nil {
				return err
			}
		}
	case []any:
		for _, e := range x {
			if err := checkCalls(e, in); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f function) allowed(in place) bool { return f.in&in != 0 && (!f.extension || in&extended != 0) }

// unsupported gives the error for a function that cannot stand in a place.
func unsupported(name string, in place) error {
	var names []string
	for known, f := range functions {
		if f.allowed(in) {
			names = append(names, known)
		}
	}
	slices.Sort(names)
	return errorf("Template error: Encountered unsupported function: %s Supported functions are: [%s]",
		name, strings.Join(names, ", "))
}

func isCall(v any) bool {
	_, _, ok := call(v)
	return ok
}

func checkText(name string) func(any) error {
	return func(arg any) error {
		if s, ok := arg.(string); !ok || s == "" {
			return errorf("Template error: every %s object must have one non-empty string.", name)
		}
		return nil
	}
}

func checkRef(arg any) error {
	if s, ok := arg.(string); !ok || s == "" {
		return errorf("Template format error: Every Ref object must have a single String value.")
	}
	return nil
}

func checkGetAtt(arg any) error {
	bad := errorf("Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute")
	if s, ok := arg.(string); ok {
		id, attr, dot := strings.Cut(s, ".")
		if !dot || id == "" || attr == "" {
			return bad
		}
		return nil
	}
	list, ok := arg.([]any)
	if !ok || len(list) != 2 {
		return bad
	}
	id, ok := list[0].(string)
	attr, isText := list[1].(string)
	name, _, isRef := call(list[1])
	if !ok || id == "" || !(isText && attr != "" || isRef && name == "Ref") {
		return bad
	}
	return nil
}

func checkSub(arg any) error {
	body := arg
	if list, ok := arg.([]any); ok && len(list) == 2 {
		body = list[0]
		if _, ok = list[1].(map[string]any); !ok {
			body = nil
		}
	}
	s, ok := body.(string)
	if !ok {
		return errorf("Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string")
	}
	_, err := subParts(s)
	return err
}

func checkJoin(arg any) error {
	list, ok := arg.([]any)
	if ok && len(list) == 2 {
		_, text := list[0].(string)
		_, items := list[1].([]any)
		if text && (items || isCall(list[1])) {
			return nil
		}
	}
	return errorf("Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.")
}

func checkSplit(arg any) error {
	list, ok := arg.([]any)
	if ok && len(list) == 2 {
		delimiter, isText := list[0].(string)
		_, scalar := text(list[1])
		if isText && delimiter != "" && (scalar || isCall(list[1])) {
			return nil
		}
	}
	return errorf("Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split.")
}

func checkSelect(arg any) error {
	list, ok := arg.([]any)
	if ok && len(list) == 2 {
		_, items := list[1].([]any)
		if index(list[0]) && (items || isCall(list[1])) {
			return nil
		}
	}
	return errorf("Template error: Fn::Select requires a list argument with two elements: an integer index and a list")
}

// index reports whether v is an integer or a function that may give one.
func index(v any) bool {
	s, ok := text(v)
	if !ok {
		return isCall(v)
	}
	_, err := strconv.Atoi(s)
	return err == nil
}

func checkFindInMap(arg any) error {
	list, ok := arg.([]any)
	if !ok || len(list) != 3 && (len(list) != 4 || !isDefault(list[3])) {
		return errorf("Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value")
	}
	return nil
}

func checkOne(name string) func(any) error {
	return func(arg any) error {
		if _, ok := text(arg); !ok && !isCall(arg) {
			return errorf("Template error: every %s object must have a String-typed value.", name)
		}
		return nil
	}
}

func checkCidr(arg any) error {
	list, ok := arg.([]any)
	if !ok || len(list) < 2 || len(list) > 3 {
		return errorf("Template error: every Fn::Cidr object requires two or three parameters, (1) an IP address block, (2) the number of CIDRs and (3) the number of subnet bits")
	}
	return nil
}

func checkIf(arg any) error {
	list, ok := arg.([]any)
	if ok && len(list) == 3 {
		if s, text := list[0].(string); text && s != "" {
			return nil
		}
	}
	return errorf("Template error: Fn::If requires a list argument with three elements")
}

func checkEquals(arg any) error {
	if list, ok := arg.([]any); !ok || len(list) != 2 {
		return errorf("Template error: every Fn::Equals object requires a list of 2 string parameters.")
	}
	return nil
}

func checkMany(name string) func(any) error {
	return func(arg any) error {
		if list, ok := arg.([]any); !ok || len(list) < 2 || len(list) > 10 {
			return errorf("Template error: every %s object requires a list of at least 2 and at most 10 boolean parameters.", name)
		}
		return nil
	}
}

func checkNot(arg any) error {
	if list, ok := arg.([]any); !ok || len(list) != 1 {
		return errorf("Template error: Fn::Not requires a list argument with one function token")
	}
	return nil
}

func checkPair(name string) func(any) error {
	return func(arg any) error {
		if list, ok := arg.([]any); !ok || len(list) != 2 {
			return errorf("Template error: every %s object requires two parameters.", name)
		}
		return nil
	}
}

// isDefault tells the fourth argument of Fn::FindInMap.
func isDefault(v any) bool {
	m, ok := v.(map[string]any)
	_, given := m["DefaultValue"]
	return ok && given && len(m) == 1
}

func checkList(name string) func(any) error {
	return func(arg any) error {
		if _, ok := arg.([]any); !ok && !isCall(arg) {
			return errorf("Template error: every %s object must have a list or a function that returns one.", name)
		}
		return nil
	}
}

func checkStructure(name string) func(any) error {
	return func(arg any) error {
		switch arg.(type) {
		case map[string]any, []any:
			return nil
		}
		return errorf("Template error: every %s object must have an object or a list.", name)
	}
}
