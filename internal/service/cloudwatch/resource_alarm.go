package cloudwatch

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// Resources returns the resource types that templates may use.
func (s *Service) Resources() stack.Registry {
	return stack.Registry{
		"AWS::CloudWatch::Alarm":          resourceAlarm{s.cfg.Invoker},
		"AWS::CloudWatch::CompositeAlarm": resourceCompositeAlarm{s.cfg.Invoker},
		"AWS::CloudWatch::Dashboard":      resourceDashboard{s.cfg.Invoker},
	}
}

func invoke[O any](ctx context.Context, inv Invoker, operation string, in any) (*O, error) {
	return wire.Call[O](ctx, inv, "monitoring", operation, in)
}

// maxName is how long names may be.
const maxName = 255

// resourceAlarm is AWS::CloudWatch::Alarm. Ref and the physical id are the name.
type resourceAlarm struct{ inv Invoker }

type alarmProperties struct {
	AlarmName                        *string
	AlarmDescription                 *string
	ActionsEnabled                   *bool
	AlarmActions                     []string
	OKActions                        []string
	InsufficientDataActions          []string
	MetricName                       *string
	Namespace                        *string
	Statistic                        *string
	ExtendedStatistic                *string
	Dimensions                       []dimension
	Period                           *int32
	Unit                             *string
	EvaluationPeriods                int32 `cfn:",required"`
	DatapointsToAlarm                *int32
	Threshold                        *float64
	ComparisonOperator               string `cfn:",required"`
	TreatMissingData                 *string
	EvaluateLowSampleCountPercentile *string
	Metrics                          []queryProperties
	Tags                             []stack.Tag
}

type queryProperties struct {
	ID         string `cfn:"Id,required"`
	Expression *string
	Label      *string
	ReturnData *bool
	Period     *int32
	MetricStat *struct {
		Metric struct {
			Namespace  *string
			MetricName *string
			Dimensions []dimension
		} `cfn:",required"`
		Period int32  `cfn:",required"`
		Stat   string `cfn:",required"`
		Unit   *string
	}
}

// Schema implements stack.Resource.
func (resourceAlarm) Schema() stack.Schema {
	sc := stack.SchemaOf(alarmProperties{})
	sc.Attributes, sc.Taggable, sc.NameProperty = []string{"Arn"}, true, "AlarmName"
	return sc
}

func alarmResult(r stack.Request, name string) stack.Result {
	k := store.Key{Account: r.Account, Region: r.Region, ID: name}
	return stack.Result{PhysicalID: name, Attributes: map[string]any{"Arn": alarmARN(k)}}
}

func (p *alarmProperties) input(name string) *api.PutMetricAlarmInput {
	in := &api.PutMetricAlarmInput{AlarmName: &name, AlarmDescription: p.AlarmDescription, ActionsEnabled: p.ActionsEnabled, OKActions: p.OKActions,
		AlarmActions: p.AlarmActions, InsufficientDataActions: p.InsufficientDataActions, MetricName: p.MetricName, Namespace: p.Namespace,
		Statistic: api.Statistic(aws.Val(p.Statistic)), ExtendedStatistic: p.ExtendedStatistic, Period: p.Period, Unit: api.StandardUnit(aws.Val(p.Unit)),
		EvaluationPeriods: &p.EvaluationPeriods, DatapointsToAlarm: p.DatapointsToAlarm, Threshold: p.Threshold,
		ComparisonOperator: api.ComparisonOperator(p.ComparisonOperator), TreatMissingData: p.TreatMissingData,
		EvaluateLowSampleCountPercentile: p.EvaluateLowSampleCountPercentile}
	if len(p.Dimensions) > 0 {
		in.Dimensions = apiDimensions(p.Dimensions)
	}
	for i := range p.Metrics {
		m := &p.Metrics[i]
		q := api.MetricDataQuery{Id: &m.ID, Expression: m.Expression, Label: m.Label, ReturnData: m.ReturnData, Period: m.Period}
		if st := m.MetricStat; st != nil {
			q.MetricStat = &api.MetricStat{Period: &st.Period, Stat: &st.Stat, Unit: api.StandardUnit(aws.Val(st.Unit)),
				Metric: &api.Metric{Namespace: st.Metric.Namespace, MetricName: st.Metric.MetricName, Dimensions: apiDimensions(st.Metric.Dimensions)}}
		}
		in.Metrics = append(in.Metrics, q)
	}
	return in
}

