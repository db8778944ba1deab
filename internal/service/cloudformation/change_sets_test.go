package cloudformation_test

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
)

// How a creation by change set that fails ends is said when the set is made.
func TestOnStackFailure(t *testing.T) {
	l := newLab(t)
	bad := "Resources: {A: {Type: 'Test::Fake::Thing', Properties: {Nope: 1}}}"
	for _, c := range []struct {
		then   api.OnStackFailure
		status api.StackStatus
	}{{"", "ROLLBACK_COMPLETE"}, {"ROLLBACK", "ROLLBACK_COMPLETE"}, {"DO_NOTHING", "CREATE_FAILED"}, {"DELETE", "DELETE_COMPLETE"}} {
		out := must[api.CreateChangeSetOutput](l, "CreateChangeSet", &api.CreateChangeSetInput{StackName: aws.Ptr("s" + strings.ReplaceAll(string(c.then), "_", "")), ChangeSetName: aws.Ptr("c"),
			ChangeSetType: "CREATE", TemplateBody: &bad, OnStackFailure: c.then})
		d := must[api.DescribeChangeSetOutput](l, "DescribeChangeSet", &api.DescribeChangeSetInput{ChangeSetName: out.Id})
		if d.OnStackFailure != c.then {
			t.Errorf("shown as %q", d.OnStackFailure)
		}
		l.executeSet(d, c.status)
	}
	l.create("there", simple, nil)
	_, err := call[api.CreateChangeSetOutput](l, "CreateChangeSet", &api.CreateChangeSetInput{StackName: aws.Ptr("there"), ChangeSetName: aws.Ptr("c"), TemplateBody: &bad, OnStackFailure: "DELETE"})
	wantError(t, err, "ValidationError", "OnStackFailure DELETE is only valid when ChangeSetType is CREATE")
}

func TestChangeSetThatCreates(t *testing.T) {
	l := newLab(t)
	made := must[api.CreateChangeSetOutput](l, "CreateChangeSet", &api.CreateChangeSetInput{
		StackName: aws.Ptr("c"), ChangeSetName: aws.Ptr("first"), ChangeSetType: "CREATE", TemplateBody: aws.Ptr(simple)})
	if s := l.rest(*made.StackId); s.StackStatus != "REVIEW_IN_PROGRESS" {
		t.Errorf("stack is %s", s.StackStatus)
	}
	_, err := call[api.GetTemplateSummaryOutput](l, "GetTemplateSummary", &api.GetTemplateSummaryInput{StackName: aws.Ptr("c")})
	wantError(t, err, "ValidationError", "GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks.")
	d := must[api.DescribeChangeSetOutput](l, "DescribeChangeSet", &api.DescribeChangeSetInput{StackName: aws.Ptr("c"), ChangeSetName: aws.Ptr("first")})
	want := []api.Change{{Type: "Resource", ResourceChange: &api.ResourceChange{Action: "Add", LogicalResourceId: aws.Ptr("A"),
		ResourceType: aws.Ptr("Test::Fake::Thing"), Scope: []api.ResourceAttribute{}, Details: []api.ResourceChangeDetail{}}}}
	if diff := cmp.Diff(want, d.Changes); diff != "" || d.Status != "CREATE_COMPLETE" || d.ExecutionStatus != "AVAILABLE" {
		t.Errorf("%s %s\n%s", d.Status, d.ExecutionStatus, diff)
	}
	must[api.ExecuteChangeSetOutput](l, "ExecuteChangeSet", &api.ExecuteChangeSetInput{ChangeSetName: made.Id})
	s := l.rest(*made.StackId)
	l.wantStatus(s, "CREATE_COMPLETE")
	if aws.Val(s.ChangeSetId) != *made.Id {
		t.Errorf("ChangeSetId %s", aws.Val(s.ChangeSetId))
	}
	_, err = call[api.ExecuteChangeSetOutput](l, "ExecuteChangeSet", &api.ExecuteChangeSetInput{ChangeSetName: made.Id})
	wantError(t, err, "InvalidChangeSetStatus", "")
}

