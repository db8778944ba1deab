package cloudformation_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

const simple = "Resources: {A: {Type: 'Test::Fake::Thing', Properties: {Value: one}}}\nOutputs: {O: {Value: !Ref A}}"

func TestStackFromBirthToDeath(t *testing.T) {
	l := newLab(t)
	s := l.create("web", simple, func(in *api.CreateStackInput) {
		in.Tags = []api.Tag{{Key: aws.Ptr("k"), Value: aws.Ptr("v")}}
	})
	l.wantStatus(s, "CREATE_COMPLETE")
	if !strings.HasPrefix(*s.StackId, "arn:aws:cloudformation:us-east-1:123456789012:stack/web/") || *s.Outputs[0].OutputValue != "fake-A-1" || *s.Tags[0].Value != "v" {
		t.Errorf("stack %+v", s)
	}
	events := must[api.DescribeStackEventsOutput](l, "DescribeStackEvents", &api.DescribeStackEventsInput{StackName: aws.Ptr("web")})
	if n := len(events.StackEvents); n != 5 || events.StackEvents[0].ResourceStatus != "CREATE_COMPLETE" || aws.Val(events.StackEvents[0].LogicalResourceId) != "web" {
		t.Errorf("%d events, newest %+v", n, events.StackEvents[0])
	}
	l.mustDelete("web")
	l.wantStatus(l.rest(*s.StackId), "DELETE_COMPLETE")
	_, err := call[api.DescribeStacksOutput](l, "DescribeStacks", &api.DescribeStacksInput{StackName: aws.Ptr("web")})
	wantError(t, err, "ValidationError", "Stack with id web does not exist")
	l.clock.Advance(91 * 24 * time.Hour)
	if _, err := call[api.DescribeStacksOutput](l, "DescribeStacks", &api.DescribeStacksInput{StackName: s.StackId}); !awserr.Is(err, "ValidationError") {
		t.Errorf("after 91 days: %v", err)
	}
	l.mustDelete("web") // what does not exist is deleted
}

func (l *lab) mustDelete(name string) {
	l.t.Helper()
	must[api.DeleteStackOutput](l, "DeleteStack", &api.DeleteStackInput{StackName: &name})
}