func apiTags(tags []stack.Tag) []api.Tag {
	var out []api.Tag
	for i := range tags {
		out = append(out, api.Tag{Key: &tags[i].Key, Value: &tags[i].Value})
	}
	return out
}

// Create implements stack.Resource.
func (t resourceAlarm) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p alarmProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	name := newName(r, p.AlarmName)
	in := p.input(name)
	in.Tags = apiTags(r.TagsWith(p.Tags))
	if _, err := invoke[api.PutMetricAlarmOutput](ctx, t.inv, "PutMetricAlarm", in); err != nil {
		return stack.Result{}, err
	}
	started(name)
	return alarmResult(r, name), nil
}

// newName is the name that a new alarm gets.
func newName(r stack.Request, own *string) string {
	if own != nil {
		return *own
	}
	return r.Name(maxName)
}

// find describes an alarm of either kind.
func find(ctx context.Context, inv Invoker, name string) (string, *api.MetricAlarm, *api.CompositeAlarm, error) {
	out, err := invoke[api.DescribeAlarmsOutput](ctx, inv, "DescribeAlarms", &api.DescribeAlarmsInput{AlarmNames: []string{name},
		AlarmTypes: []api.AlarmType{api.AlarmTypeMetricAlarm, api.AlarmTypeCompositeAlarm}})
	switch {
	case err != nil:
		return "", nil, nil, err
	case len(out.MetricAlarms) > 0:
		return name, &out.MetricAlarms[0], nil, nil
	case len(out.CompositeAlarms) > 0:
		return name, nil, &out.CompositeAlarms[0], nil
	}
	return "", nil, nil, stack.ErrNotFound
}

// Read implements stack.Resource.
func (t resourceAlarm) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	name, m, _, err := find(ctx, t.inv, r.PhysicalID)
	if err == nil && m == nil {
		err = stack.ErrNotFound
	}
	if err != nil {
		return stack.Result{}, err
	}
	return alarmResult(r, name), nil
}

// Update implements stack.Resource.
func (t resourceAlarm) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old alarmProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	if _, err := invoke[api.PutMetricAlarmOutput](ctx, t.inv, "PutMetricAlarm", p.input(r.PhysicalID)); err != nil {
		return stack.Result{}, err
	}
	res := alarmResult(r, r.PhysicalID)
	return res, retag(ctx, t.inv, res.Attributes["Arn"].(string), r, p.Tags, old.Tags)
}

// retag brings the tags of an ARN from old to own.
func retag(ctx context.Context, inv Invoker, resource string, r stack.Request, own, old []stack.Tag) error {
	now := r.TagsWith(own)
	if gone := stack.TagsGone(r.TagsBefore(old), now); len(gone) > 0 {
		if _, err := invoke[api.UntagResourceOutput](ctx, inv, "UntagResource", &api.UntagResourceInput{ResourceARN: &resource, TagKeys: gone}); err != nil {
			return err
		}
	}
	if len(now) == 0 {
		return nil
	}
	_, err := invoke[api.TagResourceOutput](ctx, inv, "TagResource", &api.TagResourceInput{ResourceARN: &resource, Tags: apiTags(now)})
	return err
}

// Delete implements stack.Resource.
func (t resourceAlarm) Delete(ctx context.Context, r stack.Request) error {
	return deleteAlarm(ctx, t.inv, r)
}

func deleteAlarm(ctx context.Context, inv Invoker, r stack.Request) error {
	_, err := invoke[api.DeleteAlarmsOutput](ctx, inv, "DeleteAlarms", &api.DeleteAlarmsInput{AlarmNames: []string{r.PhysicalID}})
	return err
}
