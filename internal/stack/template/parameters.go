package template

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Parameter is one member of Parameters.
type Parameter struct {
	Name, Type, Description string
	Default                 *string
	NoEcho                  bool
	AllowedValues           []string
	AllowedPattern          string
	ConstraintDescription   string
	MinLength, MaxLength    *int
	MinValue, MaxValue      *float64
}

// awsTypes are the AWS-specific types; a value must name something that exists.
var awsTypes = []string{
	"AWS::EC2::AvailabilityZone::Name", "AWS::EC2::Image::Id", "AWS::EC2::Instance::Id",
	"AWS::EC2::KeyPair::KeyName", "AWS::EC2::SecurityGroup::GroupName", "AWS::EC2::SecurityGroup::Id",
	"AWS::EC2::Subnet::Id", "AWS::EC2::Volume::Id", "AWS::EC2::VPC::Id", "AWS::Route53::HostedZone::Id",
}

const (
	ssmName  = "AWS::SSM::Parameter::Name"
	ssmValue = "AWS::SSM::Parameter::Value<"
)

// valueType says what a type's values are, once an SSM parameter has been
// fetched: item is String, Number or an AWS-specific type.
type valueType struct {
	item      string
	list, ssm bool
}

// typeOf parses the name of a parameter's type.
func typeOf(name string) (valueType, bool) {
	if inner, ok := strings.CutPrefix(name, ssmValue); ok {
		inner, closed := strings.CutSuffix(inner, ">")
		v, known := typeOf(inner)
		if inner == "List<String>" {
			v, known = valueType{item: "String", list: true}, true
		}
		known = known && closed && !v.ssm && v.item != "Number"
		v.ssm = true
		return v, known
	}
	switch name {
	case "String", "Number", ssmName:
		return valueType{item: name}, true
	case "CommaDelimitedList":
		return valueType{item: "String", list: true}, true
	case "List<Number>":
		return valueType{item: "Number", list: true}, true
	}
	if inner, ok := strings.CutPrefix(name, "List<"); ok {
		inner, closed := strings.CutSuffix(inner, ">")
		known := closed && inner != "AWS::EC2::KeyPair::KeyName" && slices.Contains(awsTypes, inner)
		return valueType{item: inner, list: true}, known
	}
	return valueType{item: name}, slices.Contains(awsTypes, name)
}

var parameterMembers = []string{"Type", "Default", "NoEcho", "AllowedValues", "AllowedPattern", "ConstraintDescription",
	"Description", "MinLength", "MaxLength", "MinValue", "MaxValue"}

func parseParameters(t *Template) error {
	top, err := section(t.Body, "Parameters")
	if err != nil {
		return err
	}
	if len(top) > maxParameters {
		return errorf("Template format error: Number of parameters, %d, is greater than maximum allowed, %d", len(top), maxParameters)
	}
	t.Parameters = make(map[string]*Parameter, len(top))
	for _, name := range slices.Sorted(maps.Keys(top)) {
		p, err := parseParameter(name, top[name])
		if err != nil {
			return err
		}
		t.Parameters[name] = p
	}
	return nil
}

func parseParameter(name string, v any) (*Parameter, error) {
	if !alphanumeric.MatchString(name) {
		return nil, errorf("Template format error: Parameter name %s is non alphanumeric.", name)
	}
	if len(name) > maxName {
		return nil, errorf("Template format error: Parameter name %s is longer than %d characters.", name, maxName)
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errorf("Template format error: Every Parameters member must be an object: %s", name)
	}
	for _, member := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(parameterMembers, member) {
			return nil, errorf("Invalid template parameter property '%s'", member)
		}
	}
	p := &Parameter{Name: name}
	if p.Type, ok = m["Type"].(string); !ok {
		return nil, errorf("Template format error: Every Parameters object must contain a Type member.")
	}
	if _, known := typeOf(p.Type); !known {
		return nil, errorf("Template format error: Unrecognized parameter type: %s", p.Type)
	}
	return p, p.parseMembers(m)
}

