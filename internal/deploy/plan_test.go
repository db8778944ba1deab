package deploy

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// outlook plans a project.
func outlook(t testing.TB, content map[string]string) (string, *Failure) {
	t.Helper()
	o, err := Plan(t.Context(), Options{Dir: files(t, content)}, Settings{Clock: &hasty{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}})
	var f *Failure
	if err != nil && !errors.As(err, &f) {
		t.Fatalf("the error is no *Failure: %v", err)
	}
	if err != nil {
		return "", f
	}
	return o.Text(), nil
}

const changes = "<Status>CREATE_COMPLETE</Status><Changes>" +
	"<member><Type>Resource</Type><ResourceChange><Action>Add</Action><LogicalResourceId>New</LogicalResourceId><ResourceType>AWS::S3::Bucket</ResourceType></ResourceChange></member>" +
	"<member><Type>Resource</Type><ResourceChange><Action>Remove</Action><PolicyAction>Retain</PolicyAction><LogicalResourceId>Old</LogicalResourceId><ResourceType>AWS::S3::Bucket</ResourceType></ResourceChange></member>" +
	"<member><Type>Resource</Type><ResourceChange><Action>Modify</Action><Replacement>True</Replacement><LogicalResourceId>Web</LogicalResourceId><ResourceType>AWS::EC2::Instance</ResourceType><Details>" +
	"<member><Target><Attribute>Properties</Attribute><Name>ImageId</Name><Path>/Properties/ImageId</Path><RequiresRecreation>Always</RequiresRecreation><BeforeValue>ami-1</BeforeValue><AfterValue>ami-2</AfterValue></Target></member>" +
	"<member><Target><Attribute>Properties</Attribute><Name>ImageId</Name><Path>/Properties/ImageId</Path><RequiresRecreation>Always</RequiresRecreation><BeforeValue>ami-1</BeforeValue><AfterValue>ami-2</AfterValue></Target></member>" +
	"<member><Target><Attribute>Tags</Attribute><RequiresRecreation>Never</RequiresRecreation></Target></member></Details></ResourceChange></member>" +
	"<member><Type>Resource</Type><ResourceChange><Action>Modify</Action><Replacement>Conditional</Replacement><LogicalResourceId>Disk</LogicalResourceId><ResourceType>AWS::EC2::Volume</ResourceType><Details>" +
	"<member><Target><Attribute>Properties</Attribute><Name>Size</Name><RequiresRecreation>Conditionally</RequiresRecreation><AfterValue>9</AfterValue></Target></member></Details></ResourceChange></member>" +
	"</Changes>"

func TestPlan(t *testing.T) {
	aws := deployedFake(t, nil, succeeded("one.zip"))
	aws.answers["DescribeChangeSet"] = changes
	text, f := outlook(t, good())
	if f != nil {
		t.Fatal(f.Text())
	}
	wants(t, text, "stack        shop: 1 to add, 1 to modify, 1 to replace, 1 to remove\n", "+ New (AWS::S3::Bucket)\n", "- Old (AWS::S3::Bucket) leaves the stack and stays\n",
		"! Web (AWS::EC2::Instance) is replaced\n", "    ImageId: ami-1 -> ami-2 (replaces)\n", "    Tags\n", "~ Disk (AWS::EC2::Volume) may be replaced\n", "    Size: nothing -> 9 (may replace)\n",
		"application  app / app-group: s3://hardstand-deploy-123456789012-eu-west-1/app/", "instances with role=web that run now: "+instance+"\n", "nothing was changed\n")
	if strings.Count(text, "ImageId") != 1 {
		t.Errorf("the same change twice:\n%s", text)
	}
	for _, op := range []string{"PutObject", "CreateBucket", "CreateStack", "UpdateStack", "ExecuteChangeSet", "DeleteStack", "CreateDeployment", "CreateApplication", "UpdateDeploymentGroup"} {
		if aws.called(op) > 0 {
			t.Errorf("a plan calls %s", op)
		}
	}
	if aws.called("DeleteChangeSet") != 1 {
		t.Error("the change set is left")
	}
}