func TestMeasuredErrors(t *testing.T) {
	l := newLab(t)
	there := l.create("there", simple, nil)
	l.create("failed", "Resources: {A: {Type: 'Test::Fake::Thing', Properties: {Nope: 1}}}", nil)
	failedID := l.find("failed")
	create := func(change func(*api.CreateStackInput)) *api.CreateStackInput {
		in := &api.CreateStackInput{StackName: aws.Ptr("new"), TemplateBody: aws.Ptr(simple)}
		change(in)
		return in
	}
	for _, c := range []struct {
		name, operation string
		in              any
		code, message   string
	}{
		{"describe absent", "DescribeStacks", &api.DescribeStacksInput{StackName: aws.Ptr("x")}, "ValidationError", "Stack with id x does not exist"},
		{"template of absent", "GetTemplate", &api.GetTemplateInput{StackName: aws.Ptr("x")}, "ValidationError", "Stack with id x does not exist"},
		{"events of absent", "DescribeStackEvents", &api.DescribeStackEventsInput{StackName: aws.Ptr("x")}, "ValidationError", "Stack [x] does not exist"},
		{"update absent", "UpdateStack", &api.UpdateStackInput{StackName: aws.Ptr("x"), TemplateBody: aws.Ptr(simple)}, "ValidationError", "Stack [x] does not exist"},
		{"change set for absent", "CreateChangeSet", &api.CreateChangeSetInput{StackName: aws.Ptr("x"), ChangeSetName: aws.Ptr("c"), TemplateBody: aws.Ptr(simple)}, "ValidationError", "Stack [x] does not exist"},
		{"name taken", "CreateStack", create(func(in *api.CreateStackInput) { in.StackName = aws.Ptr("there") }), "AlreadyExistsException", "Stack [there] already exists"},
		{"no updates", "UpdateStack", &api.UpdateStackInput{StackName: aws.Ptr("there"), TemplateBody: aws.Ptr(simple)}, "ValidationError", "No updates are to be performed."},
		{"update after rollback", "UpdateStack", &api.UpdateStackInput{StackName: aws.Ptr("failed"), TemplateBody: aws.Ptr(simple)}, "ValidationError", "Stack:" + failedID + " is in ROLLBACK_COMPLETE state and can not be updated."},
		{"bad name", "CreateStack", create(func(in *api.CreateStackInput) { in.StackName = aws.Ptr("*@da591fa3_$") }), "ValidationError", "1 validation error detected: Value '*@da591fa3_$' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/._+]*"},
		{"body too long", "CreateStack", create(func(in *api.CreateStackInput) { in.TemplateBody = aws.Ptr(strings.Repeat("x", 51201)) }), "ValidationError", "1 validation error detected: Value '" + strings.Repeat("x", 51201) + "' at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200"},
		{"no template", "CreateStack", create(func(in *api.CreateStackInput) { in.TemplateBody = nil }), "ValidationError", "Either Template URL or Template Body must be specified."},
		{"s3 url", "CreateStack", create(func(in *api.CreateStackInput) { in.TemplateBody, in.TemplateURL = nil, aws.Ptr("s3://mybucket/t") }), "ValidationError", "S3 error: Domain name specified in mybucket is not a valid S3 domain"},
		{"foreign url", "CreateStack", create(func(in *api.CreateStackInput) {
			in.TemplateBody, in.TemplateURL = nil, aws.Ptr("https://example.com/b/t")
		}), "ValidationError", "TemplateURL must be a supported URL."},
		{"transform", "CreateStack", create(func(in *api.CreateStackInput) { in.TemplateBody = aws.Ptr("Transform: Mine\n" + simple) }), "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_AUTO_EXPAND]"},
		{"number", "CreateStack", create(func(in *api.CreateStackInput) {
			in.TemplateBody = aws.Ptr("Parameters: {Value: {Type: Number}}\n" + simple)
			in.Parameters = []api.Parameter{{ParameterKey: aws.Ptr("Value"), ParameterValue: aws.Ptr("abc")}}
		}), "ValidationError", "Parameter 'Value' must be a number."},
		{"dead reference", "CreateStack", create(func(in *api.CreateStackInput) {
			in.TemplateBody = aws.Ptr("Conditions: {Never: !Equals [a, b]}\nResources: {X: {Type: 'Test::Fake::Thing', Condition: Never}, Y: {Type: 'Test::Fake::Thing', Properties: {Any: !Ref X}}}")
		}), "ValidationError", "Template format error: Unresolved resource dependencies [X] in the Resources block of the template"},
		{"mapping", "CreateStack", create(func(in *api.CreateStackInput) {
			in.TemplateBody = aws.Ptr("Mappings: {Map: {Top: {First: x}}}\nResources: {X: {Type: 'Test::Fake::Thing', Properties: {Value: !FindInMap [Map, Top, Second]}}}")
		}), "ValidationError", "Template error: Unable to get mapping for Map::Top::Second"},
		{"resource types", "CreateStack", create(func(in *api.CreateStackInput) { in.ResourceTypes = []string{"AWS::EC2:*"} }), "ValidationError", "Resource type Test::Fake::Thing is not allowed by parameter ResourceTypes [AWS::EC2:*]"},
		{"role", "CreateStack", create(func(in *api.CreateStackInput) { in.RoleARN = aws.Ptr("arn:aws:iam::123456789012:role/x") }), "ValidationError", "Role arn:aws:iam::123456789012:role/x is invalid or cannot be assumed"},
		{"trigger type", "CreateStack", create(func(in *api.CreateStackInput) {
			in.RollbackConfiguration = &api.RollbackConfiguration{RollbackTriggers: []api.RollbackTrigger{{Arn: aws.Ptr("arn:aws:sns:us-east-1:1:t"), Type: aws.Ptr("AWS::SNS::Topic")}}}
		}), "ValidationError", "Rollback Trigger Type not supported"},
		{"trigger arn", "CreateStack", create(func(in *api.CreateStackInput) {
			in.RollbackConfiguration = &api.RollbackConfiguration{RollbackTriggers: []api.RollbackTrigger{{Arn: aws.Ptr("arn:aws:cloudwatch:us-east-1:1:x"), Type: aws.Ptr("AWS::CloudWatch::Alarm")}}}
		}), "ValidationError", "RelativeId of a Rollback Trigger's ARN is incorrect"},
		{"stack policy", "SetStackPolicy", &api.SetStackPolicyInput{StackName: there.StackId, StackPolicyBody: aws.Ptr("[]")}, "ValidationError", "Error validating stack policy: Invalid stack policy"},
		{"two policies", "CreateStack", create(func(in *api.CreateStackInput) { in.StackPolicyBody, in.StackPolicyURL = aws.Ptr("x"), aws.Ptr("y") }), "ValidationError", "You cannot specify both StackPolicyURL and StackPolicyBody"},
		{"change set exists", "CreateChangeSet", &api.CreateChangeSetInput{StackName: aws.Ptr("there"), ChangeSetName: aws.Ptr("c"), ChangeSetType: "CREATE", TemplateBody: aws.Ptr(simple)}, "ValidationError", "Stack [there] already exists and cannot be created again with the changeSet [c]."},
		{"absent change set", "DescribeChangeSet", &api.DescribeChangeSetInput{StackName: aws.Ptr("there"), ChangeSetName: aws.Ptr("c")}, "ChangeSetNotFound", "ChangeSet [c] does not exist"},
		{"change set without stack", "DescribeChangeSet", &api.DescribeChangeSetInput{ChangeSetName: aws.Ptr("c")}, "ValidationError", "StackName must be specified if ChangeSetName is not specified as an ARN."},
		{"template of nothing", "GetTemplate", &api.GetTemplateInput{}, "ValidationError", "StackName is required if ChangeSetName is not specified."},
		{"absent resource", "DescribeStackResource", &api.DescribeStackResourceInput{StackName: aws.Ptr("there"), LogicalResourceId: aws.Ptr("X")}, "ValidationError", "Resource X does not exist for stack there"},
		{"unknown type", "CreateStack", create(func(in *api.CreateStackInput) { in.TemplateBody = aws.Ptr("Resources: {A: {Type: 'AWS::X::Y'}}") }), "ValidationError", "Template format error: Unrecognized resource types: [AWS::X::Y]"},
		{"not built", "CreateStackRefactor", nil, "NotImplemented", ""},
		{"notifications", "CreateStack", create(func(in *api.CreateStackInput) { in.NotificationARNs = []string{"topic"} }), "ValidationError", "Invalid notification ARN: topic"},
		{"key pair", "CreateStack", create(func(in *api.CreateStackInput) {
			in.TemplateBody = aws.Ptr("Parameters: {K: {Type: 'AWS::EC2::KeyPair::KeyName', Default: other}}\n" + simple)
		}), "ValidationError", ""},
		{"ssm parameter", "CreateStack", create(func(in *api.CreateStackInput) {
			in.TemplateBody = aws.Ptr("Parameters: {K: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /other}}\n" + simple)
		}), "ValidationError", ""},
		{"attribute", "CreateStack", create(func(in *api.CreateStackInput) {
			in.TemplateBody = aws.Ptr("Resources: {A: {Type: 'Test::Fake::Thing'}, B: {Type: 'Test::Fake::Thing', Properties: {Any: !GetAtt A.Nope}}}")
		}), "ValidationError", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := l.server.Invoke(l.ctx, "cloudformation", c.operation, c.in)
			wantError(t, err, c.code, c.message)
		})
	}
	if list := must[api.ListStacksOutput](l, "ListStacks", &api.ListStacksInput{}); len(list.StackSummaries) != 2 {
		t.Errorf("%d stacks: a refused request made one", len(list.StackSummaries))
	}
}

