package cloudformation_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
)

const child = `
Parameters: {Names: {Type: CommaDelimitedList}, V: {Type: String, Default: one}}
Resources:
  Thing: {Type: 'Test::Fake::Thing', Properties: {Value: !Ref V, List: !Ref Names}}
Outputs: {Id: {Value: !Ref Thing}, Value: {Value: !GetAtt Thing.Value}}
`

const parent = `
Parameters: {V: {Type: String, Default: one}}
Resources:
  Child:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: http://127.0.0.1:4566/b/child.yaml
      Parameters: {Names: [x, y], V: !Ref V}
      Tags: [{Key: own, Value: 'yes'}]
  After: {Type: 'Test::Fake::Thing', Properties: {Value: !GetAtt Child.Outputs.Value, Any: !Ref Child}}
Outputs: {Id: {Value: !GetAtt Child.Outputs.Id}}
`

// nested makes the parent with its child.
func (l *lab) nested() (parentStack, childStack *api.Stack) {
	l.t.Helper()
	l.objects["b/child.yaml"] = child
	p := l.create("p", parent, func(in *api.CreateStackInput) { in.Tags = []api.Tag{{Key: aws.Ptr("team"), Value: aws.Ptr("t")}} })
	l.wantStatus(p, "CREATE_COMPLETE")
	return p, l.childOf("p")
}

func (l *lab) childOf(name string) *api.Stack {
	l.t.Helper()
	r := must[api.DescribeStackResourceOutput](l, "DescribeStackResource", &api.DescribeStackResourceInput{StackName: &name, LogicalResourceId: aws.Ptr("Child")})
	return &must[api.DescribeStacksOutput](l, "DescribeStacks", &api.DescribeStacksInput{StackName: r.StackResourceDetail.PhysicalResourceId}).Stacks[0]
}

func (l *lab) updateParent(v string) *api.Stack {
	l.t.Helper()
	out := must[api.UpdateStackOutput](l, "UpdateStack", &api.UpdateStackInput{StackName: aws.Ptr("p"), UsePreviousTemplate: aws.Ptr(true),
		Parameters: []api.Parameter{{ParameterKey: aws.Ptr("V"), ParameterValue: &v}}})
	return l.rest(*out.StackId)
}

func TestNestedStack(t *testing.T) {
	l := newLab(t)
	p, c := l.nested()
	if aws.Val(c.ParentId) != *p.StackId || aws.Val(c.RootId) != *p.StackId || !strings.HasPrefix(*c.StackName, "p-Child-") {
		t.Errorf("child %s of %s in %s", *c.StackName, aws.Val(c.ParentId), aws.Val(c.RootId))
	}
	tags := map[string]string{}
	for _, tag := range c.Tags {
		tags[*tag.Key] = *tag.Value
	}
	if diff := cmp.Diff(map[string]string{"team": "t", "own": "yes"}, tags); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"x", "y"}, l.fake.Items()["fake-Thing-1"].List); diff != "" {
		t.Error(diff)
	}
	l.wantStatus(l.updateParent("two"), "UPDATE_COMPLETE")
	if c := l.childOf("p"); c.StackStatus != "UPDATE_COMPLETE" || *c.Outputs[1].OutputValue != "two" {
		t.Errorf("child %s %v", c.StackStatus, c.Outputs)
	}
	if got := l.fake.Items()["fake-After-2"].Value; got != "two" {
		t.Errorf("After has %q", got)
	}
	// The parent's template says the same, the child's does not.
	l.objects["b/child.yaml"] = strings.Replace(child, "Value: !Ref V,", "Value: !Sub 'now ${V}',", 1)
	l.wantStatus(l.updateParent("two"), "UPDATE_COMPLETE")
	if got := l.fake.Items()["fake-After-2"].Value; got != "now two" {
		t.Errorf("After has %q", got)
	}
	must[api.DeleteStackOutput](l, "DeleteStack", &api.DeleteStackInput{StackName: p.StackId})
	l.wantStatus(l.rest(*p.StackId), "DELETE_COMPLETE")
	l.wantStatus(l.rest(*c.StackId), "DELETE_COMPLETE")
	if items := l.fake.Items(); len(items) > 0 {
		t.Errorf("left: %v", items)
	}
}

