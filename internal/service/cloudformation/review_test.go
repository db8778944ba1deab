package cloudformation_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
)

// A name that only waits for a change set can still be created outright; the change
// set is of no use then.
func TestCreateStackUnderReview(t *testing.T) {
	l := newLab(t)
	made := must[api.CreateChangeSetOutput](l, "CreateChangeSet", &api.CreateChangeSetInput{
		StackName: aws.Ptr("r"), ChangeSetName: aws.Ptr("first"), ChangeSetType: "CREATE", TemplateBody: aws.Ptr(simple)})
	out := must[api.CreateStackOutput](l, "CreateStack", &api.CreateStackInput{StackName: aws.Ptr("r"), TemplateBody: aws.Ptr(simple),
		EnableTerminationProtection: aws.Ptr(true)})
	if *out.StackId != *made.StackId {
		t.Errorf("%s is not %s", *out.StackId, *made.StackId)
	}
	s := l.rest(*out.StackId)
	l.wantStatus(s, "CREATE_COMPLETE")
	if s.ChangeSetId != nil || s.LastUpdatedTime != nil || !aws.Val(s.EnableTerminationProtection) {
		t.Errorf("%+v", s)
	}
	if d := must[api.DescribeChangeSetOutput](l, "DescribeChangeSet", &api.DescribeChangeSetInput{ChangeSetName: made.Id}); d.ExecutionStatus != "OBSOLETE" {
		t.Errorf("change set is %s", d.ExecutionStatus)
	}
	_, err := call[api.CreateStackOutput](l, "CreateStack", &api.CreateStackInput{StackName: aws.Ptr("r"), TemplateBody: aws.Ptr(simple)})
	wantError(t, err, "AlreadyExistsException", "Stack [r] already exists")
	_, err = call[api.CreateChangeSetOutput](l, "CreateChangeSet", &api.CreateChangeSetInput{StackName: out.StackId, ChangeSetName: aws.Ptr("again"),
		ChangeSetType: "CREATE", TemplateBody: aws.Ptr(simple)})
	wantError(t, err, "ValidationError", "Stack ["+*out.StackId+"] already exists and cannot be created again with the changeSet [again].")
}

// What AWS leaves out of the description of a change set that has none of it, and of
// the summary of a stack set's template.
func TestAnswersLeaveOutWhatThereIsNot(t *testing.T) {
	l := newLab(t)
	made := must[api.CreateChangeSetOutput](l, "CreateChangeSet", &api.CreateChangeSetInput{
		StackName: aws.Ptr("n"), ChangeSetName: aws.Ptr("first"), ChangeSetType: "CREATE", TemplateBody: aws.Ptr(simple)})
	d := must[api.DescribeChangeSetOutput](l, "DescribeChangeSet", &api.DescribeChangeSetInput{ChangeSetName: made.Id})
	if d.Parameters != nil || d.Tags != nil || d.ImportExistingResources != nil || d.Capabilities == nil || d.NotificationARNs == nil {
		t.Errorf("%+v", d)
	}
	list := must[api.ListChangeSetsOutput](l, "ListChangeSets", &api.ListChangeSetsInput{StackName: aws.Ptr("n")})
	if len(list.Summaries) != 1 || list.Summaries[0].ImportExistingResources != nil {
		t.Errorf("%+v", list.Summaries)
	}
	must[api.ExecuteChangeSetOutput](l, "ExecuteChangeSet", &api.ExecuteChangeSetInput{ChangeSetName: made.Id})
	if s := l.rest(*made.StackId); s.LastUpdatedTime == nil {
		t.Error("the execution of a change set does not count as an update")
	}
	_, err := call[api.DescribeStackResourceOutput](l, "DescribeStackResource", &api.DescribeStackResourceInput{StackName: made.StackId, LogicalResourceId: aws.Ptr("X")})
	wantError(t, err, "ValidationError", "Resource X does not exist for stack "+*made.StackId)
	_, err = call[api.GetTemplateOutput](l, "GetTemplate", &api.GetTemplateInput{ChangeSetName: aws.Ptr("first")})
	wantError(t, err, "ValidationError", "StackName is a required parameter.")

	must[api.CreateStackSetOutput](l, "CreateStackSet", &api.CreateStackSetInput{StackSetName: aws.Ptr("set"), TemplateBody: aws.Ptr(setTemplate)})
	sum := must[api.GetTemplateSummaryOutput](l, "GetTemplateSummary", &api.GetTemplateSummaryInput{StackSetName: aws.Ptr("set")})
	if len(sum.ResourceIdentifierSummaries) > 0 {
		t.Errorf("%+v", sum.ResourceIdentifierSummaries)
	}
	for _, p := range sum.Parameters {
		if p.ParameterConstraints.AllowedValues == nil {
			t.Errorf("%s has no list of allowed values", *p.ParameterKey)
		}
	}
}

// Without transforms a template is as sent in both stages.
func TestProcessedTemplateAsSent(t *testing.T) {
	l := newLab(t)
	l.create("t", simple, nil)
	if out := must[api.GetTemplateOutput](l, "GetTemplate", &api.GetTemplateInput{StackName: aws.Ptr("t"), TemplateStage: "Processed"}); *out.TemplateBody != simple {
		t.Error(*out.TemplateBody)
	}
}

// The empty policy is stored, and denies nothing.
func TestEmptyStackPolicy(t *testing.T) {
	l := newLab(t)
	l.create("p", simple, nil)
	must[api.SetStackPolicyOutput](l, "SetStackPolicy", &api.SetStackPolicyInput{StackName: aws.Ptr("p"), StackPolicyBody: aws.Ptr("{}")})
	if out := must[api.GetStackPolicyOutput](l, "GetStackPolicy", &api.GetStackPolicyInput{StackName: aws.Ptr("p")}); aws.Val(out.StackPolicyBody) != "{}" {
		t.Errorf("policy is %q", aws.Val(out.StackPolicyBody))
	}
}

func TestSummaryWarnsOfUnrecognizedTypes(t *testing.T) {
	l := newLab(t)
	body := aws.Ptr("Resources: {A: {Type: 'Test::Fake::Thing'}, C: {Type: 'Custom::Thing'}, B: {Type: 'AWS::No::Such'}, D: {Type: 'AWS::Made::Up'}}")
	for _, c := range []struct {
		name   string
		config *api.TemplateSummaryConfig
		want   *api.Warnings
	}{
		{"asked for", &api.TemplateSummaryConfig{TreatUnrecognizedResourceTypesAsWarnings: aws.Ptr(true)}, &api.Warnings{UnrecognizedResourceTypes: []string{"AWS::Made::Up", "AWS::No::Such"}}},
		{"not wanted", &api.TemplateSummaryConfig{TreatUnrecognizedResourceTypesAsWarnings: aws.Ptr(false)}, nil},
		{"not asked for", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			sum := must[api.GetTemplateSummaryOutput](l, "GetTemplateSummary", &api.GetTemplateSummaryInput{TemplateBody: body, TemplateSummaryConfig: c.config})
			if diff := cmp.Diff(c.want, sum.Warnings); diff != "" {
				t.Error(diff)
			}
		})
	}
}
