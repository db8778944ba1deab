package cloudformation_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
)

const loop = `
Transform: AWS::LanguageExtensions
Parameters: {Names: {Type: CommaDelimitedList, Default: 'A,B'}}
Resources:
  Fn::ForEach::Things: [N, !Ref Names, {'Thing${N}': {Type: 'Test::Fake::Thing', Properties: {Value: !Sub '${N} of ${AWS::StackName}', Any: {Fn::Length: !Ref Names}}}}]
`

var expands = []api.Capability{api.CapabilityCapabilityAutoExpand}

func TestLanguageExtensions(t *testing.T) {
	l := newLab(t)
	_, err := call[api.CreateStackOutput](l, "CreateStack", &api.CreateStackInput{StackName: aws.Ptr("loop"), TemplateBody: aws.Ptr(loop)})
	wantError(t, err, "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_AUTO_EXPAND]")
	s := l.create("loop", loop, func(in *api.CreateStackInput) { in.Capabilities = expands })
	l.wantStatus(s, "CREATE_COMPLETE")
	must[api.UpdateStackOutput](l, "UpdateStack", &api.UpdateStackInput{StackName: s.StackName, UsePreviousTemplate: aws.Ptr(true), Capabilities: expands,
		Parameters: []api.Parameter{{ParameterKey: aws.Ptr("Names"), ParameterValue: aws.Ptr("B,C,D")}}})
	l.wantStatus(l.rest(*s.StackId), "UPDATE_COMPLETE")
	var got []string
	for _, p := range l.fake.Items() {
		got = append(got, p.Value)
	}
	if len(got) != 3 || strings.Contains(strings.Join(got, ","), "A of loop") {
		t.Errorf("left: %v", got)
	}
	original := must[api.GetTemplateOutput](l, "GetTemplate", &api.GetTemplateInput{StackName: s.StackName})
	processed := must[api.GetTemplateOutput](l, "GetTemplate", &api.GetTemplateInput{StackName: s.StackName, TemplateStage: "Processed"})
	if *original.TemplateBody != loop || strings.Contains(*processed.TemplateBody, "ForEach") || !strings.Contains(*processed.TemplateBody, "ThingD") {
		t.Errorf("processed: %s", *processed.TemplateBody)
	}
	summary := must[api.GetTemplateSummaryOutput](l, "GetTemplateSummary", &api.GetTemplateSummaryInput{TemplateBody: aws.Ptr(loop)})
	if diff := cmp.Diff([]string{"AWS::LanguageExtensions"}, summary.DeclaredTransforms); diff != "" || *summary.Parameters[0].ParameterKey != "Names" {
		t.Error(diff)
	}
}

// A change set shows what macros make of a template, and needs no capability for it.
func TestChangeSetOfMacros(t *testing.T) {
	l := newLab(t)
	made := must[api.CreateChangeSetOutput](l, "CreateChangeSet", &api.CreateChangeSetInput{
		StackName: aws.Ptr("c"), ChangeSetName: aws.Ptr("first"), ChangeSetType: "CREATE", TemplateBody: aws.Ptr(loop)})
	must[api.ExecuteChangeSetOutput](l, "ExecuteChangeSet", &api.ExecuteChangeSetInput{ChangeSetName: made.Id})
	l.wantStatus(l.rest(*made.StackId), "CREATE_COMPLETE")
}

func TestInclude(t *testing.T) {
	body := func(location string) *string {
		return aws.Ptr("Resources: {A: {Type: 'Test::Fake::Thing', Properties: {Value: own, Fn::Transform: {Name: AWS::Include, Parameters: {Location: '" + location + "'}}}}}")
	}
	l := newLab(t)
	l.objects["b/part.yaml"] = "Value: included\nKind: !Sub 'in ${AWS::Region}'\n"
	l.objects["b/bad.yaml"] = "["
	s := l.create("include", *body("s3://b/part.yaml"), func(in *api.CreateStackInput) { in.Capabilities = expands })
	l.wantStatus(s, "CREATE_COMPLETE")
	for _, p := range l.fake.Items() {
		if p.Value != "own" || aws.Val(p.Kind) != "in us-east-1" {
			t.Errorf("made %+v", p)
		}
	}
	for _, c := range []struct {
		name, location, code, message string
		capabilities                  []api.Capability
	}{
		{"no capability", "s3://b/part.yaml", "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_AUTO_EXPAND]", nil},
		{"no object", "s3://b/absent", "ValidationError", "Transform AWS::Include failed with: S3 error: The specified key does not exist.", expands},
		{"no URI", "part.yaml", "ValidationError", "Transform AWS::Include failed with: The location parameter is not a valid S3 uri.", expands},
		{"no map", "s3://b/bad.yaml", "ValidationError", "Transform AWS::Include failed with: The specified S3 object's content should be valid Yaml/JSON", expands},
	} {
		_, err := call[api.CreateStackOutput](l, "CreateStack", &api.CreateStackInput{StackName: aws.Ptr("x"), TemplateBody: body(c.location), Capabilities: c.capabilities})
		t.Log(c.name)
		wantError(t, err, c.code, c.message)
	}
}

func TestSecureReferencesAreRefused(t *testing.T) {
	l := newLab(t)
	_, err := call[api.CreateStackOutput](l, "CreateStack", &api.CreateStackInput{StackName: aws.Ptr("x"),
		TemplateBody: aws.Ptr("Resources: {A: {Type: 'Test::Fake::Thing', Properties: {Value: '{{resolve:ssm-secure:p:1}}'}}}")})
	wantError(t, err, "ValidationError", "SSM Secure reference is not supported in: [Test::Fake::Thing/Properties/Value]")
}

// What a dynamic reference stands for is in no event and no change set.
func TestDynamicReferencesAreNotShown(t *testing.T) {
	l := newLab(t)
	s := l.create("dyn", "Resources: {A: {Type: 'Test::Fake::Thing', Properties: {Value: '{{resolve:ssm:p}}'}}}", nil)
	for _, p := range l.fake.Items() {
		if p.Value != "value of p" {
			t.Errorf("made %+v", p)
		}
	}
	for _, ev := range must[api.DescribeStackEventsOutput](l, "DescribeStackEvents", &api.DescribeStackEventsInput{StackName: s.StackName}).StackEvents {
		if strings.Contains(aws.Val(ev.ResourceProperties), "value of") {
			t.Errorf("shown: %s", *ev.ResourceProperties)
		}
	}
}
