package cloudwatch

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// Limits of what an alarm may look back on, in seconds.
const (
	maxSpan     = 24 * hourSeconds
	maxSlowSpan = 7 * maxSpan // with a period of an hour and more
)

// PutMetricAlarm makes an alarm on a metric or an expression, or replaces it: its
// state stays until the next evaluation.
func (s *Service) PutMetricAlarm(ctx context.Context, in *api.PutMetricAlarmInput) (*api.PutMetricAlarmOutput, error) {
	c := aws.CallFrom(ctx)
	a := &alarm{Name: *in.AlarmName, Description: aws.Val(in.AlarmDescription), ActionsEnabled: in.ActionsEnabled == nil || *in.ActionsEnabled,
		OK: in.OKActions, Alarm: in.AlarmActions, Unsure: in.InsufficientDataActions, Owner: c.Principal, Token: c.Token,
		Evaluations: int(aws.Val(in.EvaluationPeriods)), Comparison: in.ComparisonOperator, Missing: aws.Val(in.TreatMissingData),
		LowSamples: aws.Val(in.EvaluateLowSampleCountPercentile), Threshold: aws.Val(in.Threshold), Needed: int(aws.Val(in.EvaluationPeriods))}
	if in.DatapointsToAlarm != nil {
		a.Needed, a.NeededGiven = int(*in.DatapointsToAlarm), true
	}
	if err := a.judgeInput(in); err != nil {
		return nil, err
	}
	if err := judgeActions(c.Region, a.Dimensions, a.OK, a.Alarm, a.Unsure); err != nil {
		return nil, err
	}
	return &api.PutMetricAlarmOutput{}, s.putAlarm(ctx, a, in.Tags)
}

// judgeInput checks what an alarm asks and takes it over.
func (a *alarm) judgeInput(in *api.PutMetricAlarmInput) error {
	switch {
	case in.EvaluationCriteria != nil || in.EvaluationInterval != nil:
		return notHonoured("EvaluationCriteria and EvaluationInterval")
	case in.ThresholdMetricId != nil || phrases[in.ComparisonOperator] == "" && in.ComparisonOperator != "":
		return notHonoured("anomaly detection (ThresholdMetricId)")
	case in.ComparisonOperator == "":
		return missing("The parameter ComparisonOperator is required.")
	case in.EvaluationPeriods == nil:
		return missing("The parameter EvaluationPeriods is required.")
	case in.Threshold == nil:
		return missing("The parameter Threshold is required.")
	case math.IsNaN(a.Threshold) || math.IsInf(a.Threshold, 0):
		return violation("The value %v for parameter Threshold is invalid.", a.Threshold)
	case a.Needed > a.Evaluations:
		return violation("DatapointsToAlarm must be less than or equal to EvaluationPeriods")
	case a.Missing != "" && !slices.Contains([]string{missingData, breaching, notBreaching, ignored}, a.Missing):
		return violation("Option %s is not supported. Supported options for parameter TreatMissingData are breaching, notBreaching, ignore and missing.", a.Missing)
	case a.LowSamples != "" && a.LowSamples != "evaluate" && a.LowSamples != ignored:
		return violation("Option %s is not supported. Supported options for parameter EvaluateLowSampleCountPercentile are evaluate and ignore.", a.LowSamples)
	}
	if len(in.Metrics) > 0 {
		return a.takeQueries(in)
	}
	return a.takeMetric(in)
}

func (a *alarm) takeMetric(in *api.PutMetricAlarmInput) error {
	switch {
	case in.MetricName == nil:
		return missing("The parameter MetricName is required.")
	case in.Namespace == nil:
		return missing("The parameter Namespace is required.")
	case in.Period == nil:
		return missing("The parameter Period is required.")
	case in.Statistic == "" && in.ExtendedStatistic == nil:
		return missing("Must specify either Statistic or ExtendedStatistic")
	case in.Statistic != "" && in.ExtendedStatistic != nil:
		return invalidCombination("The parameters Statistic and ExtendedStatistic are mutually exclusive and you have specified both.")
	}
	a.Namespace, a.Metric, a.Period, a.Unit, a.Statistic = *in.Namespace, *in.MetricName, int64(*in.Period), string(in.Unit), string(in.Statistic)
	if in.ExtendedStatistic != nil {
		a.Statistic = *in.ExtendedStatistic
		if _, simple := simple[a.Statistic]; simple {
			return invalidValue("The value %s for parameter ExtendedStatistic is not supported.", a.Statistic)
		}
		if _, ok := statisticOf(a.Statistic); !ok {
			return invalidValue("The value %s for parameter ExtendedStatistic is not supported.", a.Statistic)
		}
	}
	var err error
	if a.Dimensions, err = dimensionsOf(in.Dimensions, "Dimensions"); err != nil {
		return err
	}
	return a.judgeSpan()
}