func TestNestedStackThatFails(t *testing.T) {
	l := newLab(t)
	l.objects["b/child.yaml"] = child
	l.fail("Create", "Thing")
	p := l.create("p", parent, nil)
	l.wantStatus(p, "ROLLBACK_COMPLETE")
	if reasons := l.reasons("p"); !strings.Contains(reasons, "was not successfully created: The following resource(s) failed to create: [Thing]. ") {
		t.Error(reasons)
	}
	out := must[api.ListStacksOutput](l, "ListStacks", &api.ListStacksInput{})
	for _, s := range out.StackSummaries {
		if s.ParentId != nil && s.StackStatus != "DELETE_COMPLETE" {
			t.Errorf("%s is %s", *s.StackName, s.StackStatus)
		}
	}
}

// When the parent's update fails after its child's has succeeded, the child is
// taken back to what it was, although its template has changed behind its URL.
func TestNestedStackRollsBackWithItsParent(t *testing.T) {
	l := newLab(t)
	l.nested()
	l.objects["b/child.yaml"] = strings.Replace(child, "Value: !Ref V,", "Value: !Sub 'now ${V}',", 1)
	mend := l.fail("Update", "After")
	p := l.updateParent("two")
	l.wantStatus(p, "UPDATE_ROLLBACK_FAILED")
	mend()
	must[api.ContinueUpdateRollbackOutput](l, "ContinueUpdateRollback", &api.ContinueUpdateRollbackInput{StackName: p.StackId})
	l.wantStatus(l.rest(*p.StackId), "UPDATE_ROLLBACK_COMPLETE")
	for id, item := range l.fake.Items() {
		if item.Value != "one" {
			t.Errorf("%s has %q", id, item.Value)
		}
	}
}

// A nested stack whose own rollback has failed is continued with its parent's; its
// resources are skipped by its name.
func TestContinueNestedRollback(t *testing.T) {
	l := newLab(t)
	p, c := l.nested()
	mend := l.fail("Update", "Thing")
	l.wantStatus(l.updateParent("two"), "UPDATE_ROLLBACK_FAILED")
	if c := l.childOf("p"); c.StackStatus != "UPDATE_ROLLBACK_FAILED" {
		t.Fatalf("child is %s", c.StackStatus)
	}
	must[api.ContinueUpdateRollbackOutput](l, "ContinueUpdateRollback", &api.ContinueUpdateRollbackInput{StackName: p.StackId})
	l.wantStatus(l.rest(*p.StackId), "UPDATE_ROLLBACK_FAILED")
	must[api.ContinueUpdateRollbackOutput](l, "ContinueUpdateRollback", &api.ContinueUpdateRollbackInput{StackName: p.StackId,
		ResourcesToSkip: []string{*c.StackName + ".Thing"}})
	l.wantStatus(l.rest(*p.StackId), "UPDATE_ROLLBACK_COMPLETE")
	l.wantStatus(l.childOf("p"), "UPDATE_ROLLBACK_COMPLETE")
	mend()
	l.wantStatus(l.updateParent("three"), "UPDATE_COMPLETE")
}

func TestChangeSetOfAParent(t *testing.T) {
	l := newLab(t)
	l.nested()
	made := must[api.CreateChangeSetOutput](l, "CreateChangeSet", &api.CreateChangeSetInput{StackName: aws.Ptr("p"), ChangeSetName: aws.Ptr("x"), UsePreviousTemplate: aws.Ptr(true)})
	d := must[api.DescribeChangeSetOutput](l, "DescribeChangeSet", &api.DescribeChangeSetInput{ChangeSetName: made.Id})
	got := changeLines(d.Changes[1].ResourceChange)
	if diff := cmp.Diff([]string{"Modify Child False  [Properties]", "  Automatic Dynamic  Never"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestNestedStackNeedsPermission(t *testing.T) {
	l := newLab(t)
	l.objects["b/child.yaml"] = child
	l.gate.deny("s3:GetObject")
	p := l.create("p", parent, nil)
	l.wantStatus(p, "ROLLBACK_COMPLETE")
	if len(l.fake.Items()) > 0 {
		t.Error("something was made")
	}
}
