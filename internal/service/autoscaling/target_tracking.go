package autoscaling

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"

	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// How target tracking looks at its metric: quick to scale out, slow to scale in, which
// begins when the metric is a tenth below the target.
const (
	highPeriods = 3
	lowPeriods  = 15
	lowShare    = 0.9
	minute      = 60
)

// The predefined metrics that are there: those of instances and of application load
// balancers.
var predefined = map[api.MetricType]struct{ namespace, name, statistic string }{
	"ASGAverageCPUUtilization": {"AWS/EC2", "CPUUtilization", "Average"},
	"ASGAverageNetworkIn":      {"AWS/EC2", "NetworkIn", "Average"},
	"ASGAverageNetworkOut":     {"AWS/EC2", "NetworkOut", "Average"},
	requestsPerTarget:          {"AWS/ApplicationELB", "RequestCountPerTarget", "Sum"},
}

const requestsPerTarget = "ALBRequestCountPerTarget"

func judgeTracking(t *api.TargetTrackingConfiguration) error {
	switch {
	case t == nil:
		return invalid("TargetTrackingConfiguration must be specified for policy type: %s", targetTracking)
	case (t.PredefinedMetricSpecification == nil) == (t.CustomizedMetricSpecification == nil):
		return invalid("Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be specified in a TargetTrackingConfiguration.")
	case t.TargetValue == nil || *t.TargetValue <= 0 || math.IsInf(*t.TargetValue, 0) || math.IsNaN(*t.TargetValue):
		return invalid("TargetValue must be greater than 0.")
	}
	if p := t.PredefinedMetricSpecification; p != nil {
		if _, known := predefined[p.PredefinedMetricType]; !known {
			return invalid("Unsupported predefined metric type: %s", p.PredefinedMetricType)
		}
		if needs := p.PredefinedMetricType == requestsPerTarget; needs != (val(p.ResourceLabel) != "") {
			if needs {
				return invalid("ResourceLabel must be specified for the predefined metric type %s.", requestsPerTarget)
			}
			return invalid("ResourceLabel is only supported for the predefined metric type %s.", requestsPerTarget)
		}
		if _, _, ok := labelParts(val(p.ResourceLabel)); p.ResourceLabel != nil && !ok {
			return invalid("The resource label %s is not valid.", *p.ResourceLabel)
		}
		return nil
	}
	c := t.CustomizedMetricSpecification
	if c.Period != nil && *c.Period != 10 && *c.Period != 30 && *c.Period != minute {
		return invalid("The period of a customized metric must be 10, 30 or 60 seconds.")
	}
	if len(c.Metrics) > 0 {
		if c.MetricName != nil || c.Namespace != nil || c.Statistic != "" || len(c.Dimensions) > 0 || c.Unit != nil {
			return invalid("A customized metric specification has either Metrics or MetricName, Namespace and Statistic.")
		}
		return nil
	}
	if c.MetricName == nil || c.Namespace == nil || c.Statistic == "" {
		return invalid("MetricName, Namespace and Statistic must be specified for a customized metric.")
	}
	return nil
}

// labelParts are the dimensions LoadBalancer and TargetGroup of a resource label:
// app/NAME/ID/targetgroup/NAME/ID.
func labelParts(label string) (balancer, target string, ok bool) {
	i := strings.Index(label, "/targetgroup/")
	if i < 0 {
		return "", "", false
	}
	return label[:i], label[i+1:], strings.HasPrefix(label, "app/")
}

// nameAlarms gives a policy the names of its alarms; those that it had it keeps.
func (p *policy) nameAlarms(before []string) {
	if p.Type != targetTracking {
		return
	}
	kinds := []string{"AlarmHigh", "AlarmLow"}
	if val(p.Tracking.DisableScaleIn) {
		kinds = kinds[:1]
	}
	for _, kind := range kinds {
		prefix := fmt.Sprintf("TargetTracking-%s-%s-", p.Group, kind)
		name := prefix + ids.UUID()
		for _, b := range before {
			if strings.HasPrefix(b, prefix) {
				name = b
			}
		}
		p.Alarms = append(p.Alarms, name)
	}
}

// putAlarms makes the alarms of a policy that tracks a target, as the group's role.
func (s *Service) putAlarms(ctx context.Context, k store.Key, g *group, p *policy) error {
	if len(p.Alarms) == 0 {
		return nil
	}
	as, err := s.acting(ctx, k, g.Role)
	if err != nil {
		return fmt.Errorf("act as %s: %w", g.Role, err)
	}
	for _, name := range p.Alarms {
		in := p.alarmInput(name, strings.HasPrefix(name, fmt.Sprintf("TargetTracking-%s-AlarmHigh-", p.Group)))
		if _, err := wire.Call[cloudwatch.PutMetricAlarmOutput](as, s.cfg.Invoker, "monitoring", "PutMetricAlarm", in); err != nil {
			if e := awserr.As(err); e != nil && e.HTTPStatus() < 500 {
				return invalid("The alarm of the policy cannot be made: %s", e.Message)
			}
			return err
		}
	}
	return nil
}