func TestPlanOfStacks(t *testing.T) {
	for _, c := range []struct {
		name, status, answer string
		text                 string // or
		cause                string
	}{
		{"nothing to change", "UPDATE_COMPLETE", "<Status>FAILED</Status><StatusReason>The submitted information didn't contain changes. Submit different information to create a change set.</StatusReason>", "shop stays as it is", ""},
		{"nothing to change, in other words", "UPDATE_COMPLETE", "<Status>FAILED</Status><StatusReason>No updates are to be performed.</StatusReason>", "shop stays as it is", ""},
		{"impossible", "UPDATE_COMPLETE", "<Status>FAILED</Status><StatusReason>Resource X already exists</StatusReason>", "", "CloudFormation cannot make these changes"},
		{"somebody is changing it", "UPDATE_IN_PROGRESS", "", "", "somebody is changing the stack shop: it is UPDATE_IN_PROGRESS"},
		{"stuck", "DELETE_FAILED", "", "", "the stack shop is DELETE_FAILED and cannot be updated"},
		{"a failed creation", "ROLLBACK_COMPLETE", "", "shop is ROLLBACK_COMPLETE: what is left of it is removed", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			aws := deployedFake(t, nil)
			aws.stacks["shop"].states = []string{c.status}
			aws.answers["DescribeChangeSet"] = c.answer
			text, f := outlook(t, good())
			if c.cause != "" {
				if f == nil || f.Exit != ExitStack || f.Cause != c.cause {
					t.Errorf("%v", f)
				}
			} else if wants(t, text, c.text); f != nil {
				t.Error(f.Text())
			}
			if aws.called("CreateChangeSet") != aws.called("DeleteChangeSet") {
				t.Error("the change set is left")
			}
		})
	}
}

func TestPlanFromNothing(t *testing.T) {
	aws := newFake(t)
	aws.answers["DescribeChangeSet"] = changes
	text, f := outlook(t, good())
	if f != nil {
		t.Fatal(f.Text())
	}
	wants(t, text, "app / app-group is made, and has s3://", "instances with role=web: none runs yet")
	if s := aws.stacks["shop"]; s.states[0] != "DELETE_COMPLETE" {
		t.Errorf("the stack under review is %s", s.states[0])
	}
}

// The shell is one change set's as well as another's: somebody may have executed his.
func TestPlanLeavesStacksOfOthers(t *testing.T) {
	aws := newFake(t)
	aws.answers["DescribeChangeSet"] = changes
	aws.stacks["shop"] = &fakeStack{name: "shop", states: []string{"DELETE_COMPLETE", "CREATE_IN_PROGRESS"}} // made behind the first look
	_, f := outlook(t, good())
	if f == nil || f.Exit != ExitStack || f.Cause != "somebody has made the stack shop during the plan: it is CREATE_IN_PROGRESS" {
		t.Errorf("%v", f)
	}
	if aws.called("DeleteStack") > 0 || aws.called("DeleteChangeSet") != 1 {
		t.Error("somebody's stack is deleted, or the change set is left")
	}
}

func TestPlanRefused(t *testing.T) {
	for _, op := range []string{"ValidateTemplate", "DescribeStacks", "CreateChangeSet", "DescribeChangeSet", "DeleteChangeSet"} {
		aws := deployedFake(t, nil)
		aws.answers["DescribeChangeSet"] = changes
		aws.refuse[op] = "403 AccessDenied: not you"
		if _, f := outlook(t, good()); f == nil || f.Exit != ExitDenied || !strings.Contains(f.Text(), op+": AccessDenied: not you") {
			t.Errorf("%s refused: %v", op, f)
		}
	}
	aws := deployedFake(t, nil)
	aws.answers["DescribeChangeSet"] = changes
	aws.refuse["GetDeploymentGroup"], aws.refuse["DescribeInstances"] = "400 AccessDeniedException: no", "403 UnauthorizedOperation: no"
	text, f := outlook(t, good())
	if wants(t, text, "what it has may not be read", "instances with role=web: may not be read"); f != nil {
		t.Error(f.Text())
	}
	_, f = outlook(t, with(good(), "template.yaml", "# "+strings.Repeat("x", maxInlineTemplate)))
	if f == nil || f.Exit != ExitCheck || !strings.Contains(f.Cause, "into which a plan puts nothing") || aws.called("PutObject") > 0 {
		t.Errorf("a large template: %v", f)
	}
}

func TestDiffering(t *testing.T) {
	long := strings.Repeat("a", 200)
	for _, c := range []struct {
		name, before, after, was, becomes string
	}{
		{"short", "one", "two", "one", "two"},
		{"long", long + "b" + long, long + "c", "…" + strings.Repeat("a", 20) + "b" + strings.Repeat("a", 99) + "…", "…" + strings.Repeat("a", 20) + "c"},
		{"longer", long, long + "c", "…" + strings.Repeat("a", 20), "…" + strings.Repeat("a", 20) + "c"},
	} {
		if was, becomes := differing(&c.before, &c.after); was != c.was || becomes != c.becomes {
			t.Errorf("%s: %q, %q", c.name, was, becomes)
		}
	}
	if was, becomes := differing(nil, &long); was != "nothing" || becomes != strings.Repeat("a", 120)+"…" {
		t.Errorf("%q, %q", was, becomes)
	}
}
