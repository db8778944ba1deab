package template

import "testing"

// measured are the texts captured from AWS; others that the package uses are
// known from practice only and are not pinned here.
var measured = []struct{ name, body, err string }{
	{"not JSON", `{"this is invalid JSON"}`, "Template format error: JSON not well-formed. (line 1, column 25)"},
	{"not YAML", "A: [", "Template format error: YAML not well-formed."},
	{"a word", "hello", "Template format error: unsupported structure."},
	{"nothing", "", "Template format error: unsupported structure."},
	{"no resources", "Description: x", "Template format error: At least one Resources member must be defined."},
	{"empty resources", "Resources: {}", "Template format error: At least one Resources member must be defined."},
	{"resource is text", "Resources: {A: b}", "Template format error: Any Resources member must be an object."},
	{"no type", "Resources: {A: {Properties: {}}}", "Template format error: [/Resources/A] Every Resources object must contain a Type member."},
	{"unknown member", "Resources: {A: {Type: T, Invalid: 1}}", "Invalid template resource property 'Invalid'"},
	{"pseudo parameter as id", `{"Resources":{"AWS::NoValue":{"Type":"T"}}}`, "Template format error: Resource name AWS::NoValue is non alphanumeric."},
	{"parameter name", "Parameters: {a-b: {Type: String}}\nResources: {A: {Type: T}}", "Template format error: Parameter name a-b is non alphanumeric."},
	{"unresolved ref", "Resources: {A: {Type: T, Properties: {P: !Ref X}}}", "Template format error: Unresolved resource dependencies [X] in the Resources block of the template"},
	{"unresolved sub", "Resources: {A: {Type: T, Properties: {P: !Sub '${X}'}}}", "Template format error: Unresolved resource dependencies [X] in the Resources block of the template"},
	{"unresolved dependson", "Resources: {A: {Type: T, DependsOn: NonExistingResource}}", "Template format error: Unresolved resource dependencies [NonExistingResource] in the Resources block of the template"},
	{"unresolved output", "Resources: {A: {Type: T}}\nOutputs: {O: {Value: !Ref X}}", "Unresolved resource dependencies [X] in the Outputs block of the template"},
	{"null output beside what is unknown", "Resources: {A: {Type: T}}\nOutputs: {MyOutput: {Value: null, Another: null}}", "[/Outputs/MyOutput/Value] 'null' values are not allowed in templates"},
	{"null output", "Resources: {A: {Type: T}}\nOutputs: {MyOutput: {Value: null}}", "[/Outputs/MyOutput/Value] 'null' values are not allowed in templates"},
	{"output without value", "Resources: {A: {Type: T}}\nOutputs: {O: {Description: d}}", "Template format error: Every Outputs member must contain a Value object"},
	{"mapping member", "Mappings: {M: {A: x}}\nResources: {A: {Type: T}}", "Template format error: Every Mappings member A must be a map"},
	{"mapping value", "Mappings: {M: {A: {B: {C: d}}}}\nResources: {A: {Type: T}}", "Template format error: Every Mappings attribute must be a String or a List."},
	{"getatt", "Resources: {A: {Type: T}, B: {Type: T, Properties: {P: {'Fn::GetAtt': [A, '']}}}}", "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute"},
	{"select", "Resources: {A: {Type: T, Properties: {P: !Select [x, [a]]}}}", "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"},
	{"join", "Resources: {A: {Type: T, Properties: {P: !Join ['', a]}}}", "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined."},
	{"split", "Resources: {A: {Type: T, Properties: {P: !Split [',', [a]]}}}", "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split."},
	{"equals", "Conditions: {C: !Equals [a]}\nResources: {A: {Type: T}}", "Template error: every Fn::Equals object requires a list of 2 string parameters."},
	{"if", "Resources: {A: {Type: T, Properties: {P: !If [X, a, b]}}}", "Template error: unresolved condition dependency X in Fn::If"},
	{"transform name", "Transform: {Name: [a]}\nResources: {A: {Type: T}}", "Key Name of transform definition must be a string."},
}

func TestMeasuredErrors(t *testing.T) {
	for _, c := range measured {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(c.body)
			text, ok := Message(err)
			if c.name == "not YAML" { // AWS often adds the place
				text = text[:min(len(text), len(c.err))]
			}
			if !ok || text != c.err {
				t.Errorf("got  %v\nwant %s", err, c.err)
			}
		})
	}
}

