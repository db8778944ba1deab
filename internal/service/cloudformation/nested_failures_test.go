package cloudformation_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
)

// reasonOf is the reason of the first failure of a resource.
func (l *lab) reasonOf(stackName, id string) string {
	l.t.Helper()
	for _, line := range l.story(stackName, id) {
		if status, reason, _ := strings.Cut(line, " "); strings.HasSuffix(status, "_FAILED") {
			return reason
		}
	}
	return ""
}

// What is wrong with a nested stack before it begins is told in the words of the
// call, as on AWS.
func TestNestedStackThatCannotBegin(t *testing.T) {
	l := newLab(t)
	l.objects["b/role.yaml"] = "Resources: {R: {Type: 'Test::Fake::Role'}}"
	l.objects["b/bad.yaml"] = "Description: nothing"
	l.objects["b/child.yaml"] = child
	for _, c := range []struct{ name, properties, reason string }{
		{"url", "{TemplateURL: 'https://example.com/x'}", "TemplateURL must be a supported URL."},
		{"absent", "{TemplateURL: 'http://127.0.0.1:4566/b/none'}", "S3 error: The specified key does not exist.\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"},
		{"template", "{TemplateURL: 'http://127.0.0.1:4566/b/bad.yaml'}", "Template format error: At least one Resources member must be defined."},
		{"parameter", "{TemplateURL: 'http://127.0.0.1:4566/b/child.yaml'}", "Parameters: [Names] must have values"},
		{"unknown", "{TemplateURL: 'http://127.0.0.1:4566/b/child.yaml', Parameters: {Names: [a], Other: x}}", "Parameters: [Other] do not exist in the template"},
		{"capability", "{TemplateURL: 'http://127.0.0.1:4566/b/role.yaml'}", "Requires capabilities : [CAPABILITY_IAM]"},
		{"property", "{TemplateURL: 'http://127.0.0.1:4566/b/child.yaml', Nope: x}", "Encountered unsupported property Nope"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := l.create(c.name, "Resources: {Child: {Type: 'AWS::CloudFormation::Stack', Properties: "+c.properties+"}}", nil)
			l.wantStatus(s, "ROLLBACK_COMPLETE")
			if diff := cmp.Diff(c.reason, l.reasonOf(c.name, "Child")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNestedStackThatCannotBeDeleted(t *testing.T) {
	l := newLab(t)
	p, c := l.nested()
	mend := l.fail("Delete", "Thing")
	l.mustDelete("p")
	s := l.rest(*p.StackId)
	l.wantStatus(s, "DELETE_FAILED")
	if want := "The following resource(s) failed to delete: [Child]. "; aws.Val(s.StackStatusReason) != want {
		t.Errorf("reason %q", aws.Val(s.StackStatusReason))
	}
	if want := "Embedded stack " + *c.StackId + " was not successfully deleted: The following resource(s) failed to delete: [Thing]. "; l.reasonOf("p", "Child")+" " != want {
		t.Errorf("reason %q", l.reasonOf("p", "Child"))
	}
	mend()
	l.mustDelete("p")
	l.wantStatus(l.rest(*p.StackId), "DELETE_COMPLETE")
	l.wantStatus(l.rest(*c.StackId), "DELETE_COMPLETE")
}

// A nested stack that fails to update is rolled back, and its parent with it.
func TestNestedStackThatCannotBeUpdated(t *testing.T) {
	l := newLab(t)
	_, c := l.nested()
	l.fake.Before = func(_ context.Context, method string, r stack.Request) error {
		if method == "Update" && r.LogicalID == "Thing" && r.Properties["Value"] == "two" {
			return &stack.PropertyError{Message: "no"}
		}
		return nil
	}
	l.wantStatus(l.updateParent("two"), "UPDATE_ROLLBACK_COMPLETE")
	if got := l.reasonOf("p", "Child"); !strings.HasPrefix(got, "Embedded stack "+*c.StackId+" was not successfully updated. Currently in UPDATE_ROLLBACK_") ||
		!strings.Contains(got, "with reason: The following resource(s) failed to update: [Thing].") {
		t.Errorf("reason %q", got)
	}
	if c := l.childOf("p"); *c.Outputs[1].OutputValue != "one" {
		t.Errorf("child has %+v", c.Outputs)
	}
	l.fake.Before = nil
	l.wantStatus(l.updateParent("two"), "UPDATE_COMPLETE")
}

// The server is stopped while a resource of a nested stack is made, changed or
// deleted. Parent and child go on, and nothing is made twice.
func TestNestedStackGoesOnAfterARestart(t *testing.T) {
	l := newLab(t)
	l.objects["b/child.yaml"] = child
	stopIn := func(method string, begin func() *string) *api.Stack {
		t.Helper()
		reached := make(chan struct{})
		var once sync.Once
		l.fake.Before = func(ctx context.Context, m string, r stack.Request) error {
			if m == method && r.LogicalID == "Thing" {
				once.Do(func() { close(reached) })
				<-ctx.Done() // the server that is stopped
			}
			return ctx.Err()
		}
		id := begin()
		<-reached
		_ = l.engine.Close()
		l.fake.Before = nil
		l.restart()
		return l.rest(*id)
	}
	body := parent
	s := stopIn("Create", func() *string {
		return must[api.CreateStackOutput](l, "CreateStack", &api.CreateStackInput{StackName: aws.Ptr("p"), TemplateBody: &body}).StackId
	})
	l.wantStatus(s, "CREATE_COMPLETE")
	s = stopIn("Update", func() *string {
		return must[api.UpdateStackOutput](l, "UpdateStack", &api.UpdateStackInput{StackName: aws.Ptr("p"), UsePreviousTemplate: aws.Ptr(true),
			Parameters: []api.Parameter{{ParameterKey: aws.Ptr("V"), ParameterValue: aws.Ptr("two")}}}).StackId
	})
	l.wantStatus(s, "UPDATE_COMPLETE")
	if c := l.childOf("p"); *c.Outputs[1].OutputValue != "two" || l.fake.Made() != 2 {
		t.Errorf("%d made, child has %+v", l.fake.Made(), c.Outputs)
	}
	s = stopIn("Delete", func() *string { l.mustDelete("p"); return s.StackId })
	l.wantStatus(s, "DELETE_COMPLETE")
	if len(l.fake.Items()) > 0 {
		t.Error("something is left")
	}
}
