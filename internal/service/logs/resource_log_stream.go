package logs

import (
	"context"
	"strings"

	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceLogStream is AWS::Logs::LogStream. Ref is the name; the physical id is
// group|name, since a name alone does not find a stream.
type resourceLogStream struct{ inv Invoker }

type logStreamProperties struct {
	LogGroupName  string `cfn:",required"`
	LogStreamName *string
}

// Schema implements stack.Resource.
func (resourceLogStream) Schema() stack.Schema {
	sc := stack.SchemaOf(logStreamProperties{})
	sc.NameProperty = "LogStreamName"
	return sc
}

func (resourceLogStream) result(group, name string) stack.Result {
	return stack.Result{PhysicalID: group + "|" + name, Ref: name}
}

// Create implements stack.Resource.
func (t resourceLogStream) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p logStreamProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	name := r.Name(maxName)
	if p.LogStreamName != nil {
		name = *p.LogStreamName
	}
	_, err := invoke[api.CreateLogStreamOutput](ctx, t.inv, "CreateLogStream", &api.CreateLogStreamInput{LogGroupName: &p.LogGroupName, LogStreamName: &name})
	if err != nil {
		return stack.Result{}, err
	}
	res := t.result(p.LogGroupName, name)
	started(res.PhysicalID)
	return res, nil
}

// Read implements stack.Resource.
func (t resourceLogStream) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	group, name, _ := strings.Cut(r.PhysicalID, "|")
	in := &api.DescribeLogStreamsInput{LogGroupName: &group, LogStreamNamePrefix: &name}
	for {
		out, err := invoke[api.DescribeLogStreamsOutput](ctx, t.inv, "DescribeLogStreams", in)
		if err != nil {
			return stack.Result{}, orAbsent(err)
		}
		for _, s := range out.LogStreams {
			if *s.LogStreamName == name {
				return t.result(group, name), nil
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return stack.Result{}, stack.ErrNotFound
		}
	}
}

// Live implements stack.Live.
func (t resourceLogStream) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	if _, err := t.Read(ctx, r); err != nil {
		return nil, err
	}
	group, name, _ := strings.Cut(r.PhysicalID, "|")
	return map[string]any{"LogGroupName": group, "LogStreamName": name}, nil
}

// Update implements stack.Resource: there is nothing that could change in place.
func (t resourceLogStream) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	return t.Read(ctx, r)
}

// Delete implements stack.Resource.
func (t resourceLogStream) Delete(ctx context.Context, r stack.Request) error {
	group, name, _ := strings.Cut(r.PhysicalID, "|")
	_, err := invoke[api.DeleteLogStreamOutput](ctx, t.inv, "DeleteLogStream", &api.DeleteLogStreamInput{LogGroupName: &group, LogStreamName: &name})
	return orDeleted(err)
}