func (l *lab) find(name string) string {
	l.t.Helper()
	return *must[api.DescribeStacksOutput](l, "DescribeStacks", &api.DescribeStacksInput{StackName: &name}).Stacks[0].StackId
}

func TestCapabilities(t *testing.T) {
	l := newLab(t)
	role, withName := "Resources: {R: {Type: 'Test::Fake::Role'}}", "Resources: {R: {Type: 'Test::Fake::Role', Properties: {Name: x}}}"
	for _, c := range []struct {
		name, body string
		given      []api.Capability
		missing    string
	}{
		{"role", role, nil, "CAPABILITY_IAM"},
		{"role allowed", role, []api.Capability{"CAPABILITY_IAM"}, ""},
		{"named covers", role, []api.Capability{"CAPABILITY_NAMED_IAM"}, ""},
		{"named role", withName, []api.Capability{"CAPABILITY_IAM"}, "CAPABILITY_NAMED_IAM"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := call[api.CreateStackOutput](l, "CreateStack", &api.CreateStackInput{
				StackName: aws.Ptr("s" + strings.ReplaceAll(c.name, " ", "")), TemplateBody: &c.body, Capabilities: c.given})
			if c.missing == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantError(t, err, "InsufficientCapabilitiesException", "Requires capabilities : ["+c.missing+"]")
		})
	}
	out := must[api.ValidateTemplateOutput](l, "ValidateTemplate", &api.ValidateTemplateInput{TemplateBody: &role})
	if !slices.Equal(out.Capabilities, []api.Capability{"CAPABILITY_IAM"}) || aws.Val(out.CapabilitiesReason) != "The following resource(s) require capabilities: [Test::Fake::Role]" {
		t.Errorf("%v %q", out.Capabilities, aws.Val(out.CapabilitiesReason))
	}
}

