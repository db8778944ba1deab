package cloudformation_test

import (
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/service/cloudformation"
	"github.com/hardstand/hardstand/internal/stack/template"
)

// Fn::GetStackOutput reads what another stack puts out, exported or not, as the
// stack's caller may describe it, and binds neither stack to the other.
func TestGetStackOutput(t *testing.T) {
	const producer = "Resources: {A: {Type: 'Test::Fake::Thing'}}\nOutputs: {O: {Value: made}}"
	reads := func(argument string) string {
		return "Resources: {A: {Type: 'Test::Fake::Thing', Properties: {Value: {'Fn::GetStackOutput': " + argument + "}}}}"
	}
	for _, c := range []struct{ name, argument, reason string }{
		{"named", "{StackName: !Join ['-', [pro, ducer]], OutputName: O}", ""},
		{"with region", "{StackName: pro-ducer, OutputName: O, Region: !Ref 'AWS::Region'}", ""},
		{"no such output", "{StackName: pro-ducer, OutputName: Nope}", "Stack pro-ducer has no output named Nope"},
		{"no such stack", "{StackName: nobody, OutputName: O}", "Stack with id nobody does not exist"},
		{"other region", "{StackName: pro-ducer, OutputName: O, Region: eu-west-1}", "Stack with id pro-ducer does not exist"},
		{"a role", "{StackName: pro-ducer, OutputName: O, RoleArn: 'arn:aws:iam::123456789012:role/r'}", "RoleArn of Fn::GetStackOutput is not supported by hardstand"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.create("pro-ducer", producer, nil)
			s := l.create("reader", reads(c.argument), nil)
			if c.reason != "" {
				l.wantStatus(s, "ROLLBACK_COMPLETE")
				if reasons := l.reasons("reader"); !strings.Contains(reasons, c.reason) {
					t.Error(reasons)
				}
				return
			}
			l.wantStatus(s, "CREATE_COMPLETE")
			made := must[api.DescribeStackResourceOutput](l, "DescribeStackResource", &api.DescribeStackResourceInput{StackName: aws.Ptr("reader"), LogicalResourceId: aws.Ptr("A")})
			if got := l.fake.Items()[*made.StackResourceDetail.PhysicalResourceId].Value; got != "made" {
				t.Errorf("Value is %q", got)
			}
			must[api.DeleteStackOutput](l, "DeleteStack", &api.DeleteStackInput{StackName: aws.Ptr("pro-ducer")})
		})
	}
	l := newLab(t)
	l.create("pro-ducer", producer, nil)
	l.gate.deny("cloudformation:DescribeStacks")
	_, err := cloudformation.Outside{Invoker: l.server}.StackOutput(l.ctx, template.StackOutput{StackName: "pro-ducer", OutputName: "O"})
	wantError(t, err, "AccessDenied", "")
}
