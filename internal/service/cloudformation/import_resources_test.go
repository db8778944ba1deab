package cloudformation_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
)

const withImport = "Resources: {A: {Type: 'Test::Fake::Thing', Properties: {Value: one}}, Q: {Type: 'Test::Fake::Thing', DeletionPolicy: Retain, Properties: {Name: old, Value: two}}}\nOutputs: {O: {Value: !Ref A}}"

func taking(id, name string) []api.ResourceToImport {
	return []api.ResourceToImport{{ResourceType: aws.Ptr("Test::Fake::Thing"), LogicalResourceId: &id, ResourceIdentifier: map[string]string{"Name": name}}}
}

func (l *lab) importSet(stackName, body string, change func(*api.CreateChangeSetInput)) (*api.DescribeChangeSetOutput, error) {
	in := &api.CreateChangeSetInput{StackName: &stackName, ChangeSetName: aws.Ptr("imp"), ChangeSetType: "IMPORT", TemplateBody: &body, ResourcesToImport: taking("Q", "old")}
	if change != nil {
		change(in)
	}
	out, err := call[api.CreateChangeSetOutput](l, "CreateChangeSet", in)
	if err != nil {
		return nil, err
	}
	return must[api.DescribeChangeSetOutput](l, "DescribeChangeSet", &api.DescribeChangeSetInput{ChangeSetName: out.Id}), nil
}

// exists makes a thing that no stack has made.
func (l *lab) exists(name string) {
	l.fake.Change(name, func(p *stacktest.FakeProperties) { p.Name, p.Value = &name, "two" })
}