func TestParametersOfAWSTypes(t *testing.T) {
	l := newLab(t)
	s := l.create("p", `
Parameters:
  Key: {Type: 'AWS::EC2::KeyPair::KeyName', Default: mykey}
  Image: {Type: 'AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>', Default: /image}
  Secret: {Type: String, NoEcho: true, Default: s3cret}
Resources: {A: {Type: 'Test::Fake::Thing', Properties: {Value: !Ref Image, Any: '{{resolve:ssm:/plain:1}}', List: !GetAZs ''}}}`, nil)
	l.wantStatus(s, "CREATE_COMPLETE")
	want := []api.Parameter{
		{ParameterKey: aws.Ptr("Image"), ParameterValue: aws.Ptr("/image"), ResolvedValue: aws.Ptr("ami-1")},
		{ParameterKey: aws.Ptr("Key"), ParameterValue: aws.Ptr("mykey")},
		{ParameterKey: aws.Ptr("Secret"), ParameterValue: aws.Ptr("****")},
	}
	if diff := cmp.Diff(want, s.Parameters); diff != "" {
		t.Error(diff)
	}
	got := l.fake.Items()["fake-A-1"]
	if got.Value != "ami-1" || got.Any != "value of /plain:1" || !slices.Equal(got.List, []string{"us-east-1a", "us-east-1b"}) {
		t.Errorf("properties %+v", got)
	}
}

// Fn::GetAZs gives the zones that have a default subnet, or all where none has.
func TestZones(t *testing.T) {
	l := newLab(t)
	for i, defaults := range [][]string{nil, {"us-east-1b"}, {"us-east-1b", "us-east-1a"}} {
		l.defaultZones = defaults
		l.create(fmt.Sprintf("zones%d", i), "Resources: {A: {Type: 'Test::Fake::Thing', Properties: {List: !GetAZs ''}}}", nil)
		want := [][]string{{"us-east-1a", "us-east-1b"}, {"us-east-1b"}, {"us-east-1a", "us-east-1b"}}[i]
		if got := l.fake.Items()[fmt.Sprintf("fake-A-%d", i+1)]; !slices.Equal(got.List, want) {
			t.Errorf("default subnets in %v: %v", defaults, got.List)
		}
	}
	// A caller who may not see subnets gets all.
	l.gate.deny("ec2:DescribeSubnets")
	l.defaultZones = []string{"us-east-1b"}
	l.create("zones3", "Resources: {A: {Type: 'Test::Fake::Thing', Properties: {List: !GetAZs ''}}}", nil)
	if got := l.fake.Items()["fake-A-4"]; !slices.Equal(got.List, []string{"us-east-1a", "us-east-1b"}) {
		t.Errorf("without permission: %v", got.List)
	}
}

func TestTemplateURLs(t *testing.T) {
	l := newLab(t)
	l.objects["b.1/dir/t.yaml"] = simple
	for i, url := range []string{
		endpoint + "/b.1/dir/t.yaml", "https://127.0.0.1:4566/b.1/dir/t.yaml", "http://b.1.s3.localhost:4566/dir/t.yaml",
		"https://s3.amazonaws.com/b.1/dir/t.yaml", "https://b.1.s3.amazonaws.com/dir/t.yaml",
		"https://s3-us-west-2.amazonaws.com/b.1/dir/t.yaml", "https://b.1.s3.us-west-2.amazonaws.com/dir/t.yaml",
	} {
		if _, err := call[api.ValidateTemplateOutput](l, "ValidateTemplate", &api.ValidateTemplateInput{TemplateURL: &url}); err != nil {
			t.Errorf("%d %s: %v", i, url, err)
		}
	}
	l.gate.deny("s3:GetObject")
	_, err := call[api.ValidateTemplateOutput](l, "ValidateTemplate", &api.ValidateTemplateInput{TemplateURL: aws.Ptr(endpoint + "/b.1/dir/t.yaml")})
	wantError(t, err, "ValidationError", "")
}

