package cloudwatch

import (
	"context"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/store"
)

// maxDatapoints is how many datapoints one call may ask for.
const maxDatapoints = 1440

// GetMetricStatistics gives statistics of a metric, a datapoint for each period
// that has data.
func (s *Service) GetMetricStatistics(ctx context.Context, in *api.GetMetricStatisticsInput) (*api.GetMetricStatisticsOutput, error) {
	extended, err := s.judgeStatistics(in)
	if err != nil {
		return nil, err
	}
	m := &metric{Namespace: *in.Namespace, Name: *in.MetricName}
	if m.Dimensions, err = dimensionsOf(in.Dimensions, "Dimensions"); err != nil {
		return nil, err
	}
	w := window{period: int64(*in.Period), unit: string(in.Unit), apart: true}
	w.start, w.end = roundStart(*in.StartTime, w.period, s.cfg.Clock.Now()), ceilUnix(*in.EndTime)
	var buckets []bucket
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		buckets, err = w.read(tx, key(aws.CallFrom(ctx), ""), m)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.GetMetricStatisticsOutput{Label: in.MetricName, Datapoints: []api.Datapoint{}}
	for i := range buckets {
		if d, ok := datapoint(&buckets[i], in.Statistics, extended); ok {
			out.Datapoints = append(out.Datapoints, d)
		}
	}
	return out, nil
}

func (s *Service) judgeStatistics(in *api.GetMetricStatisticsInput) (map[string]statistic, error) {
	switch {
	case len(in.Statistics) == 0 && len(in.ExtendedStatistics) == 0:
		return nil, missing("Must specify either Statistics or ExtendedStatistics")
	case len(in.Statistics) > 0 && len(in.ExtendedStatistics) > 0:
		return nil, invalidCombination("The parameters Statistics and ExtendedStatistics are mutually exclusive and you have specified both.")
	case !in.StartTime.Before(*in.EndTime):
		return nil, invalidValue("The parameter StartTime must be less than the parameter EndTime.")
	}
	period := int64(*in.Period)
	if !validPeriod(period) {
		return nil, invalidValue("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.")
	}
	if n := (ceilUnix(*in.EndTime) - in.StartTime.Unix() + period - 1) / period; n > maxDatapoints {
		return nil, invalidCombination("You have requested up to %d datapoints, which exceeds the limit of 1440. "+
			"You may reduce the datapoints requested by increasing Period, or decreasing the time range.", n)
	}
	extended := map[string]statistic{}
	for _, name := range in.ExtendedStatistics {
		st, ok := statisticOf(name)
		if !ok {
			return nil, invalidValue("The value %s for parameter ExtendedStatistics.member.1 is invalid.", name)
		}
		extended[name] = st
	}
	return extended, nil
}

func validPeriod(p int64) bool {
	switch p {
	case 1, 5, 10, 20, 30:
		return true
	}
	return p > 0 && p%60 == 0
}

// roundStart is the begin of the first period: CloudWatch rounds it down, the more
// the older it is.
func roundStart(start time.Time, period int64, now time.Time) int64 {
	step := int64(60)
	switch age := now.Sub(start); {
	case age > 63*24*time.Hour:
		step = 3600
	case age > 15*24*time.Hour:
		step = 300
	case age < 3*time.Hour && period < 60:
		step = period
	}
	return start.Unix() - mod(start.Unix(), step)
}

// ceilUnix is the first whole second not before t.
func ceilUnix(t time.Time) int64 {
	if t.Nanosecond() > 0 {
		return t.Unix() + 1
	}
	return t.Unix()
}

// datapoint is false for a bucket without the values that percentiles need.
func datapoint(b *bucket, statistics []api.Statistic, extended map[string]statistic) (api.Datapoint, bool) {
	d := api.Datapoint{Timestamp: aws.Ptr(time.Unix(b.Time, 0).UTC()), Unit: api.StandardUnit(b.Unit)}
	for _, name := range statistics {
		v, _ := simple[string(name)](b)
		switch name {
		case api.StatisticSampleCount:
			d.SampleCount = &v
		case api.StatisticAverage:
			d.Average = &v
		case api.StatisticSum:
			d.Sum = &v
		case api.StatisticMinimum:
			d.Minimum = &v
		case api.StatisticMaximum:
			d.Maximum = &v
		}
	}
	for name, st := range extended {
		if v, ok := st(b); ok {
			if d.ExtendedStatistics == nil {
				d.ExtendedStatistics = map[string]float64{}
			}
			d.ExtendedStatistics[name] = v
		}
	}
	return d, len(statistics) > 0 || d.ExtendedStatistics != nil
}
