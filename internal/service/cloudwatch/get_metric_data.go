package cloudwatch

import (
	"context"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/service/cloudwatch/expression"
	"github.com/hardstand/hardstand/internal/store"
)

// maxReturned is how many datapoints an answer has when the request does not say.
const maxReturned = 100_800

// GetMetricData gives the data of metrics and what expressions make of them.
func (s *Service) GetMetricData(ctx context.Context, in *api.GetMetricDataInput) (*api.GetMetricDataOutput, error) {
	if !in.StartTime.Before(*in.EndTime) {
		return nil, violation("The parameter EndTime must be greater than StartTime.")
	}
	if in.LabelOptions != nil {
		return nil, notHonoured("LabelOptions")
	}
	parsed, err := judgeQueries(in.MetricDataQueries, "MetricDataQueries")
	if err != nil {
		return nil, err
	}
	now := s.cfg.Clock.Now()
	q := &queries{k: key(aws.CallFrom(ctx), ""), list: in.MetricDataQueries, parsed: parsed, known: map[string]expression.Value{}}
	q.span = func(period int64) (int64, int64) {
		return roundStart(*in.StartTime, period, now), ceilUnix(*in.EndTime)
	}
	var results []api.MetricDataResult
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		q.tx, results = tx, nil
		clear(q.known)
		for i := range in.MetricDataQueries {
			if m := &in.MetricDataQueries[i]; m.ReturnData == nil || *m.ReturnData {
				v, err := q.value(*m.Id)
				if err != nil {
					return err
				}
				results = append(results, q.results(m, v)...)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range results {
		if in.ScanBy != api.ScanByTimestampAscending {
			slices.Reverse(results[i].Timestamps)
			slices.Reverse(results[i].Values)
		}
	}
	return cutResults(results, in)
}

// results are the series of one query: a list has several, and a number is a
// series too.
func (q *queries) results(m *api.MetricDataQuery, v expression.Value) []api.MetricDataResult {
	var list []*expression.Series
	switch v := v.(type) {
	case *expression.Series:
		list = []*expression.Series{v}
	case []*expression.Series:
		list = v
	case float64:
		list = []*expression.Series{q.constant(m, v)}
	}
	out := []api.MetricDataResult{}
	for _, s := range list {
		r := api.MetricDataResult{Id: m.Id, Label: aws.Ptr(q.labelOf(m)), Timestamps: []time.Time{}, Values: slices.Clone(s.Values), StatusCode: api.StatusCodeComplete}
		if len(list) > 1 && s.Label != "" {
			r.Label = aws.Ptr(s.Label)
		}
		for _, t := range s.Times {
			r.Timestamps = append(r.Timestamps, time.Unix(t, 0).UTC())
		}
		if units := q.units[*m.Id]; units != nil {
			r.Messages = []api.MessageData{{Code: aws.Ptr("MultipleUnits"), Value: aws.Ptr("Multiple units returned: '[" + strings.Join(units, ", ") + "]'")}}
		}
		if r.Values == nil {
			r.Values = []float64{}
		}
		out = append(out, r)
	}
	return out
}

// constant is a number at every period.
func (q *queries) constant(m *api.MetricDataQuery, v float64) *expression.Series {
	period := q.periodOf(m)
	start, end := q.span(period)
	s := &expression.Series{Period: period}
	for t := start; t < end && len(s.Times) < maxReturned; t += period {
		s.Times, s.Values = append(s.Times, t), append(s.Values, v)
	}
	return s
}

// cutResults gives the part of the results that the token and MaxDatapoints leave.
func cutResults(results []api.MetricDataResult, in *api.GetMetricDataInput) (*api.GetMetricDataOutput, error) {
	skip, limit := 0, maxReturned
	if in.MaxDatapoints != nil {
		if limit = int(*in.MaxDatapoints); limit < 1 || limit > maxReturned {
			return nil, violation("The value %d for parameter MaxDatapoints is invalid.", *in.MaxDatapoints)
		}
	}
	if t := aws.Val(in.NextToken); t != "" {
		raw, err := base64.RawURLEncoding.DecodeString(t)
		if err == nil {
			skip, err = strconv.Atoi(string(raw))
		}
		if err != nil || skip < 0 {
			return nil, errToken
		}
	}
	out := &api.GetMetricDataOutput{MetricDataResults: []api.MetricDataResult{}, Messages: []api.MessageData{}}
	at, end := 0, skip+limit
	for _, r := range results {
		n := len(r.Values)
		from, to := min(max(skip-at, 0), n), min(max(end-at, 0), n)
		if to < n {
			out.NextToken = aws.Ptr(base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(end))))
		}
		if from < to || n == 0 && at >= skip && at < end {
			r.Timestamps, r.Values = r.Timestamps[from:to], r.Values[from:to]
			if to < n {
				r.StatusCode = api.StatusCodePartialData
			}
			out.MetricDataResults = append(out.MetricDataResults, r)
		}
		at += n
	}
	return out, nil
}
