package template

import "testing"

func TestConstraints(t *testing.T) {
	for _, c := range []struct {
		name, parameter, good, bad string
	}{
		{"number", "{Type: Number}", "-1.5", "abc"},
		{"number is not hexadecimal", "{Type: Number}", "10", "0x10"},
		{"number is not infinite", "{Type: Number}", "1e3", "Inf"},
		{"list of numbers", "{Type: 'List<Number>'}", "1, 2,3", "1,x"},
		{"bounds", "{Type: Number, MinValue: 5, MaxValue: '10'}", "10", "4"},
		{"upper bound", "{Type: Number, MaxValue: 10}", "10", "10.5"},
		{"length", "{Type: String, MinLength: 2, MaxLength: '3'}", "abc", "a"},
		{"upper length", "{Type: String, MaxLength: 3}", "äöü", "abcd"},
		{"pattern matches all of it", "{Type: String, AllowedPattern: '[a-z]*'}", "abc", "abcD"},
		{"pattern of alternatives", "{Type: String, AllowedPattern: 'a|b'}", "a", "ab"},
		{"pattern of each item", "{Type: CommaDelimitedList, AllowedPattern: '[a-z]'}", "a,b", "a,1"},
		{"pattern that cannot be evaluated", "{Type: String, AllowedPattern: '(?!x).*'}", "", "a"},
		{"allowed values", "{Type: String, AllowedValues: [1, true, x]}", "true", "y"},
		{"aws type", "{Type: 'AWS::EC2::VPC::Id'}", "vpc-1", "absent"},
		{"list of aws type", "{Type: 'List<AWS::EC2::Subnet::Id>'}", "a,b", "a,absent"},
		{"ssm name", "{Type: 'AWS::SSM::Parameter::Name'}", "/x", "/absent"},
		{"ssm value", "{Type: 'AWS::SSM::Parameter::Value<List<AWS::EC2::Subnet::Id>>'}", "/x", "/absent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tpl, err := Parse("Parameters: {P: " + c.parameter + "}\nResources: {A: {Type: T}}")
			if err != nil {
				t.Fatal(err)
			}
			if c.good != "" {
				if _, err := tpl.Resolve([]Given{{Key: "P", Value: c.good}}, nil, everywhere{}); err != nil {
					t.Errorf("%q refused: %v", c.good, err)
				}
			}
			if _, err := tpl.Resolve([]Given{{Key: "P", Value: c.bad}}, nil, everywhere{}); err == nil {
				t.Errorf("%q accepted", c.bad)
			}
		})
	}
}

func TestNumberInAWSsWords(t *testing.T) {
	tpl, err := Parse("Parameters: {Value: {Type: Number}}\nResources: {A: {Type: T}}")
	if err != nil {
		t.Fatal(err)
	}
	_, err = tpl.Resolve([]Given{{Key: "Value", Value: "x"}}, nil, everywhere{})
	if text, _ := Message(err); text != "Parameter 'Value' must be a number." {
		t.Error(text)
	}
}

func TestPreviousValues(t *testing.T) {
	tpl, err := Parse("Parameters: {A: {Type: String, Default: a}, B: {Type: String}}\nResources: {R: {Type: T}}")
	if err != nil {
		t.Fatal(err)
	}
	previous := map[string]Value{"A": {Text: "old a"}, "B": {Text: "old b"}}
	for _, c := range []struct {
		name  string
		given []Given
		a, b  string
		fails bool
	}{
		{"previous", []Given{{Key: "A", UsePrevious: true}, {Key: "B", UsePrevious: true}}, "old a", "old b", false},
		{"not named falls back to the default", []Given{{Key: "B", Value: "new"}}, "a", "new", false},
		{"not named without default", nil, "", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := tpl.Resolve(c.given, previous, everywhere{})
			if (err != nil) != c.fails {
				t.Fatal(err)
			}
			if err == nil && (got["A"].Text != c.a || got["B"].Text != c.b) {
				t.Errorf("got %v", got)
			}
		})
	}
}
