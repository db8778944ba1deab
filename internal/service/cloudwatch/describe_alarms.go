package cloudwatch

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/store"
)

// maxDescribed is how many alarms an answer has when the request does not say.
const maxDescribed = 50

// DescribeAlarms lists alarms by name: metric alarms, and composite ones when the
// request asks for them.
func (s *Service) DescribeAlarms(ctx context.Context, in *api.DescribeAlarmsInput) (*api.DescribeAlarmsOutput, error) {
	if len(in.AlarmNames) > 0 && in.AlarmNamePrefix != nil {
		return nil, violation("AlarmNames and AlarmNamePrefix are mutually exclusive parameters.")
	}
	var related func(*alarm) bool
	if in.ChildrenOfAlarmName != nil || in.ParentsOfAlarmName != nil {
		var err error
		if related, err = s.related(ctx, in); err != nil {
			return nil, err
		}
	}
	list, err := s.list(ctx, func(a *alarm) bool {
		if related != nil {
			return related(a)
		}
		return wantsKind(in.AlarmTypes, a) && (len(in.AlarmNames) == 0 || slices.Contains(in.AlarmNames, a.Name)) &&
			strings.HasPrefix(a.Name, aws.Val(in.AlarmNamePrefix)) && (in.StateValue == "" || in.StateValue == a.State) && a.actsOn(aws.Val(in.ActionPrefix))
	})
	if err != nil {
		return nil, err
	}
	limit := maxDescribed
	if in.MaxRecords != nil {
		limit = int(*in.MaxRecords)
	}
	list, next, err := page(list, in.NextToken, limit, func(a *alarm) string { return a.Name })
	if err != nil {
		return nil, err
	}
	out := &api.DescribeAlarmsOutput{MetricAlarms: []api.MetricAlarm{}, CompositeAlarms: []api.CompositeAlarm{}, NextToken: next}
	for _, a := range list {
		k := key(aws.CallFrom(ctx), a.Name)
		switch {
		case related != nil: // of these AWS tells little
			describeRelated(out, k, a, in.ParentsOfAlarmName != nil)
		case a.composite():
			out.CompositeAlarms = append(out.CompositeAlarms, describeComposite(k, a))
		default:
			out.MetricAlarms = append(out.MetricAlarms, describeAlarm(k, a))
		}
	}
	return out, nil
}

// wantsKind: without a choice, metric alarms are meant.
func wantsKind(kinds []api.AlarmType, a *alarm) bool {
	if len(kinds) == 0 {
		return !a.composite()
	}
	return slices.Contains(kinds, a.kind())
}

func (a *alarm) actsOn(prefix string) bool {
	return prefix == "" || slices.ContainsFunc(slices.Concat(a.OK, a.Alarm, a.Unsure), func(t string) bool { return strings.HasPrefix(t, prefix) })
}

// list gives the alarms of the caller's account that a test accepts.
func (s *Service) list(ctx context.Context, accept func(*alarm) bool) ([]*alarm, error) {
	var out []*alarm
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := alarms.List(tx, scope(aws.CallFrom(ctx)), "", 0)
		for _, r := range rows {
			if accept(r.Value) {
				out = append(out, r.Value)
			}
		}
		return err
	})
	return out, err
}

func describeAlarm(k store.Key, a *alarm) api.MetricAlarm {
	d := api.MetricAlarm{AlarmName: &a.Name, AlarmArn: aws.Ptr(alarmARN(k)), AlarmConfigurationUpdatedTimestamp: &a.Configured, ActionsEnabled: &a.ActionsEnabled,
		OKActions: some(a.OK), AlarmActions: some(a.Alarm), InsufficientDataActions: some(a.Unsure), StateValue: a.State, StateReason: &a.Reason,
		StateUpdatedTimestamp: &a.Updated, StateTransitionedTimestamp: &a.Transitioned, EvaluationPeriods: aws.Ptr(int32(a.Evaluations)),
		Threshold: &a.Threshold, ComparisonOperator: a.Comparison, Dimensions: apiDimensions(a.Dimensions), Metrics: a.Queries, Unit: api.StandardUnit(a.Unit),
		AlarmDescription: given(a.Description), StateReasonData: given(a.ReasonData), MetricName: given(a.Metric), Namespace: given(a.Namespace),
		TreatMissingData: given(a.Missing), EvaluateLowSampleCountPercentile: given(a.LowSamples)}
	if len(a.Queries) == 0 {
		d.Period = aws.Ptr(int32(a.Period))
	}
	if a.NeededGiven {
		d.DatapointsToAlarm = aws.Ptr(int32(a.Needed))
	}
	if _, ok := simple[a.Statistic]; ok {
		d.Statistic = api.Statistic(a.Statistic)
	} else {
		d.ExtendedStatistic = given(a.Statistic)
	}
	return d
}

// given is nil for "".
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// DescribeAlarmsForMetric lists the alarms on exactly this metric.
func (s *Service) DescribeAlarmsForMetric(ctx context.Context, in *api.DescribeAlarmsForMetricInput) (*api.DescribeAlarmsForMetricOutput, error) {
	if in.Statistic != "" && in.ExtendedStatistic != nil {
		return nil, invalidCombination("The parameters Statistic and ExtendedStatistic are mutually exclusive and you have specified both.")
	}
	statistic := string(in.Statistic) + aws.Val(in.ExtendedStatistic)
	list, err := s.list(ctx, func(a *alarm) bool {
		if statistic != "" && a.Statistic != statistic || in.Period != nil && a.Period != int64(*in.Period) || in.Unit != "" && a.Unit != string(in.Unit) {
			return false
		}
		return a.watches(*in.Namespace, *in.MetricName, in.Dimensions)
	})
	out := &api.DescribeAlarmsForMetricOutput{MetricAlarms: []api.MetricAlarm{}}
	for _, a := range list {
		out.MetricAlarms = append(out.MetricAlarms, describeAlarm(key(aws.CallFrom(ctx), a.Name), a))
	}
	return out, err
}

// watches also finds alarms whose expressions use the metric.
func (a *alarm) watches(namespace, name string, dimensions []api.Dimension) bool {
	if a.Namespace == namespace && a.Metric == name && sameDimensions(a.Dimensions, dimensions) {
		return true
	}
	wanted, err := dimensionsOf(dimensions, "")
	return err == nil && slices.ContainsFunc(a.Queries, func(q api.MetricDataQuery) bool {
		m := q.MetricStat
		return m != nil && aws.Val(m.Metric.Namespace) == namespace && aws.Val(m.Metric.MetricName) == name && sameDimensions(wanted, m.Metric.Dimensions)
	})
}
