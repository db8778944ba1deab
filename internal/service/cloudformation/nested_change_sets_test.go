package cloudformation_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
)

// nestedSet makes a change set of p with those of the stacks nested in it.
func (l *lab) nestedSet(name string, change func(*api.CreateChangeSetInput)) *api.DescribeChangeSetOutput {
	l.t.Helper()
	in := &api.CreateChangeSetInput{StackName: aws.Ptr("p"), ChangeSetName: &name, TemplateBody: aws.Ptr(parent), IncludeNestedStacks: aws.Ptr(true)}
	if change != nil {
		change(in)
	}
	out := must[api.CreateChangeSetOutput](l, "CreateChangeSet", in)
	return must[api.DescribeChangeSetOutput](l, "DescribeChangeSet", &api.DescribeChangeSetInput{ChangeSetName: out.Id})
}

// below is the change set of the nested stack in one.
func (l *lab) below(cs *api.DescribeChangeSetOutput) *api.DescribeChangeSetOutput {
	l.t.Helper()
	for _, c := range cs.Changes {
		if c.ResourceChange.ChangeSetId != nil {
			return must[api.DescribeChangeSetOutput](l, "DescribeChangeSet", &api.DescribeChangeSetInput{ChangeSetName: c.ResourceChange.ChangeSetId})
		}
	}
	l.t.Fatalf("no nested change set: %s %s %+v", cs.Status, aws.Val(cs.StatusReason), cs.Changes)
	return nil
}

func (l *lab) executeSet(cs *api.DescribeChangeSetOutput, want api.StackStatus) *api.Stack {
	l.t.Helper()
	must[api.ExecuteChangeSetOutput](l, "ExecuteChangeSet", &api.ExecuteChangeSetInput{ChangeSetName: cs.ChangeSetId})
	s := l.rest(*cs.StackId)
	l.wantStatus(s, want)
	return s
}

func TestNestedChangeSets(t *testing.T) {
	l := newLab(t)
	l.objects["b/child.yaml"] = child
	cs := l.nestedSet("new", func(in *api.CreateChangeSetInput) { in.ChangeSetType = "CREATE" })
	nested := l.below(cs)
	if !aws.Val(cs.IncludeNestedStacks) || aws.Val(nested.ParentChangeSetId) != *cs.ChangeSetId || aws.Val(nested.RootChangeSetId) != *cs.ChangeSetId || len(nested.Changes) != 1 {
		t.Errorf("nested change set %+v", nested)
	}
	under := must[api.DescribeStacksOutput](l, "DescribeStacks", &api.DescribeStacksInput{StackName: nested.StackId}).Stacks[0]
	if under.StackStatus != "REVIEW_IN_PROGRESS" || aws.Val(under.ParentId) != *cs.StackId {
		t.Errorf("nested stack %s of %s", under.StackStatus, aws.Val(under.ParentId))
	}
	_, err := call[api.ExecuteChangeSetOutput](l, "ExecuteChangeSet", &api.ExecuteChangeSetInput{ChangeSetName: nested.ChangeSetId})
	wantError(t, err, "ValidationError", "")
	// What was described is executed, whatever stands behind the URL by now.
	l.objects["b/child.yaml"] = strings.Replace(child, "Value: !Ref V,", "Value: later,", 1)
	l.executeSet(cs, "CREATE_COMPLETE")
	if c := l.childOf("p"); *c.StackId != *nested.StackId || *c.Outputs[1].OutputValue != "one" {
		t.Errorf("child %s %+v", *c.StackId, c.Outputs)
	}
	l.objects["b/child.yaml"] = child
	if cs := l.nestedSet("none", nil); cs.Status != "FAILED" || !strings.HasPrefix(aws.Val(cs.StatusReason), "The submitted information didn't contain changes.") {
		t.Errorf("without a change: %s %s", cs.Status, aws.Val(cs.StatusReason))
	}
	cs = l.nestedSet("update", func(in *api.CreateChangeSetInput) {
		in.Parameters = []api.Parameter{{ParameterKey: aws.Ptr("V"), ParameterValue: aws.Ptr("two")}}
	})
	if nested := l.below(cs); len(nested.Changes) != 1 || nested.Changes[0].ResourceChange.Action != "Modify" {
		t.Errorf("changes %+v", nested.Changes)
	}
	l.executeSet(cs, "UPDATE_COMPLETE")
	if c := l.childOf("p"); *c.Outputs[1].OutputValue != "two" {
		t.Errorf("child %+v", c.Outputs)
	}
	cs = l.nestedSet("fails", func(in *api.CreateChangeSetInput) {
		in.Parameters = []api.Parameter{{ParameterKey: aws.Ptr("V"), ParameterValue: aws.Ptr("three")}}
	})
	mend := l.fail("Update", "After")
	must[api.ExecuteChangeSetOutput](l, "ExecuteChangeSet", &api.ExecuteChangeSetInput{ChangeSetName: cs.ChangeSetId})
	s := l.rest(*cs.StackId)
	mend()
	if c := l.childOf("p"); *c.Outputs[1].OutputValue != "two" && s.StackStatus != "UPDATE_ROLLBACK_FAILED" {
		t.Errorf("%s, child %+v", s.StackStatus, c.Outputs)
	}
}

