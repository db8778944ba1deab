package cloudformation_test

import (
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
)

func TestStackSetRefusals(t *testing.T) {
	l := newLab(t)
	l.newSet("fleet")
	p, accounts, regions := aws.Ptr[string], []string{home}, []string{"us-east-1"}
	for _, c := range []struct {
		name, operation string
		in              any
		code, message   string
	}{
		{"absent", "DescribeStackSet", &api.DescribeStackSetInput{StackSetName: p("x")}, "StackSetNotFoundException", "StackSet x not found"},
		{"name taken", "CreateStackSet", &api.CreateStackSetInput{StackSetName: p("fleet"), TemplateBody: p(setTemplate)}, "NameAlreadyExistsException", ""},
		{"bad name", "CreateStackSet", &api.CreateStackSetInput{StackSetName: p("a_b"), TemplateBody: p(setTemplate)}, "ValidationError",
			"1 validation error detected: Value 'a_b' at 'stackSetName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"},
		{"no template", "CreateStackSet", &api.CreateStackSetInput{StackSetName: p("x")}, "ValidationError", "Either Template URL or Template Body must be specified."},
		{"bad template", "CreateStackSet", &api.CreateStackSetInput{StackSetName: p("x"), TemplateBody: p("Description: x")}, "ValidationError", "Template format error: At least one Resources member must be defined."},
		{"parameter", "CreateStackSet", &api.CreateStackSetInput{StackSetName: p("x"), TemplateBody: p(setTemplate), Parameters: []api.Parameter{{ParameterKey: p("N"), ParameterValue: p("v")}}}, "ValidationError", "Parameters: [N] do not exist in the template"},
		{"capability", "CreateStackSet", &api.CreateStackSetInput{StackSetName: p("x"), TemplateBody: p("Resources: {R: {Type: 'Test::Fake::Role'}}")}, "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]"},
		{"organization", "CreateStackSet", &api.CreateStackSetInput{StackSetName: p("x"), TemplateBody: p(setTemplate), PermissionModel: "SERVICE_MANAGED"}, "ValidationError",
			"You must be the management account or delegated admin account of an organization before operating a SERVICE_MANAGED stack set"},
		{"automatic deployment", "CreateStackSet", &api.CreateStackSetInput{StackSetName: p("x"), TemplateBody: p(setTemplate), AutoDeployment: &api.AutoDeployment{}}, "ValidationError", ""},
		{"summary delegated", "GetTemplateSummary", &api.GetTemplateSummaryInput{StackSetName: p("fleet"), CallAs: "DELEGATED_ADMIN"}, "ValidationError", "Account used is not a delegated administrator"},
		{"delegated", "ListStackSets", &api.ListStackSetsInput{CallAs: "DELEGATED_ADMIN"}, "ValidationError", "Account used is not a delegated administrator"},
		{"instances of absent", "CreateStackInstances", &api.CreateStackInstancesInput{StackSetName: p("x"), Accounts: accounts, Regions: regions}, "StackSetNotFoundException", ""},
		{"no accounts", "CreateStackInstances", &api.CreateStackInstancesInput{StackSetName: p("fleet"), Regions: regions}, "ValidationError", ""},
		{"units", "CreateStackInstances", &api.CreateStackInstancesInput{StackSetName: p("fleet"), DeploymentTargets: &api.DeploymentTargets{OrganizationalUnitIds: []string{"ou-abcd-12345678"}}, Regions: regions}, "ValidationError", "StackSets with SELF_MANAGED permission model can only have accounts as target"},
		{"preferences", "CreateStackInstances", &api.CreateStackInstancesInput{StackSetName: p("fleet"), Accounts: accounts, Regions: regions,
			OperationPreferences: &api.StackSetOperationPreferences{FailureToleranceCount: aws.Ptr[int32](1), FailureTolerancePercentage: aws.Ptr[int32](1)}}, "ValidationError", ""},
		{"override of nothing", "CreateStackInstances", &api.CreateStackInstancesInput{StackSetName: p("fleet"), Accounts: accounts, Regions: regions, ParameterOverrides: []api.Parameter{{ParameterKey: p("N"), ParameterValue: p("v")}}}, "ValidationError", "Parameters: [N] do not exist in the template"},
		{"update of absent instance", "UpdateStackInstances", &api.UpdateStackInstancesInput{StackSetName: p("fleet"), Accounts: accounts, Regions: regions}, "StackInstanceNotFoundException", ""},
		{"update in absent instance", "UpdateStackSet", &api.UpdateStackSetInput{StackSetName: p("fleet"), UsePreviousTemplate: aws.Ptr(true), Accounts: accounts, Regions: regions}, "StackInstanceNotFoundException", ""},
		{"absent instance", "DescribeStackInstance", &api.DescribeStackInstanceInput{StackSetName: p("fleet"), StackInstanceAccount: p(home), StackInstanceRegion: p("us-east-1")}, "StackInstanceNotFoundException", ""},
		{"absent operation", "DescribeStackSetOperation", &api.DescribeStackSetOperationInput{StackSetName: p("fleet"), OperationId: p("x")}, "OperationNotFoundException", "Operation x not found"},
		{"absent stack", "ImportStacksToStackSet", &api.ImportStacksToStackSetInput{StackSetName: p("fleet"), StackIds: []string{"arn:aws:cloudformation:us-east-1:123456789012:stack/x/y"}}, "StackNotFoundException", ""},
		{"activation", "ActivateOrganizationsAccess", &api.ActivateOrganizationsAccessInput{}, "InvalidOperationException", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := l.server.Invoke(l.ctx, "cloudformation", c.operation, c.in)
			wantError(t, err, c.code, c.message)
		})
	}
	out := must[api.DescribeOrganizationsAccessOutput](l, "DescribeOrganizationsAccess", &api.DescribeOrganizationsAccessInput{})
	if out.Status != "DISABLED" {
		t.Errorf("access is %s", out.Status)
	}
	if len(must[api.ListStackSetOperationsOutput](l, "ListStackSetOperations", &api.ListStackSetOperationsInput{StackSetName: p("fleet")}).Summaries) > 0 {
		t.Error("a refused request began an operation")
	}
}

func TestStackSetWithoutAnAdministrationRole(t *testing.T) {
	l := newLab(t)
	must[api.CreateStackSetOutput](l, "CreateStackSet", &api.CreateStackSetInput{StackSetName: aws.Ptr("fleet"), TemplateBody: aws.Ptr(setTemplate), AdministrationRoleARN: aws.Ptr("arn:aws:iam::123456789012:role/mine")})
	_, err := call[api.CreateStackInstancesOutput](l, "CreateStackInstances", &api.CreateStackInstancesInput{StackSetName: aws.Ptr("fleet"), Accounts: []string{home}, Regions: []string{"us-east-1"}})
	wantError(t, err, "ValidationError", "Account 123456789012 should have 'mine' role with trust relationship to CloudFormation service.")
}
