package cloudwatch

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/service/cloudwatch/expression"
	"github.com/hardstand/hardstand/internal/store"
)

// maxQueries is how many metrics and expressions a request has.
const maxQueries = 500

var idForm = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`)

// judgeQueries checks metrics and expressions; at is what the request calls them.
// The expressions come back parsed, by id.
func judgeQueries(list []api.MetricDataQuery, at string) (map[string]*expression.Expression, error) {
	if len(list) > maxQueries {
		return nil, violation("The collection %s must not have a size greater than %d.", at, maxQueries)
	}
	seen := map[string]bool{}
	parsed := map[string]*expression.Expression{}
	for i := range list {
		q := &list[i]
		if !idForm.MatchString(*q.Id) {
			return nil, violation("The value %s for parameter %s.member.%d.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$.", *q.Id, at, i+1)
		}
		if seen[*q.Id] {
			return nil, violation("The values for parameter id in %s are not unique.", at)
		}
		seen[*q.Id] = true
		if err := judgeQuery(q, at, i+1); err != nil {
			return nil, err
		}
		if q.Expression != nil {
			e, err := expression.Parse(*q.Expression)
			if err != nil {
				return nil, violation("Error in expression '%s': %s", *q.Id, err.Error())
			}
			parsed[*q.Id] = e
		}
	}
	for id, e := range parsed {
		for _, n := range e.Names {
			if !seen[n] {
				return nil, violation("Error in expression '%s': there is no metric or expression with the id %s", id, n)
			}
		}
	}
	return parsed, nil
}

func judgeQuery(q *api.MetricDataQuery, at string, i int) error {
	switch {
	case q.AccountId != nil:
		return notHonoured("AccountId of metric data queries")
	case (q.MetricStat == nil) == (q.Expression == nil):
		return violation("Exactly one of the parameters %s.member.%d.MetricStat and %s.member.%d.Expression must be specified.", at, i, at, i)
	case q.Expression != nil:
		if q.Period != nil && !validPeriod(int64(*q.Period)) {
			return violation("The parameter %s.member.%d.Period must be 1, 5, 10, 20, 30 or a multiple of 60.", at, i)
		}
		return nil
	}
	st := q.MetricStat
	if _, ok := statisticOf(*st.Stat); !ok {
		return violation("The value %s for parameter %s.member.%d.MetricStat.Stat is not supported.", *st.Stat, at, i)
	}
	if !validPeriod(int64(*st.Period)) {
		return violation("The parameter %s.member.%d.MetricStat.Period must be 1, 5, 10, 20, 30 or a multiple of 60.", at, i)
	}
	if st.Metric.Namespace == nil || st.Metric.MetricName == nil {
		return violation("The parameters %s.member.%d.MetricStat.Metric.Namespace and MetricName are required.", at, i)
	}
	_, err := dimensionsOf(st.Metric.Dimensions, at)
	return err
}

// queries answers metrics and expressions for a span of time.
type queries struct {
	tx     *store.Tx
	k      store.Key
	list   []api.MetricDataQuery
	parsed map[string]*expression.Expression
	// span gives the begin and the end for a period.
	span func(period int64) (start, end int64)
	// known are the answers so far; a nil one is being worked on.
	known map[string]expression.Value
	// units are those of the metrics that have data of several, by id.
	units map[string][]string
}

func (q *queries) value(id string) (expression.Value, error) {
	if v, ok := q.known[id]; ok {
		if v == nil {
			return nil, violation("Error in expression '%s': it refers to itself", id)
		}
		return v, nil
	}
	q.known[id] = nil
	i := slices.IndexFunc(q.list, func(m api.MetricDataQuery) bool { return *m.Id == id })
	v, err := q.compute(&q.list[i])
	if err != nil {
		return nil, err
	}
	q.known[id] = v
	return v, nil
}

func (q *queries) compute(m *api.MetricDataQuery) (expression.Value, error) {
	if m.MetricStat != nil {
		return q.series(m)
	}
	period := q.periodOf(m)
	start, end := q.span(period)
	v, err := q.parsed[*m.Id].Eval(&expression.Env{Lookup: q.value, Metrics: q.metrics, Start: start, End: end, Period: period})
	if e, ok := err.(*expression.Error); ok {
		return nil, violation("Error in expression '%s': %s", *m.Id, e.Text)
	}
	return v, err
}

// periodOf is the period of a query: of an expression its own, else the longest of
// the metrics in the request.
func (q *queries) periodOf(m *api.MetricDataQuery) int64 {
	if m.MetricStat != nil {
		return int64(*m.MetricStat.Period)
	}
	period := int64(aws.Val(m.Period))
	for i := range q.list {
		if st := q.list[i].MetricStat; st != nil && m.Period == nil {
			period = max(period, int64(*st.Period))
		}
	}
	return cmp.Or(period, 60)
}

func (q *queries) series(m *api.MetricDataQuery) (*expression.Series, error) {
	st := m.MetricStat
	src := &metric{Namespace: *st.Metric.Namespace, Name: *st.Metric.MetricName}
	src.Dimensions, _ = dimensionsOf(st.Metric.Dimensions, "")
	w := window{period: int64(*st.Period), unit: string(st.Unit), apart: st.Unit == ""}
	w.start, w.end = q.span(w.period)
	buckets, err := w.read(q.tx, q.k, src)
	if err != nil {
		return nil, err
	}
	buckets = q.ofOneUnit(*m.Id, buckets)
	stat, _ := statisticOf(*st.Stat)
	out := &expression.Series{ID: *m.Id, Label: q.labelOf(m), Period: w.period}
	for i := range buckets {
		if v, ok := stat(&buckets[i]); ok {
			out.Times, out.Values = append(out.Times, buckets[i].Time), append(out.Values, v)
		}
	}
	return out, nil
}

// ofOneUnit keeps the data of one unit, the first by name, and remembers the units
// where there were several.
func (q *queries) ofOneUnit(id string, buckets []bucket) []bucket {
	var units []string
	for i := range buckets {
		if !slices.Contains(units, buckets[i].Unit) {
			units = append(units, buckets[i].Unit)
		}
	}
	if len(units) < 2 {
		return buckets
	}
	slices.Sort(units)
	if q.units == nil {
		q.units = map[string][]string{}
	}
	q.units[id] = units
	return slices.DeleteFunc(buckets, func(b bucket) bool { return b.Unit != units[0] })
}

// labelOf is the label of a query: its own, or the metric's name and what tells it
// from the other metrics of the request, statistic and period.
func (q *queries) labelOf(m *api.MetricDataQuery) string {
	switch {
	case aws.Val(m.Label) != "":
		return *m.Label
	case m.MetricStat == nil:
		return *m.Id
	}
	label := *m.MetricStat.Metric.MetricName
	if q.differ(m, func(a, b *api.MetricStat) bool { return *a.Stat != *b.Stat }) {
		label += " " + *m.MetricStat.Stat
	}
	if q.differ(m, func(a, b *api.MetricStat) bool { return *a.Period != *b.Period }) {
		label += " " + strconv.Itoa(int(*m.MetricStat.Period))
	}
	return label
}

func (q *queries) differ(m *api.MetricDataQuery, unequal func(a, b *api.MetricStat) bool) bool {
	return slices.ContainsFunc(q.list, func(o api.MetricDataQuery) bool { return o.MetricStat != nil && unequal(m.MetricStat, o.MetricStat) })
}

func (q *queries) metrics() ([]*expression.Series, error) {
	var out []*expression.Series
	for i := range q.list {
		if q.list[i].MetricStat != nil {
			v, err := q.value(*q.list[i].Id)
			if err != nil {
				return nil, err
			}
			out = append(out, v.(*expression.Series))
		}
	}
	return out, nil
}
