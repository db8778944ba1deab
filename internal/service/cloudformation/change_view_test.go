package cloudformation_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
)

const beforeChanges = `
Parameters: {V: {Type: String, Default: one}, Secret: {Type: String, Default: s1, NoEcho: true}, K: {Type: String, Default: kind}}
Mappings: {M: {a: {b: mapped}}}
Resources:
  Direct: {Type: 'Test::Fake::Thing', Properties: {Value: a, Any: {Deep: [1, 2], Same: x}}}
  Param: {Type: 'Test::Fake::Thing', Properties: {Value: !Ref V, Any: !Ref Secret}}
  Kept: {Type: 'Test::Fake::Thing', Properties: {Kind: !Ref K}, UpdateReplacePolicy: Retain}
  ByRef: {Type: 'Test::Fake::Thing', Properties: {Kind: !Ref Kept, Value: !GetAtt Direct.Value}}
  ByAttribute: {Type: 'Test::Fake::Thing', Properties: {Kind: !GetAtt Direct.Value}}
  Meta: {Type: 'Test::Fake::Thing', Metadata: {a: b}}
  Mapped: {Type: 'Test::Fake::Thing', Properties: {Value: !FindInMap [M, a, b]}}
  Gone: {Type: 'Test::Fake::Thing', DeletionPolicy: RetainExceptOnCreate, Properties: {Value: g}}
  Quiet: {Type: 'Test::Fake::Thing', Properties: {Any: !Ref Direct}}
`

var changeTemplate = strings.NewReplacer("Value: a, Any: {Deep: [1, 2]", "Value: b, Any: {Deep: [1, 3]", "{a: b}", "{a: c}", "mapped", "remapped",
	"  Gone: {Type: 'Test::Fake::Thing', DeletionPolicy: RetainExceptOnCreate, Properties: {Value: g}}", "  New: {Type: 'Test::Fake::Thing', Properties: {Value: !Ref Kept, Any: !Ref Direct}}")