func (p *policy) alarmInput(name string, high bool) *cloudwatch.PutMetricAlarmInput {
	in := &cloudwatch.PutMetricAlarmInput{AlarmName: &name, AlarmDescription: ptr("DO NOT EDIT OR DELETE. For TargetTrackingScaling policy " + p.ARN + "."),
		ActionsEnabled: ptr(!p.Disabled), AlarmActions: []string{p.ARN}, Threshold: p.Tracking.TargetValue,
		ComparisonOperator: cloudwatch.ComparisonOperatorGreaterThanThreshold, EvaluationPeriods: ptr[int32](highPeriods)}
	if !high {
		in.Threshold, in.ComparisonOperator, in.EvaluationPeriods = ptr(*p.Tracking.TargetValue*lowShare), cloudwatch.ComparisonOperatorLessThanThreshold, ptr[int32](lowPeriods)
	}
	p.watch(in)
	return in
}

// watch fills in what the alarm watches.
func (p *policy) watch(in *cloudwatch.PutMetricAlarmInput) {
	in.Period = ptr[int32](minute)
	if m := p.Tracking.PredefinedMetricSpecification; m != nil {
		d := predefined[m.PredefinedMetricType]
		in.Namespace, in.MetricName, in.Statistic = &d.namespace, &d.name, cloudwatch.Statistic(d.statistic)
		in.Dimensions = []cloudwatch.Dimension{{Name: ptr("AutoScalingGroupName"), Value: &p.Group}}
		if balancer, target, ok := labelParts(val(m.ResourceLabel)); ok {
			in.Dimensions = []cloudwatch.Dimension{{Name: ptr("LoadBalancer"), Value: &balancer}, {Name: ptr("TargetGroup"), Value: &target}}
		}
		return
	}
	c := p.Tracking.CustomizedMetricSpecification
	if len(c.Metrics) > 0 {
		in.Period = nil
		for _, q := range c.Metrics {
			in.Metrics = append(in.Metrics, p.query(q))
		}
		return
	}
	in.Namespace, in.MetricName, in.Statistic, in.Unit = c.Namespace, c.MetricName, cloudwatch.Statistic(c.Statistic), cloudwatch.StandardUnit(val(c.Unit))
	set(in.Period, c.Period)
	in.Dimensions = dimensionsOf(c.Dimensions)
}

func dimensionsOf(list []api.MetricDimension) []cloudwatch.Dimension {
	var out []cloudwatch.Dimension
	for _, d := range list {
		out = append(out, cloudwatch.Dimension{Name: d.Name, Value: d.Value})
	}
	return out
}

func (p *policy) query(q api.TargetTrackingMetricDataQuery) cloudwatch.MetricDataQuery {
	out := cloudwatch.MetricDataQuery{Id: q.Id, Expression: q.Expression, Label: q.Label, ReturnData: q.ReturnData, Period: q.Period}
	if st := q.MetricStat; st != nil {
		period := or(st.Period, ptr[int32](minute))
		out.MetricStat = &cloudwatch.MetricStat{Stat: st.Stat, Unit: cloudwatch.StandardUnit(val(st.Unit)), Period: period}
		if m := st.Metric; m != nil {
			out.MetricStat.Metric = &cloudwatch.Metric{Namespace: m.Namespace, MetricName: m.MetricName, Dimensions: dimensionsOf(m.Dimensions)}
		}
	}
	return out
}

// discarded are alarms that a role has still to delete.
type discarded struct {
	Role  string
	Names []string
}

const discardKind = "discard"

// discard has alarms deleted that their policy is done with.
func discard(tx *store.Tx, k store.Key, g *group, names []string) error {
	if len(names) == 0 {
		return nil
	}
	tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: signing, Resource: k.ID, Kind: discardKind})
	return discards.Put(tx, activityKey(k, ids.UUID()), &discarded{Role: g.Role, Names: names})
}

// deleteDiscarded deletes discarded alarms until ctx ends.
func (s *Service) deleteDiscarded(ctx context.Context) error {
	return discards.WorkOff(ctx, s.cfg.DB, store.Filter{Service: signing, Kind: discardKind}, func(ctx context.Context, r store.Row[discarded]) error {
		as, err := s.acting(ctx, r.Key, r.Value.Role)
		if err == nil {
			_, err = wire.Call[cloudwatch.DeleteAlarmsOutput](as, s.cfg.Invoker, "monitoring", "DeleteAlarms", &cloudwatch.DeleteAlarmsInput{AlarmNames: r.Value.Names})
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil { // the role is gone, or the alarms are: nothing can be done about it
			s.cfg.Log.WarnContext(ctx, "alarms of a scaling policy were not deleted", slog.Any("alarms", r.Value.Names), slog.String("error", err.Error()))
		}
		return s.update(ctx, func(tx *store.Tx) error {
			tx.Emit(store.Event{Account: r.Key.Account, Region: r.Key.Region, Service: signing, Resource: r.Key.ID, Kind: discardKind, Cause: "deleted"})
			return discards.Delete(tx, r.Key)
		})
	})
}
