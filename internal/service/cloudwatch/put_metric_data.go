package cloudwatch

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/store"
)

// Limits of PutMetricData.
const (
	maxData       = 1000
	maxValues     = 150
	maxDimensions = 30
	maxFuture     = 2 * time.Hour
	maxPast       = 14 * 24 * time.Hour
)

// PutMetricData adds values to metrics, which come into being with their first one.
func (s *Service) PutMetricData(ctx context.Context, in *api.PutMetricDataInput) (*api.PutMetricDataOutput, error) {
	if len(in.EntityMetricData) > 0 || aws.Val(in.StrictEntityValidation) {
		return nil, notHonoured("EntityMetricData and StrictEntityValidation")
	}
	if len(in.MetricData) == 0 {
		return nil, missing("The parameter MetricData is required.")
	}
	c := aws.CallFrom(ctx)
	if strings.HasPrefix(*in.Namespace, "AWS/") && c.Principal.Type != aws.PrincipalService {
		return nil, invalidValue("The value AWS/ for parameter Namespace is invalid.")
	}
	if len(in.MetricData) > maxData {
		return nil, invalidValue("The collection MetricData must not have a size greater than %d.", maxData)
	}
	now := s.cfg.Clock.Now()
	puts := make([]put, 0, len(in.MetricData))
	for i := range in.MetricData {
		p, err := judgeDatum(*in.Namespace, &in.MetricData[i], fmt.Sprintf("MetricData.member.%d", i+1), now)
		if err != nil {
			return nil, err
		}
		puts = append(puts, p)
	}
	return &api.PutMetricDataOutput{}, s.store(ctx, key(c, ""), joinPuts(puts), now.Unix())
}

// put is a value on its way to its metric.
type put struct {
	metric *metric
	bucket bucket
}

// joinPuts adds up what goes to the same bucket, so that each row is written once.
func joinPuts(puts []put) []put {
	type place struct {
		metric, unit string
		time         int64
	}
	index := map[place]int{}
	var out []put
	for _, p := range puts {
		at := place{p.metric.id(), p.bucket.Unit, p.bucket.Time}
		if i, ok := index[at]; ok {
			out[i].bucket.merge(&p.bucket)
			continue
		}
		index[at] = len(out)
		out = append(out, p)
	}
	return out
}

func (s *Service) store(ctx context.Context, k store.Key, puts []put, now int64) error {
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		seen := map[string]bool{}
		for _, p := range puts {
			id := p.metric.id()
			if !seen[id] {
				seen[id] = true
				m := *p.metric
				m.Last = now
				if err := metrics.Put(tx, store.Key{Account: k.Account, Region: k.Region, ID: id}, &m); err != nil {
					return err
				}
			}
			if err := addBucket(tx, k, p.metric.digest(), p.bucket); err != nil {
				return err
			}
		}
		return nil
	})
}

// judgeDatum checks one datum, whose place in the request is at.
func judgeDatum(namespace string, d *api.MetricDatum, at string, now time.Time) (put, error) {
	m := &metric{Namespace: namespace, Name: *d.MetricName}
	var err error
	if m.Dimensions, err = dimensionsOf(d.Dimensions, at); err != nil {
		return put{}, err
	}
	when := now
	if d.Timestamp != nil {
		when = *d.Timestamp
	}
	switch {
	case when.After(now.Add(maxFuture)):
		return put{}, invalidValue("The parameter %s.Timestamp must specify a time no more than two hours in the future.", at)
	case when.Before(now.Add(-maxPast)):
		return put{}, invalidValue("The parameter %s.Timestamp must specify a time within the past two weeks.", at)
	}
	b := bucket{Time: when.Unix(), Unit: cmp.Or(string(d.Unit), string(api.StandardUnitNone))}
	switch aws.Val(d.StorageResolution) {
	case 0, 60:
		b.Time -= mod(b.Time, 60)
	case 1:
	default:
		return put{}, invalidValue("The value %d for parameter %s.StorageResolution is invalid. Valid values are 1 and 60.", *d.StorageResolution, at)
	}
	err = fillBucket(&b, d, at)
	return put{m, b}, err
}

