package logs

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/service/logs/pattern"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

const minuteMillis = 60_000

// parsed is a metric filter ready to be applied.
type parsed struct {
	*filter
	pattern *pattern.Pattern
}

// filtersOf reads the metric filters of a group.
func (s *Service) filtersOf(ctx context.Context, group string) ([]parsed, error) {
	var out []parsed
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := below(tx, filters, aws.CallFrom(ctx), group)
		for _, r := range rows {
			p, err := pattern.Parse(r.Value.Pattern)
			if err != nil {
				return fmt.Errorf("metric filter %s: %w", r.Value.Name, err)
			}
			out = append(out, parsed{r.Value, p})
		}
		return err
	})
	return out, err
}

// queueMetrics applies filters to events and keeps what comes of it until
// publishMetrics has put it into CloudWatch.
func queueMetrics(tx *store.Tx, gk store.Key, list []parsed, events []entry) error {
	byNamespace := map[string]*metrics{}
	for _, f := range list {
		for _, t := range f.Transformations {
			m := byNamespace[*t.MetricNamespace]
			if m == nil {
				m = &metrics{Namespace: *t.MetricNamespace}
				byNamespace[*t.MetricNamespace] = m
			}
			m.gather(f.pattern, t, events)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byNamespace)) {
		m := byNamespace[name]
		for part := range slices.Chunk(m.Data, maxPut) {
			k := store.Key{Account: gk.Account, Region: gk.Region, ID: fmt.Sprintf("%020d/%s", tx.Now().UnixNano(), ids.UUID())}
			if err := pending.Put(tx, k, &metrics{Group: gk.ID, Namespace: name, Data: part}); err != nil {
				return err
			}
			emit(tx, gk, gk.ID, "metrics", "metric filter")
		}
	}
	return nil
}

// maxPut is how many data one PutMetricData takes.
const maxPut = 500

// gather adds the values that one transformation makes of the events. A minute in
// which no event matches gets the default value, where there is one.
func (m *metrics) gather(p *pattern.Pattern, t api.MetricTransformation, events []entry) {
	silent := map[int64]bool{}
	for _, e := range events {
		minute := e.Time / minuteMillis * minuteMillis
		fields, ok := p.Match(e.Message)
		if !ok {
			if _, known := silent[minute]; !known {
				silent[minute] = true
			}
			continue
		}
		silent[minute] = false
		value, ok := valueOf(*t.MetricValue, fields)
		if !ok {
			continue
		}
		dimensions := map[string]string{}
		for name, selector := range t.Dimensions {
			if v, ok := fields(selector); ok && v != "" {
				dimensions[name] = v
			}
		}
		if len(dimensions) == len(t.Dimensions) {
			m.count(t, dimensions, minute, value)
		}
	}
	for _, minute := range slices.Sorted(maps.Keys(silent)) {
		if silent[minute] && t.DefaultValue != nil {
			m.count(t, nil, minute, *t.DefaultValue)
		}
	}
}

func valueOf(text string, fields pattern.Fields) (float64, bool) {
	if strings.HasPrefix(text, "$") {
		found, ok := fields(text)
		if !ok {
			return 0, false
		}
		text = found
	}
	v, err := strconv.ParseFloat(text, 64)
	return v, err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}

// maxValues is how many different values one datum may have.
const maxValues = 150

func (m *metrics) count(t api.MetricTransformation, dimensions map[string]string, minute int64, value float64) {
	i := slices.IndexFunc(m.Data, func(d datum) bool {
		return d.Name == *t.MetricName && d.Time == minute && d.Unit == string(t.Unit) && maps.Equal(d.Dimensions, dimensions) && len(d.Values) < maxValues
	})
	if i < 0 {
		i = len(m.Data)
		m.Data = append(m.Data, datum{Name: *t.MetricName, Dimensions: dimensions, Unit: string(t.Unit), Time: minute})
	}
	d := &m.Data[i]
	if j := slices.Index(d.Values, value); j >= 0 {
		d.Counts[j]++
		return
	}
	d.Values, d.Counts = append(d.Values, value), append(d.Counts, 1)
}

// publishMetrics puts what is queued into CloudWatch until ctx ends.
func (s *Service) publishMetrics(ctx context.Context) error {
	return pending.WorkOff(ctx, s.cfg.DB, store.Filter{Service: "logs", Kind: "metrics"}, s.publish)
}

// publish puts one row. What CloudWatch refuses is logged and dropped, as on AWS,
// where nobody learns of it.
func (s *Service) publish(ctx context.Context, r store.Row[metrics]) error {
	in := &cloudwatch.PutMetricDataInput{Namespace: &r.Value.Namespace}
	for i := range r.Value.Data {
		in.MetricData = append(in.MetricData, metricDatum(&r.Value.Data[i]))
	}
	call := aws.AsService(servicePrincipal, groupARN(aws.Call{Account: r.Key.Account, Region: r.Key.Region}, r.Value.Group), r.Key.Account, r.Key.Region)
	_, err := wire.Call[cloudwatch.PutMetricDataOutput](aws.WithCall(ctx, call), s.cfg.Invoker, "monitoring", "PutMetricData", in)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		s.cfg.Log.Warn("metric filter", slog.String("namespace", r.Value.Namespace), slog.String("error", err.Error()))
	}
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error { return orGone(pending.Delete(tx, r.Key)) })
}

func metricDatum(d *datum) cloudwatch.MetricDatum {
	out := cloudwatch.MetricDatum{MetricName: &d.Name, Timestamp: aws.Ptr(time.UnixMilli(d.Time).UTC()), Values: d.Values, Counts: d.Counts, Unit: cloudwatch.StandardUnit(d.Unit)}
	for _, name := range slices.Sorted(maps.Keys(d.Dimensions)) {
		out.Dimensions = append(out.Dimensions, cloudwatch.Dimension{Name: aws.Ptr(name), Value: aws.Ptr(d.Dimensions[name])})
	}
	return out
}
