package resourceschema

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	type props = map[string]any
	unknown := struct{ Of string }{"Other.Arn"}
	for name, c := range map[string]struct {
		kind string
		in   props
		want string // pointer and message of each, joined by "; "
	}{
		"sound":             {"AWS::SSM::Parameter", props{"Type": "String", "Value": "v"}, ""},
		"missing":           {"AWS::SSM::Parameter", props{"Value": "v"}, "#: required key [Type] not found"},
		"nil is missing":    {"AWS::SSM::Parameter", props{"Value": "v", "Type": nil}, "#: required key [Type] not found"},
		"unknown":           {"AWS::SSM::Parameter", props{"Type": "String", "Value": "v", "Foo": 1}, "#: extraneous key [Foo] is not permitted"},
		"enum":              {"AWS::SSM::Parameter", props{"Type": "Number", "Value": "v"}, "#/Type: failed validation constraint for keyword [enum]"},
		"length":            {"AWS::SSM::Parameter", props{"Type": "String", "Value": "v", "Name": ""}, "#/Name: failed validation constraint for keyword [minLength]"},
		"number as text":    {"AWS::SQS::Queue", props{"DelaySeconds": "5", "FifoQueue": "true"}, ""},
		"no number":         {"AWS::SQS::Queue", props{"DelaySeconds": "five"}, "#/DelaySeconds: expected type: Integer, found: String"},
		"fraction":          {"AWS::SQS::Queue", props{"DelaySeconds": json.Number("1.5")}, "#/DelaySeconds: expected type: Integer, found: Integer"},
		"text as a list":    {"AWS::SQS::Queue", props{"Tags": "x"}, "#/Tags: expected type: JSONArray, found: String"},
		"nested":            {"AWS::SQS::Queue", props{"Tags": []any{props{"Key": "k"}}}, "#/Tags/0: required key [Value] not found"},
		"not known yet":     {"AWS::SQS::Queue", props{"DelaySeconds": unknown, "Tags": unknown, "QueueName": unknown}, ""},
		"document as text":  {"AWS::IAM::Policy", props{"PolicyName": "p", "PolicyDocument": `{"Version":"2012-10-17"}`}, ""},
		"document no JSON":  {"AWS::SNS::TopicPolicy", props{"Topics": []any{"t"}, "PolicyDocument": []any{}}, "#/PolicyDocument: expected type: JSONObject, found: JSONArray"},
		"keys by pattern":   {"AWS::SSM::Parameter", props{"Type": "String", "Value": "v", "Tags": props{"a": "b"}}, ""},
		"more than allowed": {"AWS::EC2::Route", props{"RouteTableId": "r", "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": []any{"a"}}, "#/GatewayId: expected type: String, found: JSONArray"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, v := range Of(c.kind).Validate(c.in) {
				got = append(got, v.Pointer+": "+v.Message)
			}
			if s := strings.Join(got, "; "); s != c.want {
				t.Errorf("%q, want %q", s, c.want)
			}
		})
	}
}

func TestTable(t *testing.T) {
	if Of("AWS::No::Such") != nil {
		t.Error("a type that does not exist has a schema")
	}
	queue := Of("AWS::SQS::Queue")
	if !queue.Tagging.Taggable || queue.Additional != "closed" || strings.Join(queue.Identifier, " ") != "QueueUrl" {
		t.Errorf("queue: %+v", queue)
	}
	for name, typ := range table() {
		for _, path := range append(append([]string{}, typ.CreateOnly...), typ.ReadOnly...) {
			first, _, _ := strings.Cut(path, "/")
			if typ.Properties[first] == nil {
				t.Errorf("%s: %s is no property", name, path)
			}
		}
	}
}

// FuzzValidate: no properties make it panic.
func FuzzValidate(f *testing.F) {
	f.Add("AWS::EC2::Instance", `{"ImageId":1,"BlockDeviceMappings":[{"Ebs":{"VolumeSize":"x"}}]}`)
	f.Add("AWS::S3::Bucket", `{"LifecycleConfiguration":{"Rules":[null,{"Status":"On"}]}}`)
	f.Fuzz(func(t *testing.T, kind, text string) {
		var in map[string]any
		if typ := Of(kind); typ != nil && json.Unmarshal([]byte(text), &in) == nil {
			typ.Validate(in)
		}
	})
}