// refused are templates that must not be accepted, whatever the text.
func TestRefused(t *testing.T) {
	for name, body := range map[string]string{
		"cycle":                        "Resources: {A: {Type: T, DependsOn: B}, B: {Type: T, Properties: {P: !GetAtt A.Arn}}}",
		"self reference":               "Resources: {A: {Type: T, Properties: {P: !Ref A}}}",
		"condition cycle":              "Conditions: {A: !Not [{Condition: B}], B: !Not [{Condition: A}]}\nResources: {A: {Type: T}}",
		"resource in condition":        "Conditions: {C: !Equals [!Ref A, x]}\nResources: {A: {Type: T}}",
		"unknown tag":                  "Resources: {A: {Type: T, Properties: {P: !Nope x}}}",
		"unknown function":             "Resources: {A: {Type: T, Properties: {P: {'Fn::Nope': x}}}}",
		"condition function elsewhere": "Resources: {A: {Type: T, Properties: {P: !Equals [a, b]}}}",
		"function with company":        "Resources: {A: {Type: T, Properties: {P: {'Fn::Sub': x, Q: y}}}}",
		"unknown section":              "Ressources: {}\nResources: {A: {Type: T}}",
		"wrong version":                "AWSTemplateFormatVersion: 2010-09-10\nResources: {A: {Type: T}}",
		"two documents":                "Resources: {A: {Type: T}}\n---\nResources: {}",
		"merge key":                    "Metadata: &m {a: b}\nResources: {A: {Type: T, Metadata: {<<: *m}}}",
		"variable name":                "Resources: {A: {Type: T, Properties: {P: !Sub '${a b}'}}}",
		"deletion policy":              "Resources: {A: {Type: T, DeletionPolicy: Keep}}",
		"snapshot of an instance":      "Resources: {A: {Type: 'AWS::EC2::Instance', DeletionPolicy: Snapshot}}",
		"undefined condition":          "Resources: {A: {Type: T, Condition: C}}",
		"null property":                "Resources: {A: {Type: T, Properties: {P: }}}",
		"unknown parameter type":       "Parameters: {P: {Type: Text}}\nResources: {A: {Type: T}}",
		"list of ssm values":           "Parameters: {P: {Type: 'List<AWS::SSM::Parameter::Value<String>>'}}\nResources: {A: {Type: T}}",
		"export without name":          "Resources: {A: {Type: T}}\nOutputs: {O: {Value: x, Export: {}}}",
		"alias bomb":                   aliasBomb(),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(body); err == nil {
				t.Error("accepted")
			} else if _, ok := Message(err); !ok {
				t.Errorf("%T is not for the user: %v", err, err)
			}
		})
	}
}

func aliasBomb() string {
	s := "Metadata:\n  l0: &l0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 8 {
		a, b := string(rune('0'+i)), string(rune('1'+i))
		s += "  l" + b + ": &l" + b + " [*l" + a + ",*l" + a + ",*l" + a + ",*l" + a + ",*l" + a + ",*l" + a + ",*l" + a + ",*l" + a + "]\n"
	}
	return s + "Resources: {A: {Type: T}}\n"
}

func TestYAMLScalars(t *testing.T) {
	for text, want := range map[string]string{
		"22": `22`, "1.10": `1.10`, "true": `true`, "Yes": `true`, "off": `false`, "'yes'": `"yes"`, "2010-09-09": `"2010-09-09"`,
		"012345678901": `"012345678901"`, "000644": `"000644"`, "22:22": `"22:22"`, "0x1F": `31`, "1_000": `1000`, "~": `null`,
		"!Ref 12": `{"Ref":"12"}`, "!GetAtt A.B.C": `{"Fn::GetAtt":["A","B.C"]}`, "!Base64 'x'": `{"Fn::Base64":"x"}`, "!GetAZs ''": `{"Fn::GetAZs":""}`,
		"!Condition C": `{"Condition":"C"}`, "y": `"y"`, "1e3": `1e3`, "+5": `5`, ".5": `".5"`, "!!str 5": `"5"`,
	} {
		m, err := Read("k: " + text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := JSON(m["k"]); got != want {
			t.Errorf("%s = %s, want %s", text, got, want)
		}
	}
}

func TestLastDuplicateWins(t *testing.T) {
	for _, body := range []string{"a: 1\na: 2", `{"a":1,"a":2}`} {
		m, err := Read(body)
		if err != nil || JSON(m) != `{"a":2}` {
			t.Errorf("Read(%q) = %v, %v", body, m, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range measured {
		f.Add(c.body)
	}
	f.Add("Resources: {A: {Type: T, Properties: {P: !Join ['', [!Sub ['${a}', {a: !Ref 'AWS::Region'}]]]}}}")
	f.Add(aliasBomb())
	f.Fuzz(func(t *testing.T, body string) {
		tpl, err := Parse(body)
		if err != nil {
			if _, ok := Message(err); !ok {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		s := Scope{Template: tpl, Pseudo: map[string]any{"AWS::Region": "us-east-1"}, Parameters: map[string]any{}}
		for name := range tpl.Parameters {
			s.Parameters[name] = "x"
		}
		if s.EvaluateConditions() == nil && s.CheckRules(everywhere{}) == nil {
			_, _ = s.Plan()
		}
	})
}