func TestChangeSetThatUpdates(t *testing.T) {
	l := newLab(t)
	body := `
Parameters: {V: {Type: String, Default: one}}
Resources:
  A: {Type: 'Test::Fake::Thing', Properties: {Value: !Ref V}}
  B: {Type: 'Test::Fake::Thing', Properties: {Value: !GetAtt A.Value}}
  C: {Type: 'Test::Fake::Thing'}`
	s := l.create("u", body, nil)
	in := &api.CreateChangeSetInput{StackName: aws.Ptr("u"), ChangeSetName: aws.Ptr("x"), UsePreviousTemplate: aws.Ptr(true)}
	must[api.CreateChangeSetOutput](l, "CreateChangeSet", in)
	d := must[api.DescribeChangeSetOutput](l, "DescribeChangeSet", &api.DescribeChangeSetInput{StackName: aws.Ptr("u"), ChangeSetName: aws.Ptr("x")})
	if d.Status != "FAILED" || d.ExecutionStatus != "UNAVAILABLE" || *d.StatusReason != "The submitted information didn't contain changes. Submit different information to create a change set." {
		t.Errorf("%s %s %s", d.Status, d.ExecutionStatus, aws.Val(d.StatusReason))
	}
	next := strings.Replace(body, "  C:", "  D:", 1)
	in = &api.CreateChangeSetInput{StackName: aws.Ptr("u"), ChangeSetName: aws.Ptr("y"), TemplateBody: &next,
		Parameters: []api.Parameter{{ParameterKey: aws.Ptr("V"), ParameterValue: aws.Ptr("two")}}}
	made := must[api.CreateChangeSetOutput](l, "CreateChangeSet", in)
	d = must[api.DescribeChangeSetOutput](l, "DescribeChangeSet", &api.DescribeChangeSetInput{ChangeSetName: made.Id})
	var got []string
	for _, c := range d.Changes {
		line := string(c.ResourceChange.Action) + " " + *c.ResourceChange.LogicalResourceId + " " + string(c.ResourceChange.Replacement)
		for _, detail := range c.ResourceChange.Details {
			line += " " + string(detail.ChangeSource) + " " + string(detail.Evaluation) + " " + aws.Val(detail.CausingEntity)
		}
		got = append(got, line)
	}
	if diff := cmp.Diff([]string{"Modify A False DirectModification Dynamic  ParameterReference Static V", "Modify B False DirectModification Dynamic  ResourceAttribute Dynamic A.Value", "Remove C ", "Add D "}, got); diff != "" {
		t.Error(diff)
	}
	must[api.ExecuteChangeSetOutput](l, "ExecuteChangeSet", &api.ExecuteChangeSetInput{ChangeSetName: made.Id})
	l.wantStatus(l.rest(*s.StackId), "UPDATE_COMPLETE")
	if list := must[api.ListChangeSetsOutput](l, "ListChangeSets", &api.ListChangeSetsInput{StackName: aws.Ptr("u")}); len(list.Summaries) != 1 || list.Summaries[0].ExecutionStatus != "EXECUTE_COMPLETE" {
		t.Errorf("change sets left: %+v", list.Summaries)
	}
	b := must[api.DescribeStackResourceOutput](l, "DescribeStackResource", &api.DescribeStackResourceInput{StackName: aws.Ptr("u"), LogicalResourceId: aws.Ptr("B")})
	if got := l.fake.Items()[*b.StackResourceDetail.PhysicalResourceId].Value; got != "two" {
		t.Errorf("B has %q", got)
	}
}

// The helper scripts sign with nothing but their instance's identity document.
func TestInstancesSpeakForThemselves(t *testing.T) {
	l := newLab(t)
	srv := httptest.NewServer(l.server)
	t.Cleanup(srv.Close)
	begun := make(chan string, 1)
	l.fake.Started = func(_ context.Context, r stack.Request) error {
		begun <- r.LogicalID
		return nil
	}
	body := "Resources: {A: {Type: 'Test::Fake::Thing', Metadata: {'AWS::CloudFormation::Init': {config: {}}}, CreationPolicy: {ResourceSignal: {Timeout: PT5M}}}}"
	out := must[api.CreateStackOutput](l, "CreateStack", &api.CreateStackInput{StackName: aws.Ptr("i"), TemplateBody: &body})
	<-begun
	ask := func(instance, signature string, q url.Values) (int, string) {
		t.Helper()
		q.Set("Version", "2010-05-15")
		q.Set("StackName", "i")
		if q.Get("Action") != "DescribeStacks" {
			q.Set("LogicalResourceId", "A")
		}
		q.Set("ContentType", "JSON")
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/?"+q.Encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "CFN_V1 "+base64.StdEncoding.EncodeToString([]byte(instance))+":"+signature)
		req.Header.Set("Accept", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	signal := func() url.Values {
		return url.Values{"Action": {"SignalResource"}, "UniqueId": {"fake-A-1"}, "Status": {"SUCCESS"}}
	}
	if code, text := ask("fake-A-1", "good", url.Values{"Action": {"DescribeStackResource"}}); code != 200 || !strings.Contains(text, `{\"AWS::CloudFormation::Init\":{\"config\":{}}}`) {
		t.Errorf("DescribeStackResource: %d %s", code, text)
	}
	for _, c := range []struct {
		name, instance, signature string
		q                         url.Values
		code                      int
	}{
		{"a stranger", "fake-B-1", "good", signal(), 403},
		{"a bad signature", "fake-A-1", "bad", signal(), 403},
		{"another operation", "fake-A-1", "good", url.Values{"Action": {"DescribeStacks"}}, 403},
		{"the instance", "fake-A-1", "good", signal(), 200},
	} {
		if code, text := ask(c.instance, c.signature, c.q); code != c.code {
			t.Errorf("%s: %d %s", c.name, code, text)
		}
	}
	l.wantStatus(l.rest(*out.StackId), "CREATE_COMPLETE")
	if !strings.Contains(l.reasons("i"), "Received SUCCESS signal with UniqueId fake-A-1") {
		t.Error(l.reasons("i"))
	}
}
