package stack

import (
	"context"
	"strings"
	"testing"
)

// typed is a type of which only the schema matters.
type typed struct{ schema Schema }

func (t typed) Schema() Schema { return t.schema }
func (typed) Create(context.Context, Request, func(string)) (Result, error) {
	return Result{PhysicalID: "x"}, nil
}
func (typed) Read(context.Context, Request) (Result, error)   { return Result{}, ErrNotFound }
func (typed) Update(context.Context, Request) (Result, error) { return Result{}, nil }
func (typed) Delete(context.Context, Request) error           { return nil }

func TestSchemaOfAWS(t *testing.T) {
	types := Registry{
		"AWS::SSM::Parameter":   typed{Schema{Properties: []string{"Name", "Type", "Value"}}},
		"AWS::ECR::Repository":  typed{Schema{Properties: []string{"EncryptionConfiguration"}}},
		"AWS::EC2::Instance":    typed{Schema{Properties: []string{"BlockDeviceMappings", "ImageId", "UserData"}, CreateOnly: []string{"BlockDeviceMappings"}}},
		"AWS::IAM::AccessKey":   typed{Schema{Properties: []string{"UserName"}}},
		"AWS::CDK::Metadata":    typed{Schema{Properties: []string{"Analytics"}}},
		"AWS::Route53::NoSuch":  typed{},
		"AWS::SNS::TopicPolicy": typed{Schema{Properties: []string{"Topics", "PolicyDocument"}}},
	}
	for name, want := range map[string]string{ // required | create-only | conditional | attributes
		"AWS::SSM::Parameter":  "Value Type|Name||",
		"AWS::ECR::Repository": "|EncryptionConfiguration EncryptionConfiguration/EncryptionType EncryptionConfiguration/KmsKey||",
		"AWS::EC2::Instance":   "|BlockDeviceMappings ImageId|UserData|InstanceId",
		"AWS::IAM::AccessKey":  "UserName|UserName||Id",
		"AWS::CDK::Metadata":   "|||",
		"AWS::Not::Registered": "|||",
	} {
		s := types.Schema(name)
		got := strings.Join([]string{strings.Join(s.Required, " "), strings.Join(s.CreateOnly, " "), strings.Join(s.Conditional, " "), strings.Join(s.Attributes, " ")}, "|")
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestReplacementBelowAProperty(t *testing.T) {
	e := &Engine{schemas: map[string]Schema{"AWS::ECR::Repository": {CreateOnly: []string{"EncryptionConfiguration/KmsKey"}}}}
	r := &run{e: e}
	m := &Member{Type: "AWS::ECR::Repository"}
	key := func(k string) *content {
		return &content{Properties: map[string]any{"EncryptionConfiguration": map[string]any{"KmsKey": k, "Other": k}}}
	}
	if r.needsReplacement(m, key("a"), key("a")) || !r.needsReplacement(m, key("a"), key("b")) || !r.needsReplacement(m, key("a"), &content{}) {
		t.Error("a create-only property below another decides")
	}
}

func TestValidateTexts(t *testing.T) {
	e := &Engine{}
	type props = map[string]any
	for name, c := range map[string]struct {
		kind string
		in   props
		want string
	}{
		"sound":        {"AWS::SSM::Parameter", props{"Type": "String", "Value": "v"}, ""},
		"required":     {"AWS::SSM::Parameter", props{"Value": "v"}, "Property validation failure: [The property {/Type} is required]"},
		"both":         {"AWS::SSM::Parameter", props{}, "Property validation failure: [The property {/Value} is required, The property {/Type} is required]"},
		"nested":       {"AWS::SQS::Queue", props{"Tags": []any{props{"Key": "k"}}}, "Property validation failure: [The property {/Tags/0/Value} is required]"},
		"extraneous":   {"AWS::SNS::Topic", props{"Foo": "x"}, "Properties validation failed for resource R with message: #: extraneous key [Foo] is not permitted"},
		"enum":         {"AWS::SSM::Parameter", props{"Type": "X", "Value": "v"}, "Properties validation failed for resource R with message: #/Type: failed validation constraint for keyword [enum]"},
		"of its own":   {"AWS::CloudFormation::WaitCondition", props{"Foo": "x"}, ""},
		"not on AWS":   {"Test::Fake::Thing", props{"Foo": "x"}, ""},
		"secret value": {"AWS::SQS::Queue", props{"DelaySeconds": "hunter2"}, "Properties validation failed for resource R with message: #/DelaySeconds: expected type: Integer, found: String"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := e.validate("R", c.kind, c.in); err != nil {
				got = Reason(c.kind, err)
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
