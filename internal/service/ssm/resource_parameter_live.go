package ssm

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/wire"
)

// Live implements stack.Live.
func (t resourceParameter) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	out, err := wire.Call[api.GetParameterOutput](ctx, t.s.cfg.Invoker, "ssm", "GetParameter", &api.GetParameterInput{Name: &r.PhysicalID})
	if awserr.Is(err, "ParameterNotFound") {
		return nil, stack.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	p := out.Parameter
	listed, err := wire.Call[api.ListTagsForResourceOutput](ctx, t.s.cfg.Invoker, "ssm", "ListTagsForResource",
		&api.ListTagsForResourceInput{ResourceType: "Parameter", ResourceId: &r.PhysicalID})
	if err != nil {
		return nil, err
	}
	tags := map[string]any{}
	for _, tag := range listed.TagList {
		tags[aws.Val(tag.Key)] = aws.Val(tag.Value)
	}
	return map[string]any{"Name": aws.Val(p.Name), "Type": string(p.Type), "Value": aws.Val(p.Value), "Tags": tags}, nil
}
