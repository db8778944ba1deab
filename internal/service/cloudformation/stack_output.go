package cloudformation

import (
	"cmp"
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/wire"
)

// StackOutput implements stack.Outside: the value of another stack's output, as the
// caller in ctx may describe that stack. It need not be exported, and nothing keeps it
// from going.
func (o Outside) StackOutput(ctx context.Context, ref template.StackOutput) (string, error) {
	if ref.RoleARN != "" {
		return "", invalid("RoleArn of Fn::GetStackOutput is not supported by hardstand: the stack's own role reads the output")
	}
	call := aws.CallFrom(ctx)
	call.Region = cmp.Or(ref.Region, call.Region)
	out, err := wire.Call[api.DescribeStacksOutput](aws.WithCall(ctx, call), o.Invoker, "cloudformation", "DescribeStacks", &api.DescribeStacksInput{StackName: &ref.StackName})
	if err != nil {
		return "", err
	}
	for _, output := range out.Stacks[0].Outputs {
		if aws.Val(output.OutputKey) == ref.OutputName {
			return aws.Val(output.OutputValue), nil
		}
	}
	return "", invalid("Stack %s has no output named %s", ref.StackName, ref.OutputName)
}
