package cloudwatch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/service/cloudwatch/expression"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	minute = 60 // seconds
	// fast is how often alarms of high resolution are evaluated.
	fast = 10
)

// Run evaluates alarms, does their actions and removes old data until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	works := []func(context.Context) error{s.evaluate, s.act, s.follow}
	done := make(chan error, len(works))
	for _, work := range works {
		go func() { done <- work(inner) }()
	}
	var errs []error
	for range works {
		errs = append(errs, <-done)
		cancel()
	}
	return errors.Join(errs...)
}

// evaluate looks at the metric alarms when their time has come: every minute, every
// ten seconds while one has a period shorter than a minute.
func (s *Service) evaluate(ctx context.Context) error {
	for {
		changed := s.cfg.DB.Changed(store.Filter{Service: "monitoring", Kind: "configuration"})
		step, err := s.step(ctx)
		if err != nil {
			return ended(ctx, err)
		}
		var due <-chan time.Time // never, without alarms
		if step > 0 {
			now := s.cfg.Clock.Now()
			due = s.cfg.Clock.After(time.Unix(now.Unix()-mod(now.Unix(), step)+step, 0).Sub(now))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			continue // the step may be another one now
		case <-due:
		}
		if err := s.round(ctx, s.cfg.Clock.Now()); err != nil {
			return ended(ctx, err)
		}
	}
}

// step is the time between two rounds, 0 without alarms.
func (s *Service) step(ctx context.Context) (int64, error) {
	step := int64(0)
	err := s.eachAlarm(ctx, func(_ store.Key, a *alarm) error {
		switch {
		case a.composite():
		case a.Period < minute:
			step = fast
		case step == 0:
			step = minute
		}
		return nil
	})
	return step, err
}

func (s *Service) eachAlarm(ctx context.Context, f func(store.Key, *alarm) error) error {
	var rows []store.Row[alarm]
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		rows, err = alarms.List(tx, store.Scope{}, "", 0)
		return err
	})
	for _, r := range rows {
		if err == nil {
			err = f(r.Key, r.Value)
		}
	}
	return err
}

// round evaluates the alarms that are due. An alarm that cannot be evaluated does
// not hold up the others.
func (s *Service) round(ctx context.Context, now time.Time) error {
	onMinute := mod(now.Unix(), minute) < fast
	return s.eachAlarm(ctx, func(k store.Key, a *alarm) error {
		if a.composite() || a.Period >= minute && !onMinute {
			return nil
		}
		err := s.examine(ctx, k, a, now)
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.Error("evaluate alarm", slog.String("alarm", k.ID), slog.String("error", err.Error()))
			return nil
		}
		return err
	})
}

// Aging returns what removes old data and history, and the names of metrics that have
// had no value for so long that they are listed no more. Each runs until its ctx ends.
func (s *Service) Aging() []func(context.Context) error {
	return []func(context.Context) error{
		func(ctx context.Context) error {
			for {
				if err := s.expire(ctx, s.cfg.Clock.Now()); err != nil {
					return err
				}
				if err := clock.Sleep(ctx, s.cfg.Clock, time.Hour); err != nil {
					return err
				}
			}
		},
		func(ctx context.Context) error {
			return metrics.Expire(ctx, s.cfg.DB, "day", (listedFor+24*hourSeconds)*time.Second, nil)
		},
	}
}

// expire removes data and history that are too old.
func (s *Service) expire(ctx context.Context, now time.Time) error {
	for more := true; more; {
		err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
			data, err := expire(tx, now.Unix())
			if err != nil {
				return err
			}
			items, err := expireHistory(tx, now)
			more = data || items
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// examine evaluates one alarm and puts it into the state that comes of it.
func (s *Service) examine(ctx context.Context, k store.Key, a *alarm, now time.Time) error {
	step := int64(minute)
	if a.Period < minute {
		step = fast
	}
	end := now.Unix() - mod(now.Unix(), step)
	var periods []*point
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		periods, err = a.periods(tx, k, end)
		return err
	})
	if awserr.As(err) != nil {
		return nil // an expression that does not fit its data, such as 1/0
	}
	if err != nil {
		return err
	}
	v := decide(a, periods)
	if v.state == "" || v.state == a.State {
		return s.repeatScaling(ctx, k, a, v)
	}
	start := end - int64(a.Evaluations)*a.Period
	if n := len(v.used); n > 0 {
		start = v.used[n-1].time
	}
	data, err := a.reasonData(v, time.Unix(start, 0), now)
	if err != nil {
		return err
	}
	return s.transition(ctx, k, a, change{state: v.state, reason: a.reason(v), data: data})
}

// periods reads the periods that an alarm looks at, the newest first, nil where
// there is no data.
func (a *alarm) periods(tx *store.Tx, k store.Key, end int64) ([]*point, error) {
	n := a.Evaluations + spare
	start := end - int64(n)*a.Period
	out := make([]*point, n)
	place := func(p point) {
		if i := (end - 1 - p.time) / a.Period; i >= 0 && int(i) < n {
			out[i] = &p
		}
	}
	if len(a.Queries) == 0 {
		w := window{start: start, end: end, period: a.Period, unit: a.Unit}
		buckets, err := w.read(tx, k, &metric{Namespace: a.Namespace, Name: a.Metric, Dimensions: a.Dimensions})
		stat, _ := statisticOf(a.Statistic)
		for i := range buckets {
			if v, ok := stat(&buckets[i]); ok {
				place(point{buckets[i].Time, v, buckets[i].Count})
			}
		}
		return out, err
	}
	series, err := a.series(tx, k, start, end)
	if err != nil {
		return nil, err
	}
	for i, t := range series.Times {
		place(point{time: t, value: series.Values[i]})
	}
	return out, nil
}

// series is what the alarm's expression makes of its metrics.
func (a *alarm) series(tx *store.Tx, k store.Key, start, end int64) (*expression.Series, error) {
	parsed, err := judgeQueries(a.Queries, "Metrics")
	if err != nil {
		return nil, err
	}
	q := &queries{tx: tx, k: k, list: a.Queries, parsed: parsed, known: map[string]expression.Value{},
		span: func(int64) (int64, int64) { return start, end }}
	returned := returnedOf(a.Queries)
	v, err := q.value(*returned.Id)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case *expression.Series:
		return v, nil
	case float64:
		return q.constant(returned, v), nil
	}
	return nil, violation("The expression of the alarm must give one time series")
}

// returnedOf is the query that an alarm compares, nil when there is not just one.
func returnedOf(list []api.MetricDataQuery) *api.MetricDataQuery {
	var found *api.MetricDataQuery
	for i := range list {
		if r := list[i].ReturnData; r == nil || *r {
			if found != nil {
				return nil
			}
			found = &list[i]
		}
	}
	return found
}