func TestImport(t *testing.T) {
	l := newLab(t)
	l.exists("old")
	s := l.create("web", simple, nil)
	cs, err := l.importSet("web", withImport, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []api.Change{{Type: "Resource", ResourceChange: &api.ResourceChange{Action: "Import", LogicalResourceId: aws.Ptr("Q"), PhysicalResourceId: aws.Ptr("old"),
		ResourceType: aws.Ptr("Test::Fake::Thing"), Scope: []api.ResourceAttribute{}, Details: []api.ResourceChangeDetail{}}}}
	if diff := cmp.Diff(want, cs.Changes); diff != "" || cs.Status != "CREATE_COMPLETE" || cs.ExecutionStatus != "AVAILABLE" {
		t.Fatalf("%s %s %s", cs.Status, aws.Val(cs.StatusReason), diff)
	}
	must[api.ExecuteChangeSetOutput](l, "ExecuteChangeSet", &api.ExecuteChangeSetInput{ChangeSetName: cs.ChangeSetId})
	l.wantStatus(l.rest(*s.StackId), "IMPORT_COMPLETE")
	story := l.story("web", "Q")
	if diff := cmp.Diff([]string{"IMPORT_IN_PROGRESS Resource import started.", "IMPORT_COMPLETE Resource import completed.",
		"UPDATE_IN_PROGRESS Apply stack-level tags to imported resource if applicable.", "UPDATE_COMPLETE"}, story); diff != "" {
		t.Error(diff)
	}
	if l.fake.Made() != 1 {
		t.Errorf("%d things were made", l.fake.Made())
	}
	out := must[api.UpdateStackOutput](l, "UpdateStack", &api.UpdateStackInput{StackName: aws.Ptr("web"), TemplateBody: aws.Ptr(strings.Replace(withImport, "two", "three", 1))})
	l.wantStatus(l.rest(*out.StackId), "UPDATE_COMPLETE")
	if got := l.fake.Items()["old"].Value; got != "three" {
		t.Errorf("value %q", got)
	}
	l.mustDelete("web")
	l.wantStatus(l.rest(*s.StackId), "DELETE_COMPLETE")
	if _, kept := l.fake.Items()["old"]; !kept {
		t.Error("what was to be retained is gone")
	}
}

// story is what happened to a resource, oldest first.
func (l *lab) story(stackName, id string) (out []string) {
	l.t.Helper()
	for _, ev := range must[api.DescribeStackEventsOutput](l, "DescribeStackEvents", &api.DescribeStackEventsInput{StackName: &stackName}).StackEvents {
		if *ev.LogicalResourceId == id {
			out = append([]string{strings.TrimSpace(string(ev.ResourceStatus) + " " + aws.Val(ev.ResourceStatusReason))}, out...)
		}
	}
	return out
}

func TestImportIntoANewStack(t *testing.T) {
	l := newLab(t)
	l.exists("old")
	body := "Resources: {Q: {Type: 'Test::Fake::Thing', DeletionPolicy: Delete, Properties: {Name: old, Value: two}}}"
	cs, err := l.importSet("fresh", body, nil)
	if err != nil {
		t.Fatal(err)
	}
	must[api.ExecuteChangeSetOutput](l, "ExecuteChangeSet", &api.ExecuteChangeSetInput{ChangeSetName: cs.ChangeSetId})
	l.wantStatus(l.rest(*cs.StackId), "IMPORT_COMPLETE")
	l.mustDelete("fresh")
	l.wantStatus(l.rest(*cs.StackId), "DELETE_COMPLETE")
	if len(l.fake.Items()) != 0 {
		t.Error("what was to be deleted is there")
	}
}

// A resource that goes between the description and the execution lets the import
// roll back: what was taken over is let go.
func TestImportThatRollsBack(t *testing.T) {
	l := newLab(t)
	l.exists("old")
	l.exists("gone")
	body := strings.Replace(withImport, "Outputs:", "# Outputs:", 1)
	body = strings.Replace(body, "Q: {", "R: {Type: 'Test::Fake::Thing', DeletionPolicy: Delete, DependsOn: Q, Properties: {Name: gone}}, Q: {", 1)
	s := l.create("web", "Resources: {A: {Type: 'Test::Fake::Thing', Properties: {Value: one}}}", nil)
	cs, err := l.importSet("web", body, func(in *api.CreateChangeSetInput) {
		in.ResourcesToImport = append(taking("Q", "old"), taking("R", "gone")...)
	})
	if err != nil || cs.Status != "CREATE_COMPLETE" {
		t.Fatal(cs, err)
	}
	l.fake.Change("gone", nil)
	must[api.ExecuteChangeSetOutput](l, "ExecuteChangeSet", &api.ExecuteChangeSetInput{ChangeSetName: cs.ChangeSetId})
	l.wantStatus(l.rest(*s.StackId), "IMPORT_ROLLBACK_COMPLETE")
	if reasons := l.reasons("web"); !strings.Contains(reasons, "Resource of type 'Test::Fake::Thing' with identifier 'gone' was not found.") {
		t.Error(reasons)
	}
	list := must[api.DescribeStackResourcesOutput](l, "DescribeStackResources", &api.DescribeStackResourcesInput{StackName: aws.Ptr("web")})
	if len(list.StackResources) != 1 || l.fake.Items()["old"].Value != "two" {
		t.Errorf("resources %+v", list.StackResources)
	}
	out := must[api.UpdateStackOutput](l, "UpdateStack", &api.UpdateStackInput{StackName: aws.Ptr("web"), TemplateBody: aws.Ptr("Resources: {A: {Type: 'Test::Fake::Thing', Properties: {Value: later}}}")})
	l.wantStatus(l.rest(*out.StackId), "UPDATE_COMPLETE")
}

func TestImportRefusals(t *testing.T) {
	l := newLab(t)
	l.exists("old")
	l.create("web", simple, nil)
	owner := l.create("owner", "Resources: {K: {Type: 'Test::Fake::Thing', Properties: {Name: owned}}}", nil)
	for _, c := range []struct {
		name, body string
		change     func(*api.CreateChangeSetInput)
		message    string
	}{
		{"nothing", withImport, func(in *api.CreateChangeSetInput) { in.ResourcesToImport = nil }, "Must Provide at least one resource to import"},
		{"no identifier", withImport, func(in *api.CreateChangeSetInput) { in.ResourcesToImport[0].ResourceIdentifier = nil }, "1 validation error detected: Value null at 'resourcesToImport.1.member.resourceIdentifier' failed to satisfy constraint: Member must not be null"},
		{"twice", withImport, func(in *api.CreateChangeSetInput) {
			in.ResourcesToImport = append(in.ResourcesToImport, in.ResourcesToImport...)
		}, "Every resource to import must have unique LogicalResourceId"},
		{"wrong key", withImport, func(in *api.CreateChangeSetInput) {
			in.ResourcesToImport[0].ResourceIdentifier = map[string]string{"Id": "x"}
		}, "Invalid resource identifier for resource type Test::Fake::Thing. Expected [Name]"},
		{"not importable", withImport, func(in *api.CreateChangeSetInput) {
			in.ResourcesToImport[0].ResourceType = aws.Ptr("AWS::CloudFormation::WaitCondition")
		}, "ResourceTypes [AWS::CloudFormation::WaitCondition] are not supported for Import"},
		{"absent", withImport, func(in *api.CreateChangeSetInput) { in.ResourcesToImport = taking("Missing", "old") }, "The logical resource ids [Missing] provided in ResourceToImport do not exist in the template."},
		{"other type", withImport, func(in *api.CreateChangeSetInput) { in.ResourcesToImport[0].ResourceType = aws.Ptr("Test::Fake::Role") },
			"Resource type of [Q] passed in ResourceToImport does not match with resource type defined in the template. Resource type in ResourceToImport: Test::Fake::Role; Resource type in Template: Test::Fake::Thing."},
		{"nothing new", simple, func(in *api.CreateChangeSetInput) { in.ResourcesToImport = taking("A", "fake-A-1") }, "The template should contain at least one new resource to import."},
		{"held already", withImport, func(in *api.CreateChangeSetInput) {
			in.ResourcesToImport = append(in.ResourcesToImport, taking("A", "fake-A-1")...)
		}, "Resources [A] passed in ResourceToImport are already in a stack and cannot be imported."},
		{"also added", strings.Replace(withImport, "Q: {", "N: {Type: 'Test::Fake::Thing'}, Q: {", 1), nil, "Resources [N] is missing from ResourceToImport list"},
		{"no policy", strings.Replace(withImport, "DeletionPolicy: Retain, ", "", 1), nil, "The following resources to import [Q] must have DeletionPolicy attribute specified in the template."},
		{"also changed", strings.Replace(withImport, "one", "other", 1), nil, "You have modified resources [A] in your template that are not being imported. Update, create or delete operations cannot be executed during import operations."},
		{"outputs", withImport + "\n", func(in *api.CreateChangeSetInput) {
			in.TemplateBody = aws.Ptr(strings.Replace(withImport, "O:", "P:", 1))
		}, "As part of the import operation, you cannot modify or add [Outputs]"},
		{"tags", withImport, func(in *api.CreateChangeSetInput) { in.Tags = []api.Tag{{Key: aws.Ptr("k"), Value: aws.Ptr("v")}} }, "As part of the import operation, you cannot modify or add [Tags]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := l.importSet("web", c.body, c.change)
			wantError(t, err, "ValidationError", c.message)
		})
	}
	for _, c := range []struct{ name, identifier, reason string }{
		{"ghost", "ghost", "Resource of type 'Test::Fake::Thing' with identifier 'ghost' was not found."},
		{"owned", "owned", "owned already exists in stack " + *owner.StackId},
	} {
		t.Run(c.name, func(t *testing.T) {
			cs, err := l.importSet("web", withImport, func(in *api.CreateChangeSetInput) {
				in.ChangeSetName, in.ResourcesToImport = &c.name, taking("Q", c.identifier)
			})
			if err != nil || cs.Status != "FAILED" || cs.ExecutionStatus != "UNAVAILABLE" || aws.Val(cs.StatusReason) != c.reason || len(cs.Changes) > 0 {
				t.Errorf("%v %+v", err, cs)
			}
		})
	}
}

