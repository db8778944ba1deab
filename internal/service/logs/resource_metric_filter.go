package logs

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceMetricFilter is AWS::Logs::MetricFilter. Ref is the name; the physical
// id is group|name.
type resourceMetricFilter struct{ inv Invoker }

type metricFilterProperties struct {
	FilterName            *string
	LogGroupName          string                 `cfn:",required"`
	FilterPattern         string                 `cfn:",required"`
	MetricTransformations []metricTransformation `cfn:",required"`
}

type metricTransformation struct {
	MetricName      string `cfn:",required"`
	MetricNamespace string `cfn:",required"`
	MetricValue     string `cfn:",required"`
	DefaultValue    *float64
	Unit            *string
	Dimensions      []stack.Tag
}

// Schema implements stack.Resource.
func (resourceMetricFilter) Schema() stack.Schema {
	sc := stack.SchemaOf(metricFilterProperties{})
	sc.NameProperty = "FilterName"
	return sc
}

func (resourceMetricFilter) result(group, name string) stack.Result {
	return stack.Result{PhysicalID: group + "|" + name, Ref: name}
}

func (t resourceMetricFilter) put(ctx context.Context, name string, p *metricFilterProperties) error {
	in := &api.PutMetricFilterInput{FilterName: &name, LogGroupName: &p.LogGroupName, FilterPattern: &p.FilterPattern}
	for i := range p.MetricTransformations {
		m := &p.MetricTransformations[i]
		in.MetricTransformations = append(in.MetricTransformations, api.MetricTransformation{MetricName: &m.MetricName, MetricNamespace: &m.MetricNamespace,
			MetricValue: &m.MetricValue, DefaultValue: m.DefaultValue, Unit: api.StandardUnit(aws.Val(m.Unit)), Dimensions: tagMap(m.Dimensions)})
	}
	_, err := invoke[api.PutMetricFilterOutput](ctx, t.inv, "PutMetricFilter", in)
	return err
}

// Create implements stack.Resource.
func (t resourceMetricFilter) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p metricFilterProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	name := r.Name(maxName)
	if p.FilterName != nil {
		name = *p.FilterName
	}
	if err := t.put(ctx, name, &p); err != nil {
		return stack.Result{}, err
	}
	res := t.result(p.LogGroupName, name)
	started(res.PhysicalID)
	return res, nil
}

func (t resourceMetricFilter) find(ctx context.Context, id string) (*api.MetricFilter, error) {
	group, name, _ := strings.Cut(id, "|")
	in := &api.DescribeMetricFiltersInput{LogGroupName: &group, FilterNamePrefix: &name}
	for {
		out, err := invoke[api.DescribeMetricFiltersOutput](ctx, t.inv, "DescribeMetricFilters", in)
		if err != nil {
			return nil, orAbsent(err)
		}
		for i := range out.MetricFilters {
			if *out.MetricFilters[i].FilterName == name {
				return &out.MetricFilters[i], nil
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return nil, stack.ErrNotFound
		}
	}
}

// Read implements stack.Resource.
func (t resourceMetricFilter) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	f, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return stack.Result{}, err
	}
	return t.result(*f.LogGroupName, *f.FilterName), nil
}

// Live implements stack.Live.
func (t resourceMetricFilter) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	f, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, m := range f.MetricTransformations {
		live := map[string]any{"MetricName": *m.MetricName, "MetricNamespace": *m.MetricNamespace, "MetricValue": *m.MetricValue}
		if m.DefaultValue != nil {
			live["DefaultValue"] = json.Number(strconv.FormatFloat(*m.DefaultValue, 'f', -1, 64))
		}
		if m.Unit != "" {
			live["Unit"] = string(m.Unit)
		}
		if len(m.Dimensions) > 0 {
			dimensions := []any{}
			for _, k := range slices.Sorted(maps.Keys(m.Dimensions)) {
				dimensions = append(dimensions, map[string]any{"Key": k, "Value": m.Dimensions[k]})
			}
			live["Dimensions"] = dimensions
		}
		list = append(list, live)
	}
	return map[string]any{"FilterName": *f.FilterName, "LogGroupName": *f.LogGroupName, "FilterPattern": *f.FilterPattern, "MetricTransformations": list}, nil
}

// Update implements stack.Resource.
func (t resourceMetricFilter) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p metricFilterProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	_, name, _ := strings.Cut(r.PhysicalID, "|")
	return t.result(p.LogGroupName, name), t.put(ctx, name, &p)
}

// Delete implements stack.Resource.
func (t resourceMetricFilter) Delete(ctx context.Context, r stack.Request) error {
	group, name, _ := strings.Cut(r.PhysicalID, "|")
	_, err := invoke[api.DeleteMetricFilterOutput](ctx, t.inv, "DeleteMetricFilter", &api.DeleteMetricFilterInput{LogGroupName: &group, FilterName: &name})
	return orDeleted(err)
}