// fillBucket puts into b what the datum says in one of its three forms.
func fillBucket(b *bucket, d *api.MetricDatum, at string) error {
	switch {
	case d.Value != nil && d.StatisticValues != nil:
		return invalidCombination("The parameters %s.Value and %s.StatisticValues are mutually exclusive and you have specified both.", at, at)
	case d.Value != nil && len(d.Values) > 0:
		return invalidCombination("The parameters %s.Value and %s.Values are mutually exclusive and you have specified both.", at, at)
	case d.StatisticValues != nil && len(d.Values) > 0:
		return invalidCombination("The parameters %s.StatisticValues and %s.Values are mutually exclusive and you have specified both.", at, at)
	case d.Value != nil:
		b.value(*d.Value, 1)
		return finite(*d.Value, at+".Value")
	case d.StatisticValues != nil:
		return fillStatistics(b, d.StatisticValues, at+".StatisticValues")
	case len(d.Values) > 0:
		return fillValues(b, d, at)
	}
	return missing("At least one of the parameters %s.Value, %s.Values or %s.StatisticValues must be specified.", at, at, at)
}

func fillStatistics(b *bucket, s *api.StatisticSet, at string) error {
	for _, v := range []struct {
		name  string
		value float64
	}{{"SampleCount", *s.SampleCount}, {"Sum", *s.Sum}, {"Minimum", *s.Minimum}, {"Maximum", *s.Maximum}} {
		if err := finite(v.value, at+"."+v.name); err != nil {
			return err
		}
	}
	switch {
	case *s.SampleCount <= 0:
		return invalidValue("The value %v for parameter %s.SampleCount is invalid.", *s.SampleCount, at)
	case *s.Minimum > *s.Maximum:
		return invalidValue("The parameter %s.Maximum must be greater than or equal to the parameter %s.Minimum.", at, at)
	}
	b.statistics(*s.SampleCount, *s.Sum, *s.Minimum, *s.Maximum)
	return nil
}

func fillValues(b *bucket, d *api.MetricDatum, at string) error {
	switch {
	case len(d.Values) > maxValues:
		return invalidValue("The collection %s.Values must not have a size greater than %d.", at, maxValues)
	case d.Counts != nil && len(d.Counts) != len(d.Values):
		return invalidValue("The parameters %s.Values and %s.Counts must be of the same size.", at, at)
	}
	for i, v := range d.Values {
		if err := finite(v, fmt.Sprintf("%s.Values.member.%d", at, i+1)); err != nil {
			return err
		}
		count := 1.0
		if d.Counts != nil {
			if count = d.Counts[i]; count < 0 || finite(count, "") != nil {
				return invalidValue("The value %v for parameter %s.Counts.member.%d is invalid.", count, at, i+1)
			}
		}
		if count > 0 {
			b.value(v, count)
		}
	}
	return nil
}

// maxMagnitude bounds values.
var maxMagnitude = math.Pow(2, 360)

func finite(v float64, at string) error {
	if math.IsNaN(v) || math.Abs(v) > maxMagnitude {
		return invalidValue("The value %v for parameter %s is invalid.", v, at)
	}
	return nil
}

func dimensionsOf(list []api.Dimension, at string) ([]dimension, error) {
	if len(list) > maxDimensions {
		return nil, invalidValue("The collection %s.Dimensions must not have a size greater than %d.", at, maxDimensions)
	}
	var out []dimension
	for _, d := range list {
		out = append(out, dimension{*d.Name, *d.Value})
	}
	slices.SortFunc(out, func(a, b dimension) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(out); i++ {
		if out[i].Name == out[i-1].Name {
			return nil, invalidValue("The collection %s.Dimensions must not have more than one dimension with the same name.", at)
		}
	}
	return out, nil
}
