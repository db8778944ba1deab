package cloudformation_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
)

const inBackground = " Resource operation completed using Express Mode. It may continue becoming available in the background."

func TestExpressMode(t *testing.T) {
	l := newLab(t)
	var modes []bool
	l.fake.Before = func(ctx context.Context, _ string, _ stack.Request) error {
		modes = append(modes, stack.Express(ctx))
		return nil
	}
	quick := &api.DeploymentConfig{Mode: "EXPRESS"}
	s := l.create("web", simple, func(in *api.CreateStackInput) { in.DeploymentConfig = quick })
	l.wantStatus(s, "CREATE_COMPLETE")
	if s.DeploymentConfig == nil || s.DeploymentConfig.Mode != "EXPRESS" || !aws.Val(s.DisableRollback) {
		t.Errorf("shown as %+v, DisableRollback %v", s.DeploymentConfig, aws.Val(s.DisableRollback))
	}
	changed := "Resources: {A: {Type: 'Test::Fake::Thing', Properties: {Value: two}}}"
	must[api.UpdateStackOutput](l, "UpdateStack", &api.UpdateStackInput{StackName: s.StackId, TemplateBody: &changed})
	if s = l.rest(*s.StackId); s.StackStatus != "UPDATE_COMPLETE" || s.DeploymentConfig != nil {
		t.Errorf("after an update in standard mode %s %+v", s.StackStatus, s.DeploymentConfig)
	}
	must[api.DeleteStackOutput](l, "DeleteStack", &api.DeleteStackInput{StackName: s.StackId, DeploymentConfig: quick})
	l.wantStatus(l.rest(*s.StackId), "DELETE_COMPLETE")
	want := []string{"CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS Resource creation Initiated", "CREATE_COMPLETE" + inBackground,
		"UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", "DELETE_IN_PROGRESS", "DELETE_COMPLETE" + inBackground}
	if diff := cmp.Diff(want, l.story(*s.StackId, "A")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]bool{true, false, true}, modes); diff != "" {
		t.Error(diff)
	}
}

func TestExpressModeAndRollback(t *testing.T) {
	l := newLab(t)
	bad := "Resources: {A: {Type: 'Test::Fake::Thing', Properties: {Nope: 1}}}"
	for _, c := range []struct {
		name   string
		change func(*api.CreateStackInput)
		status api.StackStatus
	}{
		{"kept", func(in *api.CreateStackInput) { in.DeploymentConfig = &api.DeploymentConfig{Mode: "EXPRESS"} }, "CREATE_FAILED"},
		{"asked", func(in *api.CreateStackInput) {
			in.DeploymentConfig = &api.DeploymentConfig{Mode: "EXPRESS", DisableRollback: aws.Ptr(false)}
		}, "ROLLBACK_COMPLETE"},
		{"standard", func(in *api.CreateStackInput) { in.DeploymentConfig = &api.DeploymentConfig{Mode: "STANDARD"} }, "ROLLBACK_COMPLETE"},
		{"standardkept", func(in *api.CreateStackInput) {
			in.DeploymentConfig = &api.DeploymentConfig{DisableRollback: aws.Ptr(true)}
		}, "CREATE_FAILED"},
		{"onfailure", func(in *api.CreateStackInput) {
			in.DeploymentConfig, in.OnFailure = &api.DeploymentConfig{Mode: "EXPRESS"}, "DELETE"
		}, "DELETE_COMPLETE"},
	} {
		t.Run(c.name, func(t *testing.T) { l.wantStatus(l.create(c.name, bad, c.change), c.status) })
	}
	_, err := call[api.CreateStackOutput](l, "CreateStack", &api.CreateStackInput{StackName: aws.Ptr("x"), TemplateBody: &bad,
		DisableRollback: aws.Ptr(true), DeploymentConfig: &api.DeploymentConfig{DisableRollback: aws.Ptr(true)}})
	wantError(t, err, "ValidationError", "You can specify either DisableRollback or DeploymentConfig.DisableRollback, but not both.")
	_, err = call[api.CreateStackOutput](l, "CreateStack", &api.CreateStackInput{StackName: aws.Ptr("x"), TemplateBody: &bad, DeploymentConfig: &api.DeploymentConfig{Mode: "FAST"}})
	wantError(t, err, "ValidationError", "")
}

// A stack hands its mode down, and a change set keeps it for its execution.
func TestExpressModeOfNestedStacks(t *testing.T) {
	l := newLab(t)
	l.objects["b/child.yaml"] = child
	body := parent
	cs := must[api.CreateChangeSetOutput](l, "CreateChangeSet", &api.CreateChangeSetInput{StackName: aws.Ptr("p"), ChangeSetName: aws.Ptr("c"), ChangeSetType: "CREATE",
		TemplateBody: &body, DeploymentConfig: &api.DeploymentConfig{Mode: "EXPRESS", DisableRollback: aws.Ptr(false)}})
	if v := must[api.DescribeChangeSetOutput](l, "DescribeChangeSet", &api.DescribeChangeSetInput{ChangeSetName: cs.Id}); v.DeploymentConfig == nil {
		t.Error("the change set has no mode")
	}
	must[api.ExecuteChangeSetOutput](l, "ExecuteChangeSet", &api.ExecuteChangeSetInput{ChangeSetName: cs.Id})
	p := l.rest(*cs.StackId)
	l.wantStatus(p, "CREATE_COMPLETE")
	if aws.Val(p.DisableRollback) || l.childOf("p").DeploymentConfig == nil {
		t.Errorf("parent %v, child %+v", aws.Val(p.DisableRollback), l.childOf("p").DeploymentConfig)
	}
}