func TestUpdateAndPolicy(t *testing.T) {
	l := newLab(t)
	s := l.create("u", simple, func(in *api.CreateStackInput) {
		in.StackPolicyBody = aws.Ptr(`{"Statement":[{"Effect":"Deny","Action":"Update:*","Principal":"*","Resource":"LogicalResourceId/A"},{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"}]}`)
	})
	changed := strings.Replace(simple, "one", "two", 1)
	must[api.UpdateStackOutput](l, "UpdateStack", &api.UpdateStackInput{StackName: aws.Ptr("u"), TemplateBody: &changed})
	l.wantStatus(l.rest(*s.StackId), "UPDATE_ROLLBACK_COMPLETE")
	if reasons := l.reasons("u"); !strings.Contains(reasons, "Action denied by stack policy: Statement [#1] does not allow [Update:*] for resource [A]") {
		t.Error(reasons)
	}
	must[api.UpdateStackOutput](l, "UpdateStack", &api.UpdateStackInput{StackName: aws.Ptr("u"), TemplateBody: &changed,
		StackPolicyDuringUpdateBody: aws.Ptr(`{"Statement":[{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"}]}`)})
	l.wantStatus(l.rest(*s.StackId), "UPDATE_COMPLETE")
	if got := l.fake.Items()["fake-A-1"].Value; got != "two" {
		t.Errorf("value %q", got)
	}
}

func (l *lab) reasons(name string) string {
	l.t.Helper()
	out := must[api.DescribeStackEventsOutput](l, "DescribeStackEvents", &api.DescribeStackEventsInput{StackName: &name})
	var all []string
	for _, ev := range out.StackEvents {
		all = append(all, aws.Val(ev.ResourceStatusReason))
	}
	return strings.Join(all, "\n")
}

func TestTokens(t *testing.T) {
	l := newLab(t)
	in := &api.CreateStackInput{StackName: aws.Ptr("t"), TemplateBody: aws.Ptr(simple), ClientRequestToken: aws.Ptr("token")}
	first := must[api.CreateStackOutput](l, "CreateStack", in)
	again := must[api.CreateStackOutput](l, "CreateStack", in)
	if *first.StackId != *again.StackId {
		t.Errorf("%s and %s", *first.StackId, *again.StackId)
	}
	other := *in
	other.TimeoutInMinutes = aws.Ptr[int32](5)
	_, err := call[api.CreateStackOutput](l, "CreateStack", &other)
	wantError(t, err, "TokenAlreadyExistsException", "")
}

// TestParametersAreReadAsTheRole holds that a service role reads what a template's
// parameters name in SSM: CDK's deploying role may not.
func TestParametersAreReadAsTheRole(t *testing.T) {
	l := newLab(t)
	body := "Parameters: {Who: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /who}}\n" + simple + "\nOutputs: {Who: {Value: !Ref Who}}"
	s := l.create("r", body, func(in *api.CreateStackInput) { in.RoleARN = aws.Ptr("arn:aws:iam::123456789012:role/stacks") })
	l.wantStatus(s, "CREATE_COMPLETE")
	out := must[api.DescribeStacksOutput](l, "DescribeStacks", &api.DescribeStacksInput{StackName: aws.Ptr("r")})
	if who := aws.Val(out.Stacks[0].Outputs[0].OutputValue); who != "arn:aws:sts::123456789012:assumed-role/stacks/AWSCloudFormation" {
		t.Errorf("asked by %s", who)
	}
}

