package deploy

import (
	"strings"
	"testing"
)

// has makes a stack of the project's name that exists and goes through states.
func (f *fakeAWS) has(states ...string) *fakeStack {
	s := &fakeStack{name: "shop", states: states, reason: "because"}
	f.stacks["shop"] = s
	return s
}

func TestStackStates(t *testing.T) {
	for _, c := range []struct {
		name   string
		states []string
		calls  string // the changes asked for, in order
		fix    string // not empty: it is refused with
	}{
		{name: "nothing to change", states: []string{"CREATE_COMPLETE"}, calls: "UpdateStack"},
		{name: "nothing to change after a rolled back update", states: []string{"UPDATE_ROLLBACK_COMPLETE"}, calls: "UpdateStack"},
		{name: "a creation that failed", states: []string{"ROLLBACK_COMPLETE"}, calls: "DeleteStack CreateStack"},
		{name: "a rollback that failed", states: []string{"ROLLBACK_FAILED"}, calls: "DeleteStack CreateStack"},
		{name: "somebody updates it", states: []string{"UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"}, calls: "UpdateStack"},
		{name: "somebody deletes it", states: []string{"DELETE_IN_PROGRESS", "DELETE_COMPLETE"}, calls: "CreateStack"},
		{name: "somebody's creation fails", states: []string{"CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"}, calls: "DeleteStack CreateStack"},
		{name: "a change set waits", states: []string{"REVIEW_IN_PROGRESS"}, fix: "execute it, or `aws cloudformation delete-stack --stack-name shop`"},
		{name: "a deletion failed", states: []string{"DELETE_FAILED"}, fix: "delete-stack --stack-name shop"},
		{name: "an update's rollback failed", states: []string{"UPDATE_ROLLBACK_FAILED"}, fix: "continue-update-rollback --stack-name shop"},
	} {
		t.Run(c.name, func(t *testing.T) {
			aws := newFake(t)
			aws.has(c.states...)
			_, f, _ := attempt(t, t.Context(), good(), Options{}, Settings{})
			var changes []string
			for _, call := range aws.calls {
				if strings.HasSuffix(call, "Stack") {
					changes = append(changes, call)
				}
			}
			if got := strings.Join(changes, " "); got != c.calls {
				t.Errorf("changes %q, want %q", got, c.calls)
			}
			if c.fix == "" {
				if f != nil {
					t.Error(f.Text())
				}
				return
			}
			if f == nil || f.Exit != ExitStack || !strings.Contains(f.Fix, c.fix) || !strings.Contains(f.Cause, c.states[0]) || f.Evidence[0] != "because" {
				t.Errorf("%v", f)
			}
		})
	}
}

func TestLeftoversStay(t *testing.T) {
	aws := newFake(t)
	s := aws.has("ROLLBACK_COMPLETE")
	s.reason, aws.stubborn = "The bucket is not empty", true
	aws.onCreate = func(string) *fakeStack { t.Error("created over leftovers"); return s }
	_, f, _ := attempt(t, t.Context(), good(), Options{}, Settings{})
	if f == nil || f.Exit != ExitStack || f.Cause != "what an earlier creation left could not be removed" || f.Evidence[0] != s.reason {
		t.Errorf("%v", f)
	}
}