func TestImportExistingResources(t *testing.T) {
	l := newLab(t)
	l.exists("old")
	update := func(name, body string) *api.DescribeChangeSetOutput {
		cs, err := l.importSet("web", body, func(in *api.CreateChangeSetInput) {
			in.ChangeSetName, in.ChangeSetType, in.ResourcesToImport, in.ImportExistingResources = &name, "UPDATE", nil, aws.Ptr(true)
		})
		if err != nil {
			t.Fatal(err)
		}
		return cs
	}
	s := l.create("web", simple, nil)
	cs := update("unsafe", strings.Replace(withImport, "DeletionPolicy: Retain, ", "", 1))
	if want := "CloudFormation is attempting to import some resources because they already exist in your account. The resources must have the DeletionPolicy attribute set to 'Retain' or 'RetainExceptOnCreate' in the template for successful import. The affected resources are Q ({Name=old})"; cs.Status != "FAILED" || aws.Val(cs.StatusReason) != want {
		t.Errorf("%s %s", cs.Status, aws.Val(cs.StatusReason))
	}
	// Behind it something fails: what was imported stays as it is.
	body := strings.Replace(withImport, "Q: {", "N: {Type: 'Test::Fake::Thing', DependsOn: Q, Properties: {Name: new}}, Q: {", 1)
	cs = update("fails", body)
	if len(cs.Changes) != 2 || cs.Changes[0].ResourceChange.Action != "Add" || cs.Changes[1].ResourceChange.Action != "Import" {
		t.Fatalf("changes %+v", cs.Changes)
	}
	l.fake.Before = func(_ context.Context, method string, r stack.Request) error {
		if method == "Create" {
			return &stack.PropertyError{Message: "no room"}
		}
		return nil
	}
	must[api.ExecuteChangeSetOutput](l, "ExecuteChangeSet", &api.ExecuteChangeSetInput{ChangeSetName: cs.ChangeSetId})
	l.wantStatus(l.rest(*s.StackId), "UPDATE_ROLLBACK_COMPLETE")
	if _, kept := l.fake.Items()["old"]; !kept {
		t.Error("what was imported is gone")
	}
	l.fake.Before = nil
	cs = update("works", body)
	must[api.ExecuteChangeSetOutput](l, "ExecuteChangeSet", &api.ExecuteChangeSetInput{ChangeSetName: cs.ChangeSetId})
	l.wantStatus(l.rest(*s.StackId), "UPDATE_COMPLETE")
	if made := l.fake.Made(); made != 2 {
		t.Errorf("%d things were made", made)
	}
}