func TestRoleAndTerminationProtection(t *testing.T) {
	l := newLab(t)
	s := l.create("r", simple, func(in *api.CreateStackInput) {
		in.RoleARN, in.EnableTerminationProtection = aws.Ptr("arn:aws:iam::123456789012:role/stacks"), aws.Ptr(true)
	})
	l.wantStatus(s, "CREATE_COMPLETE")
	if who := l.fake.Callers()["fake-A-1"].Principal.ARN; who != "arn:aws:sts::123456789012:assumed-role/stacks/AWSCloudFormation" {
		t.Errorf("made by %s", who)
	}
	if !slices.ContainsFunc(l.gate.asked, func(c aws.Check) bool {
		return c.Action == "iam:PassRole" && strings.HasSuffix(c.Resource, "role/stacks")
	}) {
		t.Error("iam:PassRole was not asked for")
	}
	_, err := call[api.DeleteStackOutput](l, "DeleteStack", &api.DeleteStackInput{StackName: aws.Ptr("r")})
	wantError(t, err, "ValidationError", "Stack [r] cannot be deleted while TerminationProtection is enabled")
	must[api.UpdateTerminationProtectionOutput](l, "UpdateTerminationProtection", &api.UpdateTerminationProtectionInput{StackName: aws.Ptr("r"), EnableTerminationProtection: aws.Ptr(false)})
	l.mustDelete("r")
	l.wantStatus(l.rest(*s.StackId), "DELETE_COMPLETE")
}

