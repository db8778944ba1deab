package autoscaling

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// groupMetrics are the metrics that a group can have. Those of warm pools and of weighted
// capacity are not among them: there is neither here.
var groupMetrics = []string{"GroupMinSize", "GroupMaxSize", "GroupDesiredCapacity", "GroupInServiceInstances", "GroupPendingInstances",
	"GroupStandbyInstances", "GroupTerminatingInstances", "GroupTotalInstances"}

func judgeMetrics(names []string) ([]string, error) {
	if len(names) == 0 {
		return groupMetrics, nil
	}
	for _, n := range names {
		if !slices.Contains(groupMetrics, n) {
			return nil, invalid("Metrics collection type %s is not supported. Supported types are %v", n, groupMetrics)
		}
	}
	return names, nil
}

// EnableMetricsCollection has metrics of a group published each minute.
func (s *Service) EnableMetricsCollection(ctx context.Context, in *api.EnableMetricsCollectionInput) (*api.EnableMetricsCollectionOutput, error) {
	names, err := judgeMetrics(in.Metrics)
	if err != nil {
		return nil, err
	}
	if *in.Granularity != oneMinute {
		return nil, invalid("Granularity %s is not supported. The only valid value is %s", *in.Granularity, oneMinute)
	}
	k := key(aws.CallFrom(ctx), *in.AutoScalingGroupName)
	return &api.EnableMetricsCollectionOutput{}, s.changeGroup(ctx, k, metricsKind, func(tx *store.Tx, g *group) error {
		for _, n := range names {
			if !slices.Contains(g.Metrics, n) {
				g.Metrics = append(g.Metrics, n)
			}
		}
		slices.Sort(g.Metrics)
		tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: signing, Resource: k.ID, Kind: metricsKind})
		return nil
	})
}

// metricsKind is the kind of the events of metrics that were enabled.
const metricsKind = "metrics"

// DisableMetricsCollection has metrics published no more.
func (s *Service) DisableMetricsCollection(ctx context.Context, in *api.DisableMetricsCollectionInput) (*api.DisableMetricsCollectionOutput, error) {
	names, err := judgeMetrics(in.Metrics)
	if err != nil {
		return nil, err
	}
	k := key(aws.CallFrom(ctx), *in.AutoScalingGroupName)
	return &api.DisableMetricsCollectionOutput{}, s.changeGroup(ctx, k, "DisableMetricsCollection", func(_ *store.Tx, g *group) error {
		g.Metrics = slices.DeleteFunc(g.Metrics, func(n string) bool { return slices.Contains(names, n) })
		return nil
	})
}

// publishMetrics puts the metrics of groups at each minute, as long as a group has some.
func (s *Service) publishMetrics(ctx context.Context) error {
	err := s.cfg.DB.SweepWhenDue(ctx, store.Filter{Service: signing, Kind: metricsKind}, s.metricsRound)
	return ended(ctx, err)
}

func (s *Service) metricsRound(ctx context.Context) (next time.Time, err error) {
	var rows []store.Row[group]
	data := map[store.Key][]cloudwatch.MetricDatum{}
	at := s.now().Truncate(time.Minute)
	err = s.view(ctx, func(tx *store.Tx) (err error) {
		if rows, err = groups.List(tx, store.Scope{}, "", 0); err != nil {
			return err
		}
		for _, r := range rows {
			if len(r.Value.Metrics) == 0 {
				continue
			}
			list, err := membersOf(tx, r.Key)
			if err != nil {
				return err
			}
			data[r.Key] = r.Value.datums(list, at)
		}
		return nil
	})
	for _, r := range rows {
		if err != nil || data[r.Key] == nil {
			continue
		}
		next = at.Add(time.Minute)
		as := aws.WithCall(ctx, aws.AsService(servicePrincipal, r.Value.ARN, r.Key.Account, r.Key.Region))
		_, putErr := wire.Call[cloudwatch.PutMetricDataOutput](as, s.cfg.Invoker, "monitoring", "PutMetricData",
			&cloudwatch.PutMetricDataInput{Namespace: ptr("AWS/AutoScaling"), MetricData: data[r.Key]})
		if putErr != nil && ctx.Err() == nil {
			s.cfg.Log.WarnContext(ctx, "metrics of a group were not published", slog.String("group", r.Key.ID), slog.String("error", putErr.Error()))
		}
	}
	return next, err
}

// datums are the values of a group's metrics.
func (g *group) datums(list []*member, at time.Time) []cloudwatch.MetricDatum {
	counts := map[string]int{"GroupMinSize": int(g.Min), "GroupMaxSize": int(g.Max), "GroupDesiredCapacity": int(g.Desired)}
	for _, m := range list {
		switch {
		case m.pending():
			counts["GroupPendingInstances"]++
		case m.State == api.LifecycleStateInService:
			counts["GroupInServiceInstances"]++
		case m.State == api.LifecycleStateStandby || m.State == api.LifecycleStateEnteringStandby:
			counts["GroupStandbyInstances"]++
		case m.terminating():
			counts["GroupTerminatingInstances"]++
		}
		counts["GroupTotalInstances"]++
	}
	var out []cloudwatch.MetricDatum
	for _, name := range g.Metrics {
		out = append(out, cloudwatch.MetricDatum{MetricName: &name, Value: ptr(float64(counts[name])), Timestamp: &at, Unit: "None",
			Dimensions: []cloudwatch.Dimension{{Name: ptr("AutoScalingGroupName"), Value: &g.Name}}})
	}
	return out
}