// What only the execution knows has a default, or is a text, until then.
func TestNestedChangeSetWithWhatIsNotKnown(t *testing.T) {
	l := newLab(t)
	l.objects["b/child.yaml"] = child
	body := "Resources:\n  A: {Type: 'Test::Fake::Thing', Properties: {Value: made}}\n" +
		"  Child: {Type: 'AWS::CloudFormation::Stack', Properties: {TemplateURL: 'http://127.0.0.1:4566/b/child.yaml', Parameters: {V: !GetAtt A.Value, Names: [!Ref A]}}}"
	cs := l.nestedSet("new", func(in *api.CreateChangeSetInput) { in.ChangeSetType, in.TemplateBody = "CREATE", &body })
	if nested := l.below(cs); nested.Status != "CREATE_COMPLETE" {
		t.Fatalf("%s %s", nested.Status, aws.Val(nested.StatusReason))
	}
	l.executeSet(cs, "CREATE_COMPLETE")
	if c := l.childOf("p"); *c.Outputs[1].OutputValue != "made" {
		t.Errorf("child %+v", c.Outputs)
	}
}

func TestNestedChangeSetsThatFailOrGo(t *testing.T) {
	l := newLab(t)
	cs := l.nestedSet("absent", func(in *api.CreateChangeSetInput) { in.ChangeSetType = "CREATE" })
	if cs.Status != "FAILED" || !strings.Contains(aws.Val(cs.StatusReason), "was not successfully created: Currently in FAILED.") {
		t.Errorf("%s %s", cs.Status, aws.Val(cs.StatusReason))
	}
	l.objects["b/child.yaml"] = child
	cs = l.nestedSet("gone", func(in *api.CreateChangeSetInput) { in.ChangeSetType = "CREATE" })
	nested := l.below(cs)
	must[api.DeleteChangeSetOutput](l, "DeleteChangeSet", &api.DeleteChangeSetInput{ChangeSetName: cs.ChangeSetId})
	l.wantStatus(l.rest(*nested.StackId), "DELETE_COMPLETE")
	_, err := call[api.DescribeChangeSetOutput](l, "DescribeChangeSet", &api.DescribeChangeSetInput{ChangeSetName: nested.ChangeSetId})
	wantError(t, err, "ChangeSetNotFound", "")
}

// A nested stack that is made or changed by a change set has all that its resource
// says of it.
func TestNestedChangeSetKeepsTopicsAndTimeout(t *testing.T) {
	l := newLab(t)
	l.objects["b/child.yaml"] = child
	topic, other := "arn:aws:sns:us-east-1:123456789012:one", "arn:aws:sns:us-east-1:123456789012:other"
	with := func(topic string) *string {
		changed := strings.Replace(parent, "Properties:", "Properties:\n      NotificationARNs: ["+topic+"]\n      TimeoutInMinutes: 7", 1)
		return &changed
	}
	cs := l.nestedSet("new", func(in *api.CreateChangeSetInput) { in.ChangeSetType, in.TemplateBody = "CREATE", with(topic) })
	if got := l.below(cs).NotificationARNs; !slices.Equal(got, []string{topic}) {
		t.Errorf("topics of the nested change set: %v", got)
	}
	l.executeSet(cs, "CREATE_COMPLETE")
	if c := l.childOf("p"); !slices.Equal(c.NotificationARNs, []string{topic}) || aws.Val(c.TimeoutInMinutes) != 7 {
		t.Errorf("child has topics %v, timeout %d", c.NotificationARNs, aws.Val(c.TimeoutInMinutes))
	}
	cs = l.nestedSet("changed", func(in *api.CreateChangeSetInput) { in.TemplateBody = with(other) })
	l.executeSet(cs, "UPDATE_COMPLETE")
	if c := l.childOf("p"); !slices.Equal(c.NotificationARNs, []string{other}) {
		t.Errorf("child has topics %v after the update", c.NotificationARNs)
	}
}

func TestChangeSetHooks(t *testing.T) {
	l := newLab(t)
	l.objects["b/child.yaml"] = child
	cs := l.nestedSet("c", func(in *api.CreateChangeSetInput) { in.ChangeSetType = "CREATE" })
	out := must[api.DescribeChangeSetHooksOutput](l, "DescribeChangeSetHooks", &api.DescribeChangeSetHooksInput{ChangeSetName: cs.ChangeSetId})
	if out.Status != "PLANNED" || len(out.Hooks) > 0 || *out.ChangeSetName != "c" {
		t.Errorf("hooks %+v", out)
	}
	_, err := call[api.DescribeChangeSetHooksOutput](l, "DescribeChangeSetHooks", &api.DescribeChangeSetHooksInput{StackName: aws.Ptr("p"), ChangeSetName: aws.Ptr("x")})
	wantError(t, err, "ChangeSetNotFound", "ChangeSet [x] does not exist")
}