func (a *alarm) judgeSpan() error {
	switch {
	case a.Period != 10 && a.Period != 20 && a.Period != 30 && a.Period%60 != 0:
		return violation("Period must be 10, 20, 30 or a multiple of 60")
	case a.Period < hourSeconds && int64(a.Evaluations)*a.Period > maxSpan:
		return violation("Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= %d).", maxSpan)
	case int64(a.Evaluations)*a.Period > maxSlowSpan:
		return violation("Metrics cannot be checked across more than seven days (EvaluationPeriods * Period must be <= %d).", maxSlowSpan)
	}
	return nil
}

func (a *alarm) takeQueries(in *api.PutMetricAlarmInput) error {
	if in.MetricName != nil || in.Namespace != nil || in.Period != nil || in.Statistic != "" || in.ExtendedStatistic != nil || len(in.Dimensions) > 0 || in.Unit != "" {
		return invalidCombination("The parameters MetricName, Namespace, Dimensions, Period, Unit, Statistic and ExtendedStatistic must not be specified with the parameter Metrics.")
	}
	parsed, err := judgeQueries(in.Metrics, "Metrics")
	if err != nil {
		return err
	}
	returned := returnedOf(in.Metrics)
	if returned == nil {
		return violation("Exactly one element of the metrics list should return data.")
	}
	for id, e := range parsed {
		if e.All {
			return violation("Error in expression '%s': METRICS() is not supported in alarms", id)
		}
	}
	q := queries{list: in.Metrics}
	a.Queries, a.Period = in.Metrics, q.periodOf(returned)
	return a.judgeSpan()
}

// putAlarm stores an alarm of either kind, new or over an old one.
func (s *Service) putAlarm(ctx context.Context, a *alarm, tags []api.Tag) error {
	c := aws.CallFrom(ctx)
	k := key(c, a.Name)
	now := s.cfg.Clock.Now().UTC()
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		fresh := *a
		fresh.Configured = now
		old, err := alarms.Get(tx, k)
		summary, kind := fmt.Sprintf("Alarm %q updated", a.Name), "Update"
		switch {
		case isNotFound(err):
			summary, kind = fmt.Sprintf("Alarm %q created", a.Name), "Create"
			fresh.State, fresh.Reason, fresh.Updated, fresh.Transitioned = api.StateValueInsufficientData, firstReason, now, now
			if fresh.Tags, err = addTags(nil, tags); err != nil {
				return err
			}
		case err != nil:
			return err
		case old.composite() != a.composite():
			return violation("An alarm of the other type with the name %s exists already", a.Name)
		case c.Token != "" && old.Token != c.Token:
			// A stack does not take over what somebody else has made.
			return awserr.New("AlreadyExists", "%s already exists", a.Name)
		default:
			fresh.Token = old.Token
			fresh.State, fresh.Reason, fresh.ReasonData, fresh.Updated, fresh.Transitioned = old.State, old.Reason, old.ReasonData, old.Updated, old.Transitioned
			fresh.Tags = old.Tags // those of the request count for new alarms only
		}
		if err := recordConfiguration(tx, k, &fresh, kind, summary); err != nil {
			return err
		}
		emit(tx, k, "configuration", summary)
		return alarms.Put(tx, k, &fresh)
	})
}

func recordConfiguration(tx *store.Tx, k store.Key, a *alarm, kind, summary string) error {
	var shown any = describeAlarm(k, a)
	if a.composite() {
		shown = describeComposite(k, a)
	}
	member := map[string]string{"Create": "createdAlarm", "Update": "updatedAlarm", "Delete": "deletedAlarm"}[kind]
	data, err := json.Marshal(map[string]any{"version": "1.0", "type": kind, member: shown})
	if err != nil {
		return err
	}
	return record(tx, k, item{Alarm: a.Name, Kind: a.kind(), Type: api.HistoryItemTypeConfigurationUpdate, Time: tx.Now().UTC(), Summary: summary, Data: string(data)})
}
