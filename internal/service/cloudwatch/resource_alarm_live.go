package cloudwatch

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/stack"
)

// Live implements stack.Live.
func (t resourceAlarm) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	_, m, _, err := find(ctx, t.inv, r.PhysicalID)
	if err == nil && m == nil {
		err = stack.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	tags, err := liveTags(ctx, t.inv, m.AlarmArn)
	if err != nil {
		return nil, err
	}
	live := map[string]any{"AlarmName": *m.AlarmName, "ActionsEnabled": *m.ActionsEnabled, "Tags": tags,
		"AlarmActions": texts(m.AlarmActions), "OKActions": texts(m.OKActions), "InsufficientDataActions": texts(m.InsufficientDataActions),
		"EvaluationPeriods": int64(*m.EvaluationPeriods), "ComparisonOperator": string(m.ComparisonOperator), "Threshold": decimal(*m.Threshold)}
	for name, v := range map[string]*string{"AlarmDescription": m.AlarmDescription, "MetricName": m.MetricName, "Namespace": m.Namespace,
		"ExtendedStatistic": m.ExtendedStatistic, "TreatMissingData": m.TreatMissingData, "Statistic": given(string(m.Statistic)), "Unit": given(string(m.Unit)),
		"EvaluateLowSampleCountPercentile": m.EvaluateLowSampleCountPercentile} {
		if live[name] = nil; v != nil {
			live[name] = *v
		}
	}
	for name, v := range map[string]*int32{"Period": m.Period, "DatapointsToAlarm": m.DatapointsToAlarm} {
		if live[name] = nil; v != nil {
			live[name] = int64(*v)
		}
	}
	live["Dimensions"] = liveDimensions(m.Dimensions)
	return live, nil
}

func decimal(f float64) json.Number { return json.Number(strconv.FormatFloat(f, 'f', -1, 64)) }

// texts is nil for an empty list: the template may leave it out.
func texts(list []string) any {
	if len(list) == 0 {
		return nil
	}
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

func liveDimensions(list []api.Dimension) any {
	if len(list) == 0 {
		return nil
	}
	out := []any{}
	for _, d := range list {
		out = append(out, map[string]any{"Name": *d.Name, "Value": *d.Value})
	}
	return out
}

func liveTags(ctx context.Context, inv Invoker, resource *string) ([]any, error) {
	listed, err := invoke[api.ListTagsForResourceOutput](ctx, inv, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceARN: resource})
	if err != nil {
		return nil, err
	}
	tags := []any{}
	for _, t := range listed.Tags {
		tags = append(tags, map[string]any{"Key": aws.Val(t.Key), "Value": aws.Val(t.Value)})
	}
	return tags, nil
}