func (p *Parameter) parseMembers(m map[string]any) error {
	for member, into := range map[string]*string{"Description": &p.Description,
		"AllowedPattern": &p.AllowedPattern, "ConstraintDescription": &p.ConstraintDescription} {
		v, given := m[member]
		s, ok := text(v)
		if given && !ok {
			return errorf("Template format error: Every %s member must be a string.", member)
		}
		*into = s
	}
	if v, given := m["Default"]; given {
		s, ok := text(v)
		if !ok {
			return errorf("Template format error: Every Default member must be a string.")
		}
		p.Default = &s
	}
	if v, given := m["NoEcho"]; given {
		s, ok := text(v)
		if !ok || s != "true" && s != "false" {
			return errorf("Template format error: Every NoEcho member must be a boolean.")
		}
		p.NoEcho = s == "true"
	}
	if v, given := m["AllowedValues"]; given {
		list, ok := v.([]any)
		if !ok {
			return errorf("Template format error: Every AllowedValues member must be a list.")
		}
		for _, e := range list {
			s, ok := text(e)
			if !ok {
				return errorf("Template format error: Every AllowedValues value must be a string.")
			}
			p.AllowedValues = append(p.AllowedValues, s)
		}
	}
	return p.parseBounds(m)
}

func (p *Parameter) parseBounds(m map[string]any) error {
	for member, into := range map[string]**int{"MinLength": &p.MinLength, "MaxLength": &p.MaxLength} {
		if v, given := m[member]; given {
			s, _ := text(v)
			n, err := strconv.Atoi(s)
			if err != nil {
				return errorf("Template format error: Every %s member must be a number.", member)
			}
			*into = &n
		}
	}
	for member, into := range map[string]**float64{"MinValue": &p.MinValue, "MaxValue": &p.MaxValue} {
		if v, given := m[member]; given {
			s, _ := text(v)
			n, err := strconv.ParseFloat(s, 64)
			if err != nil {
				return errorf("Template format error: Every %s member must be a number.", member)
			}
			*into = &n
		}
	}
	return nil
}

// Check holds a value against the type and the constraints. Of lists, each item
// counts.
func (p *Parameter) Check(value string) error {
	vt, _ := typeOf(p.Type)
	items := []string{value}
	if vt.list {
		items = splitList(value)
	}
	if len(value) > 4096 {
		return errorf("Parameter '%s' must not be longer than 4096 bytes", p.Name)
	}
	for _, item := range items {
		if vt.item == "Number" {
			if err := p.checkNumber(item); err != nil {
				return err
			}
		}
		if err := p.checkText(item); err != nil {
			return err
		}
	}
	return nil
}

func (p *Parameter) checkNumber(item string) error {
	n, err := strconv.ParseFloat(item, 64)
	if err != nil || strings.ContainsAny(item, "nNxXpP_") {
		return errorf("Parameter '%s' must be a number.", p.Name)
	}
	if p.MinValue != nil && n < *p.MinValue {
		return p.violated("must be a number not less than %s", bound(*p.MinValue))
	}
	if p.MaxValue != nil && n > *p.MaxValue {
		return p.violated("must be a number not greater than %s", bound(*p.MaxValue))
	}
	return nil
}

func bound(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func (p *Parameter) checkText(item string) error {
	if len(p.AllowedValues) > 0 && !slices.Contains(p.AllowedValues, item) {
		return p.violated("must be one of AllowedValues")
	}
	length := len([]rune(item))
	if p.MinLength != nil && length < *p.MinLength {
		return p.violated("must contain at least %d characters", *p.MinLength)
	}
	if p.MaxLength != nil && length > *p.MaxLength {
		return p.violated("must contain at most %d characters", *p.MaxLength)
	}
	if p.AllowedPattern == "" {
		return nil
	}
	re, err := regexp.Compile(`\A(?:` + p.AllowedPattern + `)\z`)
	if err != nil {
		return errorf("hardstand cannot evaluate AllowedPattern %s of parameter '%s': %s", p.AllowedPattern, p.Name, err)
	}
	if !re.MatchString(item) {
		return p.violated("must match pattern %s", p.AllowedPattern)
	}
	return nil
}

func (p *Parameter) violated(format string, args ...any) error {
	if p.ConstraintDescription != "" {
		return errorf("Parameter %s failed to satisfy constraint: %s", p.Name, p.ConstraintDescription)
	}
	return errorf("Parameter '"+p.Name+"' "+format, args...)
}

func splitList(value string) []string {
	if value == "" {
		return nil
	}
	items := strings.Split(value, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}