// Every operation has an action; without the permission it is denied.
func TestEveryOperationNeedsItsPermission(t *testing.T) {
	l := newLab(t)
	l.create("s", simple, nil)
	name := aws.Ptr("s")
	inputs := map[string]any{
		"CreateStack":                       &api.CreateStackInput{StackName: aws.Ptr("n"), TemplateBody: aws.Ptr(simple)},
		"UpdateStack":                       &api.UpdateStackInput{StackName: name},
		"DeleteStack":                       &api.DeleteStackInput{StackName: name},
		"CancelUpdateStack":                 &api.CancelUpdateStackInput{StackName: name},
		"SetStackPolicy":                    &api.SetStackPolicyInput{StackName: name},
		"GetStackPolicy":                    &api.GetStackPolicyInput{StackName: name},
		"UpdateTerminationProtection":       &api.UpdateTerminationProtectionInput{StackName: name, EnableTerminationProtection: aws.Ptr(true)},
		"SignalResource":                    &api.SignalResourceInput{StackName: name, LogicalResourceId: name, UniqueId: name, Status: "SUCCESS"},
		"DescribeStacks":                    &api.DescribeStacksInput{},
		"ListStacks":                        &api.ListStacksInput{},
		"DescribeStackEvents":               &api.DescribeStackEventsInput{StackName: name},
		"DescribeStackResource":             &api.DescribeStackResourceInput{StackName: name, LogicalResourceId: name},
		"DescribeStackResources":            &api.DescribeStackResourcesInput{StackName: name},
		"ListStackResources":                &api.ListStackResourcesInput{StackName: name},
		"GetTemplate":                       &api.GetTemplateInput{StackName: name},
		"GetTemplateSummary":                &api.GetTemplateSummaryInput{StackName: name},
		"ValidateTemplate":                  &api.ValidateTemplateInput{TemplateBody: aws.Ptr(simple)},
		"ListExports":                       &api.ListExportsInput{},
		"ListImports":                       &api.ListImportsInput{ExportName: name},
		"DescribeAccountLimits":             &api.DescribeAccountLimitsInput{},
		"CreateChangeSet":                   &api.CreateChangeSetInput{StackName: name, ChangeSetName: name},
		"DescribeChangeSet":                 &api.DescribeChangeSetInput{StackName: name, ChangeSetName: name},
		"ExecuteChangeSet":                  &api.ExecuteChangeSetInput{StackName: name, ChangeSetName: name},
		"DeleteChangeSet":                   &api.DeleteChangeSetInput{StackName: name, ChangeSetName: name},
		"RollbackStack":                     &api.RollbackStackInput{StackName: name},
		"ContinueUpdateRollback":            &api.ContinueUpdateRollbackInput{StackName: name},
		"EstimateTemplateCost":              &api.EstimateTemplateCostInput{TemplateBody: aws.Ptr(simple)},
		"DescribeEvents":                    &api.DescribeEventsInput{StackName: name},
		"DetectStackDrift":                  &api.DetectStackDriftInput{StackName: name},
		"DetectStackResourceDrift":          &api.DetectStackResourceDriftInput{StackName: name, LogicalResourceId: name},
		"DescribeStackDriftDetectionStatus": &api.DescribeStackDriftDetectionStatusInput{StackDriftDetectionId: aws.Ptr("11111111-2222-3333-4444-555555555555")},
		"DescribeStackResourceDrifts":       &api.DescribeStackResourceDriftsInput{StackName: name},
		"ListTypes":                         &api.ListTypesInput{},
		"DescribeType":                      &api.DescribeTypeInput{},
		"DescribeChangeSetHooks":            &api.DescribeChangeSetHooksInput{StackName: name, ChangeSetName: name},
		"ListChangeSets":                    &api.ListChangeSetsInput{StackName: name},
		"CreateStackSet":                    &api.CreateStackSetInput{StackSetName: name},
		"UpdateStackSet":                    &api.UpdateStackSetInput{StackSetName: name},
		"DeleteStackSet":                    &api.DeleteStackSetInput{StackSetName: name},
		"DescribeStackSet":                  &api.DescribeStackSetInput{StackSetName: name},
		"ListStackSetOperations":            &api.ListStackSetOperationsInput{StackSetName: name},
		"DetectStackSetDrift":               &api.DetectStackSetDriftInput{StackSetName: name},
		"ListStackInstances":                &api.ListStackInstancesInput{StackSetName: name},
		"ListStackSetAutoDeploymentTargets": &api.ListStackSetAutoDeploymentTargetsInput{StackSetName: name},
		"ListStackSets":                     &api.ListStackSetsInput{},
		"CreateStackInstances":              &api.CreateStackInstancesInput{StackSetName: name, Regions: []string{"us-east-1"}},
		"UpdateStackInstances":              &api.UpdateStackInstancesInput{StackSetName: name, Regions: []string{"us-east-1"}},
		"DeleteStackInstances":              &api.DeleteStackInstancesInput{StackSetName: name, Regions: []string{"us-east-1"}, RetainStacks: aws.Ptr(false)},
		"DescribeStackInstance":             &api.DescribeStackInstanceInput{StackSetName: name, StackInstanceAccount: aws.Ptr(home), StackInstanceRegion: name},
		"ListStackInstanceResourceDrifts":   &api.ListStackInstanceResourceDriftsInput{StackSetName: name, StackInstanceAccount: aws.Ptr(home), StackInstanceRegion: name, OperationId: name},
		"DescribeStackSetOperation":         &api.DescribeStackSetOperationInput{StackSetName: name, OperationId: name},
		"ListStackSetOperationResults":      &api.ListStackSetOperationResultsInput{StackSetName: name, OperationId: name},
		"StopStackSetOperation":             &api.StopStackSetOperationInput{StackSetName: name, OperationId: name},
		"ImportStacksToStackSet":            &api.ImportStacksToStackSetInput{StackSetName: name},
		"ActivateOrganizationsAccess":       &api.ActivateOrganizationsAccessInput{},
		"DeactivateOrganizationsAccess":     &api.DeactivateOrganizationsAccessInput{},
		"DescribeOrganizationsAccess":       &api.DescribeOrganizationsAccessInput{},
	}
	for _, svc := range l.server.Services() {
		if svc.Model.Name != "cloudformation" {
			continue
		}
		for _, op := range svc.Operations {
			in, ok := inputs[op.Name]
			if !ok {
				t.Errorf("%s has no input here", op.Name)
				continue
			}
			l.gate.deny("cloudformation:" + op.Name)
			_, err := l.server.Invoke(l.ctx, "cloudformation", op.Name, in)
			wantError(t, err, "AccessDenied", "")
			delete(inputs, op.Name)
		}
	}
	if len(inputs) > 0 {
		t.Errorf("not served: %v", slices.Sorted(maps.Keys(inputs)))
	}
}

// IAM binds stacks as it binds users: a resource whose service refuses the caller
// fails, and the stack rolls back.
func TestStackActsAsItsCaller(t *testing.T) {
	l := newLab(t)
	l.fake.Before = func(ctx context.Context, method string, _ stack.Request) error {
		if method != "Create" {
			return nil
		}
		return l.gate.Authorize(ctx, aws.Check{Action: "fake:Create", Resource: "*"})
	}
	l.gate.deny("fake:Create")
	s := l.create("d", simple, nil)
	l.wantStatus(s, "ROLLBACK_COMPLETE")
	if reasons := l.reasons("d"); !strings.Contains(reasons, "User: "+testUser+" is not authorized to perform: fake:Create because no identity-based policy allows the fake:Create action") {
		t.Error(reasons)
	}
}
