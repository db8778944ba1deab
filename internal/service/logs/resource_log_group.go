package logs

import (
	"context"
	"maps"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/wire"
)

// Resources returns the resource types that templates may use.
func (s *Service) Resources() stack.Registry {
	return stack.Registry{
		"AWS::Logs::LogGroup":       resourceLogGroup{s.cfg.Invoker},
		"AWS::Logs::LogStream":      resourceLogStream{s.cfg.Invoker},
		"AWS::Logs::MetricFilter":   resourceMetricFilter{s.cfg.Invoker},
		"AWS::Logs::ResourcePolicy": resourceResourcePolicy{s.cfg.Invoker},
	}
}

func invoke[O any](ctx context.Context, inv Invoker, operation string, in any) (*O, error) {
	return wire.Call[O](ctx, inv, "logs", operation, in)
}

// orAbsent turns AWS's word for what is not there into the engine's.
func orAbsent(err error) error {
	if awserr.Is(err, "ResourceNotFoundException") {
		return stack.ErrNotFound
	}
	return err
}

// orDeleted takes what is not there for deleted.
func orDeleted(err error) error {
	if awserr.Is(err, "ResourceNotFoundException") {
		return nil
	}
	return err
}

// maxName is how long names may be.
const maxName = 512

// resourceLogGroup is AWS::Logs::LogGroup. Ref and the physical id are the name.
type resourceLogGroup struct{ inv Invoker }

type logGroupProperties struct {
	LogGroupName    *string
	RetentionInDays *int32
	LogGroupClass   *string
	Tags            []stack.Tag
}

// Schema implements stack.Resource.
func (resourceLogGroup) Schema() stack.Schema {
	sc := stack.SchemaOf(logGroupProperties{})
	sc.Attributes, sc.Taggable, sc.NameProperty = []string{"Arn"}, true, "LogGroupName"
	return sc
}

func (resourceLogGroup) result(r stack.Request, name string) stack.Result {
	c := aws.Call{Account: r.Account, Region: r.Region}
	return stack.Result{PhysicalID: name, Attributes: map[string]any{"Arn": groupARN(c, name) + ":*"}}
}

// Create implements stack.Resource.
func (t resourceLogGroup) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p logGroupProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	name := r.Name(maxName)
	if p.LogGroupName != nil {
		name = *p.LogGroupName
	}
	_, err := invoke[api.CreateLogGroupOutput](ctx, t.inv, "CreateLogGroup", &api.CreateLogGroupInput{
		LogGroupName: &name, LogGroupClass: api.LogGroupClass(aws.Val(p.LogGroupClass)), Tags: tagMap(r.TagsWith(p.Tags))})
	if err != nil {
		return stack.Result{}, err
	}
	started(name)
	return t.result(r, name), t.retain(ctx, name, p.RetentionInDays, nil)
}

// retain sets or removes a group's retention.
func (t resourceLogGroup) retain(ctx context.Context, name string, days, old *int32) error {
	switch {
	case days != nil:
		_, err := invoke[api.PutRetentionPolicyOutput](ctx, t.inv, "PutRetentionPolicy", &api.PutRetentionPolicyInput{LogGroupName: &name, RetentionInDays: days})
		return err
	case old != nil:
		_, err := invoke[api.DeleteRetentionPolicyOutput](ctx, t.inv, "DeleteRetentionPolicy", &api.DeleteRetentionPolicyInput{LogGroupName: &name})
		return err
	}
	return nil
}

func tagMap(tags []stack.Tag) map[string]string {
	if len(tags) == 0 {
		return nil
	}
	out := map[string]string{}
	for _, t := range tags {
		out[t.Key] = t.Value
	}
	return out
}

func (t resourceLogGroup) find(ctx context.Context, name string) (*api.LogGroup, error) {
	in := &api.DescribeLogGroupsInput{LogGroupNamePrefix: &name}
	for {
		out, err := invoke[api.DescribeLogGroupsOutput](ctx, t.inv, "DescribeLogGroups", in)
		if err != nil {
			return nil, err
		}
		for i := range out.LogGroups {
			if *out.LogGroups[i].LogGroupName == name {
				return &out.LogGroups[i], nil
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return nil, stack.ErrNotFound
		}
	}
}

// Read implements stack.Resource.
func (t resourceLogGroup) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	if _, err := t.find(ctx, r.PhysicalID); err != nil {
		return stack.Result{}, err
	}
	return t.result(r, r.PhysicalID), nil
}

// Live implements stack.Live.
func (t resourceLogGroup) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	g, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	a := groupARN(aws.CallFrom(ctx), r.PhysicalID)
	listed, err := invoke[api.ListTagsForResourceOutput](ctx, t.inv, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceArn: &a})
	if err != nil {
		return nil, orAbsent(err)
	}
	tags := []any{}
	for _, k := range slices.Sorted(maps.Keys(listed.Tags)) {
		tags = append(tags, map[string]any{"Key": k, "Value": listed.Tags[k]})
	}
	live := map[string]any{"LogGroupName": *g.LogGroupName, "LogGroupClass": string(g.LogGroupClass), "RetentionInDays": nil, "Tags": tags}
	if g.RetentionInDays != nil {
		live["RetentionInDays"] = int64(*g.RetentionInDays)
	}
	return live, nil
}

// Update implements stack.Resource.
func (t resourceLogGroup) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old logGroupProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	if aws.Val(p.LogGroupClass) != aws.Val(old.LogGroupClass) {
		return stack.Result{}, &stack.PropertyError{Message: "Updates are not supported for the property LogGroupClass"}
	}
	if err := t.retain(ctx, r.PhysicalID, p.RetentionInDays, old.RetentionInDays); err != nil {
		return stack.Result{}, err
	}
	return t.result(r, r.PhysicalID), t.retag(ctx, r.PhysicalID, r.TagsBefore(old.Tags), r.TagsWith(p.Tags))
}

func (t resourceLogGroup) retag(ctx context.Context, name string, old, want []stack.Tag) error {
	a := groupARN(aws.CallFrom(ctx), name)
	if gone := stack.TagsGone(old, want); len(gone) > 0 {
		if _, err := invoke[api.UntagResourceOutput](ctx, t.inv, "UntagResource", &api.UntagResourceInput{ResourceArn: &a, TagKeys: gone}); err != nil {
			return err
		}
	}
	if len(want) == 0 || slices.Equal(old, want) {
		return nil
	}
	_, err := invoke[api.TagResourceOutput](ctx, t.inv, "TagResource", &api.TagResourceInput{ResourceArn: &a, Tags: tagMap(want)})
	return err
}

// Delete implements stack.Resource.
func (t resourceLogGroup) Delete(ctx context.Context, r stack.Request) error {
	_, err := invoke[api.DeleteLogGroupOutput](ctx, t.inv, "DeleteLogGroup", &api.DeleteLogGroupInput{LogGroupName: &r.PhysicalID})
	return orDeleted(err)
}