func TestChangeSetDetails(t *testing.T) {
	l := newLab(t)
	l.create("d", beforeChanges, nil)
	next := changeTemplate.Replace(beforeChanges)
	set := func(key, value string) api.Parameter {
		return api.Parameter{ParameterKey: &key, ParameterValue: &value}
	}
	made := must[api.CreateChangeSetOutput](l, "CreateChangeSet", &api.CreateChangeSetInput{StackName: aws.Ptr("d"), ChangeSetName: aws.Ptr("x"),
		TemplateBody: &next, Parameters: []api.Parameter{set("V", "two"), set("Secret", "s2"), set("K", "other")}})
	show := func(values bool) (out []string) {
		d := must[api.DescribeChangeSetOutput](l, "DescribeChangeSet", &api.DescribeChangeSetInput{ChangeSetName: made.Id, IncludePropertyValues: &values})
		for _, c := range d.Changes {
			out = append(out, changeLines(c.ResourceChange)...)
		}
		return out
	}
	if diff := cmp.Diff([]string{
		"Modify ByAttribute Conditional ReplaceAndDelete [Properties]",
		"  DirectModification Dynamic Kind Always", "  ResourceAttribute Dynamic Kind Always by Direct.Value",
		"Modify ByRef True ReplaceAndDelete [Properties]",
		"  ResourceReference Static Kind Always by Kept",
		"  DirectModification Dynamic Value Never", "  ResourceAttribute Dynamic Value Never by Direct.Value",
		"Modify Direct False  [Properties]", "  DirectModification Static Any Never", "  DirectModification Static Value Never",
		"Remove Gone  Retain []",
		"Modify Kept True ReplaceAndRetain [Properties]", "  DirectModification Dynamic Kind Always", "  ParameterReference Static Kind Always by K",
		"Modify Mapped False  [Properties]", "  DirectModification Static Value Never",
		"Modify Meta False  [Metadata]", "  DirectModification Static  Never",
		"Add New   []",
		"Modify Param False  [Properties]", "  DirectModification Dynamic Any Never", "  ParameterReference Static Any Never by Secret",
		"  DirectModification Dynamic Value Never", "  ParameterReference Static Value Never by V",
	}, show(false)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	values := strings.Join(show(true), "\n")
	for _, want := range []string{
		`/Properties/Any/Deep/1 Modify 2 -> 3`, `/Properties/Value Modify a -> b`, `/Properties/Any Modify **** -> ****`,
		`/Properties/Kind Modify kind -> other`, `-> {{changeSet:KNOWN_AFTER_APPLY}}`,
		`{"Properties":{"Any":"fake-Direct-`, `"Value":"{{changeSet:KNOWN_AFTER_APPLY}}"`, `before {"Properties":{"Value":"g"}}`,
	} {
		if !strings.Contains(values, want) {
			t.Errorf("no %s in\n%s", want, values)
		}
	}
	if strings.Contains(values, "s1") || strings.Contains(values, "s2") {
		t.Error("a NoEcho value is shown")
	}
	checkExecution(t, l, *made.Id)
}

// checkExecution holds that a change set does what it said: what it would replace
// is replaced, what it does not name is not touched.
func checkExecution(t *testing.T, l *lab, id string) {
	t.Helper()
	made := l.fake.Made()
	must[api.ExecuteChangeSetOutput](l, "ExecuteChangeSet", &api.ExecuteChangeSetInput{ChangeSetName: &id})
	l.wantStatus(l.rest(aws.Val(must[api.DescribeStacksOutput](l, "DescribeStacks", &api.DescribeStacksInput{StackName: aws.Ptr("d")}).Stacks[0].StackId)), "UPDATE_COMPLETE")
	if got := l.fake.Made() - made; got != 4 { // Kept, ByRef, ByAttribute and New
		t.Errorf("%d resources made, want 4", got)
	}
	quiet := must[api.DescribeStackResourceOutput](l, "DescribeStackResource", &api.DescribeStackResourceInput{StackName: aws.Ptr("d"), LogicalResourceId: aws.Ptr("Quiet")})
	if quiet.StackResourceDetail.ResourceStatus != "CREATE_COMPLETE" {
		t.Errorf("Quiet is %s", quiet.StackResourceDetail.ResourceStatus)
	}
}

func changeLines(c *api.ResourceChange) []string {
	scope, _ := json.Marshal(c.Scope)
	out := []string{fmt.Sprintf("%s %s %s %s %s", c.Action, *c.LogicalResourceId, c.Replacement, c.PolicyAction, strings.ReplaceAll(string(scope), `"`, ""))}
	if c.BeforeContext != nil || c.AfterContext != nil {
		out[0] += " before " + aws.Val(c.BeforeContext) + " after " + aws.Val(c.AfterContext)
	}
	for _, d := range c.Details {
		line := fmt.Sprintf("  %s %s %s %s", d.ChangeSource, d.Evaluation, aws.Val(d.Target.Name), d.Target.RequiresRecreation)
		if d.CausingEntity != nil {
			line += " by " + *d.CausingEntity
		}
		if d.Target.Path != nil {
			line += fmt.Sprintf(" %s %s %s -> %s", *d.Target.Path, d.Target.AttributeChangeType, aws.Val(d.Target.BeforeValue), aws.Val(d.Target.AfterValue))
		}
		out = append(out, line)
	}
	return out
}

func TestObsoleteChangeSet(t *testing.T) {
	l := newLab(t)
	s := l.create("o", twoThings, nil)
	set := func(v string) []api.Parameter {
		return []api.Parameter{{ParameterKey: aws.Ptr("V"), ParameterValue: &v}}
	}
	made := must[api.CreateChangeSetOutput](l, "CreateChangeSet", &api.CreateChangeSetInput{StackName: s.StackName, ChangeSetName: aws.Ptr("x"),
		UsePreviousTemplate: aws.Ptr(true), Parameters: set("two")})
	must[api.UpdateStackOutput](l, "UpdateStack", &api.UpdateStackInput{StackName: s.StackName, UsePreviousTemplate: aws.Ptr(true), Parameters: set("three")})
	l.wantStatus(l.rest(*s.StackId), "UPDATE_COMPLETE")
	d := must[api.DescribeChangeSetOutput](l, "DescribeChangeSet", &api.DescribeChangeSetInput{ChangeSetName: made.Id})
	if d.ExecutionStatus != "OBSOLETE" {
		t.Errorf("execution status %s", d.ExecutionStatus)
	}
	_, err := call[api.ExecuteChangeSetOutput](l, "ExecuteChangeSet", &api.ExecuteChangeSetInput{ChangeSetName: made.Id})
	wantError(t, err, "InvalidChangeSetStatus", "ChangeSet ["+*made.Id+"] cannot be executed in its current execution status of [OBSOLETE]")
}