func TestStackFails(t *testing.T) {
	aws := newFake(t)
	aws.console = "line 1\n\nno such package: \x1b[31mhttpd\x1b[0m\n"
	aws.onCreate = func(name string) *fakeStack {
		return &fakeStack{name: name, states: []string{"CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"}, events: []fakeEvent{
			{"1", "Group", "AWS::EC2::SecurityGroup", "sg-1", "CREATE_FAILED", "Resource creation cancelled"},
			{"2", "Web", "AWS::EC2::Instance", instance, "CREATE_FAILED", "Failed to receive 1 resource signal(s) within the specified duration"},
			{"3", name, "AWS::CloudFormation::Stack", "arn:aws:cloudformation:eu-west-1:" + account + ":stack/" + name + "/0", "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Web]."},
		}}
	}
	_, f, out := attempt(t, t.Context(), good(), Options{}, Settings{})
	if f == nil || f.Exit != ExitStack || f.Cause != "Web (AWS::EC2::Instance) is CREATE_FAILED" || f.State != "the stack shop is ROLLBACK_COMPLETE" {
		t.Fatalf("%v", f)
	}
	text := f.Text()
	for _, want := range []string{"  why:   Failed to receive 1 resource signal(s)", "         no such package: [31mhttpd[0m\n", "the end of the instance's console"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	if !strings.Contains(out, "✗ Web: AWS::EC2::Instance CREATE_FAILED") || !strings.Contains(out, "✗ stack") {
		t.Errorf("progress:\n%s", out)
	}
}

// An update is not blamed on what failed in an earlier run.
func TestUpdateFails(t *testing.T) {
	aws := newFake(t)
	s := aws.has("UPDATE_ROLLBACK_COMPLETE")
	s.events = []fakeEvent{{"1", "Old", "AWS::S3::Bucket", "b", "UPDATE_FAILED", "long ago"}}
	aws.onUpdate = func(s *fakeStack) string {
		s.states = []string{"UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"}
		s.events = append(s.events, fakeEvent{"2", "New", "AWS::S3::Bucket", "b", "UPDATE_FAILED", "b already exists"})
		return ""
	}
	_, f, out := attempt(t, t.Context(), good(), Options{}, Settings{})
	if f == nil || f.Exit != ExitStack || f.Cause != "New (AWS::S3::Bucket) is UPDATE_FAILED" || !strings.Contains(f.Fix, "rename the resource") {
		t.Errorf("%v", f)
	}
	if strings.Contains(out, "Old") {
		t.Errorf("an earlier run's event is shown:\n%s", out)
	}
}

func TestStackRefused(t *testing.T) {
	aws := newFake(t)
	aws.refuse["CreateStack"] = "400 ValidationError: Template format error: Unrecognized resource types: [AWS::X::Y]"
	_, f, _ := attempt(t, t.Context(), good(), Options{}, Settings{})
	if f == nil || f.Exit != ExitStack || !strings.Contains(f.Text(), "could not be created: CreateStack: ValidationError: Template format error") {
		t.Errorf("%v", f)
	}
	aws.refuse["ValidateTemplate"] = aws.refuse["CreateStack"]
	if _, f, _ = attempt(t, t.Context(), good(), Options{}, Settings{}); f == nil || f.Exit != ExitCheck || !strings.Contains(f.Cause, "template.yaml is not valid") {
		t.Errorf("%v", f)
	}
}

// A large template goes by way of the bucket, whose objects are named on the server
// that has them.
func TestLargeTemplate(t *testing.T) {
	aws := newFake(t)
	aws.buckets["hardstand-deploy-123456789012-eu-west-1"] = true
	large := with(good(), "template.yaml", "# "+strings.Repeat("x", maxInlineTemplate)+"\nResources: {}\n")
	if _, f, _ := attempt(t, t.Context(), large, Options{Application: "my app"}, Settings{}); f != nil {
		t.Fatal(f.Text())
	}
	if len(aws.urls) != 2 || aws.urls[0] != aws.urls[1] || !strings.HasPrefix(aws.urls[0], aws.URL+"/hardstand-deploy-123456789012-eu-west-1/my%20app/") {
		t.Errorf("URLs %q", aws.urls)
	}
	if n := aws.called("PutObject"); n != 2 {
		t.Errorf("%d objects were stored, want the template and the archive", n)
	}
	for region, want := range map[string]string{"eu-west-1": "https://s3.eu-west-1.amazonaws.com/b/k", "cn-north-1": "https://s3.cn-north-1.amazonaws.com.cn/b/k"} {
		r := &run{bucket: "b", clients: clients{region: region}}
		if got := r.objectURL("k"); got != want {
			t.Errorf("in %s: %s, want %s", region, got, want)
		}
	}
}

func TestParameters(t *testing.T) {
	aws := newFake(t)
	aws.parameters = []string{"Size=small", "Key"}
	_, f, _ := attempt(t, t.Context(), good(), Options{}, Settings{})
	if f == nil || f.Exit != ExitCheck || f.Cause != "the template's parameter Key has no value" {
		t.Errorf("%v", f)
	}
	_, f, _ = attempt(t, t.Context(), good(), Options{Parameters: map[string]string{"Key": "k", "Colour": "red"}}, Settings{})
	if f == nil || f.Exit != ExitCheck || f.Cause != "the template has no parameter Colour" {
		t.Errorf("%v", f)
	}
	if _, f, _ = attempt(t, t.Context(), good(), Options{Parameters: map[string]string{"Key": "k"}}, Settings{}); f != nil {
		t.Fatal(f.Text())
	}
	if got := aws.stacks["shop"].given; len(got) != 1 || got["Key"] != "k" {
		t.Errorf("the stack was given %v", got)
	}
}

func TestIdentity(t *testing.T) {
	aws := newFake(t)
	aws.parameters = []string{"Profile"}
	aws.onCreate = func(name string) *fakeStack {
		s := &fakeStack{name: name, states: []string{"CREATE_COMPLETE"}}
		if strings.HasSuffix(name, "-identity") {
			s.outputs = map[string]string{"Profile": "made", "ServiceRole": "arn:aws:iam::1:role/r", "Other": "x"}
		}
		return s
	}
	project := with(with(good(), "identity.yaml", "Resources: {}\n"), "hardstand.yaml", "target: role=web\nidentity: identity.yaml\n")
	_, f, _ := attempt(t, t.Context(), project, Options{}, Settings{})
	if f == nil || f.Exit != ExitCheck || !strings.Contains(f.Fix, "--with-identity") || f.Step != "identity" {
		t.Fatalf("%v", f)
	}
	if _, f, _ = attempt(t, t.Context(), project, Options{WithIdentity: true}, Settings{}); f != nil {
		t.Fatal(f.Text())
	}
	if got := aws.stacks["shop-identity"].given["Bucket"]; got != "hardstand-deploy-123456789012-eu-west-1" {
		t.Errorf("the identity stack was given the bucket %q", got)
	}
	if got := aws.stacks["shop"].given; len(got) != 1 || got["Profile"] != "made" {
		t.Errorf("the stack was given %v", got)
	}
	if got := aws.groups["app-group"]["serviceRoleArn"]; got != "arn:aws:iam::1:role/r" {
		t.Errorf("service role %v", got)
	}
	// Once made, it is found without being asked for; what is named wins.
	if _, f, _ = attempt(t, t.Context(), project, Options{Parameters: map[string]string{"Profile": "mine"}, ServiceRole: "arn:aws:iam::1:role/mine"}, Settings{}); f != nil {
		t.Fatal(f.Text())
	}
	if got := aws.stacks["shop"].given["Profile"]; got != "mine" {
		t.Errorf("the stack was given the profile %q", got)
	}
	if _, f, _ = attempt(t, t.Context(), with(project, "hardstand.yaml", "target: role=web\n"), Options{WithIdentity: true}, Settings{}); f == nil || f.Exit != ExitCheck {
		t.Errorf("without an identity template: %v", f)
	}
}
